//! Which launches there may be. A cluster does not tell whose a job is; but the id of a launch's job is known before there is
//! one, so the jobs of this resource are found by the ids that they would have.

use std::collections::BTreeSet;

use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::rollout::{Launch, Record};

/// Generations that are looked for beyond those that are known, for when the status was lost.
const GENERATIONS: u32 = 4;
/// Launches of one member that are looked for.
const LAUNCHES: u32 = 8;
/// Older generations than that are not looked for, unless the record names them.
const FORMER: u32 = 64;

/// The launches that the record names.
pub(super) fn known(record: &Record) -> BTreeSet<Launch> {
    let leftovers = record.leftovers.iter().map(|leftover| &leftover.version);
    let versions = record.active.iter().chain(record.phase.beside()).chain(leftovers);
    versions.map(|version| version.launch).collect()
}

/// The launches that may be there although the record does not name them.
pub(super) fn others(record: &Record, members: impl IntoIterator<Item = Member>) -> BTreeSet<Launch> {
    let known = known(record);
    let mut highest = [(Color::Blue, record.generations.blue), (Color::Green, record.generations.green)];
    for member in members {
        for (_, generation) in highest.iter_mut().filter(|(color, _)| *color == member.color) {
            *generation = (*generation).max(member.generation);
        }
    }
    let generations = highest.into_iter().flat_map(|(color, highest)| {
        let first = highest.saturating_sub(FORMER).max(1);
        (first..=highest.saturating_add(GENERATIONS)).map(move |generation| Member::new(color, generation))
    });
    let launches = generations.flat_map(|member| (1..=LAUNCHES).map(move |number| Launch { member, number }));
    launches.filter(|launch| !known.contains(launch)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_looked_for_also_when_the_status_was_lost() {
        let launch = |text: &str| text.parse::<Launch>().unwrap();
        let fresh = others(&Record::default(), []);
        assert!(fresh.contains(&launch("blue-1")) && fresh.contains(&launch("green-2-3")));
        let told = others(&Record::default(), [Member::new(Color::Green, 40)]);
        assert!(told.contains(&launch("green-41")) && !told.contains(&launch("blue-40")));
    }
}

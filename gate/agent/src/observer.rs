//! For how long a member's report has not changed, by this process's own monotonic clock: clocks of other machines are never
//! compared, and one that is set does not make a member look dead. Nor does time in which nobody could look: after an outage
//! of the store every member is given the time to tell again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidegate_protocol::conductor::Seen;
use tidegate_protocol::identity::Member;
use tidegate_protocol::report::Report;
use tidegate_store::Version;

/// What one look may add to a silence at most; agents look at least once per second.
const LOOK: Duration = Duration::from_secs(2);

/// Remembers how long each report has been seen as it is.
#[derive(Debug, Default)]
pub struct Observer {
    unchanged: BTreeMap<Member, Unchanged>,
}

#[derive(Debug)]
struct Unchanged {
    version: Version,
    looked: Instant,
    silence: Duration,
    /// It is another version than the one that was seen first.
    is_news: bool,
}

impl Observer {
    /// Milliseconds for which this version of a member's report has been seen.
    pub fn silent_ms(&mut self, member: Member, version: &Version, now: Instant) -> u64 {
        let fresh =
            || Unchanged { version: version.clone(), looked: now, silence: Duration::ZERO, is_news: false };
        let entry = self.unchanged.entry(member).or_insert_with(fresh);
        if entry.version == *version {
            entry.silence += now.saturating_duration_since(entry.looked).min(LOOK);
            entry.looked = now;
        } else {
            *entry = Unchanged { is_news: true, ..fresh() };
        }
        u64::try_from(entry.silence.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether a member has told something since it was looked at first: a report that only lies there may be a dead one's.
    pub(crate) fn has_heard(&self, member: Member) -> bool {
        self.unchanged.get(&member).is_some_and(|seen| seen.is_news)
    }

    /// Whose reports were seen so far.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.unchanged.keys().copied()
    }

    /// The reports as the conductor takes them.
    pub fn seen(&mut self, reports: Vec<(Report, Version)>, now: Instant) -> BTreeMap<Member, Seen> {
        let seen = |(report, version): (Report, Version)| {
            let silent_ms = self.silent_ms(report.member, &version, now);
            (report.member, Seen { report, silent_ms })
        };
        reports.into_iter().map(seen).collect()
    }
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::identity::Color;

    use super::*;

    const BLUE: Member = Member::new(Color::Blue, 1);

    #[test]
    fn silence_grows_while_a_version_stays_and_ends_with_the_next_one() {
        let (mut observer, begin) = (Observer::default(), Instant::now());
        let mut look = |version: &str, after: u64| {
            observer.silent_ms(BLUE, &Version::new(version), begin + Duration::from_millis(after))
        };
        let silences = [
            look("a", 0),
            look("a", 900),
            look("a", 1_900),
            look("b", 2_000),
            look("b", 2_500),
            look("a", 2_600),
        ];
        assert_eq!(silences, [0, 900, 1_900, 0, 500, 0]);
    }

    #[test]
    fn a_member_is_heard_once_its_report_has_changed() {
        let (mut observer, now) = (Observer::default(), Instant::now());
        let heard = ["a", "a", "b", "b"].map(|version| {
            observer.silent_ms(BLUE, &Version::new(version), now);
            observer.has_heard(BLUE)
        });
        assert_eq!(heard, [false, false, true, true]);
    }

    #[test]
    fn time_in_which_nobody_looked_is_no_silence() {
        let (mut observer, begin, version) = (Observer::default(), Instant::now(), Version::new("a"));
        assert_eq!(observer.silent_ms(BLUE, &version, begin), 0);
        assert_eq!(observer.silent_ms(BLUE, &version, begin + Duration::from_secs(60)), 2_000);
    }
}

//! What each version was made from, as far as it is remembered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_protocol::rollout::{Launch, Record, Revision, Version};

use super::inventory;
use super::problem::Problem;
use crate::resource::intent::source::Source;
use crate::resource::status::Status;

/// What outlives the loss of the status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Kept {
    /// Which launch was made from what.
    launches: BTreeMap<String, Revision>,
    /// What each revision is.
    revisions: BTreeMap<Revision, Value>,
}

impl Kept {
    /// What is needed to launch every version again that the record names, and what is wanted.
    pub(super) fn of(record: &Record, sources: &Sources, wanted: &Revision) -> Kept {
        let launches = inventory::known(record).into_iter();
        let launches = launches
            .filter_map(|launch| Some((launch.to_string(), version_of(record, launch)?.revision.clone())));
        let revisions = record.revisions().into_iter().chain([wanted]);
        let revisions =
            revisions.filter_map(|revision| Some((revision.clone(), sources.of(revision)?.value())));
        Kept { launches: launches.collect(), revisions: revisions.collect() }
    }

    pub(super) fn sources(&self) -> BTreeMap<Revision, Source> {
        let read =
            |(revision, value): (&Revision, &Value)| Some((revision.clone(), Source::from_value(value)?));
        self.revisions.iter().filter_map(read).collect()
    }

    pub(super) fn launches(&self) -> BTreeMap<Launch, Revision> {
        let read = |(launch, revision): (&String, &Revision)| Some((launch.parse().ok()?, revision.clone()));
        self.launches.iter().filter_map(read).collect()
    }
}

/// The sources of all versions that are, or may be launched again.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    revisions: BTreeMap<Revision, Source>,
    launches: BTreeMap<Launch, Revision>,
}

impl Sources {
    /// What the annotation has kept, then what the status has, then what is wanted now: the same revision is the same source.
    pub(super) fn new(kept: &Kept, status: &Status, wanted: Option<&Source>) -> Sources {
        let mut sources = kept.sources();
        for revision in &status.revisions {
            let source = Source::from_value(&revision.source);
            sources.extend(source.map(|source| (Revision(revision.name.clone()), source)));
        }
        sources.extend(wanted.map(|source| (source.revision(), source.clone())));
        Sources { revisions: sources, launches: kept.launches() }
    }

    pub(super) fn of(&self, revision: &Revision) -> Option<&Source> {
        self.revisions.get(revision)
    }

    /// What a launch that the record does not know was made from.
    pub(super) fn of_launch(&self, launch: Launch) -> Option<Revision> {
        self.launches.get(&launch).cloned()
    }

    /// What the version of that launch is made from.
    pub(super) fn of_version(&self, version: &Version) -> Result<&Source, Problem> {
        self.of(&version.revision)
            .ok_or_else(|| Problem::Source { launch: version.launch, revision: version.revision.clone() })
    }
}

/// The version of that launch, if the record knows it.
pub(super) fn version_of(record: &Record, launch: Launch) -> Option<&Version> {
    let leftovers = record.leftovers.iter().map(|leftover| &leftover.version);
    let mut versions = record.active.iter().chain(record.phase.beside()).chain(leftovers);
    versions.find(|version| version.launch == launch)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_protocol::rollout::Start;

    use super::*;
    use crate::resource::intent::Intent;

    fn source(jar: &str) -> Source {
        let job = json!({ "store": "directory:///store", "job": { "url": "http://flink:8081", "jar": jar } });
        Intent::read("shop", "orders", &serde_json::from_value(job).unwrap()).unwrap().source
    }

    fn version(source: &Source) -> Version {
        let (launch, revision) = ("green-2-3".parse().unwrap(), source.revision());
        Version { launch, revision, start: Start::Empty, scale: None, ran: false, rooted: false }
    }

    #[test]
    fn what_a_version_was_made_from_is_known_after_the_spec_was_edited() {
        let (old, new) = (source("/1.jar"), source("/2.jar"));
        let status = Status { revisions: vec![old.describe()], ..Status::default() };
        let sources = Sources::new(&Kept::default(), &status, Some(&new));
        assert_eq!(sources.of_version(&version(&old)).unwrap(), &old);
        assert_eq!(sources.of_version(&version(&new)).unwrap(), &new);
        let lost = Sources::new(&Kept::default(), &Status::default(), Some(&new));
        let problem = lost.of_version(&version(&old)).unwrap_err().to_string();
        assert!(problem.starts_with("RevisionUnknown: what green-2-3 was made from"), "{problem}");
    }
}

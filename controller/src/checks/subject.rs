//! Which version is checked, and at which stage of its rollout. Pure.

use tidegate_protocol::identity::Member;
use tidegate_protocol::rollout::{Launch, Phase, Purpose, Record, Revision};
use tidegate_protocol::time::WallTime;

/// What verdicts are about. Another attempt, launch or stage begins anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The rollout.
    pub(crate) attempt: u64,
    /// The version's deployment.
    pub(crate) launch: Launch,
    /// What it is made from.
    pub(crate) revision: Revision,
    /// Before or after it has the output.
    pub(crate) stage: Stage,
    /// Since when it has been at this stage, or settled.
    pub(crate) since: WallTime,
}

/// When a version is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// From when it has settled until it is accepted or has the output: all must pass.
    Proof,
    /// While it has the output and the old one stands by: a check that fails gives the output back.
    Watch,
}

impl Subject {
    /// The version that the record wants to be checked now; `None` where nothing is.
    pub(crate) fn of(record: &Record) -> Option<Subject> {
        let (version, stage, since) = match &record.phase {
            Phase::Proving { purpose, baseline: Some(baseline), .. } => {
                let version = match purpose {
                    Purpose::Standby(version) => version,
                    Purpose::First | Purpose::InPlace { .. } | Purpose::Reclaim => record.active.as_ref()?,
                };
                (version, Stage::Proof, baseline.at)
            }
            Phase::Ready { target, since, .. }
            | Phase::Pinning { target, since, .. }
            | Phase::CuttingOver { target, since, .. } => (target, Stage::Proof, *since),
            Phase::Watching { since, .. } => (record.active.as_ref()?, Stage::Watch, *since),
            Phase::Idle
            | Phase::Suspended { .. }
            | Phase::Snapshotting { .. }
            | Phase::Starting { .. }
            | Phase::Proving { baseline: None, .. }
            | Phase::Aborting { .. }
            | Phase::Reversing { .. }
            | Phase::Fencing { .. }
            | Phase::Claiming { .. }
            | Phase::Stopping { .. }
            | Phase::Relaunching { .. }
            | Phase::Leaving { .. }
            | Phase::Left => return None,
        };
        let (launch, revision) = (version.launch, version.revision.clone());
        Some(Subject { attempt: record.attempt, launch, revision, stage, since })
    }

    /// Whether verdicts about the one are about the other.
    pub(super) fn is_same(&self, other: &Subject) -> bool {
        let Subject { attempt, launch, revision, stage, since: _ } = other;
        (self.attempt, self.launch, self.stage) == (*attempt, *launch, *stage) && self.revision == *revision
    }

    /// The version's member.
    pub(super) fn member(&self) -> Member {
        self.launch.member
    }
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::identity::{CheckpointId, Color, Snapshot};
    use tidegate_protocol::rollout::{Baseline, Savepoint, Start, Version};

    use super::*;

    fn version(color: Color, generation: u32) -> Version {
        let launch = Launch::first(Member::new(color, generation));
        let revision = Revision(format!("r{generation}"));
        Version { launch, revision, start: Start::Empty, scale: None, ran: true, rooted: true }
    }

    fn record(phase: Phase) -> Record {
        Record { attempt: 3, active: Some(version(Color::Blue, 1)), phase, ..Record::default() }
    }

    fn at(millis: u64) -> WallTime {
        WallTime::from_millis(millis)
    }

    fn baseline() -> Baseline {
        Baseline { at: at(20), restarts: 0, failed_checkpoints: 0, completed_checkpoints: 0 }
    }

    fn proving(purpose: Purpose, baseline: Option<Baseline>) -> Record {
        record(Phase::Proving { purpose, baseline, caught_up: None, waived: false, since: at(10) })
    }

    #[test]
    fn the_new_version_is_checked_once_it_has_settled() {
        let green = version(Color::Green, 2);
        assert_eq!(Subject::of(&proving(Purpose::Standby(green.clone()), None)), None);
        let proof = Subject::of(&proving(Purpose::Standby(green.clone()), Some(baseline()))).unwrap();
        assert_eq!((proof.launch, proof.stage, proof.since), (green.launch, Stage::Proof, at(20)));
        let ready =
            record(Phase::Ready { target: green, baseline: baseline(), promoted: false, since: at(30) });
        assert!(Subject::of(&ready).unwrap().is_same(&proof));
        let first = Subject::of(&proving(Purpose::First, Some(baseline()))).unwrap();
        assert_eq!(first.launch, version(Color::Blue, 1).launch);
    }

    #[test]
    fn another_attempt_launch_revision_or_stage_is_another_subject() {
        let proof = Subject::of(&proving(Purpose::First, Some(baseline()))).unwrap();
        let snapshot = Snapshot { member: proof.member(), checkpoint: CheckpointId(1) };
        let way_back = Savepoint { snapshot, path: "s".to_owned() };
        let watched = Subject::of(&record(Phase::Watching {
            former: version(Color::Green, 2),
            way_back,
            baseline: baseline(),
            condemned: None,
            since: at(40),
        }))
        .unwrap();
        assert_eq!((watched.launch, watched.stage), (proof.launch, Stage::Watch));
        for other in [
            watched,
            Subject { attempt: 4, ..proof.clone() },
            Subject { launch: Launch { number: 2, ..proof.launch }, ..proof.clone() },
            Subject { revision: Revision("other".to_owned()), ..proof.clone() },
        ] {
            assert!(!other.is_same(&proof));
        }
        assert!(Subject { since: at(99), ..proof.clone() }.is_same(&proof));
    }
}

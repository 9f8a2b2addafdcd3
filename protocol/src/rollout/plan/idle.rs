//! Between rollouts: whether one is to begin, and how.

use super::super::observation::{Deployment, Job};
use super::super::record::{Launch, Next, Phase, Purpose, Start, Version};
use super::super::settings::Strategy;
use super::{Planner, Turn};
use crate::identity::{Color, Member};

impl Planner<'_> {
    pub(super) fn idle(&mut self) -> Turn {
        let Some(active) = self.record.active.clone() else { return self.first() };
        let wanted = self.observed.wanted;
        let is_new = wanted.revision != active.revision;
        if !is_new && self.record.failed.is_some() {
            // The resource wants what runs: there is nothing left to say about what did not work.
            self.record.failed = None;
        }
        let refused = self.record.failed.as_ref().filter(|failed| failed.revision == wanted.revision);
        if let Some(message) =
            refused.filter(|_| !wanted.suspended).map(|failed| failed.failure.message.clone())
        {
            let message = format!(
                "{} was given up and is not tried again: {message}; change the spec, or ask for retry",
                wanted.revision
            );
            return self.wait("RevisionFailed", message);
        }
        if !is_new && !wanted.suspended {
            return self.watch_active(&active);
        }
        let Some(deployment) = self.deployment(active.launch) else {
            // It was never seen, and no gate of it has told of itself: there is no state that could be lost.
            let was_never_there = !active.ran && !self.record.gated && !wanted.suspended;
            return if was_never_there { self.repair(None, false) } else { self.lost(&active) };
        };
        match &deployment.job {
            Job::Running => self.begin_when_alone(),
            Job::Ended(_) if wanted.suspended => self
                .call("ActiveEnded", format!("{} has ended by itself and cannot be stopped", active.launch)),
            // It is told to have ended, or it has never run: nothing of it can be disturbed.
            Job::Ended(_) => self.repair(None, false),
            Job::Starting if !active.ran && !wanted.suspended => self.repair(None, true),
            Job::Starting | Job::Restarting | Job::Unknown => {
                let message = format!(
                    "{} does not run just now, and no savepoint of it can be taken; it is waited for, or ask for replace to launch \
                     the wanted revision from its last checkpoint",
                    active.launch
                );
                self.call("ActiveNotRunning", message)
            }
        }
    }

    /// There are never two new versions: what was new once must have ended.
    fn begin_when_alone(&mut self) -> Turn {
        let Some(leftover) = self.record.leftovers.iter().find(|leftover| leftover.ended.is_none()) else {
            return self.begin();
        };
        let launch = leftover.version.launch;
        if self.is_unknown(launch) {
            let message = format!(
                "{launch} of an earlier rollout cannot be asked whether it has ended; bring its cluster back, or ask for forget \
                 member={} when that is gone for good",
                launch.member
            );
            return self.call("EarlierVersionUnknown", message);
        }
        self.wait("EarlierVersion", format!("{launch} of an earlier rollout has not ended yet"))
    }

    fn begin(&mut self) -> Turn {
        let wanted = self.observed.wanted;
        let next = match (wanted.suspended, wanted.settings.strategy) {
            (true, Strategy::BlueGreen | Strategy::StopStart) => Some(Next::Suspend),
            (false, Strategy::StopStart) => Some(Next::Replace),
            (false, Strategy::BlueGreen) => None,
        };
        let unknown = self.record.active.as_ref().is_some_and(|active| active.scale.is_none());
        if next.is_some() && unknown {
            // Never stopped before it is known how large it must come back (C12).
            return self.call("ScaleUnknown", "the replica counts of the running version cannot be told yet");
        }
        self.record.attempt += 1;
        let revision = wanted.revision.clone();
        self.tell(format!("began a rollout to {revision}"), "the resource has changed");
        let since = self.now;
        self.go(match next {
            Some(next) => Phase::Stopping { next, tries: 1, since },
            None => Phase::Snapshotting { revision, tries: 1, since },
        })
    }

    /// Launches the wanted revision in the place of the active version.
    pub(super) fn repair(&mut self, start: Option<Start>, cancel: bool) -> Turn {
        self.record.attempt += 1;
        let revision = self.observed.wanted.revision.clone();
        self.tell(format!("launches {revision} in place"), "the active version does not run");
        let since = self.now;
        let scale = None;
        self.go(Phase::Relaunching { revision, scale, start, fallback: None, cancel, since })
    }

    fn watch_active(&mut self, active: &Version) -> Turn {
        let launch = active.launch;
        match self.deployment(launch).map(|deployment| &deployment.job) {
            None => self.lost(active),
            Some(Job::Running) => Turn::Wait,
            Some(Job::Ended(_)) => self.call(
                "ActiveEnded",
                format!(
                    "{launch} has ended by itself; ask for replace to launch it again from its last state"
                ),
            ),
            Some(Job::Starting | Job::Restarting | Job::Unknown) => {
                self.wait("ActiveNotRunning", format!("{launch} does not run just now"))
            }
        }
    }

    fn lost(&mut self, active: &Version) -> Turn {
        let message = format!(
            "no deployment of {} is there, and the controller of this resource has not deleted one; ask for replace and name the \
             savepoint or checkpoint to start from (to begin with nothing, make a resource with another store)",
            active.launch
        );
        self.call("DeploymentLost", message)
    }

    /// Nothing has ever run, or the record was lost.
    fn first(&mut self) -> Turn {
        if let Some(document) = self.document() {
            let member = document.active().member;
            if self.observed.deployments.is_empty() && document.cutover.is_none() {
                return self.take_up(member);
            }
            return self.adopt(|launch| launch.member == member);
        }
        if !self.observed.deployments.is_empty() {
            return self.adopt(|_| true);
        }
        if self.observed.wanted.suspended {
            return self.wait("Suspended", "the resource wants no job to run");
        }
        if self.document().is_none() && self.observed.document == super::super::observation::Sight::Unknown {
            return self.blind();
        }
        self.record.attempt += 1;
        let launch = self.new_member(Color::Blue);
        let wanted = self.observed.wanted;
        self.record.active = Some(Version {
            launch,
            revision: wanted.revision.clone(),
            start: wanted.initial.clone(),
            scale: None,
            ran: false,
            rooted: false,
        });
        self.tell(format!("began the first rollout, of {}", wanted.revision), "the resource is new");
        let since = self.now;
        self.go(Phase::Starting { purpose: Purpose::First, created: false, since })
    }

    /// The store is one of an earlier resource, whose jobs are gone: where its output ended, only a person can say.
    fn take_up(&mut self, member: Member) -> Turn {
        self.tell(
            format!("took up the rollout of {member}"),
            "its store tells of it, and no job of it is there",
        );
        self.record.active = Some(Version {
            launch: Launch::first(member),
            revision: self.observed.wanted.revision.clone(),
            start: Start::Empty,
            scale: None,
            ran: true,
            rooted: true,
        });
        Turn::Again
    }

    /// The record knows of nothing, but something is there: it goes on, and is never started beside itself.
    fn adopt(&mut self, is_active: impl Fn(Launch) -> bool) -> Turn {
        let observed = self.observed;
        let mut found = observed.deployments.iter().filter(|(launch, _)| is_active(**launch));
        let (Some((launch, deployment)), None) = (found.next(), found.next()) else {
            return self.call(
                "RecordLost",
                "the status of the resource is empty, but the rollout has run before, and its active deployment cannot be told; \
                 restore the status from a copy",
            );
        };
        self.record.active = Some(adopted(*launch, deployment));
        self.tell(format!("adopted {launch}"), "it is there, and the status was empty");
        Turn::Again
    }
}

pub(super) fn adopted(launch: Launch, deployment: &Deployment) -> Version {
    Version {
        launch,
        revision: deployment.revision.clone(),
        // What it began with is not known any more; it is never launched again from it.
        start: Start::Empty,
        scale: deployment.scale,
        ran: true,
        rooted: true,
    }
}

//! After the cutover: watching, and the ways back.

use super::super::action::Action;
use super::super::record::{
    Cause, Failed, Failure, Launch, OperationKind, Phase, Purpose, Savepoint, Start, Version, Way,
};
use super::health::Health;
use super::sight::Withdrawal;
use super::{Planner, Turn};
use crate::document::Reclaim;
use crate::identity::Member;
use crate::time::EventTime;

impl Planner<'_> {
    pub(super) fn watching(&mut self) -> Turn {
        let Phase::Watching { former, way_back, baseline, condemned, since } = self.record.phase.clone()
        else {
            return Turn::Wait;
        };
        let Some(active) = self.record.active.clone() else { return self.go(Phase::Idle) };
        let health = self.health(&active, Some(&baseline));
        let failed = match &health {
            Health::Failed(failure) => Some(failure.clone()),
            Health::Sound | Health::Shaky(_) => None,
        };
        let wanted = self.observed.wanted;
        let reverted = (wanted.revision == former.revision && wanted.revision != active.revision)
            .then(|| Failure::new(Cause::Superseded, "the resource wants the former revision again"));
        if let Some(failure) = condemned.or(failed).or_else(|| self.failed_check()).or(reverted) {
            return self.go_back(former, way_back, failure);
        }
        if let Health::Shaky(why) = health {
            return self.wait("NotRunning", why);
        }
        if !self.passed(since, wanted.settings.watch_ms) {
            return self
                .wait("Watching", format!("{} is watched, {} stands by", active.launch, former.launch));
        }
        self.tell(format!("{} is accepted", active.launch), "it was watched long enough");
        self.leave_over(former, Way::Retire);
        self.go(Phase::Idle)
    }

    fn go_back(&mut self, former: Version, way_back: Savepoint, failure: Failure) -> Turn {
        let Some(active) = self.record.active.clone() else { return self.go(Phase::Idle) };
        if self.has_ended(active.launch) || !self.runs(former.launch) && !self.runs(active.launch) {
            return self.fence(former, way_back, 0, failure);
        }
        if !self.runs(former.launch) {
            let message = format!(
                "{} is to be given up ({}), but {} does not run and cannot take the output back; it is waited for",
                active.launch, failure.message, former.launch
            );
            return self.call("FormerNotRunning", message);
        }
        let (before, since) = (self.attempts(), self.now);
        self.warn(format!("gives the output back to {}", former.launch), failure.message.clone());
        let (back, way_back, tries, abandoned) = (former, Some(way_back), 1, false);
        self.go(Phase::Reversing { back, way_back, before, tries, failure, abandoned, since })
    }

    /// The active version is dead, and the output can only be taken back from a snapshot.
    pub(super) fn fence(
        &mut self,
        former: Version,
        way_back: Savepoint,
        tries: u32,
        failure: Failure,
    ) -> Turn {
        self.warn("continues the old version from its pinned savepoint", failure.message.clone());
        let (frontier, since) = (None, self.now);
        self.go(Phase::Fencing { former, way_back, tries, frontier, failure, since })
    }

    pub(super) fn fencing(&mut self) -> Turn {
        let Phase::Fencing { former, way_back, tries, frontier, failure, since } = self.record.phase.clone()
        else {
            return Turn::Wait;
        };
        let Some(dead) = self.record.active.clone() else { return self.go(Phase::Idle) };
        let (member, back) = (dead.launch.member, former.launch.member);
        let Some(document) = self.document() else { return self.blind() };
        if document.active().member == back || self.is_committed_to(back) {
            // The reverse cutover went through after all.
            let (before, since, way_back, abandoned) = (self.attempts(), self.now, Some(way_back), false);
            return self.go(Phase::Reversing {
                back: former,
                way_back,
                before,
                tries,
                failure,
                abandoned,
                since,
            });
        }
        if document.active().member != member || document.cutover.is_some() || tries > 0 {
            let operation = self.operation(OperationKind::Withdraw, former.launch, tries);
            match self.withdrawal(back, operation) {
                Withdrawal::Done if document.active().member == member && document.cutover.is_none() => {}
                Withdrawal::Ask(action) => return Turn::Act(action),
                Withdrawal::Done | Withdrawal::Unanswered => return self.wait_for_withdrawal(since),
                Withdrawal::Blind => return self.blind(),
            }
        }
        if !self.has_ended(dead.launch) {
            return Turn::Act(Action::Cancel { launch: dead.launch });
        }
        let Some(frontier) = self.frontier(member, frontier) else {
            let message = format!(
                "nobody can tell how far the output of {} goes: its reports do not say; ask for rollback and name the event time from \
                 which it may be repeated",
                dead.launch
            );
            return self.call("FrontierUnknown", message);
        };
        let launch = self.new_member(back.color);
        let start = Start::Savepoint(way_back.clone());
        let (revision, scale) = (former.revision.clone(), former.scale);
        let version = Version { launch, revision, start, scale, ran: false, rooted: false };
        let since = self.now;
        self.go(Phase::Claiming { former, version, way_back, frontier, failure, since })
    }

    /// Up to where a dead member's output goes, by the last report that it will ever write.
    fn frontier(&self, dead: Member, named: Option<EventTime>) -> Option<EventTime> {
        let told = self.observed.reports.get(&dead).map(|seen| seen.report.frontier());
        named.or(told).filter(|frontier| *frontier != EventTime::MAX)
    }

    pub(super) fn claiming(&mut self) -> Turn {
        let Phase::Claiming { former, version, way_back, frontier, failure, .. } = self.record.phase.clone()
        else {
            return Turn::Wait;
        };
        let Some(dead) = self.record.active.clone() else { return self.go(Phase::Idle) };
        let Some(document) = self.document() else { return self.blind() };
        if let Some(owner) = document.owners.iter().find(|owner| owner.member == version.launch.member) {
            let (next, last, from) = (version.launch, dead.launch, owner.since);
            let what = format!(
                "{next} continues for {last} from {from} on; what {last} has written of that is there twice"
            );
            self.warn(what, failure.message.clone());
            self.record.failed = Some(Failed { revision: dead.revision.clone(), failure, at: self.now });
            self.record.active = Some(version);
            self.leave_over(dead, Way::Discard);
            self.leave_over(former, Way::Retire);
            let since = self.now;
            return self.go(Phase::Starting { purpose: Purpose::Reclaim, created: false, since });
        }
        let reclaim = Reclaim {
            dead: dead.launch.member,
            frontier,
            by: version.launch.member,
            snapshot: way_back.snapshot,
        };
        match document.reclaim(&reclaim) {
            Ok(_) => Turn::Act(Action::Reclaim(reclaim)),
            Err(reason) => {
                self.call("ReclaimNotAllowed", format!("the document does not allow it: {reason}"))
            }
        }
    }

    /// A version in `Starting` or `Proving` is not sound.
    pub(super) fn unsound(&mut self, purpose: &Purpose, failure: Failure) -> Turn {
        let since = self.now;
        match purpose {
            Purpose::Standby(target) => self.give_up(target.clone(), failure),
            Purpose::InPlace { fallback: Some(fallback) } => {
                let Some(active) = self.record.active.clone() else { return self.go(Phase::Idle) };
                self.fail(&active, failure);
                let Version { revision, scale, start, .. } = fallback.clone();
                self.warn(format!("launches {revision} again"), "its successor was given up");
                let (start, fallback, cancel) = (Some(start), None, true);
                self.go(Phase::Relaunching { revision, scale, start, fallback, cancel, since })
            }
            Purpose::First | Purpose::InPlace { fallback: None } | Purpose::Reclaim => {
                let active = self.record.active.as_ref().map(|active| active.revision.clone());
                if active.as_ref() != Some(&self.observed.wanted.revision) && !self.failed_is_wanted() {
                    // Another revision is wanted: it takes the place of this one.
                    return self.go(Phase::Idle);
                }
                let message = format!(
                    "{}; there is nothing to go back to: it is left as it is; mend the spec, or ask for replace",
                    failure.message
                );
                self.call(failure.cause.code(), message)
            }
        }
    }

    fn failed_is_wanted(&self) -> bool {
        let wanted = &self.observed.wanted.revision;
        self.record.failed.as_ref().is_some_and(|failed| failed.revision == *wanted)
    }

    /// The highest number of a launch of that member.
    pub(super) fn last_launch(&self, member: Member) -> u32 {
        let leftovers = self.record.leftovers.iter().map(|leftover| &leftover.version.launch);
        let launches = self.observed.deployments.keys().chain(leftovers);
        let active = self.record.active.iter().map(|active| &active.launch);
        launches
            .chain(active)
            .filter(|launch: &&Launch| launch.member == member)
            .map(|launch| launch.number)
            .max()
            .unwrap_or(0)
    }
}

//! The plan: what the phase asks for, then what leftovers and savepoints ask for.

mod back;
mod condition;
mod cutover;
mod forward;
mod health;
mod idle;
mod in_place;
mod leave;
mod leftover;
mod request;
mod savepoint;
mod schedule;
mod sight;
#[cfg(test)]
mod tests;

use super::action::{Action, Plan, Waiting};
use super::observation::{Deployment, Job, Observation, Progress};
use super::record::{
    Cause, Entry, Failed, Failure, HISTORY, Kept, Launch, Leftover, Operation, OperationKind, Phase, Purpose,
    Record, Version, Way,
};
use crate::identity::{Color, Member};
use crate::time::WallTime;

/// Who is named in the history for what nobody asked for.
const PLANNER: &str = "tidegate";
/// More phases than these in a row cannot be passed with one observation.
const PHASES: usize = 24;
/// How long the second try waits after the first; the next ones wait four and nine times as long, and so on.
const BACKOFF_MS: u64 = 10_000;

/// Plans. Pure; costs a copy of the record.
pub fn plan(observation: &Observation<'_>, now: WallTime) -> Plan {
    let mut planner = Planner {
        observed: *observation,
        now,
        record: observation.record.clone(),
        waiting: Vec::new(),
        loud: None,
        wake: None,
    };
    planner.notice();
    planner.pause();
    planner.answer();
    let mut action = planner.phases();
    if action.is_none() && !matches!(planner.record.phase, Phase::Leaving { .. } | Phase::Left) {
        action = planner.leftovers().or_else(|| planner.savepoints()).or_else(|| planner.schedule());
    }
    let conditions = planner.conditions();
    let beside = planner.record.phase.beside().map(|version| version.launch.member);
    let active = planner.record.active.as_ref().map(|active| active.launch.member);
    let lag_ms = active.zip(beside).and_then(|(active, beside)| planner.lag(active, beside));
    Plan { record: planner.record, action, waiting: planner.waiting, conditions, lag_ms, wake: planner.wake }
}

/// What one look at a phase comes to.
enum Turn {
    /// The record has changed: look again.
    Again,
    /// Do this.
    Act(Action),
    /// Wait.
    Wait,
}

struct Planner<'a> {
    observed: Observation<'a>,
    now: WallTime,
    record: Record,
    waiting: Vec<Waiting>,
    /// Something needs a person.
    loud: Option<&'static str>,
    wake: Option<WallTime>,
}

impl Planner<'_> {
    fn phases(&mut self) -> Option<Action> {
        if self.observed.deleting && !matches!(self.record.phase, Phase::Leaving { .. } | Phase::Left) {
            self.leave();
        }
        for _ in 0..PHASES {
            self.waiting.clear();
            self.loud = None;
            self.wake = None;
            match self.phase() {
                Turn::Again => {}
                Turn::Act(action) => return Some(action),
                Turn::Wait => return None,
            }
        }
        None
    }

    fn phase(&mut self) -> Turn {
        if self.is_frozen() {
            return self.wait("Paused", "the rollout is paused; set spec.paused to false to go on");
        }
        match self.record.phase.clone() {
            Phase::Idle => self.idle(),
            Phase::Suspended { start } => self.suspended(start),
            Phase::Snapshotting { revision, tries, since } => self.snapshotting(&revision, tries, since),
            Phase::Starting { purpose, created, since } => self.starting(&purpose, created, since),
            Phase::Proving { purpose, baseline, caught_up, waived, since } => {
                self.proving(purpose, baseline, caught_up, waived, since)
            }
            Phase::Ready { target, baseline, promoted, since } => {
                self.ready(target, baseline, promoted, since)
            }
            Phase::Pinning { target, baseline, tries, since } => self.pinning(target, baseline, tries, since),
            Phase::CuttingOver { .. } => self.cutting_over(),
            Phase::Aborting { .. } => self.aborting(),
            Phase::Watching { .. } => self.watching(),
            Phase::Reversing { .. } => self.reversing(),
            Phase::Fencing { .. } => self.fencing(),
            Phase::Claiming { .. } => self.claiming(),
            Phase::Stopping { next, tries, since } => self.stopping(next, tries, since),
            Phase::Relaunching { .. } => self.relaunching(),
            Phase::Leaving { since } => self.leaving(since),
            Phase::Left => Turn::Act(Action::Release),
        }
    }

    /// What is seen only now and may be needed when it cannot be seen any more.
    fn notice(&mut self) {
        let document = self.document();
        self.record.gated |= document.is_some();
        let of_document = document.into_iter().flat_map(|document| {
            let owners = document.owners.iter().map(|owner| owner.member);
            owners.chain(document.terms().map(|terms| terms.to))
        });
        let launches = self.observed.deployments.keys().map(|launch| launch.member);
        for member in of_document.chain(launches).collect::<Vec<Member>>() {
            self.record.generations.know(member.color, member.generation);
        }
        let observed = self.observed;
        for version in self.record.versions_mut() {
            let Some(deployment) = observed.deployments.get(&version.launch) else { continue };
            version.ran |= matches!(deployment.job, Job::Running | Job::Restarting);
            version.rooted |= deployment.checkpoints.completed > 0;
            if deployment.job == Job::Running && deployment.scale.is_some() {
                version.scale = deployment.scale;
            }
        }
        for leftover in &mut self.record.leftovers {
            let deployment = observed.deployments.get(&leftover.version.launch);
            if deployment.is_none_or(|deployment| deployment.job.has_ended()) {
                leftover.ended.get_or_insert(self.now);
            }
        }
        for kept in &mut self.record.savepoints {
            if let (None, Some(Progress::Done(savepoint))) =
                (&kept.savepoint, observed.operations.get(&kept.operation))
            {
                kept.savepoint = Some(savepoint.clone());
                kept.taken = Some(self.now);
            }
        }
    }

    fn pause(&mut self) {
        match (self.observed.wanted.paused, self.record.paused) {
            (true, None) => {
                self.record.paused = Some(self.now);
                self.tell(Entry::PAUSED, "spec.paused");
            }
            (false, Some(paused)) => {
                let frozen = self.is_frozen();
                self.record.paused = None;
                let lasted = self.now.since(paused);
                if let Some(since) = self.record.phase.since_mut().filter(|_| frozen) {
                    *since = since.plus(lasted);
                }
                self.tell(Entry::RESUMED, "spec.paused");
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// A pause holds what is before the request for the cutover; what is later goes on.
    fn is_frozen(&self) -> bool {
        self.record.paused.is_some()
            && match &self.record.phase {
                Phase::Idle
                | Phase::Suspended { .. }
                | Phase::Snapshotting { .. }
                | Phase::Starting { purpose: Purpose::Standby(_), .. }
                | Phase::Proving { purpose: Purpose::Standby(_), .. }
                | Phase::Ready { .. }
                | Phase::Pinning { .. } => true,
                Phase::Starting { .. }
                | Phase::Proving { .. }
                | Phase::CuttingOver { .. }
                | Phase::Aborting { .. }
                | Phase::Watching { .. }
                | Phase::Reversing { .. }
                | Phase::Fencing { .. }
                | Phase::Claiming { .. }
                | Phase::Stopping { .. }
                | Phase::Relaunching { .. }
                | Phase::Leaving { .. }
                | Phase::Left => false,
            }
    }

    fn go(&mut self, phase: Phase) -> Turn {
        self.record.phase = phase;
        Turn::Again
    }

    fn wait(&mut self, code: &'static str, message: impl Into<String>) -> Turn {
        self.waiting.push(Waiting { code, message: message.into() });
        Turn::Wait
    }

    /// Waits for what only a person, or the world, can give.
    fn call(&mut self, code: &'static str, message: impl Into<String>) -> Turn {
        self.loud = Some(code);
        self.wait(code, message)
    }

    fn wake_at(&mut self, at: WallTime) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Whether `millis` have passed since; if not, the planner wants to be asked again then.
    fn passed(&mut self, since: WallTime, millis: u64) -> bool {
        let passed = self.now.since(since) >= millis;
        if !passed {
            self.wake_at(since.plus(millis));
        }
        passed
    }

    /// Whether the next try may begin, when the first one began at `since`.
    fn backed_off(&mut self, since: WallTime, tries: u32) -> bool {
        let tries = u64::from(tries);
        self.passed(since, BACKOFF_MS.saturating_mul(tries.saturating_mul(tries)))
    }

    fn tell(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.tell_of(PLANNER, what, why);
    }

    /// What is not as it was hoped for.
    fn warn(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.tell(what, why);
        if let Some(entry) = self.record.history.last_mut() {
            entry.warning = true;
        }
    }

    /// What is said again with every look until it has been seen to work.
    fn warn_once(&mut self, what: String, why: String) {
        let attempt = self.record.attempt;
        if !self.record.history.iter().any(|entry| entry.attempt == attempt && entry.what == what) {
            self.warn(what, why);
        }
    }

    fn tell_of(&mut self, who: &str, what: impl Into<String>, why: impl Into<String>) {
        let why = crate::text::cut(&why.into(), 300);
        let attempt = self.record.attempt;
        self.record.history.push(Entry {
            at: self.now,
            who: who.to_owned(),
            what: what.into(),
            why,
            attempt,
            phase: self.record.phase.name().to_owned(),
            warning: false,
        });
        let surplus = self.record.history.len().saturating_sub(HISTORY);
        self.record.history.drain(..surplus);
    }

    fn deployment(&self, launch: Launch) -> Option<&Deployment> {
        self.observed.deployments.get(&launch)
    }

    /// Proven: it has ended, or there is no trace of it.
    fn has_ended(&self, launch: Launch) -> bool {
        self.deployment(launch).is_none_or(|deployment| deployment.job.has_ended())
    }

    /// Nobody can tell.
    fn is_unknown(&self, launch: Launch) -> bool {
        self.deployment(launch).is_some_and(|deployment| deployment.job == Job::Unknown)
    }

    fn runs(&self, launch: Launch) -> bool {
        self.deployment(launch).is_some_and(|deployment| deployment.job == Job::Running)
    }

    fn operation(&self, kind: OperationKind, launch: Launch, tries: u32) -> Operation {
        Operation { attempt: self.record.attempt, kind, launch, tries }
    }

    /// Keeps an operation in mind before it is asked for; returns how far it is.
    fn keep(&mut self, operation: Operation, last: bool) -> Option<Progress> {
        if !self.record.savepoints.iter().any(|kept| kept.operation == operation) {
            let (savepoint, dropping, taken) = (None, false, None);
            self.record.savepoints.push(Kept { operation, savepoint, last, dropping, taken });
        }
        let kept = self.record.savepoints.iter().find(|kept| kept.operation == operation);
        let done = kept.and_then(|kept| kept.savepoint.clone()).map(Progress::Done);
        done.or_else(|| self.observed.operations.get(&operation).cloned())
    }

    fn leave_over(&mut self, version: Version, way: Way) {
        if self.record.leftovers.iter().any(|leftover| leftover.version.launch == version.launch) {
            return;
        }
        let (since, attempt) = (self.now, self.record.attempt);
        let ended = self.has_ended(version.launch).then_some(since);
        self.record.leftovers.push(Leftover { version, way, since, attempt, tries: 0, ended });
    }

    /// A new version that never had the output is given up.
    fn give_up(&mut self, target: Version, failure: Failure) -> Turn {
        self.fail(&target, failure);
        self.leave_over(target, Way::Discard);
        self.go(Phase::Idle)
    }

    /// Remembers a revision that failed; one that is only not wanted any more may be wanted again.
    fn fail(&mut self, version: &Version, failure: Failure) {
        let what = format!("gave up {} ({})", version.launch, failure.cause.code());
        if failure.cause == Cause::Superseded {
            self.tell(what, failure.message);
        } else {
            self.warn(what, failure.message.clone());
            self.record.failed = Some(Failed { revision: version.revision.clone(), failure, at: self.now });
        }
    }

    fn is_superseded(&self, version: &Version) -> Option<Failure> {
        let wanted = self.observed.wanted;
        if wanted.suspended {
            return Some(Failure::new(Cause::Superseded, "the resource wants no job to run"));
        }
        (wanted.revision != version.revision)
            .then(|| Failure::new(Cause::Superseded, format!("the resource wants {} now", wanted.revision)))
    }

    fn new_member(&mut self, color: Color) -> Launch {
        Launch::first(Member::new(color, self.record.generations.next(color)))
    }
}

impl Record {
    /// All versions that are deployed, or are about to be.
    fn versions_mut(&mut self) -> Vec<&mut Version> {
        let mut versions: Vec<&mut Version> = self.active.iter_mut().collect();
        versions.extend(self.leftovers.iter_mut().map(|leftover| &mut leftover.version));
        versions.extend(self.phase.version_mut());
        versions
    }
}

//! What can happen next. What is ordinary goes on until nothing is left of it, whatever fails before; the rest may happen.

use tidegate_protocol::conductor::Decision;
use tidegate_protocol::document::Cutover;
use tidegate_protocol::identity::{Color, Member};

use super::run::Run;
use super::scenario::{Ask, Lag, Start};
use super::state::{At, Ghost, Life, Task, Told, Who};

/// Checkpoints of a job after which nobody waits for lazy committers any more.
const ENOUGH: u64 = 6;

/// One step of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Read(At, u8),
    Tell(At),
    Follow(At),
    HearJob(Who),
    Claim(Who),
    Fetch(Who),
    HearDocument(Who),
    Report(Who),
    Decide,
    Write(u8),
    Commit {
        job: u8,
        committer: u8,
    },
    Checkpoint(u8),
    Snapshot {
        job: u8,
        task: u8,
    },
    Reclaim,
    /// Nothing else moves: a life that is over ends for good.
    EndFormer(u8),
    /// Nothing else moves: a deadline passes.
    Wait,
    /// Nothing moves at all: what must be true then is looked at.
    Rest,
    Ask,
    StartGreen,
    Retire(u8),
    ReplaceGreen,
    Fault(Fault),
}

/// What may fail, as often as the scenario allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// A subtask is restarted.
    Restart(At),
    /// A job is restarted, with a new agent or the old one.
    Failover { job: u8, parallelism: u8, new_agent: bool },
    /// A checkpoint is taken that nobody waits for.
    FreeCheckpoint(u8),
    /// A deadline passes although something could still happen.
    Deadline,
    /// A status sets out that will arrive late.
    Delay(At),
    /// It arrives.
    Stray(Who),
    /// An order arrives again.
    Repeat(At),
    /// An order is lost.
    LoseOrder(At),
    /// A conductor forgets what it has decided.
    Crash(u8),
    /// A conductor takes its write for failed.
    LoseWrite(u8),
    /// An agent takes the write of its report for failed.
    LoseReport(Who),
    /// Such a write is applied after all.
    Haunt,
    /// A conductor decides on an old report of this member.
    DecideOnOld(Member),
    /// An agent reads the document before it has claimed its slot.
    FetchEarly(Who),
    /// An agent reads an old document.
    FetchOld(Who),
    /// An agent reads a document that it will hear later.
    FetchSlowly(Who),
    /// Green dies.
    Die,
}

impl Run<'_> {
    /// All that can happen next.
    pub(super) fn actions(&self, actions: &mut Vec<Action>) {
        if self.state.broken.is_some() {
            return;
        }
        self.ordinary(actions);
        let moves = !actions.is_empty();
        if self.state.conductors.len() < usize::from(self.scenario.conductors) {
            let decides = moves || matches!(self.decision(None), Some(Decision::Change(..)));
            if decides {
                actions.push(Action::Decide);
            } else {
                self.last_resort(actions);
            }
        }
        self.people(actions);
        self.failures(actions);
        self.faults(actions);
        self.formers(actions);
    }

    /// What goes on by itself.
    fn ordinary(&self, actions: &mut Vec<Action>) {
        for (index, job) in self.state.jobs.iter().enumerate().filter(|(_, job)| !job.stopped) {
            let who = Who { job: index as u8, former: false };
            self.life(who, actions);
            if self.scenario.lag == Lag::Agents {
                self.agent_moves(who, actions);
            } else if job.life.agent.slot.is_none() {
                self.claims(who, actions);
            } else if self.first_read_may_be_old(who) {
                actions.extend([Action::Fetch(who), Action::Fault(Fault::FetchOld(who))]);
            }
            for (committer, queue) in job.commits.iter().enumerate() {
                let least = usize::from(self.scenario.lazy_commits);
                if queue.len() > least && job.life.told.is_empty() {
                    actions.push(Action::Commit { job: index as u8, committer: committer as u8 });
                }
            }
            if job.wanted && self.may_checkpoint(index) {
                actions.push(Action::Checkpoint(index as u8));
            }
            if let Some(pending) = &job.pending {
                for (task, part) in pending.parts.iter().enumerate() {
                    if part.is_none() && !job.life.tasks[task].machine.is_full() {
                        actions.push(Action::Snapshot { job: index as u8, task: task as u8 });
                    }
                }
            }
        }
        actions.extend((0..self.state.conductors.len()).map(|conductor| Action::Write(conductor as u8)));
        if self.state.left.deaths < self.scenario.faults.deaths && self.reclaimed().is_some() {
            actions.push(Action::Reclaim);
        }
    }

    /// What goes on in a life, its agent's dealings with the store apart.
    fn life(&self, who: Who, actions: &mut Vec<Action>) {
        let life = self.state.life(who);
        if !life.told.is_empty() {
            actions.push(Action::HearJob(who));
        }
        for (index, task) in life.tasks.iter().enumerate() {
            let at = At { who, task: index as u8 };
            if task.untold && is_known(life, index as u8) {
                actions.push(Action::Tell(at));
            }
            if !task.down.is_empty() && !task.finished {
                actions.push(Action::Follow(at));
            }
            if task.ended || task.machine.is_full() {
                continue;
            }
            for (partition, entries) in self.scenario.log.iter().enumerate() {
                let mine = life.reader(self.scenario.gates, partition) == index;
                if mine && usize::from(life.read[partition]) <= entries.len() {
                    actions.push(Action::Read(at, partition as u8));
                }
            }
        }
    }

    /// An agent claims its slot; what it may have read before counts for nothing.
    fn claims(&self, who: Who, actions: &mut Vec<Action>) {
        if who.former {
            // The shipped agent does not take the slot of one that is alive.
            return;
        }
        actions.push(Action::Claim(who));
        if self.state.store.document.is_some() {
            actions.push(Action::Fault(Fault::FetchEarly(who)));
        }
    }

    fn agent_moves(&self, who: Who, actions: &mut Vec<Action>) {
        let agent = &self.state.life(who).agent;
        if agent.slot.is_none() {
            self.claims(who, actions);
        }
        if agent.inbox.is_some() {
            actions.push(Action::HearDocument(who));
        }
        if self.has_to_read(who) {
            actions.push(Action::Fetch(who));
            if self.state.left.slow_reads > 0 && self.state.store.document.is_some() {
                actions.push(Action::Fault(Fault::FetchSlowly(who)));
            }
            if self.first_read_may_be_old(who) {
                actions.push(Action::Fault(Fault::FetchOld(who)));
            }
        }
        if self.has_to_report(who) {
            actions.push(Action::Report(who));
            if self.state.left.ghosts > 0 && self.state.store.ghost.is_none() {
                actions.push(Action::Fault(Fault::LoseReport(who)));
            }
        }
    }

    /// Whether an agent's next read is its first one, and may find an old document because the assumption is taken away.
    pub(super) fn first_read_may_be_old(&self, who: Who) -> bool {
        let agent = &self.state.life(who).agent;
        let first = agent.slot.is_some() && agent.machine.document().is_none();
        first && self.scenario.old_first_read && self.state.store.previous.is_some()
    }

    /// Whether a checkpoint can begin.
    fn may_checkpoint(&self, index: usize) -> bool {
        let job = &self.state.jobs[index];
        let full = job.life.tasks.iter().any(|task| task.machine.is_full());
        let over = job.life.tasks.iter().all(|task| task.finished);
        !job.stopped && job.pending.is_none() && !full && !over
    }

    /// Nothing moves: checkpoints go on all the same, and time.
    fn last_resort(&self, actions: &mut Vec<Action>) {
        if let Some(index) = self.state.jobs.iter().position(|job| job.former.is_some()) {
            actions.push(Action::EndFormer(index as u8));
            return;
        }
        let fresh = |index: &usize| {
            let tasks = &self.state.jobs[*index].life.tasks;
            self.may_checkpoint(*index) && tasks.iter().any(|task| task.fresh && !task.finished)
        };
        if let Some(index) = (0..self.state.jobs.len()).find(fresh) {
            actions.push(Action::Checkpoint(index as u8));
            return;
        }
        let document = self.state.store.document.as_ref();
        let under_way = document.is_some_and(|document| document.cutover.is_some());
        if self.scenario.lazy_commits && self.lazy(under_way, actions) {
            return;
        }
        actions.push(if under_way && !self.is_loud() { Action::Wait } else { Action::Rest });
    }

    /// Lazy committers: some more checkpoints while a cutover waits, and in the end what is left.
    fn lazy(&self, under_way: bool, actions: &mut Vec<Action>) -> bool {
        let jobs = self.state.jobs.iter().enumerate();
        let mut left = jobs.filter_map(|(index, job)| {
            let committer = job.commits.iter().position(|queue| !queue.is_empty())?;
            Some((index, committer as u8))
        });
        let next = if under_way {
            let left =
                left.find(|(index, _)| self.may_checkpoint(*index) && self.state.jobs[*index].next <= ENOUGH);
            left.map(|(index, _)| Action::Checkpoint(index as u8))
        } else {
            left.next().map(|(index, committer)| Action::Commit { job: index as u8, committer })
        };
        actions.extend(next);
        next.is_some()
    }

    /// What people may do.
    fn people(&self, actions: &mut Vec<Action>) {
        let Some(document) = &self.state.store.document else { return };
        if let Some(ask) = self.scenario.asks.get(usize::from(self.state.asked)) {
            let answered = document.answered.as_ref().map(|answer| answer.request.as_str());
            let quiet = self.state.asked == 0 || answered == Some(self.state.asked.to_string().as_str());
            let may = match ask {
                Ask::Abort => true,
                Ask::Promote | Ask::PromoteAt(_) => {
                    let told = |member| self.state.slot(member).is_some_and(|slot| slot.report.is_complete());
                    let all = self.state.jobs.iter().all(|job| job.stopped || told(job.member));
                    quiet && document.cutover.is_none() && self.state.jobs.len() > 1 && all
                }
            };
            if may {
                actions.push(Action::Ask);
            }
        }
        let can_start = match self.scenario.start {
            Start::Beginning | Start::Never => false,
            Start::Snapshot => self.state.jobs[0].completed.is_some(),
            Start::Savepoint => self.may_checkpoint(0),
        };
        if can_start && self.state.jobs.len() == 1 {
            actions.push(Action::StartGreen);
        }
        if self.scenario.retires {
            for (index, job) in self.state.jobs.iter().enumerate() {
                let takes = job.pending.is_none() && self.may_checkpoint(index) && job.life.told.is_empty();
                let used = document.settled > tidegate_protocol::time::EventTime::MIN;
                if takes && used && job.former.is_none() && document.may_retire(job.member) {
                    actions.push(Action::Retire(index as u8));
                }
            }
        }
        if self.scenario.replaces && self.may_replace() {
            actions.push(Action::ReplaceGreen);
        }
    }

    /// Green gives way to its next generation, once, when it owns nothing and has been asked in vain.
    fn may_replace(&self) -> bool {
        let Some(document) = &self.state.store.document else { return false };
        let [blue, green] = self.state.jobs.as_slice() else { return false };
        let first = green.member == Member::new(Color::Green, 1);
        let settled = green.former.is_none() && green.life.told.is_empty() && self.may_checkpoint(1);
        first
            && settled
            && !document.history.is_empty()
            && blue.completed.is_some()
            && document.owns(blue.member)
            && document.may_retire(green.member)
    }

    /// What may fail in the jobs.
    fn failures(&self, actions: &mut Vec<Action>) {
        let left = self.state.left;
        let victims = self.state.jobs.iter().enumerate().filter(|(index, job)| {
            !job.stopped && self.scenario.victim.is_none_or(|victim| usize::from(victim) == *index % 2)
        });
        for (index, job) in victims {
            let number = index as u8;
            if left.checkpoints > 0 && !job.wanted && self.may_checkpoint(index) {
                actions.push(Action::Fault(Fault::FreeCheckpoint(number)));
            }
            let who = Who { job: number, former: false };
            for (task, state) in job.life.tasks.iter().enumerate().filter(|(_, task)| !task.finished) {
                let at = At { who, task: task as u8 };
                // Where a member dies, only the one that takes its place is restarted.
                if left.restarts > 0 && (self.scenario.faults.deaths == 0 || index > 1) {
                    actions.push(Action::Fault(Fault::Restart(at)));
                }
                if left.losses > 0 && !state.down.is_empty() {
                    actions.push(Action::Fault(Fault::LoseOrder(at)));
                }
            }
            let other: &[u8] = self.scenario.rescales.get(index).copied().unwrap_or(&[]);
            for new_agent in [true, false] {
                if if new_agent { left.failovers } else { left.resets } == 0 {
                    continue;
                }
                let same = [job.life.parallelism];
                let parallelisms = if other.is_empty() { &same[..] } else { other };
                actions.extend(parallelisms.iter().map(|parallelism| {
                    Action::Fault(Fault::Failover { job: number, parallelism: *parallelism, new_agent })
                }));
            }
        }
        if left.deaths > 0 && self.may_die() {
            actions.push(Action::Fault(Fault::Die));
        }
    }

    fn may_die(&self) -> bool {
        let Some(document) = &self.state.store.document else { return false };
        let [blue, green] = self.state.jobs.as_slice() else { return false };
        let proposed = matches!(document.cutover, Some(Cutover::Proposed { .. }));
        blue.pinned.is_some() && document.active().member == green.member && !proposed
    }

    /// What may fail on the way.
    fn faults(&self, actions: &mut Vec<Action>) {
        let left = self.state.left;
        for (index, job) in self.state.jobs.iter().enumerate().filter(|(_, job)| !job.stopped) {
            let who = Who { job: index as u8, former: false };
            // Where statuses arrive at once, one that arrives late has been overtaken.
            let on_its_way = |task: &Task| task.untold || self.scenario.lag != Lag::Statuses;
            for (task, state) in job.life.tasks.iter().enumerate() {
                let at = At { who, task: task as u8 };
                if left.strays > 0 && job.life.stray.is_none() && on_its_way(state) {
                    actions.push(Action::Fault(Fault::Delay(at)));
                }
                if state.kept.is_some() {
                    actions.push(Action::Fault(Fault::Repeat(at)));
                }
            }
            if job.life.stray.is_some() {
                actions.push(Action::Fault(Fault::Stray(who)));
            }
        }
        for conductor in 0..self.state.conductors.len() as u8 {
            actions.push(Action::Fault(Fault::Crash(conductor)));
            if left.ghosts > 0 && self.state.store.ghost.is_none() {
                actions.push(Action::Fault(Fault::LoseWrite(conductor)));
            }
        }
        match &self.state.store.ghost {
            Some(Ghost::Document(_) | Ghost::Report { .. }) => actions.push(Action::Fault(Fault::Haunt)),
            None => {}
        }
        let room = self.state.conductors.len() < usize::from(self.scenario.conductors);
        if left.stale_reads > 0 && room {
            let old = self.state.store.slots.iter().filter(|slot| slot.previous.is_some());
            actions.extend(old.map(|slot| Action::Fault(Fault::DecideOnOld(slot.member))));
        }
        if left.deadlines > 0 {
            actions.push(Action::Fault(Fault::Deadline));
        }
    }

    /// A life that is over goes on for a while.
    fn formers(&self, actions: &mut Vec<Action>) {
        let jobs = self.state.jobs.iter().enumerate();
        for (index, _) in jobs.filter(|(_, job)| job.former.is_some()) {
            let who = Who { job: index as u8, former: true };
            if self.state.life(who).tasks.is_empty() {
                // Its orders would reach nobody: all that it can do is to report.
                if self.has_to_report(who) {
                    actions.push(Action::Report(who));
                }
            } else {
                self.agent_moves(who, actions);
                self.life(who, actions);
            }
        }
    }
}

/// Whether the agent can be told of a task: it has heard that this execution attempt can be reached.
pub(super) fn is_known(life: &Life, task: u8) -> bool {
    !life.told.iter().any(|told| match told {
        Told::Opened => true,
        Told::Gone(of) | Told::Ready(of) => *of == task,
    })
}

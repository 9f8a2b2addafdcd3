//! A member's agent: the member machine, and its dealings with the store, as the shipped agent's rounds have them.

use tidegate_protocol::document::Document;
use tidegate_protocol::identity::{Incarnation, Member};
use tidegate_protocol::member::{Config, Effect, Event, Evidence, MemberState, News};
use tidegate_protocol::report::Report;
use tidegate_protocol::subtask::Status;
use tidegate_protocol::time::{EventTime, WallTime};

use super::run::Run;
use super::scenario::{Mark, Sink, Start};
use super::shared::Shared;
use super::state::{Agent, At, Ghost, Slot, Task, Told, Who, gate_name};
use crate::properties;

impl Agent {
    /// An agent that has not claimed its slot.
    pub(super) fn new(config: Config) -> Agent {
        Agent { machine: MemberState::new(config), slot: None, says: None, inbox: None }
    }
}

/// A status without what decides nothing: two of them that differ only there are one.
fn plain(status: Status) -> Status {
    Status { emitted: 0, discarded: 0, odd: [0; 3], future_time: None, ..status }
}

impl Run<'_> {
    /// The configuration of a life of a member's agent.
    pub(super) fn config(&self, member: Member, life: u8) -> Config {
        Config {
            rollout: "r".to_owned(),
            member,
            job: "j".to_owned(),
            instance: life.to_string(),
            gates: (0..self.scenario.gates).map(gate_name).collect(),
            from_beginning: self.scenario.start == Start::Beginning,
            settings: self.scenario.settings,
        }
    }

    /// Something happens in the job.
    pub(super) fn tell_agent(&mut self, who: Who, event: Event) {
        let now = self.wall();
        self.agent(who, |machine, effects| machine.step(event, now, effects));
    }

    /// Something is heard from the store.
    pub(super) fn hear(&mut self, who: Who, news: News) {
        let now = self.wall();
        self.agent(who, |machine, effects| machine.hear(news, now, effects));
    }

    /// The very machine takes a step, and its effects are performed.
    fn agent(&mut self, who: Who, step: impl FnOnce(&mut MemberState, &mut Vec<Effect>)) {
        let mut agent = Agent::clone(&self.state.life(who).agent);
        let mut effects = Vec::new();
        step(&mut agent.machine, &mut effects);
        agent.says = agent.machine.report(WallTime::default()).map(Shared::new);
        let settled = agent.machine.document().map_or(EventTime::MIN, |document| document.settled);
        self.state.life_mut(who).agent = Shared::new(agent);
        for effect in effects {
            match effect {
                Effect::Order { gate, subtask, attempt, order } => {
                    let life = self.state.life(who);
                    let index = (0..life.tasks.len()).find(|task| {
                        let place = life.place(*task as u8);
                        (gate_name(place.0), place.1) == (gate.clone(), subtask)
                    });
                    let Some(index) = index else { continue };
                    let mut task = Task::clone(&life.tasks[index]);
                    if task.attempt == attempt && !task.finished {
                        task.down.push_back(Shared::new((order, settled)));
                        self.state.put(At { who, task: index as u8 }, task);
                    }
                }
                Effect::Checkpoint => {
                    if !who.former {
                        self.state.jobs[usize::from(who.job)].wanted = true;
                    }
                }
                Effect::Create(document) => {
                    if self.state.store.document.is_none() {
                        self.state.store.document = Some(Shared::new(document));
                    }
                }
            }
        }
    }

    /// The agent hears the next thing that happened in its job.
    pub(super) fn hear_job(&mut self, who: Who) {
        let Some(told) = self.state.life_mut(who).told.pop_front() else { return };
        let life = self.state.life(who);
        let parallelism = u32::from(life.parallelism);
        let ready = |task: u8, attempt: u32| {
            let (gate, subtask) = life.place(task);
            Event::SubtaskReady { gate: gate_name(gate), subtask, attempt, parallelism }
        };
        let mut events = Vec::new();
        match told {
            Told::Opened => {
                let evidence = match self.scenario.sink {
                    Sink::ExactlyOnce => Evidence::Committer,
                    Sink::CommitterUnheard | Sink::AtLeastOnce => Evidence::Checkpoint,
                };
                for gate in (0..self.scenario.gates).map(gate_name) {
                    events.push(Event::Reset { gate: gate.clone() });
                    events.push(Event::GateOpened { gate: gate.clone(), parallelism, evidence });
                    events.push(Event::CommittersOpened { gate, parallelism });
                }
                let tasks = life.tasks.iter().enumerate();
                events.extend(tasks.map(|(task, state)| ready(task as u8, state.attempt)));
            }
            Told::Gone(task) => {
                let (gate, subtask) = life.place(task);
                events.push(Event::SubtaskGone { gate: gate_name(gate), subtask });
            }
            Told::Ready(task) => events.push(ready(task, life.tasks[usize::from(task)].attempt)),
        }
        for event in events {
            self.tell_agent(who, event);
        }
    }

    /// A task tells its status.
    pub(super) fn tell(&mut self, at: At) {
        let mut task = Task::clone(self.state.task(at));
        task.untold = false;
        let (attempt, status) = (task.attempt, plain(task.machine.status()));
        self.state.put(at, task);
        self.deliver(at, attempt, status);
    }

    /// A task's status sets out, and will arrive late.
    pub(super) fn delay(&mut self, at: At) {
        let task = self.state.task(at);
        let stray = (at.task, task.attempt, Shared::new(plain(task.machine.status())));
        self.state.life_mut(at.who).stray = Some(stray);
    }

    /// The late status arrives.
    pub(super) fn deliver_stray(&mut self, who: Who) {
        let Some((task, attempt, status)) = self.state.life_mut(who).stray.take() else { return };
        let at = At { who, task };
        if let Some(current) = self.state.life(who).tasks.get(usize::from(task)) {
            let mut current = Task::clone(current);
            self.marks.add_if(current.attempt > attempt, Mark::StrayArrived);
            // A gate tells its status again and again.
            current.untold = true;
            self.state.put(at, current);
        }
        self.deliver(at, attempt, Status::clone(&status));
    }

    fn deliver(&mut self, at: At, attempt: u32, status: Status) {
        let (gate, subtask) = self.state.life(at.who).place(at.task);
        self.tell_agent(at.who, Event::SubtaskStatus { gate: gate_name(gate), subtask, attempt, status });
    }

    /// A new life takes its member's slot from whoever had it.
    pub(super) fn claim(&mut self, who: Who) {
        let job = &self.state.jobs[usize::from(who.job)];
        let (member, life) = (job.member, job.lives);
        let holder = self.state.store.slots.iter().position(|slot| slot.member == member);
        let before = holder.map(|index| self.state.store.slots[index].clone());
        let incarnation = Incarnation(before.as_ref().map_or(1, |slot| slot.report.incarnation.0 + 1));
        let version = before.as_ref().map_or(1, |slot| slot.version + 1);
        let mut blank = MemberState::new(self.config(member, life));
        blank.hear(News::Claimed(incarnation), self.wall(), &mut Vec::new());
        let report = Shared::new(blank.report(WallTime::default()).expect("a claimed member reports"));
        let promised = before.as_ref().map_or(EventTime::MIN, |slot| slot.promised);
        let previous = before.map(|slot| slot.report).filter(|_| self.scenario.faults.stale_reads > 0);
        let slot = Slot { member, version, report, previous, promised };
        match holder {
            Some(index) => self.state.store.slots[index] = slot,
            None => self.state.store.slots.push(slot),
        }
        self.keep_slot(who, Some(version));
        self.hear(who, News::Claimed(incarnation));
    }

    fn keep_slot(&mut self, who: Who, version: Option<u32>) {
        let life = self.state.life_mut(who);
        life.agent = Shared::new(Agent { slot: version, ..Agent::clone(&life.agent) });
    }

    /// Whether an agent's report is not in its slot yet.
    pub(super) fn has_to_report(&self, who: Who) -> bool {
        let agent = &self.state.life(who).agent;
        let Some(says) = &agent.says else { return false };
        let slot = self.state.slot(self.state.jobs[usize::from(who.job)].member);
        slot.is_none_or(|slot| Some(slot.version) != agent.slot || slot.report != *says)
    }

    /// An agent writes its report.
    pub(super) fn report(&mut self, who: Who) {
        let agent = &self.state.life(who).agent;
        let (expected, Some(says)) = (agent.slot, agent.says.clone()) else { return };
        match self.write_report(expected, &says) {
            Ok(version) => self.keep_slot(who, Some(version)),
            Err((holder, version)) => {
                self.marks.add_if(true, Mark::WriteLost);
                if supersedes(&holder, &says) {
                    self.marks.add_if(true, Mark::Superseded);
                    self.hear(who, News::Superseded);
                } else {
                    self.keep_slot(who, Some(version));
                }
            }
        }
    }

    /// An agent takes the write of its report for failed.
    pub(super) fn lose_report(&mut self, who: Who) {
        let agent = &self.state.life(who).agent;
        if let Some(report) = agent.says.clone() {
            self.state.store.ghost = Some(Ghost::Report { expected: agent.slot, report });
        }
    }

    /// Writes a report if the slot has this version still; else returns what it holds.
    pub(super) fn write_report(
        &mut self,
        expected: Option<u32>,
        report: &Shared<Report>,
    ) -> Result<u32, (Shared<Report>, u32)> {
        let (ghosts, stale) = (self.scenario.faults.ghosts > 0, self.scenario.faults.stale_reads > 0);
        let slots = &mut self.state.store.slots;
        let slot = slots.iter_mut().find(|slot| slot.member == report.member);
        let slot = slot.expect("a slot is claimed before it is written");
        if Some(slot.version) != expected {
            return Err((slot.report.clone(), slot.version));
        }
        // Nobody can tell one version of the same incarnation from another unless a ghost may be about.
        slot.version += u32::from(ghosts);
        let previous = std::mem::replace(&mut slot.report, report.clone());
        slot.previous = stale.then_some(previous);
        slot.promised = slot.promised.max(report.frontier());
        let version = slot.version;
        self.must("only rest promises everything", properties::only_rest_promises_everything(report));
        Ok(version)
    }

    /// Whether an agent has not read the newest document yet.
    pub(super) fn has_to_read(&self, who: Who) -> bool {
        let agent = &self.state.life(who).agent;
        if agent.slot.is_none() || agent.inbox.is_some() {
            return false;
        }
        match &self.state.store.document {
            Some(document) => agent.machine.document().map(|known| known.epoch) != Some(document.epoch),
            None => who.job == 0 && agent.machine.origin().is_some(),
        }
    }

    /// An agent reads the document, and hears it at once or later.
    pub(super) fn fetch(&mut self, who: Who, old: bool, later: bool) {
        let store = &self.state.store;
        let document = if old { store.previous.clone() } else { store.document.clone() };
        self.marks.add_if(old, Mark::OldFirstRead);
        if later {
            let life = self.state.life_mut(who);
            life.agent = Shared::new(Agent { inbox: document, ..Agent::clone(&life.agent) });
        } else {
            self.hear(who, News::Document(document.as_deref().cloned()));
        }
    }

    /// An agent hears a document that it read before.
    pub(super) fn hear_document(&mut self, who: Who) {
        let life = self.state.life_mut(who);
        let Some(document) = life.agent.inbox.clone() else { return };
        life.agent = Shared::new(Agent { inbox: None, ..Agent::clone(&life.agent) });
        self.hear(who, News::Document(Some(Document::clone(&document))));
    }
}

/// Whether a slot that is not as this one left it belongs to a newer incarnation, as the shipped agent sees it.
fn supersedes(holder: &Report, own: &Report) -> bool {
    holder.incarnation > own.incarnation
        || (holder.incarnation == own.incarnation && holder.instance != own.instance)
}

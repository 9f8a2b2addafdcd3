//! The agents, the conductors, and what they do to the document.

use std::rc::Rc;

use tidegate_protocol::conductor::Step;
use tidegate_protocol::document::{Cutover, Document, HandOver, Outcome};
use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::member::{Effect, Event};

use super::World;
use crate::properties::{self, Boundary};
use crate::sim::agent::{Agent, Luck};
use crate::sim::job::gate_name;
use crate::sim::store::{Decided, Ghost, Store, Told};

impl World {
    pub(super) fn events(&mut self, index: usize) {
        if let Some(event) = self.jobs[index].told.pop_front() {
            if let Event::SubtaskReady { .. } = event {
                self.tell(|| format!("{event:?}"));
            }
            self.jobs[index].agent.step(event, self.now);
            self.perform(index);
        }
    }

    /// How the next step on the store goes.
    fn luck(&mut self) -> Luck {
        let no_answer = self.plan.ghosts && self.rng.u8(..8) == 0;
        let mut luck = Luck { no_answer, ages: [0; 3] };
        // Where an older document may be put back, only a read of what is there now shows that it was.
        if self.plan.stale && !self.plan.put_back {
            let rng = &mut self.rng;
            luck.ages = std::array::from_fn(|_| if rng.u8(..3) == 0 { rng.u8(..4) } else { 0 });
        }
        luck
    }

    pub(super) fn agent(&mut self, index: usize, act: fn(&mut Agent, &mut Store, Luck, u64)) {
        let (luck, ghosts) = (self.luck(), self.store.ghosts.len());
        act(&mut self.jobs[index].agent, &mut self.store, luck, self.now);
        self.tally.given_up += (self.store.ghosts.len() - ghosts) as u64;
        self.perform(index);
    }

    pub(super) fn calm_agent(&mut self, index: usize, act: fn(&mut Agent, &mut Store, Luck, u64)) {
        act(&mut self.jobs[index].agent, &mut self.store, Luck::default(), self.now);
        self.perform(index);
    }

    pub(super) fn perform(&mut self, index: usize) {
        let job = &mut self.jobs[index];
        if let Some(frontier) = job.agent.frontier.take() {
            job.reported(frontier);
        }
        let mut effects = std::mem::take(&mut job.agent.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Order { gate, subtask, attempt, order } => {
                    let gate = (0..job.gates).find(|index| gate_name(*index) == gate).expect("a gate");
                    let at = gate * job.parallelism as usize + subtask as usize;
                    let task = job.tasks.get_mut(at).filter(|_| subtask < job.parallelism);
                    if let Some(task) = task.filter(|task| task.attempt == attempt && !task.finished) {
                        task.down.push_back(order);
                    }
                }
                Effect::Checkpoint => job.trigger(),
                Effect::Create(document) => {
                    if self.store.write_document(None, Rc::new(document)) {
                        self.owners.push(job.member);
                    }
                }
            }
        }
        job.agent.effects = effects;
    }

    /// The agent of a life that is over still writes and conducts; its job is fenced by the sink, its orders reach nobody.
    pub(super) fn haunt(&mut self, index: usize) {
        if !self.plan.zombies {
            return;
        }
        let (choice, luck) = (self.rng.u8(..4), self.luck());
        let Some(former) = &mut self.jobs[index].former else { return };
        self.tally.haunted += 1;
        match choice {
            0 => former.report(&mut self.store, luck, self.now),
            1 => former.hear(self.now),
            2 => former.read(&self.store, self.now),
            _ => {
                let conducted = former.conduct(&mut self.store, luck, self.now);
                conducted.into_iter().for_each(|decided| self.conducted(&decided));
            }
        }
    }

    pub(super) fn conduct(&mut self, index: usize) {
        let (luck, ghosts) = (self.luck(), self.store.ghosts.len());
        let conducted = self.jobs[index].agent.conduct(&mut self.store, luck, self.now);
        self.tally.given_up += (self.store.ghosts.len() - ghosts) as u64;
        conducted.into_iter().for_each(|decided| self.conducted(&decided));
    }

    pub(super) fn calm_conduct(&mut self, index: usize) {
        let conducted = self.jobs[index].agent.conduct(&mut self.store, Luck::default(), self.now);
        conducted.into_iter().for_each(|decided| self.conducted(&decided));
    }

    /// A write that was given up is applied all the same, or never.
    pub(super) fn apply_ghost(&mut self) {
        if self.store.ghosts.is_empty() || self.store.is_away(self.now) {
            return;
        }
        let place = self.rng.usize(..self.store.ghosts.len());
        let ghost = self.store.ghosts.swap_remove(place);
        if self.rng.u8(..4) == 0 {
            return;
        }
        if let Ghost::Document(_) = ghost {
            self.tell(|| "a write that was given up is applied".to_owned());
        }
        if let Some(decided) = self.store.apply(ghost) {
            self.tally.ghosts += 1;
            self.conducted(&decided);
        }
    }

    pub(super) fn conducted(&mut self, decided: &Decided) {
        let Decided { step, next: document, heard, .. } = decided;
        self.fold(document.epoch.0 << 4 | *step as u64);
        self.tell(|| {
            let Document { epoch, settled, owners, cutover, answered, .. } = &**document;
            format!("{step:?}, epoch {}: settled {settled:?}, {owners:?} {cutover:?} {answered:?}", epoch.0)
        });
        match step {
            Step::Propose => {}
            Step::ProposeHigher => self.tally.widened += 1,
            Step::Commit => self.committed(document),
            Step::Abort => self.tally.aborted += 1,
            Step::Finish => self.finished(document, heard),
            Step::Settle => self.settled(document, heard),
            Step::Refuse => self.refused(document),
        }
    }

    fn committed(&mut self, document: &Document) {
        if let Some(Cutover::Committed { terms, .. }) = &document.cutover {
            let (from, to) = (document.active().member, terms.to);
            let (at, hand_over) = (terms.at, terms.hand_over);
            self.ledger.boundaries.push(Boundary { at, from, to, hand_over, opened: false });
            self.tally.overlapped += u64::from(hand_over == HandOver::Overlapped);
            self.pin(from, to);
        }
    }

    fn finished(&mut self, document: &Document, heard: &[Rc<Told>]) {
        self.tally.done += 1;
        let past = document.history.last().expect("a cutover was finished");
        assert_eq!(past.outcome, Outcome::Done);
        self.tally.back += u64::from(past.terms.to.color == Color::Blue);
        self.owners.push(past.terms.to);
        let (from, at) = (past.from, past.terms.at);
        let job = self.jobs.iter_mut().find(|job| job.member == from);
        let told = told_by(heard, from);
        let early = job.zip(told).is_some_and(|(job, told)| job.finished(at, &told.rests));
        self.tally.finished_early += u64::from(early);
        if let Some(lost) = self.dead.as_mut().filter(|lost| lost.job.member == from) {
            let since = document.owners.iter().rev().nth(1).map_or(document.settled, |owner| owner.since);
            lost.part = Some((since, at));
            lost.rests = told.map_or(Vec::new(), |told| told.rests.clone());
        }
        self.doomed = self.rng.u8(..3) == 0;
    }

    fn settled(&mut self, document: &Document, heard: &[Rc<Told>]) {
        self.tally.settled += 1;
        if self.reached < document.settled.plus(document.settings.lateness_ms) {
            return; // That an input rests is no excuse as long as event time itself has not come so far (decision 10).
        }
        let mut early = false;
        for job in &mut self.jobs {
            let told = told_by(heard, job.member);
            early |= told.is_some_and(|told| job.settled(document.settled, &told.rests));
        }
        self.tally.settled_early += u64::from(early);
    }

    fn refused(&mut self, document: &Document) {
        self.tally.refused += 1;
        let Some((code, _)) = document.answered.as_ref().and_then(|answer| answer.refusal.as_ref()) else {
            return;
        };
        let active = document.active().member;
        let standby = self.jobs.iter().map(|job| job.member).find(|member| *member != active);
        let mut found = properties::a_record_of_the_far_future_blocks_nothing(code);
        if let Some(standby) = standby {
            let has_owned = self.owners.contains(&standby);
            found = found.and(properties::a_former_owner_is_not_refused(code, standby, has_owned));
        }
        if let Err(violation) = found {
            self.store.broken.get_or_insert(violation);
        }
    }
}

/// A member's report among those that a decision rests on.
fn told_by(heard: &[Rc<Told>], member: Member) -> Option<&Told> {
    heard.iter().find(|told| told.report.member == member).map(|told| &**told)
}

//! Nothing fails any more: everything must come to rest, and what is asked for now must be done.

use tidegate_protocol::conductor::Asked;
use tidegate_protocol::document::{Document, Outcome};
use tidegate_protocol::request::Request;
use tidegate_protocol::time::When;

use super::World;
use crate::properties::{self, Violation};
use crate::sim::clock;
use crate::sim::log::End;

/// Simulated milliseconds after the last fault within which everything must have ended.
const PATIENCE_MS: u64 = 90_000;
/// A boundary may be chosen this far ahead, in milliseconds: by the pace of a job that was catching up (decision 13).
const AHEAD_MS: u64 = 3_600_000;
/// A proposal that everybody hears is committed within this time, in milliseconds.
const ANSWER_MS: u64 = 800;
/// After so long, in milliseconds, only a clock that is far ahead is waited for, in larger steps.
const LONG_MS: u64 = 60_000;
/// For so long everything rests before somebody asks once more: inputs that are to end have ended by then.
const REST_MS: u64 = 1_000;

impl World {
    /// Until all has come to rest, and in some worlds one more cutover, asked for then, is done.
    pub(super) fn come_to_rest(&mut self) -> Result<(), Violation> {
        let (calm, mut rests) = (self.now, None);
        let mut ask = self.rng.u8(..3) == 0;
        loop {
            if self.is_at_rest() {
                if !ask {
                    return self.take_back_if_dead(); // Or nothing is taken back any more, and what was late is lost.
                }
                if self.now >= *rests.get_or_insert(self.now) + REST_MS {
                    ask = false;
                    self.promote_in_calm()?;
                    continue;
                }
            }
            self.turn(calm)?;
        }
    }

    fn turn(&mut self, calm: u64) -> Result<(), Violation> {
        self.now += if self.now > calm + self.plan.span + LONG_MS { 27 * 40 } else { 40 };
        self.everything()?;
        let skew = if self.plan.skewed { clock::FARTHEST_MS } else { 0 };
        let ended = calm + self.plan.span + PATIENCE_MS + skew;
        if self.now <= ended.max(self.boundary_ms().min(calm + AHEAD_MS) + PATIENCE_MS) {
            return Ok(());
        }
        self.tell_why();
        if let Some(document) = self.store.newest() {
            properties::every_cutover_ends(document, false)?;
            properties::the_past_is_settled(document, self.reached)?;
        }
        Err("it does not come to rest".to_owned())
    }

    /// The last boundary: event time goes as the world's time does, and must come so far before all is done and settled.
    fn boundary_ms(&self) -> u64 {
        let Some(document) = self.store.newest() else { return 0 };
        let boundary = document.terms().map_or(document.active().since, |terms| terms.at);
        boundary.finite().and_then(|boundary| u64::try_from(boundary).ok()).unwrap_or_default()
    }

    /// Somebody asks for a cutover now: it must be done, or what stands in its way is told.
    fn promote_in_calm(&mut self) -> Result<(), Violation> {
        let Some(document) = self.store.newest() else { return Ok(()) };
        let (active, attempts) = (document.active().member, document.attempts);
        let to = self.jobs.iter().map(|job| job.member).find(|member| *member != active);
        self.asked += 1;
        let request = Request::Promote { at: When::Now, to, hand_over: None };
        self.tell(|| format!("asked in calm: {request:?}"));
        self.store.asked = Some(Asked { id: self.asked.to_string(), request });
        let since = self.now;
        while !self.is_at_rest() {
            self.turn(since)?;
        }
        let Some(document) = self.store.newest() else { return Ok(()) };
        let refusal = document.answered.as_ref().and_then(|answer| answer.refusal.as_ref());
        let ended = document.history.last().filter(|past| past.terms.attempt > attempts);
        let code = match (refusal, ended.map(|past| &past.outcome)) {
            (Some((code, _)), _) => Some(code.as_str()),
            // Where clocks differ, a deadline may have passed as soon as it is set.
            (None, Some(Outcome::Aborted { code, .. }))
                if code == "DeadlinePassed"
                    && self.skew_ms() + ANSWER_MS > document.settings.propose_deadline_ms =>
            {
                return Ok(());
            }
            (None, Some(Outcome::Aborted { code, .. })) => Some(code.as_str()),
            (None, Some(Outcome::Done) | None) => None,
        };
        properties::a_calm_promotion_is_done(code)?;
        self.tally.calm += u64::from(code.is_none());
        Ok(())
    }

    /// By how much the clocks differ now.
    fn skew_ms(&self) -> u64 {
        let shown = || self.jobs.iter().map(|job| job.agent.clock.at(self.now));
        shown().max().zip(shown().min()).map_or(0, |(latest, earliest)| latest.since(earliest))
    }

    fn is_at_rest(&self) -> bool {
        let Some(document) = self.store.newest() else { return false };
        let active = document.active().member;
        document.cutover.is_none()
            && self.is_answered(document)
            && self.jobs.len() >= 2
            && self.jobs.iter().any(|job| job.member == active)
            && self.jobs.iter().all(|job| job.is_at_rest(&self.log))
            && self.is_settled(document)
    }

    fn is_answered(&self, document: &Document) -> bool {
        let answered = document.answered.as_ref().map(|answer| &answer.request);
        self.store.asked.as_ref().is_none_or(|asked| Some(&asked.id) == answered)
    }

    /// Where inputs go on or come to their ends, every part is settled but the last one; an owner that is dead, and not proven
    /// to be, is waited for.
    fn is_settled(&self, document: &Document) -> bool {
        let lives = |member| self.jobs.iter().any(|job| job.member == member);
        let waits = |member| !lives(member) && !document.gone.contains(&member);
        self.log.end == End::Idle
            || document.owners.len() == 1
            || document.owners.iter().any(|owner| waits(owner.member))
    }
}

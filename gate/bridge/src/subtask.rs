//! A subtask for a JVM. The records stay there; here each held one is a place in line.
//!
//! Watermarks cross in Flink's meaning: w says that everything up to and including w has arrived, which is w + 1 inside.

use serde::{Deserialize, Serialize};
use tidegate_protocol::documents::v1;
use tidegate_protocol::identity::{CheckpointId, Color, Member};
use tidegate_protocol::order::{Disposition, Order};
use tidegate_protocol::subtask::{Effect, Event, Held, Limits, Passed, Subtask};
use tidegate_protocol::time::{EventTime, WallTime};

use crate::{Error, parse, write};

/// No timestamp, no watermark, no high.
pub const NONE: i64 = i64::MIN;
/// How many numbers a call may give back: the lease (from, until, disposition), and two that depend on the call.
pub const OUT: usize = 5;

/// How a disposition crosses.
pub const HOLD: i8 = 0;
/// See [`HOLD`].
pub const EMIT: i8 = 1;
/// See [`HOLD`].
pub const DISCARD: i8 = 2;
/// See [`HOLD`].
pub const LATE_EMIT: i8 = 3;
/// See [`HOLD`].
pub const LATE_DROP: i8 = 4;
/// Held by another member, and still nobody has said whose it is.
pub const HOLD_INHERITED: i8 = 5;
/// See [`HOLD`].
pub const LATE_SIDE_OUTPUT: i8 = 6;
/// See [`HOLD`].
pub const LATE_DISCARD: i8 = 7;

/// The configuration of a subtask.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubtaskConfig {
    color: Color,
    generation: u32,
    /// For messages.
    gate: String,
    /// For messages.
    subtask: u32,
    #[serde(rename = "parallelism")]
    _parallelism: u32,
    hold_max_records: u64,
    hold_max_bytes: u64,
    max_ahead_ms: Option<i64>,
    idle_after_ms: u64,
}

/// One subtask, before and after its state is restored.
#[derive(Debug)]
pub struct SubtaskHandle {
    config: SubtaskConfig,
    machine: Option<Subtask<u32>>,
    /// The machine knows what the clock says, so that a lease ends where no timestamp is believed any more.
    clocked: bool,
    effects: Vec<Effect<u32>>,
}

#[derive(Serialize)]
struct Counters {
    late: u64,
    untimed: u64,
    future: u64,
    future_time: Option<i64>,
    held: u64,
    epoch: Option<u64>,
    boundary: Option<i64>,
    reason: &'static str,
}

fn code(disposition: Disposition) -> i8 {
    match disposition {
        Disposition::Hold => HOLD,
        Disposition::Emit => EMIT,
        Disposition::Discard => DISCARD,
        Disposition::LateEmit => LATE_EMIT,
        Disposition::LateDrop => LATE_DROP,
        Disposition::LateSideOutput => LATE_SIDE_OUTPUT,
        Disposition::LateDiscard => LATE_DISCARD,
    }
}

fn time(millis: i64) -> Option<EventTime> {
    (millis != NONE).then_some(EventTime::from_millis(millis))
}

fn from_flink(watermark: i64) -> EventTime {
    // The lowest one is Flink's way to say that there has been none.
    if watermark == NONE { EventTime::MIN } else { EventTime::from_millis(watermark.saturating_add(1)) }
}

fn to_flink(watermark: EventTime) -> i64 {
    if watermark == EventTime::MAX { i64::MAX } else { watermark.as_millis().saturating_sub(1) }
}

impl SubtaskHandle {
    /// A subtask that is not restored yet.
    pub fn open(config: &[u8]) -> Result<SubtaskHandle, Error> {
        let config: SubtaskConfig = parse("subtask's configuration", config)?;
        if config.generation == 0 {
            return Err(Error::Said(
                "ConfigInvalid: tidegate.generation = \"0\": generations count from 1".to_owned(),
            ));
        }
        if let Some(ahead) = config.max_ahead_ms.filter(|ahead| *ahead <= 0) {
            return Err(Error::Said(format!(
                "ConfigInvalid: tidegate.max-ahead = {ahead} ms: it must be above 0"
            )));
        }
        Ok(SubtaskHandle { config, machine: None, clocked: false, effects: Vec::new() })
    }

    /// Restores its state, from nothing when there are no headers. A negative size marks a record that was inherited when
    /// the snapshot was taken. `out[0]` is 1 when all restored records are inherited from another member.
    pub fn restore(
        &mut self,
        headers: &[Vec<u8>],
        times: &[i64],
        sizes: &[i32],
        out: &mut [i64; OUT],
    ) -> Result<(), Error> {
        if self.machine.is_some() {
            let SubtaskConfig { gate, subtask, .. } = &self.config;
            return Err(Error::BadCall(format!("gate {gate}, subtask {subtask} was restored already")));
        }
        if times.len() != sizes.len() {
            return Err(Error::BadCall(format!(
                "{} times of held records, but {} sizes",
                times.len(),
                sizes.len()
            )));
        }
        let headers: Vec<_> = headers
            .iter()
            .map(|bytes| v1::read_header(bytes))
            .collect::<Result<_, _>>()
            .map_err(Error::said)?;
        let held: Vec<Held<u32>> = times
            .iter()
            .zip(sizes)
            .map(|(time, size)| Held {
                time: EventTime::from_millis(*time),
                bytes: u64::from(size.unsigned_abs()),
                inherited: *size < 0,
                record: 0,
            })
            .collect();
        let SubtaskConfig {
            color,
            generation,
            hold_max_records,
            hold_max_bytes,
            max_ahead_ms,
            idle_after_ms,
            ..
        } = self.config;
        let limits = Limits {
            hold_records: hold_max_records,
            hold_bytes: hold_max_bytes,
            max_ahead_ms,
            idle_after_ms,
        };
        let member = Member::new(color, generation);
        let machine = Subtask::new(member, limits, &headers, held).map_err(|error| {
            Error::Said(format!("{error} (gate {}, subtask {})", self.config.gate, self.config.subtask))
        })?;
        let foreign = headers.first().is_some_and(|header| header.member != member);
        self.machine = Some(machine);
        self.lease(out)?;
        out[3] = i64::from(foreign);
        Ok(())
    }

    fn machine(&mut self) -> Result<&mut Subtask<u32>, Error> {
        let SubtaskConfig { gate, subtask, .. } = &self.config;
        self.machine
            .as_mut()
            .ok_or_else(|| Error::BadCall(format!("gate {gate}, subtask {subtask} was not restored yet")))
    }

    fn step(&mut self, event: Event<u32>) -> Result<Vec<Effect<u32>>, Error> {
        let mut effects = std::mem::take(&mut self.effects);
        effects.clear();
        self.machine()?.step(event, &mut effects);
        Ok(effects)
    }

    fn lease(&mut self, out: &mut [i64; OUT]) -> Result<(), Error> {
        let clocked = self.clocked;
        (out[0], out[1], out[2]) = match self.machine()?.lease().filter(|_| clocked) {
            Some(lease) => {
                (lease.from.as_millis(), lease.until.as_millis(), i64::from(code(lease.disposition)))
            }
            None => (1, 0, i64::from(HOLD)),
        };
        Ok(())
    }

    /// One record; returns its disposition, and in `out[3]` the event time that it counts with. The clock tells records that
    /// are dated far in the future from others.
    pub fn admit(
        &mut self,
        timestamp: i64,
        bytes: i32,
        now: WallTime,
        out: &mut [i64; OUT],
    ) -> Result<i8, Error> {
        let bytes = u64::from(bytes.unsigned_abs());
        self.effects = self.step(Event::Clock(now))?;
        self.clocked = true;
        let effects = self.step(Event::Record { time: time(timestamp), bytes, record: 0 })?;
        let disposition = match effects.first() {
            Some(Effect::Dispose(disposition, _)) => code(*disposition),
            Some(Effect::Watermark(_) | Effect::Idle(_)) | None => HOLD,
        };
        self.effects = effects;
        self.lease(out)?;
        out[3] = self.machine()?.last_time().as_millis();
        Ok(disposition)
    }

    /// The size of the record that was just held.
    pub fn held_bytes(&mut self, bytes: i32) -> Result<(), Error> {
        self.machine()?.resize_last_held(u64::from(bytes.unsigned_abs()));
        Ok(())
    }

    /// The bound of holding is reached.
    pub fn is_full(&mut self) -> Result<bool, Error> {
        Ok(self.machine()?.is_full())
    }

    /// What passed on the fast path.
    pub fn account(
        &mut self,
        emitted: i64,
        emitted_high: i64,
        discarded: i64,
        discarded_high: i64,
    ) -> Result<(), Error> {
        let count = |field, number: i64| {
            u64::try_from(number).map_err(|_| Error::BadCall(format!("{field} = {number} is no count")))
        };
        let passed = Passed {
            emitted: count("emitted", emitted)?,
            emitted_high: time(emitted_high),
            discarded: count("discarded", discarded)?,
            discarded_high: time(discarded_high),
        };
        self.effects = self.step(Event::Passed(passed))?;
        Ok(())
    }

    /// A watermark; returns the one to forward, or [`NONE`].
    pub fn watermark(&mut self, watermark: i64, out: &mut [i64; OUT]) -> Result<i64, Error> {
        let effects = self.step(Event::Watermark(from_flink(watermark)))?;
        let forward = forwarded(&effects);
        self.effects = effects;
        self.lease(out)?;
        Ok(forward)
    }

    /// The input became idle or active; returns whether to forward that now.
    pub fn idle(&mut self, idle: bool, now: WallTime) -> Result<bool, Error> {
        let effects = self.step(Event::Idle(idle, now))?;
        let forward = effects.contains(&Effect::Idle(idle));
        self.effects = effects;
        Ok(forward)
    }

    /// An order; returns one disposition per held record, in arrival order. `out[3]` is the watermark to forward after
    /// that, or [`NONE`], and `out[4]` is 1 when idleness is to be forwarded after it.
    pub fn order(&mut self, order: &[u8], out: &mut [i64; OUT]) -> Result<Vec<i8>, Error> {
        let order: Order = parse("order", order)?;
        if order.spans.first().is_none_or(|span| span.since != EventTime::MIN) {
            return Err(Error::BadCall("an order must begin at the lowest event time".to_owned()));
        }
        if let Some(pair) = order.spans.windows(2).find(|pair| pair[0].since >= pair[1].since) {
            let (before, after) = (pair[0].since, pair[1].since);
            return Err(Error::BadCall(format!(
                "an order's spans must ascend: {before} comes before {after}"
            )));
        }
        let machine = self.machine()?;
        for (place, record) in machine.held_mut().enumerate() {
            *record = u32::try_from(place).unwrap_or(u32::MAX);
        }
        let mut dispositions = vec![HOLD; machine.held().len()];
        let effects = self.step(Event::Order(order))?;
        for effect in &effects {
            if let Effect::Dispose(disposition, place) = effect {
                dispositions[*place as usize] = code(*disposition);
            }
        }
        for held in self.machine()?.held().filter(|held| held.inherited) {
            dispositions[held.record as usize] = HOLD_INHERITED;
        }
        let (forward, idle) = (forwarded(&effects), effects.contains(&Effect::Idle(true)));
        self.effects = effects;
        self.lease(out)?;
        out[3] = forward;
        out[4] = i64::from(idle);
        Ok(dispositions)
    }

    /// A snapshot is taken; returns the header to keep in it.
    pub fn snapshot(&mut self, checkpoint: i64, now: WallTime) -> Result<Vec<u8>, Error> {
        let checkpoint =
            u64::try_from(checkpoint).map_err(|_| Error::BadCall(format!("checkpoint {checkpoint}")))?;
        self.effects = self.step(Event::Snapshot(CheckpointId(checkpoint), now))?;
        Ok(v1::write_header(&self.machine()?.header(CheckpointId(checkpoint))))
    }

    /// The input has ended; returns whether nothing is held any more.
    pub fn finish(&mut self) -> Result<bool, Error> {
        self.effects = self.step(Event::EndOfInput)?;
        Ok(self.machine()?.held().len() == 0)
    }

    /// What the agent is told.
    pub fn status(&mut self) -> Result<Vec<u8>, Error> {
        write(&self.machine()?.status())
    }

    /// What the job's metrics show.
    pub fn counters(&mut self) -> Result<Vec<u8>, Error> {
        let machine = self.machine()?;
        let counts = machine.counts();
        let order = machine.current_order();
        let boundary = order.and_then(|order| order.spans.last()).and_then(|span| span.since.finite());
        let reason = match order {
            None => "no order yet: everything is held",
            Some(order) if order.question.is_some() => "a cutover is proposed",
            Some(order) if order.holds_from().is_some() => "held until the cutover is finished",
            Some(_) => "",
        };
        write(&Counters {
            late: counts.late,
            untimed: counts.untimed,
            future: counts.future,
            future_time: counts.future_time.map(EventTime::as_millis),
            held: machine.held().len() as u64,
            epoch: order.map(|order| order.epoch.0),
            boundary,
            reason,
        })
    }
}

fn forwarded(effects: &[Effect<u32>]) -> i64 {
    let watermark = effects.iter().rev().find_map(|effect| match effect {
        Effect::Watermark(watermark) => Some(to_flink(*watermark)),
        Effect::Dispose(..) | Effect::Idle(_) => None,
    });
    watermark.unwrap_or(NONE)
}

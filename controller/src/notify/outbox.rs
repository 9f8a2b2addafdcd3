//! What people are to be told, and what of it is not delivered yet. Pure.
//!
//! The outbox stands in the status, and is written together with the record whose change it tells of: a message is made once,
//! or the record is not written either. It goes out of the outbox when its receiver has taken it, or it is given up.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use tidegate_protocol::rollout::{Entry, Record};
use tidegate_protocol::time::WallTime;

use super::command;
use super::place::Place;
use crate::resource::intent::channel::Channel;
use crate::resource::stage::{Severity, Stage};
use crate::resource::status::build::time;
use crate::resource::status::{Message, Notifications, Status};

/// More messages than these do not wait; the oldest go first.
pub(super) const PENDING: usize = 50;
/// Older messages are given up.
pub(super) const AGE_MS: u64 = 24 * 3_600_000;
/// What ends by itself within this time calls nobody.
const PATIENCE_MS: u64 = 30_000;
/// Texts are cut to so many characters.
const TEXT: usize = 1_000;

/// What has happened.
#[derive(Debug)]
pub(crate) struct News<'a> {
    /// The record as it is now.
    pub(crate) record: &'a Record,
    /// The lines of its history that are new.
    pub(crate) lines: &'a [Entry],
    /// What needs a person now.
    pub(crate) call: Option<Call>,
}

/// A person is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The stable name.
    reason: String,
    /// For people.
    message: String,
    /// When it began.
    since: WallTime,
}

/// A message for one channel.
pub(crate) type Delivery = (String, String);

/// The next outbox, and the channels of what is given up.
pub(crate) struct Next {
    pub(crate) outbox: Notifications,
    pub(crate) dropped: Vec<String>,
}

impl Call {
    /// By the conditions of a status. A revision that was given up needs nobody: what runs goes on, and its line of the history
    /// tells of it.
    pub(crate) fn of(status: &Status, record: &Record) -> Option<Call> {
        let condition =
            status.conditions.iter().find(|one| one.kind == "Degraded" && one.status == "True")?;
        let given_up = record.failed.as_ref().map(|failed| failed.failure.cause.code());
        if given_up == Some(condition.reason.as_str()) {
            return None;
        }
        let since = millis(&condition.last_transition_time)?;
        Some(Call { reason: condition.reason.clone(), message: condition.message.clone(), since })
    }
}

/// With what is new, and without what was delivered.
pub(crate) fn next(
    before: &Notifications,
    place: Place<'_>,
    channels: &[Channel],
    news: &News<'_>,
    delivered: &BTreeSet<Delivery>,
    now: WallTime,
) -> Next {
    let mut outbox = before.clone();
    for message in &mut outbox.pending {
        let is_open = |channel: &String| {
            let is_known = channels.iter().any(|known| known.name == *channel);
            is_known && !delivered.contains(&(message.id.clone(), channel.clone()))
        };
        message.to.retain(is_open);
    }
    let mut writer = Writer { outbox, place, channels, record: news.record };
    for line in news.lines {
        let severity = if line.warning { Severity::Warning } else { Severity::Info };
        writer.write(line, (severity, severity), stage(&line.phase), None);
    }
    call(&mut writer, news.call.as_ref(), now);
    let mut outbox = writer.outbox;
    outbox.pending.retain(|message| !message.to.is_empty());
    let surplus = outbox.pending.len().saturating_sub(PENDING);
    let dropped = outbox.pending.drain(..surplus).flat_map(|message| message.to).collect();
    if channels.is_empty() {
        outbox.called.clear();
    }
    Next { outbox, dropped }
}

/// Each reason is told once, until nobody is needed any more; and then that.
fn call(writer: &mut Writer<'_>, call: Option<&Call>, now: WallTime) {
    let stage = stage(writer.record.phase.name());
    let line = |what: String, why: &str| Entry {
        at: now,
        who: "tidegate".to_owned(),
        what,
        why: why.to_owned(),
        attempt: writer.record.attempt,
        phase: String::new(),
        warning: false,
    };
    match call {
        Some(call) if now.since(call.since) < PATIENCE_MS || writer.outbox.called.contains(&call.reason) => {}
        Some(call) => {
            let line = line(format!("a person is needed ({})", call.reason), &call.message);
            writer.write(&line, (Severity::Critical, Severity::Critical), stage, Some(&call.reason));
            writer.outbox.called.push(call.reason.clone());
        }
        None if writer.outbox.called.is_empty() => {}
        None => {
            let called = std::mem::take(&mut writer.outbox.called).join(", ");
            let line = line(format!("no person is needed any more ({called})"), "");
            // Whoever was called is told.
            writer.write(&line, (Severity::Info, Severity::Critical), stage, None);
        }
    }
}

struct Writer<'a> {
    outbox: Notifications,
    place: Place<'a>,
    channels: &'a [Channel],
    record: &'a Record,
}

impl Writer<'_> {
    /// Told are those who want to be told of what has the severity `heard`.
    fn write(
        &mut self,
        line: &Entry,
        (severity, heard): (Severity, Severity),
        stage: Stage,
        call: Option<&str>,
    ) {
        let wanting = self.channels.iter().filter(|channel| channel.wants(heard, stage));
        let to: Vec<String> = wanting.map(|channel| channel.name.clone()).collect();
        if to.is_empty() {
            return;
        }
        self.outbox.count += 1;
        let (place, number) = (self.place, self.outbox.count);
        let cut = |text: &str| text.chars().take(TEXT).collect::<String>();
        self.outbox.pending.push(Message {
            // The time is for a status that was lost: its count begins anew.
            id: format!("{}-{}-{number}", place.uid, line.at.as_millis()),
            time: time(line.at),
            severity,
            stage,
            attempt: line.attempt,
            who: cut(&line.who),
            what: cut(&line.what),
            why: cut(&line.why),
            command: command::next(place, self.record, call, number),
            to,
        });
    }
}

impl Message {
    /// When it happened.
    pub(super) fn at(&self) -> WallTime {
        millis(&self.time).unwrap_or_default()
    }
}

fn millis(time: &str) -> Option<WallTime> {
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(WallTime::from_millis)
}

/// Of a phase, by its name.
fn stage(phase: &str) -> Stage {
    match phase {
        "Snapshotting" | "Starting" | "Proving" | "Stopping" | "Relaunching" => Stage::Start,
        "Ready" | "Pinning" => Stage::Promotion,
        "CuttingOver" | "Aborting" => Stage::Cutover,
        "Watching" => Stage::Watch,
        "Reversing" | "Fencing" | "Claiming" => Stage::Back,
        "Leaving" | "Left" => Stage::Leave,
        // Idle, Suspended, and what an earlier release has written.
        _ => Stage::Begin,
    }
}

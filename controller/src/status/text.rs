//! The status as text.

use std::fmt::Write;

use tidegate_protocol::time::EventTime;

use super::view::{GateView, MemberView, TroubleView, View};

fn time(millis: Option<i64>, none: &str) -> String {
    millis.map_or(none.to_owned(), |millis| EventTime::from_millis(millis).to_string())
}

/// The whole tree: rollout, members, gates, slowest subtasks.
pub(super) fn tree(view: &View) -> String {
    let mut text = format!("rollout {} (epoch {}, {})", view.rollout, view.epoch, view.store);
    match &view.cutover {
        Some(cutover) => line(
            &mut text,
            0,
            &format!(
                "cutover {}: attempt {}, {} -> {} at {}",
                cutover.state,
                cutover.attempt,
                cutover.from,
                cutover.to,
                time(cutover.at, "?")
            ),
        ),
        None => line(&mut text, 0, &format!("no cutover, {} is active", view.active)),
    }
    if view.paused {
        line(
            &mut text,
            0,
            "paused: nothing is proposed until `tidegate resume`, or the key pause is removed",
        );
    }
    for member in &view.members {
        tell_member(&mut text, member);
    }
    for trouble in &view.trouble {
        tell_trouble(&mut text, 0, trouble);
    }
    if let Some(past) = view.history.last() {
        let at = time(past.at, "?");
        line(
            &mut text,
            0,
            &format!(
                "last: attempt {}, {} -> {} at {at}: {} after {:.1} s",
                past.attempt, past.from, past.to, past.outcome, past.seconds
            ),
        );
    }
    for waiting in &view.waiting {
        line(&mut text, 0, &format!("waiting for {}", waiting.text));
    }
    text
}

/// Only what is waited for.
pub(super) fn why(view: &View) -> String {
    let mut lines: Vec<String> =
        view.waiting.iter().map(|waiting| format!("waiting for {}", waiting.text)).collect();
    for member in &view.members {
        lines.extend(member.trouble.iter().map(|trouble| format!("{}: {}", member.member, told(trouble))));
    }
    lines.extend(view.trouble.iter().map(told));
    if lines.is_empty() { "nothing is waited for".to_owned() } else { lines.join("\n") }
}

fn line(text: &mut String, depth: usize, what: &str) {
    let _ = write!(text, "\n{}{what}", "  ".repeat(depth + 1)); // a String takes everything
}

fn told(trouble: &TroubleView) -> String {
    if trouble.message.starts_with(&trouble.code) {
        trouble.message.clone()
    } else {
        format!("{}: {}", trouble.code, trouble.message)
    }
}

fn tell_trouble(text: &mut String, depth: usize, trouble: &TroubleView) {
    line(text, depth, &format!("! {}", told(trouble)));
}

fn tell_member(text: &mut String, member: &MemberView) {
    let owns: Vec<String> = member
        .owns
        .iter()
        .map(|part| format!("[{}, {})", time(part.since, "-inf"), time(part.until, "+inf")))
        .collect();
    let owns = if owns.is_empty() { "owns nothing".to_owned() } else { format!("owns {}", owns.join(" ")) };
    let retirable = if member.retirable { ", may be stopped" } else { "" };
    line(text, 0, &format!("{} {}, {owns}{retirable}", member.member, member.role));
    for trouble in &member.trouble {
        tell_trouble(text, 1, trouble);
    }
    for gate in &member.gates {
        tell_gate(text, gate);
    }
}

fn tell_gate(text: &mut String, gate: &GateView) {
    let far = gate.furthest.as_ref().map_or_else(String::new, |far| {
        let (time, subtask) = (time(far.time, "-"), far.subtask);
        format!(", dated too far in the future {} (up to {time}, at subtask {subtask})", gate.future)
    });
    line(
        text,
        1,
        &format!(
            "gate {}: {}/{} subtasks, watermark {}, committed {}, emitted {}, discarded {}, held {}, late {}{far}",
            gate.gate,
            gate.ready,
            gate.parallelism,
            time(gate.watermark, "-"),
            time(gate.frontier, "-"),
            gate.emitted,
            gate.discarded,
            gate.held,
            gate.late
        ),
    );
    for slow in &gate.slowest {
        let (watermark, frontier) = (time(slow.watermark, "-"), time(slow.frontier, "-"));
        line(
            text,
            2,
            &format!(
                "subtask {}: watermark {watermark}, committed {frontier}, held {}",
                slow.subtask, slow.held
            ),
        );
    }
}

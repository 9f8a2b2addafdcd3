//! A path through the states, in words.

use tidegate_protocol::document::{Cutover, Document};

use super::action::{Action, Fault};
use super::scenario::{Entry, Scenario};
use super::state::{At, State, Who};

/// One line per step; the last one says what is wrong.
pub(super) fn tell(scenario: &Scenario, path: &[(State, Option<Action>)]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (index, (state, action)) in path.iter().enumerate() {
        let after = path.get(index + 1).map(|(after, _)| after);
        if let (Some(action), Some(after)) = (action, after) {
            lines.push(format!("{:>3} {}", index + 1, describe(scenario, *action, state, after)));
        }
        if let Some(broken) = &state.broken {
            lines.push(format!("    broken: {}: {}", broken.property, broken.text));
        }
    }
    lines
}

fn who(state: &State, who: Who) -> String {
    let member = state.jobs.get(usize::from(who.job)).map_or("?".to_owned(), |job| job.member.to_string());
    if who.former { format!("the former life of {member}") } else { member }
}

fn task(state: &State, at: At) -> String {
    format!("{} subtask {}", who(state, at.who), at.task)
}

fn job(state: &State, job: u8) -> String {
    who(state, Who { job, former: false })
}

fn document(document: &Document) -> String {
    let owners: Vec<String> = document
        .owners
        .iter()
        .map(|owner| format!("{} from {}", owner.member, millis(owner.since)))
        .collect();
    let cutover = match &document.cutover {
        None => "no cutover".to_owned(),
        Some(Cutover::Proposed { terms, .. }) => {
            format!("attempt {} to {} at {} proposed", terms.attempt.0, terms.to, millis(terms.at))
        }
        Some(Cutover::Committed { terms, .. }) => {
            format!("attempt {} to {} at {} committed", terms.attempt.0, terms.to, millis(terms.at))
        }
    };
    format!(
        "epoch {}: {}; settled {}; {cutover}",
        document.epoch.0,
        owners.join(", "),
        millis(document.settled)
    )
}

fn millis(time: tidegate_protocol::time::EventTime) -> String {
    time.finite().map_or_else(|| time.to_string(), |millis| millis.to_string())
}

fn read(scenario: &Scenario, state: &State, at: At, partition: u8) -> String {
    let index = usize::from(state.life(at.who).read[usize::from(partition)]);
    let what = match scenario.log[usize::from(partition)].get(index) {
        Some(Entry::At(time)) => {
            format!("record {} of {time}", scenario.record_id(usize::from(partition), index))
        }
        Some(Entry::Untimed) => {
            format!("record {} without a time", scenario.record_id(usize::from(partition), index))
        }
        Some(Entry::Far) => {
            format!("record {} of the far future", scenario.record_id(usize::from(partition), index))
        }
        Some(Entry::Silence) => "silence".to_owned(),
        None => format!("what comes after the log ({:?})", scenario.end),
    };
    format!("{} reads {what} from partition {partition}", task(state, at))
}

fn describe(scenario: &Scenario, action: Action, before: &State, after: &State) -> String {
    let wrote = || after.store.document.as_ref().map_or_else(String::new, |next| document(next));
    match action {
        Action::Read(at, partition) => read(scenario, before, at, partition),
        Action::Tell(at) => format!("{} tells its status", task(before, at)),
        Action::Follow(at) => format!(
            "{} gets the order of epoch {}",
            task(before, at),
            before.task(at).down.front().map_or(0, |order| order.0.epoch.0)
        ),
        Action::HearJob(of) => {
            format!("the agent of {} hears {:?}", who(before, of), before.life(of).told.front())
        }
        Action::Claim(of) => format!("{} claims its slot", who(before, of)),
        Action::Fetch(of) => format!("{} reads the document: {}", who(before, of), wrote()),
        Action::HearDocument(of) => format!("{} hears a document that it read before", who(before, of)),
        Action::Report(of) => format!("{} reports", who(before, of)),
        Action::Decide => {
            let decided = after.conductors.last();
            format!("a conductor decides: {:?}", decided.map(|decided| decided.step))
        }
        Action::Write(conductor) => format!("conductor {conductor} writes; {}", wrote()),
        Action::Commit { job: of, committer } => {
            format!("committer {committer} of {} commits", job(before, of))
        }
        Action::Checkpoint(of) => format!("a checkpoint of {}", job(before, of)),
        Action::Snapshot { job: of, task } => {
            format!("subtask {task} of {} takes its snapshot", job(before, of))
        }
        Action::Reclaim => format!("blue-2 reclaims; {}", wrote()),
        Action::EndFormer(of) => format!("the former life of {} ends", job(before, of)),
        Action::Wait => "nothing moves until a deadline has passed".to_owned(),
        Action::Rest => "nothing moves any more".to_owned(),
        Action::Ask => {
            format!("somebody asks: {:?}", scenario.asks.get(usize::from(before.asked)))
        }
        Action::StartGreen => "green starts from blue's last checkpoint".to_owned(),
        Action::Retire(of) => format!("{} is stopped", job(before, of)),
        Action::ReplaceGreen => "green is stopped, and its next generation starts".to_owned(),
        Action::Fault(fault) => failed(fault, before, &wrote()),
    }
}

fn failed(fault: Fault, before: &State, wrote: &str) -> String {
    match fault {
        Fault::Restart(at) => format!("{} is restarted", task(before, at)),
        Fault::Failover { job: of, parallelism, new_agent } => format!(
            "{} is restarted with {parallelism} subtasks, under {} agent",
            job(before, of),
            if new_agent { "a new" } else { "the same" }
        ),
        Fault::FreeCheckpoint(of) => format!("a checkpoint of {}, at no special moment", job(before, of)),
        Fault::Deadline => "a deadline passes".to_owned(),
        Fault::Delay(at) => format!("a status of {} sets out and takes long", task(before, at)),
        Fault::Stray(of) => format!("it arrives at the agent of {}", who(before, of)),
        Fault::Repeat(at) => format!("an old order arrives again at {}", task(before, at)),
        Fault::LoseOrder(at) => format!("an order to {} is lost, so it is restarted", task(before, at)),
        Fault::Crash(conductor) => format!("conductor {conductor} crashes"),
        Fault::LoseWrite(conductor) => format!("conductor {conductor} takes its write for failed"),
        Fault::LoseReport(of) => format!("{} takes the write of its report for failed", who(before, of)),
        Fault::Haunt => format!("the lost write is applied, if it still fits; {wrote}"),
        Fault::DecideOnOld(member) => {
            format!("a conductor decides on the report of {member} before its last")
        }
        Fault::FetchEarly(of) => {
            format!("{} reads the document before it has claimed its slot", who(before, of))
        }
        Fault::FetchOld(of) => format!("{} reads the document before the last one", who(before, of)),
        Fault::FetchSlowly(of) => format!("{} reads the document and does not hear it yet", who(before, of)),
        Fault::Die => "green dies".to_owned(),
    }
}

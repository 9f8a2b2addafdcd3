//! `tidegate status`.

#[cfg(test)]
mod tests;
mod text;
mod view;

use std::time::Duration;

use tidegate_agent::{Rollout, now};
use tidegate_protocol::conductor::{Decision, Observation, Seen, conduct};
use tidegate_protocol::document::Document;
use tidegate_protocol::edit::{self, Turn};
use tidegate_protocol::report::{Report, Trouble};
use tidegate_protocol::request::Refusal;

use crate::exit::{Exit, Failure};
use crate::output::{Output, show as print_result};
use view::View;

/// Shows the state once.
pub(crate) async fn show(rollout: &Rollout, output: Output, why: bool) -> Result<Exit, Failure> {
    print(&look(rollout).await?, output, why)?;
    Ok(Exit::Done)
}

/// Shows the state whenever it changes, until the cutover that was under way has ended, or it was long enough.
pub(crate) async fn watch(
    rollout: &Rollout,
    output: Output,
    why: bool,
    timeout: Option<Duration>,
) -> Result<Exit, Failure> {
    let watching = watch_end(rollout, output, why);
    match timeout {
        None => watching.await,
        Some(timeout) => tokio::time::timeout(timeout, watching).await.unwrap_or_else(|_| {
            let message = "no cutover has ended in time; what is under way goes on without this command";
            Err(Failure::new(Exit::Timeout, "Timeout", message))
        }),
    }
}

async fn watch_end(rollout: &Rollout, output: Output, why: bool) -> Result<Exit, Failure> {
    let mut watch = rollout.watch();
    let mut was_under_way = false;
    let mut last = None;
    loop {
        let view = look(rollout).await?;
        let shown = if why { text::why(&view) } else { text::tree(&view) };
        if last.as_ref() != Some(&shown) {
            if !print(&view, output, why)? {
                return Ok(Exit::Done);
            }
            last = Some(shown);
        }
        if was_under_way && view.cutover.is_none() {
            let aborted = view.history.last().is_some_and(|past| past.outcome.starts_with("aborted"));
            return Ok(if aborted { Exit::Aborted } else { Exit::Done });
        }
        was_under_way |= view.cutover.is_some();
        watch.changed().await?;
    }
}

/// What the conductor waits for, in its own words.
pub(crate) async fn waiting(rollout: &Rollout, document: &Document) -> Result<Vec<String>, Failure> {
    let (reports, _) = rollout.reports().await?;
    let seen = reports.into_iter().map(|(report, _)| (report.member, seen(report))).collect();
    let (paused, _) = edit(rollout, document).await;
    Ok(wait_list(document, &seen, paused).iter().map(ToString::to_string).collect())
}

fn wait_list(
    document: &Document,
    reports: &std::collections::BTreeMap<tidegate_protocol::identity::Member, Seen>,
    paused: bool,
) -> Vec<tidegate_protocol::conductor::Waiting> {
    match conduct(Observation { document, reports, asked: None, paused, now: now() }) {
        Decision::Wait(waiting) => waiting,
        Decision::Change(..) => Vec::new(), // due, and about to be done
    }
}

/// A single look cannot tell for how long a report has not changed; its own time stamp must do, for show only.
fn seen(report: Report) -> Seen {
    let silent_ms = now().since(report.written);
    Seen { report, silent_ms }
}

async fn look(rollout: &Rollout) -> Result<View, Failure> {
    let Some((document, _)) = rollout.document().await? else {
        return Err(Failure::unknown_rollout(rollout));
    };
    let (reports, mut trouble): (_, Vec<Trouble>) = rollout.reports().await?;
    let (paused, problem) = edit(rollout, &document).await;
    trouble.extend(problem);
    let reports = reports.into_iter().map(|(report, _)| (report.member, seen(report))).collect();
    let waiting = wait_list(&document, &reports, paused);
    Ok(View::new(&rollout.url(), &document, paused, &reports, &waiting, &trouble))
}

/// Whether people have paused the rollout, and what is wrong with what they have written.
async fn edit(rollout: &Rollout, document: &Document) -> (bool, Option<Trouble>) {
    let sheet = match rollout.sheet().await {
        Ok(sheet) => sheet,
        Err(error) => return (false, Some(error.trouble())),
    };
    match tidegate_agent::readable(&sheet) {
        Err(refusal) => (false, Some(trouble(&refusal))),
        Ok(keys) => match edit::turn(keys, document.answered.as_ref(), "") {
            Turn::Mend(refusal) => (edit::is_paused(keys), Some(trouble(&refusal))),
            Turn::Rest | Turn::Put(_) | Turn::Answer(_) => (edit::is_paused(keys), None),
        },
    }
}

fn trouble(refusal: &Refusal) -> Trouble {
    Trouble { code: refusal.code().to_owned(), message: refusal.to_string() }
}

/// Returns whether anybody reads it.
fn print(view: &View, output: Output, why: bool) -> Result<bool, Failure> {
    let text = if why { text::why(view) } else { text::tree(view) };
    Ok(print_result(output, view, &view.rollout, text)?)
}

//! `tidegate status`.

#[cfg(test)]
mod tests;
mod text;
mod view;

use tidegate_agent::{Rollout, now};
use tidegate_protocol::conductor::{Decision, Observation, Seen, conduct};
use tidegate_protocol::document::Document;
use tidegate_protocol::report::{Report, Trouble};

use crate::exit::{Exit, Failure};
use crate::output::{Output, say};
use view::View;

/// Shows the state once.
pub(crate) async fn show(rollout: &Rollout, output: Output, why: bool) -> Result<Exit, Failure> {
    print(&look(rollout).await?, output, why)?;
    Ok(Exit::Done)
}

/// Shows the state whenever it changes, until the cutover that was under way has ended.
pub(crate) async fn watch(rollout: &Rollout, output: Output, why: bool) -> Result<Exit, Failure> {
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
            return Ok(Exit::Done);
        }
        was_under_way |= view.cutover.is_some();
        watch.changed().await?;
    }
}

/// What the conductor waits for, in its own words.
pub(crate) async fn waiting(rollout: &Rollout, document: &Document) -> Result<Vec<String>, Failure> {
    let (reports, _) = rollout.reports().await?;
    let seen = reports.into_iter().map(|(report, _)| (report.member, seen(report))).collect();
    Ok(wait_list(document, &seen).iter().map(ToString::to_string).collect())
}

fn wait_list(
    document: &Document,
    reports: &std::collections::BTreeMap<tidegate_protocol::identity::Member, Seen>,
) -> Vec<tidegate_protocol::conductor::Waiting> {
    match conduct(Observation { document, reports, asked: None, now: now() }) {
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
    let (reports, damaged): (_, Vec<Trouble>) = rollout.reports().await?;
    let reports = reports.into_iter().map(|(report, _)| (report.member, seen(report))).collect();
    let waiting = wait_list(&document, &reports);
    Ok(View::new(&rollout.url(), &document, &reports, &waiting, &damaged))
}

/// Returns whether anybody reads it.
fn print(view: &View, output: Output, why: bool) -> Result<bool, Failure> {
    Ok(match (output, why) {
        (Output::Json, _) => say(serde_json::to_string(view).map_err(anyhow::Error::from)?),
        (Output::Text, true) => say(text::why(view)),
        (Output::Text, false) => say(text::tree(view)),
    })
}

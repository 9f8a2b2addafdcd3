//! The verbs that ask for something: they write a request, and follow what becomes of it. Everything is decided by the
//! conductor; nothing here changes the document.

use indicatif::ProgressBar;
use serde_json::json;
use tidegate_agent::Rollout;
use tidegate_protocol::document::{Answer, Cutover, Document, Outcome, Past};
use tidegate_protocol::identity::Attempt;
use tidegate_protocol::request::Request;
use tidegate_protocol::time::When;
use tokio::time::{Instant, timeout_at};

use crate::arguments::{self, Waiting};
use crate::exit::{Exit, Failure};
use crate::output::{Output, progress, show};
use crate::status;

/// Asks for a cutover.
pub(crate) async fn promote(
    rollout: &Rollout,
    request: &Request,
    attempt: &arguments::Attempt,
    waiting: Waiting,
    output: Output,
) -> Result<Exit, Failure> {
    let mut asked = Asked::new(rollout, request, attempt, waiting).await?;
    let answer = asked.answer().await?;
    let attempt = taken_up(answer)?;
    if waiting.no_wait {
        show(
            output,
            &json!({"outcome": "proposed", "attempt": attempt.0}),
            rollout.name(),
            format!("proposed attempt {}", attempt.0),
        )?;
        return Ok(Exit::Done);
    }
    let past = asked.end(attempt).await?;
    tell_end(rollout, &past, output)
}

fn tell_end(rollout: &Rollout, past: &Past, output: Output) -> Result<Exit, Failure> {
    let terms = &past.terms;
    let result = json!({
        "outcome": "done", "attempt": terms.attempt.0, "boundary": terms.at.as_millis(), "from": past.from, "to": terms.to,
    });
    match &past.outcome {
        Outcome::Done => {
            let text =
                format!("{} owns everything from {} on (attempt {})", terms.to, terms.at, terms.attempt.0);
            show(output, &result, rollout.name(), text)?;
            Ok(Exit::Done)
        }
        Outcome::Aborted { code, message } => {
            let message = format!(
                "attempt {} was aborted, {} goes on as before: {message}",
                terms.attempt.0, past.from
            );
            Err(Failure::new(Exit::Aborted, code, message))
        }
    }
}

/// Asks for a cutover to the member that had the output before.
pub(crate) async fn rollback(
    rollout: &Rollout,
    attempt: &arguments::Attempt,
    waiting: Waiting,
    output: Output,
) -> Result<Exit, Failure> {
    let document = document(rollout).await?;
    let id = attempt.id.as_ref();
    if let Some(answer) = document.answered.as_ref().filter(|answer| Some(&answer.request) == id) {
        // It was asked for before: how that ended is told, and nothing is taken back a second time.
        return ended(rollout, answer, &document, output);
    }
    let last = document.history.iter().rev().find(|past| past.outcome == Outcome::Done);
    let Some(past) = last.filter(|past| past.from != document.active().member) else {
        let message = "no cutover has been done that could be taken back; abort one that is under way with `tidegate abort`";
        return Err(Failure::new(Exit::Refused, "NothingToRollBack", message));
    };
    let request = Request::Promote { at: When::Now, to: Some(past.from), hand_over: None };
    promote(rollout, &request, attempt, waiting, output).await
}

fn ended(rollout: &Rollout, answer: &Answer, document: &Document, output: Output) -> Result<Exit, Failure> {
    let attempt = taken_up(answer.clone())?;
    match document.history.iter().find(|past| past.terms.attempt >= attempt) {
        Some(past) => tell_end(rollout, past, output),
        None => Err(Failure::new(
            Exit::Failed,
            "Unknown",
            format!("attempt {} is under way, or long over", attempt.0),
        )),
    }
}

/// Asks for the end of an attempt.
pub(crate) async fn abort(
    rollout: &Rollout,
    request: &Request,
    attempt: &arguments::Attempt,
    waiting: Waiting,
    output: Output,
) -> Result<Exit, Failure> {
    let mut asked = Asked::new(rollout, request, attempt, waiting).await?;
    let attempt = taken_up(asked.answer().await?)?;
    show(
        output,
        &json!({"outcome": "aborted", "attempt": attempt.0}),
        rollout.name(),
        format!("attempt {} is aborted", attempt.0),
    )?;
    Ok(Exit::Done)
}

/// Sets or removes the pause.
pub(crate) async fn pause(rollout: &Rollout, paused: bool, output: Output) -> Result<Exit, Failure> {
    document(rollout).await?;
    let changed = rollout.pause(paused).await?;
    let (outcome, text) = match (paused, changed) {
        (true, true) => ("paused", "paused: nothing is proposed, and what is only proposed is aborted"),
        (true, false) => ("paused", "it was paused already"),
        (false, true) => {
            ("resumed", "the pause is over; what was refused meanwhile has to be asked for again")
        }
        (false, false) => ("resumed", "it was not paused"),
    };
    show(output, &json!({"outcome": outcome, "changed": changed}), rollout.name(), text)?;
    Ok(Exit::Done)
}

fn taken_up(answer: Answer) -> Result<Attempt, Failure> {
    match (answer.refusal, answer.attempt) {
        (Some((code, message)), _) => Err(Failure::new(Exit::Refused, &code, message)),
        (None, Some(attempt)) => Ok(attempt),
        (None, None) => {
            Err(Failure::new(Exit::Failed, "Failed", "the request was answered without an attempt"))
        }
    }
}

async fn document(rollout: &Rollout) -> Result<Document, Failure> {
    match rollout.document().await? {
        Some((document, _)) => Ok(document),
        None => Err(Failure::unknown_rollout(rollout)),
    }
}

/// A request that was written, and is followed.
struct Asked<'a> {
    rollout: &'a Rollout,
    id: String,
    watch: tidegate_store::Watch,
    deadline: Instant,
    progress: ProgressBar,
    answered: bool,
}

impl<'a> Asked<'a> {
    /// An id that is known already is not asked for again.
    async fn new(
        rollout: &'a Rollout,
        request: &Request,
        attempt: &arguments::Attempt,
        waiting: Waiting,
    ) -> Result<Asked<'a>, Failure> {
        let answered = document(rollout).await?.answered;
        let watch = rollout.watch();
        let progress = progress("asking")?;
        let id = attempt.id();
        let is_known = answered.is_some_and(|answer| answer.request == id) || rollout.holds(&id).await?;
        if !is_known {
            rollout.ask_as(&id, request).await?;
        }
        Ok(Asked {
            rollout,
            id,
            watch,
            deadline: Instant::now() + waiting.timeout,
            progress,
            answered: false,
        })
    }

    /// Looks at the document whenever something changes, until `look` is satisfied.
    async fn follow<T>(&mut self, look: impl Fn(&Document) -> Option<T>) -> Result<T, Failure> {
        loop {
            let document = document(self.rollout).await?;
            if let Some(found) = look(&document) {
                return Ok(found);
            }
            let waiting = status::waiting(self.rollout, &document).await?;
            self.progress.set_message(headline(&document, waiting.first().map(String::as_str)));
            if !self.answered {
                self.check_place(&document).await?;
            }
            match timeout_at(self.deadline, self.watch.changed()).await {
                Ok(changed) => changed?,
                Err(_) => return Err(self.give_up(waiting).await?),
            }
        }
    }

    async fn answer(&mut self) -> Result<Answer, Failure> {
        let id = self.id.clone();
        let answer =
            self.follow(|document| document.answered.clone().filter(|answer| answer.request == id)).await?;
        self.answered = true;
        Ok(answer)
    }

    /// The end of the cutover that began with this attempt; its boundary may have been proposed again since.
    async fn end(&mut self, attempt: Attempt) -> Result<Past, Failure> {
        self.follow(|document| document.history.iter().find(|past| past.terms.attempt >= attempt).cloned())
            .await
    }

    /// A request that another one has replaced before it was looked at will never be answered.
    async fn check_place(&self, document: &Document) -> Result<(), Failure> {
        if self.is_answered(document) || self.rollout.holds(&self.id).await? {
            return Ok(());
        }
        // It may have been answered, and then replaced, since the document was read.
        if self.is_answered(&self::document(self.rollout).await?) {
            return Ok(());
        }
        let message =
            "another request took the place of this one before its answer was seen; see `tidegate status`";
        Err(Failure::new(Exit::Fenced, "Fenced", message))
    }

    fn is_answered(&self, document: &Document) -> bool {
        document.answered.as_ref().is_some_and(|answer| answer.request == self.id)
    }

    async fn give_up(&self, waiting: Vec<String>) -> Result<Failure, Failure> {
        // A conductor may have read it before it was withdrawn, and have answered it since.
        let withdrawn = !self.answered
            && self.rollout.withdraw(&self.id).await?
            && !self.is_answered(&document(self.rollout).await?);
        let state = if withdrawn {
            "nobody took the request up, and it was withdrawn"
        } else {
            "it goes on without this command"
        };
        let waiting =
            if waiting.is_empty() { String::new() } else { format!("; waiting for: {}", waiting.join("; ")) };
        Ok(Failure::new(Exit::Timeout, "Timeout", format!("not done in time; {state}{waiting}")))
    }
}

fn headline(document: &Document, waiting: Option<&str>) -> String {
    let what = match &document.cutover {
        Some(Cutover::Proposed { terms, .. }) => format!("attempt {} proposes {}", terms.attempt.0, terms.at),
        Some(Cutover::Committed { terms, .. }) => {
            format!("attempt {} is committed at {}", terms.attempt.0, terms.at)
        }
        None => format!("waiting for {} to look at it", document.active().member),
    };
    waiting.map_or(what.clone(), |waiting| format!("{what}; {waiting}"))
}

//! The sentence that people read beside their keys.

use crate::conductor::Waiting;
use crate::document::{Cutover, Document, Outcome, Past, Terms};
use crate::identity::Epoch;
use crate::request::Refusal;
use crate::text::cut;

/// How many of the things that are waited for the sentence names.
const NAMED: usize = 3;
/// How much of one reason it tells, in characters.
const REASON: usize = 500;

/// What whoever conducts has seen.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The document.
    pub document: &'a Document,
    /// What the conductor waits for.
    pub waiting: &'a [Waiting],
    /// Whether people have paused the rollout.
    pub paused: bool,
    /// What is wrong with the edit that stands there.
    pub mend: Option<&'a Refusal>,
}

/// A sentence, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What is going on, what it waits for, what was answered and why not.
    pub sentence: String,
    /// Changes when something has happened, not with how far it is.
    pub phase: Phase,
}

/// See [`Status::phase`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    epoch: Epoch,
    paused: bool,
    mend: Option<String>,
}

/// The sentence for what was seen.
pub fn status(look: Look<'_>) -> Status {
    let Look { document, paused, mend, .. } = look;
    let mend = mend.map(|refusal| reason(refusal.code(), &refusal.to_string()));
    let refused = document.answered.as_ref().and_then(|answer| answer.refusal.as_ref());
    let refused =
        refused.map(|(code, message)| format!("the last request was refused: {}", reason(code, message)));
    let paused_text = paused.then(|| "paused: nothing is proposed until the key pause is removed".to_owned());
    let parts = [mend.clone(), refused, outcome(document), Some(state(look)), paused_text];
    let sentence = parts.into_iter().flatten().collect::<Vec<_>>().join(". ");
    Status { sentence, phase: Phase { epoch: document.epoch, paused, mend } }
}

fn reason(code: &str, message: &str) -> String {
    let told = if message.starts_with(code) { message.to_owned() } else { format!("{code}: {message}") };
    cut(&told, REASON)
}

/// How the last cutover ended, as long as no other one is under way.
fn outcome(document: &Document) -> Option<String> {
    if document.cutover.is_some() {
        return None;
    }
    let Past { terms, outcome, .. } = document.history.iter().max_by_key(|past| past.terms.attempt)?;
    Some(match outcome {
        Outcome::Done => format!("attempt {} is done", terms.attempt.0),
        Outcome::Aborted { code, message } => {
            format!("attempt {} was aborted: {}", terms.attempt.0, reason(code, message))
        }
    })
}

fn state(look: Look<'_>) -> String {
    let Look { document, waiting, .. } = look;
    let active = document.active();
    let over = |terms: &Terms| format!("takes over from {} at {}", active.member, terms.at);
    let state = match &document.cutover {
        Some(Cutover::Proposed { terms, .. }) => {
            format!("attempt {} proposes that {} {}", terms.attempt.0, terms.to, over(terms))
        }
        Some(Cutover::Committed { terms, .. }) => {
            format!("attempt {} is committed: {} {}", terms.attempt.0, terms.to, over(terms))
        }
        None if document.owners.len() > 1 => {
            format!("{} is active, and owns everything from {} on", active.member, active.since)
        }
        None => format!("{} is active", active.member),
    };
    let named: Vec<String> = waiting.iter().take(NAMED).map(|one| cut(&one.to_string(), REASON)).collect();
    match (named.is_empty(), waiting.len().saturating_sub(NAMED)) {
        (true, _) => state,
        (false, 0) => format!("{state}; waiting for {}", named.join("; ")),
        (false, more) => format!("{state}; waiting for {}; and {more} more", named.join("; ")),
    }
}

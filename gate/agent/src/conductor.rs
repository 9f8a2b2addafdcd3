//! Steps of the protocol, for whoever may take them: the agent of a member, or the controller. Each is one compare-and-set on
//! the document that was read, so any number of them may do so at once.

use std::collections::BTreeMap;

use tidegate_protocol::conductor::{Decision, Observation, Seen, Step, conduct};
use tidegate_protocol::document::Document;
use tidegate_protocol::identity::Member;
use tidegate_store::Notice;

use crate::edits::Edits;
use crate::now;
use crate::rollout::{Error, Known, Rollout};

/// Takes what people ask for, moves the document, and tells what becomes of it. One for each rollout.
#[derive(Debug, Default)]
pub struct Conductor {
    edits: Edits,
}

impl Conductor {
    /// Takes one step of the protocol, if one is due. `reports` were read after the document. Returns whether the document may
    /// have changed since; what is worth a line in a log is added to `said`.
    ///
    /// # Errors
    /// When the store cannot be used; what has lost against another write is no error.
    pub async fn step(
        &mut self,
        rollout: &Rollout,
        (document, version): &Known<Document>,
        reports: &BTreeMap<Member, Seen>,
        said: &mut Vec<String>,
    ) -> Result<bool, Error> {
        let Some(edit) = self.edits.look(rollout, document, said).await? else {
            return Ok(true);
        };
        let observation =
            Observation { document, reports, asked: edit.asked.as_ref(), paused: edit.paused, now: now() };
        let changed = match conduct(observation) {
            Decision::Change(next, step) => {
                match rollout.write_document(Some(version), &next).await {
                    Ok(_) => {
                        said.push(format!("epoch {}: {}", next.epoch.0, describe(step, &next)));
                        self.edits.announce(rollout, notice(step, &next));
                    }
                    Err(error) if error.is_conflict() => {}
                    Err(error) => return Err(error),
                }
                true
            }
            Decision::Wait(waiting) => {
                self.edits.tell(rollout, &edit, document, &waiting, said).await;
                false
            }
        };
        edit.failed.map_or(Ok(changed), Err)
    }
}

/// A step for the log.
fn describe(step: Step, document: &Document) -> String {
    let attempt = || {
        let terms = document.terms().or(document.history.last().map(|past| &past.terms));
        terms.map_or_else(String::new, |terms| {
            format!("attempt {} to {} at {}", terms.attempt.0, terms.to, terms.at)
        })
    };
    match step {
        Step::Propose => format!("proposed {}", attempt()),
        Step::ProposeHigher => format!("proposed a higher boundary, {}", attempt()),
        Step::Commit => format!("committed {}", attempt()),
        Step::Abort => format!("aborted {}", attempt()),
        Step::Finish => format!("finished {}", attempt()),
        Step::Settle => format!("settled below {}", document.settled),
        Step::Refuse => {
            let (code, message) = refusal(document);
            format!("refused a request: {code}: {message}")
        }
    }
}

/// A step for people: a refusal under its own name, any other step under the step's.
fn notice(step: Step, document: &Document) -> Notice {
    let text = describe(step, document);
    let (reason, message, warning) = match step {
        Step::Refuse => {
            let (code, message) = refusal(document);
            (code, message, true)
        }
        Step::Abort => ("Aborted".to_owned(), text, true),
        Step::Propose | Step::ProposeHigher => ("Proposed".to_owned(), text, false),
        Step::Commit => ("Committed".to_owned(), text, false),
        Step::Finish => ("Finished".to_owned(), text, false),
        Step::Settle => ("Settled".to_owned(), text, false),
    };
    Notice { reason, message, warning }
}

fn refusal(document: &Document) -> (String, String) {
    document.answered.as_ref().and_then(|answer| answer.refusal.clone()).unwrap_or_default()
}

//! The keys, their values, and their forms.

use std::collections::BTreeMap;

use crate::document::HandOver;
use crate::identity::Attempt;
use crate::request::{Refusal, Request};
use crate::text::cut;
use crate::time::{When, WhenError};

/// Flat keys with text values, as people see them. Keys with empty values are not among them.
pub type Keys = BTreeMap<String, String>;

pub(super) const PROMOTE: &str = "promote";
pub(super) const TO: &str = "to";
pub(super) const HAND_OVER: &str = "hand-over";
pub(super) const ABORT: &str = "abort";
pub(super) const PAUSE: &str = "pause";
/// Names a request, for whoever wants to follow its answer.
pub(super) const ID: &str = "id";
/// Tidegate's own.
pub(super) const STATUS: &str = "status";
/// Tidegate's own: the newest request, in one line.
pub(super) const TAKEN: &str = "taken";
/// In the line: the request that was answered last before this one.
pub(super) const AFTER: &str = "after";

const KNOWN: [&str; 8] = [PROMOTE, TO, HAND_OVER, ABORT, PAUSE, ID, STATUS, TAKEN];
/// How much of a value a refusal quotes, in characters.
const QUOTED: usize = 80;
/// The longest id that somebody may give, in bytes.
const LONGEST_ID: usize = 80;

/// What the keys ask for; `Ok(None)`: nothing.
pub(super) fn request(keys: &Keys) -> Result<Option<Request>, Refusal> {
    if let Some((key, value)) = keys.iter().find(|(key, _)| !KNOWN.contains(&key.as_str())) {
        let (key, value) = (cut(key, QUOTED), cut(value, QUOTED));
        return Err(unreadable(format!(
            "{key} = {value:?} is not known; keys are {PROMOTE}, {TO}, {HAND_OVER}, {ABORT}, {PAUSE} and {ID}"
        )));
    }
    paused(keys)?;
    check_id(keys)?;
    let get = |key| keys.get(key).map(String::as_str);
    match (get(PROMOTE), get(ABORT)) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(unreadable("promote and abort are both set; remove one of them".to_owned()))
        }
        (Some(at), None) => {
            let at = at.parse().map_err(|error: WhenError| unreadable(error.to_string()))?;
            let to = get(TO).map(|to| to.trim().parse()).transpose();
            let to = to.map_err(|error| unreadable(format!("{TO}: {error}")))?;
            let hand_over = get(HAND_OVER).map(hand_over).transpose()?;
            Ok(Some(Request::Promote { at, to, hand_over }))
        }
        (None, Some(value)) => abort(value).map(Some),
    }
}

/// Whether the keys pause the rollout.
pub(super) fn paused(keys: &Keys) -> Result<bool, Refusal> {
    match keys.get(PAUSE).map(|value| value.trim()) {
        None | Some("false" | "no" | "off") => Ok(false),
        Some("true" | "yes" | "on") => Ok(true),
        Some(other) => {
            let other = cut(other, QUOTED);
            Err(unreadable(format!("{PAUSE} = {other:?} is neither true nor false; remove it to go on")))
        }
    }
}

/// The keys of a request.
pub(super) fn write(request: &Request) -> Keys {
    let pairs = match request {
        Request::Promote { at, to, hand_over } => {
            let at = match at {
                When::In(millis) => format!("+{millis}ms"),
                When::Now | When::At(_) => at.to_string(),
            };
            let name = |hand_over: &HandOver| match hand_over {
                HandOver::Ordered => "ordered".to_owned(),
                HandOver::Overlapped => "overlapped".to_owned(),
            };
            vec![
                (PROMOTE, Some(at)),
                (TO, to.map(|to| to.to_string())),
                (HAND_OVER, hand_over.as_ref().map(name)),
            ]
        }
        Request::Abort { attempt } => {
            let attempt = attempt.map_or_else(|| "true".to_owned(), |attempt| attempt.0.to_string());
            vec![(ABORT, Some(attempt))]
        }
    };
    pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Keys as one line of text.
pub(super) fn line(keys: &Keys) -> String {
    serde_json::to_string(keys).expect("a map of strings always serializes")
}

/// The keys of such a line.
pub(super) fn of_line(text: &str) -> Option<Keys> {
    serde_json::from_str(text).ok()
}

fn abort(value: &str) -> Result<Request, Refusal> {
    match value.trim() {
        "true" | "yes" | "on" | "now" => Ok(Request::Abort { attempt: None }),
        number => {
            let attempt = number.parse().ok().and_then(|number: u64| Attempt::try_from(number).ok());
            let value = cut(value, QUOTED);
            let attempt = attempt.ok_or_else(|| {
                unreadable(format!("{ABORT} = {value:?} is neither true nor an attempt's number"))
            })?;
            Ok(Request::Abort { attempt: Some(attempt) })
        }
    }
}

fn hand_over(text: &str) -> Result<HandOver, Refusal> {
    match text.trim() {
        "ordered" => Ok(HandOver::Ordered),
        "overlapped" => Ok(HandOver::Overlapped),
        other => {
            let other = cut(other, QUOTED);
            Err(unreadable(format!("{HAND_OVER} = {other:?} is neither ordered nor overlapped")))
        }
    }
}

/// An id is short and plain: the document keeps it.
pub(super) fn check_id(keys: &Keys) -> Result<(), Refusal> {
    let Some(id) = keys.get(ID) else { return Ok(()) };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if id.len() <= LONGEST_ID && id.trim().chars().all(plain) {
        return Ok(());
    }
    let id = cut(id, QUOTED);
    Err(unreadable(format!(
        "{ID} = {id:?} is no name; use up to {LONGEST_ID} of A-Z, a-z, 0-9 and -_.: or remove it"
    )))
}

fn unreadable(message: String) -> Refusal {
    Refusal::RequestUnreadable(message)
}

//! A request: flat keys with text values, so that a person can write one by hand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{to_bytes, unique_keys};
use crate::document::HandOver;
use crate::documents::from_json;
use crate::identity::Attempt;
use crate::request::{Refusal, Request};
use crate::text::cut;
use crate::time::When;

/// `{"promote": "now", "to": "green-1", "hand-over": "overlapped"}` or `{"abort": "yes"}`, `{"abort": "3"}`.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct RequestV1(#[serde(deserialize_with = "unique_keys")] BTreeMap<String, String>);

const KEYS: &str = "promote, to, hand-over, abort, id";
/// How much of a value a refusal quotes, in characters: the document keeps it.
const QUOTED: usize = 80;

/// Writes a request. The id tells one request from an equal one before it; people need not give one.
pub fn write_request(request: &Request, id: &str) -> Vec<u8> {
    let mut keys = BTreeMap::from([("id".to_owned(), id.to_owned())]);
    match request {
        Request::Promote { at, to, hand_over } => {
            let at = match at {
                When::In(millis) => format!("+{millis}ms"),
                When::Now | When::At(_) => at.to_string(),
            };
            keys.insert("promote".to_owned(), at);
            keys.extend(to.map(|to| ("to".to_owned(), to.to_string())));
            let name = |hand_over: &HandOver| match hand_over {
                HandOver::Ordered => "ordered".to_owned(),
                HandOver::Overlapped => "overlapped".to_owned(),
            };
            keys.extend(hand_over.as_ref().map(|hand_over| ("hand-over".to_owned(), name(hand_over))));
        }
        Request::Abort { attempt } => {
            keys.insert(
                "abort".to_owned(),
                attempt.map_or("yes".to_owned(), |attempt| attempt.0.to_string()),
            );
        }
    }
    to_bytes(&RequestV1(keys))
}

/// Reads a request; `Ok(None)` when it asks for nothing.
pub fn read_request(bytes: &[u8]) -> Result<Option<Request>, Refusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let unreadable = |message: String| Refusal::RequestUnreadable(message);
    let RequestV1(mut keys) = from_json(bytes).map_err(|error| {
        unreadable(format!("the request is not a JSON object with text values ({error}); keys are {KEYS}"))
    })?;
    keys.remove("id");
    let (promote, abort) = (keys.remove("promote"), keys.remove("abort"));
    let (to, hand_over) = (keys.remove("to"), keys.remove("hand-over"));
    if let Some((key, value)) = keys.pop_first() {
        let (key, value) = (cut(&key, QUOTED), cut(&value, QUOTED));
        return Err(unreadable(format!("{key} = {value:?} is not known; keys are {KEYS}")));
    }
    match (promote, abort) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(unreadable("promote and abort are both set; remove one of them".to_owned()))
        }
        (Some(at), None) => {
            let at = at.parse().map_err(|error: crate::time::WhenError| unreadable(error.to_string()))?;
            let to =
                to.map(|to| to.parse()).transpose().map_err(|error| unreadable(format!("to: {error}")))?;
            Ok(Some(Request::Promote {
                at,
                to,
                hand_over: hand_over.map(|text| parse_hand_over(&text)).transpose()?,
            }))
        }
        (None, Some(abort)) => match abort.trim() {
            "yes" | "true" | "now" => Ok(Some(Request::Abort { attempt: None })),
            number => {
                let attempt = number.parse().ok().and_then(|number: u64| Attempt::try_from(number).ok());
                let attempt = attempt.ok_or_else(|| {
                    unreadable(format!("abort = {:?} is neither yes nor an attempt", cut(&abort, QUOTED)))
                })?;
                Ok(Some(Request::Abort { attempt: Some(attempt) }))
            }
        },
    }
}

fn parse_hand_over(text: &str) -> Result<HandOver, Refusal> {
    match text {
        "ordered" => Ok(HandOver::Ordered),
        "overlapped" => Ok(HandOver::Overlapped),
        other => Err(Refusal::RequestUnreadable(format!(
            "hand-over = {:?} is neither ordered nor overlapped",
            cut(other, QUOTED)
        ))),
    }
}

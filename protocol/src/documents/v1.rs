//! Version 1 of every object.

mod document;
mod header;
mod report;
mod request;
#[cfg(test)]
mod tests;

pub use document::{read_document, write_document};
pub use header::{read_header, write_header};
pub use report::{read_report, write_report};
pub use request::{read_request, write_request};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::EventTime;

/// An event time as people read it: epoch milliseconds, `"-inf"` or `"+inf"`.
#[derive(Clone, Copy, Debug)]
struct Time(EventTime);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Millis(i64),
    Infinity(String),
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self.0.finite() {
            Some(millis) => Written::Millis(millis),
            None => Written::Infinity(self.0.to_string()),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Millis(millis) => Ok(Time(EventTime::from_millis(millis))),
            Written::Infinity(text) if text == "-inf" => Ok(Time(EventTime::MIN)),
            Written::Infinity(text) if text == "+inf" => Ok(Time(EventTime::MAX)),
            Written::Infinity(text) => Err(serde::de::Error::custom(format!(
                "{text:?} is no event time: epoch milliseconds, \"-inf\" or \"+inf\""
            ))),
        }
    }
}

/// Serializes one of our own types: maps with string keys only, so it cannot fail.
fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(value).expect("maps with string keys and plain values always serialize");
    bytes.push(b'\n');
    bytes
}

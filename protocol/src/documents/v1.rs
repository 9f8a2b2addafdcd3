//! Version 1 of every object.

mod document;
mod header;
mod report;
#[cfg(test)]
mod tests;

pub use document::{read_document, write_document};
pub use header::{read_header, write_header};
pub use report::{read_report, write_report};

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::cut;
use crate::time::EventTime;

/// An event time as people read it: epoch milliseconds, `"-inf"` or `"+inf"`.
#[derive(Clone, Copy, Debug)]
struct Time(EventTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.finite() {
            Some(millis) => serializer.serialize_i64(millis),
            None => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event time: epoch milliseconds, \"-inf\" or \"+inf\"")
    }

    fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Time, E> {
        Ok(Time(EventTime::from_millis(millis)))
    }

    fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Time, E> {
        match i64::try_from(millis) {
            Ok(millis) => self.visit_i64(millis),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(millis), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
        match text {
            "-inf" => Ok(Time(EventTime::MIN)),
            "+inf" => Ok(Time(EventTime::MAX)),
            other => Err(E::invalid_value(Unexpected::Str(other), &self)),
        }
    }
}

/// A map in which no key comes twice: which of the two was meant, nobody knows.
fn unique_keys<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, V>, D::Error> {
    deserializer.deserialize_map(UniqueKeys(PhantomData))
}

struct UniqueKeys<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for UniqueKeys<V> {
    type Value = BTreeMap<String, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut read = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, V>()? {
            if read.contains_key(&key) {
                return Err(de::Error::custom(format_args!("{:?} comes twice", cut(&key, 80))));
            }
            read.insert(key, value);
        }
        Ok(read)
    }
}

/// Serializes one of our own types: maps with string keys only, so it cannot fail.
fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(value).expect("maps with string keys and plain values always serialize");
    bytes.push(b'\n');
    bytes
}

//! Every golden file, damaged at every place in every way: fields left out, written twice, of another type, out of range,
//! too long, too deep, not UTF-8, unknown; bytes changed at random.

use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;
use tidegate_protocol::documents::{from_json, v1};
use tidegate_protocol::edit::{self, Keys, Turn};
use tidegate_protocol::member::Event;
use tidegate_protocol::order::Order;
use tidegate_protocol::report::Report;
use tidegate_protocol::subtask::{Limits, Status, Subtask};
use tidegate_protocol::time::WallTime;

use crate::consume::{self, LONGEST};

/// The largest object that every store takes.
const BOUND: usize = 900 * 1024;

/// What is done to one place of a golden file.
#[derive(Clone, Copy, Debug)]
enum Edit<'a> {
    LeaveOut,
    Twice,
    Put(&'a [u8]),
    /// An object gets one more field.
    Widen,
}

/// The golden files, by name.
fn golden() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let text = std::fs::read(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), serde_json::from_slice(&text).unwrap())
    };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(read).collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

fn report() -> Report {
    v1::read_report(include_bytes!("../golden/report-v1.json")).unwrap()
}

/// Reads what a file of that name holds, and lives with it; the error's text when it is refused.
fn read(name: &str, bytes: &[u8]) -> Result<(), String> {
    let now = WallTime::from_millis(1_772_366_400_000);
    let kind = name.split(['-', '.']).next().unwrap();
    match kind {
        "document" => {
            let (document, nonce) = v1::read_document(bytes).map_err(|error| error.to_string())?;
            let again = v1::write_document(&document, &nonce);
            assert_eq!(v1::read_document(&again).unwrap(), (document.clone(), nonce));
            consume::observation(&document, &[report()], None, now);
        }
        "report" => {
            let report = v1::read_report(bytes).map_err(|error| error.to_string())?;
            let (document, _) =
                v1::read_document(include_bytes!("../golden/document-v1-proposed.json")).unwrap();
            consume::observation(&document, &[report], None, now);
        }
        "header" => {
            let header = v1::read_header(bytes).map_err(|error| error.to_string())?;
            Subtask::<()>::new(header.member, Limits::default(), &[header], Vec::new()).unwrap();
        }
        "request" => {
            let request = match edit::turn(&from_json::<Keys>(bytes)?, None, "fresh") {
                Turn::Mend(refusal) => return Err(refusal.to_string()),
                Turn::Answer(asked) => Some(asked.request),
                Turn::Put(_) | Turn::Rest => None,
            };
            let (document, _) =
                v1::read_document(include_bytes!("../golden/document-v1-first.json")).unwrap();
            consume::observation(&document, &[report()], request, now);
        }
        "order" => consume::order(&from_json::<Order>(bytes)?),
        "status" => drop(from_json::<Status>(bytes)?),
        "event" => {
            let event = from_json::<Event>(bytes)?;
            event.check().map_err(|error| error.to_string())?;
            let (document, _) =
                v1::read_document(include_bytes!("../golden/document-v1-committed.json")).unwrap();
            consume::events(&document, &[event]);
        }
        other => panic!("golden files of {other:?} are not fuzzed"),
    }
    Ok(())
}

/// Writes a value with an edit at one place.
fn write(value: &Value, path: &[String], edit: Edit<'_>) -> Vec<u8> {
    let Some((step, rest)) = path.split_first() else {
        return match (edit, value) {
            (Edit::Put(bytes), _) => bytes.to_vec(),
            (Edit::Widen, Value::Object(fields)) => {
                let fields = fields.iter().map(|(key, value)| (key.as_str(), value.to_string().into_bytes()));
                object(fields.chain([("unheard-of", b"1".to_vec())]))
            }
            (Edit::Widen | Edit::LeaveOut | Edit::Twice, _) => value.to_string().into_bytes(),
        };
    };
    let entry = |key: &str, value: &Value| -> Vec<Vec<u8>> {
        match (key == step, rest.is_empty(), edit) {
            (true, true, Edit::LeaveOut) => Vec::new(),
            (true, true, Edit::Twice) => vec![value.to_string().into_bytes(); 2],
            (true, ..) => vec![write(value, rest, edit)],
            (false, ..) => vec![value.to_string().into_bytes()],
        }
    };
    match value {
        Value::Object(fields) => {
            object(fields.iter().flat_map(|(key, value)| {
                entry(key, value).into_iter().map(move |bytes| (key.as_str(), bytes))
            }))
        }
        Value::Array(values) => {
            let values: Vec<Vec<u8>> = values
                .iter()
                .enumerate()
                .flat_map(|(index, value)| entry(&index.to_string(), value))
                .collect();
            [b"[", values.join(&b","[..]).as_slice(), b"]"].concat()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            panic!("nothing is inside {value}")
        }
    }
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, Vec<u8>)>) -> Vec<u8> {
    let fields: Vec<Vec<u8>> =
        fields.map(|(key, value)| [format!("{key:?}:").as_bytes(), &value].concat()).collect();
    [b"{", fields.join(&b","[..]).as_slice(), b"}"].concat()
}

/// Every place in a value, the whole included.
fn places(value: &Value) -> Vec<Vec<String>> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(values) => {
            values.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let below = inner.into_iter().flat_map(|(step, value)| {
        places(value).into_iter().map(move |path| [vec![step.clone()], path].concat())
    });
    std::iter::once(Vec::new()).chain(below).collect()
}

/// One edit; an error must be short and name a field of the place. Not so where the place is the whole, where the text is no
/// JSON (then its line and column are named), and in events: their type decides how the rest is read, and they cross only
/// between two halves of one jar.
fn damage(name: &str, value: &Value, path: &[String], edit: Edit<'_>) {
    let bytes = write(value, path, edit);
    let Err(error) = read(name, &bytes) else { return };
    let told = || format!("{name}, {path:?}: {error}");
    assert!(error.len() < LONGEST, "{} bytes, {path:?} of {name}", error.len());
    let syntax = matches!(edit, Edit::Put(text) if from_json::<Value>(text).is_err());
    let names = |step: &String| error.contains(step.as_str());
    assert!(
        path.is_empty()
            || syntax
            || name.starts_with("event")
            || path.iter().any(names)
            || error.contains("unheard-of"),
        "no field is named: {}",
        told()
    );
}

#[test]
fn every_golden_file_damaged_at_every_place() {
    let deep = |open: &str, close: &str| format!("{}0{}", open.repeat(300), close.repeat(300)).into_bytes();
    let long = format!("\"{}\"", "z".repeat(20_000)).into_bytes();
    let (arrays, objects) = (deep("[", "]"), deep("{\"a\":", "}"));
    let texts: [&[u8]; 28] = [
        b"null",
        b"true",
        b"0",
        b"-0",
        b"-1",
        b"1.5",
        b"2",
        b"9007199254740993",
        b"9223372036854775807",
        b"-9223372036854775808",
        b"9223372036854775808",
        b"18446744073709551615",
        b"18446744073709551616",
        b"4294967296",
        b"32769",
        b"1e400",
        b"\"\"",
        b"\"1\"",
        b"\"-inf\"",
        b"\"+inf\"",
        b"\"blue-1\"",
        b"\"\\u0000\"",
        b"\"\\ud800\"",
        b"\"\xff\xfe\"",
        b"[]",
        b"{}",
        &arrays,
        &objects,
    ];
    let mut cases = 0;
    for (name, value) in golden() {
        for path in places(&value) {
            let edits = texts.iter().map(|text| Edit::Put(text));
            for edit in edits.chain([Edit::LeaveOut, Edit::Twice, Edit::Widen, Edit::Put(&long)]) {
                damage(&name, &value, &path, edit);
                cases += 1;
            }
        }
    }
    assert!(cases > 15_000, "only {cases} cases");
}

#[test]
fn a_field_that_is_missing_or_comes_twice_is_named() {
    for (name, value) in golden().iter().filter(|(name, _)| !name.starts_with("request")) {
        for field in value.as_object().unwrap().keys() {
            let path = std::slice::from_ref(field);
            let error = read(name, &write(value, path, Edit::Twice)).expect_err(name);
            assert!(error.contains("duplicate field") && error.contains(field.as_str()), "{name}: {error}");
            // What may be missing is what may be null.
            if let Err(error) = read(name, &write(value, path, Edit::LeaveOut)) {
                assert!(error.contains(field.as_str()), "{name}: {error}");
            }
        }
    }
}

#[test]
fn a_text_of_the_store_s_bound_in_any_field_is_a_value_or_a_short_error() {
    for name in ["document-v1-proposed.json", "report-v1.json", "header-v1.json"] {
        let (_, value) = golden().into_iter().find(|file| file.0 == name).unwrap();
        let long = format!("\"{}\"", "z".repeat(BOUND - value.to_string().len() - 2));
        for path in places(&value) {
            damage(name, &value, &path, Edit::Put(long.as_bytes()));
        }
    }
}

#[test]
fn every_truncation_of_every_golden_file_is_an_error() {
    for (name, value) in golden() {
        let text = value.to_string();
        for length in 1..text.len() {
            let error = read(&name, &text.as_bytes()[..length]).expect_err(&name);
            assert!(error.len() < LONGEST);
        }
        assert_eq!(read(&name, text.as_bytes()), Ok(()), "{name}");
    }
}

proptest! {
    #[test]
    fn bytes_changed_at_random(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..8),
    ) {
        let files = golden();
        let (name, value) = which.get(&files);
        let mut bytes = value.to_string().into_bytes();
        for (index, byte, kind) in changes {
            let index = index.index(bytes.len());
            match kind {
                0 => bytes[index] = byte,
                1 => bytes.insert(index, byte),
                2 => bytes[index] = b"0123456789-+\"{}[],:eE."[usize::from(byte) % 22],
                _ => drop(bytes.remove(index)),
            }
        }
        if let Err(error) = read(name, &bytes) {
            prop_assert!(error.len() < LONGEST);
        }
    }

    #[test]
    fn a_value_of_one_file_in_the_place_of_another_s(
        files in any::<[prop::sample::Index; 2]>(),
        at in any::<[prop::sample::Index; 2]>(),
    ) {
        let all = golden();
        let ((name, value), (_, other)) = (files[0].get(&all), files[1].get(&all));
        let (places, others) = (places(value), places(other));
        let pointer: String = at[1].get(&others).iter().map(|step| format!("/{step}")).collect();
        let put = other.pointer(&pointer).unwrap().to_string();
        damage(name, value, at[0].get::<Vec<String>>(&places), Edit::Put(put.as_bytes()));
    }
}

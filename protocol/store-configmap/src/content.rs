//! From a ConfigMap to an object's bytes and version, and back.
//!
//! A ConfigMap without the object's key is an object that does not exist (yet): somebody who may create ConfigMaps made it for
//! an account that may not. The request has many keys, and is there with none of them.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};
use tidegate_store::{Keys, Notice, Object, Version};

use crate::place::{Place, key};

/// Another value with every write: a write that changes nothing would get no new resource version.
const NONCE: &str = "tidegate.io/write";

/// The longest message of an event that the server takes, in bytes.
const MESSAGE: usize = 1024;

/// What the server's versions are made of. A resource version is never used twice by one cluster's etcd; the uid tells apart
/// what was deleted and made again, also when etcd was restored from a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) resource_version: String,
    pub(crate) uid: String,
}

impl Written {
    /// `None` if the server's answer lacks them, which no server's does.
    pub(crate) fn of(metadata: &ObjectMeta) -> Option<Written> {
        let (resource_version, uid) = (metadata.resource_version.clone()?, metadata.uid.clone()?);
        Some(Written { resource_version, uid })
    }

    /// `None` for a version that is not of this kind of store.
    pub(crate) fn parse(version: &Version) -> Option<Written> {
        let (resource_version, uid) = version.as_str().split_once('-')?;
        Some(Written { resource_version: resource_version.to_owned(), uid: uid.to_owned() })
    }

    pub(crate) fn version(&self) -> Version {
        Version::new(format!("{}-{}", self.resource_version, self.uid))
    }
}

/// The bytes; `None` when the key is not there.
pub(crate) fn bytes(config_map: ConfigMap, object: &Object) -> Option<Vec<u8>> {
    let text = config_map.data.and_then(|mut data| data.remove(key(object))).map(String::into_bytes);
    text.or_else(|| config_map.binary_data.and_then(|mut data| data.remove(key(object))).map(|found| found.0))
}

/// The keys that people see. What is no text is shown as far as it is one: nobody can mean it.
pub(crate) fn keys(config_map: ConfigMap) -> Keys {
    let binary = config_map.binary_data.into_iter().flatten();
    let binary = binary.map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned()));
    config_map.data.into_iter().flatten().chain(binary).collect()
}

/// A new ConfigMap with these bytes.
pub(crate) fn create(place: &Place, object: &Object, bytes: &[u8]) -> ConfigMap {
    let (data, binary_data) = match text(bytes) {
        Some(text) => (Some([(key(object).to_owned(), text.to_owned())].into()), None),
        None => (None, Some([(key(object).to_owned(), ByteString(bytes.to_vec()))].into())),
    };
    ConfigMap { data, binary_data, ..empty(place, object) }
}

/// A new request with these keys.
pub(crate) fn create_keys(place: &Place, keys: &Keys) -> ConfigMap {
    ConfigMap { data: Some(keys.clone()), ..empty(place, &Object::Request) }
}

fn empty(place: &Place, object: &Object) -> ConfigMap {
    let metadata = ObjectMeta {
        name: Some(place.config_map(object)),
        labels: Some(place.labels()),
        annotations: Some([(NONCE.to_owned(), nonce())].into()),
        ..ObjectMeta::default()
    };
    ConfigMap { metadata, ..ConfigMap::default() }
}

/// A merge patch that puts these bytes there if the ConfigMap is still the one that was written so. It touches nothing else:
/// owner references, annotations and keys of others stay.
pub(crate) fn replace(place: &Place, object: &Object, old: &Written, bytes: &[u8]) -> Value {
    let (text, binary) = match text(bytes) {
        Some(text) => (Value::from(text), Value::Null),
        None => (Value::Null, json!(ByteString(bytes.to_vec()))),
    };
    patch(place, old, &json!({ key(object): text }), &json!({ key(object): binary }))
}

/// As [`replace`], for the keys of the request: only those that are another's or gone are touched.
pub(crate) fn replace_keys(place: &Place, old: &Written, were: Option<&Keys>, keys: &Keys) -> Value {
    let is_new = |(key, value): &(&String, &String)| were.and_then(|were| were.get(*key)) != Some(*value);
    let gone = were.into_iter().flat_map(Keys::keys).filter(|key| !keys.contains_key(*key));
    let gone: Map<String, Value> = gone.map(|key| (key.clone(), Value::Null)).collect();
    let mut data = gone.clone();
    data.extend(keys.iter().filter(is_new).map(|(key, value)| (key.clone(), value.as_str().into())));
    patch(place, old, &data.into(), &gone.into())
}

fn patch(place: &Place, old: &Written, data: &Value, binary_data: &Value) -> Value {
    json!({
        "metadata": {
            "uid": old.uid,
            "resourceVersion": old.resource_version,
            "labels": place.labels(),
            "annotations": { NONCE: nonce() },
        },
        "data": data,
        "binaryData": binary_data,
    })
}

/// Bytes that people can read. Others go as base64: in JSON a control character takes six bytes, and a request has a limit.
fn text(bytes: &[u8]) -> Option<&str> {
    let readable = |text: &&str| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    std::str::from_utf8(bytes).ok().filter(readable)
}

/// An event on the request.
pub(crate) fn event(place: &Place, request: &ObjectMeta, notice: &Notice) -> Event {
    let name = place.config_map(&Object::Request);
    let now = Time(Timestamp::now());
    Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}.")),
            labels: Some(place.labels()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("ConfigMap".to_owned()),
            name: Some(name),
            namespace: Some(place.namespace().to_owned()),
            uid: request.uid.clone(),
            ..ObjectReference::default()
        },
        reason: Some(notice.reason.clone()),
        message: Some(notice.message[..notice.message.floor_char_boundary(MESSAGE)].to_owned()),
        type_: Some(if notice.warning { "Warning" } else { "Normal" }.to_owned()),
        source: Some(EventSource { component: Some("tidegate".to_owned()), host: None }),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        count: Some(1),
        ..Event::default()
    }
}

fn nonce() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Location;

    fn place() -> Place {
        let location = Location::parse("configmap://shop/orders").expect("a URL");
        Place::new(&location, "orders").expect("a good name")
    }

    #[test]
    fn what_is_written_is_read() {
        for (value, readable) in [
            (b"".as_slice(), true),
            (b"{\n\t\"a\": \"\xc3\xa4\"\r\n}", true),
            (b"\0", false),
            (b"\x1b[0m", false),
            (b"\xff", false),
        ] {
            let made = create(&place(), &Object::Document, value);
            assert_eq!(made.data.is_some(), readable, "{value:?}");
            assert_ne!(made.data.is_some(), made.binary_data.is_some());
            assert_eq!(bytes(made, &Object::Document).as_deref(), Some(value));
        }
    }

    #[test]
    fn of_the_request_only_what_changes_is_touched() {
        let of = |pairs: &[(&str, &str)]| -> Keys {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let made = create_keys(&place(), &of(&[("promote", "now"), ("pause", "true")]));
        assert_eq!(keys(made), of(&[("promote", "now"), ("pause", "true")]));
        let old = Written::parse(&Version::new("17-6f1c-22")).expect("a version");
        let were = of(&[("promote", "now"), ("pause", "true"), ("status", "a")]);
        let next = of(&[("pause", "true"), ("status", "b"), ("taken", "c")]);
        let patch = replace_keys(&place(), &old, Some(&were), &next);
        assert_eq!(patch["data"], json!({ "promote": null, "status": "b", "taken": "c" }));
        assert_eq!(patch["binaryData"], json!({ "promote": null }));
        assert_eq!(patch["metadata"]["resourceVersion"], "17");
        let beside = replace_keys(&place(), &old, None, &of(&[("status", "b")]));
        assert_eq!((&beside["data"], &beside["binaryData"]), (&json!({ "status": "b" }), &json!({})));
    }

    #[test]
    fn a_config_map_without_the_key_is_no_object() {
        let mut made = create(&place(), &Object::Document, b"{}");
        assert_eq!(bytes(made.clone(), &Object::Request), None);
        (made.data, made.binary_data) = (None, None);
        assert_eq!(bytes(made, &Object::Document), None);
    }

    #[test]
    fn a_replacement_is_bound_to_one_write_and_clears_the_other_form() {
        let old = Written::parse(&Version::new("17-6f1c-22")).expect("a version");
        assert_eq!((old.resource_version.as_str(), old.uid.as_str()), ("17", "6f1c-22"));
        assert_eq!(old.version().as_str(), "17-6f1c-22");
        let patch = replace(&place(), &Object::Document, &old, b"\0");
        assert_eq!(patch["metadata"]["resourceVersion"], "17");
        assert_eq!(patch["metadata"]["uid"], "6f1c-22");
        assert_eq!(patch["data"], json!({ "document.json": null }));
        assert_eq!(patch["binaryData"], json!({ "document.json": "AA==" }));
        let again = replace(&place(), &Object::Document, &old, b"\0");
        assert_ne!(patch["metadata"]["annotations"], again["metadata"]["annotations"]);
        assert_eq!(Written::parse(&Version::new("of another store")), None);
    }
}

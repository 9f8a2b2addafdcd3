//! Laws of one object, and of objects beside each other.

use std::collections::HashSet;

use super::{Clients, Law};
use crate::{Error, MAX_OBJECT_BYTES, Object, Version};

/// What was never written does not exist, and reading does not make it so.
pub async fn read_of_nothing(clients: &impl Clients) {
    let law = Law("read-of-nothing");
    for _ in 0..2 {
        let store = law.client(clients).await;
        for object in law.objects() {
            law.holds(law.read(&store, &object).await.is_none(), format_args!("{object} is there"));
        }
        law.holds(law.slots(&store).await.is_empty(), "there are reports");
    }
}

/// What was created is there, with the version that the writer was told.
pub async fn create(clients: &impl Clients) {
    let law = Law("create");
    let store = law.client(clients).await;
    for object in law.objects() {
        let version = law.write(&store, &object, None, "one").await;
        let stored = law.get(&store, &object).await;
        law.holds(stored.bytes == b"one", format_args!("{object} has other bytes"));
        law.holds(
            stored.version == version,
            format_args!("{object} has another version than its writer was told"),
        );
        let again = law.get(&store, &object).await;
        law.holds(again == stored, format_args!("{object} changed without a write"));
    }
}

/// A second creation loses, from any client, and changes nothing.
pub async fn create_twice_conflicts(clients: &impl Clients) {
    let law = Law("create-twice-conflicts");
    let (first, second) = (law.client(clients).await, law.client(clients).await);
    for object in law.objects() {
        law.write(&first, &object, None, "first").await;
        let before = law.get(&first, &object).await;
        law.conflict(&first, &object, None, b"second").await;
        law.conflict(&second, &object, None, b"first").await;
        law.holds(law.get(&second, &object).await == before, format_args!("{object} was changed by a loser"));
    }
}

/// A write over the version that is there replaces the bytes and the version.
pub async fn update(clients: &impl Clients) {
    let law = Law("update");
    let store = law.client(clients).await;
    for object in law.objects() {
        let mut version = law.write(&store, &object, None, "a long first value").await;
        for bytes in ["two", "", "a longer value than all the others before"] {
            let next = law.write(&store, &object, Some(&version), bytes).await;
            law.holds(next != version, format_args!("{object} kept its version over a write"));
            let stored = law.get(&store, &object).await;
            law.holds(stored.bytes == bytes.as_bytes(), format_args!("{object} is not what was written"));
            law.holds(stored.version == next, format_args!("{object} has another version than told"));
            version = next;
        }
    }
}

/// A write over an older version loses, and changes nothing.
pub async fn stale_version_conflicts(clients: &impl Clients) {
    let law = Law("stale-version-conflicts");
    let (ours, theirs) = (law.client(clients).await, law.client(clients).await);
    for object in law.objects() {
        let stale = law.write(&ours, &object, None, "one").await;
        law.write(&theirs, &object, Some(&stale), "two").await;
        let before = law.get(&ours, &object).await;
        for store in [&ours, &theirs] {
            law.conflict(store, &object, Some(&stale), b"three").await;
        }
        law.holds(law.get(&ours, &object).await == before, format_args!("{object} was changed by a loser"));
    }
}

/// A write over a version of what does not exist loses, and creates nothing.
pub async fn unexpected_absence_conflicts(clients: &impl Clients) {
    let law = Law("unexpected-absence-conflicts");
    let store = law.client(clients).await;
    let other = law.client_of(clients, "unexpected-absence-elsewhere").await;
    for object in law.objects() {
        let version = law.write(&other, &object, None, "one").await;
        law.conflict(&store, &object, Some(&version), b"two").await;
        law.holds(law.read(&store, &object).await.is_none(), format_args!("{object} was created"));
        law.holds(law.slots(&store).await.is_empty(), "a report was created");
    }
}

/// No version comes twice, whatever the bytes (ABA): also not in quick writes of the same bytes.
pub async fn same_bytes_are_another_version(clients: &impl Clients) {
    let law = Law("same-bytes-are-another-version");
    let (store, reader) = (law.client(clients).await, law.client(clients).await);
    let object = Object::Document;
    let first = law.write(&store, &object, None, "a").await;
    let mut seen = HashSet::from([first.clone()]);
    let mut version = first.clone();
    for bytes in ["a", "a", "b", "a"].into_iter().cycle().take(60) {
        version = law.write(&store, &object, Some(&version), bytes).await;
        law.holds(seen.insert(version.clone()), format_args!("the version {version} came again"));
        let stored = law.get(&reader, &object).await;
        law.holds(stored.version == version, "a reader sees another version than the writer was told");
    }
    law.conflict(&store, &object, Some(&first), b"c").await;
}

/// A read that starts after a write has ended sees it, from whichever client.
pub async fn reads_see_other_clients_writes(clients: &impl Clients) {
    let law = Law("reads-see-other-clients-writes");
    let stores = [law.client(clients).await, law.client(clients).await, law.client(clients).await];
    for object in law.objects() {
        let mut version = None;
        for round in 0..12 {
            let bytes = format!("round {round}");
            let writer = &stores[round % stores.len()];
            version = Some(law.write(writer, &object, version.as_ref(), &bytes).await);
            for reader in &stores {
                let stored = law.get(reader, &object).await;
                law.holds(stored.bytes == bytes.as_bytes(), format_args!("{object}: an old value was read"));
                law.holds(Some(stored.version) == version, format_args!("{object}: an old version was read"));
            }
        }
    }
}

/// Bytes are not interpreted: none, zeros, line ends, no UTF-8.
pub async fn binary_and_empty_values(clients: &impl Clients) {
    let law = Law("binary-and-empty-values");
    let (store, reader) = (law.client(clients).await, law.client(clients).await);
    let every_byte: Vec<u8> = (0..=255).collect();
    let values: [&[u8]; 6] = [b"", b"\0", b"\r\n \n", b"\xff\xfe\x80", &every_byte, b""];
    for object in law.objects() {
        let mut version = None;
        for value in values {
            version = Some(law.write(&store, &object, version.as_ref(), value).await);
            let read = law.get(&reader, &object).await.bytes;
            law.holds(read == value, format_args!("{object}: {value:?} came back as {read:?}"));
        }
    }
}

/// [`MAX_OBJECT_BYTES`] are taken; one more is refused, says the limit, and changes nothing.
pub async fn size_bound(clients: &impl Clients) {
    let law = Law("size-bound");
    let (store, reader) = (law.client(clients).await, law.client(clients).await);
    let too_large = vec![0x80; MAX_OBJECT_BYTES + 1];
    let largest = &too_large[1..];
    let refused = async |object: &Object, expected: Option<&Version>| match law
        .attempt(&store, object, expected, &too_large)
        .await
    {
        Err(error @ Error::TooLarge { limit, .. }) => {
            law.holds(limit == MAX_OBJECT_BYTES as u64, format_args!("another limit: {error}"));
        }
        Err(error) => law.broken(format_args!("too large: {error}")),
        Ok(_) => law.broken("an object over the limit was taken"),
    };
    for object in law.objects() {
        refused(&object, None).await;
        law.holds(law.read(&reader, &object).await.is_none(), "a refused creation created");
        let version = law.write(&store, &object, None, largest).await;
        refused(&object, Some(&version)).await;
        let stored = law.get(&reader, &object).await;
        law.holds(stored.bytes == largest, format_args!("{object}: the largest value came back changed"));
        law.holds(stored.version == version, format_args!("{object} was changed by a refused write"));
    }
}

/// A write of one object shows in no other, and a version of one is none of another.
pub async fn objects_are_independent(clients: &impl Clients) {
    let law = Law("objects-are-independent");
    let store = law.client(clients).await;
    let mut objects = law.objects().to_vec();
    objects.push(Object::Report(law.slot("blue-10")));
    let mut versions = Vec::new();
    for object in &objects {
        law.holds(
            law.read(&store, object).await.is_none(),
            format_args!("{object} came with another object"),
        );
        versions.push(law.write(&store, object, None, object.to_string()).await);
    }
    for (i, object) in objects.iter().enumerate() {
        versions[i] = law.write(&store, object, Some(&versions[i]), format!("{object} again")).await;
        for (other, version) in objects.iter().zip(&versions) {
            let stored = law.get(&store, other).await;
            law.holds(stored.version == *version, format_args!("a write of {object} changed {other}"));
            law.holds(stored.bytes.starts_with(other.to_string().as_bytes()), "bytes of another object");
        }
    }
}

/// Nor in another rollout of the same store, also if one name begins with the other.
pub async fn rollouts_are_independent(clients: &impl Clients) {
    let law = Law("rollouts-are-independent");
    let ours = law.client(clients).await;
    let theirs = law.client_of(clients, "rollouts-are-independent-2").await;
    for object in law.objects() {
        law.write(&ours, &object, None, "ours").await;
        law.holds(
            law.read(&theirs, &object).await.is_none(),
            format_args!("{object} is in another rollout too"),
        );
    }
    law.holds(law.slots(&theirs).await.is_empty(), "there are reports of another rollout");
}

/// `reports` lists each slot once, in ascending order, and nothing else.
pub async fn reports_lists_slots(clients: &impl Clients) {
    let law = Law("reports-lists-slots");
    let (store, reader) = (law.client(clients).await, law.client(clients).await);
    law.write(&store, &Object::Document, None, "{}").await;
    law.write(&store, &Object::Request, None, "{}").await;
    law.holds(law.slots(&reader).await.is_empty(), "a document or request is listed as a report");
    let mut expected = Vec::new();
    for name in ["green-2", "blue-1", "blue-10", "0"] {
        let slot = law.slot(name);
        let object = Object::Report(slot.clone());
        let version = law.write(&store, &object, None, "{}").await;
        law.write(&store, &object, Some(&version), "{ }").await;
        expected.push(slot);
        expected.sort();
        let listed = law.slots(&reader).await;
        law.holds(listed == expected, format_args!("listed {listed:?}, expected {expected:?}"));
    }
}

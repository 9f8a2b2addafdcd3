//! Laws of the request's keys.

use std::sync::Arc;

use super::{Clients, Law};
use crate::{Error, Keys, Object, Sheet, Store};

/// The keys are what was written, and those that were left out are gone; each write has one winner, and is another version
/// also when it changes nothing.
pub async fn keys_are_replaced_as_a_whole(clients: &impl Clients) {
    let law = Law("keys-are-replaced-as-a-whole");
    let (ours, theirs) = (law.client(clients).await, law.client(clients).await);
    let nothing = law.sheet(&ours).await;
    law.holds(nothing.version.is_none() || nothing.keys == Ok(Keys::new()), "there are keys already");
    let mut old = nothing.clone();
    for text in [
        "promote=now to=green-2 pause=true",
        "pause=true taken={\"id\":\"1\"} status=a:_'b'",
        "",
        "promote=now",
    ] {
        let keys = keys(text);
        let version = match law.in_time("a write of keys", ours.write_sheet(&old, &keys)).await {
            Ok(version) => version,
            Err(error) => law.broken(format_args!("write of keys: {error}")),
        };
        let new = law.sheet(&theirs).await;
        law.holds(new.version == Some(version), "the keys have another version than told");
        law.holds(new.keys.as_ref() == Ok(&keys), format_args!("{:?} is not {keys:?}", new.keys));
        for (store, stale) in [(&ours, &old), (&theirs, &nothing)] {
            law.loses(store, stale).await;
        }
        law.holds(law.sheet(&ours).await == new, "keys were changed by a loser");
        old = new;
    }
    let same = keys("promote=now");
    if let Err(error) = law.in_time("a write of keys", ours.write_sheet(&old, &same)).await {
        law.broken(format_args!("write of the same keys: {error}"));
    }
    law.loses(&theirs, &old).await;
}

impl Law {
    async fn sheet(self, store: &Arc<dyn Store>) -> Sheet {
        match self.in_time("a read of keys", store.read_sheet()).await {
            Ok(sheet) => sheet,
            Err(error) => self.broken(format_args!("read of keys: {error}")),
        }
    }

    async fn loses(self, store: &Arc<dyn Store>, stale: &Sheet) {
        let other = keys("abort=true");
        match self.in_time("a write of keys", store.write_sheet(stale, &other)).await {
            Err(Error::Conflict { object: Object::Request, .. }) => {}
            Ok(_) => self.broken("keys were written over a version that was not read"),
            Err(error) => self.broken(format_args!("expected a conflict on keys, got: {error}")),
        }
    }
}

/// `key=value` apart by blanks; `_` is a blank in a value.
fn keys(text: &str) -> Keys {
    let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.replace('_', " "))).collect()
}

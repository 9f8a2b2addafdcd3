//! Laws of hints. A hint may come without a change, so a law never counts them: it changes something, reads at hints only, and
//! fails when none comes after the change.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::{Clients, Law};
use crate::{Error, Object, Store, Version, Watch};

/// Enough that hints which are left over from earlier changes cannot stand for the later ones.
const ROUNDS: usize = 12;

/// Each change of each object by another client, one after the other.
pub async fn every_change_is_hinted(clients: &impl Clients) {
    let law = Law("every-change-is-hinted");
    let (ours, theirs) = (law.client(clients).await, law.client(clients).await);
    let mut watch = ours.watch();
    for object in law.objects() {
        let mut version = None;
        for round in 0..ROUNDS {
            let bytes = format!("round {round}");
            version = Some(law.write(&theirs, &object, version.as_ref(), &bytes).await);
            law.hinted(&ours, &mut watch, &object, bytes.as_bytes()).await;
        }
    }
    // The same bytes again are a change too; and so is a report in a new slot.
    let before = law.get(&ours, &Object::Document).await;
    law.write(&theirs, &Object::Document, Some(&before.version), &before.bytes).await;
    loop {
        law.hint(&mut watch, "the same bytes again").await;
        if law.get(&ours, &Object::Document).await != before {
            break;
        }
    }
    let slot = law.slot("green-1");
    law.write(&theirs, &Object::Report(slot.clone()), None, "{}").await;
    loop {
        law.hint(&mut watch, "a new slot").await;
        if law.slots(&ours).await.contains(&slot) {
            break;
        }
    }
}

/// A change that is made before the watch could have begun to work.
pub async fn hinted_right_after_watch(clients: &impl Clients) {
    let law = Law("hinted-right-after-watch");
    let (ours, theirs) = (law.client(clients).await, law.client(clients).await);
    let mut version = None;
    for round in 0..ROUNDS {
        let bytes = format!("round {round}");
        let mut watch = ours.watch();
        version = Some(law.write(&theirs, &Object::Request, version.as_ref(), &bytes).await);
        law.hinted(&ours, &mut watch, &Object::Request, bytes.as_bytes()).await;
    }
}

/// Watches of one client and of many, also of the client that writes; one being dropped stops no other.
pub async fn every_watcher_is_hinted(clients: &impl Clients) {
    let law = Law("every-watcher-is-hinted");
    let (ours, theirs) = (law.client(clients).await, law.client(clients).await);
    let mut watches = [(&ours, ours.watch()), (&ours, ours.watch()), (&theirs, theirs.watch())];
    let mut version = None;
    for round in 0..ROUNDS {
        drop(ours.watch());
        let bytes = format!("round {round}");
        version = Some(law.write(&theirs, &Object::Document, version.as_ref(), &bytes).await);
        for (store, watch) in &mut watches {
            law.hinted(store, watch, &Object::Document, bytes.as_bytes()).await;
        }
    }
}

/// Changes faster than anybody reads: the hints may be merged, but the last state is read in the end.
pub async fn last_of_many_changes_is_seen(clients: &impl Clients) {
    let law = Law("last-of-many-changes-is-seen");
    let (ours, theirs) = (law.client(clients).await, law.client(clients).await);
    let mut watch = ours.watch();
    let writer = tokio::spawn(write_many(law, theirs));
    law.hinted(&ours, &mut watch, &Object::Document, b"last").await;
    if let Err(failed) = writer.await {
        std::panic::resume_unwind(failed.into_panic());
    }
}

async fn write_many(law: Law, store: Arc<dyn Store>) {
    let mut version: Option<Version> = None;
    for i in 0..100 {
        version = Some(law.write(&store, &Object::Document, version.as_ref(), i.to_string()).await);
    }
    law.write(&store, &Object::Document, version.as_ref(), "last").await;
}

/// A caller that waits for several things drops the wait for a hint all the time. A hint that was delivered was acted on; one
/// that was not must come again.
pub async fn dropped_waits_lose_no_hint(clients: &impl Clients) {
    let law = Law("dropped-waits-lose-no-hint");
    let (ours, theirs) = (law.client(clients).await, law.client(clients).await);
    let mut watch = ours.watch();
    let mut version = None;
    for round in 0..ROUNDS {
        let bytes = format!("round {round}");
        for _ in 0..3 {
            polled_once(&mut watch).await;
        }
        version = Some(law.write(&theirs, &Object::Document, version.as_ref(), &bytes).await);
        let mut seen = false;
        for _ in 0..3 {
            seen |= polled_once(&mut watch).await
                && law.get(&ours, &Object::Document).await.bytes == bytes.as_bytes();
        }
        if !seen {
            law.hinted(&ours, &mut watch, &Object::Document, bytes.as_bytes()).await;
        }
    }
}

/// Waits for a hint just as long as one poll takes.
async fn polled_once(watch: &mut Watch) -> bool {
    let hinted = {
        let mut wait = pin!(watch.changed());
        poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_ready())).await
    };
    tokio::task::yield_now().await;
    hinted
}

/// Who waits for a hint of a store that was dropped is told, and told again.
pub async fn watch_ends_with_the_store(clients: &impl Clients) {
    let law = Law("watch-ends-with-the-store");
    let store = law.client(clients).await;
    let mut watch = store.watch();
    law.write(&store, &Object::Document, None, "{}").await;
    law.hint(&mut watch, "the first change").await;
    drop(store);
    let mut ends = 0;
    while ends < 2 {
        match law.in_time("the end of the watch", watch.changed()).await {
            Ok(()) if ends == 0 => {}
            Err(Error::Closed) => ends += 1,
            other => law.broken(format_args!("not the end of the watch: {other:?}")),
        }
    }
}

//! Laws of many writers at once.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Clients, Law};
use crate::{Error, Object, Store, Version};

const WRITERS: usize = 8;
const INCREMENTS: usize = 15;

/// Of many who create, one succeeds, and its bytes are there.
pub async fn racing_creations_have_one_winner(clients: &impl Clients) {
    let law = Law("racing-creations-have-one-winner");
    for round in 0..10 {
        let object = Object::Report(law.slot(&format!("blue-{round}")));
        let mut racers = Vec::new();
        for writer in 0..WRITERS {
            let (store, object) = (law.client(clients).await, object.clone());
            racers.push(tokio::spawn(async move {
                let bytes = writer.to_string();
                match law.attempt(&store, &object, None, bytes.as_bytes()).await {
                    Ok(version) => Some((version, bytes)),
                    Err(error) if law.is_conflict(&error, &object) => None,
                    Err(error) => law.broken(format_args!("creation of {object}: {error}")),
                }
            }));
        }
        let mut winners = Vec::new();
        for racer in racers {
            winners.extend(joined(racer).await);
        }
        law.holds(winners.len() == 1, format_args!("{} writers created {object}", winners.len()));
        let stored = law.get(&law.client(clients).await, &object).await;
        let (version, bytes) = &winners[0];
        law.holds(
            stored.version == *version && stored.bytes == bytes.as_bytes(),
            format_args!("{object} is not the winner's"),
        );
    }
}

/// Many tasks over several clients increment a number: each version is replaced by one writer, and no increment is lost.
pub async fn racing_increments_lose_nothing(clients: &impl Clients) {
    let law = Law("racing-increments-lose-nothing");
    let stores = [law.client(clients).await, law.client(clients).await, law.client(clients).await];
    law.write(&stores[0], &Object::Document, None, "0").await;
    let racers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(increment(law, Arc::clone(&stores[writer % stores.len()]))))
        .collect();
    let mut replaced = HashSet::new();
    for racer in racers {
        for version in joined(racer).await {
            law.holds(
                replaced.insert(version.clone()),
                format_args!("two writers replaced the version {version}"),
            );
        }
    }
    let total = number(law, &law.get(&stores[1], &Object::Document).await.bytes);
    let expected = WRITERS * INCREMENTS;
    law.holds(total == expected, format_args!("{expected} increments were told done, the number is {total}"));
}

/// The versions that this writer replaced.
async fn increment(law: Law, store: Arc<dyn Store>) -> Vec<Version> {
    let mut replaced = Vec::new();
    while replaced.len() < INCREMENTS {
        let old = law.get(&store, &Object::Document).await;
        let next = (number(law, &old.bytes) + 1).to_string();
        match law.attempt(&store, &Object::Document, Some(&old.version), next.as_bytes()).await {
            Ok(_) => replaced.push(old.version),
            Err(error @ Error::Conflict { .. }) => {
                law.is_conflict(&error, &Object::Document);
            }
            Err(error) => law.broken(format_args!("increment: {error}")),
        }
    }
    replaced
}

fn number(law: Law, bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    text.parse().unwrap_or_else(|_| law.broken(format_args!("read {text:?}, which nobody wrote")))
}

async fn joined<T>(task: tokio::task::JoinHandle<T>) -> T {
    match task.await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

//! From what people edit to requests: each edit is taken once, each taken request is answered once.
//!
//! People write keys (`promote`, `abort`, …) into one object. A key that stands there is a level, and the object changes for
//! many reasons; a request is an edge. So an edit is *taken*: one compare-and-set removes its keys and puts the request,
//! with an id of its own, into the key `taken`. Only what was taken is put to the conductor, whose document records the id of
//! what it answered last. A taken request also names the answer that it came after: one that comes back with an older
//! copy of the object is recognised by that, for what was answered after it is not what it names.
//!
//! What cannot be read is not taken: it stays where it is until it is mended. Nothing here reads a clock or a store.

mod keys;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::conductor::Asked;
use crate::document::Answer;
use crate::request::{Refusal, Request};
pub use keys::Keys;
use keys::{ABORT, AFTER, HAND_OVER, ID, PAUSE, PROMOTE, STATUS, TAKEN, TO};
pub use status::{Look, Phase, Status, status};

/// What people write; all of it goes when it is taken.
const ASKED: [&str; 5] = [PROMOTE, TO, HAND_OVER, ABORT, ID];

/// What is to be done about an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing new is asked for.
    Rest,
    /// These keys belong in the place of those that were read; then look again.
    Put(Keys),
    /// This has been taken and is to be answered.
    Answer(Asked),
    /// It cannot be taken as it is, and stays until somebody mends it.
    Mend(Refusal),
}

/// A taken request.
struct Taken {
    asked: Asked,
    after: Option<String>,
}

/// Whose turn it is. `last` is the document's last answer, `fresh` an id that nobody has used.
pub fn turn(keys: &Keys, last: Option<&Answer>, fresh: &str) -> Turn {
    let last = last.map(|answer| answer.request.as_str());
    let mut is_old_copy = false;
    if let Some(Taken { asked, after }) = taken(keys)
        && last != Some(asked.id.as_str())
    {
        if after.as_deref() == last {
            return Turn::Answer(asked);
        }
        is_old_copy = true;
    }
    match keys::request(keys) {
        Err(refusal) => Turn::Mend(refusal),
        Ok(Some(_)) if is_old_copy => Turn::Mend(Refusal::OldCopy),
        Ok(None) if is_old_copy => Turn::Put(without(keys, &[TAKEN])),
        Ok(None) => Turn::Rest,
        Ok(Some(_)) if keys.get(ID).is_some_and(|id| last == Some(id.trim())) => {
            Turn::Put(without(keys, &ASKED))
        }
        Ok(Some(request)) => {
            let id = keys.get(ID).map_or(fresh, |id| id.trim());
            Turn::Put(take(keys, id, last, &request))
        }
    }
}

/// Whether people have paused the rollout. What cannot be read is no pause.
pub fn is_paused(keys: &Keys) -> bool {
    keys::paused(keys).unwrap_or(false)
}

/// What is asked for as the rollout begins is older than it, and never fires: the keys without it and the id of what was
/// forgotten, or `None` if there is nothing of that kind.
pub fn forget(keys: &Keys, fresh: &str) -> Option<(Keys, String)> {
    let named = || keys.get(ID).filter(|_| keys::check_id(keys).is_ok());
    let id = taken(keys).map(|taken| taken.asked.id).or_else(|| named().cloned());
    let asks = [PROMOTE, ABORT, TAKEN].iter().any(|key| keys.contains_key(*key));
    asks.then(|| {
        let (mut left, id) = (without(keys, &ASKED), id.unwrap_or_else(|| fresh.to_owned()));
        left.remove(TAKEN);
        (left, id)
    })
}

/// The keys with a request of one's own in the place of what is asked for and was not taken yet.
pub fn ask(keys: &Keys, request: &Request, id: &str) -> Result<Keys, Refusal> {
    keys::request(keys)?;
    let mut asked = without(keys, &ASKED);
    asked.extend(keys::write(request));
    asked.insert(ID.to_owned(), id.to_owned());
    Ok(asked)
}

/// The keys with or without a pause.
pub fn pause(keys: &Keys, paused: bool) -> Keys {
    let mut next = without(keys, &[PAUSE]);
    if paused {
        next.insert(PAUSE.to_owned(), "true".to_owned());
    }
    next
}

/// The keys with this sentence.
pub fn tell(keys: &Keys, sentence: &str) -> Keys {
    let mut next = keys.clone();
    next.insert(STATUS.to_owned(), sentence.to_owned());
    next
}

/// The sentence that stands there.
pub fn told(keys: &Keys) -> Option<&str> {
    keys.get(STATUS).map(String::as_str)
}

/// Whether a request is there still, taken or not.
pub fn holds(keys: &Keys, id: &str) -> bool {
    keys.get(ID).is_some_and(|own| own == id) || taken(keys).is_some_and(|taken| taken.asked.id == id)
}

/// The ids of the requests that are there, first the one that is not taken yet.
pub fn ids(keys: &Keys) -> Vec<String> {
    let asks = [PROMOTE, ABORT].iter().any(|key| keys.contains_key(*key));
    let untaken = keys.get(ID).filter(|_| asks).map(|id| id.trim().to_owned());
    untaken.into_iter().chain(taken(keys).map(|taken| taken.asked.id)).collect()
}

/// The keys without a request, taken or not.
pub fn withdraw(keys: &Keys, id: &str) -> Keys {
    let mut left =
        if keys.get(ID).is_some_and(|own| own == id) { without(keys, &ASKED) } else { keys.clone() };
    if taken(keys).is_some_and(|taken| taken.asked.id == id) {
        left.remove(TAKEN);
    }
    left
}

fn without(keys: &Keys, gone: &[&str]) -> Keys {
    keys.iter()
        .filter(|(key, _)| !gone.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn take(keys: &Keys, id: &str, after: Option<&str>, request: &Request) -> Keys {
    let mut taken = keys::write(request);
    taken.insert(ID.to_owned(), id.to_owned());
    taken.extend(after.map(|after| (AFTER.to_owned(), after.to_owned())));
    let mut next = without(keys, &ASKED);
    next.insert(TAKEN.to_owned(), keys::line(&taken));
    next
}

/// `None` also for what is none: somebody has removed or damaged it, and so withdrawn it.
fn taken(keys: &Keys) -> Option<Taken> {
    let mut taken: BTreeMap<String, String> = keys::of_line(keys.get(TAKEN)?)?;
    let after = taken.remove(AFTER);
    let request = keys::request(&taken).ok()??;
    let id = taken.remove(ID)?;
    Some(Taken { asked: Asked { id, request }, after })
}

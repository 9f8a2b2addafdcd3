//! A part of a state that many states have in common: cheap to copy, hashed once.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use ahash::RandomState;

/// An immutable value with its fingerprint. Equality is equality of fingerprints, as between the states of the checker.
pub(crate) struct Shared<T>(Arc<(u64, T)>);

/// The same in every run and on every machine, so that a count of states can be repeated.
const SEEDS: (u64, u64, u64, u64) = (0x7469_6465, 0x6761_7465, 0x6d6f_6465, 0x6c73);

impl<T: Hash> Shared<T> {
    pub(crate) fn new(value: T) -> Shared<T> {
        let hash = RandomState::with_seeds(SEEDS.0, SEEDS.1, SEEDS.2, SEEDS.3).hash_one(&value);
        Shared(Arc::new((hash, value)))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.1
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared(Arc::clone(&self.0))
    }
}

impl<T> PartialEq for Shared<T> {
    fn eq(&self, other: &Shared<T>) -> bool {
        self.0.0 == other.0.0
    }
}

impl<T> Eq for Shared<T> {}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.0);
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.1.fmt(f)
    }
}

/// A part of a state that is copied when it is changed, and not before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Own<T>(Arc<T>);

impl<T> Own<T> {
    pub(crate) fn new(value: T) -> Own<T> {
        Own(Arc::new(value))
    }
}

impl<T> Deref for Own<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Own<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

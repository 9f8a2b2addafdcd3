//! Handles: numbers that stand for objects on the other side of a bridge.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use crate::Error;

/// Open objects by their handle. Handles are never used twice, so one that was closed stays invalid.
#[derive(Debug)]
pub struct Registry<T>(Mutex<Handles<T>>);

#[derive(Debug)]
struct Handles<T> {
    last: i64,
    open: BTreeMap<i64, Arc<T>>,
}

impl<T> Registry<T> {
    /// An empty one.
    pub const fn new() -> Registry<T> {
        Registry(Mutex::new(Handles { last: 0, open: BTreeMap::new() }))
    }

    /// Opens a handle, never 0.
    pub fn open(&self, object: T) -> i64 {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handles.last += 1;
        let handle = handles.last;
        handles.open.insert(handle, Arc::new(object));
        handle
    }

    /// The object behind a handle.
    pub fn get(&self, handle: i64) -> Result<Arc<T>, Error> {
        let handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handles.open.get(&handle).cloned().ok_or(Error::Closed(handle))
    }

    /// Closes a handle; without effect when it is not open.
    pub fn close(&self, handle: i64) -> Option<Arc<T>> {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handles.open.remove(&handle)
    }
}

impl<T> Default for Registry<T> {
    fn default() -> Registry<T> {
        Registry::new()
    }
}

impl<T> Registry<Mutex<T>> {
    /// Does something with the object behind a handle, which no other thread may be using. After a panic the object is
    /// not trusted any more.
    pub fn with<R>(&self, handle: i64, call: impl FnOnce(&mut T) -> Result<R, Error>) -> Result<R, Error> {
        let object = self.get(handle)?;
        match object.try_lock() {
            Ok(mut object) => call(&mut object),
            Err(TryLockError::WouldBlock) => Err(Error::Busy(handle)),
            Err(TryLockError::Poisoned(_)) => Err(Error::Closed(handle)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_handle_stays_closed_and_closing_twice_is_nothing() {
        let registry = Registry::new();
        let first = registry.open(Mutex::new(1));
        assert!(registry.close(first).is_some());
        assert!(registry.close(first).is_none());
        let second = registry.open(Mutex::new(2));
        assert_ne!(first, second);
        assert!(matches!(registry.with(first, |_| Ok(())), Err(Error::Closed(handle)) if handle == first));
        assert_eq!(registry.with(second, |value| Ok(*value)).unwrap(), 2);
    }

    #[test]
    fn a_handle_in_use_is_busy() {
        let registry = Registry::new();
        let handle = registry.open(Mutex::new(0));
        let inner = registry.with(handle, |_| Ok(registry.with(handle, |_| Ok(()))));
        assert!(matches!(inner, Ok(Err(Error::Busy(_)))));
    }
}

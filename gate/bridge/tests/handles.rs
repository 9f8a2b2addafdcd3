//! Handles that are used after they were closed, closed twice, used by two threads at once, or were never opened. Nothing here
//! needs a file or a clock, so all of it runs under Miri too.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use tidegate_bridge::Error;
use tidegate_bridge::registry::Registry;

#[test]
fn after_a_panic_a_handle_is_not_trusted_any_more() {
    let registry = Registry::new();
    let handle = registry.open(Mutex::new(1));
    let broken = catch_unwind(AssertUnwindSafe(|| {
        registry.with(handle, |_| -> Result<(), Error> { panic!("a bug") })
    }));
    assert!(broken.is_err());
    assert!(matches!(registry.with(handle, |_| Ok(())), Err(Error::Closed(closed)) if closed == handle));
    assert!(registry.close(handle).is_some());
}

#[test]
fn a_handle_that_is_closed_in_use_lives_until_the_call_ends() {
    let registry = Registry::new();
    let handle = registry.open(Mutex::new(1));
    let seen = registry.with(handle, |value| {
        assert!(registry.close(handle).is_some());
        assert!(registry.get(handle).is_err());
        Ok(*value)
    });
    assert_eq!(seen.unwrap(), 1);
    for never in [0, -1, i64::MAX, i64::MIN, handle, handle + 1] {
        assert!(matches!(registry.with(never, |_| Ok(())), Err(Error::Closed(_))));
        assert!(registry.close(never).is_none());
    }
}

#[test]
fn two_threads_never_have_one_object_and_the_second_one_is_told_so() {
    let registry = Arc::new(Registry::new());
    let handle = registry.open(Mutex::new(()));
    let inside = Arc::new(Barrier::new(2));
    let user = std::thread::spawn({
        let (registry, inside) = (Arc::clone(&registry), Arc::clone(&inside));
        move || {
            registry.with(handle, |()| {
                inside.wait(); // the other thread may try now
                inside.wait(); // it has tried
                Ok(())
            })
        }
    });
    inside.wait();
    let told = registry.with(handle, |()| Ok(())).unwrap_err().to_string();
    assert!(told.starts_with(&format!("HandleBusy: handle {handle}")), "{told}");
    inside.wait();
    user.join().unwrap().unwrap();
    registry.with(handle, |()| Ok(())).unwrap();
}

/// Counts how often it was dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn of_many_threads_that_use_and_close_one_handle_exactly_one_closes_it() {
    const THREADS: usize = 4;
    let rounds = if cfg!(miri) { 5 } else { 500 };
    let (registry, dropped) = (Arc::new(Registry::new()), Arc::new(AtomicUsize::new(0)));
    for round in 1..=rounds {
        let handle = registry.open(Mutex::new(Counted(Arc::clone(&dropped))));
        let start = Arc::new(Barrier::new(THREADS));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (registry, start) = (Arc::clone(&registry), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    match registry.with(handle, |_| Ok(())) {
                        Ok(()) | Err(Error::Busy(_) | Error::Closed(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                    registry.close(handle).is_some()
                })
            })
            .collect();
        let closers: usize = threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum();
        assert_eq!(closers, 1);
        assert_eq!(dropped.load(Ordering::Relaxed), round, "dropped once, by whoever had it last");
        assert!(matches!(registry.with(handle, |_| Ok(())), Err(Error::Closed(_))));
    }
}

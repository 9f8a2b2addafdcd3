//! Addresses: all of 127.0.0.0/8 is this machine, so each pod gets one of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// Held as long as the addresses are used, so that two stand-ins of one machine never share them.
const LOCK_PORT: u16 = 19_999;

/// 127.n.0.0/16 for one n.
#[derive(Debug)]
pub(super) struct Network {
    number: u8,
    next: AtomicU16,
    _lock: TcpListener,
}

impl Network {
    pub(super) fn take() -> Result<Self> {
        for number in 1..=250 {
            if let Ok(lock) = TcpListener::bind((Ipv4Addr::new(127, number, 0, 1), LOCK_PORT)) {
                return Ok(Self { number, next: AtomicU16::new(2), _lock: lock });
            }
        }
        bail!("no network of 127.0.0.0/8 is free")
    }

    /// An address that no pod has had.
    pub(super) fn address(&self) -> Ipv4Addr {
        let [high, low] = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Ipv4Addr::new(127, self.number, high, low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_is_given_twice() {
        let (one, other) = (Network::take().unwrap(), Network::take().unwrap());
        let addresses = [one.address(), one.address(), other.address(), other.address()];
        let distinct: std::collections::BTreeSet<_> = addresses.iter().collect();
        assert_eq!(distinct.len(), addresses.len(), "{addresses:?}");
    }
}

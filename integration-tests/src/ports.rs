//! Free ports on 127.0.0.1, and who uses one.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail};

/// A port that nobody else can take until [`Reservation::release`].
#[derive(Debug)]
pub struct Reservation {
    port: u16,
    listener: TcpListener,
}

/// Below the range that Linux hands out for outgoing connections, so that a port stays free while its server restarts.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

impl Reservation {
    /// Takes a port that is free now. Two calls in one process never return the same port.
    ///
    /// # Errors
    /// When the range is used up.
    pub fn take() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let span = RANGE.end - RANGE.start;
        // Processes start at different places, so that they seldom meet.
        let first = (std::process::id() % u32::from(span)) as u16;
        for _ in 0..span {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % span;
            let port = RANGE.start + ((u32::from(first) + u32::from(step) * 7) % u32::from(span)) as u16;
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                return Ok(Self { port, listener });
            }
        }
        bail!("no free port on 127.0.0.1 between {} and {}", RANGE.start, RANGE.end)
    }

    /// The port's number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Frees the port for the server that is started next.
    pub fn release(self) -> u16 {
        drop(self.listener);
        self.port
    }
}

/// How many connections a server on this port has.
///
/// # Errors
/// When the system does not tell.
pub fn connections(port: u16) -> Result<usize> {
    /// As the kernel numbers the states of TCP.
    const ESTABLISHED: &str = "01";
    let mut table = std::fs::read_to_string("/proc/net/tcp").context("cannot read the connections")?;
    // A server in Java has them here, those of IPv4 too.
    match std::fs::read_to_string("/proc/net/tcp6") {
        Ok(more) => table += &more,
        Err(error) if error.kind() == ErrorKind::NotFound => {} // a system without IPv6
        Err(error) => return Err(error).context("cannot read the connections over IPv6"),
    }
    let local = format!(":{port:04X}");
    let open = table.lines().filter(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        matches!(fields[..], [_, ours, _, state, ..] if ours.ends_with(&local) && state == ESTABLISHED)
    });
    Ok(open.count())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn connections_are_counted_at_the_server() {
        let Reservation { port, listener } = Reservation::take().unwrap();
        assert_eq!(connections(port).unwrap(), 0);
        let clients = [(); 2].map(|()| (TcpStream::connect(("127.0.0.1", port)).unwrap(), listener.accept()));
        assert_eq!(connections(port).unwrap(), 2);
        drop(clients);
        assert_eq!(connections(port).unwrap(), 0);
    }

    #[test]
    fn a_reserved_port_cannot_be_bound() {
        let reservation = Reservation::take().unwrap();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, reservation.port())).is_err());
        let port = reservation.release();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}

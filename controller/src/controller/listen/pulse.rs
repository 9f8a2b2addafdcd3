//! The signs of life of the controller.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The loop must have gone round within this time.
const ROUND_MAX: Duration = Duration::from_secs(120);
/// The API server must have answered within this time.
const CONTACT_MAX: Duration = Duration::from_secs(45);

/// What the controller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Neither yet.
    Starting,
    /// It waits for the lead.
    Standby,
    /// It leads.
    Leader,
}

/// Written by the controller's loop, read by those who ask.
#[derive(Debug)]
pub(crate) struct Pulse {
    signs: Mutex<Signs>,
}

#[derive(Clone, Copy, Debug)]
struct Signs {
    role: Role,
    /// When the loop last went round, or the controller was started.
    round: Instant,
    /// When the API server last answered.
    contact: Option<Instant>,
}

impl Pulse {
    /// It starts now.
    pub(crate) fn new(now: Instant) -> Pulse {
        Pulse { signs: Mutex::new(Signs { role: Role::Starting, round: now, contact: None }) }
    }

    /// It leads.
    pub(crate) fn lead(&self) {
        self.signs().role = Role::Leader;
    }

    /// It waits for the lead.
    pub(crate) fn stand_by(&self) {
        self.signs().role = Role::Standby;
    }

    /// The loop goes round; also when there is nothing to do, and while it stands by.
    pub(crate) fn round(&self, now: Instant) {
        self.signs().round = now;
    }

    /// The API server has answered.
    pub(crate) fn contact(&self, now: Instant) {
        self.signs().contact = Some(now);
    }

    /// Whether the loop goes round.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn health(&self, now: Instant) -> Result<(), String> {
        let since = now.saturating_duration_since(self.signs().round);
        if since <= ROUND_MAX {
            return Ok(());
        }
        Err(format!("the loop has not gone round for {} s", since.as_secs()))
    }

    /// Whether it leads or stands by, with the API server in reach.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn readiness(&self, now: Instant) -> Result<(), String> {
        let Signs { role, contact, round: _ } = *self.signs();
        let since = contact.map(|contact| now.saturating_duration_since(contact));
        match (role, since) {
            (Role::Starting, _) => Err("it neither leads nor stands by yet".to_owned()),
            (Role::Standby | Role::Leader, None) => Err("the API server has not answered yet".to_owned()),
            (Role::Standby | Role::Leader, Some(since)) if since > CONTACT_MAX => {
                Err(format!("the API server has not answered for {} s", since.as_secs()))
            }
            (Role::Standby | Role::Leader, Some(_)) => Ok(()),
        }
    }

    /// Whoever panicked has left a whole sign.
    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! How things are written down: versioned JSON, with golden files in `tests/golden`.
//!
//! Reading never panics and never guesses: an unknown version, an unknown field or a value out of range is an error that
//! names it. Objects are bounded in size by the stores, not here.

pub mod v1;

use serde::Deserialize;

/// A document that cannot be read. What it was to say is not followed; whoever reads it keeps what is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not JSON, or not of this shape.
    #[error(
        "DocumentDamaged: the {what} cannot be read ({reason}); restore it from a copy: nothing follows it meanwhile"
    )]
    Damaged {
        /// Which object.
        what: &'static str,
        /// Where and why.
        reason: String,
    },
    /// A newer or unknown format.
    #[error(
        "DocumentVersion: the {what} has version {found}, and only version 1 is known here; use a tidegate that knows it"
    )]
    Version {
        /// Which object.
        what: &'static str,
        /// What it says.
        found: String,
    },
}

impl Error {
    /// The stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Damaged { .. } => "DocumentDamaged",
            Error::Version { .. } => "DocumentVersion",
        }
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: serde_json::Value,
}

/// Reads an object of version 1.
fn read_v1<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, Error> {
    let damaged = |error: serde_json::Error| Error::Damaged { what, reason: error.to_string() };
    let Versioned { version } = serde_json::from_slice(bytes).map_err(damaged)?;
    if version != serde_json::json!(1) {
        return Err(Error::Version { what, found: version.to_string() });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

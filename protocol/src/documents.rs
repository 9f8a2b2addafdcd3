//! How things are written down: versioned JSON, with golden files in `tests/golden`.
//!
//! Reading never panics and never guesses: an unknown version, an unknown field or a value out of range is an error that
//! names it. Objects are bounded in size by the stores, not here; what an error quotes of them is short.

pub mod v1;

use serde::Deserialize;

use crate::text::cut;

/// How much of a parser's word an error quotes, in characters.
const REASON: usize = 300;

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
    let damaged = |reason| Error::Damaged { what, reason };
    let Versioned { version } = from_json(bytes).map_err(damaged)?;
    if version != serde_json::json!(1) {
        return Err(Error::Version { what, found: cut(&version.to_string(), 40) });
    }
    from_json(bytes).map_err(damaged)
}

/// Reads JSON. The error is for people: which field, which value or what kind of value, where in the text.
pub fn from_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        // "." is the whole; a field that is unknown or missing is named by the error itself.
        let field = if field == "." { String::new() } else { format!("{}: ", cut(&field, REASON)) };
        format!("{field}{}", cut(&error.into_inner().to_string(), REASON))
    })?;
    json.end().map_err(|error| error.to_string())?;
    Ok(read)
}

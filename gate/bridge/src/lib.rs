//! The gate and the agent for jobs in a JVM: handles, bytes and numbers in, bytes and numbers out.
//!
//! [`subtask`] and [`agent`] are the calls themselves, in safe Rust; [`jni`](mod@jni) gives them to Java in its own process,
//! [`sidecar`] to a JVM that may load no native code. Every error and every panic becomes a `TidegateException`; a handle that
//! was closed, or is in use by another thread, gives one too.
//!
//! A Java thread enters [`agent::AgentHandle::next`] and drives everything, so that nothing runs in this library when it is
//! unloaded with its class loader. One store leaves threads behind, [`tidegate_agent::leaves_threads`]: before it is opened
//! the library pins itself in memory.

pub mod agent;
mod jni;
mod pin;
pub mod registry;
pub mod sidecar;
pub mod subtask;

use std::path::PathBuf;

use tidegate_protocol::documents::from_json;

/// What a call tells Java when it fails: the stable code, a colon, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that begins with its code already.
    #[error("{0}")]
    Said(String),
    /// The handle was closed, or never opened.
    #[error("HandleClosed: handle {0} is not open")]
    Closed(i64),
    /// Two threads at once.
    #[error(
        "HandleBusy: handle {0} is in use by another thread; a subtask's calls belong to its task's thread"
    )]
    Busy(i64),
    /// Arguments that do not fit together.
    #[error("BadCall: {0}")]
    BadCall(String),
    /// The JVM refused something.
    #[error("JniFailed: {0}")]
    Jni(#[from] ::jni::errors::Error),
    /// A sidecar cannot begin: there is one.
    #[error("SidecarRunning: a living sidecar has {0}; end it, or give another path")]
    Running(PathBuf),
    /// A sidecar cannot begin where it is to be.
    #[error(
        "SidecarSocket: {path} cannot be served: {reason}; give a path of at most 100 bytes in a folder of this user's"
    )]
    Socket {
        /// As it was given.
        path: PathBuf,
        /// Of the system.
        reason: String,
    },
    /// A message that is none.
    #[error("MessageUnreadable: the {what} cannot be read: {reason}")]
    Message {
        /// Which message.
        what: &'static str,
        /// Which field, and why.
        reason: String,
    },
}

impl Error {
    /// An error of ours whose text begins with its code.
    pub fn said(error: impl std::fmt::Display) -> Error {
        Error::Said(error.to_string())
    }
}

fn parse<T: serde::de::DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    from_json(bytes).map_err(|reason| Error::Message { what, reason })
}

fn write(value: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Message { what: "answer", reason: error.to_string() })
}

/// What a call tells Java after a panic.
fn bug(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("Bug: the native gate panicked ({text}); please report it with the log")
}

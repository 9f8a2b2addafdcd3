//! What crosses the socket: frames, and the hello that comes first.
//!
//! A frame is its length in four bytes, most significant first, and that many bytes. The first one in each direction is the
//! sender's hello, as JSON. An answer begins with a byte: 0, then what was asked for, or 1, then the text of an error. Frames,
//! hello and errors stay as they are in every protocol, so that two versions can always tell each other what is wrong.

use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};

use crate::{Error, parse, write};

/// Which calls there are, and what they mean. A change of either is another number.
pub const PROTOCOL: u32 = 1;
/// No frame is longer: some twenty million held records of one subtask.
pub const MAX: u32 = 256 << 20;
/// Not more than this is set aside for what was only announced.
const AHEAD: usize = 64 << 10;

/// Who is there.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Hello {
    /// See [`PROTOCOL`].
    pub protocol: u32,
    /// Of the crate, or of tidegate-flink; for people.
    pub version: String,
}

impl Hello {
    /// This side's.
    pub fn own() -> Hello {
        Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// Reads the other side's, and refuses one of another protocol.
    pub fn check(bytes: &[u8]) -> Result<(), Error> {
        let theirs: Hello = parse("hello", bytes)?;
        if theirs.protocol == PROTOCOL {
            return Ok(());
        }
        let (own, their_protocol) = (Hello::own(), theirs.protocol);
        // What a stranger sends may be long.
        let their_version: String = theirs.version.chars().take(40).collect();
        Err(Error::Said(format!(
            "SidecarVersion: the sidecar {} speaks protocol {PROTOCOL}, tidegate-flink {their_version} speaks \
             {their_protocol}; use a sidecar and a tidegate-flink of one release",
            own.version
        )))
    }

    /// As a frame.
    pub fn frame(&self) -> Result<Vec<u8>, Error> {
        frame(&write(self)?)
    }
}

/// A frame around a payload.
pub fn frame(payload: &[u8]) -> Result<Vec<u8>, Error> {
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|length| *length <= MAX)
        .ok_or_else(|| too_long(payload.len()))?;
    let mut bytes = Vec::with_capacity(payload.len() + 4);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

/// The answer that something went wrong, as a frame.
pub fn failure(error: &Error) -> Vec<u8> {
    let mut payload = vec![1];
    payload.extend_from_slice(error.to_string().as_bytes());
    frame(&payload).unwrap_or_default() // the texts of errors are short
}

/// Reads a frame's payload; `None` when the other side has closed the connection between two frames.
pub fn read(from: &mut impl Read) -> Result<Option<Vec<u8>>, Error> {
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < head.len() {
        match from.read(&mut head[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(cut(&"in its length")),
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(cut(&error)),
        }
    }
    let length = u32::from_be_bytes(head);
    if length > MAX {
        return Err(too_long(length as usize));
    }
    let mut payload = Vec::with_capacity((length as usize).min(AHEAD));
    from.take(u64::from(length)).read_to_end(&mut payload).map_err(|error| cut(&error))?;
    if payload.len() < length as usize {
        return Err(cut(&format!("after {} of {length} bytes", payload.len())));
    }
    Ok(Some(payload))
}

fn cut(reason: &dyn std::fmt::Display) -> Error {
    Error::Message { what: "frame", reason: format!("the connection ended: {reason}") }
}

fn too_long(length: usize) -> Error {
    Error::Message { what: "frame", reason: format!("{length} bytes are announced, and {MAX} are the most") }
}

pub(super) fn send(mut stream: &UnixStream, bytes: &[u8]) -> Result<(), Error> {
    stream.write_all(bytes).map_err(|error| broken(&error))
}

pub(super) fn broken(error: &std::io::Error) -> Error {
    Error::Said(format!("SidecarLost: the connection has broken: {error}"))
}

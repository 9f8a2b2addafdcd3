//! One connection: hello, what it stands for, and its calls.

use std::io::BufReader;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::agent;
use super::call::{self, Answer, Fault, guarded};
use super::frame::{self, Hello, broken, send};
use crate::Error;
use crate::subtask::SubtaskHandle;

/// Whoever says nothing in this time is no gate.
const GREETING: Duration = Duration::from_secs(10);

/// Serves until the other side closes it, or does what cannot be understood, which it is told.
pub(super) fn serve(stream: UnixStream) -> Result<(), Error> {
    let served = converse(&stream);
    if let Err(error) = &served {
        // It may be gone already.
        let _ = send(&stream, &frame::failure(error));
    }
    let _ = stream.shutdown(Shutdown::Both);
    served
}

fn converse(stream: &UnixStream) -> Result<(), Error> {
    let mut from = BufReader::new(stream);
    stream.set_read_timeout(Some(GREETING)).map_err(|error| broken(&error))?;
    let Some(hello) = frame::read(&mut from)? else { return Ok(()) };
    Hello::check(&hello)?;
    send(stream, &Hello::own().frame()?)?;
    let Some(open) = frame::read(&mut from)? else { return Ok(()) };
    stream.set_read_timeout(None).map_err(|error| broken(&error))?;
    match open.split_first() {
        Some((&call::OPEN_SUBTASK, config)) => {
            let subtask = SubtaskHandle::open(config)?;
            send(stream, &frame::frame(&Answer::default().payload())?)?;
            serve_subtask(stream, &mut from, subtask)
        }
        Some((&call::OPEN_AGENT, config)) => agent::serve(stream, &mut from, config),
        Some((other, _)) => Err(Error::BadCall(format!("{other} opens nothing"))),
        None => Err(Error::BadCall("nothing is opened".to_owned())),
    }
}

fn serve_subtask(
    stream: &UnixStream,
    from: &mut BufReader<&UnixStream>,
    mut subtask: SubtaskHandle,
) -> Result<(), Error> {
    while let Some(payload) = frame::read(from)? {
        match guarded(|| call::make(&mut subtask, &payload)) {
            Ok(Some(answer)) => send(stream, &frame::frame(&answer.payload())?)?,
            Ok(None) => {}
            Err(Fault::Call(error)) => send(stream, &frame::failure(&error))?,
            Err(Fault::End(error)) => return Err(error),
        }
    }
    Ok(())
}

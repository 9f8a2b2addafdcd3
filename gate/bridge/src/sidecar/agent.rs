//! The connection of an agent: one thread reads what it is told, one drives it.

use std::io::BufReader;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::thread;

use super::call::{self, Answer, Fault, guarded};
use super::frame::{self, broken, send};
use crate::Error;
use crate::agent::AgentHandle;

/// Serves until the connection ends. An agent whose job was not said to end is left as it is: as with its JVM, it says no
/// last words.
pub(super) fn serve(
    stream: &UnixStream,
    from: &mut BufReader<&UnixStream>,
    config: &[u8],
) -> Result<(), Error> {
    // No class loader takes this code away: threads may stay in it.
    let agent = AgentHandle::open(config, || Ok(()))?;
    send(stream, &frame::frame(&Answer::default().payload())?)?;
    // One call of `next` at a time; the second one waits until the driver has seen the first.
    let (ask, asked) = sync_channel(1);
    let handle = &agent;
    thread::scope(|scope| {
        let driver = thread::Builder::new().name("sidecar-agent".to_owned());
        driver.spawn_scoped(scope, move || drive(stream, handle, &asked)).map_err(|error| broken(&error))?;
        let mut listen = || {
            while let Some(payload) = frame::read(from)? {
                match payload.split_first() {
                    Some((&call::NEXT, [])) => match ask.try_send(()) {
                        Ok(()) => {}
                        Err(TrySendError::Full(())) => {
                            return Err(Error::BadCall(
                                "next is called again before it has answered".to_owned(),
                            ));
                        }
                        Err(TrySendError::Disconnected(())) => return Ok(()),
                    },
                    Some((&call::TELL, event)) => agent.tell(event)?,
                    Some((&call::END, [])) => agent.close(),
                    Some((other, _)) => {
                        return Err(Error::BadCall(format!("{other} is no call of an agent")));
                    }
                    None => return Err(Error::BadCall("an empty frame".to_owned())),
                }
            }
            Ok(())
        };
        let listened = listen();
        // The driver is in the agent, or writes to somebody who does not read.
        agent.abandon();
        if listened.is_ok() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(ask);
        listened
    })
}

/// Answers each call of `next`.
fn drive(stream: &UnixStream, agent: &AgentHandle, asked: &Receiver<()>) {
    while asked.recv().is_ok() {
        let answered = guarded(|| {
            let answer = match agent.next(0)? {
                Some(bytes) => Answer { value: 1, bytes, ..Answer::default() },
                // It did not come to its end: what is told instead is why.
                None if agent.is_abandoned() => return Ok(()),
                None => Answer::default(),
            };
            send(stream, &frame::frame(&answer.payload())?)?;
            Ok(())
        });
        if let Err(Fault::Call(error) | Fault::End(error)) = answered {
            // The listener ends with the connection.
            let _ = send(stream, &frame::failure(&error));
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

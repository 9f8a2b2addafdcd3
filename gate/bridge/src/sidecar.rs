//! The calls of a JVM over a Unix domain socket, for JVMs that may load no native code.
//!
//! A connection is one subtask or one agent: it takes the place of a handle. When it breaks, by the end of the JVM or in any
//! other way, what it stood for is closed; when this process ends, the JVM's connections break, and its tasks fail. Nothing
//! is kept, and nothing is decided here: [`crate::subtask`] and [`crate::agent`] answer, as they answer JNI.
//!
//! Each connection has threads of its own (an agent two), so that an agent that waits keeps nobody waiting.

mod agent;
pub mod call;
mod connection;
pub mod frame;
mod place;

use std::future::Future;
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use crate::Error;
use place::Place;

/// Serves until a signal ends it. After the first one nobody is taken on, and it returns when the last connection has ended: of a
/// pod all processes are told to end at once, and the JVM may still need its gates. After the second one it returns at once.
pub fn run(path: &Path) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_runtime)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(no_runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_runtime)?;
        let mut ending = async move || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server::bind(path)?;
        info!(path = %path.display(), version = env!("CARGO_PKG_VERSION"), "serving");
        let signals = async {
            ending().await;
            info!("told to end, when the last connection has ended");
            drop(stop);
            ending().await;
            info!("told to end at once");
        };
        tokio::select! {
            () = server.serve(async { drop(stopped.await) }) => {}
            () = signals => {}
        }
        Ok(())
    })
}

fn no_runtime(error: std::io::Error) -> Error {
    Error::Said(format!("SidecarFailed: it cannot run: {error}"))
}

/// A socket that nobody but this user can use.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    place: Place,
}

impl Server {
    /// Takes the place, also that of a sidecar that has died. Call it within a tokio runtime.
    ///
    /// Fails when a living one has it, or something that is none of ours stands there.
    pub fn bind(path: &Path) -> Result<Server, Error> {
        let (place, listener) = Place::take(path)?;
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| UnixListener::from_std(listener))
            .map_err(|error| place.unusable(&error))?;
        Ok(Server { listener, place })
    }

    /// Serves until `stop`; then takes nobody on, and returns when the last connection has ended.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (living, mut ended) = mpsc::channel::<()>(1);
        let accept = async {
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => self.take_on(stream, living.clone()),
                    Err(error) => {
                        // Too many open files, most likely: there will be fewer.
                        warn!(%error, "a connection cannot be taken on");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                }
            }
        };
        tokio::select! {
            () = accept => {}
            () = stop => {}
        }
        drop(living);
        self.place.clear();
        drop(self.listener);
        // Each connection holds a sender: this is the end of the last one.
        let _ = ended.recv().await;
    }

    fn take_on(&self, stream: UnixStream, living: mpsc::Sender<()>) {
        let theirs = stream.peer_cred().map(|peer| peer.uid());
        if !theirs.as_ref().is_ok_and(|uid| *uid == self.place.owner()) {
            warn!(user = ?theirs, "refused a process of another user");
            return;
        }
        let thread = std::thread::Builder::new().name("sidecar".to_owned());
        let spawned = stream.into_std().and_then(|stream| {
            stream.set_nonblocking(false)?;
            thread.spawn(move || {
                match connection::serve(stream) {
                    Ok(()) => debug!("a connection has ended"),
                    Err(error) => warn!(%error, "a connection was ended"),
                }
                drop(living);
            })
        });
        if let Err(error) = spawned {
            warn!(%error, "a connection cannot be served");
        }
    }
}

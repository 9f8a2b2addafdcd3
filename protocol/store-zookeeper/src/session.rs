//! The task that keeps a connection: it connects, watches, and begins anew when a connection ends.
//!
//! Every connection is a client of its own, although `zookeeper-client` could go on with a session over another one. Nothing
//! is bound to a session here but the watch, which misses what changes while it is away and which the library does not set
//! again; credentials and certificates are read anew; and a client that goes on pauses for seconds before it tries again.
//! A client that is let go tells its server so if it finds one within its session's time, and ends in any case.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use zookeeper_client::{AddWatchMode, Client, Error, EventType, SessionState};

use crate::address::{Address, Server};

/// Silence after which the server may forget the session, as it is asked for.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// How long one server may say nothing: while a session is opened, and later.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a server may take to refuse or accept a connection that is only to tell why there is no session.
const PROBE: Duration = Duration::from_secs(1);
/// The pause after a round over all servers in vain doubles from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// A connection's calling end; the connection ends with it.
pub(crate) struct Session {
    line: watch::Receiver<Line>,
    hints: watch::Receiver<()>,
    keeper: AbortHandle,
}

#[derive(Debug)]
enum Line {
    /// Connected, and watched.
    Up(Client),
    /// Why not.
    Down(String),
}

impl Session {
    /// Connects by itself, again and again. Hints are of everything at and below `watched`.
    pub(crate) fn begin(address: Arc<Address>, watched: String) -> Self {
        let (line, lines) = watch::channel(Line::Down("no server has answered yet".to_owned()));
        let (hinting, hints) = watch::channel(());
        let keeper = Keeper { address, watched, line, hinting };
        Self { line: lines, hints, keeper: tokio::spawn(keeper.keep()).abort_handle() }
    }

    /// A hint after each connection, and after each change.
    pub(crate) fn hints(&self) -> watch::Receiver<()> {
        self.hints.clone()
    }

    /// A client that is connected; after the deadline the reason why there is none.
    pub(crate) async fn client(&self, deadline: Instant) -> Result<Client, String> {
        let mut line = self.line.clone();
        let waited = timeout_at(deadline, line.wait_for(|line| matches!(line, Line::Up(_)))).await;
        if let Ok(Err(_)) = waited {
            return Err("the tokio runtime is shutting down".to_owned());
        }
        drop(waited);
        match &*line.borrow() {
            Line::Up(client) => Ok(client.clone()),
            Line::Down(reason) => Err(reason.clone()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

struct Keeper {
    address: Arc<Address>,
    watched: String,
    line: watch::Sender<Line>,
    hinting: watch::Sender<()>,
}

impl Keeper {
    async fn keep(self) {
        let keeper = Arc::new(self);
        let mut pause = FIRST_PAUSE;
        loop {
            // In a task of its own: should the library panic, that ends a connection, and not the store.
            let mut life = JoinSet::new();
            life.spawn(Arc::clone(&keeper).live());
            let ended = life.join_next().await;
            let Ended { served, reason } = ended.and_then(Result::ok).unwrap_or_else(Ended::by_panic);
            keeper.line.send_replace(Line::Down(reason));
            if served {
                pause = FIRST_PAUSE;
            }
            sleep(pause).await;
            pause = LAST_PAUSE.min(pause * 2);
        }
    }

    /// One connection's life.
    async fn live(self: Arc<Self>) -> Ended {
        let client = match dial(&self.address).await {
            Ok(client) => client,
            Err(reason) => return Ended { served: false, reason },
        };
        let watching = client.watch(&self.watched, AddWatchMode::PersistentRecursive);
        let mut watcher = match timeout(SILENCE, watching).await {
            Ok(Ok(watcher)) => watcher,
            Ok(Err(error)) => return Ended { served: false, reason: self.told(unwatched(&error)) },
            Err(_) => return Ended { served: false, reason: self.told("no answer in time".to_owned()) },
        };
        self.line.send_replace(Line::Up(client.clone()));
        self.hinting.send_replace(());
        loop {
            let event = watcher.changed().await;
            if event.event_type == EventType::Session && event.session_state != SessionState::SyncConnected {
                let state = event.session_state.to_string().to_lowercase();
                return Ended { served: true, reason: self.told(format!("the session is {state}")) };
            }
            self.hinting.send_replace(());
        }
    }

    fn told(&self, what: String) -> String {
        format!("{}: {what}", self.address.hosts())
    }
}

/// What became of a connection.
struct Ended {
    /// Whether it could be used for a time.
    served: bool,
    reason: String,
}

impl Ended {
    fn by_panic() -> Self {
        Self { served: false, reason: "the client library has failed".to_owned() }
    }
}

fn unwatched(error: &Error) -> String {
    if *error == Error::Unimplemented {
        "the server is older than ZooKeeper 3.6".to_owned()
    } else {
        format!("it cannot be watched: {error}")
    }
}

/// Tries each server once. The text of an error has a reason for each.
async fn dial(address: &Address) -> Result<Client, String> {
    let mut connector = Client::connector()
        .with_session_timeout(SESSION_TIMEOUT)
        .with_connection_timeout(SILENCE)
        .with_fail_eagerly();
    if let Some(digest) = &address.digest {
        connector = connector.with_auth("digest", digest.read()?.as_bytes());
    }
    let hosts = address.hosts();
    let dialed = match &address.tls {
        None => connector.connect(&hosts).await,
        Some(files) => connector.with_tls(files.read()?).secure_connect(&hosts).await,
    };
    match dialed {
        Ok(client) => Ok(client),
        Err(Error::NoHosts | Error::Timeout) => Err(reasons(address).await),
        Err(error) => Err(format!("{hosts}: {error}")),
    }
}

/// The library does not tell why it has found no server, so each is asked for a connection once more.
async fn reasons(address: &Address) -> String {
    let closed = if address.tls.is_some() {
        "it accepts connections, but opens no session: it has no quorum, speaks no TLS on this port, or one side refuses the \
         certificate of the other (ca-file, cert-file, key-file, or the host's name)"
    } else {
        "it accepts connections, but opens no session: it has no quorum, speaks TLS only on this port, or is no ZooKeeper"
    };
    let probe = async |server: &Server| match timeout(PROBE, TcpStream::connect(server.place())).await {
        Ok(Ok(_)) => format!("{server}: {closed}"),
        Ok(Err(error)) => format!("{server}: {error}"),
        Err(_) => format!("{server}: no connection within {} s", PROBE.as_secs()),
    };
    join_all(address.servers.iter().map(probe)).await.join("; ")
}

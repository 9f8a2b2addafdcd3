//! A sidecar in this process, and what tidegate-flink would do on the other side.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_bridge::sidecar::frame::{self, Hello};
use tidegate_bridge::sidecar::{Server, call};
use tidegate_bridge::subtask::OUT;
use tokio::sync::oneshot;

/// The numbers of the calls, as tidegate-flink has them.
pub(crate) const RESTORE: u8 = 10;
pub(crate) const ADMIT: u8 = 11;
pub(crate) const HELD_BYTES: u8 = 12;
pub(crate) const FULL: u8 = 13;
pub(crate) const ACCOUNT: u8 = 14;
pub(crate) const WATERMARK: u8 = 15;
pub(crate) const IDLE: u8 = 16;
pub(crate) const ORDER: u8 = 17;
pub(crate) const SNAPSHOT: u8 = 18;
pub(crate) const FINISH: u8 = 19;
pub(crate) const STATUS: u8 = 20;
pub(crate) const COUNTERS: u8 = 21;

/// Nothing here takes longer.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Sidecar {
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Sidecar {
    pub(crate) fn start() -> Sidecar {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let (stop, stopped) = oneshot::channel();
        let (started, starts) = mpsc::channel();
        let (tell_end, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind(&path).unwrap();
                started.send(()).unwrap();
                server.serve(async { drop(stopped.await) }).await;
            });
            drop(tell_end);
        });
        starts.recv_timeout(LONG).unwrap();
        Sidecar { folder, stop: Some(stop), ended, thread: Some(thread) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// A folder for a store.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// True once it was stopped and the last connection is over.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.ended.try_recv(), Err(mpsc::TryRecvError::Disconnected))
    }

    /// Stops it, and waits for the end of all connections.
    pub(crate) fn drain(&mut self) {
        self.stop();
        assert_eq!(
            self.ended.recv_timeout(LONG),
            Err(mpsc::RecvTimeoutError::Disconnected),
            "a connection is left"
        );
        self.thread.take().unwrap().join().unwrap();
    }

    /// Connected, and nothing said.
    pub(crate) fn connect(&self) -> Client {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Client(stream)
    }

    pub(crate) fn greeted(&self) -> Client {
        let mut client = self.connect();
        greet(&mut client);
        client
    }

    pub(crate) fn subtask(&self) -> Client {
        let mut client = self.connect();
        open_subtask(&mut client);
        client
    }

    pub(crate) fn restored(&self) -> Client {
        let mut client = self.subtask();
        client.ask(RESTORE, &restore(&[], &[], &[])).unwrap();
        client
    }

    pub(crate) fn agent(&self) -> Client {
        let mut client = self.greeted();
        client.send(&body(call::OPEN_AGENT, agent_config(self.folder()).to_string().as_bytes()));
        client.answer().unwrap();
        client
    }
}

pub(crate) fn greet(client: &mut Client) {
    client.send(&serde_json::to_vec(&Hello::own()).unwrap());
    assert_eq!(serde_json::from_slice::<Hello>(&client.frame().unwrap()).unwrap(), Hello::own());
}

/// Greets and opens a subtask.
pub(crate) fn open_subtask(client: &mut Client) {
    greet(client);
    client.ask(call::OPEN_SUBTASK, config().to_string().as_bytes()).unwrap();
}

pub(crate) struct Client(pub(crate) UnixStream);

/// A call's result, as it crosses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) value: i64,
    pub(crate) out: [i64; OUT],
    pub(crate) bytes: Vec<u8>,
}

impl Client {
    pub(crate) fn send(&mut self, payload: &[u8]) {
        self.0.write_all(&frame::frame(payload).unwrap()).unwrap();
    }

    /// `None` at the end of the connection.
    pub(crate) fn frame(&mut self) -> Option<Vec<u8>> {
        frame::read(&mut self.0).unwrap()
    }

    /// What was asked for, or the text of an error.
    pub(crate) fn answer(&mut self) -> Result<Answer, String> {
        let payload = self.frame().unwrap();
        let rest = &payload[1..];
        if payload[0] == 1 {
            return Err(String::from_utf8(rest.to_vec()).unwrap());
        }
        let (numbers, bytes) = rest.split_at(8 * (1 + OUT));
        let mut numbers = numbers.chunks(8).map(|number| i64::from_be_bytes(number.try_into().unwrap()));
        let value = numbers.next().unwrap();
        Ok(Answer { value, out: std::array::from_fn(|_| numbers.next().unwrap()), bytes: bytes.to_vec() })
    }

    pub(crate) fn ask(&mut self, number: u8, fields: &[u8]) -> Result<Answer, String> {
        self.send(&body(number, fields));
        self.answer()
    }

    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

pub(crate) fn body(number: u8, fields: &[u8]) -> Vec<u8> {
    [&[number], fields].concat()
}

pub(crate) fn longs(numbers: &[i64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

pub(crate) fn admit(time: i64, bytes: i32) -> Vec<u8> {
    [longs(&[time]), bytes.to_be_bytes().to_vec()].concat()
}

pub(crate) fn restore(headers: &[&[u8]], times: &[i64], sizes: &[i32]) -> Vec<u8> {
    let count = |length: usize| u32::try_from(length).unwrap().to_be_bytes().to_vec();
    let mut fields = count(headers.len());
    for header in headers {
        fields.extend(count(header.len()));
        fields.extend_from_slice(header);
    }
    fields.extend(count(times.len()));
    fields.extend(longs(times));
    fields.extend(count(sizes.len()));
    fields.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    fields
}

pub(crate) fn config() -> Value {
    json!({
        "color": "blue", "generation": 1, "gate": "orders", "subtask": 0, "parallelism": 2, "hold_max_records": 3,
        "hold_max_bytes": 1000, "max_ahead_ms": 1000, "idle_after_ms": 60000,
    })
}

pub(crate) fn agent_config(root: &Path) -> Value {
    json!({
        "store": format!("directory://{}", root.display()), "rollout": "orders", "color": "blue", "generation": 1, "job": "a job",
        "gates": ["orders"], "from_beginning": false, "late_policy": "emit", "lateness_ms": 0, "hand_over": "ordered",
    })
}

//! The process: how it begins, and how it ends.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::client::{Client, FULL, LONG, open_subtask};

struct Process(Child);

impl Process {
    fn start(socket: &Path) -> Process {
        let binary = env!("CARGO_BIN_EXE_tidegate-sidecar");
        Process(Command::new(binary).arg(socket).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Its exit code, and what it told.
    fn end(mut self) -> (Option<i32>, String) {
        eventually("its end", || self.0.try_wait().unwrap().is_some());
        let status = self.0.wait().unwrap();
        let told = std::io::read_to_string(self.0.stderr.take().unwrap()).unwrap();
        (status.code(), told)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill()); // it may have ended
        self.0.wait().unwrap();
    }
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "{what} did not come");
        std::thread::yield_now();
    }
}

fn connected(socket: &Path) -> Client {
    let mut client = None;
    eventually("an answer", || {
        client = UnixStream::connect(socket).ok();
        client.is_some()
    });
    Client(client.unwrap())
}

#[test]
fn after_a_signal_it_serves_those_it_has_to_their_end_and_takes_nobody_on() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let mut process = Process::start(&socket);
    let mut subtask = connected(&socket);
    open_subtask(&mut subtask);
    process.signal("TERM");
    eventually("the end of the socket", || !socket.exists());
    assert!(
        subtask.ask(FULL, &[]).unwrap_err().starts_with("BadCall: "),
        "it is served, and was not restored"
    );
    assert!(process.0.try_wait().unwrap().is_none(), "it has ended under its gate");
    drop(subtask);
    assert_eq!(process.end().0, Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let process = Process::start(&socket);
    let mut subtask = connected(&socket);
    open_subtask(&mut subtask);
    process.signal("INT");
    eventually("the end of the socket", || !socket.exists());
    process.signal("TERM");
    assert_eq!(process.end().0, Some(0));
    assert!(subtask.ended());
}

#[test]
fn killed_and_started_again_it_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let first = Process::start(&socket);
    drop(connected(&socket));
    let (code, told) = Process::start(&socket).end();
    assert_eq!(code, Some(1));
    assert!(told.starts_with("tidegate-sidecar: SidecarRunning: a living sidecar has "), "{told}");
    first.signal("KILL");
    assert_eq!(first.end().0, None);
    assert!(socket.exists(), "it left its socket behind");
    let _second = Process::start(&socket);
    let mut subtask = connected(&socket);
    open_subtask(&mut subtask);
}

//! A file system of its own, mounted where only this process and its child see it: works with and without root's rights.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub(crate) struct Mount {
    keeper: Child,
}

impl Mount {
    /// A `tmpfs` of this size.
    pub(crate) fn new(size: &str) -> Mount {
        Mount::with(size, "true")
    }

    /// The same; `then` is run in it before anything else.
    pub(crate) fn with(size: &str, then: &str) -> Mount {
        let script =
            format!("mount -t tmpfs -o size={size} none /mnt && cd /mnt && {then} && echo ready && read _");
        let mut keeper = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare of util-linux");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "no mount in a namespace of our own");
        Mount { keeper }
    }

    pub(crate) fn root(&self) -> PathBuf {
        format!("/proc/{}/root/mnt", self.keeper.id()).into()
    }

    pub(crate) fn run(&self, script: &str) {
        let id = self.keeper.id().to_string();
        let enter = ["--preserve-credentials", "--user", "--mount", "--target", &id, "sh", "-c", script];
        let status = Command::new("nsenter").args(enter).status().expect("nsenter of util-linux");
        assert!(status.success(), "{script}: {status}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take()); // ends its `read`
        let _ = self.keeper.wait();
    }
}

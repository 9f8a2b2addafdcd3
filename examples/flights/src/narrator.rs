//! Tells the story: lines that stay, and the water levels in one line that is updated on a terminal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::flight::readable;
use crate::levels::Status;
use crate::replay::Replay;
use crate::tidegate::Tidegate;

const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Between two lines with levels where they cannot be updated.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Prints with the time since the start.
#[derive(Debug, Clone)]
pub(crate) struct Narrator {
    started: Instant,
    bar: ProgressBar,
}

impl Narrator {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { started: Instant::now(), bar }
    }

    /// A line that stays.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| println!("{:6.1} s  {text}", self.started.elapsed().as_secs_f64()));
    }

    /// The line with the levels.
    fn level(&self, text: String) {
        self.bar.set_message(text);
        self.bar.tick();
    }

    /// Removes the line with the levels.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Looks at the rollout again and again, shows the levels, and keeps the newest status for the story.
#[derive(Debug)]
pub(crate) struct Watcher {
    newest: watch::Receiver<Result<Status, String>>,
    task: JoinHandle<()>,
}

impl Watcher {
    pub(crate) fn start(tidegate: Tidegate, replay: Arc<Replay>, narrator: Narrator) -> Self {
        let (sender, newest) = watch::channel(Err("not looked at yet".to_owned()));
        let task = tokio::spawn(async move {
            let mut last_line = Instant::now();
            while !sender.is_closed() {
                let status = tidegate.status().await.map_err(|error| format!("{error:#}"));
                if let Ok(status) = &status {
                    let moment = readable(replay.event_time());
                    let line = format!("{:3.0} %  {moment}  {}", replay.percent(), status.line());
                    if !narrator.bar.is_hidden() {
                        narrator.level(line);
                    } else if last_line.elapsed() >= LINE_EVERY {
                        last_line = Instant::now();
                        narrator.say(&line);
                    }
                }
                let _ = sender.send(status);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Self { newest, task }
    }

    /// The newest status, or why there is none.
    pub(crate) fn newest(&self) -> Result<Status, String> {
        self.newest.borrow().clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

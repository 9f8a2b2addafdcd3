//! One task that follows the rollout's ConfigMaps, for all who watch the store.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use kube::api::WatchEvent;
use tidegate_store::{Error, Hints};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::reach::{Events, Reach, WATCH};

/// Before the first attempt to open the watch again; each further one waits twice as long, up to [`BEAT`].
const PAUSE: Duration = Duration::from_millis(100);

/// Where nothing or not all can be watched, a hint comes this often whether there is a change or not.
const BEAT: Duration = Duration::from_secs(1);

/// Ends with the last who watches, or with the store.
pub(crate) struct Feed {
    hints: watch::Receiver<()>,
    task: AbortHandle,
}

impl Feed {
    /// Within a tokio runtime.
    pub(crate) fn start(reach: Arc<Reach>) -> Feed {
        let (bell, hints) = watch::channel(());
        let task = tokio::spawn(async move { run(&reach, &bell).await }).abort_handle();
        Feed { hints, task }
    }

    /// Whoever waits for a hint is told that there will be none.
    pub(crate) fn end(&self) {
        self.task.abort();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.end();
    }
}

/// One who watches.
pub(crate) struct Follower {
    hints: watch::Receiver<()>,
    _feed: Arc<Feed>,
}

impl Follower {
    pub(crate) fn new(feed: Arc<Feed>) -> Follower {
        Follower { hints: feed.hints.clone(), _feed: feed }
    }
}

#[async_trait::async_trait]
impl Hints for Follower {
    async fn next(&mut self) -> Result<(), Error> {
        self.hints.next().await
    }
}

async fn run(reach: &Reach, bell: &watch::Sender<()>) {
    let mut pause = PAUSE;
    loop {
        if let Ok(events) = reach.events().await {
            pause = PAUSE;
            follow(reach, events, bell).await;
        }
        sleep(pause).await;
        pause = (pause * 2).min(BEAT);
        bell.send_replace(());
    }
}

/// Until the connection ends, whatever way. The first hint stands for all that happened while there was none.
async fn follow(reach: &Reach, mut events: Events, bell: &watch::Sender<()>) {
    let until = Instant::now() + WATCH + BEAT;
    loop {
        bell.send_replace(());
        let left = until.saturating_duration_since(Instant::now());
        let patience = if reach.is_by_name() { left.min(BEAT) } else { left };
        match timeout(patience, events.next()).await {
            Ok(Some(Ok(WatchEvent::Added(_) | WatchEvent::Modified(_) | WatchEvent::Deleted(_)))) => {}
            Ok(Some(Ok(WatchEvent::Bookmark(_)))) => {}
            // An expired version is one of these errors; the next connection begins with what is there.
            Ok(Some(Ok(WatchEvent::Error(_)) | Err(_)) | None) => return,
            Err(_) if left > patience => {}
            Err(_) => return,
        }
    }
}

//! What is being done, on standard error: one line that changes on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal, what changes is said this often.
const SPACING: Duration = Duration::from_secs(15);

/// Tells how far something is; threads may share it.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    said: Mutex<Instant>,
}

impl Progress {
    /// For so many steps, if that is known.
    pub(crate) fn new(steps: Option<u64>) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{spinner} {msg}";
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = steps.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Progress { bar, said: Mutex::new(Instant::now()) }
    }

    /// How far it is.
    pub(crate) fn at(&self, steps: u64, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(steps);
            bar.set_message(message());
            return;
        }
        if let Ok(mut said) = self.said.lock()
            && said.elapsed() >= SPACING
        {
            *said = Instant::now();
            eprintln!("{}", message());
        }
    }

    /// Something that stays.
    pub(crate) fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.println(message),
            None => eprintln!("{message}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

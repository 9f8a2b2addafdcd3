//! An agent for a JVM: a Java thread drives it, and no other thread is needed.

use std::sync::{Mutex, TryLockError};

use tidegate_agent::{Agent, AgentConfig, Event, Teller, leaves_threads};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::{Error, parse, write};

/// What becomes of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// After a last round on the store.
    LastWords,
    /// At once, as when its process dies.
    Abandoned,
}

/// One agent.
pub struct AgentHandle {
    teller: Teller,
    end: watch::Sender<End>,
    /// The agent before its runtime: it is dropped first.
    driven: Mutex<(Agent, Runtime)>,
}

impl AgentHandle {
    /// Opens the agent's store; nothing else happens before [`AgentHandle::next`].
    ///
    /// `pin` keeps this code in memory for ever; it is called before a store is opened that leaves threads behind.
    pub fn open(config: &[u8], pin: impl FnOnce() -> Result<(), Error>) -> Result<AgentHandle, Error> {
        let config = AgentConfig::parse(config).map_err(Error::said)?;
        if leaves_threads(&config.store) {
            pin()?;
        }
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(2)
            .build()
            .map_err(|error| Error::Said(format!("AgentFailed: no event loop can be made: {error}")))?;
        let guard = runtime.enter();
        let (agent, teller) = Agent::open(&config).map_err(Error::said)?;
        drop(guard);
        Ok(AgentHandle { teller, end: watch::Sender::new(End::Open), driven: Mutex::new((agent, runtime)) })
    }

    /// Drives the agent until it wants something done; `None` once it is closed.
    pub fn next(&self, handle: i64) -> Result<Option<Vec<u8>>, Error> {
        let mut driven = match self.driven.try_lock() {
            Ok(driven) => driven,
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(handle)),
            Err(TryLockError::Poisoned(_)) => return Err(Error::Closed(handle)),
        };
        let (agent, runtime) = &mut *driven;
        let mut end = self.end.subscribe();
        let instruction = runtime.block_on(async {
            tokio::select! {
                biased;
                end = ended(&mut end) => match end {
                    End::Open | End::LastWords => {
                        agent.last_words().await;
                        agent.next().await
                    }
                    End::Abandoned => None,
                },
                instruction = agent.next() => instruction,
            }
        });
        instruction.as_ref().map(write).transpose()
    }

    /// Tells of an event; never blocks.
    pub fn tell(&self, event: &[u8]) -> Result<(), Error> {
        let event: Event = parse("event", event)?;
        event
            .check()
            .map_err(|error| Error::BadCall(format!("event of gate {:?}: {error}", event.gate())))?;
        self.teller.tell(event);
        Ok(())
    }

    /// Makes the thread in [`AgentHandle::next`] take a last round on the store, and return `None` from then on.
    pub fn close(&self) {
        self.end.send_replace(End::LastWords);
    }

    /// Makes the thread in [`AgentHandle::next`] return `None` at once, and from then on. Nothing more is told to the store.
    pub fn abandon(&self) {
        self.end.send_replace(End::Abandoned);
    }

    /// Nobody waits for it any more.
    pub fn is_abandoned(&self) -> bool {
        *self.end.borrow() == End::Abandoned
    }
}

async fn ended(end: &mut watch::Receiver<End>) -> End {
    // The sender lives as long as the agent.
    end.wait_for(|end| *end != End::Open).await.map_or(End::Abandoned, |end| *end)
}

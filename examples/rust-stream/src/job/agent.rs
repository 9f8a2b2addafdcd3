//! The agent in a thread of its own: it talks to the store, so that the job's loop never waits for that.

use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, bail};
use tidegate_agent::{AgentConfig, Event, Instruction, Teller};
use tidegate_gate::Member;
use tokio::signal::unix::{SignalKind, signal};

use super::{Arguments, ROLLOUT};

/// What the job's loop is told.
pub(super) enum Heard {
    Instruction(Instruction),
    /// SIGTERM.
    Stop,
}

pub(super) struct Agent {
    teller: Teller,
    heard: Receiver<Heard>,
    thread: JoinHandle<()>,
}

impl Agent {
    pub(super) fn start(arguments: &Arguments, member: Member, gate: &str) -> Result<Agent> {
        let config = AgentConfig {
            store: arguments.store.clone(),
            rollout: ROLLOUT.into(),
            color: member.color,
            generation: member.generation,
            // The same after a restart, and of no other job.
            job: format!("rust-stream-{member}"),
            gates: vec![gate.into()],
            from_beginning: false,
            late_policy: Default::default(),
            lateness_ms: 0,
            hand_over: Default::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (agent, teller) = {
            let _inside = runtime.enter();
            tidegate_agent::Agent::open(&config)?
        };
        let (sender, heard) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            if let Err(error) = runtime.block_on(drive(agent, &sender)) {
                eprintln!("the agent has ended: {error:#}");
            }
        });
        Ok(Agent { teller, heard, thread })
    }

    pub(super) fn tell(&self, event: Event) {
        self.teller.tell(event);
    }

    /// What there is to be done; `None` when there is nothing for now.
    pub(super) fn hear(&self) -> Result<Option<Heard>> {
        match self.heard.try_recv() {
            Ok(heard) => Ok(Some(heard)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => bail!("the agent has ended"),
        }
    }

    /// Waits until this process, and no other, is the member.
    pub(super) fn claimed(&self) -> Result<()> {
        loop {
            match self.heard.recv().context("the agent has ended")? {
                Heard::Instruction(Instruction::Claimed) => return Ok(()),
                Heard::Instruction(Instruction::FailJob { message }) => bail!(message),
                Heard::Instruction(Instruction::Log { level, message }) => eprintln!("{level:?}: {message}"),
                Heard::Instruction(Instruction::Order { .. } | Instruction::Checkpoint) => {}
                Heard::Stop => bail!("stopped before anything was done"),
            }
        }
    }

    /// Its last words: the others learn what was committed.
    pub(super) fn end(self) -> Result<()> {
        drop(self.teller);
        self.thread.join().map_err(|_| anyhow!("the agent has panicked"))
    }
}

async fn drive(mut agent: tidegate_agent::Agent, job: &Sender<Heard>) -> Result<()> {
    let mut stop = signal(SignalKind::terminate())?;
    loop {
        let heard = tokio::select! {
            instruction = agent.next() => match instruction {
                Some(instruction) => Heard::Instruction(instruction),
                None => return Ok(()),
            },
            _ = stop.recv() => Heard::Stop,
        };
        // A job that has ended hears nothing.
        let _ = job.send(heard);
    }
}

//! The job: orders are read from Kafka, go as Arrow batches through the gate, and are written as bills.
//!
//! One transaction holds the bills, and the [state](state) that goes with them: how far the input was read, and the gate's own
//! state. So a checkpoint of this job is a transaction, and what is committed needs no proof. After a crash the job goes on from the last
//! one; a new version begins with the last one of the other color.

mod agent;
mod sink;
mod source;
mod state;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use arrow_array::RecordBatch;
use clap::Args;
use tidegate_agent::{Event, Evidence, Instruction, NumberedOrder, now};
use tidegate_gate::{CheckpointId, EventTime, Gate, Limits, Member, batch};

use crate::order::{self, TIME, Version};
use agent::{Agent, Heard};
pub(crate) use sink::TOPIC as BILLS;
pub(crate) use source::{DISORDER_MS, PARTITIONS, TOPIC as INPUT};
pub(crate) use state::{PARTITIONS as STATES, TOPIC as STATE};

use sink::Sink;
use source::Source;
use state::State;

/// The rollout's name.
pub(crate) const ROLLOUT: &str = "bills";
/// The gate's name: the same in both versions.
const GATE: &str = "bills";
/// Its only subtask: a job that runs in several processes has one for each.
const SUBTASK: u32 = 0;
const CHECKPOINT: Duration = Duration::from_millis(500);
const STATUS: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// The Kafka brokers
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) bootstrap_servers: String,

    /// The store's URL, the same for both versions
    #[arg(long, value_name = "URL")]
    pub(crate) store: String,

    /// Who it is: blue-1, green-1
    #[arg(long)]
    pub(crate) member: Member,

    /// What the code of this version does
    #[arg(long, value_enum)]
    pub(crate) version: Version,
}

struct Job<'a> {
    version: Version,
    gate: Gate<RecordBatch>,
    agent: &'a Agent,
    source: Source,
    sink: Sink,
    checkpoint: u64,
    /// Orders and requests of the agent that are newer than this one count.
    serial: u64,
    checkpoint_wanted: bool,
    watermark: EventTime,
}

/// Runs it until SIGTERM, or until something fails: whoever started it starts it again.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let member = arguments.member;
    let agent = Agent::start(arguments, member, GATE)?;
    agent.tell(Event::GateOpened { gate: GATE.into(), parallelism: 1, evidence: Evidence::Committer });
    agent.tell(Event::CommittersOpened { gate: GATE.into(), parallelism: 1 });
    // No other process is this member any more: its open transaction may be aborted, and its state read.
    agent.claimed()?;
    let sink = Sink::open(&arguments.bootstrap_servers, member)?;
    let state = State::last(&arguments.bootstrap_servers, member)?.unwrap_or_default();
    let source = Source::open(&arguments.bootstrap_servers, &state.offsets)?;
    let gate = Gate::restore(member, Limits::default(), &state.headers()?, state.held()?)?;
    let mut job = Job {
        version: arguments.version,
        gate,
        agent: &agent,
        source,
        sink,
        checkpoint: state.checkpoint,
        serial: 0,
        checkpoint_wanted: false,
        watermark: EventTime::MIN,
    };
    agent.tell(Event::SubtaskReady { gate: GATE.into(), subtask: SUBTASK, attempt: 0, parallelism: 1 });
    job.work()?;
    drop(job);
    agent.end()
}

impl Job<'_> {
    fn work(&mut self) -> Result<()> {
        self.gate.clock(now());
        let (mut checkpointed, mut told) = (Instant::now(), Instant::now());
        loop {
            while let Some(heard) = self.agent.hear()? {
                match heard {
                    Heard::Instruction(instruction) => self.follow(instruction)?,
                    Heard::Stop => return self.take_checkpoint(),
                }
            }
            // A gate that is full takes the next record after the next order.
            if !self.gate.is_full() {
                self.read()?;
            }
            if std::mem::take(&mut self.checkpoint_wanted) || checkpointed.elapsed() >= CHECKPOINT {
                checkpointed = Instant::now();
                self.take_checkpoint()?;
            }
            if told.elapsed() >= STATUS {
                told = Instant::now();
                self.tell_status();
            }
        }
    }

    fn follow(&mut self, instruction: Instruction) -> Result<()> {
        match instruction {
            Instruction::Order { order: NumberedOrder { serial, order }, .. } if serial > self.serial => {
                self.serial = serial;
                let mut released = Vec::new();
                self.gate.order(order, &mut released);
                self.write(&released)?;
                self.tell_status();
            }
            Instruction::Checkpoint => self.checkpoint_wanted = true,
            Instruction::FailJob { message } => bail!(message),
            Instruction::Log { level, message } => eprintln!("{level:?}: {message}"),
            Instruction::Order { .. } | Instruction::Claimed => {}
        }
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        let orders = self.source.poll()?;
        if !orders.is_empty() {
            let batches = batch::admit(&mut self.gate, &order::batch(&orders)?, TIME)?;
            self.write(&batches)?;
        }
        if let Some(watermark) = self.source.watermark().filter(|watermark| *watermark > self.watermark) {
            self.watermark = watermark;
            self.gate.clock(now());
            self.gate.watermark(watermark);
        }
        Ok(())
    }

    fn write(&mut self, batches: &[RecordBatch]) -> Result<()> {
        for batch in batches {
            for order in order::orders(batch)? {
                self.sink.write(&order, &self.version.bill(&order))?;
            }
        }
        Ok(())
    }

    /// Commits the bills of now, and the state that goes with them.
    fn take_checkpoint(&mut self) -> Result<()> {
        self.checkpoint += 1;
        let checkpoint = CheckpointId(self.checkpoint);
        let header = self.gate.snapshot(checkpoint, now());
        let state = State::new(self.checkpoint, self.source.offsets(), &header, self.gate.held())?;
        self.sink.commit(&state)?;
        self.tell_status();
        self.agent.tell(Event::Committed { gate: GATE.into(), subtask: SUBTASK, checkpoint });
        Ok(())
    }

    fn tell_status(&mut self) {
        let status = self.gate.status();
        self.agent.tell(Event::SubtaskStatus { gate: GATE.into(), subtask: SUBTASK, attempt: 0, status });
    }
}

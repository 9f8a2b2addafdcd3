//! A small stream job in this process: a source, a gate with several subtasks, an exactly-once sink, checkpoints, and a real agent
//! on a real store. A kill loses everything but the last checkpoint, as it does in Flink.

pub(crate) mod world;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidegate_agent::{Agent, AgentConfig, Event, Evidence, Instruction, Level, Rollout, Teller, now};
use tidegate_protocol::identity::{CheckpointId, Epoch, Member};
use tidegate_protocol::order::Disposition;
use tidegate_protocol::subtask::{self, Effect, Header, Held, Limits, Subtask};
use tidegate_protocol::time::EventTime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use world::{PARTITIONS, ROLLOUT, World, time, watermark};

pub(crate) const GATE: &str = "orders";
const PUMP: Duration = Duration::from_millis(2);
/// Its subtasks tell of themselves once in so many turns.
const TURNS: u32 = 10;
const CHECKPOINT: Duration = Duration::from_millis(150);

/// What a job is started with.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) member: Member,
    pub(crate) job: String,
    pub(crate) parallelism: u32,
    pub(crate) from_beginning: bool,
    /// How long an order is on its way to a subtask.
    pub(crate) order_lag: Duration,
    pub(crate) checkpoints: Duration,
    /// How often its subtasks read; many of them are slower.
    pub(crate) pump: Duration,
    pub(crate) limits: Limits,
}

/// A complete snapshot of a job.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) id: u64,
    headers: Vec<Header>,
    held: Vec<Held<usize>>,
    /// How many records of each partition have been read.
    offsets: [usize; PARTITIONS],
}

/// A running job.
pub(crate) struct Job {
    pub(crate) spec: Spec,
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    last: Mutex<Option<Checkpoint>>,
    logs: Mutex<Vec<(Level, String)>>,
    orders: Mutex<u64>,
    /// Of each subtask, when it was first given an order of an epoch.
    epochs: Mutex<BTreeMap<u32, Vec<(Epoch, Instant)>>>,
    failed: Mutex<Option<String>>,
}

enum Command {
    Snapshot(oneshot::Sender<Checkpoint>),
    FailOver(oneshot::Sender<()>),
    /// The input ends here; everything is committed, and the job ends.
    End,
}

impl Spec {
    /// A job of a member; `blue-1` is the job named after it.
    pub(crate) fn new(member: Member, parallelism: u32) -> Spec {
        Spec {
            member,
            job: format!("job-of-{member}"),
            parallelism,
            from_beginning: false,
            order_lag: Duration::ZERO,
            checkpoints: CHECKPOINT,
            pump: PUMP,
            limits: Limits::default(),
        }
    }

    /// As many subtasks as a large job has, each as slow as Flink's are with the default options.
    pub(crate) fn large(member: Member, parallelism: u32) -> Spec {
        Spec { pump: Duration::from_millis(10), ..Spec::new(member, parallelism) }
    }

    /// The agent's part of it.
    pub(crate) fn agent(&self, world: &World) -> AgentConfig {
        let Member { color, generation } = self.member;
        let text = format!(
            r#"{{"store":{:?},"rollout":"{ROLLOUT}","color":"{color}","generation":{generation},"job":{:?},"gates":["{GATE}"],"from_beginning":{}}}"#,
            world.url(),
            self.job,
            self.from_beginning
        );
        AgentConfig::parse(text.as_bytes()).expect("a configuration")
    }
}

impl Job {
    /// Starts a job, from nothing or from a snapshot of it or of the other one.
    pub(crate) fn start(world: &Arc<World>, spec: Spec, from: Option<&Checkpoint>) -> Job {
        Job::start_on(world, spec, from, world.rollout())
    }

    /// The same, on a store of the test's own.
    pub(crate) fn start_on(
        world: &Arc<World>,
        spec: Spec,
        from: Option<&Checkpoint>,
        rollout: Rollout,
    ) -> Job {
        let (agent, teller) = Agent::new(&spec.agent(world), rollout);
        let shared = Arc::new(Shared { last: Mutex::new(from.cloned()), ..Shared::default() });
        let (instructions, heard) = mpsc::unbounded_channel();
        let (commands, told) = mpsc::unbounded_channel();
        let run = Run {
            world: Arc::clone(world),
            spec: spec.clone(),
            teller,
            shared: Arc::clone(&shared),
            attempt: 0,
            tasks: Vec::new(),
            late: VecDeque::new(),
            next_checkpoint: from.map_or(1, |checkpoint| checkpoint.id + 1),
        };
        let tasks = vec![tokio::spawn(drive(agent, instructions)), tokio::spawn(run.run(heard, told))];
        Job { spec, commands, shared, tasks }
    }

    /// Takes a snapshot without stopping.
    pub(crate) async fn snapshot(&self) -> Checkpoint {
        let (sender, taken) = oneshot::channel();
        self.tell(Command::Snapshot(sender));
        taken.await.expect("the job runs")
    }

    /// All tasks fail, and are restored from the last checkpoint; the agent lives on.
    pub(crate) async fn fail_over(&self) {
        let (sender, done) = oneshot::channel();
        self.tell(Command::FailOver(sender));
        done.await.expect("the job runs");
    }

    /// Ends the job at once; what it leaves is its last checkpoint.
    pub(crate) async fn kill(mut self) -> Option<Checkpoint> {
        for task in self.tasks.drain(..) {
            task.abort();
            let _ = task.await; // it was aborted
        }
        self.shared.last.lock().expect("no panic").clone()
    }

    /// The job comes to its end, and its agent with it.
    pub(crate) async fn end(mut self) {
        self.tell(Command::End);
        for task in self.tasks.drain(..).rev() {
            task.await.expect("no panic");
        }
    }

    /// The whole job starts again from its last checkpoint, with a new agent.
    pub(crate) async fn restart(self, world: &Arc<World>) -> Job {
        let spec = self.spec.clone();
        let last = self.kill().await;
        Job::start(world, spec, last.as_ref())
    }

    /// Whether something was logged.
    pub(crate) fn logged(&self, text: &str) -> bool {
        self.shared.logs.lock().expect("no panic").iter().any(|(_, message)| message.contains(text))
    }

    /// How often something was logged.
    pub(crate) fn times_logged(&self, text: &str) -> usize {
        let logs = self.shared.logs.lock().expect("no panic");
        logs.iter().filter(|(_, message)| message.contains(text)).count()
    }

    /// Waits until something is logged.
    pub(crate) async fn logs(&self, text: &str) {
        let what = format!("{text:?} in the log of {}", self.spec.job);
        world::until(&what, async || self.logged(text).then_some(())).await;
    }

    /// How many orders its subtasks were given.
    pub(crate) fn orders(&self) -> u64 {
        *self.shared.orders.lock().expect("no panic")
    }

    /// When the last of its subtasks was given an order of this epoch or a later one; `None` before that.
    pub(crate) fn ordered(&self, epoch: Epoch) -> Option<Instant> {
        let epochs = self.shared.epochs.lock().expect("no panic");
        let first = |orders: &Vec<(Epoch, Instant)>| {
            orders.iter().find(|(ordered, _)| *ordered >= epoch).map(|(_, when)| *when)
        };
        let all = epochs.values().map(first).collect::<Option<Vec<_>>>()?;
        all.into_iter().max().filter(|_| epochs.len() == self.spec.parallelism as usize)
    }

    /// Why it was told to fail. A real job would be gone; this one goes on, and must do no harm.
    pub(crate) fn failed(&self) -> Option<String> {
        self.shared.failed.lock().expect("no panic").clone()
    }

    fn tell(&self, command: Command) {
        assert!(self.commands.send(command).is_ok(), "{} runs no more", self.spec.job);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn drive(mut agent: Agent, instructions: mpsc::UnboundedSender<Instruction>) {
    while let Some(instruction) = agent.next().await {
        let _ = instructions.send(instruction); // of a job that has ended nobody hears
    }
}

struct Task {
    machine: Subtask<usize>,
    /// Partition, and how many of its records were read.
    inputs: Vec<(usize, usize)>,
    /// Emitted since the last checkpoint.
    open: Vec<usize>,
}

struct Run {
    world: Arc<World>,
    spec: Spec,
    teller: Teller,
    shared: Arc<Shared>,
    attempt: u32,
    tasks: Vec<Task>,
    late: VecDeque<(Instant, Instruction)>,
    next_checkpoint: u64,
}

impl Run {
    async fn run(
        mut self,
        mut heard: mpsc::UnboundedReceiver<Instruction>,
        mut told: mpsc::UnboundedReceiver<Command>,
    ) {
        let (gate, parallelism) = (GATE.to_owned(), self.spec.parallelism);
        self.tell(Event::GateOpened { gate: gate.clone(), parallelism, evidence: Evidence::Committer });
        self.tell(Event::CommittersOpened { gate, parallelism });
        self.restore();
        let mut pump = tokio::time::interval(self.spec.pump);
        let (mut statuses, mut checkpoints) =
            (tokio::time::interval(self.spec.pump * TURNS), tokio::time::interval(self.spec.checkpoints));
        checkpoints.reset();
        loop {
            tokio::select! {
                instruction = heard.recv() => match instruction {
                    Some(instruction) => self.late.push_back((Instant::now() + self.spec.order_lag, instruction)),
                    None => return,
                },
                command = told.recv() => match command {
                    Some(Command::Snapshot(taken)) => {
                        let _ = taken.send(self.checkpoint()); // nobody waits any more
                    }
                    Some(Command::FailOver(done)) => {
                        self.fail_over();
                        let _ = done.send(()); // nobody waits any more
                    }
                    Some(Command::End) => return self.end(),
                    None => return,
                },
                _ = pump.tick() => self.read(),
                _ = statuses.tick() => self.tell_statuses(),
                _ = checkpoints.tick() => drop(self.checkpoint()),
            }
            while self.late.front().is_some_and(|(due, _)| *due <= Instant::now()) {
                if let Some((_, instruction)) = self.late.pop_front() {
                    self.follow(instruction);
                }
            }
        }
    }

    fn tell(&self, event: Event) {
        self.teller.tell(event);
    }

    /// Builds all tasks from the last checkpoint.
    fn restore(&mut self) {
        let last = self.shared.last.lock().expect("no panic").clone();
        let parallelism = self.spec.parallelism as usize;
        let (headers, held, offsets) = match last {
            Some(last) => (last.headers, last.held, last.offsets),
            None => (Vec::new(), Vec::new(), [0; PARTITIONS]),
        };
        self.tasks.clear();
        for index in 0..parallelism {
            let held: Vec<_> = held.iter().skip(index).step_by(parallelism).cloned().collect();
            let machine =
                Subtask::new(self.spec.member, self.spec.limits, &headers, held).expect("one snapshot");
            let inputs = (index..PARTITIONS)
                .step_by(parallelism)
                .map(|partition| (partition, offsets[partition]))
                .collect();
            self.tasks.push(Task { machine, inputs, open: Vec::new() });
        }
        for subtask in 0..self.spec.parallelism {
            let (gate, attempt, parallelism) = (GATE.to_owned(), self.attempt, self.spec.parallelism);
            self.tell(Event::SubtaskReady { gate, subtask, attempt, parallelism });
        }
    }

    fn end(&mut self) {
        self.read();
        for task in &mut self.tasks {
            task.step(subtask::Event::Watermark(EventTime::MAX));
            task.step(subtask::Event::EndOfInput);
        }
        self.checkpoint();
    }

    fn fail_over(&mut self) {
        for subtask in 0..self.spec.parallelism {
            self.tell(Event::SubtaskGone { gate: GATE.to_owned(), subtask });
        }
        self.attempt += 1;
        self.restore();
    }

    fn read(&mut self) {
        let produced = self.world.produced();
        for task in &mut self.tasks {
            if !task.machine.is_full() {
                task.read(produced);
            }
        }
    }

    fn tell_statuses(&self) {
        (0..self.spec.parallelism).for_each(|subtask| self.tell_status(subtask));
    }

    fn tell_status(&self, subtask: u32) {
        let status = self.tasks[subtask as usize].machine.status();
        let (gate, attempt) = (GATE.to_owned(), self.attempt);
        self.tell(Event::SubtaskStatus { gate, subtask, attempt, status });
    }

    fn follow(&mut self, instruction: Instruction) {
        match instruction {
            Instruction::Order { gate, subtask, attempt, order } => {
                assert_eq!(gate, GATE);
                *self.shared.orders.lock().expect("no panic") += 1;
                if attempt == self.attempt {
                    let epoch = order.order.epoch;
                    self.tasks[subtask as usize].step(subtask::Event::Order(order.order));
                    let mut epochs = self.shared.epochs.lock().expect("no panic");
                    epochs.entry(subtask).or_default().push((epoch, Instant::now()));
                    drop(epochs);
                    self.tell_status(subtask);
                }
            }
            Instruction::Checkpoint => drop(self.checkpoint()),
            Instruction::Claimed => {}
            Instruction::FailJob { message } => *self.shared.failed.lock().expect("no panic") = Some(message),
            Instruction::Log { level, message } => {
                self.shared.logs.lock().expect("no panic").push((level, message));
            }
        }
    }

    /// A checkpoint that completes and is committed at once.
    fn checkpoint(&mut self) -> Checkpoint {
        let id = self.next_checkpoint;
        self.next_checkpoint += 1;
        let mut checkpoint =
            Checkpoint { id, headers: Vec::new(), held: Vec::new(), offsets: [0; PARTITIONS] };
        let mut records = Vec::new();
        for task in &mut self.tasks {
            task.step(subtask::Event::Snapshot(CheckpointId(id), now()));
            checkpoint.headers.push(task.machine.header(CheckpointId(id)));
            checkpoint.held.extend(task.machine.held().cloned());
            task.inputs.iter().for_each(|(partition, read)| checkpoint.offsets[*partition] = *read);
            records.append(&mut task.open);
        }
        *self.shared.last.lock().expect("no panic") = Some(checkpoint.clone());
        self.world.commit(&records, self.spec.member);
        self.tell_statuses();
        for subtask in 0..self.spec.parallelism {
            self.tell(Event::Committed { gate: GATE.to_owned(), subtask, checkpoint: CheckpointId(id) });
        }
        checkpoint
    }
}

impl Task {
    fn read(&mut self, produced: usize) {
        // Whoever has no partition hears how far all are, as behind a shuffle.
        let mut reached =
            if self.inputs.is_empty() { watermark(produced.saturating_sub(1)) } else { EventTime::MAX };
        for index in 0..self.inputs.len() {
            let (partition, mut read) = self.inputs[index];
            while read * PARTITIONS + partition < produced {
                let record = read * PARTITIONS + partition;
                self.step(subtask::Event::Record {
                    time: Some(EventTime::from_millis(time(record))),
                    bytes: 8,
                    record,
                });
                read += 1;
            }
            self.inputs[index].1 = read;
            let last = read.checked_sub(1).map(|last| watermark(last * PARTITIONS + partition));
            reached = reached.min(last.unwrap_or(EventTime::MIN));
        }
        self.step(subtask::Event::Watermark(reached));
    }

    fn step(&mut self, event: subtask::Event<usize>) {
        let mut effects = Vec::new();
        self.machine.step(event, &mut effects);
        for effect in effects {
            match effect {
                Effect::Dispose(Disposition::Emit | Disposition::LateEmit, record) => self.open.push(record),
                Effect::Dispose(
                    Disposition::Discard
                    | Disposition::LateDrop
                    | Disposition::LateSideOutput
                    | Disposition::LateDiscard
                    | Disposition::Hold,
                    _,
                )
                | Effect::Watermark(_)
                | Effect::Idle(_) => {}
            }
        }
    }
}

//! The agent's loop.

use std::pin::Pin;
use std::time::Duration;

use tidegate_protocol::identity::Incarnation;
use tidegate_protocol::member::{Effect, Event, MemberState, News};
use tidegate_protocol::report::{GateReport, Report, Trouble};
use tidegate_protocol::time::{EventTime, WallTime};
use tidegate_store::Watch;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::instruction::{Instruction, Level, NumberedOrder};
use crate::rollout::Rollout;
use crate::round::{COLOR_TAKEN, Desk, Found, Plan};
use crate::{AgentConfig, now};

/// The machine's clock ticks this often.
const TICK: Duration = Duration::from_millis(100);
/// A member that has nothing new to say says so this often: others take it for dead otherwise.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Rounds on the store are at least this far apart.
const SPACING: Duration = Duration::from_millis(25);
/// The next round after one that failed.
const AWAY: Duration = Duration::from_millis(500);
/// The end of a job waits no longer than this for its agent's last round.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A running agent. Whoever drives it calls [`Agent::next`] in a loop; in between nothing happens.
pub struct Agent {
    machine: MemberState,
    /// `None` once it has ended; the heartbeat looks all the same.
    watch: Option<Watch>,
    desk: DeskState,
    events: mpsc::UnboundedReceiver<Event>,
    instructions: std::collections::VecDeque<Instruction>,
    serial: u64,
    create: Option<tidegate_protocol::document::Document>,
    /// Something changed in the store, or a step may be due.
    due: bool,
    not_before: Instant,
    tick: Instant,
    last_round: Instant,
    told: Option<(Report, Instant)>,
    trouble: Vec<Trouble>,
    /// The job was told to fail.
    refused: bool,
    /// The job has ended, and the last round is over.
    ended: bool,
}

/// Tells an agent what happens in the job, from any thread.
#[derive(Clone, Debug)]
pub struct Teller(mpsc::UnboundedSender<Event>);

type Round = Pin<Box<dyn Future<Output = (Desk, Found)> + Send>>;

enum DeskState {
    Idle(Box<Desk>),
    Busy(Round),
    /// Only while one state is exchanged for the other.
    Moving,
}

impl Teller {
    /// Tells of an event; without effect when the agent is gone.
    pub fn tell(&self, event: Event) {
        let _ = self.0.send(event); // an agent that is gone has no job any more
    }
}

impl Agent {
    /// An agent, and how it is told of events. Call it within a tokio runtime.
    pub fn open(config: &AgentConfig) -> Result<(Agent, Teller), tidegate_store::Error> {
        Ok(Agent::new(config, Rollout::open(&config.store, &config.rollout)?))
    }

    /// An agent on a rollout that is open already. Call it within a tokio runtime.
    pub fn new(config: &AgentConfig, rollout: Rollout) -> (Agent, Teller) {
        let instance = uuid::Uuid::new_v4().to_string();
        let machine = MemberState::new(config.for_machine(instance.clone()));
        let blank = Report {
            member: config.member(),
            incarnation: Incarnation(0),
            instance,
            job: config.job.clone(),
            written: WallTime::default(),
            epoch: None,
            origin: None,
            from_beginning: config.from_beginning,
            event_rate: 0,
            trouble: Vec::new(),
            gates: Default::default(),
        };
        let (sender, events) = mpsc::unbounded_channel();
        let agent = Agent {
            machine,
            watch: Some(rollout.watch()),
            desk: DeskState::Idle(Box::new(Desk::new(rollout, blank))),
            events,
            instructions: Default::default(),
            serial: 0,
            create: None,
            due: true,
            not_before: Instant::now(),
            tick: Instant::now(),
            last_round: Instant::now(),
            told: None,
            trouble: Vec::new(),
            refused: false,
            ended: false,
        };
        (agent, Teller(sender))
    }

    /// The next instruction; `None` when every [`Teller`] is gone, or after [`Agent::last_words`]. Cancel safe.
    pub async fn next(&mut self) -> Option<Instruction> {
        loop {
            if let Some(instruction) = self.instructions.pop_front() {
                return Some(instruction);
            }
            if self.ended {
                return None;
            }
            self.begin_round();
            self.wait().await;
        }
    }

    /// The job has come to its end: its last commits are told to the others, and the steps that they make possible are
    /// taken, in one last round. A job that ends while it hands over would otherwise never be known to have finished.
    pub async fn last_words(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let speak = async {
            if matches!(self.desk, DeskState::Busy(_)) {
                let (desk, found) = finished(&mut self.desk).await;
                self.desk = DeskState::Idle(Box::new(desk));
                self.found(found);
            }
            if let Ok(event) = self.events.try_recv() {
                self.take(event);
            }
            if self.machine.is_claimed() {
                (self.due, self.not_before) = (true, Instant::now());
                self.begin_round();
                let (desk, found) = finished(&mut self.desk).await;
                self.desk = DeskState::Idle(Box::new(desk));
                self.found(found);
            }
        };
        if tokio::time::timeout(LAST_WORDS, speak).await.is_err() {
            // Whoever needs them sees a silent member.
            self.log(Level::Warn, format!("the store took no last report within {} s", LAST_WORDS.as_secs()));
        }
    }

    /// Waits for one thing to happen and lets the machine take it.
    async fn wait(&mut self) {
        let not_before = self.not_before;
        let wakes = self.due && matches!(self.desk, DeskState::Idle(_));
        tokio::select! {
            event = self.events.recv() => match event {
                Some(event) => self.take(event),
                None => return self.last_words().await,
            },
            (desk, found) = finished(&mut self.desk) => {
                self.desk = DeskState::Idle(Box::new(desk));
                self.not_before = Instant::now() + SPACING;
                self.found(found);
            }
            changed = changed(&mut self.watch) => {
                self.due = true;
                if let Err(error) = changed {
                    self.watch = None;
                    self.log(Level::Warn, error.to_string());
                }
            }
            () = tokio::time::sleep_until(not_before), if wakes => {}
            () = tokio::time::sleep_until(self.tick) => {
                self.tick = Instant::now() + TICK;
                self.hear(News::Tick);
            }
        }
        self.look_after();
    }

    fn take(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.machine.step(event, now(), &mut effects);
        // Only what is there by now: a flood must not keep the agent from the store.
        for _ in 0..self.events.len() {
            let Ok(event) = self.events.try_recv() else { break };
            self.machine.step(event, now(), &mut effects);
        }
        self.perform(effects);
    }

    fn hear(&mut self, news: News) {
        let mut effects = Vec::new();
        self.machine.hear(news, now(), &mut effects);
        self.perform(effects);
    }

    fn found(&mut self, found: Found) {
        for said in found.said {
            self.log(Level::Info, said);
        }
        for news in found.news {
            self.pass_verdict(&news);
            if matches!(news, News::StoreTrouble(Some(_)) | News::SlotRefused(_)) {
                self.not_before = Instant::now() + AWAY;
            }
            self.hear(news);
        }
        if let Some(report) = found.wrote_report {
            self.told = Some((report, Instant::now()));
        }
    }

    /// A sink that is opened in the name of a member that is alive would abort its transactions, closed gates or not: so the
    /// job hears whether the name is its own, and fails when it is another's.
    fn pass_verdict(&mut self, news: &News) {
        match news {
            News::Claimed(_) => self.instructions.push_back(Instruction::Claimed),
            News::SlotRefused(trouble) if trouble.code == COLOR_TAKEN && !self.refused => {
                self.refused = true;
                let message = format!("{}: {}", trouble.code, trouble.message);
                self.instructions.push_back(Instruction::FailJob { message });
            }
            News::SlotRefused(_)
            | News::Followed(_)
            | News::Superseded
            | News::Document(_)
            | News::StoreTrouble(_)
            | News::Tick => {}
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Order { gate, subtask, attempt, order } => {
                    self.serial += 1;
                    let order = NumberedOrder { serial: self.serial, order };
                    self.instructions.push_back(Instruction::Order { gate, subtask, attempt, order });
                }
                Effect::Checkpoint => self.instructions.push_back(Instruction::Checkpoint),
                Effect::Create(document) => {
                    self.create = Some(document);
                    self.due = true;
                }
            }
        }
    }

    /// Notices what has changed since the last look: something to tell, something to say in the log.
    fn look_after(&mut self) {
        let trouble = self.machine.trouble();
        if trouble != self.trouble {
            let new: Vec<Trouble> =
                trouble.iter().filter(|one| !self.trouble.contains(one)).cloned().collect();
            for Trouble { message, code } in new {
                let text = if message.starts_with(&code) { message } else { format!("{code}: {message}") };
                self.log(Level::Warn, text);
            }
            for over in std::mem::take(&mut self.trouble) {
                if trouble.iter().all(|one| one.code != over.code) {
                    self.log(Level::Info, format!("{} is over", over.code));
                }
            }
            self.trouble = trouble;
        }
        self.due |= self.last_round.elapsed() >= HEARTBEAT || self.news().is_some();
    }

    /// The report, if there is something in it that the others should know now.
    fn news(&self) -> Option<Report> {
        let now = now();
        let report = self.machine.report(now)?;
        let Some((told, when)) = &self.told else { return Some(report) };
        let unsettled = self
            .machine
            .document()
            .is_some_and(|document| document.cutover.is_some() || document.owners.len() > 1);
        let changed = essence(told, unsettled) != essence(&report, unsettled);
        (changed || when.elapsed() >= HEARTBEAT).then_some(report)
    }

    fn begin_round(&mut self) {
        if !self.due || Instant::now() < self.not_before || !matches!(self.desk, DeskState::Idle(_)) {
            return;
        }
        if let DeskState::Idle(desk) = std::mem::replace(&mut self.desk, DeskState::Moving) {
            self.due = false;
            self.last_round = Instant::now();
            let plan =
                Plan { report: self.news(), create: self.create.take(), origin: self.machine.origin() };
            self.desk = DeskState::Busy(Box::pin(desk.round(plan)));
        }
    }

    fn log(&mut self, level: Level, message: String) {
        self.instructions.push_back(Instruction::Log { level, message });
    }
}

/// Waits for a hint, for ever when there is no watch.
async fn changed(watch: &mut Option<Watch>) -> Result<(), tidegate_store::Error> {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Waits for the round that is under way, for ever when there is none.
async fn finished(desk: &mut DeskState) -> (Desk, Found) {
    match desk {
        DeskState::Busy(round) => round.await,
        DeskState::Idle(_) | DeskState::Moving => std::future::pending().await,
    }
}

/// The part of a report on which a decision can hang: when it changes it is told at once, not with the next heartbeat.
/// Frontiers count only while something waits for them.
fn essence(report: &Report, unsettled: bool) -> Report {
    let still = |gate: &GateReport| GateReport {
        emitted_high: EventTime::MIN,
        discarded_high: EventTime::MIN,
        watermark_low: EventTime::MIN,
        watermark_high: EventTime::MIN,
        frontier: if unsettled { gate.frontier } else { EventTime::MIN },
        committed: None,
        idle: 0,
        held: 0,
        emitted: 0,
        discarded: 0,
        odd: [0; 3],
        furthest: None,
        slowest: Vec::new(),
        ..gate.clone()
    };
    Report {
        written: WallTime::default(),
        event_rate: 0,
        gates: report.gates.iter().map(|(name, gate)| (name.clone(), still(gate))).collect(),
        ..report.clone()
    }
}

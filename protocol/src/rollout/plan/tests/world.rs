//! A small world for the planner: jobs that start, run, crash and checkpoint; savepoints; the real document and the real
//! conductor. What the shell would do is done here in one line each.

use std::collections::{BTreeMap, BTreeSet};

use super::laws;
use crate::conductor::{self, Decision, Seen, conduct};
use crate::document::{Cutover, Document};
use crate::identity::{CheckpointId, Incarnation, Member, Origin, Snapshot};
use crate::report::{GateReport, Replies, Report};
use crate::request::Request;
use crate::rollout::*;
use crate::time::{EventTime, WallTime, When};

/// One round of the shell, in milliseconds.
pub(super) const ROUND_MS: u64 = 2_000;

/// Where the shell dies in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    No,
    BeforePersisting,
    BeforeAction,
}

#[derive(Clone, Debug)]
pub(super) struct Deployed {
    pub(super) seen: Deployment,
    pub(super) start: Start,
    since: u64,
    /// A fault has stopped it.
    pub(super) killed: bool,
    /// Its cluster answers nobody.
    lost: bool,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: u64,
    pub(super) record: Record,
    pub(super) wanted: Wanted,
    pub(super) asked: Option<Asked>,
    pub(super) deleting: bool,
    pub(super) released: bool,
    pub(super) gated: bool,
    pub(super) store_away: bool,
    /// Nothing comes of a start.
    pub(super) refuses_starts: bool,
    pub(super) checks: BTreeMap<String, Verdict>,
    pub(super) deployed: BTreeMap<Launch, Deployed>,
    pub(super) operations: BTreeMap<Operation, Progress>,
    pub(super) savepoints: BTreeSet<String>,
    pub(super) document: Option<Document>,
    pub(super) reports: BTreeMap<Member, Seen>,
    pub(super) placed: Option<(String, Request)>,
    /// How far members are behind, in milliseconds of event time.
    pub(super) behind: BTreeMap<Member, i64>,
    pub(super) done: Vec<ActionKind>,
    pub(super) stopped_scale: BTreeMap<Revision, Scale>,
    origins: BTreeMap<Member, Origin>,
    counter: u64,
}

pub(super) fn settings(strategy: Strategy) -> Settings {
    Settings {
        strategy,
        settling_ms: 4_000,
        window_ms: 6_000,
        lag: Lag { allowed_ms: 10_000, hold_ms: 4_000 },
        deadlines: Deadlines {
            snapshot_ms: 60_000,
            start_ms: 60_000,
            prove_ms: 120_000,
            promotion_ms: 0,
            cutover_ms: 120_000,
            stop_ms: 60_000,
            leave_ms: 120_000,
        },
        watch_ms: 20_000,
        deletion_delay_ms: 10_000,
        ..Settings::default()
    }
}

impl World {
    pub(super) fn new(strategy: Strategy) -> World {
        World {
            now: 1_000_000,
            record: Record::default(),
            wanted: Wanted {
                revision: Revision("good-0".to_owned()),
                initial: Start::Empty,
                suspended: false,
                paused: false,
                settings: settings(strategy),
            },
            asked: None,
            deleting: false,
            released: false,
            gated: strategy == Strategy::BlueGreen,
            store_away: false,
            refuses_starts: false,
            checks: BTreeMap::new(),
            deployed: BTreeMap::new(),
            operations: BTreeMap::new(),
            savepoints: BTreeSet::new(),
            document: None,
            reports: BTreeMap::new(),
            placed: None,
            behind: BTreeMap::new(),
            done: Vec::new(),
            stopped_scale: BTreeMap::new(),
            origins: BTreeMap::new(),
            counter: 0,
        }
    }

    pub(super) fn want(&mut self, revision: &str) {
        self.wanted.revision = Revision(revision.to_owned());
    }

    pub(super) fn ask(&mut self, verb: Verb) {
        self.counter += 1;
        let id = format!("ask-{}", self.counter);
        self.asked = Some(Asked { id, who: "ann".to_owned(), why: String::new(), verb });
    }

    pub(super) fn plan(&self) -> Plan {
        let deployments = self.deployed.iter().map(|(launch, one)| (*launch, one.seen.clone())).collect();
        let document = match &self.document {
            _ if self.store_away => Sight::Unknown,
            Some(document) => Sight::Seen(document),
            None => Sight::Absent,
        };
        let observation = Observation {
            record: &self.record,
            wanted: &self.wanted,
            deployments: &deployments,
            operations: &self.operations,
            document,
            reports: &self.reports,
            placed: self.placed.as_ref().map(|(id, _)| id.as_str()).filter(|_| !self.store_away),
            checks: &self.checks,
            asked: self.asked.as_ref(),
            deleting: self.deleting,
        };
        let now = WallTime::from_millis(self.now);
        let plan = plan(&observation, now);
        let again = super::super::plan(&Observation { record: &plan.record, ..observation }, now);
        laws::a_plan_repeated_is_the_same(&plan, &again);
        plan
    }

    /// One round: the world goes on, then the shell plans and acts.
    pub(super) fn round(&mut self, death: Death) -> Plan {
        self.live();
        let plan = self.plan();
        if self.released || death == Death::BeforePersisting {
            return plan;
        }
        self.record = through_json(&plan.record);
        if let Some(action) = plan.action.clone().filter(|_| death == Death::No) {
            laws::check(self, &action);
            self.execute(action);
        }
        laws::check_state(self);
        plan
    }

    pub(super) fn rounds(&mut self, rounds: usize) -> Plan {
        let mut plan = self.round(Death::No);
        for _ in 1..rounds {
            plan = self.round(Death::No);
        }
        plan
    }

    /// Rounds until something holds.
    pub(super) fn until(&mut self, what: &str, is: impl Fn(&World) -> bool) {
        for _ in 0..400 {
            if is(self) {
                return;
            }
            self.round(Death::No);
        }
        panic!("never {what}: {:#?}", self.record);
    }

    pub(super) fn until_idle(&mut self) {
        self.until("idle with nothing left over", |world| {
            world.record.phase == Phase::Idle
                && world.record.active.is_some()
                && world.record.leftovers.is_empty()
                && world.plan().record == world.record
                && world.plan().action.is_none()
        });
    }

    pub(super) fn active(&self) -> String {
        self.record
            .active
            .as_ref()
            .map_or(String::new(), |active| format!("{}/{}", active.launch, active.revision))
    }

    pub(super) fn live_launches(&self) -> Vec<Launch> {
        let live = self.deployed.iter().filter(|(_, one)| !one.seen.job.has_ended());
        live.map(|(launch, _)| *launch).collect()
    }

    pub(super) fn kill(&mut self, launch: Launch, job: Job) {
        if let Some(one) = self.deployed.get_mut(&launch).filter(|one| !one.seen.job.has_ended()) {
            one.killed = job != Job::Running;
            one.seen.restarts += u64::from(job == Job::Restarting);
            one.seen.job = job;
        }
    }

    /// From now on nobody can tell what a launch does, nor end it.
    pub(super) fn lose(&mut self, launch: Launch) {
        let one = self.deployed.get_mut(&launch).unwrap();
        (one.seen.job, one.killed, one.lost) = (Job::Unknown, true, true);
    }

    pub(super) fn execute(&mut self, action: Action) {
        self.done.push(action.kind());
        match action {
            Action::Snapshot { operation } | Action::Stop { operation } => {
                self.operations.entry(operation).or_insert(Progress::Running);
            }
            Action::Start { version } => self.start(version),
            Action::Promote { operation, to, hand_over } => {
                self.place(
                    operation.to_string(),
                    Request::Promote { at: When::Now, to: Some(to), hand_over },
                );
            }
            Action::Withdraw { operation, attempt } => {
                self.place(operation.withdrawal(attempt), Request::Abort { attempt });
            }
            Action::Reclaim(reclaim) => {
                let document = self.document.take().unwrap();
                self.origins.insert(reclaim.by, Origin::Snapshot(reclaim.snapshot));
                self.document = Some(match document.owns(reclaim.by) {
                    true => document,
                    false => document.reclaim(&reclaim).unwrap().0,
                });
            }
            Action::Forget { member } => {
                self.document =
                    self.document.take().map(|document| document.forget(member).unwrap_or(document));
            }
            Action::Cancel { launch } => {
                if let Some(one) = self.deployed.get_mut(&launch).filter(|one| !one.seen.job.has_ended()) {
                    one.seen.job = Job::Ended(End::Canceled);
                }
            }
            Action::ClearHighAvailability { launch } => {
                if let Some(one) = self.deployed.get_mut(&launch) {
                    one.seen.high_availability = false;
                }
            }
            Action::Delete { launch } => {
                if self.deployed.get(&launch).is_some_and(|one| !one.lost) {
                    self.deployed.remove(&launch);
                }
            }
            Action::Drop { operation, savepoint } => {
                self.savepoints.remove(&savepoint.path);
                self.operations.remove(&operation);
            }
            Action::Release => self.released = true,
        }
    }

    /// As [`crate::edit`] does: what was answered under this id is not taken again.
    fn place(&mut self, id: String, request: Request) {
        let answered = self.document.as_ref().and_then(|document| document.answered.as_ref());
        if answered.is_none_or(|answer| answer.request != id) {
            self.placed = Some((id, request));
        }
    }

    fn start(&mut self, version: Version) {
        if self.deployed.contains_key(&version.launch) || self.refuses_starts {
            return;
        }
        let scale = version.scale.or(Some(Scale { parallelism: Some(2), ..Scale::default() }));
        let seen = Deployment {
            revision: version.revision,
            job: Job::Starting,
            restarts: 0,
            exception: None,
            checkpoints: Checkpoints::default(),
            scale,
            high_availability: true,
        };
        let one = Deployed { seen, start: version.start, since: self.now, killed: false, lost: false };
        self.deployed.insert(version.launch, one);
    }

    /// The world goes on by one round.
    pub(super) fn live(&mut self) {
        self.now += ROUND_MS;
        let launches: Vec<Launch> = self.deployed.keys().copied().collect();
        for launch in launches {
            self.live_job(launch);
        }
        self.live_operations();
        if self.gated && self.document.is_none() {
            let running = self.deployed.iter().find(|(_, one)| one.seen.job == Job::Running);
            // So that a former owner still owns its part when it is no longer watched for.
            let settings = crate::document::Settings { lateness_ms: 30_000, ..Default::default() };
            let first = |launch: &Launch| Document::first("orders", launch.member, Origin::Fresh, settings);
            self.document = running.map(|(launch, _)| first(launch));
        }
        self.live_reports();
        self.conduct();
    }

    fn live_job(&mut self, launch: Launch) {
        let owns = self.document.as_ref().is_some_and(|document| document.active().member == launch.member);
        let (now, counter) = (self.now, &mut self.counter);
        let savepoints = &mut self.savepoints;
        let Some(one) = self.deployed.get_mut(&launch) else { return };
        let kind = one.seen.revision.0.split('-').next().unwrap_or_default().to_owned();
        let crashes = kind == "crash" || kind == "late" && owns;
        match one.seen.job {
            Job::Ended(_) => {}
            _ if one.killed => {}
            Job::Starting if kind == "never" => {
                one.seen.exception = Some("no such class".to_owned());
                one.seen.job = Job::Ended(End::Failed("no such class".to_owned()))
            }
            Job::Starting => {
                if now >= one.since + 2 * ROUND_MS {
                    laws::its_state_is_there(launch, &one.start, savepoints);
                    one.seen.job = Job::Running;
                }
            }
            Job::Running if crashes => {
                one.seen.job = Job::Restarting;
                one.seen.restarts += 1;
            }
            Job::Running => {
                *counter += 1;
                let snapshot = Snapshot { member: launch.member, checkpoint: CheckpointId(*counter) };
                one.seen.checkpoints.completed += 1;
                let path = format!("checkpoint/{snapshot}");
                savepoints.insert(path.clone());
                one.seen.checkpoints.newest = Some(Savepoint { snapshot, path });
            }
            Job::Restarting | Job::Unknown => one.seen.job = Job::Running,
        }
    }

    fn live_operations(&mut self) {
        for (operation, progress) in &mut self.operations {
            if *progress != Progress::Running {
                continue;
            }
            let one = self.deployed.get_mut(&operation.launch);
            let Some(one) = one.filter(|one| one.seen.job == Job::Running) else {
                *progress = Progress::Failed("the job does not run".to_owned());
                continue;
            };
            self.counter += 1;
            let snapshot =
                Snapshot { member: operation.launch.member, checkpoint: CheckpointId(self.counter) };
            let path = format!("savepoint/{operation}");
            self.savepoints.insert(path.clone());
            *progress = Progress::Done(Savepoint { snapshot, path });
            if operation.kind == OperationKind::Stop {
                one.seen.job = Job::Ended(End::Finished);
                if let Some(scale) = one.seen.scale {
                    self.stopped_scale.insert(one.seen.revision.clone(), scale);
                }
            }
        }
    }

    fn live_reports(&mut self) {
        for seen in self.reports.values_mut() {
            seen.silent_ms = conductor::SILENT_MS;
        }
        let Some(document) = self.document.as_ref().filter(|_| !self.store_away) else { return };
        let question = match &document.cutover {
            Some(Cutover::Proposed { terms, .. }) => Some((terms.attempt, terms.to)),
            Some(Cutover::Committed { .. }) | None => None,
        };
        let time = EventTime::from_millis(i64::try_from(self.now).unwrap());
        for (launch, one) in self.deployed.iter().filter(|(_, one)| one.seen.job == Job::Running) {
            let member = launch.member;
            let origin = match &one.start {
                Start::Savepoint(savepoint) => Origin::Snapshot(savepoint.snapshot),
                Start::Empty | Start::Given(_) => Origin::Fresh,
            };
            let origin = *self.origins.entry(member).or_insert(origin);
            let asked = question.filter(|(_, to)| member == *to || member == document.active().member);
            let replies = asked.map(|(attempt, _)| Replies {
                attempt,
                acknowledged: 1,
                refused_high: None,
                missing: Vec::new(),
            });
            let behind = self.behind.get(&member).copied().unwrap_or_default();
            let report = report(member, origin, document, replies, time.plus(-behind));
            self.reports.insert(member, Seen { report, silent_ms: 0 });
        }
    }

    /// Any running agent may conduct.
    fn conduct(&mut self) {
        let runs = self.deployed.values().any(|one| one.seen.job == Job::Running);
        let Some(document) = self.document.as_ref().filter(|_| runs && !self.store_away) else { return };
        let asked = self.placed.clone().map(|(id, request)| conductor::Asked { id, request });
        let now = WallTime::from_millis(self.now);
        let observation = conductor::Observation {
            document,
            reports: &self.reports,
            asked: asked.as_ref(),
            paused: false,
            now,
        };
        if let Decision::Change(next, _) = conduct(observation) {
            self.document = Some(*next);
        }
    }
}

fn report(
    member: Member,
    origin: Origin,
    document: &Document,
    replies: Option<Replies>,
    time: EventTime,
) -> Report {
    let gate = GateReport {
        parallelism: 1,
        ready: 1,
        ended: 0,
        idle: 0,
        replies,
        emitted_high: time,
        discarded_high: time,
        watermark_low: time,
        watermark_high: time,
        frontier: time,
        committed: None,
        held: 0,
        full: 0,
        emitted: 0,
        discarded: 0,
        odd: [0; 3],
        furthest: None,
        slowest: Vec::new(),
    };
    Report {
        member,
        incarnation: Incarnation(1),
        instance: "i".to_owned(),
        job: "j".to_owned(),
        written: WallTime::default(),
        epoch: Some(document.epoch),
        origin: Some(origin),
        from_beginning: false,
        event_rate: 1_000,
        trouble: Vec::new(),
        gates: BTreeMap::from([("g".to_owned(), gate)]),
    }
}

fn through_json(record: &Record) -> Record {
    let text = serde_json::to_string(record).unwrap();
    let read: Record = serde_json::from_str(&text).unwrap();
    assert_eq!(read, *record, "a record is read as it is written");
    read
}

//! One look at the world: deployments first, then the document, then the reports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate::flink::{self, Driver, Taking};
use tidegate_protocol::conductor::Seen;
use tidegate_protocol::document::Document;
use tidegate_protocol::identity::Member;
use tidegate_protocol::rollout::{
    Deployment, Launch, Observation, Operation, OperationKind, Phase, Plan, Progress, Purpose, Record,
    Revision, Sight, Verdict,
};

use super::desk::Desk;
use super::metrics::Look;
use super::problem::Problem;
use super::source::{cluster_of, job_spec, launch_of, start_from};
use super::sources::version_of;
use super::store::Contents;
use super::subject::Subject;
use super::{deployment, inventory};

/// What was seen.
pub(super) struct World {
    deployments: BTreeMap<Launch, Deployment>,
    operations: BTreeMap<Operation, Progress>,
    /// `None`: the store cannot be used.
    pub(super) contents: Option<Contents>,
    placed: Option<String>,
    /// What the checks come to so far.
    pub(super) checks: BTreeMap<String, Verdict>,
    /// What could not be seen.
    pub(super) problems: Vec<Problem>,
}

impl World {
    pub(super) fn observation<'a>(&'a self, subject: &Subject<'a>) -> Observation<'a> {
        Observation {
            record: subject.record,
            wanted: subject.wanted,
            deployments: &self.deployments,
            operations: &self.operations,
            document: match &self.contents {
                None => Sight::Unknown,
                Some(contents) => {
                    contents.document.as_ref().map_or(Sight::Absent, |known| Sight::Seen(&known.0))
                }
            },
            reports: self.reports(),
            placed: self.placed.as_deref(),
            checks: &self.checks,
            asked: subject.asked,
            deleting: subject.deleting,
        }
    }

    /// For the metrics.
    pub(super) fn measure<'a>(&'a self, subject: &Subject<'a>, plan: &'a Plan) -> Look<'a> {
        let (document, reports, checks) = (self.document(), self.reports(), &self.checks);
        Look { before: subject.record, plan, document, reports, checks, now: subject.now }
    }

    fn reports(&self) -> &BTreeMap<Member, Seen> {
        static NONE: BTreeMap<Member, Seen> = BTreeMap::new();
        self.contents.as_ref().map_or(&NONE, |contents| &contents.reports)
    }

    pub(super) fn document(&self) -> Option<&Document> {
        self.contents.as_ref().and_then(|contents| contents.document.as_ref()).map(|known| &known.0)
    }
}

impl Desk {
    /// Looks at all of it, after the steps of the protocol that are due. Fails only when nothing can be told from what was seen.
    pub(super) async fn observe(&mut self, subject: &Subject<'_>) -> Result<World, Problem> {
        let mut problems = Vec::new();
        let rollout = self.open(&subject.intent.store, subject.name);
        if let Ok(rollout) = &rollout
            && let Err(problem) = self.conduct(rollout).await
        {
            problems.push(problem);
        }
        let mut deployments = BTreeMap::new();
        for launch in inventory::known(subject.record) {
            let seen = self.look_at(subject, launch, &mut problems).await;
            deployments.extend(seen.map(|seen| (launch, seen)));
        }
        let members = self.members();
        deployments.extend(self.others(subject, members, &mut problems).await?);
        let mut operations = BTreeMap::new();
        for operation in subject.record.operations() {
            let seen = self.progress(subject, operation, &mut problems).await;
            operations.extend(seen.map(|seen| (operation, seen)));
        }
        for launch in deployments.keys().copied().collect::<Vec<Launch>>() {
            let stays = self.driver_of(subject, launch).is_ok_and(|driver| driver.makes_clusters());
            if !stays && !is_there(subject, &operations, launch, &deployments[&launch]) {
                deployments.remove(&launch);
            }
        }
        let contents = match rollout {
            Ok(rollout) => self.contents(&rollout).await,
            Err(problem) => Err(problem),
        };
        let contents = contents.map_err(|problem| problems.push(problem)).ok();
        let placed = contents.as_ref().and_then(Contents::placed);
        Ok(World { deployments, operations, contents, placed, checks: BTreeMap::new(), problems })
    }

    async fn look_at(
        &mut self,
        subject: &Subject<'_>,
        launch: Launch,
        problems: &mut Vec<Problem>,
    ) -> Option<Deployment> {
        let version = version_of(subject.record, launch)?;
        let revision = &version.revision;
        let (driver, job) = match self.job(subject, launch) {
            Ok(found) => found,
            Err(problem) => {
                problems.push(problem);
                return Some(deployment::unknown(revision));
            }
        };
        match deployment::look(driver.as_ref(), &job, launch, revision, version.ran).await {
            Ok(None) => {
                // What was given up is gone.
                let leftovers = &subject.record.leftovers;
                let is_left = leftovers.iter().any(|leftover| leftover.version.launch == launch);
                let reason = self.refused.get(&launch).filter(|_| !is_left);
                reason.map(|reason| deployment::refused(revision, reason))
            }
            Ok(Some(seen)) => {
                if seen.job == tidegate_protocol::rollout::Job::Running && is_starting(subject.record, launch)
                {
                    self.compare(subject, driver.as_ref(), launch, problems).await;
                }
                Some(seen)
            }
            Err(error) => {
                problems.push(error.into());
                // Whether it is there is not known; while it is to be started, to ask for that is right in any case.
                let unborn = matches!(&subject.record.phase, Phase::Starting { created: false, .. })
                    && is_starting(subject.record, launch);
                (!unborn).then(|| deployment::unknown(revision))
            }
        }
    }

    /// Says once where a job that has just come to run is not what was asked for.
    async fn compare(
        &mut self,
        subject: &Subject<'_>,
        driver: &dyn Driver,
        launch: Launch,
        problems: &mut Vec<Problem>,
    ) {
        let Some(version) = version_of(subject.record, launch) else { return };
        let Ok(source) = subject.sources.of_version(version) else { return };
        if self.compared.contains(&launch) {
            return;
        }
        let job = driver.job_id(&launch_of(subject.uid, subject.name, launch));
        let spec = job_spec(subject.name, subject.intent, version, source);
        match driver.differences(&job, &spec, &start_from(&version.start)).await {
            Ok(differences) => {
                self.compared.insert(launch);
                // A program that names its job itself may do so.
                let differences: Vec<String> = differences
                    .into_iter()
                    .filter(|difference| difference.setting != "name")
                    .map(|difference| {
                        format!(
                            "{} is {} instead of {}",
                            difference.setting, difference.found, difference.asked
                        )
                    })
                    .collect();
                if !differences.is_empty() {
                    problems.push(Problem::Different { launch, differences: differences.join(", ") });
                }
            }
            Err(error) => problems.push(error.into()),
        }
    }

    /// The members that the store tells of.
    fn members(&self) -> BTreeSet<Member> {
        self.observer.members().collect()
    }

    /// Jobs of this resource that its record does not know, on the clusters that it knows.
    async fn others(
        &mut self,
        subject: &Subject<'_>,
        members: BTreeSet<Member>,
        problems: &mut Vec<Problem>,
    ) -> Result<BTreeMap<Launch, Deployment>, Problem> {
        let mut found = BTreeMap::new();
        let launches = inventory::others(subject.record, members);
        let revisions =
            subject.record.revisions().into_iter().filter_map(|revision| subject.sources.of(revision));
        let mut clusters = BTreeMap::from([(cluster_of(&subject.intent.source), &subject.intent.source)]);
        clusters.extend(revisions.map(|source| (cluster_of(source), source)));
        for source in clusters.into_values() {
            let driver = self.driver(subject, source)?;
            match others_of(driver.as_ref(), subject, &launches).await {
                Ok(others) => {
                    let launches = others.keys().map(|launch| (*launch, Arc::clone(&driver)));
                    self.found.extend(launches);
                    found.extend(others);
                }
                // With nothing in the record, what is there must be seen before anything is started.
                Err(error) if subject.record.active.is_none() => return Err(error.into()),
                Err(error) => problems.push(error.into()),
            }
        }
        Ok(found)
    }

    /// How far a savepoint or a stop is. What cannot be seen may be under way.
    async fn progress(
        &mut self,
        subject: &Subject<'_>,
        operation: Operation,
        problems: &mut Vec<Problem>,
    ) -> Option<Progress> {
        let kept = subject.record.savepoints.iter().find(|kept| kept.operation == operation)?;
        if kept.dropping {
            let is_gone = self.disposed.contains(&operation);
            return kept.savepoint.clone().filter(|_| !is_gone).map(Progress::Done);
        }
        match self.look_for(subject, operation).await {
            Ok(progress) => progress,
            Err(problem) => {
                problems.push(problem);
                Some(Progress::Running)
            }
        }
    }

    async fn look_for(
        &mut self,
        subject: &Subject<'_>,
        operation: Operation,
    ) -> Result<Option<Progress>, Problem> {
        let (driver, job) = self.job(subject, operation.launch)?;
        let taking = match operation.kind {
            OperationKind::Stop => Taking::Stop,
            OperationKind::Snapshot | OperationKind::Pin | OperationKind::Scheduled => Taking::Savepoint,
            OperationKind::Promote | OperationKind::Withdraw => return Ok(None),
        };
        let name = operation_of(operation)?;
        Ok(match driver.look(&job, &name, taking).await? {
            None => None,
            Some(flink::Progress::Running) => Some(Progress::Running),
            Some(flink::Progress::Failed(reason)) => Some(Progress::Failed(reason)),
            Some(flink::Progress::Done(savepoint)) => {
                let member = operation.launch.member;
                let numbered = match driver.checkpoints(&job).await {
                    Ok(told) => deployment::numbered(&told, member, &savepoint.path),
                    // The cluster went with its job. Its member goes on from there itself, and no number is compared.
                    Err(_) if taking == Taking::Stop && driver.makes_clusters() => {
                        Some(deployment::unnumbered(member, savepoint.path))
                    }
                    Err(error) => return Err(error.into()),
                };
                // Its statistics come some seconds after it.
                Some(numbered.map_or(Progress::Running, Progress::Done))
            }
        })
    }
}

/// The deployments of this resource that a driver has and the record does not know.
async fn others_of(
    driver: &dyn Driver,
    subject: &Subject<'_>,
    launches: &BTreeSet<Launch>,
) -> Result<BTreeMap<Launch, Deployment>, flink::Error> {
    let known = inventory::known(subject.record);
    let mut found: BTreeMap<Launch, flink::JobId> = BTreeMap::new();
    if driver.makes_clusters() {
        let deployed = driver.deployments(subject.uid).await?.into_iter();
        let launch = |one: &flink::Launch| Launch { member: one.member, number: one.attempt };
        found.extend(deployed.map(|one| (launch(&one.launch), one.job)));
        found.retain(|launch, _| !known.contains(launch));
    } else {
        let jobs = driver.jobs().await?;
        let alive: BTreeSet<&flink::JobId> =
            jobs.iter().filter(|job| !job.state.has_ended()).map(|job| &job.id).collect();
        let named = |launch: &Launch| {
            let job = driver.job_id(&launch_of(subject.uid, subject.name, *launch));
            alive.contains(&job).then_some((*launch, job))
        };
        found.extend(launches.iter().filter(|_| !alive.is_empty()).filter_map(named));
    }
    let mut seen = BTreeMap::new();
    for (launch, job) in found {
        let revision = subject.sources.of_launch(launch).unwrap_or(Revision("unknown".to_owned()));
        let told = deployment::look(driver, &job, launch, &revision, true).await?;
        seen.extend(told.map(|told| (launch, told)));
    }
    Ok(seen)
}

/// The name of an operation, as a driver takes it.
pub(super) fn operation_of(operation: Operation) -> Result<flink::Operation, Problem> {
    flink::Operation::new(operation.to_string()).map_err(|error| Problem::Name(error.to_string()))
}

/// Whether a launch is the one that is just being started.
fn is_starting(record: &Record, launch: Launch) -> bool {
    let Phase::Starting { purpose, .. } = &record.phase else { return false };
    let version = match purpose {
        Purpose::Standby(version) => Some(version),
        Purpose::First | Purpose::InPlace { .. } | Purpose::Reclaim => record.active.as_ref(),
    };
    version.is_some_and(|version| version.launch == launch)
}

/// A job that has ended leaves nothing on a cluster that others use as well but its entry in the list. It counts as deleted when
/// nothing asks for it any more.
fn is_there(
    subject: &Subject<'_>,
    operations: &BTreeMap<Operation, Progress>,
    launch: Launch,
    seen: &Deployment,
) -> bool {
    let record = subject.record;
    if !seen.job.has_ended() {
        return true;
    }
    if matches!(record.phase, Phase::Leaving { .. } | Phase::Left) {
        let awaited = |(operation, progress): (&Operation, &Progress)| {
            operation.launch == launch
                && operation.kind == OperationKind::Stop
                && *progress == Progress::Running
        };
        return operations.iter().any(awaited);
    }
    let Some(leftover) = record.leftovers.iter().find(|leftover| leftover.version.launch == launch) else {
        return true;
    };
    let delay = subject.wanted.settings.deletion_delay_ms;
    leftover.ended.is_none_or(|ended| subject.now.since(ended) < delay)
}

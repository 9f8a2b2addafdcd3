//! The laws of [`Driver`], for every implementation. A failure names its law.
//!
//! The job is the metronome of `integration-tests/jobs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tidegate::flink::{
    Driver, Error, JobId, JobSpec, JobState, Launch, Operation, Progress, StartFrom, Status, Submission,
};
use tidegate_integration_tests::{Observed, wait_until};
use tidegate_protocol::identity::{Color, Member};

pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

/// What a driver is tried on: an empty cluster with six slots.
pub(crate) trait Stage: Sync {
    fn driver(&self) -> &dyn Driver;

    /// The metronome, without arguments.
    fn metronome(&self) -> JobSpec;

    /// Whether a start that cannot succeed fails at once. Where a cluster is made first, it is told at a later repetition.
    fn refuses_at_once(&self) -> bool;

    /// What runs or waits for slots, by another look than the driver's.
    fn alive(&self) -> impl Future<Output = Result<BTreeSet<String>>>;
}

/// All laws, one after the other.
pub(crate) async fn run_all(stage: &impl Stage) -> Result<()> {
    let blue = one_launch_is_one_job(stage).await.context("law: one launch is one job")?;
    settings_are_compared(stage, &blue).await.context("law: settings are compared")?;
    health_is_told(stage, &blue).await.context("law: health is told")?;
    one_operation_is_one_snapshot(stage, &blue).await.context("law: one operation is one snapshot")?;
    a_job_begins_with_a_snapshot(stage, &blue).await.context("law: a job begins with a snapshot")?;
    a_name_of_two_is_nobodys(stage).await.context("law: a name of two is nobody's")?;
    an_end_is_an_end(stage, &blue).await.context("law: an end is an end")?;
    let none = stage.alive().await?;
    ensure!(none.is_empty(), "these are left over: {none:?}");
    Ok(())
}

pub(crate) fn launch(rollout: &str, attempt: u32) -> Launch {
    let member = Member::new(Color::Blue, 1);
    Launch { owner: "5d0c".into(), rollout: rollout.into(), member, attempt }
}

pub(crate) fn operation(name: &str) -> Result<Operation> {
    Ok(Operation::new(name)?)
}

pub(crate) fn with_arguments(mut spec: JobSpec, arguments: &[&str]) -> JobSpec {
    spec.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    spec
}

fn named(stage: &impl Stage, name: &str, parallelism: u32) -> JobSpec {
    let configuration = [
        ("execution.checkpointing.interval", "500ms"),
        ("execution.checkpointing.mode", "EXACTLY_ONCE"),
        ("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"),
        ("pipeline.max-parallelism", "64"),
    ];
    let configuration = configuration.map(|(key, value)| (key.to_owned(), value.to_owned()));
    JobSpec {
        name: Some(name.to_owned()),
        parallelism: Some(parallelism),
        configuration: BTreeMap::from(configuration),
        ..stage.metronome()
    }
}

pub(crate) async fn running(driver: &dyn Driver, job: &JobId) -> Result<Status> {
    wait_until(&format!("job {job} runs"), DEADLINE, async || {
        let Some(status) = driver.status(job).await? else { bail!("job {job} is unknown") };
        ensure!(!status.state.has_ended(), "{}: {:?}", status.summary(), driver.failures(job).await?);
        Ok(Observed::when(status.is_running(), status.clone(), || status.summary()))
    })
    .await
}

/// Asks until there is an end.
pub(crate) async fn done<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Progress<T>, Error>,
) -> Result<T> {
    wait_until(what, DEADLINE, async || match ask().await? {
        Progress::Running => Ok(Observed::NotYet("it is running".into())),
        Progress::Done(value) => Ok(Observed::Reached(value)),
        Progress::Failed(reason) => bail!("it has failed: {reason}"),
    })
    .await
}

pub(crate) async fn cancelled(driver: &dyn Driver, job: &JobId) -> Result<()> {
    done(&format!("job {job} is cancelled"), async || driver.cancel(job).await).await
}

/// The error of a launch that cannot come to run, the same at each repetition.
pub(crate) async fn refusal(
    stage: &impl Stage,
    launch: &Launch,
    spec: &JobSpec,
    from: &StartFrom,
) -> Result<Error> {
    let driver = stage.driver();
    let refused = async || driver.start(launch, spec, from).await.err();
    if stage.refuses_at_once() {
        let (error, again) = (refused().await.context("it has started")?, refused().await);
        let again = again.context("it has started after all")?;
        ensure!(again.to_string() == error.to_string(), "first {error}, then {again}");
        return Ok(error);
    }
    wait_until(&format!("{launch} is refused"), DEADLINE, async || {
        let error = match (refused().await, refused().await) {
            (Some(error), Some(again)) if !error.is_transient() && error.to_string() == again.to_string() => {
                error
            }
            other => return Ok(Observed::NotYet(format!("{other:?}"))),
        };
        Ok(Observed::Reached(error))
    })
    .await
}

/// Also when two controllers start it at once, and when it is asked for again later.
async fn one_launch_is_one_job(stage: &impl Stage) -> Result<JobId> {
    let driver = stage.driver();
    let launch = launch("laws-blue", 1);
    let spec = named(stage, "blue", 2);
    let from = StartFrom::Nothing;
    let capacity = driver.capacity().await?;
    ensure!(
        capacity.as_ref().is_none_or(|capacity| (capacity.slots, capacity.free) == (6, 6)),
        "{capacity:?}"
    );
    let job = driver.job_id(&launch);
    ensure!(driver.status(&job).await?.is_none());

    let (first, second) =
        tokio::join!(driver.start(&launch, &spec, &from), driver.start(&launch, &spec, &from));
    let news = [first?, second?].iter().filter(|submission| **submission == Submission::New).count();
    ensure!(news == 1, "{news} of two starts say that they have submitted it");
    let status = running(driver, &job).await?;
    ensure!(status.name == "blue" && status.parallelism == Some(2), "{status:?}");
    ensure!(driver.start(&launch, &spec, &from).await? == Submission::Known);
    let alive = stage.alive().await?;
    ensure!(alive.len() == 1, "{alive:?}");
    ensure!(driver.jobs().await?.len() == 1);
    ensure!(driver.find("blue").await?.is_some_and(|found| found.id == job));
    ensure!(driver.find("blu").await?.is_none());
    Ok(job)
}

async fn settings_are_compared(stage: &impl Stage, blue: &JobId) -> Result<()> {
    let driver = stage.driver();
    let asked = named(stage, "blue", 2);
    let same = driver.differences(blue, &asked, &StartFrom::Nothing).await?;
    ensure!(same.is_empty(), "{same:?}");

    let mut other = named(stage, "green", 3);
    for (key, value) in [
        ("execution.checkpointing.interval", "1 min"),
        ("execution.checkpointing.mode", "AT_LEAST_ONCE"),
        ("pipeline.max-parallelism", "65"),
    ] {
        other.configuration.insert(key.to_owned(), value.to_owned());
    }
    let from = StartFrom::Snapshot("file:/no/such".to_owned());
    let found = driver.differences(blue, &other, &from).await?;
    let settings: BTreeSet<&str> = found.iter().map(|difference| difference.setting.as_str()).collect();
    let wanted = [
        "parallelism",
        "name",
        "pipeline.max-parallelism",
        "execution.checkpointing.interval",
        "execution.checkpointing.mode",
        "state",
    ];
    ensure!(settings == BTreeSet::from(wanted), "{found:?}");
    Ok(())
}

async fn health_is_told(stage: &impl Stage, blue: &JobId) -> Result<()> {
    let driver = stage.driver();
    wait_until("restarts are counted", DEADLINE, async || {
        let restarts = driver.status(blue).await?.and_then(|status| status.restarts);
        Ok(Observed::when(restarts == Some(0), (), || format!("{restarts:?}")))
    })
    .await?;
    wait_until("a checkpoint is complete", DEADLINE, async || {
        let checkpoints = driver.checkpoints(blue).await?;
        let complete =
            checkpoints.completed.as_ref().is_some_and(|checkpoint| checkpoint.restorable.is_some());
        let kept = checkpoints.kept_when_cancelled && checkpoints.restored.is_none();
        Ok(Observed::when(complete && kept && checkpoints.counts.completed > 0, (), || {
            format!("{checkpoints:?}")
        }))
    })
    .await?;
    wait_until("the second vertex has a watermark", DEADLINE, async || {
        let flow = driver.flow(blue).await?;
        let [source, hear] = flow.as_slice() else { bail!("{flow:?}") };
        let watermark = hear.watermark.and_then(|watermark| watermark.finite());
        let flows = source.watermark.is_none() && watermark.is_some_and(|at| at > 1_700_000_000_000);
        let told = flow.iter().all(|vertex| vertex.backpressured.is_some_and(|share| share < 0.5));
        Ok(Observed::when(flows && told, (), || format!("{flow:?}")))
    })
    .await?;
    ensure!(driver.failures(blue).await?.is_empty());
    Ok(())
}

async fn one_operation_is_one_snapshot(stage: &impl Stage, blue: &JobId) -> Result<()> {
    let driver = stage.driver();
    let checkpoint = async |name: &str| {
        let name = operation(name)?;
        done("a checkpoint", async || driver.checkpoint(blue, &name).await).await
    };
    let first = checkpoint("laws-1-look").await?;
    ensure!(checkpoint("laws-1-look").await? == first, "the checkpoint was taken again");
    ensure!(checkpoint("laws-2-look").await? > first, "the checkpoint was not taken");

    let savepoint = async |name: &str| {
        let name = operation(name)?;
        done("a savepoint", async || driver.savepoint(blue, &name).await).await
    };
    let first = savepoint("laws-1-way-back").await?;
    ensure!(savepoint("laws-1-way-back").await? == first, "the savepoint was taken again");
    let second = savepoint("laws-2-way-back").await?;
    ensure!(second != first, "the savepoint was not taken");
    running(driver, blue).await?;
    driver.dispose(&first.path).await?;
    let (spec, from) = (named(stage, "gone", 1), StartFrom::Snapshot(first.path.clone()));
    let gone = refusal(stage, &launch("laws-gone", 1), &spec, &from).await?;
    cancelled(driver, &driver.job_id(&launch("laws-gone", 1))).await?;
    let told = if stage.refuses_at_once() { "SnapshotUnreadable" } else { "LaunchUsed" };
    ensure!(gone.code() == told, "{gone}");
    driver.dispose(&first.path).await.context("once more")?;
    driver.dispose(&second.path).await?;
    Ok(())
}

/// A savepoint of a job that goes on undisturbed; and a checkpoint that is kept.
async fn a_job_begins_with_a_snapshot(stage: &impl Stage, blue: &JobId) -> Result<()> {
    let driver = stage.driver();
    let name = operation("laws-3-start")?;
    let savepoint = done("a savepoint", async || driver.savepoint(blue, &name).await).await?;
    let spec = named(stage, "green", 1);

    let from = StartFrom::Snapshot(savepoint.path.clone());
    let green = driver.job_id(&launch("laws-green", 1));
    ensure!(driver.start(&launch("laws-green", 1), &spec, &from).await? == Submission::New);
    running(driver, &green).await?;
    let differences = driver.differences(&green, &spec, &from).await?;
    ensure!(differences.is_empty(), "{differences:?}");
    let restored = driver.checkpoints(&green).await?.restored;
    ensure!(restored.is_some_and(|restored| restored.is_savepoint));
    let untouched = running(driver, blue).await?;
    ensure!(untouched.restarts == Some(0) && driver.failures(blue).await?.is_empty(), "{untouched:?}");

    let name = operation("laws-green-look")?;
    done("a checkpoint", async || driver.checkpoint(&green, &name).await).await?;
    cancelled(driver, &green).await?;
    let kept = wait_until("the end is in the statistics", DEADLINE, async || {
        let ended = driver.checkpoints(&green).await?;
        let kept = ended.completed.and_then(|checkpoint| checkpoint.restorable);
        let over = ended.counts.in_progress == 0;
        Ok(kept.filter(|_| over).map_or(Observed::NotYet("none".into()), Observed::Reached))
    })
    .await?;
    let (again, from) = (launch("laws-green", 2), StartFrom::Snapshot(kept));
    driver.start(&again, &spec, &from).await?;
    let green = driver.job_id(&again);
    running(driver, &green).await?;
    let differences = driver.differences(&green, &spec, &from).await?;
    ensure!(differences.is_empty(), "{differences:?}");
    cancelled(driver, &green).await?;
    driver.dispose(&savepoint.path).await?;
    Ok(())
}

async fn a_name_of_two_is_nobodys(stage: &impl Stage) -> Result<()> {
    let driver = stage.driver();
    let launches = [launch("laws-twin", 1), launch("laws-twin", 2)];
    for launch in &launches {
        driver.start(launch, &named(stage, "twin", 1), &StartFrom::Nothing).await?;
    }
    let [first, second] = launches.map(|launch| driver.job_id(&launch));
    running(driver, &first).await?;
    running(driver, &second).await?;
    let error = driver.find("twin").await.err().context("it was found")?.to_string();
    ensure!(error.contains(first.as_str()) && error.contains(second.as_str()), "{error}");
    cancelled(driver, &second).await?;
    ensure!(driver.find("twin").await?.is_some_and(|found| found.id == first));
    cancelled(driver, &first).await
}

/// Stopping tells the last savepoint, also to one who asks later and by another name; what has ended is not ended again.
async fn an_end_is_an_end(stage: &impl Stage, blue: &JobId) -> Result<()> {
    let driver = stage.driver();
    let stop = async |name: &str| {
        let name = operation(name)?;
        done("the job has stopped", async || driver.stop(blue, &name).await).await
    };
    let last = stop("laws-4-retire").await?;
    let ended = driver.status(blue).await?.map(|status| status.state);
    ensure!(ended == Some(JobState::Finished), "{ended:?}");
    ensure!(stop("laws-4-retire").await? == last);
    ensure!(stop("laws-5-retire").await? == last);
    let late = driver.savepoint(blue, &operation("laws-6-late")?).await?;
    ensure!(matches!(&late, Progress::Failed(reason) if reason.contains("Finished")), "{late:?}");
    cancelled(driver, blue).await?;
    let ended = driver.status(blue).await?.map(|status| status.state);
    ensure!(ended == Some(JobState::Finished), "{ended:?}");
    let again = driver.start(&launch("laws-blue", 1), &named(stage, "blue", 2), &StartFrom::Nothing).await?;
    ensure!(again == Submission::Known, "a launch that has ended was started again");

    let from = StartFrom::Snapshot(last.path);
    driver.start(&launch("laws-blue", 2), &named(stage, "blue", 1), &from).await?;
    let next = driver.job_id(&launch("laws-blue", 2));
    running(driver, &next).await?;
    cancelled(driver, &next).await
}

//! What a person or a cluster gets wrong: a clear error, and nothing that runs on.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use tidegate::flink::{Driver, JobId, JobSpec, JobState, Progress, StartFrom};
use tidegate_integration_tests::{Observed, wait_until};

use super::laws::{DEADLINE, Stage, cancelled, done, launch, operation, refusal, running, with_arguments};

/// What is told of a job that takes its cluster with it, and its reason, unless it is asked while that ends.
const LOST: &[&str] = &["LaunchUsed: ", "start it as a new attempt"];

/// All of it, on an empty cluster with six slots. What has a job of its own goes on at once: a cluster for each takes its time.
pub(crate) async fn run_all(stage: &impl Stage, folder: &Path) -> Result<()> {
    if stage.refuses_at_once() {
        what_is_no_jar_is_told(stage, folder).await.context("what is no jar is told")?;
    }
    what_cannot_start_is_told(stage, folder).await.context("what cannot start is told")?;
    tokio::try_join!(
        async { state_that_is_not_taken(stage).await.context("state that is not taken is told") },
        async { what_fails_later_is_told(stage).await.context("what fails later is told") },
        async { what_restarts_is_counted(stage).await.context("what restarts is counted") },
        async { backpressure_is_told(stage).await.context("backpressure is told") },
        async {
            a_stop_that_fails_keeps_its_savepoint(stage)
                .await
                .context("a stop that fails keeps its savepoint")
        },
    )?;
    no_verb_invents_a_job(stage.driver()).await.context("no verb invents a job")?;
    nothing_is_alive(stage).await
}

/// Nor will be: a JobManager that is just coming up, also of a job that has ended, counts until it has told of its jobs.
async fn nothing_is_alive(stage: &impl Stage) -> Result<()> {
    wait_until("nothing is alive", DEADLINE, async || {
        let alive = stage.alive().await?;
        Ok(Observed::when(alive.is_empty(), (), || format!("{alive:?}")))
    })
    .await
}

/// A launch that cannot come to run: the same error at each try, with all words of one of these. It may have to be cancelled.
async fn refused(
    stage: &impl Stage,
    name: &str,
    spec: &JobSpec,
    from: &StartFrom,
    reasons: &[&[&str]],
) -> Result<()> {
    let (driver, launch) = (stage.driver(), launch(name, 1));
    let error = refusal(stage, &launch, spec, from).await.with_context(|| name.to_owned())?.to_string();
    let job = driver.job_id(&launch);
    let named = [driver.cluster(), job.as_str()].iter().all(|word| error.contains(word));
    let is_told = reasons.iter().any(|words| words.iter().all(|word| error.contains(word)));
    ensure!(named && is_told, "{name}: {reasons:?} in: {error}");
    ensure!(error.lines().count() == 1, "{error}");
    if stage.refuses_at_once() { Ok(()) } else { cancelled(driver, &job).await }
}

async fn what_is_no_jar_is_told(stage: &impl Stage, folder: &Path) -> Result<()> {
    let nothing = StartFrom::Nothing;
    let jar = |jar: &str| JobSpec { jar: jar.to_owned(), ..stage.metronome() };
    refused(stage, "no-jar", &jar("/no/such.jar"), &nothing, &[&["JarUnreadable: ", "\"/no/such.jar\""]])
        .await?;
    refused(stage, "relative", &jar("such.jar"), &nothing, &[&["JarUnreadable: ", "absolute path"]]).await?;
    let page = folder.join("page.jar");
    std::fs::write(&page, "<html>")?;
    refused(
        stage,
        "html",
        &jar(&page.display().to_string()),
        &nothing,
        &[&["JarUnreadable: ", "it is not a jar"]],
    )
    .await?;
    let empty = folder.join("empty.jar");
    std::fs::write(&empty, b"PK\x03\x04 and nothing else")?;
    refused(stage, "empty", &jar(&empty.display().to_string()), &nothing, &[&["ProgramFailed: "]]).await?;
    let before = stage.alive().await?;
    let many = JobSpec { parallelism: Some(7), ..stage.metronome() };
    refused(stage, "many", &many, &nothing, &[&["TooFewSlots: ", "7 slots, and 6 of 6 are free"]]).await?;
    let after = stage.alive().await?;
    ensure!(after == before, "{before:?} was alive, now {after:?}");
    Ok(())
}

/// At once, since none of them disturbs another; afterwards nothing is alive.
async fn what_cannot_start_is_told(stage: &impl Stage, folder: &Path) -> Result<()> {
    let (nothing, good) = (StartFrom::Nothing, stage.metronome());
    let no_class = JobSpec { entry_class: Some("no.Such".into()), ..good.clone() };
    let refuses = with_arguments(good.clone(), &["--refuse", "for fun"]);
    let missing = StartFrom::Snapshot("/no/such/savepoint".into());
    let broken = folder.join("broken-savepoint");
    std::fs::create_dir(&broken)?;
    std::fs::write(broken.join("_metadata"), "this is no savepoint")?;
    let broken = StartFrom::Snapshot(format!("file://{}", broken.display()));
    let class: &[&str] =
        &["ProgramFailed: ", if stage.refuses_at_once() { "no.Such" } else { "ends again and again" }];
    let refusal: &[&str] = &["ProgramFailed: ", "asked to refuse: for fun"];
    let missed: &[&[&str]] = &[&["SnapshotUnreadable: ", "Cannot find"], LOST];
    let damaged: &[&[&str]] = &[&["SnapshotUnreadable: ", "broken-savepoint"], LOST];
    let (class, refusal) = ([class], [refusal]);
    tokio::try_join!(
        refused(stage, "no-class", &no_class, &nothing, &class),
        refused(stage, "refuses", &refuses, &nothing, &refusal),
        refused(stage, "missing", &good, &missing, possible(stage, missed)),
        refused(stage, "broken", &good, &broken, possible(stage, damaged)),
    )?;
    nothing_is_alive(stage).await
}

/// Without the last one where nothing can get lost.
fn possible<'a>(stage: &impl Stage, reasons: &'a [&'a [&'a str]]) -> &'a [&'a [&'a str]] {
    if stage.refuses_at_once() { &reasons[..1] } else { reasons }
}

async fn state_that_is_not_taken(stage: &impl Stage) -> Result<()> {
    let driver = stage.driver();
    driver.start(&launch("before", 1), &stage.metronome(), &StartFrom::Nothing).await?;
    let before = driver.job_id(&launch("before", 1));
    running(driver, &before).await?;
    let name = operation("before-1-retire")?;
    let last = done("the job has stopped", async || driver.stop(&before, &name).await).await?;
    let from = StartFrom::Snapshot(last.path.clone());
    let other = with_arguments(stage.metronome(), &["--uid", "other-beats"]);
    let words = ["StateNotTaken: ", &last.path, "or allow non-restored state"];
    refused(stage, "other", &other, &from, possible(stage, &[&words, LOST])).await?;

    let other = JobSpec { allow_non_restored_state: true, ..other };
    driver.start(&launch("other", 2), &other, &from).await?;
    let other = driver.job_id(&launch("other", 2));
    running(driver, &other).await?;
    cancelled(driver, &other).await?;
    driver.dispose(&last.path).await?;
    Ok(())
}

fn with_restarts(mut spec: JobSpec, restarts: u32) -> JobSpec {
    for (key, value) in [
        ("restart-strategy.type", "fixed-delay".to_owned()),
        ("restart-strategy.fixed-delay.attempts", restarts.to_string()),
        ("restart-strategy.fixed-delay.delay", "200 ms".to_owned()),
    ] {
        spec.configuration.insert(key.to_owned(), value);
    }
    spec
}

async fn what_fails_later_is_told(stage: &impl Stage) -> Result<()> {
    let driver = stage.driver();
    let spec = with_restarts(with_arguments(stage.metronome(), &["--hear", "nothing"]), 1);
    driver.start(&launch("fails", 1), &spec, &StartFrom::Nothing).await?;
    let fails = driver.job_id(&launch("fails", 1));
    wait_until("the job has failed, and tells why", DEADLINE, async || {
        let state = driver.status(&fails).await?.map(|status| status.state);
        let failures = driver.failures(&fails).await?;
        let why = failures
            .first()
            .is_some_and(|failure| failure.cause == "IllegalStateException: asked to hear nothing");
        Ok(Observed::when(state == Some(JobState::Failed) && why, (), || format!("{state:?} {failures:?}")))
    })
    .await?;
    refused(stage, "fails", &spec, &StartFrom::Nothing, &[&["JobFailed: ", "asked to hear nothing"]]).await
}

async fn what_restarts_is_counted(stage: &impl Stage) -> Result<()> {
    let driver = stage.driver();
    let spec = with_restarts(with_arguments(stage.metronome(), &["--hear", "nothing"]), 1_000_000);
    driver.start(&launch("restarts", 1), &spec, &StartFrom::Nothing).await?;
    let restarts = driver.job_id(&launch("restarts", 1));
    wait_until("the job's restarts are counted, and its tasks named", DEADLINE, async || {
        let status = driver.status(&restarts).await?.context("it is unknown")?;
        let failures = driver.failures(&restarts).await?;
        let task =
            failures.iter().any(|failure| failure.task.as_deref().is_some_and(|task| task.contains("Map")));
        Ok(Observed::when(status.restarts > Some(0) && task, (), || format!("{status:?} {failures:?}")))
    })
    .await?;
    cancelled(driver, &restarts).await
}

async fn backpressure_is_told(stage: &impl Stage) -> Result<()> {
    let driver = stage.driver();
    driver
        .start(
            &launch("slow", 1),
            &with_arguments(stage.metronome(), &["--hear", "slow", "--rate", "20000"]),
            &StartFrom::Nothing,
        )
        .await?;
    let slow = driver.job_id(&launch("slow", 1));
    running(driver, &slow).await?;
    wait_until("the source is held up", DEADLINE, async || {
        let flow = driver.flow(&slow).await?;
        let held_up = flow.first().and_then(|source| source.backpressured).is_some_and(|share| share > 0.5);
        let busy = flow.last().and_then(|hear| hear.busy).is_some_and(|share| share > 0.5);
        Ok(Observed::when(held_up && busy, (), || format!("{flow:?}")))
    })
    .await?;
    cancelled(driver, &slow).await
}

async fn a_stop_that_fails_keeps_its_savepoint(stage: &impl Stage) -> Result<()> {
    let driver = stage.driver();
    let spec = with_restarts(with_arguments(stage.metronome(), &["--hear", "to-the-end"]), 1_000_000);
    driver.start(&launch("clings", 1), &spec, &StartFrom::Nothing).await?;
    let clings = driver.job_id(&launch("clings", 1));
    running(driver, &clings).await?;
    let name = operation("clings-1-retire")?;
    let reason = wait_until("the stop has failed", DEADLINE, async || {
        Ok(match driver.stop(&clings, &name).await? {
            Progress::Failed(reason) => Observed::Reached(reason),
            Progress::Running => Observed::NotYet("it is running".into()),
            Progress::Done(savepoint) => bail!("it has stopped, with {savepoint:?}"),
        })
    })
    .await?;
    ensure!(reason.contains("savepoint-"), "{reason}");
    cancelled(driver, &clings).await
}

async fn no_verb_invents_a_job(driver: &dyn Driver) -> Result<()> {
    let name = operation("none-1-retire")?;
    for id in ["00000000000000000000000000000000", "../jobs", "no-such"] {
        let job = JobId::new(id);
        let told = [
            driver.savepoint(&job, &name).await.err(),
            driver.stop(&job, &name).await.err(),
            driver.checkpoint(&job, &name).await.err(),
            driver.failures(&job).await.err(),
            driver.checkpoints(&job).await.err(),
            driver.flow(&job).await.err(),
        ];
        for error in told {
            let error = error.with_context(|| format!("a verb knows the job {id}"))?.to_string();
            ensure!(error.starts_with("JobNotFound: ") && error.contains(id), "{error}");
            ensure!(error.contains(driver.cluster()), "{error}");
        }
    }
    let unknown = JobId::new("00000000000000000000000000000000");
    ensure!(driver.status(&unknown).await?.is_none());
    cancelled(driver, &unknown).await
}

//! The driver over REST, on session clusters of both versions.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tidegate::flink::rest::{RestDriver, Settings};
use tidegate::flink::{Driver, JobSpec, Problem, StartFrom, Submission};
use tidegate_integration_tests::flink::{FlinkCluster, Settings as Cluster};
use tidegate_integration_tests::java::job_jar;
use tidegate_integration_tests::{Observed, Scratch, wait_until, workspace_root};

use super::laws::{DEADLINE, Stage, cancelled, launch, running};
use super::proxy::{Proxy, Trick};
use super::{bad_input, laws, tls};

#[tokio::test(flavor = "multi_thread")]
async fn on_flink_1() -> Result<()> {
    Scratch::new("driver-1")?.run(async |folder| on(folder, "1.20.3").await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_flink_2() -> Result<()> {
    Scratch::new("driver-2")?.run(async |folder| on(folder, "2.3.0").await).await
}

struct Session {
    flink: FlinkCluster,
    driver: RestDriver,
    jar: String,
}

impl Stage for Session {
    fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    fn metronome(&self) -> JobSpec {
        JobSpec { parallelism: Some(1), ..JobSpec::new(&self.jar) }
    }

    fn refuses_at_once(&self) -> bool {
        true
    }

    async fn alive(&self) -> Result<BTreeSet<String>> {
        let told: Value = self.flink.rest().get("/jobs").await?;
        let jobs = told["jobs"].as_array().context("no list of jobs")?;
        let ended =
            |job: &Value| ["FINISHED", "FAILED", "CANCELED"].iter().any(|state| job["status"] == *state);
        Ok(jobs.iter().filter(|job| !ended(job)).map(|job| job["id"].to_string()).collect())
    }
}

async fn on(folder: &Path, version: &str) -> Result<()> {
    // What is cached is told sooner: most of the time would be spent on waiting for it.
    let settings = Cluster::new(version)
        .task_managers(1, 6)
        .with("web.refresh-interval", "500")
        .with("metrics.fetcher.update-interval", "500");
    let flink = FlinkCluster::start(folder, &settings).await?;
    let source = workspace_root().join("integration-tests/jobs/Metronome.java");
    let jar = job_jar(folder, &source, flink.libraries())?.display().to_string();
    let driver = RestDriver::new(Settings::new(flink.rest().base()))?;
    let session = Session { flink, driver, jar };
    ensure!(session.driver.capacity().await?.is_some_and(|capacity| capacity.version == version));

    tls::certificates_are_checked_on_both_sides(session.flink.rest().base(), folder)
        .await
        .context("certificates are checked on both sides")?;
    laws::run_all(&session).await?;
    a_jar_is_uploaded_once(&session, folder).await.context("a jar is uploaded once")?;
    bad_input::run_all(&session, folder).await?;
    a_lost_answer_makes_no_second_job(&session).await.context("a lost answer makes no second job")?;
    another_job_than_asked_is_taken_down(&session).await.context("another job than asked is taken down")
}

/// The ids of the uploaded jars.
async fn jars(session: &Session) -> Result<BTreeSet<String>> {
    let told: Value = session.flink.rest().get("/jars").await?;
    let files = told["files"].as_array().context("no list of jars")?;
    Ok(files.iter().filter_map(|file| file["id"].as_str()).map(str::to_owned).collect())
}

/// By its content: under another name it is not uploaded again, and it is when the cluster has lost it.
async fn a_jar_is_uploaded_once(session: &Session, folder: &Path) -> Result<()> {
    // Two starts at once, the first ones of all, may both have uploaded it.
    let before = jars(session).await?;
    ensure!((1..=2).contains(&before.len()), "{before:?}");
    let copy = folder.join("copy.jar");
    std::fs::copy(&session.jar, &copy)?;
    let spec = JobSpec { jar: format!("file://{}", copy.display()), ..session.metronome() };
    session.driver.start(&launch("copied", 1), &spec, &StartFrom::Nothing).await?;
    cancelled(&session.driver, &session.driver.job_id(&launch("copied", 1))).await?;
    ensure!(jars(session).await? == before, "it was uploaded again");

    for id in &before {
        let path = format!("/jars/{id}");
        let _: Value = session.flink.rest().call(reqwest::Method::DELETE, &path, None).await?;
    }
    session.driver.start(&launch("copied", 2), &spec, &StartFrom::Nothing).await?;
    cancelled(&session.driver, &session.driver.job_id(&launch("copied", 2))).await?;
    let after = jars(session).await?;
    ensure!(after.len() == 1 && after.is_disjoint(&before), "{before:?}, then {after:?}");
    Ok(())
}

/// The answer to the submission is lost on its way. To look may be too early; to ask again makes it certain.
async fn a_lost_answer_makes_no_second_job(session: &Session) -> Result<()> {
    let proxy = Proxy::start(session.flink.rest().base(), Trick::LoseTheAnswerToRun).await?;
    let lossy = RestDriver::new(Settings::new(proxy.address()))?;
    let launch = launch("lost", 1);
    let error = lossy
        .start(&launch, &session.metronome(), &StartFrom::Nothing)
        .await
        .err()
        .context("no answer is lost")?;
    ensure!(error.is_uncertain() && error.is_transient(), "{error}");
    ensure!(error.to_string().starts_with("FlinkUnreachable: "), "{error}");
    let again = session.driver.start(&launch, &session.metronome(), &StartFrom::Nothing).await?;
    ensure!(again == Submission::Known);
    let job = session.driver.job_id(&launch);
    running(&session.driver, &job).await?;
    ensure!(session.alive().await?.len() == 1);
    cancelled(&session.driver, &job).await
}

/// A cluster that does not know the field `jobId` takes it without a word, and gives the job another id.
async fn another_job_than_asked_is_taken_down(session: &Session) -> Result<()> {
    let proxy = Proxy::start(session.flink.rest().base(), Trick::HideTheJobId).await?;
    let driver = RestDriver::new(Settings::new(proxy.address()))?;
    let error = driver.start(&launch("renamed", 1), &session.metronome(), &StartFrom::Nothing).await;
    let error = error.err().context("it has started")?;
    let Problem::NotAsAsked { job, found } = error.problem() else { anyhow::bail!("{error}") };
    ensure!(*job == driver.job_id(&launch("renamed", 1)) && found != job);
    // Cancelling takes a moment.
    wait_until("it is taken down", DEADLINE, async || {
        let left = session.alive().await?;
        Ok(Observed::when(left.is_empty(), (), || format!("{left:?}")))
    })
    .await
}

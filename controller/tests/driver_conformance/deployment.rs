//! The driver over `FlinkDeployment` resources, with Apache's real operator and Flink 1.20.3 in pods.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tidegate::flink::deployment::{DeploymentDriver, Scale, Settings};
use tidegate::flink::{Driver, JobId, JobSpec, JobState, Progress, StartFrom};
use tidegate_integration_tests::java::job_jar;
use tidegate_integration_tests::kube::ControlPlane;
use tidegate_integration_tests::kubelet::{Kubelet, client};
use tidegate_integration_tests::maven::Libraries;
use tidegate_integration_tests::operator::{Artifacts, Operator};
use tidegate_integration_tests::process::Process;
use tidegate_integration_tests::{Observed, Scratch, wait_until, workspace_root};

use super::bad_input;
use super::laws::{self, DEADLINE, Stage, done, launch, operation, running};

const NAMESPACE: &str = "shop";

#[tokio::test(flavor = "multi_thread")]
async fn on_apaches_operator() -> Result<()> {
    let Some(artifacts) = Artifacts::find("the driver of FlinkDeployment resources")? else { return Ok(()) };
    Scratch::new("driver-operator")?.run(async |folder| on(folder, &artifacts).await).await
}

/// All of a cluster that a deployment needs.
struct Cluster {
    driver: DeploymentDriver,
    jar: String,
    folder: String,
    kubelet: Kubelet,
    _operator: Operator,
    _controllers: Process,
    plane: ControlPlane,
}

impl Cluster {
    async fn start(folder: &Path, artifacts: &Artifacts) -> Result<Cluster> {
        let plane = ControlPlane::start(folder).await?;
        let controllers = plane.start_controllers()?;
        let libraries = Libraries::flink_on_kubernetes().await?;
        let kubelet = Kubelet::start(folder, &plane, libraries.clone()).await?;
        let operator = Operator::start(folder, artifacts, &plane, &kubelet, &libraries).await?;
        plane.create_namespace(NAMESPACE).await?;
        plane.create(NAMESPACE, include_str!("../../../docs/flink-operator-rights.yaml")).await?;
        let source = workspace_root().join("integration-tests/jobs/Metronome.java");
        let jar = format!("local://{}", job_jar(folder, &source, &libraries)?.display());
        let settings = Settings {
            rest_address: format!("{}/{{namespace}}/{{deployment}}", kubelet.front()),
            ..Settings::new(NAMESPACE)
        };
        let account = plane.account(NAMESPACE, "tidegate").await?;
        let driver = DeploymentDriver::new(client(&account).await?, settings)?;
        let folder = folder.display().to_string();
        Ok(Cluster { driver, jar, folder, kubelet, _operator: operator, _controllers: controllers, plane })
    }
}

impl Stage for Cluster {
    fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    fn metronome(&self) -> JobSpec {
        let at = |folder: &str| format!("file://{}/{folder}", self.folder);
        let spec = json!({
            "image": "flink:1.20",
            "flinkVersion": "v1_20",
            "mode": "native",
            "serviceAccount": "flink",
            "jobManager": { "resource": { "memory": "1G", "cpu": 0.5 } },
            "taskManager": { "resource": { "memory": "1G", "cpu": 0.5 } },
            "flinkConfiguration": {
                "taskmanager.numberOfTaskSlots": "2",
                "high-availability.type": "kubernetes",
                "high-availability.storageDir": at("ha"),
                "execution.checkpointing.dir": at("checkpoints"),
                "execution.checkpointing.savepoint-dir": at("savepoints"),
                "web.refresh-interval": "500",
                "metrics.fetcher.update-interval": "500",
            },
        });
        let deployment = Some(json!({ "spec": spec }));
        JobSpec { parallelism: Some(1), deployment, ..JobSpec::new(&self.jar) }
    }

    fn refuses_at_once(&self) -> bool {
        false
    }

    async fn alive(&self) -> Result<BTreeSet<String>> {
        let mut alive = BTreeSet::new();
        for ((_, deployment), address) in self.kubelet.job_managers() {
            // One that is not there yet may have a job soon.
            let Ok(answer) = reqwest::get(format!("{address}/jobs")).await else {
                alive.insert(deployment);
                continue;
            };
            let told: Value = answer.json().await.unwrap_or_default();
            let Some(jobs) = told["jobs"].as_array() else {
                alive.insert(deployment);
                continue;
            };
            let ended =
                |job: &Value| ["FINISHED", "FAILED", "CANCELED"].iter().any(|state| job["status"] == *state);
            alive.extend(jobs.iter().filter(|job| !ended(job)).map(|_| deployment.clone()));
        }
        Ok(alive)
    }
}

async fn on(folder: &Path, artifacts: &Artifacts) -> Result<()> {
    let cluster = Cluster::start(folder, artifacts).await?;
    laws::run_all(&cluster).await?;
    a_stopped_job_stays_stopped(&cluster).await.context("a stopped job stays stopped")?;
    a_rollouts_deployments_are_found(&cluster).await.context("a rollout's deployments are found")?;
    bad_input::run_all(&cluster, folder).await?;
    a_template_without_high_availability_is_refused(&cluster).await?;
    what_is_deleted_is_gone(&cluster).await.context("what is deleted is gone")
}

fn blue() -> JobId {
    JobId::new("laws-blue-blue-1")
}

/// FLINK-41262: its JobManager is still there, and is started anew when its pod is lost.
async fn a_stopped_job_stays_stopped(cluster: &Cluster) -> Result<()> {
    let (job, name) = (blue(), operation("laws-7-retire")?);
    let Progress::Done(last) = cluster.driver.stop(&job, &name).await? else { bail!("it has not stopped") };
    let selector = format!("app={job},component=jobmanager");
    let pods =
        ["--namespace", NAMESPACE, "delete", "pods", "--grace-period=0", "--force", "--selector", &selector];
    cluster.plane.kubectl(&pods).await?;
    wait_until("a new JobManager has no job", DEADLINE, async || {
        let alive = cluster.alive().await?;
        let there = cluster.kubelet.job_managers().contains_key(&(NAMESPACE.into(), job.to_string()));
        Ok(Observed::when(there && !alive.contains(job.as_str()), (), || format!("{there} {alive:?}")))
    })
    .await?;
    let state = cluster.driver.status(&job).await?.map(|status| status.state);
    ensure!(state == Some(JobState::Finished), "{state:?}");
    let Progress::Done(again) = cluster.driver.stop(&job, &name).await? else {
        bail!("its stop is forgotten")
    };
    ensure!(again == last, "{again:?} instead of {last:?}");
    Ok(())
}

/// With what each is, how large, and how it ended.
async fn a_rollouts_deployments_are_found(cluster: &Cluster) -> Result<()> {
    let of_owner = cluster.driver.deployments(&launch("any", 1).owner).await?;
    let found = of_owner.iter().find(|deployed| deployed.job == blue()).context("blue is not found")?;
    ensure!(found.launch == launch("laws-blue", 1) && !found.deleting, "{found:?}");
    ensure!(found.state == JobState::Finished, "{found:?}");
    let scale = cluster.driver.scale(&blue()).await?.context("it has no size")?;
    // The operator may or may not have counted again since its end.
    let known = |scale: Scale| {
        (scale.parallelism, scale.job_managers) == (Some(2), Some(1)) && scale.task_managers != Some(0)
    };
    ensure!(known(scale) && known(found.scale), "{scale:?} and {found:?}");
    ensure!(cluster.driver.deployments("another-owner").await?.is_empty());
    ensure!(cluster.driver.scale(&JobId::new("no-such")).await?.is_none());
    Ok(())
}

async fn a_template_without_high_availability_is_refused(cluster: &Cluster) -> Result<()> {
    let mut spec = cluster.metronome();
    spec.configuration.insert("high-availability.type".into(), "NONE".into());
    let error = cluster.driver.start(&launch("forgets", 1), &spec, &StartFrom::Nothing).await;
    let error = error.err().context("it has started")?;
    ensure!(error.code() == "TemplateUnusable" && !error.is_uncertain(), "{error}");
    ensure!(cluster.driver.status(&cluster.driver.job_id(&launch("forgets", 1))).await?.is_none());
    Ok(())
}

/// Its high-availability data first, by itself; then the resource with all that is of it.
async fn what_is_deleted_is_gone(cluster: &Cluster) -> Result<()> {
    let (driver, job) = (&cluster.driver, blue());
    ensure!(driver.has_high_availability(&job).await?, "it has no high-availability data");
    done("its high-availability data is gone", async || driver.clear_high_availability(&job).await).await?;
    ensure!(!driver.has_high_availability(&job).await?);
    let state = driver.status(&job).await?.map(|status| status.state);
    ensure!(state == Some(JobState::Finished), "{state:?}");
    let name = operation("laws-8-retire")?;
    ensure!(matches!(driver.stop(&job, &name).await?, Progress::Done(_)), "its stop is forgotten");

    let runs = driver.job_id(&launch("deleted", 1));
    driver.start(&launch("deleted", 1), &cluster.metronome(), &StartFrom::Nothing).await?;
    running(driver, &runs).await?;
    let refused = driver.clear_high_availability(&runs).await.err().context("it is cleared while it runs")?;
    ensure!(refused.code() == "JobNotEnded", "{refused}");
    wait_until("its size is known", DEADLINE, async || {
        let scale = driver.scale(&runs).await?.context("it has no size")?;
        let wanted = Scale { parallelism: Some(1), job_managers: Some(1), task_managers: Some(1) };
        Ok(Observed::when(scale == wanted, (), || format!("{scale:?}")))
    })
    .await?;
    for job in [job, runs] {
        done("it is deleted", async || driver.delete(&job).await).await?;
        ensure!(driver.status(&job).await?.is_none() && !driver.has_high_availability(&job).await?);
        done("it is deleted again", async || driver.delete(&job).await).await?;
    }
    let alive = cluster.alive().await?;
    ensure!(alive.is_empty(), "{alive:?}");
    Ok(())
}

//! One rollout: its namespace, its topics, its controller behind proxies, and what is seen of all that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidegate_integration_tests::flights::{
    Account, Flights, MAX_DELAY_MINUTES, ORIGINS, Output, Owners, Stream, Version,
};
use tidegate_integration_tests::http_proxy::{HttpProxy, Server};
use tidegate_integration_tests::kube::Api;
use tidegate_integration_tests::rest::{Job, JobState, Rest};
use tidegate_integration_tests::stage::demand_undisturbed;
use tidegate_integration_tests::{Observed, Scratch, wait_until};
use tidegate_protocol::rollout::ActionKind;
use tokio::sync::Semaphore;

use super::controller::Controller;
use super::fates::{At, Fates, Killed, Side};
use super::world::{Cluster, FUSED_FLIGHTS, World};

/// Also for a controller that is killed seventy times on a machine that has much else to do.
pub(crate) const DEADLINE: Duration = Duration::from_secs(600);
/// Each of them starts a controller some dozens of times: more at a time only take longer.
static PLACES: Semaphore = Semaphore::const_new(2);
const ROLE: &str = include_str!("../../deploy/base/roles/controller.yaml");

/// See above.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) world: Arc<World>,
    /// Asks the API server straight. Connections end with the test that has made them: they are not shared.
    pub(crate) api: Api,
    pub(crate) output: Output,
    pub(crate) fates: Arc<Fates>,
    pub(crate) controller: Arc<Controller>,
    pub(crate) folder: PathBuf,
    flink: Rest,
    jar: PathBuf,
    proxies: [HttpProxy; 2],
}

impl Case {
    /// Runs a test on the shared cluster. The name is that of its namespace and of its resource.
    pub(crate) async fn run(
        name: &'static str,
        test: impl AsyncFnOnce(&mut Case) -> Result<()>,
    ) -> Result<()> {
        let world = World::get().await?;
        let _place = PLACES.acquire().await?;
        Scratch::new(name)?
            .run(async |folder| {
                Case::start(&world, &world.cluster, name, folder).await?.go_through(test).await
            })
            .await
    }

    /// The same on a cluster of its own, of another version of Flink.
    pub(crate) async fn run_on(
        version: &str,
        name: &'static str,
        test: impl AsyncFnOnce(&mut Case) -> Result<()>,
    ) -> Result<()> {
        let world = World::get().await?;
        let _place = PLACES.acquire().await?;
        Scratch::new(name)?
            .run(async |folder| {
                let cluster = Cluster::start(folder, version, &world.plane).await?;
                Case::start(&world, &cluster, name, folder).await?.go_through(test).await
            })
            .await
    }

    async fn go_through(mut self, test: impl AsyncFnOnce(&mut Case) -> Result<()>) -> Result<()> {
        let result = test(&mut self).await;
        let status = self.status().await.unwrap_or_default();
        // Before its folder goes.
        self.fates.kill(false);
        let _ = self.controller.kill();
        result.with_context(|| format!("the status of {} at the end: {status}", self.name))
    }

    async fn start(world: &Arc<World>, cluster: &Cluster, name: &'static str, folder: &Path) -> Result<Case> {
        let api = world.plane.api()?;
        let token = world.namespace(&api, name, ROLE).await?;
        for topic in [input(name), output(name)] {
            world.kafka.create_topic(&topic, ORIGINS.len() as i32, &[("retention.ms", "-1")]).await?;
        }
        let (servers, topic) = (world.kafka.bootstrap_servers(), output(name));
        let output = wait_until("the topic is there", DEADLINE, async || {
            Ok(Observed::or_not_yet(Output::of(&servers, &topic).map(Observed::Reached)))
        })
        .await?;
        let fates = Arc::new(Fates::new());
        let flink = Server { base: cluster.flink.rest().base().to_owned(), client: plain()? };
        let proxies = [
            HttpProxy::start(world.plane.server()?, Arc::new(At(Side::ApiServer, fates.clone()))).await?,
            HttpProxy::start(flink, Arc::new(At(Side::Flink, fates.clone()))).await?,
        ];
        let kubeconfig =
            world.plane.kubeconfig_through(&proxies[0].url(), &format!("{name}-controller"), name, &token)?;
        let controller = Arc::new(Controller::new(name, "controller", &kubeconfig, folder));
        fates.befall(controller.clone());
        Ok(Case {
            name,
            world: world.clone(),
            api,
            output,
            fates,
            controller,
            folder: folder.to_owned(),
            flink: Rest::new(cluster.flink.rest().base())?,
            jar: cluster.jar.clone(),
            proxies,
        })
    }

    /// The kubeconfig of another controller beside the first one.
    pub(crate) fn another_controller(&self, identity: &str) -> Result<Controller> {
        let path = self.world.plane.admin().with_file_name(format!("{}-controller.kubeconfig", self.name));
        Ok(Controller::new(self.name, identity, &path, &self.folder))
    }

    /// The flights in a version, on the shared cluster.
    pub(crate) fn job(&self, version: Version, parallelism: u32) -> Value {
        let arguments = [
            "--fuse",
            &self.fuse(version).display().to_string(),
            "--bootstrap-servers",
            &self.world.kafka.bootstrap_servers(),
            "--input",
            &input(self.name),
            "--output",
            &output(self.name),
            "--version",
            if version == Version::V1 { "v1" } else { "v2" },
            "--max-delay-minutes",
            &MAX_DELAY_MINUTES.to_string(),
        ]
        .map(str::to_owned);
        json!({
            "url": self.proxies[1].url(), "jar": self.jar.display().to_string(), "args": arguments,
            "entryClass": FUSED_FLIGHTS, "parallelism": parallelism,
        })
    }

    /// A spec that loses no time.
    pub(crate) fn spec(&self, job: Value) -> Value {
        json!({
            "job": job,
            "store": format!("configmap://{0}/{0}", self.name),
            "proof": {
                "settling": "0s", "window": "500ms",
                "limits": {"restarts": 0, "failedCheckpoints": 1, "completedCheckpoints": 1},
                "lag": {"allowed": "8000h", "hold": "0s"},
            },
            "watch": "1s",
            "deletionDelay": "0s",
        })
    }

    /// A task of that version fails, once, as soon as it looks.
    pub(crate) fn blow(&self, version: Version) -> Result<()> {
        Ok(std::fs::write(self.fuse(version), "")?)
    }

    /// Its cluster, asked straight.
    pub(crate) fn flink(&self) -> &Rest {
        &self.flink
    }

    pub(crate) fn fuse(&self, version: Version) -> PathBuf {
        self.folder.join(format!("fuse-{version:?}"))
    }

    /// Creates the resource, or replaces its spec.
    pub(crate) async fn apply(&self, spec: &Value) -> Result<()> {
        let api = &self.api;
        if api.get(&self.path()).await?.is_some() {
            let patch = json!([{"op": "replace", "path": "/spec", "value": spec}]);
            return api.patch(&self.path(), &patch).await.map(drop);
        }
        let resource = json!({
            "apiVersion": "tidegate.io/v1alpha1", "kind": "FlinkBlueGreenDeployment",
            "metadata": {"name": self.name}, "spec": spec,
        });
        api.post(self.path().rsplit_once('/').context("no path")?.0, &resource).await.map(drop)
    }

    /// Where the resource is.
    pub(crate) fn path(&self) -> String {
        format!("/apis/tidegate.io/v1alpha1/namespaces/{0}/flinkbluegreendeployments/{0}", self.name)
    }

    /// The resource's status; null while it has none.
    pub(crate) async fn status(&self) -> Result<Value> {
        let resource = self.api.get(&self.path()).await?.context("the resource is gone")?;
        Ok(resource["status"].clone())
    }

    /// Waits until the status is as wanted, and returns it.
    pub(crate) async fn wait(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_until(what, DEADLINE, async || {
            self.controller.check_alive()?;
            let status = self.status().await?;
            let holds = wanted(&status);
            Ok(Observed::when(holds, status.clone(), || summary(&status)))
        })
        .await
    }

    /// Waits until the wanted version is active, and nothing is under way or left over.
    pub(crate) async fn wait_ready(&self, member: &str) -> Result<Value> {
        let resource = async || self.api.get(&self.path()).await?.context("the resource is gone");
        wait_until(&format!("{member} is active and ready"), DEADLINE, async || {
            self.controller.check_alive()?;
            let resource = resource().await?;
            let status = &resource["status"];
            let is_current = status["observedGeneration"] == resource["metadata"]["generation"];
            let is_ready = condition(status, "Ready")["status"] == "True" && is_at_rest(status);
            let holds = is_current && is_ready && status["active"]["member"] == member;
            Ok(Observed::when(holds, status.clone(), || summary(status)))
        })
        .await
    }

    /// Deletes the resource, and waits until it is gone.
    pub(crate) async fn delete(&self) -> Result<()> {
        self.api.delete(&self.path()).await?;
        wait_until("the resource is gone", DEADLINE, async || {
            self.controller.check_alive()?;
            let resource = self.api.get(&self.path()).await?;
            let last = || summary(&resource.as_ref().map_or(Value::Null, |there| there["status"].clone()));
            Ok(Observed::when(resource.is_none(), (), last))
        })
        .await
    }

    /// Begins to send flights.
    pub(crate) fn stream(&self, seed: u64) -> Result<Stream> {
        Ok(Stream::start(self.world.kafka.producer()?, &input(self.name), Flights::new(seed)))
    }

    /// The newest job of a member.
    pub(crate) fn job_of(&self, member: &str) -> Result<Job> {
        let jobs = self.fates.jobs(member);
        Ok(self.flink.job(jobs.last().with_context(|| format!("{member} was never launched"))?))
    }

    /// A member's only job runs, and was never disturbed.
    pub(crate) async fn demand_untouched(&self, member: &str) -> Result<()> {
        let jobs = self.fates.jobs(member);
        ensure!(jobs.len() == 1, "{member} was launched {} times", jobs.len());
        let job = self.job_of(member)?;
        let state = job.status().await?.state;
        ensure!(state == JobState::Running, "{member} is {state:?}");
        demand_undisturbed(&job).await
    }

    /// Ends the stream and the rollout with a last savepoint, and compares the output with the truth.
    pub(crate) async fn finish(&mut self, stream: Stream, spec: &Value, owners: &Owners) -> Result<Account> {
        let account = self.end(stream, spec).await?;
        self.output.demand_exact(&account, owners)?;
        Ok(account)
    }

    /// Ends the stream and the rollout with a last savepoint.
    pub(crate) async fn end(&mut self, stream: Stream, spec: &Value) -> Result<Account> {
        let account = self.output.finish(stream).await?;
        let mut suspended = spec.clone();
        suspended["job"]["state"] = "suspended".into();
        self.apply(&suspended).await?;
        let is_over = |status: &Value| status["phase"] == "Suspended" && is_tidy(status);
        self.wait("the job is suspended, and nothing else is left", is_over).await?;
        Ok(account)
    }

    /// What a person reads afterwards.
    pub(crate) async fn tell_history(&self, title: &str) -> Result<()> {
        println!("== {title}: what the resource tells");
        for entry in array(&self.status().await?["history"]) {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            println!("{} {:<9} {} ({})", text("time"), text("who"), text("what"), text("why"));
        }
        Ok(())
    }

    /// The controller was killed before and after each of these actions, and at everything else that it did. Its last request may
    /// have done what a test waits for before its answer has come to where the controller is killed.
    pub(crate) async fn demand_killed_at(&self, actions: &[ActionKind]) -> Result<()> {
        let name = &self.name;
        let awaited = format!("{name}: the controller was killed before and after all it is to do");
        let killed = wait_until(&awaited, DEADLINE, async || {
            let killed = self.fates.killed();
            let whole = |killed: &Killed, action| {
                killed.point.action == Some(action) && killed.before && killed.after
            };
            let is_missing = |action: &ActionKind| !killed.iter().any(|killed| whole(killed, *action));
            let missing: Vec<_> = actions.iter().copied().filter(is_missing).collect();
            Ok(Observed::when(missing.is_empty(), killed, || format!("missing: {missing:?}")))
        })
        .await?;
        println!("== {name}: the controller lived {} times; it was killed at", self.controller.lives());
        for killed in &killed {
            println!("  {killed}");
        }
        Ok(())
    }

    /// Asks for something, as a person does.
    pub(crate) async fn ask(&self, text: &str) -> Result<()> {
        let annotations = json!({"metadata": {"annotations": {"tidegate.io/ask": text}}});
        self.api.merge(&self.path(), &annotations).await.map(drop)
    }

    /// The cutover document; null while there is none.
    pub(crate) async fn document(&self) -> Result<Value> {
        let path = format!("/api/v1/namespaces/{0}/configmaps/{0}.document", self.name);
        let sheet = self.api.get(&path).await?.unwrap_or_default();
        let texts = sheet["data"].as_object().into_iter().flatten();
        let read = texts.filter_map(|(_, text)| serde_json::from_str::<Value>(text.as_str()?).ok());
        Ok(read.into_iter().find(|document| document["owners"].is_array()).unwrap_or_default())
    }

    /// From which event time on the member that has the output owns it.
    pub(crate) async fn since(&self) -> Result<i64> {
        let document = self.document().await?;
        let last = array(&document["owners"]).last().cloned().unwrap_or_default();
        last["since"].as_i64().with_context(|| format!("{document}"))
    }
}

/// One line of a status.
pub(crate) fn summary(status: &Value) -> String {
    let waiting: Vec<&str> =
        array(&status["waiting"]).iter().filter_map(|waiting| waiting["message"].as_str()).collect();
    format!(
        "{} of {} to {}, waiting for {waiting:?}; ready: {}; {}",
        status["phase"],
        status["active"]["member"],
        status["target"]["member"],
        condition(status, "Ready")["message"],
        condition(status, "Degraded")["message"]
    )
}

/// The condition of that type; null when there is none.
pub(crate) fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    array(&status["conditions"]).iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

/// Nothing is under way, and nothing is left of what was.
pub(crate) fn is_at_rest(status: &Value) -> bool {
    status["phase"] == "Idle" && is_tidy(status)
}

/// No former version is left, nor any savepoint but last ones.
fn is_tidy(status: &Value) -> bool {
    let record = &status["record"];
    array(&record["leftovers"]).is_empty()
        && array(&record["savepoints"]).iter().all(|kept| kept["last"] == true)
}

/// The boundary of the last cutover.
pub(crate) fn boundary(status: &Value) -> Result<i64> {
    let cutover = &status["cutover"];
    ensure!(cutover["state"] == "Done", "{cutover}");
    cutover["boundaryMillis"].as_i64().with_context(|| cutover.to_string())
}

pub(crate) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn plain() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

fn input(name: &str) -> String {
    format!("{name}-flights")
}

fn output(name: &str) -> String {
    format!("{name}-departures")
}

//! Agents of two members over a real API server.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::kube::{ControlPlane, Shared};
use tidegate_protocol::document::{Document, HandOver};
use tidegate_protocol::identity::Member;

use crate::cutover::{blue_and_green, both_are_well_again, is_made_over_a_freeze};
use crate::job::world::{BLUE, GREEN, World, quick, until};

const JOB: &str = include_str!("../../../../protocol/store-configmap/roles/job.yaml");
const JOB_BY_NAME: &str = include_str!("../../../../protocol/store-configmap/roles/job-by-name.yaml");
const OPERATOR: &str = include_str!("../../../../protocol/store-configmap/roles/operator.yaml");

fn url(plane: &ControlPlane, namespace: &str) -> String {
    format!("configmap://{namespace}/orders?kubeconfig={}", plane.admin().display())
}

#[tokio::test]
async fn a_cutover_and_its_reverse_over_config_maps_are_exact() -> Result<()> {
    let plane = Shared::get().await?;
    plane.create_namespace("agents").await?;
    let world = World::on(url(&plane, "agents"));
    world.begin(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    world.cut_over(BLUE, HandOver::Overlapped).await;
    world.goes_on(BLUE).await;
    world.is_exact().await;
    Ok(())
}

/// Jobs and people with the rights of the Roles, and no others.
struct Shop {
    plane: Arc<Shared>,
    namespace: &'static str,
    operator: PathBuf,
    world: Arc<World>,
}

impl Shop {
    /// `job` is the Role of the jobs.
    async fn open(namespace: &'static str, role: &str, job: &str) -> Result<Shop> {
        let plane = Shared::get().await?;
        plane.create_namespace(namespace).await?;
        plane.apply(namespace, role).await?;
        plane.apply(namespace, OPERATOR).await?;
        let jobs = plane.create_account(namespace, "jobs").await?;
        plane.grant(namespace, job, "jobs").await?;
        let operator = plane.create_account(namespace, "operator").await?;
        plane.grant(namespace, "tidegate-operator-orders", "operator").await?;
        let world = World::on(format!("configmap://{namespace}/orders?kubeconfig={}", jobs.display()));
        until("the rights of the jobs", async || world.rollout().document().await.ok()).await;
        until("the rights of people", async || {
            plane.kubectl_with(&operator, &["get", "configmaps"], "").await.ok()
        })
        .await;
        world.begin(quick()).await;
        Ok(Shop { plane, namespace, operator, world })
    }

    async fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String> {
        self.plane.kubectl_with(&self.operator, arguments, input).await
    }

    async fn shows(&self, part: &str) -> String {
        until(&format!("{part:?} in the ConfigMap"), async || {
            let lines = "go-template={{range $key, $value := .data}}{{$key}}: {{$value}}\n{{end}}";
            let text = self.kubectl(&["get", "configmap", "orders", "-o", lines], "").await.ok()?;
            text.contains(part).then_some(text)
        })
        .await
    }

    async fn described(&self, part: &str) -> String {
        until(&format!("{part:?} among the events"), async || {
            let text = self.kubectl(&["describe", "configmap", "orders"], "").await.ok()?;
            text.contains(part).then_some(text)
        })
        .await
    }

    /// The output has changed hands, and nothing is left to be done.
    async fn has_it(&self, by: Member) -> Document {
        let is_done = |document: &Document| document.owners.len() == 1 && document.active().member == by;
        let document = self.world.says(&format!("{by} has it"), is_done).await;
        self.world.goes_on(by).await;
        document
    }
}

#[tokio::test]
async fn people_promote_with_kubectl_edit_patch_and_apply() -> Result<()> {
    let shop = Shop::open("people", JOB, "tidegate-job").await?;
    let world = &shop.world;
    let (_blue, _green) = blue_and_green(world).await;
    shop.shows("status: blue-1 is active").await;

    // As kubectl shows it, with a line more in `data`.
    let editor = "sed -i 's/^data:$/data:\\n  promote: now/'";
    shop.plane.edit(&shop.operator, &["configmap", "orders"], editor).await?;
    shop.has_it(GREEN).await;
    let told = shop.shows(" is done. green-1 is active").await;
    assert!(!told.contains("promote: now"), "{told}");
    let events = shop.described("Finished").await;
    assert!(events.contains("Proposed") && events.contains("Committed"), "{events}");

    // The same value again is a new request; an annotation is none.
    shop.kubectl(&["patch", "configmap", "orders", "-p", r#"{"data":{"promote":"now"}}"#], "").await?;
    let settled = shop.has_it(BLUE).await;
    shop.plane.kubectl(&["-n", shop.namespace, "annotate", "configmap", "orders", "team=a"]).await?;

    // A manifest that is applied again and again names who is to take over, and so does it once.
    let manifest = "apiVersion: v1
kind: ConfigMap
metadata: {name: orders}
data: {promote: now, to: green-1}
";
    shop.kubectl(&["apply", "-f", "-"], manifest).await?;
    let last = shop.has_it(GREEN).await;
    assert_eq!(settled.history.len() + 1, last.history.len(), "the annotation asked for something");
    shop.kubectl(&["apply", "-f", "-"], manifest).await?;
    shop.described("AlreadyActive").await;
    let document = world.document().await;
    assert_eq!((document.attempts, document.cutover, document.history), (last.attempts, None, last.history));

    // Neither the document nor the reports are people's.
    let deny =
        shop.kubectl(&["patch", "configmap", "orders.document", "-p", r#"{"data":{"a":"b"}}"#], "").await;
    assert!(deny.is_err_and(|error| error.to_string().contains("Forbidden")));
    world.is_exact().await;
    Ok(())
}

#[tokio::test]
async fn a_bad_edit_is_answered_in_the_config_map_and_as_an_event_and_changes_nothing() -> Result<()> {
    let shop = Shop::open("bad-edits", JOB_BY_NAME, "tidegate-job-orders").await?;
    let world = &shop.world;
    let (_blue, _green) = blue_and_green(world).await;
    shop.shows("status: blue-1 is active").await;
    let before = world.document().await;
    let patch = async |data: &str| {
        let patch = format!(r#"{{"data":{data}}}"#);
        shop.kubectl(&["patch", "configmap", "orders", "-p", &patch], "").await
    };
    patch(r#"{"promot":"now"}"#).await?;
    let told = shop.shows("RequestUnreadable: promot = \"now\" is not known").await;
    assert!(told.contains("promot: now"), "it stays to be mended: {told}");
    shop.described("promot = \"now\" is not known; keys are promote").await;
    patch(r#"{"promot":null,"promote":"soon"}"#).await?;
    shop.described("promote = \"soon\" is not a cutover watermark").await;
    assert_eq!(world.document().await, before);
    patch(r#"{"promote":"2001-01-01T00:00:00Z"}"#).await?;
    shop.described("BoundaryInPast").await;
    shop.shows("the last request was refused: BoundaryInPast").await;
    patch(r#"{"promote":"now","pause":"true"}"#).await?;
    shop.described("Paused").await;
    patch(r#"{"pause":null,"promote":"now"}"#).await?;
    shop.has_it(GREEN).await;
    world.is_exact().await;
    Ok(())
}

/// Events are a courtesy: a job that may not write them does all else, and says so once.
#[tokio::test]
async fn a_job_that_may_not_write_events_says_so_once_and_goes_on() -> Result<()> {
    let (role, _) = JOB.split_once("  # What happens is shown").context("the right to write events")?;
    let shop = Shop::open("no-events", role, "tidegate-job").await?;
    let world = &shop.world;
    let (blue, _green) = blue_and_green(world).await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    world.goes_on(GREEN).await;
    blue.logs("refuses to create events: grant the verb create on events in namespace no-events").await;
    world.cut_over(BLUE, HandOver::Ordered).await;
    world.cut_over(GREEN, HandOver::Ordered).await;
    assert_eq!(blue.times_logged("refuses to create events"), 1);
    world.is_exact().await;
    Ok(())
}

/// While the server is away the output flows on under the orders that there are, and a cutover is made when it is back.
#[tokio::test]
async fn output_goes_on_while_the_server_is_dead_and_a_cutover_after_it() -> Result<()> {
    Scratch::new("agents-dead")?
        .run(async |folder| {
            let mut plane = ControlPlane::start(folder).await?;
            plane.create_namespace("agents").await?;
            let world = World::on(url(&plane, "agents"));
            world.begin(quick()).await;
            let (_blue, _green) = blue_and_green(&world).await;
            plane.kill()?;
            world.goes_on(BLUE).await;
            plane.restart().await?;
            both_are_well_again(&world).await;
            is_made_over_a_freeze(&world, plane.process()).await
        })
        .await
}

//! What befalls a controller and its rollout from outside: other writers, outages, another controller, people.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tidegate_integration_tests::flights::{Owners, Version};
use tidegate_integration_tests::http_proxy::{Before, Request};
use tidegate_integration_tests::{Observed, wait_until};

use super::case::{Case, DEADLINE, array, boundary, condition};
use super::fates::Side;
use super::flows::{first, is_promotion};

fn is_status(side: Side, request: &Request) -> bool {
    side == Side::ApiServer && request.method == Method::PUT && request.path.contains("/status")
}

impl Case {
    /// Everything to that server that is like this is lost.
    fn lose(&self, wanted: impl Fn(Side, &Request) -> bool + Send + Sync + 'static) {
        self.fates.play(Some(Arc::new(move |side, request| {
            let is_lost = wanted(side, request);
            Box::pin(async move { is_lost.then_some(Before::Drop) })
        })));
    }

    async fn touch(&self, path: &str) -> Result<()> {
        self.api.merge(path, &json!({"metadata": {"annotations": {"touched": "yes"}}})).await.map(drop)
    }
}

/// While a status, and later a request in the store, is on its way, somebody else writes the same object.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_first_wins_and_nothing_is_lost() -> Result<()> {
    Case::run("conflicts", async |case| {
        let stream = first(case, &case.spec(case.job(Version::V1, 1)), 37).await?;
        what_rest_costs(case).await?;
        let mut status = case.fates.hold(is_status);
        let second = case.spec(case.job(Version::V2, 2));
        case.apply(&second).await?;
        status.come().await?;
        case.touch(&case.path()).await?;
        let mut request = case.fates.hold(is_promotion);
        status.let_go();
        request.come().await?;
        case.touch(&format!("/api/v1/namespaces/{0}/configmaps/{0}", case.name)).await?;
        request.let_go();
        let status = case.wait_ready("green-1").await?;
        println!("requests of a rollout: {:#?}", case.fates.take_requests());
        kubectl_shows_it(case).await?;
        let owners: Owners = vec![(i64::MIN, Version::V1), (boundary(&status)?, Version::V2)];
        let account = case.finish(stream, &second, &owners).await?;
        println!("{} rows, exact", account.rows());
        Ok(())
    })
    .await
}

/// What the controller asks while nothing is to be done, in some rounds.
async fn what_rest_costs(case: &Case) -> Result<()> {
    const ROUNDS: u64 = 3;
    case.fates.take_requests();
    let mut all = std::collections::BTreeMap::new();
    wait_until("some rounds have passed", DEADLINE, async || {
        for (kind, count) in case.fates.take_requests() {
            *all.entry(kind).or_insert(0) += count;
        }
        let looked = |((side, kind), count): (&(Side, String), &u64)| {
            (*side == Side::Flink && kind.ends_with("/checkpoints")).then_some(*count)
        };
        let rounds = all.iter().find_map(looked).unwrap_or_default();
        Ok(Observed::when(rounds >= ROUNDS, (), || format!("{rounds}")))
    })
    .await?;
    println!("requests of {ROUNDS} rounds at rest: {all:#?}");
    let writes = |(side, kind): &&(Side, String)| {
        let looks = ["GET", "WATCH"].iter().any(|look| kind.starts_with(look));
        !looks && !kind.contains("/leases") && *side == Side::ApiServer
    };
    let writes: Vec<_> = all.keys().filter(writes).collect();
    ensure!(writes.is_empty(), "at rest it writes: {writes:?}");
    Ok(())
}

/// By real kubectl: the wait, the columns, the events, and who did what.
async fn kubectl_shows_it(case: &Case) -> Result<()> {
    let resource = format!("fbg/{}", case.name);
    let plane = &case.world.plane;
    let kubectl = async |line: &[&str]| plane.kubectl(&[&["--namespace", case.name], line].concat()).await;
    kubectl(&["wait", "--for=condition=Ready", &resource, "--timeout=30s"]).await?;
    let table = kubectl(&["get", &resource]).await?;
    print!("{table}");
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let [head, row] = lines.as_slice() else { anyhow::bail!("{table}") };
    ensure!(head == &["NAME", "ACTIVE", "TARGET", "PHASE", "CUTOVER", "LAG", "READY", "AGE"], "{table}");
    for cell in [case.name, "green-1", "Idle", "Done", "True"] {
        ensure!(row.contains(&cell), "{cell} is missing: {table}");
    }
    let described = kubectl(&["describe", &resource]).await?;
    for told in ["began the first rollout", "green-1 has the output", "green-1 is accepted"] {
        ensure!(described.contains(told), "{told} is missing: {described}");
    }
    let events = kubectl(&["get", "events", "--field-selector", "reason=Watching"]).await?;
    ensure!(events.contains("green-1 has the output"), "{events}");
    Ok(())
}

/// Longer than the Lease lives.
const OUTAGE: Duration = Duration::from_secs(60);

/// The jobs end the cutover by themselves, and after a minute the controller finds it done.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_api_server_in_a_cutover_stops_nothing() -> Result<()> {
    Case::run("outage", async |case| {
        let stream = first(case, &case.spec(case.job(Version::V1, 1)), 41).await?;
        let mut request = case.fates.hold(is_promotion);
        let second = case.spec(case.job(Version::V2, 2));
        case.apply(&second).await?;
        request.come().await?;
        let before = case.document().await?["epoch"].clone();
        request.let_go();
        wait_until("a cutover is proposed", DEADLINE, async || {
            let document = case.document().await?;
            Ok(Observed::when(document["epoch"] != before, (), || document.to_string()))
        })
        .await?;
        case.fates.cut_off(true);
        let cut = Instant::now();
        wait_until("the jobs have ended the cutover", DEADLINE, async || {
            let document = case.document().await?;
            let done =
                document["cutover"].is_null() && array(&document["owners"]).last().is_some_and(is_green);
            Ok(Observed::when(done, (), || document.to_string()))
        })
        .await?;
        wait_until("it is said that the API server is away", DEADLINE, async || {
            let said = case.controller.said()?;
            Ok(Observed::when(said.contains("ApiServer: "), (), || "nothing is said".into()))
        })
        .await?;
        wait_until("it lasts a minute", DEADLINE, async || {
            let lasted = cut.elapsed();
            Ok(Observed::when(lasted >= OUTAGE, (), || format!("{lasted:?}")))
        })
        .await?;
        case.output.wait_flow().await?;
        case.fates.cut_off(false);
        let status = case.wait_ready("green-1").await?;
        case.demand_untouched("green-1").await?;
        ensure!(case.controller.lives() == 1);
        let owners: Owners = vec![(i64::MIN, Version::V1), (boundary(&status)?, Version::V2)];
        let account = case.finish(stream, &second, &owners).await?;
        println!("{} rows, exact", account.rows());
        Ok(())
    })
    .await
}

fn is_green(owner: &Value) -> bool {
    owner["member"]["color"] == "green"
        || owner["member"].as_str().is_some_and(|name| name.starts_with("green"))
}

/// The store, then Flink, cannot be reached: it is said, and nothing is done; at last the resource is let go without them.
#[tokio::test(flavor = "multi_thread")]
async fn store_and_cluster_are_away() -> Result<()> {
    Case::run("away", async |case| {
        let mut spec = case.spec(case.job(Version::V1, 1));
        spec["deadlines"] = json!({"leave": "2s"});
        let _stream = first(case, &spec, 43).await?;
        case.lose(|side, request| side == Side::ApiServer && request.path.contains("/configmaps"));
        let mut second = spec.clone();
        second["job"] = case.job(Version::V2, 2);
        second["proof"]["window"] = "10m".into();
        case.apply(&second).await?;
        case.wait("it is said that the store is away", |status| tells(status, "StoreUnreachable")).await?;
        case.output.wait_flow().await?;
        case.demand_untouched("blue-1").await?;
        case.fates.play(None);
        case.wait("it goes on", |status| status["phase"] == "Proving").await?;

        for (answer, code) in [(None, "FlinkUnreachable"), (Some(500), "FlinkBroken")] {
            case.fates.play(Some(Arc::new(move |side, _| {
                Box::pin(async move {
                    let status = answer.and_then(|code| reqwest::StatusCode::from_u16(code).ok());
                    let broken = status.map_or(Before::Drop, |status| Before::Answer(status, "{}".into()));
                    (side == Side::Flink).then_some(broken)
                })
            })));
            case.wait(&format!("it is said that {code}"), |status| tells(status, code)).await?;
        }
        case.output.wait_flow().await?;
        case.demand_untouched("blue-1").await?;
        case.demand_untouched("green-1").await?;
        case.delete().await?;
        // It could not be asked to end them.
        case.demand_untouched("blue-1").await?;
        for member in ["blue-1", "green-1"] {
            case.job_of(member)?.cancel(DEADLINE).await?;
        }
        Ok(())
    })
    .await
}

/// Somewhere in what is waited for, or in a condition.
pub(super) fn tells(status: &Value, word: &str) -> bool {
    status["waiting"].to_string().contains(word) || status["conditions"].to_string().contains(word)
}

/// The job that has the output is cancelled by somebody: it is said, and a person's word brings it back from its last state.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_somebody_has_cancelled_is_not_started_behind_his_back() -> Result<()> {
    Case::run("cancelled", async |case| {
        let spec = case.spec(case.job(Version::V1, 1));
        let stream = first(case, &spec, 47).await?;
        case.job_of("blue-1")?.cancel(DEADLINE).await?;
        let ended = |status: &Value| condition(status, "Degraded")["reason"] == "ActiveEnded";
        case.wait("it is said that it has ended", ended).await?;
        ensure!(case.fates.jobs("blue-1").len() == 1);
        case.ask("replace who=ann why=\"it was a mistake\"").await?;
        let again = |status: &Value| status["active"]["deployment"] == "cancelled-blue-1-2";
        case.wait("it is launched again", again).await?;
        case.wait_ready("blue-1").await?;
        let account = case.finish(stream, &spec, &vec![(i64::MIN, Version::V1)]).await?;
        case.tell_history("a job that was cancelled").await?;
        println!("{} rows, exact", account.rows());
        Ok(())
    })
    .await
}

/// Only one of two controllers acts; the other one takes over, in the middle of a rollout whose spec has changed once more.
#[tokio::test(flavor = "multi_thread")]
async fn another_controller_takes_over_and_follows_the_newest_spec() -> Result<()> {
    Case::run("leaders", async |case| {
        let stream = first(case, &case.spec(case.job(Version::V1, 1)), 53).await?;
        let another = case.another_controller("another")?;
        another.start()?;
        let mut second = case.spec(case.job(Version::V2, 1));
        second["proof"]["window"] = "10m".into();
        case.apply(&second).await?;
        case.wait("green-1 is proven", |status| status["phase"] == "Proving").await?;
        ensure!(holder(case).await? == "controller");
        case.controller.kill()?;
        let third = case.spec(case.job(Version::V2, 2));
        case.apply(&third).await?;
        let status = case.wait_ready("green-2").await?;
        ensure!(holder(case).await? == "another" && another.lives() == 1);
        let blue = case.job_of("blue-1")?;
        tidegate_integration_tests::stage::demand_undisturbed(&blue).await?;
        let replaced = array(&status["history"]).iter().any(|entry| {
            entry["what"].as_str().is_some_and(|what| what.contains("gave up green-1 (Superseded)"))
        });
        ensure!(replaced, "{status}");
        let owners: Owners = vec![(i64::MIN, Version::V1), (boundary(&status)?, Version::V2)];
        let account = case.finish(stream, &third, &owners).await?;
        println!("{} rows, exact", account.rows());
        Ok(())
    })
    .await
}

pub(super) async fn holder(case: &Case) -> Result<String> {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/tidegate-controller", case.name);
    let lease = case.api.get(&path).await?.context("there is no Lease")?;
    Ok(lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned())
}

//! The flows, each in one rollout in which the controller is killed at every request that changes something, once before it is
//! passed on and once before its answer is heard.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tidegate_integration_tests::flights::{Difference, HOUR_MS, Owners, Stream, Version};
use tidegate_integration_tests::http_proxy::Request;
use tidegate_integration_tests::rest::{Job, JobState, RunRequest};
use tidegate_integration_tests::stage::demand_undisturbed;
use tidegate_protocol::rollout::ActionKind;

use super::case::{Case, DEADLINE, array, boundary, condition, is_at_rest};
use super::fates::Side;

const GOOD: &[ActionKind] = &[
    ActionKind::Start,
    ActionKind::Snapshot,
    ActionKind::Promote,
    ActionKind::Stop,
    ActionKind::Drop,
    ActionKind::Release,
];
const BEFORE: &[ActionKind] = &[ActionKind::Start, ActionKind::Delete];
const REVERSE: &[ActionKind] = &[ActionKind::Promote, ActionKind::Stop];
const RECLAIM: &[ActionKind] = &[ActionKind::Reclaim, ActionKind::Start];
const STOP_START: &[ActionKind] = &[ActionKind::Stop, ActionKind::Start, ActionKind::Cancel];
const LEAVING: &[ActionKind] =
    &[ActionKind::Withdraw, ActionKind::Stop, ActionKind::Delete, ActionKind::Release];
const FORGET: &[ActionKind] = &[ActionKind::Forget];
/// A job on a session cluster leaves none: Flink clears it when the job ends.
const OF_OTHER_DRIVERS: &[ActionKind] = &[ActionKind::ClearHighAvailability];

#[test]
fn the_controller_is_killed_at_every_kind_of_action() {
    let flows = [GOOD, BEFORE, REVERSE, RECLAIM, STOP_START, LEAVING, FORGET, OF_OTHER_DRIVERS].concat();
    for action in ActionKind::ALL {
        assert!(flows.contains(&action), "no flow demands that the controller is killed at {action:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_rollout() -> Result<()> {
    Case::run("good", async |case| {
        case.fates.kill(true);
        case.controller.start()?;
        case.apply(&case.spec(case.job(Version::V1, 1))).await?;
        case.wait_ready("blue-1").await?;
        let stream = case.stream(11)?;
        case.output.wait_flow().await?;
        let second = case.spec(case.job(Version::V2, 2));
        case.apply(&second).await?;
        let status = case.wait_ready("green-1").await?;
        let blue = case.job_of("blue-1")?;
        demand_undisturbed(&blue).await?;
        ensure!(blue.status().await?.state == JobState::Finished, "it was not stopped with a savepoint");
        case.demand_untouched("green-1").await?;
        let owners: Owners = vec![(i64::MIN, Version::V1), (boundary(&status)?, Version::V2)];
        let account = case.finish(stream, &second, &owners).await?;
        case.tell_history("a good rollout").await?;
        case.delete().await?;
        println!("{} rows, exact", account.rows());
        case.demand_killed_at(GOOD).await
    })
    .await
}

/// Its output becomes visible when a service answers and a person has signed it off.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_rollout_on_flink_2() -> Result<()> {
    Case::run_on("2.3.0", "flink-2", async |case| {
        let stream = first(case, &case.spec(case.job(Version::V1, 1)), 12).await?;
        let mut second = case.spec(case.job(Version::V2, 2));
        let alive = format!("{}/overview", case.flink().base());
        second["checks"] = json!([
            {"name": "alive", "interval": "1s", "count": 2, "http": {"url": alive, "status": 200}},
            {"name": "sign-off", "interval": "1s", "count": 1, "key": {"configMap": "sign-offs", "key": "flights"}},
        ]);
        case.apply(&second).await?;
        let awaited = |status: &Value| {
            let waiting = status["waiting"].to_string();
            waiting.contains("sign-off") && !waiting.contains("alive")
        };
        let status = case.wait("only a person is waited for", awaited).await?;
        ensure!(status["active"]["member"] == "blue-1", "{status}");
        let revision = status["target"]["revision"].as_str().context("no target")?;
        let sign_off = json!({"metadata": {"name": "sign-offs"}, "data": {"flights": format!("passed {revision}")}});
        case.api.post(&format!("/api/v1/namespaces/{}/configmaps", case.name), &sign_off).await?;
        let status = case.wait_ready("green-1").await?;
        demand_undisturbed(&case.job_of("blue-1")?).await?;
        let owners: Owners = vec![(i64::MIN, Version::V1), (boundary(&status)?, Version::V2)];
        let account = case.finish(stream, &second, &owners).await?;
        case.delete().await?;
        println!("{} rows, exact", account.rows());
        Ok(())
    })
    .await
}

/// A rollout whose first version runs, while flights come; the controller is not killed yet.
pub(crate) async fn first(case: &mut Case, spec: &Value, seed: u64) -> Result<Stream> {
    case.controller.start()?;
    case.apply(spec).await?;
    case.wait_ready("blue-1").await?;
    let stream = case.stream(seed)?;
    case.output.wait_flow().await?;
    Ok(stream)
}

fn given_up(status: &Value) -> bool {
    is_at_rest(status) && condition(status, "Degraded")["status"] == "True"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_that_fails_in_standby_is_removed() -> Result<()> {
    Case::run("before", async |case| {
        let spec = case.spec(case.job(Version::V1, 1));
        let stream = first(case, &spec, 13).await?;
        case.fates.kill(true);
        let mut second = case.spec(case.job(Version::V2, 2));
        second["proof"]["window"] = "10m".into();
        case.apply(&second).await?;
        case.wait("green-1 is proven", |status| status["phase"] == "Proving").await?;
        case.blow(Version::V2)?;
        let status = case.wait("green-1 is given up", given_up).await?;
        ensure!(condition(&status, "Degraded")["reason"] == "Unstable", "{status}");
        ensure!(case.job_of("green-1")?.status().await?.state == JobState::Canceled);
        case.demand_untouched("blue-1").await?;
        let account = case.finish(stream, &spec, &vec![(i64::MIN, Version::V1)]).await?;
        case.tell_history("a failure before the cutover").await?;
        println!("{} rows, exact", account.rows());
        case.demand_killed_at(BEFORE).await
    })
    .await
}

/// Until the new version has the output, which it has from the returned event time on.
async fn cut_over(case: &mut Case, second: &Value) -> Result<i64> {
    case.apply(second).await?;
    let watching = |status: &Value| status["phase"] == "Watching" && status["cutover"]["state"] == "Done";
    let status = case.wait("green-1 is watched", watching).await?;
    case.output.wait_flow().await?;
    boundary(&status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_that_fails_gives_the_output_back() -> Result<()> {
    Case::run("reverse", async |case| {
        let spec = case.spec(case.job(Version::V1, 1));
        let stream = first(case, &spec, 17).await?;
        let mut second = case.spec(case.job(Version::V2, 2));
        second["watch"] = "10m".into();
        let there = cut_over(case, &second).await?;
        case.fates.kill(true);
        case.blow(Version::V2)?;
        let status = case.wait("blue-1 has the output again", given_up).await?;
        ensure!(status["active"]["member"] == "blue-1", "{status}");
        let back = boundary(&status)?;
        ensure!(back > there, "{back} is not above {there}");
        case.demand_untouched("blue-1").await?;
        let owners: Owners = vec![(i64::MIN, Version::V1), (there, Version::V2), (back, Version::V1)];
        let account = case.finish(stream, &spec, &owners).await?;
        case.tell_history("a failure after the cutover: reverse cutover").await?;
        println!("{} rows, exact; green had the output from {there} to {back}", account.rows());
        case.demand_killed_at(REVERSE).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_that_is_dead_is_replaced_from_the_pinned_savepoint() -> Result<()> {
    Case::run("reclaim", async |case| {
        let spec = case.spec(case.job(Version::V1, 1));
        let stream = first(case, &spec, 19).await?;
        let mut second = case.spec(case.job(Version::V2, 2));
        second["job"]["configuration"] = json!({"restart-strategy.type": "none"});
        second["watch"] = "10m".into();
        let there = cut_over(case, &second).await?;
        case.fates.kill(true);
        case.blow(Version::V2)?;
        let status = case.wait("blue-2 has the output", given_up).await?;
        ensure!(status["active"]["member"] == "blue-2", "{status}");
        let back = case.since().await?;
        demand_undisturbed(&case.job_of("blue-1")?).await?;
        case.demand_untouched("blue-2").await?;
        let owners: Owners = vec![(i64::MIN, Version::V1), (there, Version::V2), (back, Version::V1)];
        let account = case.end(stream, &spec).await?;
        case.tell_history("a failure after the cutover: reclaim").await?;
        // What the dead version has committed after its last report is there twice, and nothing else is.
        let difference = case.output.difference(&account, &owners)?;
        let repeated = difference.duplicated.len();
        let time = |key: &String| Some(key.rsplit('/').next()?.parse::<i64>().ok()? + HOUR_MS - 1);
        let below = difference.duplicated.iter().any(|key| time(key).is_none_or(|time| time < back));
        let others = Difference { duplicated: Vec::new(), ..difference };
        ensure!(others.is_none() && !below, "{others}, {repeated} repeated, below {back}: {below}");
        println!("{} rows, {repeated} repeated; green had the output from {there} to {back}", account.rows());
        case.demand_killed_at(RECLAIM).await
    })
    .await
}

/// The new version completes no checkpoint, so nothing of it is seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_start_goes_back_to_old_spec_parallelism_and_savepoint() -> Result<()> {
    Case::run("stop-start", async |case| {
        let stop_start = |mut spec: Value| {
            spec["strategy"] = "stop-start".into();
            spec["proof"] = json!({"settling": "0s", "window": "10m"});
            spec
        };
        let mut spec = stop_start(case.spec(case.job(Version::V1, 2)));
        spec["proof"]["window"] = "500ms".into();
        let stream = first(case, &spec, 23).await?;
        case.fates.kill(true);
        let mut second = stop_start(case.spec(case.job(Version::V2, 1)));
        let arguments = second["job"]["args"].as_array_mut().context("no arguments")?;
        arguments.extend(["--checkpoint-interval-ms", "600000"].map(Value::from));
        case.apply(&second).await?;
        case.wait("version 2 is proven", |status| status["phase"] == "Proving").await?;
        case.blow(Version::V2)?;
        let back = |status: &Value| status["active"]["deployment"] == "stop-start-blue-1-3";
        case.wait("version 1 is launched again", back).await?;
        second["proof"]["window"] = "500ms".into();
        case.apply(&second).await?;
        let status = case.wait("version 1 runs again", given_up).await?;
        ensure!(back(&status), "{status}");
        let jobs = case.fates.jobs("blue-1");
        ensure!(jobs.len() == 3, "{jobs:?}");
        let running = case.job_of("blue-1")?.wait_running(DEADLINE).await?;
        ensure!(running.vertices.iter().any(|vertex| vertex.parallelism == 2), "{}", running.summary());
        let account = case.finish(stream, &spec, &vec![(i64::MIN, Version::V1)]).await?;
        case.tell_history("stop-start, rolled back").await?;
        println!("{} rows, exact", account.rows());
        case.demand_killed_at(STOP_START).await
    })
    .await
}

/// A cutover is taken back while its request is on its way; then, with another version in standby, the resource is deleted. The
/// job that had the output ends with a savepoint from which it goes on, when somebody starts it by hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_cutover_is_aborted_and_the_resource_is_deleted() -> Result<()> {
    Case::run("leaving", async |case| {
        let spec = case.spec(case.job(Version::V1, 1));
        let stream = first(case, &spec, 29).await?;
        let mut request = case.fates.hold(is_promotion);
        case.apply(&case.spec(case.job(Version::V2, 2))).await?;
        request.come().await?;
        case.ask("abort who=ann why=\"not today\"").await?;
        case.fates.kill(true);
        request.let_go();
        let status = case.wait("green-1 is given up", given_up).await?;
        ensure!(condition(&status, "Degraded")["reason"] == "Asked", "{status}");
        case.demand_untouched("blue-1").await?;

        let mut third = case.spec(case.job(Version::V2, 1));
        third["promotion"] = json!({"mode": "manual"});
        case.apply(&third).await?;
        case.wait("green-2 is ready", |status| status["phase"] == "Ready").await?;
        case.demand_untouched("blue-1").await?;
        case.tell_history("a cutover aborted by a person").await?;
        case.delete().await?;
        case.demand_killed_at(LEAVING).await?;

        let blue = case.job_of("blue-1")?;
        demand_undisturbed(&blue).await?;
        ensure!(blue.status().await?.state == JobState::Finished, "it was not stopped with a savepoint");
        ensure!(case.job_of("green-2")?.status().await?.state == JobState::Canceled);
        let checkpoints: Value = case.flink().get(&format!("/jobs/{}/checkpoints", blue.id())).await?;
        let savepoint = &checkpoints["latest"]["savepoint"]["external_path"];
        let again = case.run_by_hand(&spec, savepoint.as_str().context("no savepoint")?).await?;
        let account = case.output.finish(stream).await?;
        again.stop_with_savepoint(DEADLINE).await?;
        case.output.demand_exact(&account, &vec![(i64::MIN, Version::V1)])?;
        println!("{} rows, exact", account.rows());
        Ok(())
    })
    .await
}

/// A request to hand over, in the rollout's store.
pub(crate) fn is_promotion(side: Side, request: &Request) -> bool {
    side == Side::ApiServer
        && request.method == Method::PATCH
        && request.path.contains("/configmaps/")
        && String::from_utf8_lossy(&request.body).contains("promote")
}

/// A job that still owns event time, and was cancelled by somebody, is forgotten when a person says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_former_version_is_forgotten() -> Result<()> {
    Case::run("forget", async |case| {
        // Nothing is settled for a long time.
        let patient = |mut spec: Value| {
            spec["allowedLateness"] = "1100h".into();
            spec
        };
        let stream = first(case, &patient(case.spec(case.job(Version::V1, 1))), 31).await?;
        let second = patient(case.spec(case.job(Version::V2, 2)));
        case.apply(&second).await?;
        let accepted =
            |status: &Value| status["phase"] == "Idle" && array(&status["record"]["leftovers"]).len() == 1;
        let status = case.wait("green-1 is accepted, and blue-1 stands by", accepted).await?;
        case.job_of("blue-1")?.cancel(DEADLINE).await?;
        case.wait("it is said that it has ended", |status| {
            condition(status, "Degraded")["reason"] == "FormerEnded"
        })
        .await?;
        case.fates.kill(true);
        case.ask("forget member=blue-1 who=ann why=\"it is dead\"").await?;
        case.wait_ready("green-1").await?;
        case.demand_untouched("green-1").await?;
        let owners: Owners = vec![(i64::MIN, Version::V1), (boundary(&status)?, Version::V2)];
        let account = case.finish(stream, &second, &owners).await?;
        case.tell_history("a former version, forgotten").await?;
        println!("{} rows, exact", account.rows());
        case.demand_killed_at(FORGET).await
    })
    .await
}

impl Case {
    /// As the member blue-1, from its own savepoint.
    async fn run_by_hand(&self, spec: &Value, savepoint: &str) -> Result<Job> {
        let jar = self.flink().upload(&self.world.cluster.jar).await?;
        let arguments = array(&spec["job"]["args"]).iter().filter_map(Value::as_str).map(str::to_owned);
        let options = [
            ("tidegate.store", spec["store"].as_str().unwrap_or_default()),
            ("tidegate.rollout", self.name),
            ("tidegate.color", "blue"),
        ];
        let request = RunRequest {
            arguments: arguments.collect(),
            parallelism: Some(1),
            configuration: options.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            savepoint: Some(savepoint.to_owned()),
            allow_non_restored_state: false,
            entry_class: spec["job"]["entryClass"].as_str().map(str::to_owned),
        };
        let job = self.flink().run(&jar, &request).await?;
        job.wait_running(DEADLINE).await?;
        Ok(job)
    }
}

//! The real `tidegate` binary on a real store, with real agents in this process.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../gate/agent/tests/job/mod.rs"]
#[allow(dead_code, reason = "shared with the agent's tests, which use all of it")]
mod job;

use std::process::{Command, Output};
use std::sync::Arc;

use job::world::{AHEAD, BLUE, GREEN, World, quick, until};
use job::{Job, Spec};
use serde_json::{Value, json};
use tidegate_protocol::document::{Cutover, HandOver, Settings};
use tidegate_protocol::time::When;

const DONE: i32 = 0;
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const TIMEOUT: i32 = 3;
const ABORTED: i32 = 4;
const REFUSED: i32 = 5;
const FENCED: i32 = 6;
const UNREACHABLE: i32 = 7;

struct Said {
    exit: i32,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {:?} {:?}", self.out, self.err))
    }

    /// Ended so, with this on standard error.
    fn failed(&self, exit: i32, err: &str) {
        assert_eq!(self.exit, exit, "{} {}", self.out, self.err);
        assert!(self.err.contains(err), "{}", self.err);
    }
}

fn run(arguments: &[&str]) -> Said {
    let binary = env!("CARGO_BIN_EXE_tidegate");
    let Output { status, stdout, stderr } = Command::new(binary)
        .args(arguments)
        .env_remove("TIDEGATE_STORE")
        .env_remove("TIDEGATE_ROLLOUT")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { exit: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

/// Runs the binary beside the jobs of this test.
async fn tidegate(world: &World, line: &str) -> Said {
    let line = format!("{line} --store {} --rollout orders", world.url());
    tokio::task::spawn_blocking(move || run(&line.split(' ').collect::<Vec<_>>())).await.unwrap()
}

async fn blue_and_green(world: &Arc<World>) -> (Job, Job) {
    let blue = Job::start(world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    let green = Job::start(world, Spec::new(GREEN, 3), Some(&blue.snapshot().await));
    world.is_ready(GREEN).await;
    (blue, green)
}

#[tokio::test]
async fn promote_hands_the_output_over_and_rollback_takes_it_back() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    let there = tidegate(&world, "promote --at now --output json").await;
    assert_eq!(there.exit, DONE, "{}", there.err);
    let result = there.json();
    assert_eq!(
        (&result["outcome"], &result["from"], &result["to"]),
        (&json!("done"), &json!("blue-1"), &json!("green-1"))
    );
    assert!(result["boundary"].is_i64() && result["attempt"].is_u64(), "{result}");
    world.goes_on(GREEN).await;
    let back = tidegate(&world, "rollback").await;
    assert_eq!(back.exit, DONE, "{}", back.err);
    assert!(back.out.starts_with("blue-1 owns everything from "), "{}", back.out);
    world.goes_on(BLUE).await;
    world.is_exact().await;
}

#[tokio::test]
async fn status_shows_the_tree_the_reason_and_json() {
    let world = World::with(quick()).await;
    let (_blue, green) = blue_and_green(&world).await;
    let tree = tidegate(&world, "status").await;
    assert_eq!(tree.exit, DONE, "{}", tree.err);
    for part in [
        "rollout orders (epoch 1, directory:///",
        "\n  no cutover, blue-1 is active",
        "\n  blue-1 active, owns [-inf, +inf)\n    gate orders: 2/2 subtasks, watermark 20",
        "\n      subtask 1: watermark ",
        "\n  green-1 standby, owns nothing, may be stopped\n    gate orders: 3/3 subtasks",
    ] {
        assert!(tree.out.contains(part), "{part:?} is not in {}", tree.out);
    }
    assert_eq!(tidegate(&world, "status --why").await.out, "nothing is waited for\n");

    green.kill().await;
    world.promote(GREEN, When::In(500_000), None).await.unwrap();
    let why = tidegate(&world, "status --why").await;
    assert!(
        why.out.contains("waiting for green-1, gate orders, subtask 0: has not acknowledged attempt 1"),
        "{}",
        why.out
    );
    let status = tidegate(&world, "status --output json").await.json();
    assert_eq!(
        (&status["cutover"]["state"], &status["cutover"]["to"]),
        (&json!("proposed"), &json!("green-1"))
    );
    assert_eq!((&status["active"], &status["members"][0]["role"]), (&json!("blue-1"), &json!("active")));
    assert_eq!(status["members"][1]["role"], "taking-over");
    let waiting = status["waiting"].as_array().unwrap();
    assert!(waiting.iter().any(|one| one["for"] == "Acknowledgement" && one["subtask"] == 2), "{waiting:?}");

    let abort = tidegate(&world, "abort --attempt 9").await;
    abort.failed(REFUSED, "OtherAttempt: attempt 9 is not under way, attempt 1 is");
    let abort = tidegate(&world, "abort --output json").await;
    assert_eq!(
        (abort.exit, abort.json()),
        (DONE, json!({"outcome": "aborted", "attempt": 1})),
        "{}",
        abort.err
    );
    let tree = tidegate(&world, "status").await.out;
    assert!(
        tree.contains("last: attempt 1, blue-1 -> green-1 at ") && tree.contains(": aborted (Asked) after "),
        "{tree}"
    );
    world.is_exact().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_without_effect() {
    let world = World::with(quick()).await;
    let blue = Job::start(&world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    tidegate(&world, "promote")
        .await
        .failed(REFUSED, "tidegate: NoStandby: no other member is alive; start the new version");
    tidegate(&world, "promote --to green-4").await.failed(REFUSED, "MemberNotAlive: green-4 is not alive");
    tidegate(&world, "abort").await.failed(REFUSED, "NothingToAbort: no cutover is under way");
    tidegate(&world, "rollback").await.failed(REFUSED, "NothingToRollBack");
    let _green = Job::start(&world, Spec::new(GREEN, 3), Some(&blue.snapshot().await));
    world.is_ready(GREEN).await;
    let past = tidegate(&world, "promote --at 2001-01-01T00:00:00Z --output json").await;
    past.failed(REFUSED, "BoundaryInPast: 2001-01-01T00:00:00Z is not above");
    assert_eq!(
        (&past.json()["outcome"], &past.json()["code"]),
        (&json!("refused"), &json!("BoundaryInPast"))
    );
    let document = world.document().await;
    assert_eq!((document.cutover, document.history.len()), (None, 0));
    world.is_exact().await;
}

#[tokio::test]
async fn an_attempt_that_is_aborted_has_its_own_exit_code() {
    let world = World::with(Settings { propose_deadline_ms: 500, ..quick() }).await;
    let (_blue, green) = blue_and_green(&world).await;
    green.kill().await;
    let said = tidegate(&world, "promote --at +500s --output json").await;
    said.failed(ABORTED, "DeadlinePassed: attempt 1 was aborted, blue-1 goes on as before");
    assert_eq!(
        (&said.json()["outcome"], &said.json()["code"]),
        (&json!("aborted"), &json!("DeadlinePassed"))
    );
}

#[tokio::test]
async fn a_request_that_nobody_takes_up_is_withdrawn_in_time() {
    let world = World::with(quick()).await;
    tidegate(&world, "promote --timeout 0")
        .await
        .failed(TIMEOUT, "nobody took the request up, and it was withdrawn");
    let keys = world.rollout().sheet().await.unwrap().keys.unwrap();
    assert!(!keys.contains_key("promote") && !keys.contains_key("id"), "{keys:?}");
    let _blue = Job::start(&world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    assert_eq!(world.document().await.answered, None, "a late effect");
}

#[tokio::test]
async fn a_cutover_that_takes_longer_than_the_timeout_goes_on() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    let said = tidegate(&world, "promote --at +300s --timeout 5").await;
    said.failed(TIMEOUT, "it goes on without this command; waiting for: blue-1, gate orders, subtask");
    assert!(matches!(world.document().await.cutover, Some(Cutover::Committed { .. })));
    let taken = tidegate(&world, "promote").await;
    taken.failed(REFUSED, "CutoverUnderWay: attempt 1 is under way (committed)");
}

#[tokio::test]
async fn no_wait_returns_with_the_attempt() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    let said = tidegate(&world, "promote --no-wait --hand-over overlapped --output json").await;
    assert_eq!(
        (said.exit, said.json()),
        (DONE, json!({"outcome": "proposed", "attempt": 1})),
        "{}",
        said.err
    );
    let attempt = tidegate_protocol::identity::Attempt(1);
    assert_eq!(world.ended(attempt).await.terms.hand_over, HandOver::Overlapped);
}

#[tokio::test]
async fn a_pause_refuses_promotions_until_it_is_taken_back() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    let said = tidegate(&world, "pause --output json").await;
    assert_eq!(
        (said.exit, said.json()),
        (DONE, json!({"outcome": "paused", "changed": true})),
        "{}",
        said.err
    );
    assert_eq!(tidegate(&world, "pause").await.out, "it was paused already\n");
    let refused = tidegate(&world, "promote").await;
    refused.failed(REFUSED, "Paused: the rollout is paused; remove the key pause, or run `tidegate resume`");
    let tree = tidegate(&world, "status").await.out;
    assert!(tree.contains("\n  paused: nothing is proposed until `tidegate resume`"), "{tree}");
    assert_eq!(tidegate(&world, "status --output json").await.json()["paused"], true);
    let said = tidegate(&world, "resume --output json").await;
    assert_eq!(said.json(), json!({"outcome": "resumed", "changed": true}));
    assert_eq!(tidegate(&world, "resume").await.out, "it was not paused\n");
    assert_eq!(tidegate(&world, "promote").await.exit, DONE);
    world.is_exact().await;
}

#[tokio::test]
async fn a_bad_edit_is_shown_and_stands_in_the_way_of_commands() {
    let world = World::with(quick()).await;
    let _blue = Job::start(&world, Spec::new(BLUE, 2), None);
    world.goes_on(BLUE).await;
    std::fs::write(world.file("request"), "promot: now\n").unwrap();
    let problem = "RequestUnreadable: promot = \"now\" is not known; keys are promote, to";
    let tree = tidegate(&world, "status").await.out;
    assert!(tree.contains(&format!("\n  ! {problem}")), "{tree}");
    for verb in ["promote", "abort"] {
        tidegate(&world, verb).await.failed(REFUSED, problem);
    }
    std::fs::write(world.file("request"), "promot").unwrap();
    let tree = tidegate(&world, "status --why").await.out;
    assert!(tree.contains("RequestUnreadable: this is no list of keys and values"), "{tree}");
    tidegate(&world, "pause").await.failed(REFUSED, "RequestUnreadable: this is no list of keys and values");
}

#[tokio::test]
async fn a_request_that_another_one_replaces_is_fenced() {
    let world = World::with(quick()).await;
    let first = tokio::spawn({
        let world = Arc::clone(&world);
        async move { tidegate(&world, "promote --timeout 20").await }
    });
    let is_there = async || {
        let keys = world.rollout().sheet().await.unwrap().keys.unwrap();
        keys.contains_key("promote").then_some(())
    };
    until("the first request", is_there).await;
    std::fs::write(world.file("request"), "abort: true\n").unwrap();
    first.await.unwrap().failed(FENCED, "Fenced: another request took the place of this one");
}

#[tokio::test]
async fn a_rollout_or_store_that_is_not_there_is_named() {
    let world = World::new();
    for verb in ["status", "promote", "abort", "rollback"] {
        tidegate(&world, verb).await.failed(REFUSED, "UnknownRollout: directory:///");
        assert!(!world.file("request").exists(), "{verb} left a request");
    }
    world.move_store(false);
    let said = tidegate(&world, "status --output json").await;
    said.failed(UNREACHABLE, "StoreMissing: directory:///");
    assert_eq!(said.json()["code"], "StoreMissing");
    world.move_store(true);
    std::fs::create_dir(world.root().join("orders")).unwrap();
    std::fs::write(world.file("document.json"), "{").unwrap();
    tidegate(&world, "status").await.failed(FAILED, "DocumentDamaged: the cutover document cannot be read");
}

#[test]
fn a_command_line_that_cannot_be_understood_ends_with_two() {
    for (line, said) in [
        ("promote --at soon", "PromoteUnreadable"),
        ("promote --at -3s", "unexpected argument"),
        ("promote --to red-1", "NameUnreadable"),
        ("promote --timeout 99999999999999999999", "--timeout"),
        ("promote --timeout 18446744073709551615", "--timeout"),
        ("abort --attempt x", "--attempt"),
        ("frobnicate", "unrecognized subcommand"),
    ] {
        let line = format!("{line} --store directory:///tmp --rollout orders");
        run(&line.split(' ').collect::<Vec<_>>()).failed(USAGE, said);
    }
    run(&["status", "--rollout", "orders"]).failed(USAGE, "--store");
    run(&["status", "--store", "configmap://x", "--rollout", "orders"]).failed(USAGE, "StoreNotAStore");
    run(&["status", "--store", "directory:///tmp", "--rollout", "No Name"]).failed(USAGE, "StoreBadName");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_crash() {
    let world = World::with(quick()).await;
    for verb in ["status", "status --watch"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(verb.split(' ')).args(["--store", &world.url(), "--rollout", "orders"]).stdout(writer);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stderr).unwrap()),
            (Some(DONE), String::new()),
            "{verb}"
        );
    }
}

#[tokio::test]
async fn watching_ends_with_the_cutover() {
    let world = World::with(quick()).await;
    let (_blue, _green) = blue_and_green(&world).await;
    world.promote(GREEN, AHEAD, None).await.unwrap();
    let said = tidegate(&world, "status --watch").await;
    assert_eq!(said.exit, DONE, "{}", said.err);
    assert!(
        said.out.contains("cutover committed: attempt 1, blue-1 -> green-1")
            && said.out.contains(": done after "),
        "{}",
        said.out
    );
}

#[test]
fn a_sidecar_has_its_place_alone_and_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sidecar.sock");
    let socket = path.to_str().unwrap();
    let binary = env!("CARGO_BIN_EXE_tidegate");
    let mut first = Command::new(binary).args(["sidecar", "--socket", socket]).spawn().unwrap();
    let start = std::time::Instant::now();
    while std::os::unix::net::UnixStream::connect(&path).is_err() {
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "no answer at {socket}");
        std::thread::yield_now();
    }
    let second = run(&["sidecar", "--socket", socket, "--output", "json"]);
    second.failed(REFUSED, &format!("tidegate: SidecarRunning: a living sidecar has {socket}; "));
    assert_eq!(second.json()["code"], "SidecarRunning");
    first.kill().unwrap();
    first.wait().unwrap();

    run(&["sidecar", "--socket", "/no/such/folder/socket"])
        .failed(FAILED, "tidegate: SidecarSocket: /no/such/folder/socket cannot be served: ");
    run(&["sidecar"]).failed(USAGE, "--socket <PATH>");
}

//! What would be done with a resource. The planner itself says what comes first; the steps after it are those of its table, in the
//! resource's own numbers.

use std::collections::BTreeMap;
use std::path::Path;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tidegate_protocol::document::HandOver;
use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::rollout::{
    self, Action, Deployment, Job, Observation, Phase, Promotion, Record, Scale, Sight, Strategy, plan,
};

use super::change::{check, read, spec_of};
use super::{Live, MANAGER, fate};
use crate::arguments::Server;
use crate::exit::{Exit, Failure};
use crate::output::{Output, show};
use crate::resource::intent::Intent;
use crate::resource::status::Status;

/// The resource of that name, or the one in the file; nothing of it is changed.
pub(crate) async fn show_steps(
    name: Option<&str>,
    server: &Server,
    file: Option<&Path>,
    output: Output,
) -> Result<Exit, Failure> {
    let manifest = file.map(|file| read(file, server)).transpose()?;
    let written = manifest.as_ref().and_then(|manifest| manifest["metadata"]["name"].as_str());
    let written = written.map(str::to_owned);
    let Some(name) = name.or(written.as_deref()) else {
        return Err(Failure::usage("which resource? write its NAME"));
    };
    if let Some(written) = written.as_ref().filter(|written| *written != name) {
        return Err(Failure::usage(format!("the file holds {written:?}, not {name:?}")));
    }
    let namespace = manifest.as_ref().and_then(|manifest| manifest["metadata"]["namespace"].as_str());
    let namespace = namespace.map(str::to_owned).or(server.namespace.clone());
    let live = Live::by_name(&Server { namespace, ..server.clone() }, name).await?;
    let known = live.resources.get_opt(name).await?;
    let spec = match (manifest, &known) {
        (Some(mut manifest), _) => {
            manifest["metadata"]["namespace"] = live.namespace.clone().into();
            let spec = spec_of(&manifest)?;
            check(&live.namespace, name, &spec)?;
            // The rules of the server, too.
            let dry = PatchParams { dry_run: true, ..PatchParams::apply(MANAGER) };
            live.resources.patch(name, &dry, &Patch::Apply(&manifest)).await?;
            spec
        }
        (None, Some(known)) => known.spec.clone(),
        (None, None) => return Err(live.get().await.err().unwrap_or_else(|| live.gone())),
    };
    let intent = check(&live.namespace, name, &spec)?;
    let status = known.and_then(|known| known.status).unwrap_or_default();
    let (changes, steps) = (changes_of(&status, &intent), steps(&status, &intent));
    let value = json!({
        "namespace": live.namespace, "name": name, "revision": intent.revision, "changes": changes, "steps": steps,
    });
    show(output, &value, live.full_name(), text(name, &intent, &changes, &steps))?;
    Ok(Exit::Done)
}

fn text(name: &str, intent: &Intent, changes: &[String], steps: &[String]) -> String {
    let mut lines = vec![format!("{name}, revision {}", intent.revision)];
    lines.extend(changes.iter().map(|change| format!("  {change}")));
    match steps {
        [] => lines.push("nothing would be done".to_owned()),
        steps => {
            lines.push("what would be done:".to_owned());
            lines.extend(steps.iter().enumerate().map(|(index, step)| format!("  {}. {step}", index + 1)));
        }
    }
    lines.join("\n")
}

/// Where the wanted version differs from the active one.
fn changes_of(status: &Status, intent: &Intent) -> Vec<String> {
    let active = status.active.as_ref().map(|member| &member.revision);
    let source = status.revisions.iter().find(|revision| Some(&revision.name) == active);
    let mut changes = Vec::new();
    if let Some(source) = source {
        compare(&mut changes, "spec", &source.source, &intent.source.value());
    }
    changes
}

fn compare(changes: &mut Vec<String>, path: &str, from: &Value, to: &Value) {
    if from == to {
        return;
    }
    let (Some(before), Some(after)) = (from.as_object(), to.as_object()) else {
        changes.push(match (from, to) {
            (Value::Null, to) => format!("{path}: {to} is new"),
            (from, Value::Null) => format!("{path}: {from} goes away"),
            (from, to) => format!("{path}: {from} becomes {to}"),
        });
        return;
    };
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        compare(changes, &format!("{path}.{key}"), &from[key], &to[key]);
    }
}

/// One line for each thing that would be done, in its order.
fn steps(status: &Status, intent: &Intent) -> Vec<String> {
    let record = fate::record(status).unwrap_or_default();
    if record.phase != Phase::Idle && !matches!(record.phase, Phase::Suspended { .. }) {
        let target = record.phase.beside().or(record.active.as_ref());
        return match target.filter(|target| target.revision != intent.revision) {
            None => {
                vec![format!("what is under way goes on ({}); see `tidegate status`", record.phase.name())]
            }
            Some(target) => vec![
                format!(
                    "{} is under way ({}) with another revision: it is given up where it has not got the output yet, else its rollout \
                     ends first",
                    target.launch,
                    record.phase.name()
                ),
                "then the rollout of this revision begins".to_owned(),
            ],
        };
    }
    let first = decide(&record, intent);
    match (&first.action, record.active.is_some()) {
        (Some(Action::Start { version }), false) => {
            vec![format!("start {} {}", version.launch, from(&version.start)), prove(intent, None)]
        }
        (Some(Action::Snapshot { operation }), _) => {
            blue_green(&operation.launch.to_string(), &record, intent)
        }
        (Some(Action::Stop { operation }), _) => stop_start(&operation.launch.to_string(), intent),
        (Some(other), _) => vec![format!("{} first", other.kind().name())],
        (None, _) => first.waiting.iter().map(|waiting| format!("wait: {}", waiting.message)).collect(),
    }
}

/// What the planner does first, in a world in which the active version runs and nothing is left over.
fn decide(record: &Record, intent: &Intent) -> rollout::Plan {
    let wanted = intent.wanted();
    let active = record.active.iter().map(|active| {
        let running = Deployment {
            revision: active.revision.clone(),
            job: Job::Running,
            restarts: 0,
            exception: None,
            checkpoints: rollout::Checkpoints::default(),
            scale: Some(active.scale.unwrap_or(Scale { parallelism: Some(1), ..Scale::default() })),
            high_availability: false,
        };
        (active.launch, running)
    });
    let deployments: BTreeMap<_, _> = active.collect();
    let record = Record { leftovers: Vec::new(), ..record.clone() };
    let observation = Observation {
        record: &record,
        wanted: &wanted,
        deployments: &deployments,
        operations: &BTreeMap::new(),
        document: if record.gated { Sight::Unknown } else { Sight::Absent },
        reports: &BTreeMap::new(),
        placed: None,
        checks: &BTreeMap::new(),
        asked: None,
        deleting: false,
    };
    plan(&observation, tidegate_agent::now())
}

fn blue_green(old: &str, record: &Record, intent: &Intent) -> Vec<String> {
    let settings = &intent.settings;
    let generations = record.generations;
    let new = match record.active.as_ref().map(|active| active.launch.member.color) {
        Some(Color::Blue) => Member::new(Color::Green, generations.green + 1).to_string(),
        Some(Color::Green) => Member::new(Color::Blue, generations.blue + 1).to_string(),
        None => "the new version".to_owned(),
    };
    let promotion = match settings.promotion {
        Promotion::Automatic => "promote it at once".to_owned(),
        Promotion::After(millis) => format!("promote it {} after it is ready", length(millis)),
        Promotion::Manual => "wait until a person promotes it".to_owned(),
        Promotion::At(at) => format!("promote it not before {}", crate::resource::status::build::time(at)),
    };
    let way = match settings.hand_over {
        Some(HandOver::Overlapped) => "overlapped",
        Some(HandOver::Ordered) => "ordered",
        None => "in the rollout's own way",
    };
    vec![
        format!("take a savepoint of {old}, which goes on"),
        format!("start {new} from it, in standby"),
        prove(intent, Some(old)),
        promotion,
        format!("take a savepoint of {old} as the way back, and hand the output over to {new} ({way})"),
        format!(
            "watch {new} for {}, while {old} stands by; hand back when it is not sound",
            length(settings.watch_ms)
        ),
        format!("stop {old} with a savepoint, and delete it {} later", length(settings.deletion_delay_ms)),
    ]
}

fn stop_start(old: &str, intent: &Intent) -> Vec<String> {
    let mut steps = vec![format!("stop {old} with a savepoint")];
    if intent.suspended {
        steps.push("keep its state until the resource wants a job to run again".to_owned());
        return steps;
    }
    steps.push("start the wanted version from it".to_owned());
    steps.push(prove(intent, None));
    steps.push(
        "when it is not sound: start the old version again, from that savepoint and in its size".to_owned(),
    );
    steps
}

fn prove(intent: &Intent, old: Option<&str>) -> String {
    let rollout::Settings { settling_ms, window_ms, limits, lag, .. } = intent.settings;
    let mut text = format!(
        "prove it: {} to settle, then {} with at most {} restarts and {} failed checkpoints, at least {} completed",
        length(settling_ms),
        length(window_ms),
        limits.restarts,
        limits.failed_checkpoints,
        limits.completed_checkpoints
    );
    if let (Some(old), Strategy::BlueGreen) = (old, intent.settings.strategy) {
        let allowed = length(u64::try_from(lag.allowed_ms).unwrap_or_default());
        text.push_str(&format!(", for {} no more than {allowed} behind {old}", length(lag.hold_ms)));
    }
    if !intent.checks.is_empty() {
        text.push_str(&format!(", and {} checks", intent.checks.len()));
    }
    text
}

fn from(start: &rollout::Start) -> String {
    match start {
        rollout::Start::Empty => "without state".to_owned(),
        rollout::Start::Given(path) => format!("from {path}"),
        rollout::Start::Savepoint(savepoint) => format!("from {}", savepoint.path),
    }
}

fn length(millis: u64) -> String {
    match millis {
        0 => "0s".to_owned(),
        millis if millis % 3_600_000 == 0 => format!("{}h", millis / 3_600_000),
        millis if millis % 60_000 == 0 => format!("{}m", millis / 60_000),
        millis if millis % 1_000 == 0 => format!("{}s", millis / 1_000),
        millis => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fate::tests::resource;
    use super::*;

    fn intent(change: Value) -> Intent {
        let mut resource = serde_json::to_value(resource(Value::Null)).unwrap();
        for (key, value) in change.as_object().unwrap() {
            resource["spec"][key] = value.clone();
        }
        let spec = serde_json::from_value(resource["spec"].take()).unwrap();
        Intent::read("shop", "orders", &spec).unwrap()
    }

    /// Version 1 is active, and nothing is under way.
    fn idle() -> Status {
        let before = intent(json!({"job": {"url": "http://flink:8081", "jar": "/1.jar", "parallelism": 2}}));
        let mut record = serde_json::to_value(Record::default()).unwrap();
        record["generations"] = json!({"blue": 1, "green": 0});
        record["active"] = json!({"launch": "blue-1", "revision": before.revision, "start": "empty", "scale": null,
            "ran": true, "rooted": true});
        serde_json::from_value(json!({
            "record": record, "revisions": [before.source.describe()],
            "active": {"member": "blue-1", "color": "blue", "generation": 1, "deployment": "orders-blue-1",
                "revision": before.revision},
        }))
        .unwrap()
    }

    #[test]
    fn a_changed_version_goes_through_all_steps_of_its_strategy() {
        let wanted = intent(json!({}));
        let steps = steps(&idle(), &wanted);
        assert_eq!(steps[0], "take a savepoint of blue-1, which goes on");
        assert_eq!(steps[1], "start green-1 from it, in standby");
        assert!(steps[2].ends_with("for 30s no more than 1m behind blue-1"), "{}", steps[2]);
        assert_eq!(steps.len(), 7);
        let changes = changes_of(&idle(), &wanted);
        assert_eq!(
            changes,
            ["spec.job.jar: \"/1.jar\" becomes \"/2.jar\"", "spec.job.parallelism: 2 goes away"]
        );
        let text = text("orders", &wanted, &changes, &steps);
        assert!(text.contains("\n  1. take a savepoint of blue-1"), "{text}");
        let classic = super::steps(&idle(), &intent(json!({"strategy": "stop-start"})));
        assert_eq!((classic[0].as_str(), classic.len()), ("stop blue-1 with a savepoint", 4));
    }

    #[test]
    fn the_first_version_is_only_started_and_an_unchanged_one_left_alone() {
        let first = steps(&Status::default(), &intent(json!({})));
        assert_eq!((first[0].as_str(), first.len()), ("start blue-1 without state", 2));
        let same = intent(json!({"job": {"url": "http://flink:8081", "jar": "/1.jar", "parallelism": 2}}));
        assert_eq!(steps(&idle(), &same), Vec::<String>::new());
        assert_eq!(
            text("orders", &same, &[], &[]),
            format!("orders, revision {}\nnothing would be done", same.revision)
        );
    }

    #[test]
    fn a_pause_and_a_rollout_under_way_are_told() {
        let paused = steps(&idle(), &intent(json!({"paused": true})));
        assert!(paused[0].starts_with("wait: the rollout is paused"), "{paused:?}");
        let mut status = idle();
        if let Some(record) = &mut status.record {
            record["phase"] = json!({"snapshotting": {"revision": "a", "tries": 1, "since": 1}});
        }
        let other = steps(&status, &intent(json!({})));
        assert!(other[0].contains("Snapshotting"), "{other:?}");
    }
}

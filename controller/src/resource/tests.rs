//! Specs, read and refused; statuses, written.

use serde_json::{Value, json};
use tidegate_protocol::rollout::{
    Observation, Plan, Promotion, Record, Sight, Start, Strategy, Wanted, plan,
};
use tidegate_protocol::time::WallTime;

use super::intent::check::Probe;
use super::intent::source::Source;
use super::intent::{Intent, channel};
use super::spec::Spec;
use super::status::Status;
use super::status::build::Sources;

fn template() -> Value {
    json!({"template": {
        "metadata": {"labels": {"team": "flights"}},
        "spec": {
            "image": "flink:1.20", "flinkVersion": "v1_20", "serviceAccount": "flink",
            "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "2"},
            "jobManager": {"resource": {"memory": "2048m", "cpu": 1}},
            "taskManager": {"resource": {"memory": "2048m", "cpu": 1}, "replicas": 3},
            "podTemplate": {"spec": {"containers": [{"name": "flink-main-container"}]}},
            "job": {"jarURI": "local:///job.jar", "args": ["--a", "b"], "parallelism": 4, "upgradeMode": "savepoint",
                    "state": "running", "initialSavepointPath": "s3://first"},
        },
    }})
}

fn job() -> Value {
    json!({
        "job": {"url": "http://127.0.0.1:8081", "jar": "/job.jar", "args": ["x"], "parallelism": 2},
        "store": "zookeeper://zk:2181/tidegate",
    })
}

/// `base` with the fields of `with` set; null removes one.
fn changed(base: Value, with: Value) -> Value {
    let mut spec = base;
    for (key, value) in with.as_object().unwrap() {
        let map = spec.as_object_mut().unwrap();
        if value.is_null() {
            map.remove(key)
        } else {
            map.insert(key.clone(), value.clone())
        };
    }
    spec
}

fn spec(value: Value) -> Spec {
    serde_json::from_value(value).unwrap()
}

fn read(value: Value) -> Result<Intent, String> {
    Intent::read("shop", "orders", &spec(value)).map_err(|invalid| invalid.to_string())
}

#[test]
fn the_template_of_apaches_resource_is_taken_as_it_is() {
    let intent = read(template()).unwrap();
    let wanted = intent.wanted();
    assert_eq!(wanted.initial, Start::Given("s3://first".to_owned()));
    assert_eq!(intent.store, "configmap://shop/orders");
    assert_eq!(
        (wanted.settings.strategy, wanted.settings.promotion),
        (Strategy::BlueGreen, Promotion::Automatic)
    );
    assert_eq!(intent.source.value(), template(), "nothing is lost on the way");
    assert_eq!(Source::from_value(&intent.source.value()), Some(intent.source));
}

#[test]
fn defaults_are_those_of_the_planner() {
    let intent = read(template()).unwrap();
    assert_eq!(intent.settings, tidegate_protocol::rollout::Settings::default());
}

#[test]
fn only_a_new_version_is_a_new_revision() {
    let revision = |value: Value| read(value).unwrap().revision;
    let mut same = template();
    same["template"]["spec"]["job"]["state"] = json!("suspended");
    same["template"]["spec"]["job"]["savepointTriggerNonce"] = json!(7);
    same["watch"] = json!("1h");
    assert_eq!(revision(same.clone()), revision(template()));
    assert!(read(same).unwrap().wanted().suspended);
    let mut other = template();
    other["template"]["spec"]["job"]["parallelism"] = json!(5);
    assert_ne!(revision(other), revision(template()));
}

#[test]
fn what_is_replaced_is_described() {
    let revision = read(template()).unwrap().source.describe();
    assert_eq!(revision.image.as_deref(), Some("flink:1.20"));
    assert_eq!((revision.jar.as_deref(), revision.parallelism), (Some("local:///job.jar"), Some(4)));
    assert_eq!((revision.task_managers, revision.args), (Some(3), vec!["--a".to_owned(), "b".to_owned()]));
    assert_eq!(read(job()).unwrap().source.describe().jar.as_deref(), Some("/job.jar"));
}

#[test]
fn checks_are_read() {
    let checks = json!([
        {"name": "pressure", "builtIn": {"backpressurePercent": 50}},
        {"name": "page", "http": {"url": "http://x/{member}"}, "interval": "5s", "count": 2, "failureLimit": 1},
        {"name": "rate", "prometheus": {"url": "http://p", "query": "up", "atLeast": 0.5}},
        {"name": "sign-off", "key": {"configMap": "gates", "key": "orders"}},
    ]);
    let intent = read(changed(template(), json!({ "checks": checks }))).unwrap();
    assert_eq!(intent.checks.len(), 4);
    let page = &intent.checks[1];
    assert_eq!((page.interval_ms, page.count, page.failure_limit), (5_000, 2, 1));
    assert_eq!(
        page.probe,
        Probe::Http { url: "http://x/{member}".to_owned(), status: 200, timeout_ms: 5_000 }
    );
}

/// Each example of docs/checks.md, as it stands there.
#[test]
fn the_examples_of_checks_are_read() {
    let page = include_str!("../../../docs/checks.md");
    let examples: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let mut kinds: Vec<_> = Vec::new();
    for example in examples {
        let checks: Value =
            serde_saphyr::from_str(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        let intent =
            read(changed(template(), json!({ "checks": checks }))).unwrap_or_else(|error| panic!("{error}"));
        kinds.extend(intent.checks.into_iter().map(|check| std::mem::discriminant(&check.probe)));
    }
    kinds.sort_by_key(|kind| format!("{kind:?}"));
    kinds.dedup();
    assert_eq!(kinds.len(), 4);
}

/// The channels of docs/notifications.md, as they stand there.
#[test]
fn the_examples_of_channels_are_read() {
    let page = include_str!("../../../docs/notifications.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let value: Value = serde_saphyr::from_str(example).unwrap();
    read(changed(template(), value.clone())).unwrap();
    assert_eq!(channel::usable(&spec(changed(template(), value)).notifications).len(), 2);
}

#[test]
fn what_cannot_be_is_refused_by_field_value_and_way_out() {
    let reserved = changed(template(), json!({}));
    let configured = |key: &str| {
        let mut value = reserved.clone();
        value["template"]["spec"]["flinkConfiguration"] = json!({ key: "x" });
        value
    };
    let in_job = |key: &str, of: Value| {
        let mut value = template();
        value["template"]["spec"]["job"][key] = of;
        value
    };
    let key = json!({"name": "s", "key": "k"});
    let channel = |of: Value| changed(json!({"name": "chat"}), of);
    let channels = |list: Value| changed(template(), json!({ "notifications": list }));
    let mut session = template();
    session["template"]["spec"].as_object_mut().unwrap().remove("job");
    for (value, field, told) in [
        (changed(template(), json!({"job": job()["job"]})), "spec.job", "exactly one"),
        (changed(template(), json!({"template": null})), "spec.template", "exactly one"),
        (session, "spec.template.spec.job", "session cluster"),
        (in_job("state", json!("paused")), "spec.template.spec.job.state", "\"paused\""),
        (in_job("allowNonRestoredState", json!(false)), "allowNonRestoredState", "other color"),
        (configured("tidegate.color"), "flinkConfiguration[tidegate.color]", "leave it out"),
        (changed(job(), json!({"store": null})), "spec.store", "zookeeper://host:port"),
        (changed(template(), json!({"store": "zookeeper:///x"})), "spec.store", "\"zookeeper:///x\""),
        (changed(template(), json!({"store": "consul://x"})), "spec.store", "\"consul://x\""),
        (changed(template(), json!({"store": "zookeeper://u:hunter2@h:1/x"})), "spec.store", "auth-file"),
        (changed(template(), json!({"watch": "soon"})), "spec.watch", "\"soon\""),
        (changed(template(), json!({"allowedLateness": "1194h"})), "spec.allowedLateness", "1193h"),
        (changed(template(), json!({"tries": 0})), "spec.tries", "from 1 to 10"),
        (
            changed(
                template(),
                json!({"checks": [{"name": "c", "http": {"url": "http://x", "timeout": "0s"}}]}),
            ),
            "spec.checks[c].http.timeout",
            "at least 1ms",
        ),
        (channels(json!([channel(json!({}))])), "spec.notifications[chat]", "exactly one"),
        (
            channels(json!([channel(
                json!({"slack": {"secret": key}, "webhook": {"url": "http://x", "secret": key}})
            )])),
            "spec.notifications[chat]",
            "exactly one",
        ),
        (
            channels(json!([channel(json!({"webhook": {"url": "ftp://u:hunter2@x", "secret": key}}))])),
            "spec.notifications[chat].webhook.url",
            "http://",
        ),
        (
            channels(json!([channel(json!({"slack": {"secret": {"name": "s", "key": "../../x"}}}))])),
            "spec.notifications[chat].slack.secret.key",
            "\"../../x\"",
        ),
        (
            channels(json!([channel(json!({"slack": {"secret": {"name": "..", "key": "k"}}}))])),
            "spec.notifications[chat].slack.secret.name",
            "\"..\"",
        ),
        (
            channels(json!([
                channel(json!({"slack": {"secret": key}})),
                channel(json!({"slack": {"secret": key}}))
            ])),
            "spec.notifications",
            "\"chat\"",
        ),
        (changed(template(), json!({"savepoints": {"every": "0s"}})), "spec.savepoints.every", "\"0s\""),
        (
            changed(template(), json!({"savepoints": {"every": "daily"}})),
            "spec.savepoints.every",
            "\"daily\"",
        ),
        (
            changed(template(), json!({"savepoints": {"every": "1h", "keep": 0}})),
            "spec.savepoints.keep",
            "from 1 to 100",
        ),
        (changed(template(), json!({"deadlines": {"prove": "60s"}})), "spec.deadlines.prove", "longer"),
        (
            changed(template(), json!({"promotion": {"mode": "at", "at": "noon"}})),
            "spec.promotion.at",
            "\"noon\"",
        ),
        (changed(template(), json!({"promotion": {"mode": "at"}})), "spec.promotion.at", "needs a time"),
        (changed(template(), json!({"promotion": {"mode": "after"}})), "spec.promotion.after", "10m"),
        (
            changed(template(), json!({"promotion": {"mode": "manual", "after": "1s"}})),
            "spec.promotion.after",
            "leave",
        ),
        (
            changed(template(), json!({"strategy": "stop-start", "handOver": "ordered"})),
            "spec.handOver",
            "stop-start",
        ),
        (
            changed(template(), json!({"strategy": "stop-start", "proof": {"lag": {}}})),
            "spec.proof.lag",
            "stop-start",
        ),
        (changed(template(), json!({"checks": [{"name": "a"}]})), "spec.checks[a]", "exactly one"),
        (
            changed(
                template(),
                json!({"checks": [{"name": "a", "prometheus": {"url": "http://p", "query": "up"}}]}),
            ),
            "spec.checks[a].prometheus",
            "threshold",
        ),
        (
            changed(
                template(),
                json!({"checks": [{"name": "a", "interval": "1h", "key": {"configMap": "c", "key": "k"}}]}),
            ),
            "spec.checks[a].count",
            "prove",
        ),
    ] {
        let error = read(value.clone()).expect_err(&value.to_string());
        assert!(error.starts_with("SpecInvalid: "), "{error}");
        assert!(error.contains(field) && error.contains(told), "{field}, {told}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = Intent::read("shop", &"o".repeat(31), &spec(template())).unwrap_err().to_string();
    assert!(error.contains("metadata.name"), "{error}");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error = read(changed(template(), json!({"watch": "soon", "tries": 0}))).unwrap_err();
    assert!(error.contains("spec.watch") && error.contains("spec.tries"), "{error}");
}

#[test]
fn an_unknown_field_is_named() {
    let value = changed(template(), json!({"hand_over": "ordered"}));
    let error = serde_json::from_value::<Spec>(value).unwrap_err().to_string();
    assert!(error.contains("hand_over"), "{error}");
}

fn first_plan(wanted: &Wanted, record: &Record) -> Plan {
    let (deployments, operations) = (Default::default(), Default::default());
    let (reports, checks) = (Default::default(), Default::default());
    let observation = Observation {
        record,
        wanted,
        deployments: &deployments,
        operations: &operations,
        document: Sight::Absent,
        reports: &reports,
        placed: None,
        checks: &checks,
        asked: None,
        deleting: false,
    };
    plan(&observation, WallTime::from_millis(1_767_225_600_000))
}

#[test]
fn an_unchanged_world_gives_an_unchanged_status_and_the_record_comes_back() {
    let intent = read(template()).unwrap();
    let plan = first_plan(&intent.wanted(), &Record::default());
    let (wanted, mut before) = (intent.source.describe(), Status::default());
    for round in 0..2 {
        let sources = Sources {
            name: "orders",
            generation: Some(3),
            plan: &plan,
            document: None,
            wanted: &wanted,
            revision_history_limit: intent.revision_history_limit,
            before: &before,
            now: WallTime::from_millis(1_767_225_600_000 + round * 5_000),
        };
        let status = Status::new(&sources).unwrap();
        assert!(round == 0 || status == before, "{status:#?}");
        before = status;
    }
    assert_eq!((before.phase.as_str(), before.observed_generation), ("Starting", Some(3)));
    assert_eq!(before.active.as_ref().unwrap().deployment, "orders-blue-1");
    assert_eq!(before.revisions.len(), 1);
    let ready = before.conditions.iter().find(|condition| condition.kind == "Ready").unwrap();
    assert_eq!(
        (ready.status.as_str(), ready.last_transition_time.as_str()),
        ("False", "2026-01-01T00:00:00Z")
    );
    let record: Record = serde_json::from_value(before.record.unwrap()).unwrap();
    assert_eq!(record, plan.record);
}

#[test]
fn revisions_in_use_are_kept_beyond_the_limit() {
    let mut before = Status::default();
    let mut record = Record::default();
    for parallelism in 1..6 {
        let mut value = template();
        value["template"]["spec"]["job"]["parallelism"] = json!(parallelism);
        let intent = read(value).unwrap();
        let plan = first_plan(&intent.wanted(), &record);
        record = plan.record.clone(); // The first one stays active: nothing of it is ever seen to run.
        let wanted = intent.source.describe();
        let sources = Sources {
            name: "orders",
            generation: None,
            plan: &plan,
            document: None,
            wanted: &wanted,
            revision_history_limit: 1,
            before: &before,
            now: WallTime::default(),
        };
        before = Status::new(&sources).unwrap();
    }
    let parallelism: Vec<u32> = before.revisions.iter().filter_map(|revision| revision.parallelism).collect();
    assert_eq!(parallelism, [1, 5]);
}

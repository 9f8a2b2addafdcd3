//! What versions are made from, and who runs them.

use serde_json::{Value, json};
use tidegate::flink::{self, JobSpec, StartFrom};
use tidegate_protocol::document::{HandOver, LatePolicy};
use tidegate_protocol::rollout::{Launch, Start, Version};

use crate::resource::intent::Intent;
use crate::resource::intent::source::Source;
use crate::resource::spec::Template;

/// The annotation of a deployment that says what it was made from.
const REVISION: &str = "tidegate.io/revision";

/// Whether Flink keeps the last checkpoint of a job that is cancelled; it does not by itself.
const RETENTION: &str = "execution.checkpointing.externalized-checkpoint-retention";

/// Tells one cluster from another.
pub(super) fn cluster_of(source: &Source) -> String {
    match source {
        Source::Job(job) => job.url.clone(),
        Source::Template(_) => "the deployments of the namespace".to_owned(),
    }
}

/// The launch as a driver names it.
pub(super) fn launch_of(uid: &str, name: &str, launch: Launch) -> flink::Launch {
    flink::Launch {
        owner: uid.to_owned(),
        rollout: name.to_owned(),
        member: launch.member,
        attempt: launch.number,
    }
}

pub(super) fn start_from(start: &Start) -> StartFrom {
    match start {
        Start::Empty => StartFrom::Nothing,
        Start::Given(path) => StartFrom::Snapshot(path.clone()),
        Start::Savepoint(savepoint) => StartFrom::Snapshot(savepoint.path.clone()),
    }
}

/// The job that a version is: its source, its size, and who it is to its gates.
pub(super) fn job_spec(name: &str, intent: &Intent, version: &Version, source: &Source) -> JobSpec {
    let mut spec = match source {
        Source::Job(job) => JobSpec {
            entry_class: job.entry_class.clone(),
            arguments: job.args.clone(),
            parallelism: job.parallelism,
            configuration: job.configuration.clone(),
            ..JobSpec::new(&job.jar)
        },
        Source::Template(template) => {
            let text = |field: &str| Some(template.spec.get("job")?.get(field)?.as_str()?.to_owned());
            JobSpec {
                entry_class: text("entryClass"),
                deployment: Some(deployment(template, version)),
                ..JobSpec::new(text("jarURI").unwrap_or_default())
            }
        }
    };
    if let (Some(directory), Source::Template(_)) = (&intent.savepoint_directory, source) {
        spec.configuration.insert("execution.checkpointing.savepoint-dir".to_owned(), directory.clone());
    }
    spec.name = Some(format!("{name}-{}", version.launch));
    spec.parallelism = version.scale.and_then(|scale| scale.parallelism).or(spec.parallelism);
    // The new version must not inherit the sinks' state of the other color.
    spec.allow_non_restored_state = true;
    let member = version.launch.member;
    let own = [
        ("tidegate.store", intent.store.clone()),
        ("tidegate.rollout", name.to_owned()),
        ("tidegate.color", member.color.to_string()),
        ("tidegate.generation", member.generation.to_string()),
    ];
    for (key, value) in own {
        spec.configuration.insert(key.to_owned(), value);
    }
    for (key, value) in of_the_rollout(intent) {
        spec.configuration.entry(key.to_owned()).or_insert(value);
    }
    spec
}

/// The template in the size that the version has, or had when it was stopped; its revision stands in an annotation.
fn deployment(template: &Template, version: &Version) -> Value {
    let mut deployment = json!(template);
    if !deployment["metadata"].is_object() {
        deployment["metadata"] = json!({});
    }
    deployment["metadata"]["annotations"][REVISION] = version.revision.0.as_str().into();
    let scale = version.scale.unwrap_or_default();
    for (part, replicas) in [("jobManager", scale.job_managers), ("taskManager", scale.task_managers)] {
        // Where the template does not say how many, the operator does.
        let says = template.spec.get(part).is_some_and(|part| part.get("replicas").is_some());
        if let Some(replicas) = replicas.filter(|_| says) {
            deployment["spec"][part]["replicas"] = replicas.into();
        }
    }
    deployment
}

/// What the first document of the rollout is made with; and a job that was cancelled must leave the state behind that it can be
/// launched again from.
fn of_the_rollout(intent: &Intent) -> [(&'static str, String); 4] {
    let late = match intent.late {
        LatePolicy::Emit => "emit",
        LatePolicy::Drop => "drop",
        LatePolicy::SideOutput => "side-output",
    };
    let hand_over = match intent.settings.hand_over {
        Some(HandOver::Overlapped) => "overlapped",
        Some(HandOver::Ordered) | None => "ordered",
    };
    [
        ("tidegate.late-policy", late.to_owned()),
        ("tidegate.lateness", format!("{} ms", intent.lateness_ms)),
        ("tidegate.hand-over", hand_over.to_owned()),
        (RETENTION, "RETAIN_ON_CANCELLATION".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::rollout::Scale;

    use super::*;
    use crate::resource::spec::Spec;

    fn intent(source: Value) -> Intent {
        let mut spec = source;
        spec["store"] = "directory:///store".into();
        spec["allowedLateness"] = "2s".into();
        spec["savepointDirectory"] = "s3://savepoints".into();
        let spec: Spec = serde_json::from_value(spec).unwrap();
        Intent::read("shop", "orders", &spec).unwrap()
    }

    fn version(intent: &Intent, scale: Option<Scale>) -> Version {
        let (launch, revision) = ("green-2-3".parse().unwrap(), intent.revision.clone());
        Version { launch, revision, start: Start::Empty, scale, ran: false, rooted: false }
    }

    #[test]
    fn a_job_is_told_who_it_is_and_comes_back_in_its_size() {
        let job = json!({ "url": "http://flink:8081", "jar": "/orders.jar", "parallelism": 2,
            "configuration": { "tidegate.late-policy": "drop", "a": "b" } });
        let intent = intent(json!({ "job": job }));
        let spec = job_spec("orders", &intent, &version(&intent, None), &intent.source);
        let told = |key: &str| spec.configuration.get(key).map(String::as_str);
        assert_eq!(told("tidegate.store"), Some("directory:///store"));
        assert_eq!(told("tidegate.rollout"), Some("orders"));
        assert_eq!((told("tidegate.color"), told("tidegate.generation")), (Some("green"), Some("2")));
        assert_eq!(told("tidegate.lateness"), Some("2000 ms"));
        assert_eq!(told("tidegate.late-policy"), Some("drop"), "the job's own word");
        assert_eq!((told("a"), spec.parallelism), (Some("b"), Some(2)));
        assert_eq!(spec.name.as_deref(), Some("orders-green-2-3"));
        assert!(spec.allow_non_restored_state);
        let scale = Scale { parallelism: Some(5), ..Scale::default() };
        assert_eq!(
            job_spec("orders", &intent, &version(&intent, Some(scale)), &intent.source).parallelism,
            Some(5)
        );
    }

    #[test]
    fn a_deployment_has_its_revision_and_replicas_only_where_its_template_has_them() {
        let template = json!({ "metadata": { "labels": { "team": "x" } }, "spec": {
            "job": { "jarURI": "local:///orders.jar", "entryClass": "Orders" },
            "jobManager": { "replicas": 1 }, "taskManager": { "resource": { "cpu": 1 } } } });
        let intent = intent(json!({ "template": template }));
        let scale = Scale { parallelism: Some(4), job_managers: Some(2), task_managers: Some(3) };
        let version = version(&intent, Some(scale));
        let spec = job_spec("orders", &intent, &version, &intent.source);
        assert_eq!((spec.jar.as_str(), spec.entry_class.as_deref()), ("local:///orders.jar", Some("Orders")));
        let savepoints = spec.configuration.get("execution.checkpointing.savepoint-dir");
        assert_eq!(savepoints.map(String::as_str), Some("s3://savepoints"));
        let deployment = spec.deployment.unwrap();
        assert_eq!(deployment["metadata"]["labels"]["team"], "x");
        assert_eq!(deployment["metadata"]["annotations"][REVISION], version.revision.0.as_str());
        assert_eq!(deployment["spec"]["jobManager"]["replicas"], 2);
        assert_eq!(deployment["spec"]["taskManager"], json!({ "resource": { "cpu": 1 } }));
    }
}

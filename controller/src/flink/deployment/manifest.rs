//! The resource that a launch is made as.

use serde_json::{Map, Value, json};

use super::names::{self, JOB_MAX};
use crate::flink::{JobSpec, Launch, Problem, StartFrom};

/// What the driver must decide itself, in the operator's words. Each of these would otherwise let the operator end or restart a
/// job without its newest state, or keep a deletion waiting for a savepoint that cannot be taken.
const FORCED: [(&str, &str); 6] = [
    ("kubernetes.operator.job.upgrade.last-state-fallback.enabled", "false"),
    ("kubernetes.operator.job.restart.failed", "false"),
    ("kubernetes.operator.job.savepoint-on-deletion", "false"),
    ("kubernetes.operator.deployment.rollback.enabled", "false"),
    ("kubernetes.operator.savepoint.cleanup.enabled", "false"),
    // Whoever took a snapshot disposes of it.
    ("execution.state-recovery.claim-mode", "NO_CLAIM"),
];

/// Other names of keys that are forced.
const LEFT_OUT: [&str; 1] = ["execution.savepoint-restore-mode"];

const HIGH_AVAILABILITY: [&str; 2] = ["high-availability.type", "high-availability"];
const STORAGE: &str = "high-availability.storageDir";

pub(super) fn manifest(launch: &Launch, spec: &JobSpec, from: &StartFrom) -> Result<Value, Problem> {
    let name = names::job(launch);
    if name.as_str().len() > JOB_MAX {
        let reason = format!("{name:?} has more than {JOB_MAX} characters", name = name.as_str());
        return Err(unusable("metadata.name", reason, "give the rollout a shorter name"));
    }
    let template = spec.deployment.as_ref().unwrap_or(&Value::Null);
    let mut deployment = object(template.get("spec"), "spec")?;
    let mut configuration = Map::new();
    flatten("", deployment.get("flinkConfiguration").unwrap_or(&Value::Null), &mut configuration);
    configuration.extend(spec.configuration.iter().map(|(key, value)| (key.clone(), value.as_str().into())));
    if let Some(name) = &spec.name {
        configuration.insert("pipeline.name".to_owned(), name.as_str().into());
    }
    configuration.retain(|key, _| !LEFT_OUT.contains(&key.as_str()));
    configuration.extend(FORCED.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
    check_high_availability(&configuration)?;
    let job = job(object(deployment.get("job"), "spec.job")?, spec, from);
    deployment.insert("flinkConfiguration".to_owned(), configuration.into());
    deployment.insert("job".to_owned(), job.into());

    let mut labels = object(template.pointer("/metadata/labels"), "metadata.labels")?;
    labels.extend(names::labels(launch).into_iter().map(|(key, value)| (key, value.into())));
    let annotations = object(template.pointer("/metadata/annotations"), "metadata.annotations")?;
    let metadata = json!({ "name": name.as_str(), "labels": labels, "annotations": annotations });
    Ok(json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": metadata,
        "spec": deployment,
    }))
}

/// What only triggers something is not taken over: a launch begins with what it is asked to begin with.
fn job(mut job: Map<String, Value>, spec: &JobSpec, from: &StartFrom) -> Map<String, Value> {
    job.retain(|key, _| !key.ends_with("Nonce") && key != "initialSavepointPath");
    let always = [
        ("jarURI", Value::from(spec.jar.as_str())),
        ("state", "running".into()),
        ("upgradeMode", "savepoint".into()),
        ("allowNonRestoredState", spec.allow_non_restored_state.into()),
    ];
    job.extend(always.map(|(key, value)| (key.to_owned(), value)));
    let optional = [
        ("entryClass", spec.entry_class.as_deref().map(Value::from)),
        ("args", (!spec.arguments.is_empty()).then(|| spec.arguments.clone().into())),
        ("parallelism", spec.parallelism.map(Value::from)),
        ("initialSavepointPath", from.path().map(Value::from)),
    ];
    job.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    job
}

/// Without it a JobManager that restarts begins again with what the job was first started from: all later output is repeated,
/// also when the job was stopped in between (FLINK-41262).
fn check_high_availability(configuration: &Map<String, Value>) -> Result<(), Problem> {
    let kind = HIGH_AVAILABILITY.iter().find_map(|key| configuration.get(*key)?.as_str());
    if kind.is_none_or(|kind| kind.eq_ignore_ascii_case("none")) {
        return Err(unusable(
            "spec.flinkConfiguration[high-availability.type]",
            "without high availability a JobManager that restarts begins the job again from its first state"
                .to_owned(),
            "write kubernetes, and a folder for high-availability.storageDir",
        ));
    }
    if configuration.get(STORAGE).and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(unusable(
            "spec.flinkConfiguration[high-availability.storageDir]",
            "it is missing".to_owned(),
            "name a folder that every JobManager can reach",
        ));
    }
    Ok(())
}

fn unusable(field: &str, reason: String, way_out: &'static str) -> Problem {
    Problem::Template { field: field.to_owned(), reason, way_out }
}

fn object(value: Option<&Value>, field: &str) -> Result<Map<String, Value>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(unusable(field, "it is no object".to_owned(), "write it as in a FlinkDeployment"))
        }
    }
}

/// A configuration may be written nested or flat; texts are what the operator makes of numbers and truth values, too.
fn flatten(prefix: &str, value: &Value, flat: &mut Map<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, flat);
            }
        }
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => {
            flat.insert(prefix.to_owned(), value.to_string().into());
        }
        Value::String(_) | Value::Array(_) => {
            flat.insert(prefix.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::identity::{Color, Member};

    use super::*;

    fn launch() -> Launch {
        Launch {
            owner: "9d3e".into(),
            rollout: "orders".into(),
            member: Member::new(Color::Green, 2),
            attempt: 1,
        }
    }

    fn spec(configuration: Value) -> JobSpec {
        let spec = json!({
            "image": "flink:1.20",
            "flinkConfiguration": configuration,
            "job": {
                "jarURI": "local:///old.jar",
                "upgradeMode": "stateless",
                "state": "suspended",
                "savepointTriggerNonce": 7,
                "initialSavepointPath": "file:/s/old",
            },
        });
        let metadata =
            json!({ "labels": { "team": "tides" }, "annotations": { "tidegate.io/revision": "r1" } });
        JobSpec {
            name: Some("orders".into()),
            arguments: vec!["--color".into(), "green".into()],
            parallelism: Some(2),
            configuration: [("tidegate.color".to_owned(), "green".to_owned())].into(),
            allow_non_restored_state: true,
            deployment: Some(json!({ "metadata": metadata, "spec": spec })),
            ..JobSpec::new("local:///orders.jar")
        }
    }

    fn sound() -> Value {
        json!({
            "high-availability": { "type": "kubernetes", "storageDir": "file:/ha" },
            "kubernetes.operator.job.restart.failed": true,
            "execution.savepoint-restore-mode": "CLAIM",
            "taskmanager": { "numberOfTaskSlots": 2 },
        })
    }

    #[test]
    fn a_launch_begins_with_what_it_is_asked_to_and_with_nothing_of_its_template() {
        let from = StartFrom::Snapshot("file:/s/1".into());
        let made = manifest(&launch(), &spec(sound()), &from).unwrap();
        assert_eq!(
            made["spec"]["job"],
            json!({
                "jarURI": "local:///orders.jar",
                "args": ["--color", "green"],
                "parallelism": 2,
                "state": "running",
                "upgradeMode": "savepoint",
                "allowNonRestoredState": true,
                "initialSavepointPath": "file:/s/1",
            })
        );
        let fresh = manifest(&launch(), &spec(sound()), &StartFrom::Nothing).unwrap();
        assert_eq!(fresh["spec"]["job"].get("initialSavepointPath"), None);
    }

    #[test]
    fn what_would_lose_state_is_decided_by_the_driver() {
        let made = manifest(&launch(), &spec(sound()), &StartFrom::Nothing).unwrap();
        let configuration = made["spec"]["flinkConfiguration"].as_object().unwrap();
        assert_eq!(configuration["kubernetes.operator.job.restart.failed"], "false");
        assert_eq!(configuration["execution.state-recovery.claim-mode"], "NO_CLAIM");
        assert!(!configuration.contains_key("execution.savepoint-restore-mode"));
        assert_eq!(configuration["taskmanager.numberOfTaskSlots"], "2");
        assert_eq!(configuration["tidegate.color"], "green");
        assert_eq!(configuration["pipeline.name"], "orders");
    }

    #[test]
    fn it_is_found_by_its_labels_and_collected_by_nobody() {
        let made = manifest(&launch(), &spec(sound()), &StartFrom::Nothing).unwrap();
        assert_eq!(made["metadata"]["name"], "orders-green-2");
        assert_eq!(made["metadata"]["labels"]["team"], "tides");
        assert_eq!(made["metadata"]["labels"]["tidegate.io/rollout"], "orders");
        assert_eq!(made["metadata"]["annotations"]["tidegate.io/revision"], "r1");
        assert_eq!(made["metadata"].get("ownerReferences"), None);
    }

    #[test]
    fn a_template_that_would_forget_its_state_is_refused() {
        for (configuration, words) in [
            (json!({}), "high-availability.type"),
            (json!({ "high-availability.type": "NONE" }), "high-availability.type"),
            (json!({ "high-availability.type": "kubernetes" }), "high-availability.storageDir"),
        ] {
            let refused = manifest(&launch(), &spec(configuration), &StartFrom::Nothing).unwrap_err();
            assert!(refused.to_string().contains(words), "{refused}");
        }
        let long = Launch { rollout: "o".repeat(40), ..launch() };
        let refused = manifest(&long, &spec(sound()), &StartFrom::Nothing).unwrap_err();
        assert!(refused.to_string().contains("shorter name"), "{refused}");
        let broken = JobSpec { deployment: Some(json!({ "spec": 3 })), ..spec(sound()) };
        let refused = manifest(&launch(), &broken, &StartFrom::Nothing).unwrap_err();
        assert!(refused.to_string().contains("it is no object"), "{refused}");
    }
}

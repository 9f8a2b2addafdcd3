//! What a job is made from, and the digest that tells one version from the next.

use serde_json::{Map, Value, json};
use tidegate_protocol::rollout::Revision;
use xxhash_rust::xxh3::xxh3_64;

use super::Reader;
use crate::resource::spec::{Job, JobState, Spec, Template};
use crate::resource::status;

/// One of the two.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// A FlinkDeployment.
    Template(Template),
    /// A job on a cluster that is there.
    Job(Job),
}

/// What only triggers something, or says whether the job is to run; a change of it is no new version.
const NO_VERSION: [&str; 5] =
    ["state", "savepointTriggerNonce", "checkpointTriggerNonce", "initialSavepointPath", "initialSavepoint"];
/// What the controller sets itself, for each version.
const RESERVED: [&str; 7] = [
    "tidegate.color",
    "tidegate.generation",
    "tidegate.rollout",
    "tidegate.store",
    "kubernetes.cluster-id",
    "high-availability.cluster-id",
    "execution.savepoint.path",
];

pub(super) fn read(reader: &mut Reader, spec: &Spec) -> Option<Source> {
    let source = match (&spec.template, &spec.job) {
        (Some(template), None) => Source::Template(template.clone()),
        (None, Some(job)) => Source::Job(job.clone()),
        (Some(_), Some(_)) => {
            reader.problem("spec.job", "spec.template is there too", "write exactly one of them");
            return None;
        }
        (None, None) => {
            reader.problem("spec.template", "it is missing, and so is spec.job", "write exactly one of them");
            return None;
        }
    };
    match &source {
        Source::Template(template) => check_template(reader, template),
        Source::Job(job) => check_job(reader, job),
    }
    Some(source)
}

fn check_template(reader: &mut Reader, template: &Template) {
    let path = "spec.template.spec";
    let Some(job) = template.spec.get("job").and_then(Value::as_object) else {
        let way_out = "write the job's jarURI; for a session cluster write spec.job instead of spec.template";
        reader.problem(format!("{path}.job"), "there is no job to hand over", way_out);
        return;
    };
    match job.get("state").map(|state| state.as_str().unwrap_or_default()) {
        None | Some("running" | "suspended") => {}
        Some(other) => reader.problem(
            format!("{path}.job.state"),
            format!("{other:?} is no state"),
            "write running or suspended",
        ),
    }
    if job.get("allowNonRestoredState") == Some(&json!(false)) {
        reader.problem(
            format!("{path}.job.allowNonRestoredState"),
            "a new version must not restore the state of the other color's sinks, and so cannot restore all",
            "leave it out",
        );
    }
    if let Some(configuration) = template.spec.get("flinkConfiguration") {
        let keys = flat(configuration).into_iter();
        check_reserved(reader, &format!("{path}.flinkConfiguration"), keys);
    }
}

fn check_job(reader: &mut Reader, job: &Job) {
    if !(job.url.starts_with("http://") || job.url.starts_with("https://")) || job.url.contains('@') {
        reader.problem(
            "spec.job.url",
            "it is no address of a cluster",
            "write http://host:port, without credentials",
        );
    }
    if job.jar.is_empty() {
        reader.problem("spec.job.jar", "it is empty", "write the path or URL of the jar");
    }
    if job.parallelism == Some(0) {
        reader.problem("spec.job.parallelism", "0 subtasks", "write at least 1");
    }
    check_reserved(reader, "spec.job.configuration", job.configuration.keys().cloned());
}

fn check_reserved(reader: &mut Reader, path: &str, keys: impl Iterator<Item = String>) {
    for key in keys.filter(|key| RESERVED.contains(&key.as_str())) {
        reader.problem(format!("{path}[{key}]"), "the controller sets it for each version", "leave it out");
    }
}

/// The keys of a configuration, which may be written nested or flat.
fn flat(configuration: &Value) -> Vec<String> {
    let Some(map) = configuration.as_object() else { return Vec::new() };
    let nested = |(key, value): (&String, &Value)| {
        let inner = flat(value);
        if inner.is_empty() {
            vec![key.clone()]
        } else {
            inner.iter().map(|inner| format!("{key}.{inner}")).collect()
        }
    };
    map.iter().flat_map(nested).collect()
}

impl Source {
    /// A digest of everything but whether the job is to run, what only triggers something, and what the first version starts
    /// from. The same source gives the same digest, in whatever order it is written.
    pub(crate) fn revision(&self) -> Revision {
        let mut value = self.value();
        for pointer in ["/template/spec/job", "/job"] {
            if let Some(Value::Object(job)) = value.pointer_mut(pointer) {
                job.retain(|key, _| !NO_VERSION.contains(&key.as_str()));
            }
        }
        Revision(format!("{:016x}", xxh3_64(canonical(&value).as_bytes())))
    }

    /// As it stood in the spec: `{template: …}` or `{job: …}`.
    pub(crate) fn value(&self) -> Value {
        match self {
            Source::Template(template) => json!({ "template": template }),
            Source::Job(job) => json!({ "job": job }),
        }
    }

    /// Reads what [`Source::value`] has written into a status.
    pub(crate) fn from_value(value: &Value) -> Option<Source> {
        let of = |key: &str| value.get(key).cloned();
        let template =
            of("template").and_then(|value| serde_json::from_value(value).ok()).map(Source::Template);
        template.or_else(|| of("job").and_then(|value| serde_json::from_value(value).ok()).map(Source::Job))
    }

    pub(crate) fn is_suspended(&self) -> bool {
        match self {
            Source::Template(template) => {
                template.spec.get("job").and_then(|job| job.get("state")) == Some(&json!("suspended"))
            }
            Source::Job(job) => job.state == JobState::Suspended,
        }
    }

    /// What the very first version starts from.
    pub(crate) fn initial_savepoint(&self) -> Option<String> {
        match self {
            Source::Template(template) => {
                Some(template.spec.get("job")?.get("initialSavepointPath")?.as_str()?.to_owned())
            }
            Source::Job(job) => job.initial_savepoint.clone(),
        }
    }

    /// For the status: what undo needs, and what people look for.
    pub(crate) fn describe(&self) -> status::Revision {
        let (name, source) = (self.revision().0, self.value());
        match self {
            Source::Template(template) => {
                let spec = Value::Object(template.spec.clone());
                let text = |pointer: &str| spec.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
                let number = |pointer: &str| {
                    spec.pointer(pointer)
                        .and_then(Value::as_u64)
                        .and_then(|number| u32::try_from(number).ok())
                };
                let args = spec.pointer("/job/args").and_then(Value::as_array);
                let args = args.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
                status::Revision {
                    name,
                    image: text("/image"),
                    jar: text("/job/jarURI"),
                    entry_class: text("/job/entryClass"),
                    args,
                    parallelism: number("/job/parallelism"),
                    job_managers: number("/jobManager/replicas"),
                    task_managers: number("/taskManager/replicas"),
                    source,
                }
            }
            Source::Job(job) => status::Revision {
                name,
                jar: Some(job.jar.clone()),
                entry_class: job.entry_class.clone(),
                args: job.args.clone(),
                parallelism: job.parallelism,
                source,
                ..status::Revision::default()
            },
        }
    }
}

/// JSON with the keys of every object in order.
fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<(&String, &Value)> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                let entries = entries.into_iter().map(|(key, value)| (key.clone(), sorted(value)));
                Value::Object(entries.collect::<Map<String, Value>>())
            }
            Value::Array(values) => Value::Array(values.iter().map(sorted).collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    sorted(value).to_string()
}

//! What versions are made from, and who runs them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate::flink::{self, JobSpec, StartFrom};
use tidegate_protocol::document::{HandOver, LatePolicy};
use tidegate_protocol::rollout::{Launch, Record, Revision, Start, Version};

use super::metadata::Kept;
use super::problem::Problem;
use crate::resource::intent::Intent;
use crate::resource::intent::source::Source;
use crate::resource::spec::Template;
use crate::resource::status::Status;

/// The annotation of a deployment that says what it was made from.
const REVISION: &str = "tidegate.io/revision";

/// The sources of all versions that are, or may be launched again.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    revisions: BTreeMap<Revision, Source>,
    launches: BTreeMap<Launch, Revision>,
}

impl Sources {
    /// What the annotation has kept, then what the status has, then what is wanted now: the same revision is the same source.
    pub(super) fn new(kept: &Kept, status: &Status, wanted: Option<&Source>) -> Sources {
        let mut sources = kept.sources();
        for revision in &status.revisions {
            let source = Source::from_value(&revision.source);
            sources.extend(source.map(|source| (Revision(revision.name.clone()), source)));
        }
        sources.extend(wanted.map(|source| (source.revision(), source.clone())));
        Sources { revisions: sources, launches: kept.launches() }
    }

    pub(super) fn of(&self, revision: &Revision) -> Option<&Source> {
        self.revisions.get(revision)
    }

    /// What a launch that the record does not know was made from.
    pub(super) fn of_launch(&self, launch: Launch) -> Option<Revision> {
        self.launches.get(&launch).cloned()
    }

    /// What the version of that launch is made from.
    pub(super) fn of_version(&self, version: &Version) -> Result<&Source, Problem> {
        self.of(&version.revision)
            .ok_or_else(|| Problem::Source { launch: version.launch, revision: version.revision.clone() })
    }
}

/// The version of that launch, if the record knows it.
pub(super) fn version_of(record: &Record, launch: Launch) -> Option<&Version> {
    let leftovers = record.leftovers.iter().map(|leftover| &leftover.version);
    let mut versions = record.active.iter().chain(record.phase.beside()).chain(leftovers);
    versions.find(|version| version.launch == launch)
}

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

/// What the first document of the rollout is made with.
fn of_the_rollout(intent: &Intent) -> [(&'static str, String); 3] {
    let late = match intent.late {
        LatePolicy::Emit => "emit",
        LatePolicy::Drop => "drop",
    };
    let hand_over = match intent.settings.hand_over {
        Some(HandOver::Overlapped) => "overlapped",
        Some(HandOver::Ordered) | None => "ordered",
    };
    [
        ("tidegate.late-policy", late.to_owned()),
        ("tidegate.lateness", format!("{} ms", intent.lateness_ms)),
        ("tidegate.hand-over", hand_over.to_owned()),
    ]
}

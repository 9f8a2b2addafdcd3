//! The verbs that edit a resource: what the controller then does follows from the spec.

use std::io::Read as _;
use std::path::Path;

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::follow::Look;
use super::{Live, MANAGER, edit, fate};
use crate::arguments::{Attempt, Program, Server, Strategy, Waiting};
use crate::exit::{Exit, Failure};
use crate::output::{Output, show};
use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::intent::Intent;
use crate::resource::spec::Spec;
use crate::resource::status::{Revision, Status};

/// What is to be different.
pub(crate) struct Change<'a> {
    pub(crate) program: &'a Program,
    pub(crate) image: Option<&'a str>,
    pub(crate) strategy: Option<Strategy>,
}

/// Sets or removes the pause.
pub(crate) async fn pause(
    live: &Live,
    paused: bool,
    attempt: &Attempt,
    output: Output,
) -> Result<Exit, Failure> {
    let resource = live.get().await?;
    let is_new = edit::look(&resource, edit::PAUSE, attempt) == edit::Made::Not;
    let changed = resource.spec.paused != paused;
    if changed && !is_new {
        let since = if paused { "the pause has ended since" } else { "it was paused again since" };
        return Err(edit::fenced(attempt, since));
    }
    if is_new {
        let annotations = json!({edit::PAUSE: edit::with(Some(&resource), edit::PAUSE, attempt)});
        live.merge(&json!({"metadata": {"annotations": annotations}, "spec": {"paused": paused}})).await?;
    }
    let (outcome, text) = match (paused, changed) {
        (true, true) => ("paused", "paused: nothing new is begun; a cutover that was asked for goes on"),
        (true, false) => ("paused", "it was paused already"),
        (false, true) => ("resumed", "the pause is over"),
        (false, false) => ("resumed", "it was not paused"),
    };
    show(output, &json!({"outcome": outcome, "changed": changed}), live.full_name(), text)?;
    Ok(Exit::Done)
}

/// Applies a resource.
pub(crate) async fn deploy(
    server: &Server,
    file: &Path,
    attempt: &Attempt,
    waiting: Waiting,
    output: Output,
) -> Result<Exit, Failure> {
    let mut manifest = read(file, server)?;
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let namespace = manifest["metadata"]["namespace"].as_str().map(str::to_owned);
    let server = Server { namespace: namespace.or(server.namespace.clone()), ..server.clone() };
    let live = Live::by_name(&server, &name).await?;
    manifest["metadata"]["namespace"] = live.namespace.clone().into();
    check(&live.namespace, &name, &spec_of(&manifest)?)?;
    let known = live.resources.get_opt(&name).await?;
    let stands = known.as_ref().map_or(Ok(false), |known| edit::stands(known, attempt))?;
    let applied = match known {
        Some(known) if stands => known,
        known => {
            let ids = edit::with(known.as_ref(), edit::VERSION, attempt);
            manifest["metadata"]["annotations"][edit::VERSION] = ids.into();
            // The file says what is wanted, also where an update has changed it since.
            let parameters = PatchParams::apply(MANAGER).force();
            live.resources.patch(&name, &parameters, &Patch::Apply(&manifest)).await?
        }
    };
    live.finish(&applied, waiting, output).await
}

/// Changes the version that a resource wants.
pub(crate) async fn update(
    live: &Live,
    change: &Change<'_>,
    attempt: &Attempt,
    waiting: Waiting,
    output: Output,
) -> Result<Exit, Failure> {
    let resource = live.get().await?;
    if edit::stands(&resource, attempt)? {
        return live.finish(&resource, waiting, output).await;
    }
    let patch = patch(&resource.spec, change)?;
    let mut spec = serde_json::to_value(&resource.spec).map_err(anyhow::Error::from)?;
    merge(&mut spec, &patch);
    let spec: Spec = serde_json::from_value(spec).map_err(anyhow::Error::from)?;
    check(&live.namespace, &live.name, &spec)?;
    live.edit(&resource, &patch, attempt, waiting, output).await
}

/// Makes an earlier revision the wanted one.
pub(crate) async fn to_revision(
    live: &Live,
    wanted: &str,
    attempt: &Attempt,
    waiting: Waiting,
    output: Output,
) -> Result<Exit, Failure> {
    let resource = live.get().await?;
    if edit::stands(&resource, attempt)? {
        return live.finish(&resource, waiting, output).await;
    }
    let status = resource.status.clone().unwrap_or_default();
    let revision = choose(&status, wanted)?;
    let current = Intent::read(&live.namespace, &live.name, &resource.spec);
    if current.is_ok_and(|current| current.revision.0 == revision.name) {
        return live.edit(&resource, &json!({}), attempt, waiting, output).await;
    }
    // The whole of it: a merge would leave what only the newer one has.
    let source = revision.source.as_object().and_then(|source| source.iter().next());
    let Some((kind, value)) = source else {
        let message = format!("nothing is kept of what revision {} was made from", revision.name);
        return Err(Failure::new(Exit::Refused, "RevisionUnknown", message));
    };
    let is_other = if kind == "job" { resource.spec.job.is_none() } else { resource.spec.template.is_none() };
    if is_other {
        let message =
            format!("revision {} has spec.{kind}, and the resource has not; edit it", revision.name);
        return Err(Failure::new(Exit::Refused, "RevisionUnlike", message));
    }
    let spec = serde_json::to_value(&resource.spec).map_err(anyhow::Error::from)?;
    let patch = json!({kind: difference(&spec[kind], value)});
    live.edit(&resource, &patch, attempt, waiting, output).await
}

/// Deletes the resource: its controller stops the job with a savepoint, unless that is not wanted.
pub(crate) async fn terminate(
    live: &Live,
    cancel: bool,
    waiting: Waiting,
    output: Output,
) -> Result<Exit, Failure> {
    let known = live.resources.get_opt(&live.name).await?;
    if let Some(resource) = &known {
        if cancel && resource.spec.savepoint_on_deletion {
            live.merge(&json!({"spec": {"savepointOnDeletion": false}})).await?;
        }
        live.resources.delete(&live.name, &DeleteParams::default()).await?;
    }
    let mut savepoint = None;
    if !waiting.no_wait && known.is_some() {
        live.follow(Some(waiting.timeout), |resource| {
            let Some(resource) = resource else { return Ok(Look::Over(())) };
            let status = resource.status.clone().unwrap_or_default();
            let last = status.savepoints.iter().rev().find(|savepoint| savepoint.purpose == "Last");
            savepoint = last.and_then(|last| last.path.clone()).or(savepoint.take());
            Ok(Look::Wait(fate::headline(&status)))
        })
        .await?;
    }
    let name = &live.name;
    let text = match (&savepoint, &known) {
        (_, None) => format!("there is no {name}, and so nothing to end"),
        (Some(path), _) => format!("{name} has ended; its last savepoint is {path}"),
        (None, _) if waiting.no_wait => format!("{name} is deleted when it has ended"),
        (None, _) => format!("{name} has ended, and no savepoint was seen"),
    };
    let value = json!({
        "outcome": "done", "namespace": live.namespace, "name": name, "changed": known.is_some(), "savepoint": savepoint,
    });
    show(output, &value, live.full_name(), text)?;
    Ok(Exit::Done)
}

impl Live {
    /// Edits the spec, and waits for what becomes of that.
    async fn edit(
        &self,
        resource: &FlinkBlueGreenDeployment,
        spec: &Value,
        attempt: &Attempt,
        waiting: Waiting,
        output: Output,
    ) -> Result<Exit, Failure> {
        let annotations = json!({edit::VERSION: edit::with(Some(resource), edit::VERSION, attempt)});
        let edited = self.merge(&json!({"metadata": {"annotations": annotations}, "spec": spec})).await?;
        self.finish(&edited, waiting, output).await
    }

    /// Waits for what becomes of an edit.
    async fn finish(
        &self,
        edited: &FlinkBlueGreenDeployment,
        waiting: Waiting,
        output: Output,
    ) -> Result<Exit, Failure> {
        if waiting.no_wait {
            let generation = edited.metadata.generation;
            let value = json!({"outcome": "edited", "namespace": self.namespace, "name": self.name, "generation": generation});
            show(output, &value, self.full_name(), format!("{} is edited", self.name))?;
            return Ok(Exit::Done);
        }
        let (resource, fate) = self.follow_end(Some(waiting.timeout), edited.metadata.generation).await?;
        self.conclude(&resource, fate, output)
    }
}

/// Reads a resource from a file.
pub(super) fn read(file: &Path, server: &Server) -> Result<Value, Failure> {
    let place = file.display();
    let unreadable =
        |why: &dyn std::fmt::Display| Failure::new(Exit::Usage, "FileUnreadable", format!("{place}: {why}"));
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    } else {
        text = std::fs::read_to_string(file).map_err(|error| unreadable(&error))?;
    }
    let manifest: Value = serde_saphyr::from_str(&text).map_err(|error| unreadable(&error))?;
    if manifest["apiVersion"] != "tidegate.io/v1alpha1" || manifest["kind"] != "FlinkBlueGreenDeployment" {
        return Err(unreadable(
            &"it is no FlinkBlueGreenDeployment of tidegate.io/v1alpha1; one file holds one",
        ));
    }
    if manifest["metadata"]["name"].as_str().is_none_or(str::is_empty) {
        return Err(unreadable(&"metadata.name is missing"));
    }
    match (&server.namespace, manifest["metadata"]["namespace"].as_str()) {
        (Some(asked), Some(written)) if asked != written => {
            Err(unreadable(&format!("metadata.namespace is {written:?}, and --namespace is {asked:?}")))
        }
        _ => Ok(manifest),
    }
}

pub(super) fn spec_of(manifest: &Value) -> Result<Spec, Failure> {
    serde_json::from_value(manifest["spec"].clone())
        .map_err(|error| Failure::new(Exit::Refused, "SpecInvalid", format!("spec: {error}")))
}

/// As the controller would read it: what it would refuse is refused here, before anything is edited.
pub(super) fn check(namespace: &str, name: &str, spec: &Spec) -> Result<Intent, Failure> {
    Intent::read(namespace, name, spec).map_err(|invalid| Failure::new(Exit::Refused, "SpecInvalid", invalid))
}

/// The part of the spec that changes, for a merge.
fn patch(spec: &Spec, change: &Change<'_>) -> Result<Value, Failure> {
    let Program { jar, entry_class, arguments, parallelism, configuration } = change.program;
    let configuration: Map<String, Value> =
        configuration.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    let mut job = json!({});
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            job[key] = value;
        }
    };
    set("entryClass", entry_class.clone().map(Value::from));
    set("args", (!arguments.is_empty()).then(|| json!(arguments)));
    set("parallelism", parallelism.map(Value::from));
    let has_configuration = !configuration.is_empty();
    let mut patch = if spec.template.is_some() {
        set("jarURI", jar.clone().map(Value::from));
        let mut template = json!({"job": job});
        if let Some(image) = change.image {
            template["image"] = image.into();
        }
        if has_configuration {
            template["flinkConfiguration"] = Value::Object(configuration);
        }
        json!({"template": {"spec": template}})
    } else {
        if change.image.is_some() {
            let message = "--image is for a resource with spec.template; with spec.job write --jar";
            return Err(Failure::usage(message));
        }
        set("jar", jar.clone().map(Value::from));
        if has_configuration {
            job["configuration"] = Value::Object(configuration);
        }
        json!({"job": job})
    };
    if let Some(strategy) = change.strategy {
        patch["strategy"] = match strategy {
            Strategy::BlueGreen => "blue-green",
            Strategy::StopStart => "stop-start",
        }
        .into();
    }
    Ok(patch)
}

/// A merge patch, for a look at what comes of it.
fn merge(value: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *value = patch.clone();
        return;
    };
    for (key, change) in changes {
        merge(&mut value[key], change);
    }
}

/// The merge patch that makes the one of the other.
fn difference(from: &Value, to: &Value) -> Value {
    let (Some(before), Some(after)) = (from.as_object(), to.as_object()) else { return to.clone() };
    let removed = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    let changed = changed.map(|(key, value)| (key.clone(), difference(&from[key], value)));
    Value::Object(removed.chain(changed).collect())
}

/// The one revision whose name begins so.
fn choose<'a>(status: &'a Status, wanted: &str) -> Result<&'a Revision, Failure> {
    let mut found = status.revisions.iter().filter(|revision| revision.name.starts_with(wanted));
    let names: Vec<&str> = status.revisions.iter().map(|revision| revision.name.as_str()).collect();
    match (found.next(), found.next()) {
        (Some(revision), None) => Ok(revision),
        (None, _) => {
            let message = format!("revision {wanted:?} is not known; known are {}", names.join(", "));
            Err(Failure::new(Exit::Refused, "RevisionUnknown", message))
        }
        (Some(_), Some(_)) => {
            let message = format!("several revisions begin with {wanted:?}; known are {}", names.join(", "));
            Err(Failure::new(Exit::Refused, "RevisionAmbiguous", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(source: Value) -> Spec {
        let mut spec = source;
        spec["store"] = "directory:///s".into();
        serde_json::from_value(spec).unwrap()
    }

    fn program() -> Program {
        Program {
            jar: Some("/2.jar".to_owned()),
            arguments: vec!["--topic".to_owned(), "b".to_owned()],
            parallelism: Some(3),
            configuration: vec![("a.b".to_owned(), "c".to_owned())],
            ..Program::default()
        }
    }

    #[test]
    fn only_what_was_named_is_changed() {
        let job =
            spec(json!({"job": {"url": "http://flink:8081", "jar": "/1.jar", "configuration": {"x": "y"}}}));
        let change = Change { program: &program(), image: None, strategy: Some(Strategy::StopStart) };
        let patch = patch(&job, &change).unwrap();
        let expected = json!({"job": {"jar": "/2.jar", "args": ["--topic", "b"], "parallelism": 3,
            "configuration": {"a.b": "c"}}, "strategy": "stop-start"});
        assert_eq!(patch, expected);
        let mut merged = serde_json::to_value(&job).unwrap();
        merge(&mut merged, &patch);
        let merged: Spec = serde_json::from_value(merged).unwrap();
        let configuration = &merged.job.unwrap().configuration;
        assert_eq!((configuration["x"].as_str(), configuration["a.b"].as_str()), ("y", "c"));
    }

    #[test]
    fn a_template_is_changed_where_its_operator_looks() {
        let template =
            spec(json!({"template": {"spec": {"image": "a:1", "job": {"jarURI": "local:///1.jar"}}}}));
        let change = Change { program: &program(), image: Some("a:2"), strategy: None };
        let expected = json!({"template": {"spec": {"image": "a:2", "flinkConfiguration": {"a.b": "c"},
            "job": {"jarURI": "/2.jar", "args": ["--topic", "b"], "parallelism": 3}}}});
        assert_eq!(patch(&template, &change).unwrap(), expected);
        let job = spec(json!({"job": {"url": "http://flink:8081", "jar": "/1.jar"}}));
        assert_eq!(patch(&job, &change).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn going_back_leaves_nothing_of_the_newer_version() {
        let newer = json!({"jar": "/2.jar", "args": ["a", "b"], "parallelism": 4, "configuration": {"x": "1", "y": "2"}});
        let older = json!({"jar": "/1.jar", "args": ["a"], "configuration": {"x": "1"}});
        let expected =
            json!({"jar": "/1.jar", "args": ["a"], "parallelism": null, "configuration": {"y": null}});
        assert_eq!(difference(&newer, &older), expected);
        assert_eq!(difference(&newer, &newer), json!({}));
    }

    #[test]
    fn a_revision_is_known_by_its_beginning_when_that_is_of_one_only() {
        let revision = |name: &str| Revision { name: name.to_owned(), ..Revision::default() };
        let revisions = vec![revision("3f2a"), revision("3f77"), revision("a000")];
        let status = Status { revisions, ..Status::default() };
        assert_eq!(choose(&status, "a").unwrap().name, "a000");
        assert!(choose(&status, "3f").unwrap_err().message.contains("several revisions"));
        assert!(choose(&status, "b").unwrap_err().message.contains("3f2a, 3f77, a000"));
    }
}

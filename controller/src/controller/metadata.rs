//! The controller's part of the resource's metadata: the finalizer, and what its versions are made from.
//!
//! The annotation repeats what the status has, for when that is lost: an old version can only be launched again by whoever
//! knows its image, jar, arguments, configuration and size.

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::json;

use super::context::MANAGER;
use super::problem::Problem;
use super::sources::Kept;
use crate::resource::FlinkBlueGreenDeployment;

pub(super) const FINALIZER: &str = "tidegate.io/controller";
const ANNOTATION: &str = "tidegate.io/revisions";
/// All annotations of an object may have 256 KiB; what is more is in the status only.
const LONGEST: usize = 160 * 1024;

/// What the annotation holds. Whoever has changed it by hand is not believed in what cannot be read.
pub(super) fn read(resource: &FlinkBlueGreenDeployment) -> Kept {
    let text = resource.annotations().get(ANNOTATION);
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Whether finalizer and annotation are there; nothing is put into a resource that is being deleted.
pub(super) fn is_kept(resource: &FlinkBlueGreenDeployment, kept: &Kept) -> Result<bool, Problem> {
    let text = serde_json::to_string(kept)?;
    let has_annotation = text.len() > LONGEST || resource.annotations().get(ANNOTATION) == Some(&text);
    let has_finalizer = resource.finalizers().iter().any(|there| there == FINALIZER);
    Ok(resource.meta().deletion_timestamp.is_some() || has_annotation && has_finalizer)
}

/// Puts finalizer and annotation there, where they are not; returns the resource as it is then. A conflict means that it was changed
/// since it was read.
pub(super) async fn keep(
    resources: &Api<FlinkBlueGreenDeployment>,
    resource: &FlinkBlueGreenDeployment,
    kept: &Kept,
) -> Result<Option<FlinkBlueGreenDeployment>, Problem> {
    if is_kept(resource, kept)? {
        return Ok(None);
    }
    let mut metadata = json!({
        "name": resource.name_any(),
        "namespace": resource.namespace(),
        "uid": resource.uid(),
        "resourceVersion": resource.resource_version(),
        "finalizers": [FINALIZER],
    });
    let text = serde_json::to_string(kept)?;
    if text.len() <= LONGEST {
        metadata["annotations"] = json!({ ANNOTATION: text });
    }
    let own = json!({
        "apiVersion": FlinkBlueGreenDeployment::api_version(&()),
        "kind": FlinkBlueGreenDeployment::kind(&()),
        "metadata": metadata,
    });
    let parameters = PatchParams::apply(MANAGER).force();
    Ok(Some(resources.patch(&resource.name_any(), &parameters, &Patch::Apply(&own)).await?))
}

/// Lets the resource go.
pub(super) async fn release(
    resources: &Api<FlinkBlueGreenDeployment>,
    resource: &FlinkBlueGreenDeployment,
) -> Result<(), Problem> {
    let left: Vec<&String> = resource.finalizers().iter().filter(|there| *there != FINALIZER).collect();
    let patch = json!({
        "metadata": { "resourceVersion": resource.resource_version(), "finalizers": left },
    });
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match resources.patch(&resource.name_any(), &parameters, &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error.into()),
    }
}

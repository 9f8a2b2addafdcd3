//! One request to the API server and its answer, within a deadline, with errors for people; and the way to a job's REST service.

use std::future::Future;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, core::Status};
use serde_json::Value;

use super::names::{JOB_MAX, MANAGED_BY};
use super::settings::Settings;
use super::view::Deployment;
use crate::flink::rest::{self, RestDriver};
use crate::flink::{Error, JobId, Problem};

/// Who has written a field.
const MANAGER: &str = "tidegate-controller";

/// The connection to one namespace; a clone shares it.
#[derive(Clone)]
pub(super) struct Api {
    cluster: String,
    pub(super) client: Client,
    pub(super) settings: Settings,
    rest: RestDriver,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl Api {
    pub(super) fn new(client: Client, settings: Settings) -> Result<Api, Error> {
        let address = settings.rest_address("deployment", "8081");
        let rest = RestDriver::new(rest::Settings {
            deadlines: settings.deadlines,
            slots: rest::Slots::OnDemand,
            ..rest::Settings::new(address)
        })?;
        let cluster = format!("namespace {}", settings.namespace);
        Ok(Api { cluster, client, settings, rest })
    }

    pub(super) fn cluster(&self) -> &str {
        &self.cluster
    }

    pub(super) fn error(&self, asked: &str, problem: Problem) -> Error {
        Error::new(&self.cluster, asked, problem)
    }

    pub(super) fn no_job(&self, asked: &str, job: &JobId) -> Error {
        self.error(asked, Problem::JobNotFound { job: job.clone() })
    }

    fn resources(&self, kind: &str) -> kube::Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("flink.apache.org", "v1beta1", kind);
        kube::Api::namespaced_with(
            self.client.clone(),
            &self.settings.namespace,
            &ApiResource::from_gvk(&kind),
        )
    }

    pub(super) fn deployments(&self) -> kube::Api<DynamicObject> {
        self.resources("FlinkDeployment")
    }

    pub(super) fn snapshots(&self) -> kube::Api<DynamicObject> {
        self.resources("FlinkStateSnapshot")
    }

    /// `changes`: whether a request without an answer may have changed something.
    pub(super) async fn ask<T>(
        &self,
        asked: &str,
        changes: bool,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        let answer = tokio::time::timeout(self.settings.answer, request).await;
        let slow = |_| self.error(asked, Problem::Slow { after: self.settings.answer, sent: changes });
        answer.map_err(slow)?.map_err(|error| self.error(asked, problem(error, changes)))
    }

    /// The deployment of that name, read now.
    pub(super) async fn deployment(&self, asked: &str, job: &JobId) -> Result<Option<Deployment>, Error> {
        if !is_name(job) {
            return Ok(None);
        }
        let api = self.deployments();
        let found = self.ask(asked, false, api.get_opt(job.as_str())).await?;
        Ok(found.map(Deployment::new))
    }

    /// The deployments of this driver, whoever's; with `selector`, those that have these labels, too.
    pub(super) async fn listed(&self, asked: &str, selector: &str) -> Result<Vec<Deployment>, Error> {
        let selector = format!("{}={}{selector}", MANAGED_BY.0, MANAGED_BY.1);
        let (api, parameters) = (self.deployments(), ListParams::default().labels(&selector));
        let list = self.ask(asked, false, api.list(&parameters)).await?;
        Ok(list.items.into_iter().map(Deployment::new).collect())
    }

    /// `Ok(false)`: there is one of this name.
    pub(super) async fn create(
        &self,
        asked: &str,
        api: &kube::Api<DynamicObject>,
        manifest: Value,
    ) -> Result<bool, Error> {
        let manifest = serde_json::from_value(manifest).map_err(|error| {
            self.error(asked, Problem::Unreadable { reason: format!("its manifest is none: {error}") })
        })?;
        let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        match self.ask(asked, true, api.create(&parameters, &manifest)).await {
            Ok(_) => Ok(true),
            Err(error) if is_status(&error, 409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Changes the resource that was read, and no other one of its name.
    pub(super) async fn patch(
        &self,
        asked: &str,
        deployment: &Deployment,
        mut change: Value,
    ) -> Result<(), Error> {
        change["metadata"]["uid"] = deployment.object.metadata.uid.clone().into();
        let (api, change) = (self.deployments(), Patch::Merge(change));
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        self.ask(asked, true, api.patch(deployment.name(), &parameters, &change)).await.map(drop)
    }

    /// The job's REST service, and what the job is called there; `None` before it has a name.
    pub(super) fn rest(&self, deployment: &Deployment) -> Result<Option<(RestDriver, JobId)>, Error> {
        let Some(id) = deployment.flink_job() else { return Ok(None) };
        let address = self.settings.rest_address(deployment.name(), deployment.port());
        Ok(Some((self.rest.at(&address)?, JobId::new(id))))
    }

    /// The same, for those who can do nothing without it.
    pub(super) async fn rest_of(&self, asked: &str, job: &JobId) -> Result<(RestDriver, JobId), Error> {
        let deployment = self.deployment(asked, job).await?.ok_or_else(|| self.no_job(asked, job))?;
        let not_yet = || {
            let reason = "Apache's operator has not started it yet".to_owned();
            self.error(asked, Problem::Unreachable { reason, sent: false })
        };
        self.rest(&deployment)?.ok_or_else(not_yet)
    }
}

/// What cannot be a name is no job, and never becomes part of an address.
fn is_name(job: &JobId) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let name = job.as_str();
    !name.is_empty() && name.len() <= JOB_MAX && name.bytes().all(|byte| plain(byte) || byte == b'-')
}

pub(super) fn is_status(error: &Error, wanted: u16) -> bool {
    matches!(error.problem(), Problem::Kubernetes { status: Some(status), .. } if *status == wanted)
}

fn problem(error: kube::Error, changes: bool) -> Problem {
    if let kube::Error::Api(status) = &error {
        return answered(status, changes);
    }
    Problem::Kubernetes { status: None, reason: root(&error), sent: changes }
}

fn answered(status: &Status, changes: bool) -> Problem {
    // The server's own words, which name the object, the field or the missing right.
    let reason = status.message.split_whitespace().collect::<Vec<_>>().join(" ");
    Problem::Kubernetes { status: Some(status.code), reason: rest::cut(&reason, 400), sent: changes }
}

fn root(error: &kube::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(next) = last.source() {
        last = next;
    }
    rest::cut(&last.to_string(), 400)
}

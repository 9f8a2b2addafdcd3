//! The verbs on a resource. They edit it, ask its controller by the annotation, and follow its status; all that is done with jobs,
//! the controller does.

pub(crate) mod ask;
pub(crate) mod change;
pub(crate) mod doctor;
mod edit;
mod fate;
mod follow;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod plan;
pub(crate) mod status;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;

use crate::arguments::{Resource, Server};
use crate::controller;
use crate::exit::{Exit, Failure};
use crate::resource::FlinkBlueGreenDeployment;
use crate::session::Found;
pub(crate) use ask::Wish;

/// The name under which the command line writes.
const MANAGER: &str = "tidegate-cli";

/// One resource.
pub(crate) struct Live {
    client: Client,
    resources: Api<FlinkBlueGreenDeployment>,
    /// The same, for watches, which may be silent.
    watched: Api<FlinkBlueGreenDeployment>,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The clients, and the namespace that is meant.
pub(crate) async fn connect(server: &Server) -> Result<(controller::connect::Clients, String), Failure> {
    let clients = controller::connect::clients(server.context.as_deref()).await.map_err(|error| {
        let exit = if server.context.is_some() { Exit::Usage } else { Exit::Unreachable };
        Failure::new(exit, "AccountMissing", format!("{error:#}"))
    })?;
    let namespace = server.namespace.clone();
    let namespace = namespace.unwrap_or_else(|| clients.calls.default_namespace().to_owned());
    Ok((clients, namespace))
}

impl Live {
    pub(crate) async fn open(resource: &Resource) -> Result<Live, Failure> {
        Live::by_name(&resource.server, &resource.name).await
    }

    /// Nothing is asked yet.
    pub(crate) async fn by_name(server: &Server, name: &str) -> Result<Live, Failure> {
        let (clients, namespace) = connect(server).await?;
        Ok(Live {
            resources: Api::namespaced(clients.calls.clone(), &namespace),
            watched: Api::namespaced(clients.watches, &namespace),
            client: clients.calls,
            namespace,
            name: name.to_owned(),
        })
    }

    async fn get(&self) -> Result<FlinkBlueGreenDeployment, Failure> {
        self.resources.get(&self.name).await.map_err(|error| self.failure(error))
    }

    /// Changes a part of it, whatever else has changed meanwhile.
    async fn merge(&self, patch: &Value) -> Result<FlinkBlueGreenDeployment, Failure> {
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patched = self.resources.patch(&self.name, &parameters, &Patch::Merge(patch)).await;
        patched.map_err(|error| self.failure(error))
    }

    fn failure(&self, error: kube::Error) -> Failure {
        let is_missing = matches!(&error, kube::Error::Api(status) if status.code == 404);
        if !is_missing {
            return error.into();
        }
        let Live { namespace, name, .. } = self;
        let message = format!(
            "namespace {namespace} has no FlinkBlueGreenDeployment {name:?}; `tidegate list --all-namespaces` shows all"
        );
        Failure::new(Exit::Refused, "UnknownResource", message)
    }

    /// As kubectl names it.
    fn full_name(&self) -> String {
        full_name(&self.name)
    }

    /// Its jobs: that which has the output first, then the one beside it.
    pub(crate) async fn jobs(&self, rest_address: Option<&str>) -> Result<Vec<Found>, Failure> {
        let resource = self.get().await?;
        let jobs = controller::jobs_of(&self.client, rest_address, &resource);
        let jobs = jobs.map_err(|problem| Failure::new(Exit::Failed, problem.code(), &problem))?;
        if jobs.is_empty() {
            let message =
                format!("{} has no version that was started; see `tidegate status {}`", self.name, self.name);
            return Err(Failure::new(Exit::Refused, "NoJob", message));
        }
        let found = |(label, driver, job)| Found { label, driver, job };
        Ok(jobs.into_iter().map(found).collect())
    }
}

fn full_name(name: &str) -> String {
    format!("flinkbluegreendeployment.tidegate.io/{name}")
}

//! `FlinkDeployment` resources of Apache's operator as a driver: one resource, and so one cluster, for each launch.
//!
//! What Kubernetes remembers, this driver need not: a launch is a resource's name, a savepoint is a `FlinkStateSnapshot`, and how
//! a job ended stands in its resource's annotations. The operator makes the cluster and restarts it; whatever could lose state
//! there is asked of the job's own REST service instead (decision 0028). A resource is created once and never changed again,
//! but for its end.

mod api;
mod ends;
mod looks;
mod manifest;
mod names;
mod remove;
mod settings;
mod snapshot;
mod start;
mod view;

use std::collections::BTreeMap;

use async_trait::async_trait;
use tidegate_protocol::identity::CheckpointId;

use super::{
    Capacity, Checkpoints, Difference, Driver, Error, Failure, Flow, JobId, JobSpec, JobState, Launch,
    Listed, Operation, Progress, Savepoint, StartFrom, Status, Submission, Taking,
};
use api::Api;
pub use settings::Settings;

/// A driver over one namespace.
#[derive(Clone, Debug)]
pub struct DeploymentDriver {
    api: Api,
}

/// A deployment of a rollout, as its resource tells. Its job's state is as old as the operator's last look at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployed {
    /// The resource's name.
    pub job: JobId,
    /// What it was started as.
    pub launch: Launch,
    /// The annotations of the resource; those of the template among them.
    pub annotations: BTreeMap<String, String>,
    /// The state of its job.
    pub state: JobState,
    /// How large it is.
    pub scale: Scale,
    /// What Apache's operator complains of.
    pub error: Option<String>,
    /// It is being deleted.
    pub deleting: bool,
}

/// How large a deployment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// The highest parallelism of its vertices, as it is now, whoever has changed it; what its resource asks for while its job
    /// cannot be asked.
    pub parallelism: Option<u32>,
    /// Replicas of the JobManager.
    pub job_managers: Option<u32>,
    /// Replicas of the TaskManagers.
    pub task_managers: Option<u32>,
}

impl DeploymentDriver {
    /// A driver; nothing is asked yet.
    ///
    /// # Errors
    /// [`Problem::Unusable`](super::Problem::Unusable), when the template of the REST addresses is none.
    pub fn new(client: kube::Client, settings: Settings) -> Result<DeploymentDriver, Error> {
        Ok(DeploymentDriver { api: Api::new(client, settings)? })
    }

    /// All deployments of the resource with this uid, those that are being deleted included.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn deployments(&self, owner: &str) -> Result<Vec<Deployed>, Error> {
        looks::deployments(&self.api, owner).await
    }

    /// How large a deployment is; `None`: there is none of this name.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn scale(&self, job: &JobId) -> Result<Option<Scale>, Error> {
        looks::scale(&self.api, job).await
    }

    /// Deletes a deployment, with its job if that still runs; checkpoints and savepoints stay. Done when neither the resource
    /// nor a pod of it is left.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn delete(&self, job: &JobId) -> Result<Progress<()>, Error> {
        remove::delete(&self.api, job).await
    }

    /// Whether there is high-availability data of a deployment.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn has_high_availability(&self, job: &JobId) -> Result<bool, Error> {
        remove::has_high_availability(&self.api, job).await
    }

    /// Removes the high-availability data of a job that has ended, and the JobManager that uses it; one that has not ended is
    /// left alone, with an error.
    ///
    /// # Errors
    /// [`Problem::NotEnded`](super::Problem::NotEnded), or when the API server cannot be asked.
    pub async fn clear_high_availability(&self, job: &JobId) -> Result<Progress<()>, Error> {
        remove::clear_high_availability(&self.api, job).await
    }
}

#[async_trait]
impl Driver for DeploymentDriver {
    fn cluster(&self) -> &str {
        self.api.cluster()
    }

    fn job_id(&self, launch: &Launch) -> JobId {
        names::job(launch)
    }

    /// None: each job has a cluster of its own, made for it.
    async fn capacity(&self) -> Result<Option<Capacity>, Error> {
        Ok(None)
    }

    async fn jobs(&self) -> Result<Vec<Listed>, Error> {
        looks::jobs(&self.api).await
    }

    async fn start(&self, launch: &Launch, spec: &JobSpec, from: &StartFrom) -> Result<Submission, Error> {
        start::start(&self.api, launch, spec, from).await
    }

    async fn differences(
        &self,
        job: &JobId,
        spec: &JobSpec,
        from: &StartFrom,
    ) -> Result<Vec<Difference>, Error> {
        looks::differences(&self.api, job, spec, from).await
    }

    async fn status(&self, job: &JobId) -> Result<Option<Status>, Error> {
        looks::status(&self.api, job).await
    }

    async fn failures(&self, job: &JobId) -> Result<Vec<Failure>, Error> {
        looks::failures(&self.api, job).await
    }

    async fn checkpoints(&self, job: &JobId) -> Result<Checkpoints, Error> {
        let (rest, id) = self.api.rest_of(&format!("read the checkpoints of job {job}"), job).await?;
        rest.checkpoints(&id).await
    }

    async fn flow(&self, job: &JobId) -> Result<Vec<Flow>, Error> {
        let asked = format!("read backpressure and watermarks of job {job}");
        let (rest, id) = self.api.rest_of(&asked, job).await?;
        rest.flow(&id).await
    }

    async fn checkpoint(&self, job: &JobId, operation: &Operation) -> Result<Progress<CheckpointId>, Error> {
        let asked = format!("take a checkpoint of job {job} ({operation})");
        let (rest, id) = self.api.rest_of(&asked, job).await?;
        rest.checkpoint(&id, operation).await
    }

    async fn savepoint(&self, job: &JobId, operation: &Operation) -> Result<Progress<Savepoint>, Error> {
        snapshot::savepoint(&self.api, job, operation).await
    }

    async fn stop(&self, job: &JobId, operation: &Operation) -> Result<Progress<Savepoint>, Error> {
        ends::stop(&self.api, job, operation).await
    }

    async fn look(
        &self,
        job: &JobId,
        operation: &Operation,
        taking: Taking,
    ) -> Result<Option<Progress<Savepoint>>, Error> {
        match taking {
            Taking::Savepoint => snapshot::look(&self.api, job, operation).await,
            Taking::Stop => ends::look(&self.api, job, operation).await,
        }
    }

    fn makes_clusters(&self) -> bool {
        true
    }

    async fn deployments(&self, owner: &str) -> Result<Vec<Deployed>, Error> {
        DeploymentDriver::deployments(self, owner).await
    }

    async fn scale(&self, job: &JobId) -> Result<Option<Scale>, Error> {
        DeploymentDriver::scale(self, job).await
    }

    async fn delete(&self, job: &JobId) -> Result<Progress<()>, Error> {
        DeploymentDriver::delete(self, job).await
    }

    async fn has_high_availability(&self, job: &JobId) -> Result<bool, Error> {
        DeploymentDriver::has_high_availability(self, job).await
    }

    async fn clear_high_availability(&self, job: &JobId) -> Result<Progress<()>, Error> {
        DeploymentDriver::clear_high_availability(self, job).await
    }

    async fn cancel(&self, job: &JobId) -> Result<Progress<()>, Error> {
        ends::cancel(&self.api, job).await
    }

    async fn dispose(&self, savepoint: &str) -> Result<(), Error> {
        snapshot::dispose(&self.api, savepoint).await
    }
}

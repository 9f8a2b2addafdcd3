//! The contract between the controller and whatever runs the jobs.

use std::fmt::Debug;

use async_trait::async_trait;
use tidegate_protocol::identity::CheckpointId;

use super::{
    Capacity, Checkpoints, Deployed, Difference, Error, Failure, Flow, JobId, JobSpec, Launch, Listed,
    Operation, Progress, Savepoint, Scale, StartFrom, Status, Submission, Taking, find,
};

/// Jobs of one cluster, or of one namespace of clusters.
///
/// Laws:
/// * **To ask again is right.** Every call may be repeated, also by another process after a crash: [`start`](Self::start)
///   of one launch makes at most one job, and an [`Operation`] is one snapshot for as long as its cluster remembers it.
/// * **Nothing is waited for.** A call asks and tells how far it is; it returns within the driver's deadlines. What takes
///   longer is [`Progress::Running`].
/// * **Accepted is not running.** [`start`](Self::start) says that the cluster has the job; only
///   [`status`](Self::status) says that it runs, and [`differences`](Self::differences) whether as it was asked.
/// * **Nothing is left behind.** A call that fails has left no job that runs or waits for slots, unless
///   [`Error::is_uncertain`]: then the same call, repeated, makes it certain.
#[async_trait]
pub trait Driver: Send + Sync + Debug {
    /// Where, without secrets; for messages and metrics.
    fn cluster(&self) -> &str;

    /// The id that the job of this launch has, or will have. Pure.
    fn job_id(&self, launch: &Launch) -> JobId;

    /// Version and slots of the cluster; `None` where each job gets a cluster of its own.
    async fn capacity(&self) -> Result<Option<Capacity>, Error>;

    /// All jobs, those that have ended included while the cluster remembers them.
    async fn jobs(&self) -> Result<Vec<Listed>, Error>;

    /// The one job of that name that has not ended; [`Problem::AmbiguousName`](super::Problem::AmbiguousName) if there are
    /// several.
    async fn find(&self, name: &str) -> Result<Option<Listed>, Error> {
        find(self.cluster(), &self.jobs().await?, name)
    }

    /// Has the job of this launch started, from `from`, if it was not yet.
    ///
    /// Once it is known, `spec` and `from` are not looked at again: a changed one is a new launch. An error, now and at each
    /// repetition, when its job has failed. A cluster that has forgotten the job (a JobManager without high availability that
    /// has restarted) starts it anew: ask for a start only while the job is to be started.
    async fn start(&self, launch: &Launch, spec: &JobSpec, from: &StartFrom) -> Result<Submission, Error>;

    /// Where a job that runs is not what `spec` and `from` say, as far as the cluster tells; to be asked when it has just
    /// come to run, since a job that has restarted is restored from a checkpoint of its own.
    async fn differences(
        &self,
        job: &JobId,
        spec: &JobSpec,
        from: &StartFrom,
    ) -> Result<Vec<Difference>, Error>;

    /// What the job is doing; `None`: the cluster does not know it (any more).
    async fn status(&self, job: &JobId) -> Result<Option<Status>, Error>;

    /// The failures of the job, newest first.
    async fn failures(&self, job: &JobId) -> Result<Vec<Failure>, Error>;

    /// The checkpoints of the job.
    async fn checkpoints(&self, job: &JobId) -> Result<Checkpoints, Error>;

    /// Backpressure and watermarks, one per vertex, sources first.
    async fn flow(&self, job: &JobId) -> Result<Vec<Flow>, Error>;

    /// A full checkpoint, now; by its number.
    async fn checkpoint(&self, job: &JobId, operation: &Operation) -> Result<Progress<CheckpointId>, Error>;

    /// A native savepoint, while the job goes on.
    async fn savepoint(&self, job: &JobId, operation: &Operation) -> Result<Progress<Savepoint>, Error>;

    /// A native savepoint, and the job's end without draining it, so that its sinks commit all that they emitted.
    ///
    /// Done means that the job has finished. A job that has finished already tells its last savepoint.
    async fn stop(&self, job: &JobId, operation: &Operation) -> Result<Progress<Savepoint>, Error>;

    /// How far that savepoint or stop is. Asks for nothing: `None` when it was never asked for, or is not remembered, or there is
    /// no such job.
    async fn look(
        &self,
        job: &JobId,
        operation: &Operation,
        taking: Taking,
    ) -> Result<Option<Progress<Savepoint>>, Error>;

    /// The job's end without a savepoint: what its sinks have not committed is lost. Done, when the job is at its end,
    /// whatever end, or unknown.
    async fn cancel(&self, job: &JobId) -> Result<Progress<()>, Error>;

    /// Whether each launch gets a cluster of its own, which stays when its job has ended until it is deleted. Where jobs share a
    /// cluster that was there before, nothing is left of one that has ended.
    fn makes_clusters(&self) -> bool {
        false
    }

    /// All deployments of that owner, those that are being deleted included; none where jobs share a cluster.
    async fn deployments(&self, _owner: &str) -> Result<Vec<Deployed>, Error> {
        Ok(Vec::new())
    }

    /// How large the job's deployment is; `None` where it has none of its own.
    async fn scale(&self, _job: &JobId) -> Result<Option<Scale>, Error> {
        Ok(None)
    }

    /// Removes the job's deployment, and ends the job if it still runs; checkpoints and savepoints stay.
    async fn delete(&self, job: &JobId) -> Result<Progress<()>, Error> {
        self.cancel(job).await
    }

    /// Whether there is high-availability data of the job.
    async fn has_high_availability(&self, _job: &JobId) -> Result<bool, Error> {
        Ok(false)
    }

    /// Removes the high-availability data of a job that has ended.
    async fn clear_high_availability(&self, _job: &JobId) -> Result<Progress<()>, Error> {
        Ok(Progress::Done(()))
    }

    /// Deletes a savepoint that nothing needs any more; one that is not there is deleted.
    async fn dispose(&self, savepoint: &str) -> Result<(), Error>;
}

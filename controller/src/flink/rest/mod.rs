//! Flink's REST API as a driver: session and standalone clusters of Flink 1.20 and 2.x.
//!
//! A launch's job id and an operation's trigger id are hashes of what they are asked with, and are given with the request,
//! so that Flink itself refuses the second submission and finds the first trigger. No state is kept here but the connection.

mod answer;
mod cause;
mod compare;
mod http;
mod jar;
mod looks;
mod operations;
mod settings;
mod start;

use async_trait::async_trait;
use ring::digest::{Context, SHA256};
use tidegate_protocol::identity::CheckpointId;

use super::{
    Capacity, Checkpoints, Difference, Driver, Error, Failure, Flow, JobId, JobSpec, Launch, Listed,
    Operation, Progress, Savepoint, StartFrom, Status, Submission, Taking,
};
pub(in crate::flink) use cause::cut;
use http::Http;
pub use settings::{Credentials, Deadlines, Settings, Slots};
pub(in crate::flink) use start::classify;

/// A driver over the REST address of one cluster.
#[derive(Clone, Debug)]
pub struct RestDriver {
    http: Http,
    slots: Slots,
    savepoint_directory: Option<String>,
}

impl RestDriver {
    /// A driver; nothing is connected yet.
    ///
    /// # Errors
    /// [`Problem::Unusable`](super::Problem::Unusable), naming the setting.
    pub fn new(settings: Settings) -> Result<RestDriver, Error> {
        let (slots, savepoint_directory) = (settings.slots, settings.savepoint_directory.clone());
        Ok(RestDriver { http: Http::new(settings)?, slots, savepoint_directory })
    }

    /// The same for another cluster, with the same credentials.
    pub(in crate::flink) fn at(&self, address: &str) -> Result<RestDriver, Error> {
        Ok(RestDriver {
            http: self.http.at(address)?,
            slots: self.slots,
            savepoint_directory: self.savepoint_directory.clone(),
        })
    }
}

#[async_trait]
impl Driver for RestDriver {
    fn cluster(&self) -> &str {
        self.http.cluster()
    }

    fn job_id(&self, launch: &Launch) -> JobId {
        let Launch { owner, rollout, member, attempt } = launch;
        JobId::new(hash(&["job", owner, rollout, &member.to_string(), &attempt.to_string()]))
    }

    async fn capacity(&self) -> Result<Option<Capacity>, Error> {
        looks::capacity(&self.http).await.map(Some)
    }

    async fn jobs(&self) -> Result<Vec<Listed>, Error> {
        looks::jobs(&self.http).await
    }

    async fn start(&self, launch: &Launch, spec: &JobSpec, from: &StartFrom) -> Result<Submission, Error> {
        start::start(self, launch, spec, from).await
    }

    async fn differences(
        &self,
        job: &JobId,
        spec: &JobSpec,
        from: &StartFrom,
    ) -> Result<Vec<Difference>, Error> {
        compare::differences(&self.http, job, spec, from).await
    }

    async fn status(&self, job: &JobId) -> Result<Option<Status>, Error> {
        looks::status(&self.http, job).await
    }

    async fn failures(&self, job: &JobId) -> Result<Vec<Failure>, Error> {
        looks::failures(&self.http, job).await
    }

    async fn checkpoints(&self, job: &JobId) -> Result<Checkpoints, Error> {
        looks::checkpoints(&self.http, job).await
    }

    async fn flow(&self, job: &JobId) -> Result<Vec<Flow>, Error> {
        looks::flow(&self.http, job).await
    }

    async fn checkpoint(&self, job: &JobId, operation: &Operation) -> Result<Progress<CheckpointId>, Error> {
        operations::checkpoint(&self.http, job, operation).await
    }

    async fn savepoint(&self, job: &JobId, operation: &Operation) -> Result<Progress<Savepoint>, Error> {
        operations::savepoint(&self.http, job, operation, self.savepoint_directory.as_deref()).await
    }

    async fn stop(&self, job: &JobId, operation: &Operation) -> Result<Progress<Savepoint>, Error> {
        operations::stop(&self.http, job, operation, self.savepoint_directory.as_deref()).await
    }

    async fn look(
        &self,
        job: &JobId,
        operation: &Operation,
        taking: Taking,
    ) -> Result<Option<Progress<Savepoint>>, Error> {
        operations::look(&self.http, job, operation, taking).await
    }

    async fn cancel(&self, job: &JobId) -> Result<Progress<()>, Error> {
        operations::cancel(&self.http, job).await
    }

    async fn dispose(&self, savepoint: &str) -> Result<(), Error> {
        operations::dispose(&self.http, savepoint).await
    }
}

/// 128 bits of SHA-256 over the parts, each with its length, as Flink writes ids. What it makes must never change: a
/// controller of a later version has to find the jobs of this one.
fn hash(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    hexadecimal(&context.finish().as_ref()[..16])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
            attempt: 3,
        }
    }

    #[test]
    fn a_job_id_stays_what_it_is_and_depends_on_every_part_of_its_launch() {
        let driver = RestDriver::new(Settings::new("http://flink:8081/")).unwrap();
        assert_eq!(driver.cluster(), "http://flink:8081");
        let id = driver.job_id(&launch());
        assert_eq!(id.as_str(), "b425dade80c955e3034cbdc3cd7dda41");
        let others = [
            Launch { owner: "9d3e2".into(), ..launch() },
            Launch { owner: "9d3eo".into(), rollout: "rders".into(), ..launch() },
            Launch { member: Member::new(Color::Blue, 2), ..launch() },
            Launch { member: Member::new(Color::Green, 1), ..launch() },
            Launch { attempt: 4, ..launch() },
        ];
        assert!(others.iter().all(|other| driver.job_id(other) != id));
    }
}

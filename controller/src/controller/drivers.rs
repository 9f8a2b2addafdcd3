//! Who runs the jobs: one driver for each cluster, kept as long as the resource is looked after.

use std::sync::Arc;

use tidegate::flink::deployment::{self, DeploymentDriver};
use tidegate::flink::rest::{self, RestDriver};
use tidegate::flink::{Driver, JobId};
use tidegate_protocol::rollout::Launch;

use super::desk::Desk;
use super::observe::Subject;
use super::problem::Problem;
use super::source::{cluster_of, launch_of, version_of};
use crate::resource::intent::source::Source;

/// Where a resource lives, and how its deployments are reached from here.
#[derive(Clone, Copy)]
pub(super) struct Home<'a> {
    pub(super) client: &'a kube::Client,
    pub(super) namespace: &'a str,
    /// Instead of the name that a REST service has within its cluster.
    pub(super) rest_address: Option<&'a str>,
}

impl Desk {
    /// Who runs the jobs of that source.
    pub(super) fn driver(
        &mut self,
        subject: &Subject<'_>,
        source: &Source,
    ) -> Result<Arc<dyn Driver>, Problem> {
        let directory = subject.intent.savepoint_directory.as_deref();
        let key = format!("{} {}", cluster_of(source), directory.unwrap_or_default());
        if let Some(driver) = self.drivers.get(&key) {
            return Ok(Arc::clone(driver));
        }
        let driver = driver_for(source, directory, subject.home)?;
        self.drivers.insert(key, Arc::clone(&driver));
        Ok(driver)
    }

    /// Who runs that launch: by what it was made from, and if that is not known, by what is active or wanted.
    pub(super) fn driver_of(
        &mut self,
        subject: &Subject<'_>,
        launch: Launch,
    ) -> Result<Arc<dyn Driver>, Problem> {
        let known = version_of(subject.record, launch);
        let known = known.and_then(|version| subject.sources.of(&version.revision));
        if let (None, Some(driver)) = (known, self.found.get(&launch)) {
            return Ok(Arc::clone(driver));
        }
        let active = || subject.sources.of(&subject.record.active.as_ref()?.revision);
        let source = known.or_else(active).unwrap_or(&subject.intent.source);
        self.driver(subject, source)
    }

    /// The job of that launch, and who runs it.
    pub(super) fn job(
        &mut self,
        subject: &Subject<'_>,
        launch: Launch,
    ) -> Result<(Arc<dyn Driver>, JobId), Problem> {
        let driver = self.driver_of(subject, launch)?;
        let job = driver.job_id(&launch_of(subject.uid, subject.name, launch));
        Ok((driver, job))
    }
}

fn driver_for(source: &Source, directory: Option<&str>, home: Home<'_>) -> Result<Arc<dyn Driver>, Problem> {
    match source {
        Source::Job(job) => {
            let settings = rest::Settings {
                savepoint_directory: directory.map(str::to_owned),
                ..rest::Settings::new(&job.url)
            };
            Ok(Arc::new(RestDriver::new(settings)?))
        }
        Source::Template(_) => {
            let mut settings = deployment::Settings::new(home.namespace);
            if let Some(address) = home.rest_address {
                settings.rest_address = address.to_owned();
            }
            Ok(Arc::new(DeploymentDriver::new(home.client.clone(), settings)?))
        }
    }
}

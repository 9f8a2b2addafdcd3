//! Who runs the jobs: one driver for each cluster, kept as long as the resource is looked after.

use std::sync::Arc;

use kube::ResourceExt as _;
use tidegate::flink::deployment::{self, DeploymentDriver};
use tidegate::flink::rest::{self, RestDriver};
use tidegate::flink::{Driver, JobId};
use tidegate_protocol::rollout::{Launch, Revision};

use super::desk::Desk;
use super::metadata;
use super::problem::Problem;
use super::source::{cluster_of, launch_of};
use super::sources::{Sources, version_of};
use super::subject::{Home, Subject};
use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::intent::Intent;
use crate::resource::intent::source::Source;

impl Desk {
    /// Who runs the jobs of that source.
    pub(super) fn driver(
        &mut self,
        subject: &Subject<'_>,
        source: &Source,
    ) -> Result<Arc<dyn Driver>, Problem> {
        let directory = subject.intent.savepoint_directory.as_deref();
        let key = key(source, directory);
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
        let known = self.known_as.get(&launch).cloned();
        let job = known.unwrap_or_else(|| driver.job_id(&launch_of(subject.uid, subject.name, launch)));
        Ok((driver, job))
    }
}

/// Tells one connection from another.
pub(super) fn key(source: &Source, directory: Option<&str>) -> String {
    format!("{} {}", cluster_of(source), directory.unwrap_or_default())
}

/// A job, who runs it, and the version that it is.
pub(crate) type Known = (String, Arc<dyn Driver>, JobId);

/// The jobs of a resource as its status names them, the active one first; for those who look or take a savepoint without being the
/// controller.
pub(crate) fn jobs_of(
    client: &kube::Client,
    rest_address: Option<&str>,
    resource: &FlinkBlueGreenDeployment,
) -> Result<Vec<Known>, Problem> {
    let (namespace, name) = (resource.namespace().unwrap_or_default(), resource.name_any());
    let uid = resource.uid().unwrap_or_default();
    let status = resource.status.clone().unwrap_or_default();
    let intent = Intent::read(&namespace, &name, &resource.spec);
    let wanted = intent.as_ref().ok().map(|intent| &intent.source);
    let sources = Sources::new(&metadata::read(resource), &status, wanted);
    let directory = resource.spec.savepoint_directory.as_deref();
    let home = Home { client: Some(client), namespace: &namespace, rest_address };
    let mut known = Vec::new();
    for member in status.active.iter().chain(&status.target) {
        let launch = member.deployment.strip_prefix(&format!("{name}-"));
        let Some(launch) = launch.and_then(|launch| launch.parse::<Launch>().ok()) else { continue };
        let revision = Revision(member.revision.clone());
        let source = sources.of(&revision).ok_or(Problem::Source { launch, revision })?;
        let driver = driver_for(source, directory, home)?;
        let job = driver.job_id(&launch_of(&uid, &name, launch));
        known.push((member.deployment.clone(), driver, job));
    }
    Ok(known)
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
            let client = home.client.ok_or(Problem::NoServer)?;
            Ok(Arc::new(DeploymentDriver::new(client.clone(), settings)?))
        }
    }
}

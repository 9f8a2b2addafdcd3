//! The planner's actions, one call each. None waits for its effect: that is seen with the next look.

use tidegate::flink::StartFrom;
use tidegate_protocol::document::Document;
use tidegate_protocol::edit;
use tidegate_protocol::identity::Member;
use tidegate_protocol::request::Request;
use tidegate_protocol::rollout::{Action, Operation, OperationKind, Savepoint, Version};
use tidegate_protocol::time::When;
use tracing::info;

use super::desk::Desk;
use super::observe::{World, operation_of};
use super::problem::Problem;
use super::source::{job_spec, launch_of, start_from};
use super::subject::Subject;

impl Desk {
    /// Does it, except for [`Action::Release`]. To do it again is right.
    pub(super) async fn execute(
        &mut self,
        subject: &Subject<'_>,
        world: &World,
        action: &Action,
    ) -> Result<(), Problem> {
        info!(resource = subject.name, action = action.kind().name(), "{action:?}");
        match action {
            Action::Snapshot { operation } => self.take(subject, *operation).await,
            Action::Stop { operation } => self.take(subject, *operation).await,
            Action::Start { version } => self.start(subject, version).await,
            Action::Promote { operation, to, hand_over } => {
                let request = Request::Promote { at: When::Now, to: Some(*to), hand_over: *hand_over };
                self.ask(world, &request, &operation.to_string()).await
            }
            Action::Withdraw { operation, attempt } => {
                let request = Request::Abort { attempt: *attempt };
                self.ask(world, &request, &operation.withdrawal(*attempt)).await
            }
            Action::Reclaim(reclaim) => {
                let change = |document: &Document| match document.owns(reclaim.by) {
                    true => Ok(None),
                    false => document.reclaim(reclaim).map(|(next, _)| Some(next)),
                };
                self.change(world, change).await
            }
            Action::Forget { member } => self.change(world, |document| forget(document, *member)).await,
            Action::Cancel { launch } => {
                let (driver, job) = self.job(subject, *launch)?;
                driver.cancel(&job).await?;
                Ok(())
            }
            Action::Delete { launch } => {
                let (driver, job) = self.job(subject, *launch)?;
                driver.delete(&job).await?;
                Ok(())
            }
            Action::ClearHighAvailability { launch } => {
                let (driver, job) = self.job(subject, *launch)?;
                driver.clear_high_availability(&job).await?;
                Ok(())
            }
            Action::Release => Ok(()),
            Action::Drop { operation, savepoint } => self.dispose(subject, *operation, savepoint).await,
        }
    }

    async fn take(&mut self, subject: &Subject<'_>, operation: Operation) -> Result<(), Problem> {
        let (driver, job) = self.job(subject, operation.launch)?;
        let name = operation_of(operation)?;
        match operation.kind {
            OperationKind::Stop => driver.stop(&job, &name).await?,
            OperationKind::Snapshot
            | OperationKind::Pin
            | OperationKind::Scheduled
            | OperationKind::Promote
            | OperationKind::Withdraw => driver.savepoint(&job, &name).await?,
        };
        Ok(())
    }

    async fn start(&mut self, subject: &Subject<'_>, version: &Version) -> Result<(), Problem> {
        let source = subject.sources.of_version(version)?;
        let driver = self.driver(subject, source)?;
        let launch = launch_of(subject.uid, subject.name, version.launch);
        let spec = job_spec(subject.name, subject.intent, version, source);
        let from: StartFrom = start_from(&version.start);
        match driver.start(&launch, &spec, &from).await {
            Ok(submission) => {
                info!(resource = subject.name, launch = %version.launch, ?submission, "started");
                Ok(())
            }
            Err(error) => {
                if !error.is_transient() && !error.is_uncertain() {
                    self.refused.insert(version.launch, error.to_string());
                }
                Err(error.into())
            }
        }
    }

    async fn dispose(
        &mut self,
        subject: &Subject<'_>,
        operation: Operation,
        savepoint: &Savepoint,
    ) -> Result<(), Problem> {
        let driver = self.driver_of(subject, operation.launch)?;
        driver.dispose(&savepoint.path).await?;
        self.disposed.insert(operation);
        Ok(())
    }

    /// Puts a request into the place of the one that was read.
    async fn ask(&mut self, world: &World, request: &Request, id: &str) -> Result<(), Problem> {
        let (Some((_, rollout)), Some(contents)) = (&self.rollout, &world.contents) else { return Ok(()) };
        let keys = tidegate_agent::readable(&contents.sheet).map_err(tidegate_agent::Error::from)?;
        let asked = edit::ask(keys, request, id).map_err(tidegate_agent::Error::from)?;
        rollout.write_sheet(&contents.sheet, &asked).await?;
        Ok(())
    }

    /// Changes the document that was read.
    async fn change(
        &mut self,
        world: &World,
        change: impl FnOnce(&Document) -> Result<Option<Document>, tidegate_protocol::document::NotAllowed>,
    ) -> Result<(), Problem> {
        let (Some((_, rollout)), Some(contents)) = (&self.rollout, &world.contents) else { return Ok(()) };
        let Some((document, version)) = &contents.document else { return Ok(()) };
        if let Some(next) = change(document)? {
            rollout.write_document(Some(version), &next).await?;
        }
        Ok(())
    }
}

fn forget(
    document: &Document,
    member: Member,
) -> Result<Option<Document>, tidegate_protocol::document::NotAllowed> {
    if document.gone.contains(&member) || !document.owns(member) {
        return Ok(None);
    }
    document.forget(member).map(Some)
}

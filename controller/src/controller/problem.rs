//! What can keep the controller from going on with a resource. Nothing of the running job is touched because of it.

use tidegate_protocol::rollout::{Launch, Revision};

use crate::resource::problem::Invalid;

/// Why a look at a resource did not come to its end. The text starts with the code and ends with the way out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The API server.
    #[error("{}: the API server did not do it: {_0}; it is tried again", self.code())]
    Api(#[source] kube::Error),
    /// A cluster, or a job.
    #[error(transparent)]
    Flink(#[from] tidegate::flink::Error),
    /// The rollout's store.
    #[error(transparent)]
    Store(#[from] tidegate_agent::Error),
    /// The resource cannot be followed.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A request in the annotation.
    #[error("{}: {_0}", self.code())]
    Ask(crate::resource::problem::Problem),
    /// The record is of another form.
    #[error("{}: status.record cannot be read: {_0}; run the version of tidegate that wrote it, or restore the status from a \
             copy; nothing is started or stopped meanwhile", self.code())]
    Record(String),
    /// The store holds the document of something else.
    #[error("{}: {store} holds the cutover document of rollout {found:?}; give each resource a store of its own", self.code())]
    OtherRollout {
        /// The store.
        store: String,
        /// Whose document it is.
        found: String,
    },
    /// What a version was made from is not known any more.
    #[error("{}: what {launch} was made from (revision {revision}) is not known any more; put it into the spec again, or restore \
             status.revisions from a copy", self.code())]
    Source {
        /// The version.
        launch: Launch,
        /// What it was made from.
        revision: Revision,
    },
    /// A job came to be another one than was asked for.
    #[error("{}: {launch} runs, but not as it was asked for: {differences}; correct the job's program or the spec", self.code())]
    Different {
        /// Which.
        launch: Launch,
        /// Setting by setting.
        differences: String,
    },
    /// It is let go although something of it may be left.
    #[error("{}: {_0} is deleted, and something of it could not be ended in time: look for jobs of that name on its cluster", self.code())]
    LeftBehind(String),
    /// A deployment without an API server.
    #[error("{}: deployments need an API server; write spec.job instead of spec.template", self.code())]
    NoServer,
    /// An operation has a name that no driver takes.
    #[error("{}: {_0}", self.code())]
    Name(String),
    /// The document does not allow what was planned.
    #[error("{}: {_0}; look at the cutover document with tidegate status", self.code())]
    NotAllowed(#[from] tidegate_protocol::document::NotAllowed),
    /// Somebody cannot be told of anything.
    #[error("{}: channel {channel} of spec.notifications: {why}; it is tried again", self.code())]
    Notification {
        /// Which.
        channel: String,
        /// What is wrong; nothing secret.
        why: String,
    },
    /// The status cannot be written as JSON.
    #[error("{}: {_0}", self.code())]
    Status(#[from] serde_json::Error),
}

impl Problem {
    /// The stable name, in logs, events and conditions.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Problem::Api(_) => "ApiServer",
            Problem::Flink(error) => error.code(),
            Problem::Store(error) => error.code(),
            Problem::Invalid(_) => Invalid::CODE,
            Problem::Ask(_) => "RequestUnreadable",
            Problem::Record(_) => "RecordUnreadable",
            Problem::OtherRollout { .. } => "OtherRollout",
            Problem::Source { .. } => "RevisionUnknown",
            Problem::Different { .. } => "JobNotAsAsked",
            Problem::LeftBehind(_) => "LeftBehind",
            Problem::NoServer => "NoServer",
            Problem::Name(_) => "OperationUnreadable",
            Problem::NotAllowed(_) => "NotAllowed",
            Problem::Notification { .. } => "NotificationFailing",
            Problem::Status(_) => "StatusUnwritable",
        }
    }

    /// Another write came first: to be looked at again, and not worth a word.
    pub(super) fn is_conflict(&self) -> bool {
        match self {
            Problem::Api(kube::Error::Api(status)) => status.code == 409,
            Problem::Store(error) => error.is_conflict(),
            Problem::Api(_)
            | Problem::Flink(_)
            | Problem::Invalid(_)
            | Problem::Ask(_)
            | Problem::Record(_)
            | Problem::OtherRollout { .. }
            | Problem::Source { .. }
            | Problem::Different { .. }
            | Problem::LeftBehind(_)
            | Problem::NoServer
            | Problem::Name(_)
            | Problem::NotAllowed(_)
            | Problem::Notification { .. }
            | Problem::Status(_) => false,
        }
    }
}

impl From<kube::Error> for Problem {
    fn from(error: kube::Error) -> Problem {
        Problem::Api(error)
    }
}

impl From<tidegate_store::Error> for Problem {
    fn from(error: tidegate_store::Error) -> Problem {
        Problem::Store(error.into())
    }
}

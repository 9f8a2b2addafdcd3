//! What can go wrong with a cluster or a job, in words for the person who has to do something about it.

use std::fmt;
use std::time::Duration;

use super::JobId;

/// Why a call failed. The text starts with [`code`](Self::code), says what was asked and where, and ends with the way out.
/// It holds no credentials; what Flink or the job's program says is cut.
#[derive(Debug)]
pub struct Error {
    cluster: String,
    asked: String,
    problem: Box<Problem>,
    /// All that Flink said, for those who look for more than the root cause.
    trace: String,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// What was configured cannot be an address, certificate or credential.
    Unusable {
        /// What is wrong with it.
        reason: String,
    },
    /// There is no connection, or it broke.
    Unreachable {
        /// How it broke.
        reason: String,
        /// Whether the cluster may have got the request.
        sent: bool,
    },
    /// No answer in time.
    Slow {
        /// How long it was waited for.
        after: Duration,
        /// Whether the cluster may have got the request.
        sent: bool,
    },
    /// It answers with an error of its own.
    Broken {
        /// The HTTP status.
        status: u16,
        /// The root cause that it tells.
        reason: String,
    },
    /// It demands other credentials, or none are enough.
    Denied {
        /// The HTTP status.
        status: u16,
    },
    /// It does not do what was asked.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The root cause that it tells.
        reason: String,
    },
    /// The answer is not one of Flink, or not one that is known here.
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// A version of Flink that this was not built for.
    Version {
        /// The version that it tells.
        version: String,
    },
    /// The cluster takes no jars.
    NoSubmission,
    /// There is no such job; it may have been, in an earlier JobManager.
    JobNotFound {
        /// The id.
        job: JobId,
    },
    /// Several jobs that have not ended have the name.
    AmbiguousName {
        /// The name.
        name: String,
        /// All of them.
        jobs: Vec<JobId>,
    },
    /// The jar cannot be read here.
    Jar {
        /// As it was given.
        jar: String,
        /// Why.
        reason: String,
    },
    /// The cluster has lost the jar between its upload and the start.
    JarLost,
    /// The job's program failed before it had submitted its job.
    Program {
        /// Its root cause.
        reason: String,
    },
    /// The snapshot is not there, or is none.
    Snapshot {
        /// Its path.
        path: String,
        /// The root cause.
        reason: String,
    },
    /// The snapshot has state that the job has no operator for.
    StateNotTaken {
        /// Its path.
        path: String,
        /// The root cause, with the operator.
        reason: String,
    },
    /// Fewer slots are free than the job needs.
    Slots {
        /// How many it needs.
        needed: u32,
        /// How many are free.
        free: u32,
        /// How many there are.
        slots: u32,
    },
    /// The job of this launch has failed.
    JobFailed {
        /// Its id.
        job: JobId,
        /// Its root cause.
        cause: String,
    },
    /// The cluster knows that this launch was started and has ended, and nothing more about it.
    LaunchUsed {
        /// The id that it had.
        job: JobId,
    },
    /// There is a resource of the launch's name that is not its.
    NotOurs {
        /// The name.
        job: JobId,
        /// Whose it is.
        found: String,
    },
    /// What was asked for is for a job that has ended, and this one has not, as far as is known.
    NotEnded {
        /// Its id.
        job: JobId,
    },
    /// The template of a deployment cannot be used.
    Template {
        /// The field, as it stands in a FlinkDeployment.
        field: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        way_out: &'static str,
    },
    /// The API server does not do what was asked, or cannot be asked.
    Kubernetes {
        /// The HTTP status; none without an answer.
        status: Option<u16>,
        /// Its own words, or how the connection broke.
        reason: String,
        /// Whether the request would have changed something.
        sent: bool,
    },
    /// The cluster started another job than the one that was asked for; it was cancelled.
    NotAsAsked {
        /// The id that was asked for.
        job: JobId,
        /// The id that it told.
        found: JobId,
    },
}

impl Error {
    pub(super) fn new(cluster: &str, asked: impl Into<String>, problem: Problem) -> Error {
        Error {
            cluster: cluster.to_owned(),
            asked: asked.into(),
            problem: Box::new(problem),
            trace: String::new(),
        }
    }

    pub(super) fn with_trace(self, trace: String) -> Error {
        Error { trace, ..self }
    }

    pub(super) fn trace(&self) -> &str {
        &self.trace
    }

    /// What is wrong, for those who decide by it.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The stable code, the same in CLI, events, conditions and metrics.
    pub fn code(&self) -> &'static str {
        match *self.problem {
            Problem::Unusable { .. } => "FlinkAddressUnusable",
            Problem::Unreachable { .. } => "FlinkUnreachable",
            Problem::Slow { .. } => "FlinkSlow",
            Problem::Broken { .. } => "FlinkBroken",
            Problem::Denied { .. } => "FlinkDenied",
            Problem::Refused { .. } => "FlinkRefused",
            Problem::Unreadable { .. } => "FlinkUnreadable",
            Problem::Version { .. } => "FlinkVersionUnsupported",
            Problem::NoSubmission => "FlinkTakesNoJars",
            Problem::JobNotFound { .. } => "JobNotFound",
            Problem::AmbiguousName { .. } => "JobNameAmbiguous",
            Problem::Jar { .. } => "JarUnreadable",
            Problem::JarLost => "JarLost",
            Problem::Program { .. } => "ProgramFailed",
            Problem::Snapshot { .. } => "SnapshotUnreadable",
            Problem::StateNotTaken { .. } => "StateNotTaken",
            Problem::Slots { .. } => "TooFewSlots",
            Problem::JobFailed { .. } => "JobFailed",
            Problem::LaunchUsed { .. } => "LaunchUsed",
            Problem::NotOurs { .. } => "DeploymentNotOurs",
            Problem::NotEnded { .. } => "JobNotEnded",
            Problem::Template { .. } => "TemplateUnusable",
            Problem::Kubernetes { .. } => "KubernetesRefused",
            Problem::NotAsAsked { .. } => "JobNotAsAsked",
        }
    }

    /// Whether the very same call may succeed later although its caller changes nothing.
    pub fn is_transient(&self) -> bool {
        match *self.problem {
            Problem::Kubernetes { status, .. } => is_of_the_server(status),
            Problem::Unreachable { .. }
            | Problem::Slow { .. }
            | Problem::Broken { .. }
            | Problem::JarLost
            | Problem::Slots { .. } => true,
            Problem::Unusable { .. }
            | Problem::Denied { .. }
            | Problem::Refused { .. }
            | Problem::Unreadable { .. }
            | Problem::Version { .. }
            | Problem::NoSubmission
            | Problem::JobNotFound { .. }
            | Problem::AmbiguousName { .. }
            | Problem::Jar { .. }
            | Problem::Program { .. }
            | Problem::Snapshot { .. }
            | Problem::StateNotTaken { .. }
            | Problem::JobFailed { .. }
            | Problem::LaunchUsed { .. }
            | Problem::NotOurs { .. }
            | Problem::NotEnded { .. }
            | Problem::Template { .. }
            | Problem::NotAsAsked { .. } => false,
        }
    }

    /// Whether what was asked may have happened, or may still happen. To ask the same again makes it certain; to look
    /// does not, since a program that builds its job graph shows nothing until it has.
    pub fn is_uncertain(&self) -> bool {
        match *self.problem {
            Problem::Unreachable { sent, .. } | Problem::Slow { sent, .. } => sent,
            Problem::Kubernetes { status, sent, .. } => sent && is_of_the_server(status),
            // A proxy answers so for a cluster that is at work.
            Problem::Broken { .. } | Problem::Unreadable { .. } => true,
            Problem::Unusable { .. }
            | Problem::Denied { .. }
            | Problem::Refused { .. }
            | Problem::Version { .. }
            | Problem::NoSubmission
            | Problem::JobNotFound { .. }
            | Problem::AmbiguousName { .. }
            | Problem::Jar { .. }
            | Problem::JarLost
            | Problem::Program { .. }
            | Problem::Snapshot { .. }
            | Problem::StateNotTaken { .. }
            | Problem::Slots { .. }
            | Problem::JobFailed { .. }
            | Problem::LaunchUsed { .. }
            | Problem::NotOurs { .. }
            | Problem::NotEnded { .. }
            | Problem::Template { .. }
            | Problem::NotAsAsked { .. } => false,
        }
    }
}

/// No answer, an answer of its trouble, or one of too many requests or a conflict: the same request may pass later.
fn is_of_the_server(status: Option<u16>) -> bool {
    status.is_none_or(|status| status >= 500 || status == 429 || status == 409)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot {} at {}: {}", self.code(), self.asked, self.cluster, self.problem)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unusable { reason } => write!(f, "{reason}"),
            Problem::Unreachable { reason, .. } => write!(
                f,
                "there is no connection ({reason}): check the address and that the JobManager runs; it is tried again"
            ),
            Problem::Slow { after, .. } => write!(
                f,
                "no answer within {after:?}: look whether the JobManager is overloaded, or raise the deadline; it is tried again"
            ),
            Problem::Broken { status, reason } => write!(
                f,
                "it answers {status} ({reason}): look into the log of the JobManager; it is tried again"
            ),
            Problem::Denied { status } => {
                write!(f, "it answers {status}: check user, password, token and client certificate")
            }
            Problem::Refused { status, reason } => write!(f, "it answers {status}: {reason}"),
            Problem::Unreadable { reason } => write!(
                f,
                "{reason}: check that the address is the REST address of a JobManager, and what stands between"
            ),
            Problem::Version { version } => {
                write!(f, "it is Flink {version}: 1.20 and 2.x are supported")
            }
            Problem::NoSubmission => {
                write!(
                    f,
                    "it takes no jars: set web.submit.enable to true, and have flink-runtime-web in its lib folder"
                )
            }
            Problem::JobNotFound { job } => write!(
                f,
                "it has no job {job}: check the id; without high availability a JobManager forgets all jobs when it restarts"
            ),
            Problem::AmbiguousName { name: _, jobs } => {
                let ids: Vec<&str> = jobs.iter().map(JobId::as_str).collect();
                write!(
                    f,
                    "{} running jobs have this name: {}: name the one that is meant by its id, or end the other one",
                    jobs.len(),
                    ids.join(", ")
                )
            }
            Problem::Jar { jar, reason } => {
                write!(
                    f,
                    "the jar {jar:?} cannot be read: {reason}: name a jar file that the controller can read"
                )
            }
            Problem::JarLost => {
                write!(
                    f,
                    "the jar is gone since it was uploaded: set web.upload.dir to a folder that stays; it is tried again"
                )
            }
            Problem::Program { reason } => write!(
                f,
                "its program failed before there was a job: {reason}: mend the program, its class or its arguments"
            ),
            Problem::Snapshot { path, reason } => write!(
                f,
                "the snapshot {path:?} cannot be read: {reason}: check that it is complete, and that the cluster can read it"
            ),
            Problem::StateNotTaken { path, reason } => write!(
                f,
                "the job does not take all state of the snapshot {path:?}: {reason}: give the operator its old uid, \
                 or allow non-restored state"
            ),
            Problem::Slots { needed, free, slots } => write!(
                f,
                "it needs {needed} slots, and {free} of {slots} are free: add TaskManagers or lower the parallelism; \
                 it is tried again"
            ),
            Problem::JobFailed { job, cause } => {
                write!(f, "its job {job} has failed: {cause}: mend the cause, and start it as a new attempt")
            }
            Problem::LaunchUsed { job } => write!(
                f,
                "the cluster has had its job {job}, and nothing is known of how it ended: start it as a new attempt"
            ),
            Problem::NotOurs { job, found } => write!(
                f,
                "there is a FlinkDeployment {job} already, and it is {found}: delete it, or give the rollout another name"
            ),
            Problem::NotEnded { job } => {
                write!(f, "the job {job} has not ended, as far as is known: stop or cancel it first")
            }
            Problem::Template { field, reason, way_out } => write!(f, "{field}: {reason}: {way_out}"),
            Problem::Kubernetes { status: Some(status @ (401 | 403)), reason, .. } => write!(
                f,
                "the API server answers {status} ({reason}): give the controller's account this right"
            ),
            Problem::Kubernetes { status: Some(404), reason, .. } => write!(
                f,
                "the API server answers 404 ({reason}): install the CRDs of Apache's Flink operator"
            ),
            Problem::Kubernetes { status: Some(status), reason, .. } => {
                write!(f, "the API server answers {status}: {reason}")
            }
            Problem::Kubernetes { status: None, reason, .. } => write!(
                f,
                "the API server cannot be asked ({reason}): check that it runs and can be reached; it is tried again"
            ),
            Problem::NotAsAsked { job, found } => write!(
                f,
                "the job got the id {found} instead of {job}, and was cancelled: check the version of Flink and what \
                 stands between"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_cluster_job_what_was_asked_and_the_way_out() {
        let problem = Problem::Slots { needed: 5, free: 1, slots: 4 };
        let error = Error::new("http://flink:8081", "start orders green-2, attempt 1", problem);
        assert_eq!(
            error.to_string(),
            "TooFewSlots: cannot start orders green-2, attempt 1 at http://flink:8081: it needs 5 slots, and 1 of 4 are \
             free: add TaskManagers or lower the parallelism; it is tried again"
        );
        assert!(error.is_transient() && !error.is_uncertain());
    }
}

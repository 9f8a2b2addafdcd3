//! From what a driver tells of a job to what the planner takes.

use tidegate::flink::{self, Driver, JobId, JobState, Status};
use tidegate_protocol::identity::{CheckpointId, Member, Snapshot};
use tidegate_protocol::rollout::{Checkpoints, Deployment, End, Job, Launch, Revision, Savepoint, Scale};

/// How much of an exception is shown.
const EXCEPTION: usize = 400;

/// One launch, as it is now; `None`: its cluster knows nothing of it.
pub(super) async fn look(
    driver: &dyn Driver,
    job: &JobId,
    launch: Launch,
    revision: &Revision,
    ran: bool,
) -> Result<Option<Deployment>, flink::Error> {
    let Some(status) = driver.status(job).await? else { return Ok(None) };
    // A job that is just being made has no statistics yet, and one whose cluster went with it has none any more.
    let has_ended = status.state.has_ended();
    let is_excused = if has_ended { driver.makes_clusters() } else { !status.is_running() };
    let failures = match driver.failures(job).await {
        Err(_) if is_excused => Vec::new(),
        told => told?,
    };
    let checkpoints = match driver.checkpoints(job).await {
        Err(_) if is_excused => None,
        told => Some(told?),
    };
    let exception = failures.first().map(|failure| cut(&failure.cause));
    Ok(Some(Deployment {
        revision: revision.clone(),
        job: job_of(&status, ran, exception.as_deref()),
        // In its first seconds the metric is not there; each restart has a failure.
        restarts: status.restarts.unwrap_or(failures.len() as u64),
        exception,
        checkpoints: checkpoints
            .map(|told| checkpoints_of(&told, launch.member, status.state))
            .unwrap_or_default(),
        scale: driver.scale(job).await?.map(scale).or_else(|| scale_of(&status)),
        high_availability: driver.has_high_availability(job).await?,
    }))
}

/// One that cannot be looked at.
pub(super) fn unknown(revision: &Revision) -> Deployment {
    with_job(revision, Job::Unknown)
}

/// One whose start was refused for good.
pub(super) fn refused(revision: &Revision, reason: &str) -> Deployment {
    with_job(revision, Job::Ended(End::Failed(reason.to_owned())))
}

fn with_job(revision: &Revision, job: Job) -> Deployment {
    Deployment {
        revision: revision.clone(),
        job,
        restarts: 0,
        exception: None,
        checkpoints: Checkpoints::default(),
        scale: None,
        high_availability: false,
    }
}

fn job_of(status: &Status, ran: bool, exception: Option<&str>) -> Job {
    match status.state {
        JobState::Running if status.is_running() => Job::Running,
        JobState::Finished => Job::Ended(End::Finished),
        JobState::Canceled => Job::Ended(End::Canceled),
        JobState::Failed => Job::Ended(End::Failed(exception.unwrap_or("its cause is not told").to_owned())),
        JobState::Initializing
        | JobState::Created
        | JobState::Running
        | JobState::Failing
        | JobState::Cancelling
        | JobState::Restarting
        | JobState::Suspended
        | JobState::Reconciling => {
            if ran {
                Job::Restarting
            } else {
                Job::Starting
            }
        }
    }
}

fn checkpoints_of(told: &flink::Checkpoints, member: Member, state: JobState) -> Checkpoints {
    // A checkpoint is the job's own, and may go with it.
    let is_kept = state != JobState::Canceled || told.kept_when_cancelled;
    let completed = told.completed.iter().filter(|_| is_kept);
    let newest = completed.chain(&told.savepoint).filter(|one| one.restorable.is_some());
    let newest = newest.max_by_key(|one| one.id).and_then(|one| {
        let snapshot = Snapshot { member, checkpoint: one.id };
        Some(Savepoint { snapshot, path: one.restorable.clone()? })
    });
    Checkpoints { completed: told.counts.completed, failed: told.counts.failed, newest }
}

fn scale(told: flink::Scale) -> Scale {
    let flink::Scale { parallelism, job_managers, task_managers } = told;
    Scale { parallelism, job_managers, task_managers }
}

fn scale_of(status: &Status) -> Option<Scale> {
    let largest = status.vertices.iter().map(|vertex| vertex.parallelism).max();
    let parallelism = status.parallelism.or(largest);
    parallelism.map(|parallelism| Scale { parallelism: Some(parallelism), ..Scale::default() })
}

/// The savepoint at that path, with its number: the newest ones are remembered by the job.
pub(super) fn numbered(told: &flink::Checkpoints, member: Member, path: &str) -> Option<Savepoint> {
    let mut all = told.savepoint.iter().chain(&told.recent);
    let found = all.find(|one| one.restorable.as_deref().is_some_and(|known| is_same(known, path)))?;
    Some(Savepoint { snapshot: Snapshot { member, checkpoint: found.id }, path: path.to_owned() })
}

/// The savepoint at that path, when nobody can tell its number any more.
pub(super) fn unnumbered(member: Member, path: String) -> Savepoint {
    Savepoint { snapshot: Snapshot { member, checkpoint: CheckpointId(0) }, path }
}

/// Flink writes the scheme of a path with one slash or with three.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |path: &str| path.replace(":///", ":/").trim_end_matches('/').to_owned();
    plain(one) == plain(other)
}

fn cut(text: &str) -> String {
    text.chars().take(EXCEPTION).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tidegate::flink::{Checkpoint, Counts, Vertex};
    use tidegate_protocol::identity::Color;

    use super::*;

    const BLUE: Member = Member::new(Color::Blue, 1);

    fn status(state: JobState, running: u32) -> Status {
        let subtasks = BTreeMap::from([("RUNNING".to_owned(), running)]);
        let vertex = Vertex { id: "v".to_owned(), name: "map".to_owned(), parallelism: 2, subtasks };
        Status { name: "n".to_owned(), state, parallelism: None, restarts: None, vertices: vec![vertex] }
    }

    fn checkpoint(id: u64, path: &str) -> Checkpoint {
        Checkpoint { id: CheckpointId(id), at_ms: 0, restorable: Some(path.to_owned()) }
    }

    fn checkpoints(kept_when_cancelled: bool) -> flink::Checkpoints {
        flink::Checkpoints {
            counts: Counts { restored: 0, in_progress: 0, completed: 7, failed: 1 },
            completed: Some(checkpoint(9, "file:/c/9")),
            savepoint: Some(checkpoint(8, "file:/s/8")),
            failed: None,
            recent: vec![checkpoint(9, "file:/c/9"), checkpoint(5, "file:/s/5")],
            restored: None,
            kept_when_cancelled,
        }
    }

    #[test]
    fn a_job_runs_only_when_all_its_subtasks_do_and_ends_only_in_a_last_state() {
        assert_eq!(job_of(&status(JobState::Running, 2), false, None), Job::Running);
        assert_eq!(job_of(&status(JobState::Running, 1), false, None), Job::Starting);
        assert_eq!(job_of(&status(JobState::Running, 1), true, None), Job::Restarting);
        for state in [JobState::Suspended, JobState::Reconciling, JobState::Failing, JobState::Cancelling] {
            assert!(!job_of(&status(state, 0), true, None).has_ended(), "{state:?}");
        }
        let failed = job_of(&status(JobState::Failed, 0), true, Some("no such class"));
        assert_eq!(failed, Job::Ended(End::Failed("no such class".to_owned())));
    }

    #[test]
    fn the_newest_state_of_a_cancelled_job_is_a_checkpoint_only_where_those_are_kept() {
        let newest = |kept, state| checkpoints_of(&checkpoints(kept), BLUE, state).newest.unwrap().path;
        assert_eq!(newest(false, JobState::Running), "file:/c/9");
        assert_eq!(newest(true, JobState::Canceled), "file:/c/9");
        assert_eq!(newest(false, JobState::Canceled), "file:/s/8");
    }

    #[test]
    fn a_savepoint_gets_its_number_by_its_path_however_that_is_written() {
        let found = numbered(&checkpoints(true), BLUE, "file:///s/5").unwrap();
        assert_eq!((found.snapshot.checkpoint, found.path.as_str()), (CheckpointId(5), "file:///s/5"));
        assert_eq!(numbered(&checkpoints(true), BLUE, "file:/s/6"), None);
    }

    #[test]
    fn a_size_that_nobody_tells_is_that_of_the_largest_vertex() {
        assert_eq!(scale_of(&status(JobState::Running, 2)).unwrap().parallelism, Some(2));
        let told = Status { parallelism: Some(4), ..status(JobState::Running, 2) };
        assert_eq!(scale_of(&told).unwrap().parallelism, Some(4));
    }
}

//! Why a world does not come to rest, for the one who reads its log.

use std::collections::BTreeMap;

use tidegate_protocol::conductor::{Observation, Seen, conduct};

use super::World;

impl World {
    /// What the conductor waits for, and where every task is.
    pub(super) fn tell_why(&mut self) {
        if self.told.is_none() {
            return;
        }
        let seen = |slot: &super::super::store::Slot| {
            let report = slot.versions.back()?.1.report.clone();
            Some((slot.member, Seen { report, silent_ms: 0 }))
        };
        let reports: BTreeMap<_, _> = self.store.slots.iter().filter_map(seen).collect();
        let mut why = Vec::new();
        if let Some((_, document)) = &self.store.document {
            let (asked, now) = (self.store.asked.as_ref(), self.jobs[0].agent.clock.at(self.now));
            why.push(format!("{document:?}"));
            let observation = Observation { document, reports: &reports, asked, paused: false, now };
            why.push(format!("{:#?}", conduct(observation)));
        }
        for job in &self.jobs {
            let pending = job.pending.as_ref().map(|pending| pending.id);
            let (member, trouble) = (job.member, job.agent.state.trouble());
            why.push(format!("{member} read {:?}, pending {pending:?}, {trouble:?}", job.read));
            for (at, task) in job.tasks.iter().enumerate() {
                let mut status = task.machine.status();
                status.snapshots.drain(..status.snapshots.len().saturating_sub(1));
                let (finished, commits) = (task.finished, job.commits[at].len());
                why.push(format!("{member} {at} finished {finished}, {commits} to commit: {status:?}"));
            }
        }
        self.tell(|| why.join("\n"));
    }
}

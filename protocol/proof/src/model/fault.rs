//! What fails, and that it may not fail more often than the scenario says.

use super::action::Fault;
use super::run::Run;

impl Run<'_> {
    /// Something fails; returns whether anything has changed.
    pub(super) fn fail(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Restart(at) => {
                self.state.left.restarts -= 1;
                self.restart_task(at);
            }
            Fault::Failover { job, parallelism, new_agent } => {
                let left = &mut self.state.left;
                *(if new_agent { &mut left.failovers } else { &mut left.resets }) -= 1;
                self.restart_job(usize::from(job), parallelism, new_agent);
            }
            Fault::FreeCheckpoint(job) => {
                self.state.left.checkpoints -= 1;
                self.trigger(usize::from(job));
            }
            Fault::Deadline => {
                self.state.left.deadlines -= 1;
                self.time_passes();
            }
            Fault::Delay(at) => {
                self.state.left.strays -= 1;
                self.delay(at);
            }
            Fault::Stray(who) => {
                self.deliver_stray(who);
                // Its agent may report before the next one arrives.
                self.round(who);
            }
            Fault::Repeat(at) => {
                self.state.left.repeats = self.state.left.repeats.saturating_sub(1);
                self.follow(at, true);
            }
            Fault::LoseOrder(at) => {
                self.state.left.losses -= 1;
                self.restart_task(at);
            }
            Fault::Crash(conductor) => {
                self.state.conductors.remove(usize::from(conductor));
            }
            Fault::LoseWrite(conductor) => {
                self.state.left.ghosts -= 1;
                self.lose_write(usize::from(conductor));
            }
            Fault::LoseReport(who) => {
                self.state.left.ghosts -= 1;
                self.lose_report(who);
            }
            Fault::Haunt => self.haunt(),
            Fault::DecideOnOld(member) => {
                self.state.left.stale_reads -= 1;
                return self.decide(Some(member));
            }
            Fault::FetchEarly(who) => self.fetch(who, false, false),
            Fault::FetchOld(who) => self.fetch(who, true, false),
            Fault::FetchSlowly(who) => {
                self.state.left.slow_reads -= 1;
                self.fetch(who, false, true);
            }
            Fault::Die => {
                self.state.left.deaths -= 1;
                let green = &mut self.state.jobs[1];
                green.stopped = true;
                green.former = None;
                green.commits.clear();
            }
        }
        true
    }
}

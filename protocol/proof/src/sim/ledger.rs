//! What has become of every record, and what may.

use tidegate_protocol::document::{Document, HandOver};
use tidegate_protocol::order::Disposition;
use tidegate_protocol::time::EventTime;

use super::job::Job;
use super::log::{Log, Stamp, partition_of};
use super::plan::{Plan, Sink};
use super::tally::Tally;
use super::task::{Disposed, Item};
use crate::properties::{self, Boundary, Fate, Violation};

/// One record's account, beside its fate.
#[derive(Clone, Copy, Debug)]
struct Account {
    time: EventTime,
    key: u32,
    /// The guarantee covers it: its time can be used.
    covered: bool,
    /// `settled` of the order under which it was disposed of first.
    settled: Option<EventTime>,
    /// The late policy dropped it.
    dropped: bool,
    /// It may be lost: a reclaim left it behind.
    left_behind: bool,
    /// It was behind its subtask's watermark, or its partition had rested, in these jobs: bits by their numbers.
    tardy_in: u64,
    /// The same, and further behind than the allowed lateness.
    late_in: u64,
    /// It was held when its job came back with another parallelism, perhaps in another task than the one that reads its
    /// partition now, so that nothing says which of its key's values goes first.
    moved: bool,
    /// It was shown, and may be shown once more: a reclaim repeats it.
    may_repeat: bool,
    /// How often it was shown.
    shown: u8,
    /// How often a failure explains that it is shown once more.
    failures: u8,
    /// The job that showed it last.
    by: u8,
}

/// What is known of a member that is dead for good.
#[derive(Debug)]
pub struct Dead<'a> {
    /// Its job, as it was in the end.
    pub job: &'a Job,
    /// Partitions that rested in the report by which it is known how far its output goes: that says nothing of them.
    pub rests: &'a [bool],
    /// What it has not read yet.
    pub log: &'a Log,
    /// Who owns what now.
    pub document: &'a Document,
}

impl Dead<'_> {
    /// Whether it is, or was before the past was settled, this one's to show a record.
    fn answers_for(&self, time: EventTime) -> bool {
        time < self.document.settled || self.document.owner_of(time) == self.job.member
    }

    /// Whether a record that it has not shown was late for it by more than this, or its input had rested.
    fn missed(&self, id: u32, account: &Account, lateness_ms: i64) -> bool {
        let Account { time, dropped, .. } = *account;
        let (job, partition) = (self.job, partition_of(account.key));
        let exact = lateness_ms == 0;
        let known = if exact { account.tardy_in } else { account.late_in } >> bit(job) & 1 == 1;
        let late = |item: &Item| item.id == id && if exact { !item.on_time } else { item.late };
        let mut held = job.tasks.iter().flat_map(|task| task.machine.held());
        let held = held.any(|held| late(&held.record));
        let next = self.log.partitions[partition].records.get(job.read[partition]);
        let unread = next.is_some_and(|next| next.id <= id);
        let rests = self.rests.get(partition).is_some_and(|rests| *rests) || time < job.rested[partition];
        let passed = job.watermark_of(partition).plus(-lateness_ms);
        known || held || dropped || (unread && time < passed) || (rests && self.answers_for(time))
    }
}

/// A job's place in a set of jobs.
fn bit(job: &Job) -> u8 {
    job.number % 64
}

/// The ledger of all records.
#[derive(Debug)]
pub struct Ledger {
    fates: Vec<Fate>,
    accounts: Vec<Account>,
    /// The newest visible record of each key.
    newest: Vec<Option<u32>>,
    /// Boundaries that were committed.
    pub boundaries: Vec<Boundary>,
    /// Whether values of a key must become visible in order.
    keeps_order: bool,
    at_once: bool,
    lateness_ms: i64,
}

impl Ledger {
    /// An empty one.
    pub fn new(log: &Log, plan: &Plan) -> Ledger {
        let nothing = Account {
            time: EventTime::MIN,
            key: 0,
            covered: false,
            settled: None,
            dropped: false,
            left_behind: false,
            tardy_in: 0,
            late_in: 0,
            moved: false,
            may_repeat: false,
            shown: 0,
            failures: 0,
            by: 0,
        };
        let mut accounts = vec![nothing; log.total];
        for record in log.partitions.iter().flat_map(|partition| &partition.records) {
            let (time, covered) = (EventTime::from_millis(record.time), record.is_covered());
            accounts[record.id as usize] = Account { time, key: record.key, covered, ..nothing };
        }
        Ledger {
            fates: vec![Fate::default(); log.total],
            accounts,
            newest: vec![None; log.keys],
            boundaries: Vec::new(),
            keeps_order: plan.sink != Sink::AtOnce,
            at_once: plan.sink == Sink::AtOnce,
            lateness_ms: plan.settings.lateness_ms,
        }
    }

    /// A gate has disposed of a record; `settled` is that of the order. Records whose input had rested are late, also those that
    /// were read before and have waited for an order since.
    pub fn disposed(
        &mut self,
        disposed: &Disposed,
        settled: EventTime,
        job: &Job,
        tally: &mut Tally,
    ) -> Result<(), Violation> {
        let Disposed { item, disposition, .. } = *disposed;
        let record = item.id as usize;
        tally.decisions += 1;
        match item.stamp {
            Stamp::Time => {}
            Stamp::Nothing => tally.untimed += 1,
            Stamp::Poison => tally.poisoned += 1,
        }
        if item.stamp != Stamp::Time || item.far {
            self.accounts[record].covered = false;
            return Ok(());
        }
        let (fate, account) = (&mut self.fates[record], &mut self.accounts[record]);
        // A record below `settled` meets the first owner's late policy, and each settle has another first owner: two orders with
        // another `settled` are before and after one, too.
        fate.before_settle |=
            settled <= account.time || account.settled.is_some_and(|other| other != settled);
        fate.after_settle |= settled > account.time;
        account.settled = account.settled.or(Some(settled));
        let late = item.late || account.time < job.rested[partition_of(account.key)];
        fate.late |= late;
        account.late_in |= u64::from(late) << bit(job);
        account.tardy_in |= u64::from(late || !item.on_time) << bit(job);
        match disposition {
            Disposition::LateEmit | Disposition::LateDrop | Disposition::LateSideOutput => {
                tally.late += 1;
                let dropped = disposition != Disposition::LateEmit;
                account.dropped |= dropped;
                tally.dropped += u64::from(dropped);
                properties::only_late_records_meet_the_late_policy(record, late)
            }
            Disposition::Emit | Disposition::Discard | Disposition::LateDiscard | Disposition::Hold => Ok(()),
        }
    }

    /// A record of a job becomes visible.
    pub fn shown(
        &mut self,
        id: u32,
        job: &Job,
        document: Option<&Document>,
        tally: &mut Tally,
    ) -> Result<(), Violation> {
        let record = id as usize;
        let (fate, account) = (&mut self.fates[record], &mut self.accounts[record]);
        account.shown = account.shown.saturating_add(1);
        account.by = job.number;
        if !account.covered {
            return Ok(());
        }
        fate.visible += u32::from(!std::mem::take(&mut account.may_repeat));
        properties::visible_at_most_once(record, fate)?;
        if self.at_once && !fate.may_deviate() {
            let (shown, failures) = (account.shown, account.failures);
            properties::duplicates_are_explained(record, u32::from(shown), u32::from(failures))?;
        }
        let (time, by, moved) = (account.time, job.member, account.moved);
        let partition = partition_of(account.key);
        let late = account.tardy_in > 0 || time < job.rested[partition];
        properties::frontier_is_committed(job.frontiers[partition], record, time, late)?;
        let late = late || time < job.unordered[partition];
        properties::old_never_follows_new(&mut self.boundaries, record, time, by, late)?;
        if let Some(document) = document {
            properties::ordered_opens_at_finish(document, time, by)?;
        }
        if self.keeps_order && !late && !moved { self.in_order(id, tally) } else { Ok(()) }
    }

    /// Nothing newer of the same key is visible, unless both jobs were allowed to show at a time.
    fn in_order(&mut self, id: u32, tally: &mut Tally) -> Result<(), Violation> {
        let account = &self.accounts[id as usize];
        let newest = &mut self.newest[account.key as usize];
        if let Some(newest) = *newest {
            let time = self.accounts[newest as usize].time;
            let overlaps = |boundary: &Boundary| {
                boundary.hand_over == HandOver::Overlapped
                    && account.time < boundary.at
                    && boundary.at <= time
            };
            if !self.boundaries.iter().any(overlaps) {
                let (record, newest) = ((id as usize, account.time), (newest as usize, time));
                properties::an_older_value_never_follows_a_newer_one(record, newest)?;
                tally.ordered += 1;
            }
        }
        if newest.is_none_or(|newest| self.accounts[newest as usize].time < account.time) {
            *newest = Some(id);
        }
        Ok(())
    }

    /// A failure takes back what a job had written since its last checkpoint: it is written again, by whoever owns it then.
    pub fn taken_back(&mut self, records: &[u32], tally: &mut Tally) {
        for record in records.iter().filter(|_| self.at_once) {
            let (fate, account) = (&mut self.fates[*record as usize], &mut self.accounts[*record as usize]);
            fate.visible = fate.visible.saturating_sub(1);
            account.failures = account.failures.saturating_add(1);
            tally.repeated += 1;
        }
    }

    /// A record was held when its job came back with another parallelism.
    pub fn moved(&mut self, id: u32) {
        self.accounts[id as usize].moved = true;
    }

    /// A member that has owned something is stopped: what it has not read it will only meet after the settling.
    pub fn unread_at_retirement(&mut self, log: &Log, read: &[usize], settled: EventTime) {
        for (partition, read) in log.partitions.iter().zip(read) {
            for record in partition.records[*read..].iter().filter(|record| record.is_covered()) {
                if self.accounts[record.id as usize].time < settled {
                    let fate = &mut self.fates[record.id as usize];
                    (fate.after_settle, fate.late) = (true, true);
                }
            }
        }
    }

    /// A new generation takes over from a dead one that owned [since, end): from `from` on it repeats what was shown, and
    /// what is below and was not shown stays away, if it was late.
    pub fn reclaimed(
        &mut self,
        dead: &Dead<'_>,
        (since, from, end): (EventTime, EventTime, EventTime),
    ) -> Result<(), Violation> {
        self.keeps_order = false;
        for (record, (fate, account)) in self.fates.iter_mut().zip(&mut self.accounts).enumerate() {
            if account.time >= end || !account.covered {
                continue;
            }
            if account.time < since {
                // Below its last part nobody takes the dead one's place: what was late there and is not shown stays away.
                account.left_behind |= fate.visible == 0 && dead.missed(record as u32, account, 0);
                continue;
            }
            if account.time >= from && fate.visible > 0 && account.by == dead.job.number {
                account.may_repeat = true;
                account.failures = account.failures.saturating_add(1);
            } else if account.time < from && fate.visible == 0 {
                let late = dead.missed(record as u32, account, self.lateness_ms);
                properties::only_late_records_are_lost_at_a_reclaim(record, late)?;
                account.left_behind = true;
            }
        }
        Ok(())
    }

    /// A member is dead for good, and its part [since, end) is proven to be finished: what was late and not shown yet stays
    /// away, and nothing else.
    pub fn abandoned(
        &mut self,
        dead: &Dead<'_>,
        (since, end): (EventTime, EventTime),
    ) -> Result<(), Violation> {
        for (record, (fate, account)) in self.fates.iter().zip(&mut self.accounts).enumerate() {
            if account.time < end && account.covered && fate.visible == 0 {
                let late = dead.missed(record as u32, account, 0);
                if account.time >= since {
                    properties::only_late_records_are_lost_at_a_reclaim(record, late)?;
                }
                account.left_behind |= late;
            }
        }
        Ok(())
    }

    /// Everything has come to rest.
    pub fn close(&mut self, tally: &mut Tally) -> Result<(), Violation> {
        for (fate, account) in self.fates.iter_mut().zip(&self.accounts) {
            let excused = !account.covered || (fate.visible == 0 && (account.dropped || account.left_behind));
            if excused {
                fate.visible = 1;
            }
            tally.deviated += u64::from(fate.visible != 1);
        }
        if self.at_once {
            properties::visible_at_least_once(&self.fates)?;
        }
        properties::visible_exactly_once(&self.fates)
    }
}

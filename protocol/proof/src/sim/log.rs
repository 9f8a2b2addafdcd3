//! The log that the jobs read: partitions of records with bounded disorder, some late ones, some silences, and what else
//! comes in on a bad day.

use fastrand::Rng;

use super::plan::Plan;

/// What a record says about its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Its event time.
    Time,
    /// Nothing.
    Nothing,
    /// A time far in the future.
    Poison,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Its index among all records; ascending within a partition.
    pub id: u32,
    /// Its event time.
    pub time: i64,
    /// When it can be read.
    pub available: u64,
    /// What it says about its time.
    pub stamp: Stamp,
    /// The key that it updates; keys do not span partitions.
    pub key: u32,
}

/// What a partition does after its last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It says how time goes by.
    Continue,
    /// It falls silent.
    Idle,
    /// It ends.
    Finite,
}

/// The records of one partition.
#[derive(Debug)]
pub struct Partition {
    /// In the order in which they are read.
    pub records: Vec<Record>,
    /// The highest time up to and including each of them, records without a usable time left out.
    tops: Vec<i64>,
}

/// The log.
#[derive(Debug)]
pub struct Log {
    /// Its parts.
    pub partitions: Vec<Partition>,
    /// How many records there are.
    pub total: usize,
    /// How many keys there are.
    pub keys: usize,
    /// How far behind the highest time of its partition a record may be without being late.
    pub bound: i64,
    /// What comes after.
    pub end: End,
    /// Some partitions fall silent for a while.
    pub silences: bool,
}

/// Keys of one partition.
const KEYS: u32 = 4;
/// The partition that a key's records are in.
pub fn partition_of(key: u32) -> usize {
    (key / KEYS) as usize
}

/// How far in the future a poisoned record is dated.
const POISON_MS: i64 = 400_000_000_000;

impl Log {
    /// A log that fills while the plan's span goes by.
    pub fn new(rng: &mut Rng, plan: &Plan) -> Log {
        let bound = [0, 30, 150][rng.usize(..3)];
        let grid = plan.coarse_ms.unwrap_or(1);
        let bound = if grid > 1 { bound / 150 * grid } else { bound };
        let end = [End::Continue, End::Continue, End::Idle, End::Finite][rng.usize(..4)];
        let silences = rng.u8(..3) == 0;
        let (late, pace) = (rng.u8(..3) == 0 || (plan.reclaim && rng.bool()), rng.u64(12..60));
        let mut log = Log { partitions: Vec::new(), total: 0, keys: 0, bound, end, silences };
        for _ in 0..plan.partitions {
            let mut records = Vec::with_capacity((plan.span / pace) as usize + 8);
            let (mut available, mut top) = (rng.u64(..200), i64::MIN);
            let until = if end == End::Finite { rng.u64(plan.span / 4..plan.span) } else { plan.span };
            while available < until {
                let mut time = (available as i64 - rng.i64(0..=bound)).div_euclid(grid) * grid;
                if late && rng.u8(..16) == 0 {
                    time -= rng.i64(1..1_500).div_euclid(grid) * grid;
                }
                if top > i64::MIN && rng.u8(..4) == 0 {
                    time = top - bound; // As late as one in time may be.
                }
                let stamp = if plan.untimed && rng.u8(..20) == 0 { Stamp::Nothing } else { Stamp::Time };
                let key = log.keys as u32 + rng.u32(..KEYS);
                records.push(Record { id: log.total as u32, time, available, stamp, key });
                log.total += 1;
                top = if stamp == Stamp::Time { top.max(time) } else { top };
                available += rng.u64(1..pace * 2);
                if silences && rng.u8(..40) == 0 {
                    available += rng.u64(500..4_000);
                }
            }
            log.keys += KEYS as usize;
            log.partitions.push(Partition { records, tops: Vec::new() });
        }
        if plan.poison {
            log.poison(rng);
        }
        log.partitions.iter_mut().for_each(|partition| partition.measure());
        log
    }

    fn poison(&mut self, rng: &mut Rng) {
        let partition = rng.usize(..self.partitions.len());
        let records = &mut self.partitions[partition].records;
        if !records.is_empty() {
            let place = rng.usize(..records.len());
            records[place].time += POISON_MS;
            records[place].stamp = Stamp::Poison;
        }
    }

    /// A boundary in reach that is one above a watermark, where there is one.
    pub fn above_a_watermark(&self, partition: usize, now: u64) -> Option<i64> {
        let records = &self.partitions[partition].records;
        let next = records.partition_point(|record| record.available <= now + 500);
        self.top(partition, next).map(|top| top - self.bound + 1)
    }

    /// The time of a record that is read soon.
    pub fn soon(&self, partition: usize, now: u64) -> Option<i64> {
        let records = &self.partitions[partition].records;
        let next = records.partition_point(|record| record.available <= now + 60);
        records.get(next).filter(|record| record.stamp == Stamp::Time).map(|record| record.time)
    }

    /// The highest time among the first `read` records of a partition.
    pub fn top(&self, partition: usize, read: usize) -> Option<i64> {
        let top = *self.partitions[partition].tops.get(read.checked_sub(1)?)?;
        (top > i64::MIN).then_some(top)
    }
}

impl Partition {
    fn measure(&mut self) {
        let mut top = i64::MIN;
        self.tops.reserve(self.records.len());
        for record in &self.records {
            if record.stamp == Stamp::Time {
                top = top.max(record.time);
            }
            self.tops.push(top);
        }
    }
}

//! The log that both jobs read: partitions of records with bounded disorder, some late ones and some silences.

use fastrand::Rng;

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Its index among all records.
    pub id: usize,
    /// Its event time.
    pub time: i64,
    /// When it can be read.
    pub available: u64,
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

/// The log.
#[derive(Debug)]
pub struct Log {
    /// Records by partition.
    pub partitions: Vec<Vec<Record>>,
    /// How many records there are.
    pub total: usize,
    /// How far behind the highest time of its partition a record may be without being late.
    pub bound: i64,
    /// What comes after.
    pub end: End,
    /// Some partitions fall silent for a while.
    pub silences: bool,
}

impl Log {
    /// A log that fills while `span` milliseconds go by.
    pub fn new(rng: &mut Rng, partitions: usize, span: u64) -> Log {
        let bound = [0, 30, 150][rng.usize(..3)];
        let end = [End::Continue, End::Continue, End::Idle, End::Finite][rng.usize(..4)];
        let silences = rng.u8(..3) == 0;
        let (late, pace) = (rng.u8(..3) == 0, rng.u64(60..200));
        let mut log = Log { partitions: Vec::new(), total: 0, bound, end, silences };
        for _ in 0..partitions {
            let mut records = Vec::new();
            let mut available = rng.u64(..200);
            let until = if end == End::Finite { rng.u64(span / 4..span) } else { span };
            while available < until {
                let mut time = available as i64 - rng.i64(0..=bound);
                if late && rng.u8(..25) == 0 {
                    time -= rng.i64(1..1_500);
                }
                records.push(Record { id: log.total, time, available });
                log.total += 1;
                available += rng.u64(1..pace * 2);
                if silences && rng.u8(..20) == 0 {
                    available += rng.u64(500..4_000);
                }
            }
            log.partitions.push(records);
        }
        log
    }

    /// The highest time among the first `read` records of a partition.
    pub fn top(&self, partition: usize, read: usize) -> Option<i64> {
        self.partitions[partition][..read].iter().map(|record| record.time).max()
    }
}

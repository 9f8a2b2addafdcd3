//! The calls of a subtask, read from a frame and made.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::subtask::{OUT, SubtaskHandle};
use crate::{Error, bug};

/// Opens a subtask; the rest of the frame is its configuration.
pub const OPEN_SUBTASK: u8 = 1;
/// Opens an agent; the rest of the frame is its configuration.
pub const OPEN_AGENT: u8 = 2;

const RESTORE: u8 = 10;
const ADMIT: u8 = 11;
const HELD_BYTES: u8 = 12;
const FULL: u8 = 13;
const ACCOUNT: u8 = 14;
const WATERMARK: u8 = 15;
const IDLE: u8 = 16;
const ORDER: u8 = 17;
const SNAPSHOT: u8 = 18;
const FINISH: u8 = 19;
const STATUS: u8 = 20;
const COUNTERS: u8 = 21;

/// Asks an agent for its next instruction.
pub const NEXT: u8 = 30;
/// Tells an agent of an event; the rest of the frame. Has no answer.
pub const TELL: u8 = 31;
/// The job has come to its end. Has no answer.
pub const END: u8 = 32;

/// What a call gives back. All of it crosses, whatever the call was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// A disposition, a watermark, or 0 and 1 for no and yes.
    pub value: i64,
    /// See [`crate::subtask`].
    pub out: [i64; OUT],
    /// A message.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The payload of a frame.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = vec![0];
        payload.extend_from_slice(&self.value.to_be_bytes());
        for number in self.out {
            payload.extend_from_slice(&number.to_be_bytes());
        }
        payload.extend_from_slice(&self.bytes);
        payload
    }
}

/// Makes a subtask's call; `None` for one that has no answer.
///
/// `Err(Fault::Call)` is an answer, as JNI would throw it; after `Err(Fault::End)` the two sides are no longer at one about
/// what was called, and the connection has to end.
pub fn make(subtask: &mut SubtaskHandle, payload: &[u8]) -> Result<Option<Answer>, Fault> {
    let mut fields = Fields::of(payload);
    let call = fields.u8()?;
    let mut answer = Answer::default();
    let out = &mut answer.out;
    match call {
        RESTORE => {
            let (headers, times, sizes) =
                (fields.list(Fields::bytes)?, fields.list(Fields::i64)?, fields.list(Fields::i32)?);
            fields.end()?;
            subtask.restore(&headers, &times, &sizes, out)?;
        }
        ADMIT => {
            let (timestamp, bytes) = (fields.i64()?, fields.i32()?);
            fields.end()?;
            answer.value = i64::from(subtask.admit(timestamp, bytes, tidegate_agent::now(), out)?);
        }
        WATERMARK => {
            let watermark = fields.i64()?;
            fields.end()?;
            answer.value = subtask.watermark(watermark, out)?;
        }
        ORDER => {
            let dispositions = subtask.order(fields.rest(), out)?;
            answer.bytes = dispositions.iter().map(|disposition| disposition.to_be_bytes()[0]).collect();
        }
        IDLE => {
            let idle = fields.u8()? != 0;
            fields.end()?;
            answer.value = i64::from(subtask.idle(idle, tidegate_agent::now())?);
        }
        SNAPSHOT => {
            let checkpoint = fields.i64()?;
            fields.end()?;
            answer.bytes = subtask.snapshot(checkpoint, tidegate_agent::now())?;
        }
        FULL | FINISH | STATUS | COUNTERS => {
            fields.end()?;
            match call {
                FULL => answer.value = i64::from(subtask.is_full()?),
                FINISH => answer.value = i64::from(subtask.finish()?),
                STATUS => answer.bytes = subtask.status()?,
                _ => answer.bytes = subtask.counters()?,
            }
        }
        HELD_BYTES => {
            let bytes = fields.i32()?;
            fields.end()?;
            subtask.held_bytes(bytes).map_err(Fault::End)?;
            return Ok(None);
        }
        ACCOUNT => {
            let numbers = (fields.i64()?, fields.i64()?, fields.i64()?, fields.i64()?);
            fields.end()?;
            subtask.account(numbers.0, numbers.1, numbers.2, numbers.3).map_err(Fault::End)?;
            return Ok(None);
        }
        other => return Err(unknown(other, "a subtask")),
    }
    Ok(Some(answer))
}

/// A call failed.
#[derive(Debug)]
pub enum Fault {
    /// It had no effect, and the next one may come.
    Call(Error),
    /// It could not be read, or nobody waits for its answer: the connection ends.
    End(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Call(error)
    }
}

/// A call that this kind of connection does not know.
pub(super) fn unknown(call: u8, of: &str) -> Fault {
    Fault::End(Error::BadCall(format!("{call} is no call of {of}")))
}

/// Reads a call's fields one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(payload: &'a [u8]) -> Fields<'a> {
        Fields(payload)
    }

    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Fault> {
        let (taken, rest) = self.0.split_first_chunk::<LENGTH>().ok_or_else(short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Fault> {
        Ok(u8::from_be_bytes(self.take()?))
    }

    fn i32(&mut self) -> Result<i32, Fault> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    fn i64(&mut self) -> Result<i64, Fault> {
        Ok(i64::from_be_bytes(self.take()?))
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Fault> {
        let length = u32::from_be_bytes(self.take()?) as usize;
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken.to_vec())
    }

    /// Its length, then each one. Nothing is set aside for what is only announced.
    fn list<T>(&mut self, each: impl Fn(&mut Self) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let length = u32::from_be_bytes(self.take()?);
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(each(self)?);
        }
        Ok(list)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn end(&self) -> Result<(), Fault> {
        let left = self.0.len();
        if left == 0 { Ok(()) } else { Err(unreadable(format!("{left} bytes too many"))) }
    }
}

fn short() -> Fault {
    unreadable("it ends too early".to_owned())
}

fn unreadable(reason: String) -> Fault {
    Fault::End(Error::Message { what: "call", reason })
}

/// After a panic nothing of the connection is trusted any more.
pub(super) fn guarded<R>(call: impl FnOnce() -> Result<R, Fault>) -> Result<R, Fault> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|payload| Err(Fault::End(Error::Said(bug(payload.as_ref())))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_and_ends_the_connection() {
        let result = guarded(|| -> Result<(), Fault> { panic!("of all things") });
        let Err(Fault::End(error)) = result else { panic!("{result:?}") };
        assert!(error.to_string().starts_with("Bug: the native gate panicked (of all things)"), "{error}");
    }
}

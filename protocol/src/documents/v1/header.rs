//! The header of a gate's snapshot: it outlives the code that wrote it, so it is versioned too.

use serde::{Deserialize, Serialize};

use super::{Time, to_bytes};
use crate::documents::{Error, read_v1};
use crate::identity::{CheckpointId, Epoch, Member, Origin};
use crate::subtask::Header;

#[derive(Serialize, Deserialize)]
struct HeaderV1 {
    version: u32,
    member: Member,
    checkpoint: CheckpointId,
    origin: Origin,
    epoch: Epoch,
    emitted_high: Time,
    discarded_high: Time,
    seen_high: Time,
    watermark: Time,
    frontier: Time,
}

/// Writes a header.
pub fn write_header(header: &Header) -> Vec<u8> {
    to_bytes(&HeaderV1 {
        version: 1,
        member: header.member,
        checkpoint: header.checkpoint,
        origin: header.origin,
        epoch: header.epoch,
        emitted_high: Time(header.emitted_high),
        discarded_high: Time(header.discarded_high),
        seen_high: Time(header.seen_high),
        watermark: Time(header.watermark),
        frontier: Time(header.frontier),
    })
}

/// Reads a header.
pub fn read_header(bytes: &[u8]) -> Result<Header, Error> {
    let read: HeaderV1 = read_v1("gate state", bytes)?;
    Ok(Header {
        member: read.member,
        checkpoint: read.checkpoint,
        origin: read.origin,
        epoch: read.epoch,
        emitted_high: read.emitted_high.0,
        discarded_high: read.discarded_high.0,
        seen_high: read.seen_high.0,
        watermark: read.watermark.0,
        frontier: read.frontier.0,
    })
}

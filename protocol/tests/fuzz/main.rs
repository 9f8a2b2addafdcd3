//! Input fuzzing: whatever the bytes are, reading them is a value or an error that names the field, never a panic; whatever
//! was read can be lived with; whatever is written is read back the same.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod consume;
mod mutations;
mod people;
mod round_trip;
mod strategies;

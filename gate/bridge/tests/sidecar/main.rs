//! The door for JVMs that may load no native code: the same laws as for handles, over a real socket.

#![allow(clippy::unwrap_used, reason = "tests")]

mod agents;
mod client;
mod damage;
mod places;
mod signals;
mod subtasks;

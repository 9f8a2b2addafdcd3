//! The controller: its metrics, and where it is asked how it is.
#![cfg_attr(
    not(test),
    expect(dead_code, reason = "the shell that reconciles the resource is built against this")
)]

mod listen;
mod metrics;

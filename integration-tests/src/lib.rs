//! The one harness that starts the real parts of a test: Flink clusters, Kafka brokers, ZooKeeper servers and
//! Kubernetes API servers as plain processes on 127.0.0.1.
//!
//! Everything a part writes lies in a [`Scratch`] folder: it is removed after success; after a failure it stays, and
//! the error carries the tails of the logs. Processes die with their owner, whatever way that one ends. A state is
//! waited for with [`wait_until`] and nothing else: there is no sleep that stands for a state.

pub mod binary;
pub mod certificates;
pub mod command;
pub mod flights;
pub mod flink;
pub mod golang;
pub mod http_proxy;
pub mod java;
pub mod kafka;
pub mod kube;
pub mod kubelet;
pub mod matrix;
pub mod maven;
pub mod operator;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod rest;
pub mod scratch;
pub mod stage;
pub mod store;
pub mod wait;
pub mod zookeeper;

use std::path::{Path, PathBuf};

pub use scratch::Scratch;
pub use wait::{Observed, wait_until};

/// The folder of the workspace that this harness was built from.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where downloaded libraries and inputs are kept between runs; git ignores it, `make clean` removes it.
#[must_use]
pub fn runtime_folder() -> PathBuf {
    workspace_root().join("target").join("runtime")
}

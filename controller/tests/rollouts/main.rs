//! The controller on a real API server with RBAC on, and real Flink clusters, through proxies that fail as they are told.
//!
//! All tests share one API server, one broker and one session cluster; each has a namespace, topics and a controller of its own.

mod alone;
mod bad_input;
mod case;
mod controller;
mod docs;
mod fates;
mod faults;
mod flows;
mod points;
mod receiver;
mod world;

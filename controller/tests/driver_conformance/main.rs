//! The driver's laws on real clusters. One test per kind of cluster, since a cluster takes longer to start than its laws.

mod bad_cluster;
mod bad_input;
mod deployment;
mod laws;
mod proxy;
mod rest;
mod tls;

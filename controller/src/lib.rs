//! What `tidegate` runs rollouts with. [`flink`] is its hand on the jobs; it decides nothing.

pub mod flink;

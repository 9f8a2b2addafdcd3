//! The resource `FlinkBlueGreenDeployment` of the group `tidegate.io`: what a user writes, and what the controller answers.
//!
//! [`Spec`] is as it is written; [`intent`] reads it into what the planner takes, or says field by field what is wrong with it.
//! The schema and its rules refuse at the API server what they can; [`intent`] refuses the rest, and the same again for those who
//! come by another way. Nothing here talks to the world.

pub(crate) mod ask;
mod crd;
pub(crate) mod duration;
pub(crate) mod intent;
pub(crate) mod problem;
#[cfg(test)]
mod reference;
pub(crate) mod spec;
pub(crate) mod stage;
pub(crate) mod status;
#[cfg(test)]
mod tests;

pub(crate) use crd::{json as crd_json, yaml as crd_yaml};
pub(crate) use spec::FlinkBlueGreenDeployment;

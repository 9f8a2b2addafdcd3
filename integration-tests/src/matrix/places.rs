//! Where Flink has placed the subtasks of a job.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::GATES;
use super::arena::{Arena, Side};
use crate::rest::{Job, Vertex};

impl Arena {
    /// The TaskManager that runs all subtasks of the job: with its slots it has room for all of them.
    pub(super) async fn task_manager_id(&self, side: Side, job: &Job) -> Result<String> {
        let status = job.status().await?;
        let vertex = status.vertices.last().context("the job has no vertices")?;
        self.places(side, job, vertex).await?.into_iter().next().context("it has no subtasks")
    }

    /// Its number.
    pub(super) async fn task_manager_of(&self, side: Side, job: &Job) -> Result<usize> {
        let id = self.task_manager_id(side, job).await?;
        // As the harness names them: taskmanager-<number>-<life>.
        let number = id.split('-').nth(1).and_then(|number| number.parse().ok());
        number.with_context(|| format!("no number in {id:?}"))
    }

    /// Fails unless each sink of blue is in another TaskManager than its gate, subtask by subtask.
    pub(super) async fn demand_sinks_elsewhere(&self, blue: &Job) -> Result<()> {
        let vertices = blue.status().await?.vertices;
        for gate in GATES {
            let before = self.places(Side::Blue, blue, with(&vertices, &format!("gate {gate}"))?).await?;
            let behind = self.places(Side::Blue, blue, with(&vertices, &format!("sink {gate}"))?).await?;
            let elsewhere = before.len() == behind.len() && before.iter().zip(&behind).all(|(a, b)| a != b);
            ensure!(elsewhere, "gate {gate} is in {before:?}, and its sink in {behind:?}");
        }
        Ok(())
    }

    /// The TaskManagers of the subtasks of a vertex.
    async fn places(&self, side: Side, job: &Job, vertex: &Vertex) -> Result<Vec<String>> {
        let path = format!("/jobs/{}/vertices/{}", job.id(), vertex.id);
        let told: Value = self.flink(side).rest().get(&path).await?;
        let subtasks = told["subtasks"].as_array().map_or(&[][..], Vec::as_slice);
        let id = |subtask: &Value| {
            let id = subtask["taskmanager-id"].as_str();
            id.map(str::to_owned).with_context(|| format!("no TaskManager in {subtask}"))
        };
        subtasks.iter().map(id).collect()
    }
}

/// The vertex with this operator.
fn with<'all>(vertices: &'all [Vertex], operator: &str) -> Result<&'all Vertex> {
    let names = || vertices.iter().map(|vertex| &vertex.name).collect::<Vec<_>>();
    let found = vertices.iter().find(|vertex| vertex.name.contains(operator));
    found.with_context(|| format!("no {operator:?} in {:?}", names()))
}

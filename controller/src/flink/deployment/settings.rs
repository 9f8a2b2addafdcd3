//! Where the deployments are, and how their jobs are reached.

use std::time::Duration;

use crate::flink::rest::Deadlines;

/// One namespace of deployments.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace.
    pub namespace: String,
    /// The address of a deployment's REST service; `{deployment}`, `{namespace}` and `{port}` (its `rest.port`) are filled in.
    /// Another one than the default is for a controller that does not run in the cluster.
    pub rest_address: String,
    /// How long to wait for the REST services.
    pub deadlines: Deadlines,
    /// How long to wait for the API server.
    pub answer: Duration,
}

impl Settings {
    /// A namespace, as it is seen from within its cluster.
    pub fn new(namespace: impl Into<String>) -> Settings {
        Settings {
            namespace: namespace.into(),
            rest_address: "http://{deployment}-rest.{namespace}:{port}".to_owned(),
            deadlines: Deadlines::default(),
            answer: Duration::from_secs(10),
        }
    }

    pub(super) fn rest_address(&self, deployment: &str, port: &str) -> String {
        let filled = self.rest_address.replace("{deployment}", deployment);
        filled.replace("{namespace}", &self.namespace).replace("{port}", port)
    }
}

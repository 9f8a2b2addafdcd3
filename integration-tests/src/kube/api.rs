//! The API server, asked straight: for what is looked at so often that a kubectl each time would take the machine.

use anyhow::{Context, Result, anyhow, ensure};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::http_proxy::Server;

/// Requests of one account; a clone shares its connections.
#[derive(Debug, Clone)]
pub struct Api {
    pub(super) server: Server,
    pub(super) token: String,
}

impl Api {
    /// An object or a list; none when it is not there.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn get(&self, path: &str) -> Result<Option<Value>> {
        let (status, text) = self.send(Method::GET, path, "application/json", String::new()).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(read(&Method::GET, path, status, &text)?))
    }

    /// POST, for what is new.
    ///
    /// # Errors
    /// When the server refuses, with what it said.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.change(Method::POST, path, "application/json", body).await
    }

    /// PATCH by merging, for what is there.
    ///
    /// # Errors
    /// When the server refuses, with what it said.
    pub async fn merge(&self, path: &str, body: &Value) -> Result<Value> {
        self.change(Method::PATCH, path, "application/merge-patch+json", body).await
    }

    /// PATCH of the parts that a JSON patch names.
    ///
    /// # Errors
    /// When the server refuses, with what it said.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.change(Method::PATCH, path, "application/json-patch+json", body).await
    }

    /// DELETE; what is not there is deleted.
    ///
    /// # Errors
    /// When the server refuses, with what it said.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let (status, text) = self.send(Method::DELETE, path, "application/json", String::new()).await?;
        if status != StatusCode::NOT_FOUND {
            read(&Method::DELETE, path, status, &text)?;
        }
        Ok(())
    }

    async fn change(&self, method: Method, path: &str, kind: &str, body: &Value) -> Result<Value> {
        let (status, text) = self.send(method.clone(), path, kind, body.to_string()).await?;
        read(&method, path, status, &text)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: String,
    ) -> Result<(StatusCode, String)> {
        let request = self.server.client.request(method.clone(), format!("{}{path}", self.server.base));
        let request = request.bearer_auth(&self.token).header("content-type", kind).body(body);
        let answer =
            request.send().await.map_err(|error| anyhow!(error).context(format!("{method} {path}")))?;
        Ok((answer.status(), answer.text().await?))
    }
}

fn read(method: &Method, path: &str, status: StatusCode, text: &str) -> Result<Value> {
    ensure!(status.is_success(), "{method} {path}: {status}: {text}");
    serde_json::from_str(text).with_context(|| format!("{method} {path}: {status}: {text}"))
}

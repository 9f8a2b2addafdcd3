//! A client of Flink's REST API: uploading and running jars, and looking at the cluster. [`Job`] is one job's part of it.

mod job;
mod response;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub use job::Job;
pub use response::{CheckpointCounts, Checkpoints, Exceptions, Failure, JobState, JobStatus, Vertex};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Some 30 MB, to a server that has just started.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(180);

/// A cluster's REST endpoint; a clone speaks to the same one.
#[derive(Debug, Clone)]
pub struct Rest {
    base: String,
    client: reqwest::Client,
}

/// How to run an uploaded jar.
#[derive(Debug, Clone, Default)]
pub struct RunRequest {
    /// The arguments of its `main`.
    pub arguments: Vec<String>,
    /// The job's parallelism; the cluster's default without it.
    pub parallelism: Option<u32>,
    /// Configuration of this job alone.
    pub configuration: Vec<(String, String)>,
    /// What to start from: it is never claimed, so nobody deletes it.
    pub savepoint: Option<String>,
    /// Go on when the savepoint has state that the job has no operator for.
    pub allow_non_restored_state: bool,
    /// Instead of the main class of the manifest.
    pub entry_class: Option<String>,
}

impl Rest {
    /// A client for an address such as `http://127.0.0.1:8081`.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub fn new(base: &str) -> Result<Self> {
        // The client asks for a provider even when it will speak plain HTTP only; a second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build()?;
        Ok(Self { base: base.trim_end_matches('/').into(), client })
    }

    /// A client for an address such as `https://127.0.0.1:8081`, which it trusts and is trusted by.
    #[must_use]
    pub fn with(base: &str, client: reqwest::Client) -> Self {
        Self { base: base.trim_end_matches('/').into(), client }
    }

    /// The address that was given.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// One request; for what has no method of its own here.
    ///
    /// # Errors
    /// With method, address, status and body, when the status is not a success or the body is of another form.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        if let Some(body) = &body {
            request = request.json(body);
        }
        self.send(method, path, request).await
    }

    /// GET.
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.call(Method::GET, path, None).await
    }

    /// The resource ids of the registered TaskManagers; a dead one stays listed until its heartbeat times out.
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn task_managers(&self) -> Result<Vec<String>> {
        let listed: response::TaskManagers = self.get("/taskmanagers").await?;
        Ok(listed.taskmanagers.into_iter().map(|task_manager| task_manager.id).collect())
    }

    /// Uploads a job's jar; the answer is the id to run it by.
    ///
    /// # Errors
    /// When the file cannot be read, and like [`Rest::call`].
    pub async fn upload(&self, jar: &Path) -> Result<String> {
        let bytes =
            tokio::fs::read(jar).await.with_context(|| format!("cannot read the jar {}", jar.display()))?;
        let name = jar.file_name().context("the jar has no file name")?.to_string_lossy().into_owned();
        let part = Part::bytes(bytes).file_name(name).mime_str("application/x-java-archive")?;
        let request = self
            .client
            .post(format!("{}/jars/upload", self.base))
            .timeout(UPLOAD_TIMEOUT)
            .multipart(Form::new().part("jarfile", part));
        let uploaded: response::Uploaded = self.send(Method::POST, "/jars/upload", request).await?;
        uploaded.filename.rsplit('/').next().map(str::to_owned).context("the upload has no file name")
    }

    /// Runs an uploaded jar. That it was accepted does not mean that the job runs: see [`Job::wait_running`].
    ///
    /// # Errors
    /// Like [`Rest::call`].
    pub async fn run(&self, jar: &str, run: &RunRequest) -> Result<Job> {
        let mut body = json!({
            "programArgsList": run.arguments,
            "flinkConfiguration": run.configuration.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "allowNonRestoredState": run.allow_non_restored_state,
        });
        let fields = body.as_object_mut().unwrap_or_else(|| unreachable!("an object was built above"));
        optional_fields(fields, run);
        let started: response::Started =
            self.call(Method::POST, &format!("/jars/{jar}/run"), Some(body)).await?;
        Ok(self.job(&started.jobid))
    }

    /// A job by its id.
    #[must_use]
    pub fn job(&self, id: &str) -> Job {
        Job::new(self.clone(), id)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<T> {
        let url = format!("{}{path}", self.base);
        let response =
            request.send().await.map_err(|error| anyhow!(error).context(format!("{method} {url}")))?;
        let status = response.status();
        let body = response.text().await.with_context(|| format!("{method} {url}: {status}, no body"))?;
        if !status.is_success() {
            bail!("{method} {url}: {status}: {}", readable(&body));
        }
        let text = if body.trim().is_empty() { "{}" } else { &body };
        serde_json::from_str(text)
            .with_context(|| format!("{method} {url}: {status}, unexpected body: {body}"))
    }
}

fn optional_fields(fields: &mut Map<String, Value>, run: &RunRequest) {
    if let Some(parallelism) = run.parallelism {
        fields.insert("parallelism".into(), parallelism.into());
    }
    if let Some(savepoint) = &run.savepoint {
        fields.insert("savepointPath".into(), savepoint.as_str().into());
        fields.insert("claimMode".into(), "NO_CLAIM".into());
    }
    if let Some(class) = &run.entry_class {
        fields.insert("entryClass".into(), class.as_str().into());
    }
}

/// Flink answers errors with stack traces in JSON strings: one line per frame reads better.
fn readable(body: &str) -> String {
    body.replace("\\n", "\n").replace("\\t", "  ")
}

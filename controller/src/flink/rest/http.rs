//! One request and its answer: within a deadline, of bounded size, with errors for people.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Certificate, Client, Identity, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cause;
use super::settings::{Credentials, Deadlines, Settings};
use crate::flink::{Error, Problem};

/// Larger answers are not read on: the plan of a job of a thousand operators has one MiB.
const ANSWER_MAX: usize = 16 << 20;

/// The connection to one cluster; a clone shares it.
#[derive(Clone, Debug)]
pub(super) struct Http {
    cluster: String,
    client: Client,
    credentials: Credentials,
    pub(super) deadlines: Deadlines,
}

impl Http {
    pub(super) fn new(settings: Settings) -> Result<Http, Error> {
        let cluster = usable_address(&settings.address)?;
        check(&settings.credentials).map_err(|reason| unusable("the credentials", reason))?;
        // The client asks for a provider even when it will speak plain HTTP only; a second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .connect_timeout(settings.deadlines.connect)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &settings.certificates {
            let trusted = Certificate::from_pem_bundle(pem).map_err(|error| root(&error));
            let trusted = trusted.and_then(|all| {
                if all.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(all) }
            });
            client = client
                .tls_certs_only(trusted.map_err(|reason| unusable("the trusted certificates", reason))?);
        }
        if let Credentials::Certificate(pem) = &settings.credentials {
            let identity = Identity::from_pem(pem).map_err(|_| {
                unusable("the client certificate", "it needs a certificate and its key as PEM".into())
            })?;
            client = client.identity(identity);
        }
        let client = client.build().map_err(|error| unusable("the certificates", root(&error)))?;
        Ok(Http { cluster, client, credentials: settings.credentials, deadlines: settings.deadlines })
    }

    pub(super) fn at(&self, address: &str) -> Result<Http, Error> {
        Ok(Http { cluster: usable_address(address)?, ..self.clone() })
    }

    /// The address, without a slash at its end.
    pub(super) fn cluster(&self) -> &str {
        &self.cluster
    }

    pub(super) fn error(&self, asked: &str, problem: Problem) -> Error {
        Error::new(&self.cluster, asked, problem)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, asked: &str, path: &str) -> Result<T, Error> {
        self.send(asked, self.request(Method::GET, path), self.deadlines.answer, false).await
    }

    pub(super) async fn patch(&self, asked: &str, path: &str) -> Result<(), Error> {
        let request = self.request(Method::PATCH, path);
        self.send::<Value>(asked, request, self.deadlines.answer, true).await.map(drop)
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        asked: &str,
        path: &str,
        body: &Value,
        deadline: Duration,
    ) -> Result<T, Error> {
        self.send(asked, self.request(Method::POST, path).json(body), deadline, true).await
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.cluster));
        match &self.credentials {
            Credentials::None | Credentials::Certificate(_) => request,
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password)),
            Credentials::Bearer(token) => request.bearer_auth(token),
        }
    }

    /// `changes`: whether a request without an answer may have changed something.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        asked: &str,
        request: RequestBuilder,
        deadline: Duration,
        changes: bool,
    ) -> Result<T, Error> {
        let lost = |error: reqwest::Error| {
            let sent = changes && !error.is_connect() && !error.is_builder();
            let problem = if error.is_timeout() {
                let after = if error.is_connect() { self.deadlines.connect.min(deadline) } else { deadline };
                Problem::Slow { after, sent }
            } else {
                Problem::Unreachable { reason: root(&error), sent }
            };
            self.error(asked, problem)
        };
        let response = request.timeout(deadline).send().await.map_err(lost)?;
        let status = response.status();
        let body = read(response).await.map_err(lost)?;
        let Some(body) = body else {
            let reason = format!("its answer has more than {ANSWER_MAX} bytes");
            return Err(self.error(asked, Problem::Unreadable { reason }));
        };
        answer(status, &body).map_err(|(problem, trace)| self.error(asked, problem).with_trace(trace))
    }
}

/// What cannot be used is not repeated: it may hold a password.
fn unusable(what: &str, reason: String) -> Error {
    Error::new("its address", format!("use {what}"), Problem::Unusable { reason })
}

fn usable_address(given: &str) -> Result<String, Error> {
    address(given).map_err(|reason| unusable("the address of a Flink cluster", reason))
}

fn address(given: &str) -> Result<String, String> {
    let url = Url::parse(given).map_err(|error| {
        format!("it is not an address ({error}): write it like http://flink-jobmanager:8081")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!(
            "{}: is neither http nor https: write it like http://flink-jobmanager:8081",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "it has a user or password, and addresses are logged: give them as credentials".to_owned()
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a query or a fragment: leave out what stands behind ? or #".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// What would be told as a broken request only when it is used.
fn check(credentials: &Credentials) -> Result<(), String> {
    match credentials {
        Credentials::None | Credentials::Certificate(_) => Ok(()),
        Credentials::Basic { user, .. } if user.contains(':') => Err("a user name has no colon".to_owned()),
        Credentials::Basic { .. } => Ok(()),
        Credentials::Bearer(token) => match HeaderValue::from_str(token) {
            Ok(_) => Ok(()),
            Err(_) => Err("the token has other than printable characters: check for a line end".to_owned()),
        },
    }
}

async fn read(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// What Flink says instead of an answer.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// The answer; or what is wrong, and all that Flink says of it.
fn answer<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, (Problem, String)> {
    if status.is_success() {
        let json = if body.is_empty() { b"{}" } else { body };
        return serde_json::from_slice(json).map_err(|error| {
            let reason = format!("its answer is none that Flink gives ({error})");
            (Problem::Unreadable { reason }, String::new())
        });
    }
    let told: Option<Errors> = serde_json::from_slice(body).ok();
    let trace = told.map(|told| told.errors.join("\n"));
    let reason = trace.as_deref().map(cause::root);
    let code = status.as_u16();
    let problem = match (code, reason) {
        (401 | 403, _) => Problem::Denied { status: code },
        (500.., reason) => {
            Problem::Broken { status: code, reason: reason.unwrap_or_else(|| "without a reason".to_owned()) }
        }
        (_, Some(reason)) => Problem::Refused { status: code, reason },
        (_, None) => Problem::Unreadable { reason: format!("it answers {status} and no reason") },
    };
    Err((problem, trace.unwrap_or_default()))
}

/// The last link of the chain: the others repeat the address.
fn root(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(next) = last.source() {
        last = next;
    }
    match error.source() {
        Some(_) => last.to_string(),
        None => "the request failed".to_owned(),
    }
}

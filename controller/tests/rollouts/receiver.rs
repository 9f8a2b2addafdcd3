//! Who is told: a real HTTP server that is down until it is asked to be up, and remembers what it took.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Dropping it ends it.
pub(crate) struct Receiver {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    is_up: AtomicBool,
    refused: AtomicUsize,
    taken: Mutex<Vec<Taken>>,
}

/// A message that was answered with 200.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) id: String,
    pub(crate) is_signed: bool,
    pub(crate) body: Value,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hooks/tidegate", listener.local_addr()?);
        let shared = Arc::<Shared>::default();
        let all = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&all);
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(&shared, request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    // Clients hang up as they like.
                    let _ = connection.serve_connection(TokioIo::new(client), service).await;
                });
            }
        });
        Ok(Receiver { url, shared, task })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn be_up(&self) {
        self.shared.is_up.store(true, Ordering::SeqCst);
    }

    pub(crate) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    if shared.is_up.load(Ordering::SeqCst) {
        match read(request).await {
            Ok(taken) => shared.taken.lock().unwrap_or_else(PoisonError::into_inner).push(taken),
            Err(_) => *response.status_mut() = hyper::StatusCode::BAD_REQUEST,
        }
    } else {
        shared.refused.fetch_add(1, Ordering::SeqCst);
        *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

async fn read(request: Request<Incoming>) -> Result<Taken> {
    let (parts, body) = request.into_parts();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let id = header("webhook-id").context("no id")?;
    let is_signed = header("webhook-signature").is_some_and(|signature| signature.starts_with("v1,"));
    Ok(Taken { id, is_signed, body: serde_json::from_slice(&body.collect().await?.to_bytes())? })
}

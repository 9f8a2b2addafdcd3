//! Where the controller is asked how it is: `/metrics`, `/healthz` and `/readyz`, over plain HTTP.
//!
//! It is *healthy* while its loop goes round, and *ready* while it leads or stands by with the API server in reach. Neither
//! depends on how the rollouts are: a controller is not to be restarted because a job is sick.

mod pulse;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::metrics::{self, Metrics};
pub(crate) use pulse::Pulse;

/// How many may ask at once; more of them wait.
const CONNECTIONS: usize = 64;
/// How long somebody may take to say what they ask.
const REQUEST: Duration = Duration::from_secs(10);
const REQUEST_MAX: usize = 16 << 10;
/// After an error that stays, such as too many open files.
const BACKOFF: Duration = Duration::from_millis(200);

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "ListenFailed: cannot listen on {address}: {source}; name another address with --listen, port 0 for any that is free"
)]
pub(crate) struct Error {
    address: SocketAddr,
    source: std::io::Error,
}

impl Listener {
    /// Listens.
    ///
    /// # Errors
    /// When the address is taken, or not one of this machine.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Listener, Error> {
        let error = |source| Error { address, source };
        let socket = TcpListener::bind(address).await.map_err(error)?;
        let address = socket.local_addr().map_err(error)?;
        Ok(Listener { socket, address })
    }

    /// Where, with the port that was free.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for ever; dropping the future ends it.
    pub(crate) async fn serve(self, metrics: Arc<Metrics>, pulse: Arc<Pulse>) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let mut clients = tokio::task::JoinSet::new();
        loop {
            while clients.try_join_next().is_some() {}
            // The semaphore is never closed.
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            match self.socket.accept().await {
                Ok((client, _)) => {
                    let (metrics, pulse) = (metrics.clone(), pulse.clone());
                    clients.spawn(async move {
                        answer_all(client, &metrics, &pulse).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
    }
}

async fn answer_all(client: TcpStream, metrics: &Metrics, pulse: &Pulse) {
    let service =
        service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(answer(&request, metrics, pulse)));
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(REQUEST).max_buf_size(REQUEST_MAX);
    // Clients hang up as they like.
    let _ = server.serve_connection(TokioIo::new(client), service).await;
}

fn answer<B>(request: &Request<B>, metrics: &Metrics, pulse: &Pulse) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here");
    }
    match request.uri().path() {
        "/metrics" => match metrics.text() {
            Ok(text) => respond(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(error) => {
                plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("the metrics cannot be told: {error}"))
            }
        },
        "/healthz" => told(pulse.health(Instant::now())),
        "/readyz" => told(pulse.readiness(Instant::now())),
        _ => plain(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz"),
    }
}

fn told(state: Result<(), String>) -> Response<Full<Bytes>> {
    match state {
        Ok(()) => plain(StatusCode::OK, "ok"),
        Err(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, &reason),
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn respond(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}

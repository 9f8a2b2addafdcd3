//! HTTP between a client and a server, under a script: it sees every request whole before it is passed on, and the answer to
//! every request that may change something before the client does. Either way it may do something first, such as killing the
//! client, and may drop the connection instead.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use async_trait::async_trait;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
pub use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What concerns one connection only.
const OF_THE_CONNECTION: [HeaderName; 5] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::HOST, header::TRANSFER_ENCODING, header::UPGRADE];

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Bytes,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Before {
    /// It is passed on.
    Forward,
    /// The connection ends; the server never hears of it.
    Drop,
    /// It is answered with this JSON; the server never hears of it.
    Answer(StatusCode, String),
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It is passed on.
    Pass,
    /// The connection ends; the client never hears of it.
    Drop,
}

/// What is done to requests. Calls of several connections run side by side.
#[async_trait]
pub trait Script: Send + Sync + 'static {
    /// A request has come.
    async fn before(&self, _request: &Request) -> Before {
        Before::Forward
    }

    /// Whether the answer is to be shown; others are passed on as they come, watches among them.
    fn wants_answer(&self, request: &Request) -> bool {
        request.may_change()
    }

    /// Ends when all connections are to end: those that are open, and each new one.
    async fn cut(&self) {
        std::future::pending().await
    }

    /// The server has answered.
    async fn after(&self, _request: &Request, _status: StatusCode, _body: &Bytes) -> After {
        After::Pass
    }
}

/// A server behind a proxy.
#[derive(Debug, Clone)]
pub struct Server {
    /// Such as `https://127.0.0.1:6443`.
    pub base: String,
    /// Trusts it.
    pub client: reqwest::Client,
}

/// A proxy for one server; dropping it closes its port.
#[derive(Debug)]
pub struct HttpProxy {
    port: u16,
    task: JoinHandle<()>,
}

impl Request {
    /// It is no mere look.
    #[must_use]
    pub fn may_change(&self) -> bool {
        ![Method::GET, Method::HEAD, Method::OPTIONS].contains(&self.method)
    }
}

impl HttpProxy {
    /// A proxy on a port of its own that speaks HTTP to clients, whatever the server speaks.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(server: Server, script: Arc<dyn Script>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, server.clone(), script.clone()));
            }
        });
        Ok(Self { port, task })
    }

    /// The address for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Body = BoxBody<Bytes, reqwest::Error>;

/// An error ends the connection: that is how a client hears of it.
async fn serve(client: TcpStream, server: Server, script: Arc<dyn Script>) {
    let its = script.clone();
    let service = service_fn(move |request| {
        let (server, script) = (server.clone(), its.clone());
        async move { answer(request, &server, script.as_ref()).await }
    });
    let connection = hyper::server::conn::http1::Builder::new();
    tokio::select! {
        _ = connection.serve_connection(TokioIo::new(client), service) => {}
        () = script.cut() => {}
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    server: &Server,
    script: &dyn Script,
) -> Result<Response<Body>, std::io::Error> {
    exchange(request, server, script).await.map_err(std::io::Error::other)
}

async fn exchange(
    request: hyper::Request<Incoming>,
    server: &Server,
    script: &dyn Script,
) -> Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().context("a request without a path")?.to_string();
    let body = body.collect().await?.to_bytes();
    let request = Request { method: parts.method, path, headers: parts.headers, body };
    match script.before(&request).await {
        Before::Forward => {}
        Before::Drop => return Err(anyhow!("dropped before it was passed on")),
        Before::Answer(status, text) => {
            let body = whole(text.into());
            return Ok(Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(body)?);
        }
    }
    let answer = forward(&request, server).await?;
    let (mut parts, body) = hyper::Response::<reqwest::Body>::from(answer).into_parts();
    strip(&mut parts.headers);
    if !script.wants_answer(&request) {
        return Ok(Response::from_parts(parts, body.boxed()));
    }
    let bytes = body.collect().await?.to_bytes();
    ensure!(script.after(&request, parts.status, &bytes).await == After::Pass, "the answer was dropped");
    Ok(Response::from_parts(parts, whole(bytes)))
}

async fn forward(request: &Request, server: &Server) -> Result<reqwest::Response> {
    let mut headers = request.headers.clone();
    strip(&mut headers);
    let url = format!("{}{}", server.base, request.path);
    let forwarded = server.client.request(request.method.clone(), url).headers(headers);
    Ok(forwarded.body(request.body.clone()).send().await?)
}

fn strip(headers: &mut HeaderMap) {
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Answers each connection's first request with its first line.
    async fn echo() -> Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let service = service_fn(|request: hyper::Request<Incoming>| async move {
                    let line = format!("{} {}", request.method(), request.uri());
                    let body = request.into_body().collect().await?.to_bytes();
                    let text = format!("{line} {}", String::from_utf8_lossy(&body));
                    Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from(text))))
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(client), service));
            }
        });
        Ok(Server { base, client: client()? })
    }

    fn client() -> Result<reqwest::Client> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(reqwest::Client::builder().no_proxy().build()?)
    }

    #[derive(Default)]
    struct Spoiler {
        answered: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Script for Spoiler {
        async fn before(&self, request: &Request) -> Before {
            match request.path.as_str() {
                "/lost" => Before::Drop,
                "/own" => Before::Answer(StatusCode::IM_A_TEAPOT, "{}".into()),
                _ => Before::Forward,
            }
        }

        async fn after(&self, request: &Request, status: StatusCode, body: &Bytes) -> After {
            let told = format!("{status} {}", String::from_utf8_lossy(body));
            self.answered.lock().expect("nobody panics with it").push(told);
            if request.path == "/unanswered" { After::Drop } else { After::Pass }
        }
    }

    #[tokio::test]
    async fn requests_and_answers_go_by_the_script() -> Result<()> {
        let script = Arc::new(Spoiler::default());
        let proxy = HttpProxy::start(echo().await?, script.clone()).await?;
        let client = client()?;
        let post = |path: &str| client.post(format!("{}{path}", proxy.url())).body("x").send();
        ensure!(post("/a?b=c").await?.text().await? == "POST /a?b=c x");
        ensure!(post("/lost").await.is_err() && post("/unanswered").await.is_err());
        ensure!(post("/own").await?.status() == StatusCode::IM_A_TEAPOT);
        ensure!(client.get(format!("{}/look", proxy.url())).send().await?.text().await? == "GET /look ");
        let answered = script.answered.lock().expect("nobody panics with it").join("; ");
        ensure!(answered == "200 OK POST /a?b=c x; 200 OK POST /unanswered x", "{answered}");
        Ok(())
    }
}

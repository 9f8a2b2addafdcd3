//! A real HTTP server that behaves as a test wants.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// How it answers.
pub(crate) enum Reply {
    /// With this status and body.
    Answer(u16, String),
    /// With a redirect to this address.
    Redirect(String),
    /// With 200, and 8 MiB of blanks.
    Huge,
    /// Not at all.
    Stall,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Dropping it ends it.
pub(crate) struct Server {
    port: u16,
    asked: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// `reply` gets the path with its query, and how often the server was asked before.
    pub(crate) async fn start(reply: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Server {
        Server::listen(None, reply).await
    }

    pub(crate) async fn with_tls(
        acceptor: TlsAcceptor,
        reply: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::listen(Some(acceptor), reply).await
    }

    async fn listen(
        acceptor: Option<TlsAcceptor>,
        reply: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, reply) = (Arc::new(AtomicUsize::new(0)), Arc::new(reply));
        let (count, heard) = (asked.clone(), Arc::<Mutex<Vec<Heard>>>::default());
        let all = heard.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (reply, asked, acceptor) = (reply.clone(), count.clone(), acceptor.clone());
                let heard = all.clone();
                let reply = move |path: &str, request: Heard| {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                    reply(path, asked.fetch_add(1, Ordering::SeqCst))
                };
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(client, reply).await,
                        // A client that does not trust it hangs up.
                        Some(acceptor) => {
                            if let Ok(client) = acceptor.accept(client).await {
                                serve(client, reply).await;
                            }
                        }
                    }
                });
            }
        });
        Server { port, asked, heard, task }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Server {
    /// All requests so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    client: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    reply: impl Fn(&str, Heard) -> Reply + Send + Sync,
) {
    let reply = &reply;
    let service = service_fn(|request: Request<Incoming>| {
        let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            let reply = reply(&path, Heard { headers: parts.headers, body });
            let response = Response::builder();
            Ok::<_, Infallible>(
                match reply {
                    Reply::Answer(status, body) => response.status(status).body(Content(Some(body), 0)),
                    Reply::Redirect(to) => response.status(302).header("Location", to).body(Content(None, 0)),
                    Reply::Huge => response.body(Content(None, 512)),
                    Reply::Stall => std::future::pending().await,
                }
                .unwrap(),
            )
        }
    });
    // Clients hang up as they like.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service).await;
}

/// A text, and then so many parts of 16 KiB of blanks.
struct Content(Option<String>, u32);

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let text = self.0.take().map(Bytes::from);
        let next = text.or_else(|| {
            self.1 = self.1.checked_sub(1)?;
            Some(Bytes::from_static(&[b' '; 1 << 14]))
        });
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }
}

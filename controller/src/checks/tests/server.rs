//! A real HTTP server that behaves as a test wants.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// How it answers.
pub(super) enum Reply {
    /// With this status and body.
    Answer(u16, String),
    /// With a redirect to this address.
    Redirect(String),
    /// With 200, and 8 MiB of blanks.
    Huge,
    /// Not at all.
    Stall,
}

/// Dropping it ends it.
pub(super) struct Server {
    port: u16,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    /// `reply` gets the path with its query, and how often the server was asked before.
    pub(super) async fn start(reply: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Server {
        Server::listen(None, reply).await
    }

    pub(super) async fn with_tls(
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
        let count = asked.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (reply, asked, acceptor) = (reply.clone(), count.clone(), acceptor.clone());
                let reply = move |path: &str| reply(path, asked.fetch_add(1, Ordering::SeqCst));
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
        Server { port, asked, task }
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    client: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    reply: impl Fn(&str) -> Reply + Send,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
        let reply = reply(&path);
        async move {
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

//! What may stand between a controller and a cluster: a proxy that passes all on, but for one trick.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    /// The request to run a jar is passed on, and the connection is closed instead of its answer.
    LoseTheAnswerToRun,
    /// The field `jobId` of the request arrives under another name.
    HideTheJobId,
}

pub(crate) struct Proxy {
    address: String,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(cluster: &str, trick: Trick) -> Result<Proxy> {
        let cluster: Arc<str> = cluster.strip_prefix("http://").context("the cluster speaks HTTP")?.into();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cluster = cluster.clone();
                // What breaks here is seen by the client.
                tokio::spawn(async move { pass(client, &cluster, trick).await });
            }
        });
        Ok(Proxy { address, task })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, cluster: &str, trick: Trick) -> Result<()> {
    let mut server = TcpStream::connect(cluster).await?;
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut runs = false;
    loop {
        tokio::select! {
            count = client.read(&mut up) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                let bytes = &mut up[..count];
                runs |= find(bytes, b".jar/run ").is_some();
                if let (Trick::HideTheJobId, Some(at)) = (trick, find(bytes, b"\"jobId\"")) {
                    bytes[at + 1..at + 6].copy_from_slice(b"other");
                }
                server.write_all(bytes).await?;
            }
            count = server.read(&mut down) => {
                let count = count?;
                if count == 0 || (runs && trick == Trick::LoseTheAnswerToRun) {
                    return Ok(());
                }
                client.write_all(&down[..count]).await?;
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

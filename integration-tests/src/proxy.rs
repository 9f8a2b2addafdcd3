//! A network between a ZooKeeper client and its server that can be cut, and that can lose the answer to a write.

use std::sync::Arc;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// They arrive.
    Whole,
    /// They vanish, and nobody is told: new connections neither.
    Parted,
    /// Those of the next write arrive; then the connection ends before the answer.
    LosesAnswerToWrite,
}

/// The network; it carries whole frames of ZooKeeper's protocol.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    network: Arc<watch::Sender<Network>>,
}

impl Proxy {
    /// A network to the server at `host`, whole at first. It ends with the runtime.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(host: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let network = Arc::new(watch::Sender::new(Network::Whole));
        let shared = Arc::clone(&network);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, host.clone(), Arc::clone(&shared)));
            }
        });
        Ok(Self { port, network })
    }

    /// `host:port` for clients.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on.
    pub fn become_so(&self, network: Network) {
        self.network.send_replace(network);
    }
}

/// Carries whole frames from the client and any bytes back.
async fn carry(client: TcpStream, host: String, network: Arc<watch::Sender<Network>>) -> std::io::Result<()> {
    let server = TcpStream::connect(host).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let parted = || *network.borrow() == Network::Parted;
    let forth = async {
        loop {
            let length = from_client.read_i32().await?;
            let mut frame = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
            from_client.read_exact(&mut frame).await?;
            if !parted() {
                to_server.write_i32(length).await?;
                to_server.write_all(&frame).await?;
            }
            let operation = frame.get(4..8).map(|bytes| [bytes[0], bytes[1], bytes[2], bytes[3]]);
            let writes =
                operation.map(i32::from_be_bytes).is_some_and(|operation| [5, 15].contains(&operation));
            if writes && *network.borrow() == Network::LosesAnswerToWrite {
                network.send_replace(Network::Whole);
                return Ok(());
            }
        }
    };
    let back = async {
        let mut bytes = [0; 8192];
        loop {
            let count = from_server.read(&mut bytes).await?;
            if count == 0 && !parted() {
                return Ok(());
            }
            if count == 0 {
                // The server gave up; the client must not hear of it while the network is parted.
                let mut changes = network.subscribe();
                let _ = changes.wait_for(|network| *network != Network::Parted).await;
                return Ok(());
            }
            if !parted() {
                to_client.write_all(&bytes[..count]).await?;
            }
        }
    };
    tokio::select! {
        ended = forth => ended,
        ended = back => ended,
    }
}

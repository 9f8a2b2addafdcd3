//! A way to a broker on which the end of a transaction takes long; all else is as quick as without it.

use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The number of `EndTxn` in Kafka's protocol.
const END_TXN: i16 = 26;

/// Listens for clients and carries what they say to `127.0.0.1:to`; returns its port. It ends with the runtime.
pub(super) async fn carry_slowly(to: u16, delay: Duration) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, to, delay));
        }
    });
    Ok(port)
}

/// Carries whole requests from the client and any bytes back.
async fn carry(client: TcpStream, to: u16, delay: Duration) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", to)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let forth = async {
        loop {
            let length = from_client.read_i32().await?;
            let mut request = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
            from_client.read_exact(&mut request).await?;
            if request.starts_with(&END_TXN.to_be_bytes()) {
                tokio::time::sleep(delay).await;
            }
            to_server.write_i32(length).await?;
            to_server.write_all(&request).await?;
        }
    };
    tokio::select! {
        ended = forth => ended,
        ended = tokio::io::copy(&mut from_server, &mut to_client) => ended.map(|_| ()),
    }
}

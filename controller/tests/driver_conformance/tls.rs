//! A proxy that ends TLS in front of a cluster, and lets in whoever has a certificate of its authority.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tidegate::flink::Driver as _;
use tidegate::flink::rest::{Credentials, RestDriver, Settings};
use tidegate_integration_tests::certificates::Certificates;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// With both certificates it passes; without one of them nothing is asked, and the reason is told.
pub(crate) async fn certificates_are_checked_on_both_sides(cluster: &str, folder: &Path) -> Result<()> {
    let files = Certificates::create(&folder.join("certificates"))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("https://{}", listener.local_addr()?);
    let acceptor = TlsAcceptor::from(Arc::new(server(&files)?));
    let cluster = cluster.strip_prefix("http://").context("the cluster speaks HTTP")?.to_owned();
    let proxy = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, cluster) = (acceptor.clone(), cluster.clone());
            // What breaks here is seen by the client.
            tokio::spawn(async move {
                let mut client = acceptor.accept(client).await?;
                tokio::io::copy_bidirectional(&mut client, &mut TcpStream::connect(&cluster).await?).await
            });
        }
    });
    let authority = std::fs::read(files.authority())?;
    let own = [std::fs::read(files.client_key())?, std::fs::read(files.client_certificate())?].concat();

    let settings = Settings { certificates: Some(authority), ..Settings::new(&address) };
    let known = Settings { credentials: Credentials::Certificate(own), ..settings.clone() };
    let capacity = RestDriver::new(known.clone())?.capacity().await?;
    ensure!(capacity.is_some_and(|capacity| capacity.slots == 6));
    for (settings, reason) in
        [(settings, "CertificateRequired"), (Settings { certificates: None, ..known }, "certificate")]
    {
        let error = RestDriver::new(settings)?.capacity().await.err().context("it is let in")?;
        let told = error.to_string();
        ensure!(
            error.code() == "FlinkUnreachable" && told.contains(reason) && told.contains(&address),
            "{told}"
        );
    }
    proxy.abort();
    Ok(())
}

fn server(files: &Certificates) -> Result<ServerConfig> {
    let mut authorities = RootCertStore::empty();
    authorities.add(CertificateDer::from_pem_file(files.authority())?)?;
    let verifier = WebPkiClientVerifier::builder(Arc::new(authorities)).build()?;
    let certificate = CertificateDer::from_pem_file(files.server())?;
    let key = PrivateKeyDer::from_pem_file(files.server())?;
    Ok(ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)?)
}

//! Who may read and write: digest authentication, ACLs, TLS.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tidegate_integration_tests::certificates::Certificates;
use tidegate_integration_tests::zookeeper::ZooKeeper;
use tidegate_integration_tests::{Observed, Scratch, wait_until};
use tidegate_store::{Error, Object, Store};
use tidegate_store_zookeeper::ZooKeeperStore;

use crate::{DEADLINE, get, report};

const PASSWORD: &str = "kipper";

fn credentials(folder: &Path, name: &str, content: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::write(&path, content)?;
    Ok(path.display().to_string())
}

/// For the command line client, in the name of the user.
fn commands(folder: &Path, commands: &str) -> Result<std::path::PathBuf> {
    let path = folder.join("commands");
    std::fs::write(&path, format!("addauth digest tidegate:{PASSWORD}\n{commands}quit\n"))?;
    Ok(path)
}

fn open(host: &str, options: &str) -> Result<ZooKeeperStore, Error> {
    ZooKeeperStore::open(&format!("zookeeper://{host}/?{options}"), "orders")
}

#[tokio::test]
async fn what_is_created_belongs_to_its_user() -> Result<()> {
    Scratch::new("digest")?
        .run(async |folder| {
            let server = ZooKeeper::start(folder).await?;
            let (good, wrong) = (
                credentials(folder, "good", &format!("tidegate:{PASSWORD}\n"))?,
                credentials(folder, "wrong", "tidegate:sardine")?,
            );
            let ours = open(&server.host(), &format!("auth-file={good}"))?;
            let version = ours.compare_and_set(&Object::Document, None, b"{}").await?;
            ours.compare_and_set(&report(), None, b"{}").await?;
            let nodes = ["/orders", "/orders/document", "/orders/reports", "/orders/reports/blue-1"];
            let looks = nodes.map(|node| format!("getAcl {node}\n")).concat();
            let acls = server.cli_from(&commands(folder, &looks)?).await?;
            ensure!(acls.matches("'digest,'tidegate:").count() == nodes.len(), "{acls}");
            ensure!(acls.matches(": cdrwa").count() == nodes.len() && !acls.contains("world"), "{acls}");
            let again = open(&server.host(), &format!("auth-file={good}"))?;
            ensure!(get(&again, &Object::Document).await?.version == version);
            for (options, hint) in [
                (String::new(), "give credentials with ?auth-file=<its path>".to_owned()),
                (format!("auth-file={wrong}"), format!("auth-file {wrong}, or correct its password")),
            ] {
                let theirs = open(&server.host(), &options)?;
                for (error, right) in [
                    (
                        theirs.read(&Object::Document).await.map(|_| ()),
                        "read (r) on the node /orders/document",
                    ),
                    (theirs.reports().await.map(|_| ()), "read (r) on the node /orders/reports"),
                    (
                        theirs.compare_and_set(&Object::Request, None, b"{}").await.map(|_| ()),
                        "create (c) on the node /orders",
                    ),
                    (
                        theirs.compare_and_set(&Object::Document, Some(&version), b"{}").await.map(|_| ()),
                        "read (r) on the node /orders/document",
                    ),
                ] {
                    let error = error.expect_err("no right");
                    let text = error.to_string();
                    ensure!(error.code() == "StoreDenied" && !error.is_transient(), "{text}");
                    ensure!(text.contains(right) && text.contains(&hint), "{text}");
                    ensure!(!format!("{error:?} {theirs:?} {}", theirs.url()).contains("sardine"), "{text}");
                }
            }
            server.cli_from(&commands(folder, "setAcl /orders/document world:anyone:r\n")?).await?;
            let viewer = open(&server.host(), "")?;
            ensure!(get(&viewer, &Object::Document).await?.version == version);
            let write = viewer.compare_and_set(&Object::Document, Some(&version), b"{}").await;
            let text = write.expect_err("it may be read only").to_string();
            ensure!(text.contains("write (w) on the node /orders/document"), "{text}");
            Ok(())
        })
        .await
}

/// A password may be exchanged while jobs run: the next connection has the new one. None of them is in the library's log.
#[tokio::test]
async fn credentials_are_read_for_each_connection_and_logged_by_none() -> Result<()> {
    Scratch::new("exchanged")?
        .run(async |folder| {
            let log = folder.join("log-of-the-client");
            // With one subscriber only, a place in the code that a test on another thread comes to first would be cached as one
            // that nobody listens to; with this one there are two.
            tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
            let lines = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(std::sync::Mutex::new(std::fs::File::create(&log)?));
            let _collected = tracing::subscriber::set_default(lines.finish());
            let mut server = ZooKeeper::start(folder).await?;
            let auth = credentials(folder, "auth", "tidegate:sardine")?;
            let theirs = open(&server.host(), &format!("auth-file={auth}"))?;
            theirs.reports().await?;
            // In a file of its own: should the other connection be lost by now, it still comes back with the old password.
            let right = credentials(folder, "right", &format!("tidegate:{PASSWORD}"))?;
            let ours = open(&server.host(), &format!("auth-file={right}"))?;
            ours.compare_and_set(&Object::Document, None, b"{}").await?;
            let denied = theirs.read(&Object::Document).await.expect_err("the old password");
            ensure!(denied.code() == "StoreDenied", "{denied}");
            credentials(folder, "auth", &format!("tidegate:{PASSWORD}"))?;
            server.kill()?;
            server.restart().await?;
            crate::answers(&ours).await?;
            wait_until("the new password is used", DEADLINE, async || {
                let read = theirs.read(&Object::Document).await;
                let told = read.as_ref().map_or_else(ToString::to_string, |_| String::new());
                Ok(Observed::when(read.is_ok(), (), || told))
            })
            .await?;
            let log = std::fs::read_to_string(&log)?;
            ensure!(log.matches("new session established").count() >= 4, "{log}");
            ensure!(!log.contains(PASSWORD) && !log.contains("sardine"), "{log}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn tls_checks_both_sides() -> Result<()> {
    Scratch::new("tls")?
        .run(async |folder| {
            let certificates = Certificates::create(&folder.join("ours"))?;
            let others = Certificates::create(&folder.join("others"))?;
            let server = ZooKeeper::start_encrypted(folder, &certificates).await?;
            let auth = credentials(folder, "auth", &format!("tidegate:{PASSWORD}"))?;
            let options = |ca: &Certificates, own: &Certificates| {
                let (ca, certificate, key) = (ca.authority(), own.client_certificate(), own.client_key());
                format!(
                    "ca-file={}&cert-file={}&key-file={}&auth-file={auth}",
                    ca.display(),
                    certificate.display(),
                    key.display()
                )
            };
            let store = open(&server.secure_host(), &options(&certificates, &certificates))?;
            let mut watch = store.watch();
            let large = vec![b'x'; tidegate_store::MAX_OBJECT_BYTES];
            store.compare_and_set(&Object::Document, None, &large).await?;
            tokio::time::timeout(DEADLINE, watch.changed()).await.context("no hint")??;
            ensure!(get(&store, &Object::Document).await?.bytes == large);
            for (options, reason) in [
                (options(&others, &certificates), "one side refuses the certificate of the other"),
                (options(&certificates, &others), "one side refuses the certificate of the other"),
                (
                    format!("ca-file={}", certificates.authority().display()),
                    "one side refuses the certificate",
                ),
                (String::new(), "speaks TLS only"),
            ] {
                let store = open(&server.secure_host(), &options)?;
                let error = store.read(&Object::Document).await.expect_err("refused");
                ensure!(error.code() == "StoreUnreachable" && error.to_string().contains(reason), "{error}");
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn files_that_cannot_be_used_are_told_when_the_store_is_opened() -> Result<()> {
    Scratch::new("files")?
        .run(async |folder| {
            let nothing = credentials(folder, "nothing", PASSWORD)?;
            for (options, reason) in [
                ("auth-file=/no/such/file".to_owned(), "auth-file /no/such/file cannot be read"),
                (format!("auth-file={nothing}"), "does not hold user:password"),
                ("auth-env=TIDEGATE_NOT_SET".to_owned(), "auth-env TIDEGATE_NOT_SET is not set"),
                ("ca-file=/no/such/file".to_owned(), "ca-file /no/such/file cannot be used"),
            ] {
                let error = open("127.0.0.1:1", &options).expect_err("refused");
                let text = error.to_string();
                ensure!(error.code() == "StoreNotAStore" && text.contains(reason), "{text}");
                ensure!(!text.contains(PASSWORD), "{text}");
            }
            Ok(())
        })
        .await
}

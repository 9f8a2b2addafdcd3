//! Clusters that let in whom they know, by `--url`: a proxy that demands a token, and a JobManager that demands a certificate. What is
//! secret is seen nowhere.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use reqwest::{Certificate, Identity, StatusCode};
use tidegate_integration_tests::certificates::Certificates;
use tidegate_integration_tests::flink::{FlinkCluster, Settings};
use tidegate_integration_tests::http_proxy::{Before, HttpProxy, Request, Script, Server};
use tidegate_integration_tests::{Observed, wait_until};

use super::World;
use super::typed::{DEADLINE, DONE, REFUSED, Typed, UNREACHABLE, USAGE};

const TOKEN: &str = "4f1c-the-token-of-this-test-9e77";

/// Lets in whoever has the token.
struct Doorkeeper;

#[async_trait]
impl Script for Doorkeeper {
    async fn before(&self, request: &Request) -> Before {
        let shown = request.headers.get("authorization").and_then(|header| header.to_str().ok());
        if shown.and_then(|shown| shown.strip_prefix("Bearer ")) == Some(TOKEN) {
            Before::Forward
        } else {
            Before::Answer(StatusCode::UNAUTHORIZED, "{}".to_owned())
        }
    }
}

/// Whatever is said is looked through.
struct Discreet<'a> {
    typed: &'a Typed,
    secrets: Vec<String>,
}

impl Discreet<'_> {
    fn demand(&self, what: &str, text: &str) -> Result<()> {
        ensure!(!self.secrets.iter().any(|secret| text.contains(secret)), "a secret is told in {what}");
        Ok(())
    }

    async fn ends(&self, line: &str, exit: i32, words: &[&str]) -> Result<String> {
        let said = self.typed.line(line).await?;
        self.demand("what is said", &format!("{said:?}"))?;
        let told = format!("{}{}", said.out, said.err);
        ensure!(said.exit == exit && words.iter().all(|word| told.contains(word)), "{words:?}: {said:?}");
        Ok(said.out)
    }
}

pub(crate) async fn by_token(world: &World, folder: &Path) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let cluster = Server { base: world.flink.rest().base().to_owned(), client };
    let proxy = HttpProxy::start(cluster, Arc::new(Doorkeeper)).await?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).map(|()| path.display().to_string())
    };
    let (right, wrong) = (write("token", &format!("{TOKEN}\n"))?, write("other-token", "none-4711")?);
    let discreet = Discreet { typed: &world.typed, secrets: vec![TOKEN.to_owned(), "none-4711".to_owned()] };
    let url = format!("--url {}", proxy.url());
    discreet.ends(&format!("list {url}"), UNREACHABLE, &["FlinkDenied"]).await?;
    discreet.ends(&format!("list {url} --token-file {wrong}"), UNREACHABLE, &["FlinkDenied"]).await?;
    discreet.ends(&format!("list {url} --token-file /no/token"), USAGE, &["--token-file /no/token"]).await?;

    let with = format!("{url} --token-file {right}");
    let jar = &world.jar;
    let deploy = format!("deploy {with} --name tolled --jar {jar} --parallelism 1");
    discreet.ends(&deploy, DONE, &["tolled runs as"]).await?;
    discreet.ends(&format!("list {with}"), DONE, &["tolled"]).await?;
    discreet.ends(&format!("query tolled {with} --output yaml"), DONE, &["state: RUNNING"]).await?;
    let log = folder.join("tolled.log");
    let line = format!("tidegate savepoint tolled {with} --every 15m");
    let schedule = world.typed.start(&line, &world.plane.admin(), folder, &log)?;
    wait_until("a savepoint is there", DEADLINE, async || {
        let said = std::fs::read_to_string(&log)?;
        Ok(Observed::when(said.contains("tolled: file:"), (), || said))
    })
    .await?;
    for file in ["cmdline", "environ"] {
        let shown = std::fs::read(format!("/proc/{}/{file}", schedule.id()))?;
        let shown = String::from_utf8_lossy(&shown);
        ensure!(file != "cmdline" || shown.contains("--token-file"), "{shown}");
        discreet.demand(file, &shown)?;
    }
    drop(schedule);
    discreet.demand("the log", &std::fs::read_to_string(&log)?)?;
    discreet.ends(&format!("terminate tolled {with} --cancel"), DONE, &["tolled ends"]).await?;
    for file in world.typed.remembered()? {
        discreet.demand("what is remembered", &std::fs::read_to_string(file)?)?;
    }
    Ok(())
}

/// A JobManager of its own; its certificate is signed by nobody else.
pub(crate) async fn by_certificates(world: &World, folder: &Path) -> Result<()> {
    let folder = folder.join("secured");
    let files = Certificates::create(&folder.join("certificates"))?;
    let client = [std::fs::read(files.client_key())?, std::fs::read(files.client_certificate())?].concat();
    let own = folder.join("client.pem");
    std::fs::write(&own, &client)?;
    let stores = Stores::make(&folder, &files)?;
    let trusted = Certificate::from_pem(&std::fs::read(&stores.certificate)?)?;
    let known = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]);
    // Its default is one that only old clients speak.
    let algorithms = ("security.ssl.algorithms", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    let mut settings = Settings::new("1.20.3").task_managers(0, 1).with(algorithms.0, algorithms.1);
    settings.rest = Some(known.identity(Identity::from_pem(&client)?).build()?);
    for (key, value) in [
        ("enabled", "true".to_owned()),
        ("authentication-enabled", "true".to_owned()),
        ("keystore", stores.keys.display().to_string()),
        ("keystore-password", PASSWORD.to_owned()),
        ("key-password", PASSWORD.to_owned()),
        ("truststore", stores.trusted.display().to_string()),
        ("truststore-password", PASSWORD.to_owned()),
    ] {
        settings = settings.with(&format!("security.ssl.rest.{key}"), &value);
    }
    let cluster = FlinkCluster::start(&folder, &settings).await?;

    let key = String::from_utf8(client)?;
    let key = key.lines().nth(1).context("no key")?.to_owned();
    let discreet = Discreet { typed: &world.typed, secrets: vec![key, PASSWORD.to_owned()] };
    let url = format!("--url {}", cluster.rest().base());
    ensure!(url.starts_with("--url https://"), "{url}");
    let (certificates, own) = (
        format!("--certificates {}", stores.certificate.display()),
        format!("--client-certificate {}", own.display()),
    );
    let with = format!("{url} {certificates} {own}");
    ensure!(discreet.ends(&format!("list {with} --output json"), DONE, &[]).await?.trim() == "[]");
    discreet.ends(&format!("query orders {with}"), REFUSED, &["UnknownJob"]).await?;
    // There is no TaskManager; Flink has been asked.
    let deploy = format!("deploy {with} --name orders --jar {} --parallelism 1 --no-wait", world.jar);
    discreet.ends(&deploy, REFUSED, &["TooFewSlots"]).await?;

    let unreachable = ["FlinkUnreachable", cluster.rest().base()];
    discreet.ends(&format!("list {url} {certificates}"), UNREACHABLE, &unreachable).await?;
    discreet.ends(&format!("list {url} {own}"), UNREACHABLE, &unreachable).await?;
    let half = format!("list {url} {certificates} --client-certificate {}", files.client_key().display());
    discreet.ends(&half, USAGE, &["client certificate"]).await.map(drop)
}

const PASSWORD: &str = "password-of-the-stores";

/// What Flink reads: its own key and certificate, and whose clients it lets in.
struct Stores {
    keys: PathBuf,
    trusted: PathBuf,
    /// Flink's own, as PEM.
    certificate: PathBuf,
}

impl Stores {
    fn make(folder: &Path, files: &Certificates) -> Result<Stores> {
        let stores = Stores {
            keys: folder.join("keys.p12"),
            trusted: folder.join("trusted.p12"),
            certificate: folder.join("rest.pem"),
        };
        let keytool = |arguments: &[&str], store: &Path| {
            let mut keytool = Command::new("keytool");
            keytool.args(arguments).arg("-keystore").arg(store);
            keytool.args(["-storetype", "PKCS12", "-storepass", PASSWORD]);
            let output = keytool.output().context("cannot run keytool: install a JDK 17")?;
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(output.status.success(), "{keytool:?}: {told}");
            Ok(())
        };
        let make =
            "-genkeypair -alias rest -keyalg EC -groupname secp256r1 -dname CN=rest -ext SAN=ip:127.0.0.1";
        keytool(&make.split(' ').collect::<Vec<_>>(), &stores.keys)?;
        let (certificate, authority) =
            (stores.certificate.display().to_string(), files.authority().display().to_string());
        keytool(&["-exportcert", "-rfc", "-alias", "rest", "-file", &certificate], &stores.keys)?;
        let import = ["-importcert", "-noprompt", "-alias", "clients", "-file", &authority];
        keytool(&import, &stores.trusted)?;
        Ok(stores)
    }
}

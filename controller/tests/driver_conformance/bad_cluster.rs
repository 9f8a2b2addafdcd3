//! What is no cluster, or a sick one: real sockets that answer what they should not, or nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tidegate::flink::rest::{Credentials, Deadlines, RestDriver, Settings};
use tidegate::flink::{Driver as _, Error, JobSpec, StartFrom};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::laws::{DEADLINE, launch};

const SHORT: Duration = Duration::from_millis(300);

/// Answers every request with the same bytes, and keeps what it was asked. Without bytes it never answers.
struct Server {
    address: String,
    asked: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(answer: Option<Vec<u8>>) -> Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let asked = Arc::new(Mutex::new(String::new()));
        let heard = asked.clone();
        let task = tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let mut bytes = vec![0; 1 << 16];
                let count = client.read(&mut bytes).await.unwrap_or_default();
                heard.lock().await.push_str(&String::from_utf8_lossy(&bytes[..count]));
                match &answer {
                    // Whoever asked may have hung up.
                    Some(answer) => drop(client.write_all(answer).await),
                    None => kept.push(client),
                }
            }
        });
        Ok(Server { address, asked, task })
    }

    async fn of(status: &str, body: &str) -> Result<Server> {
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        Server::start(Some(answer.into_bytes())).await
    }

    fn settings(&self) -> Settings {
        let deadlines =
            Deadlines { connect: SHORT, answer: SHORT, submit: SHORT, upload: SHORT, dispose: SHORT };
        Settings { deadlines, ..Settings::new(&self.address) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn capacity(settings: Settings) -> Result<Error> {
    RestDriver::new(settings)?.capacity().await.err().context("it has a capacity")
}

#[tokio::test]
async fn what_answers_wrongly_is_told_with_its_address() -> Result<()> {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n\"{}", "x".repeat(17 << 20));
    for (server, words) in [
        (Server::of("200 OK", "<html>hello</html>").await?, ["FlinkUnreadable: ", "none that Flink gives"]),
        (Server::of("200 OK", "{\"slots\": 3}").await?, ["FlinkUnreadable: ", "missing field"]),
        (Server::of("404 Not Found", "<html>nginx</html>").await?, ["FlinkUnreadable: ", "404"]),
        (Server::of("302 Found", "").await?, ["FlinkUnreadable: ", "302"]),
        (Server::of("502 Bad Gateway", "<html>nginx</html>").await?, ["FlinkBroken: ", "502"]),
        (
            Server::of("503 Service Unavailable", "{\"errors\":[\"ongoing leader election\"]}").await?,
            ["FlinkBroken: ", "ongoing leader election"],
        ),
        (
            Server::of("401 Unauthorized", "who are you").await?,
            ["FlinkDenied: ", "check user, password, token"],
        ),
        (
            Server::of("400 Bad Request", "{\"errors\":[\"a.B: no\\n\\tat c.D\"]}").await?,
            ["FlinkRefused: ", "400: B: no"],
        ),
        (Server::start(Some(endless.into_bytes())).await?, ["FlinkUnreadable: ", "more than 16777216 bytes"]),
        (Server::start(Some(Vec::new())).await?, ["FlinkUnreachable: ", "there is no connection"]),
        (
            Server::of(
                "200 OK",
                r#"{"flink-version":"1.17.2","taskmanagers":1,"slots-total":1,"slots-available":1}"#,
            )
            .await?,
            ["FlinkVersionUnsupported: ", "Flink 1.17.2"],
        ),
    ] {
        let settings = Settings { deadlines: Deadlines::default(), ..server.settings() };
        let error = capacity(settings).await?.to_string();
        ensure!(words.iter().all(|word| error.contains(word)), "{words:?} in: {error}");
        ensure!(error.contains(&server.address) && error.contains("read its version and slots"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn what_never_answers_is_given_up_at_the_deadline() -> Result<()> {
    tokio::time::timeout(DEADLINE, ask_what_never_answers()).await.context("it was waited for")?
}

async fn ask_what_never_answers() -> Result<()> {
    let server = Server::start(None).await?;
    let driver = RestDriver::new(server.settings())?;
    let error = driver.capacity().await.err().context("it answers")?;
    ensure!(error.code() == "FlinkSlow" && error.is_transient() && !error.is_uncertain(), "{error}");
    ensure!(error.to_string().contains("no answer within 300ms"), "{error}");
    let error = driver.start(&launch("slow", 1), &JobSpec::new("/no/such.jar"), &StartFrom::Nothing).await;
    let error = error.err().context("it answers")?;
    ensure!(error.code() == "FlinkSlow" && !error.is_uncertain(), "nothing was submitted: {error}");
    let error = driver.dispose("file:/s/1").await.err().context("it answers")?;
    ensure!(error.is_uncertain(), "it may have begun: {error}");
    Ok(())
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_asked() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    drop(listener);
    let driver = RestDriver::new(Settings::new(&address))?;
    let error = driver.dispose("file:/s/1").await.err().context("it answers")?;
    ensure!(error.code() == "FlinkUnreachable" && error.is_transient() && !error.is_uncertain(), "{error}");
    ensure!(error.to_string().contains(&address), "{error}");
    Ok(())
}

#[tokio::test]
async fn credentials_are_sent_and_never_told() -> Result<()> {
    let basic = Credentials::Basic { user: "grete".into(), password: "hush-hush".into() };
    for (credentials, sent) in [
        (basic, "authorization: Basic Z3JldGU6aHVzaC1odXNo\r\n"),
        (Credentials::Bearer("hush-hush".into()), "authorization: Bearer hush-hush\r\n"),
    ] {
        let server = Server::of("403 Forbidden", "no").await?;
        let settings = Settings { credentials, ..server.settings() };
        let told = format!("{settings:?}");
        let driver = RestDriver::new(settings)?;
        let error = driver.capacity().await.err().context("it has a capacity")?;
        let asked = server.asked.lock().await.clone();
        ensure!(asked.contains(sent), "{asked}");
        for text in [told, format!("{driver:?}"), format!("{error} {error:?}")] {
            let secret = ["hush-hush", "Z3JldGU6"].iter().any(|secret| text.contains(secret));
            ensure!(!secret, "{text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_sent() -> Result<()> {
    let with = |address: &str| Settings::new(address);
    let good = "http://flink:8081";
    for (settings, words) in [
        (with("flink:8081"), "neither http nor https"),
        (with(""), "write it like http://flink-jobmanager:8081"),
        (with("ftp://flink"), "ftp: is neither http nor https"),
        (with("http://grete:hush-hush@flink:8081"), "give them as credentials"),
        (with("http://flink:8081/?a=b"), "leave out what stands behind ?"),
        (Settings { certificates: Some(b"none".to_vec()), ..with(good) }, "there is no certificate in it"),
        (
            Settings { credentials: Credentials::Certificate(b"none".to_vec()), ..with(good) },
            "certificate and its key",
        ),
        (Settings { credentials: Credentials::Bearer("a\nb".into()), ..with(good) }, "check for a line end"),
    ] {
        let error = RestDriver::new(settings).err().context("it is usable")?.to_string();
        ensure!(error.starts_with("FlinkAddressUnusable: ") && error.contains(words), "{words} in: {error}");
        ensure!(!error.contains("hush-hush"), "{error}");
    }
    Ok(())
}

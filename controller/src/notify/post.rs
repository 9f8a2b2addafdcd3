//! One request.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response};
use tidegate_protocol::time::WallTime;

use super::form;
use super::secret::Secrets;
use crate::resource::intent::channel::{Channel, Target};
use crate::resource::spec::SecretKey;
use crate::resource::status::Message;
use crate::web::{cause, shown};

/// Sends the messages of one resource to one channel.
pub(super) struct Sender {
    pub(super) http: Client,
    pub(super) secrets: Secrets,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) channel: Channel,
    pub(super) timeout: Duration,
}

/// The receiver has not said that it took the message. The text has nothing secret in it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) text: String,
    /// It wants to be left alone for so long.
    pub(super) pause: Option<Duration>,
}

impl Sender {
    /// Sends it once.
    pub(super) async fn send(&self, message: &Message, now: WallTime) -> Result<(), Failure> {
        let (shown, request) = match &self.channel.target {
            Target::Slack { secret } => {
                let value = self.secrets.read(&self.namespace, secret).await.map_err(Failure::new)?;
                let address = value.address().ok_or_else(|| self.bad(secret, "no address", "https://…"))?;
                let body = form::slack(&self.namespace, &self.name, message);
                // Who knows the address may write there.
                ("Slack".to_owned(), self.http.post(address).body(body))
            }
            Target::Webhook { url, secret } => {
                let value = self.secrets.read(&self.namespace, secret).await.map_err(Failure::new)?;
                let way_out = "whsec_ and at least 24 bytes in Base64, or at least 24 bytes as they are";
                let key = value.key().ok_or_else(|| self.bad(secret, "no key to sign with", way_out))?;
                let body = form::webhook(&self.namespace, &self.name, message);
                let seconds = now.as_millis() / 1_000;
                let signature = form::signature(&key, &message.id, seconds, &body);
                let request = self.http.post(url).body(body).header("webhook-id", &message.id);
                let request = request.header("webhook-timestamp", seconds);
                (shown(url), request.header("webhook-signature", signature))
            }
        };
        let request = request.header(CONTENT_TYPE, "application/json").timeout(self.timeout);
        match request.send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(refused(&shown, &response)),
            Err(error) => {
                let what =
                    if error.is_timeout() { "it did not answer in time".to_owned() } else { cause(&error) };
                Err(Failure::new(format!("{shown} cannot be reached ({what})")))
            }
        }
    }

    fn bad(&self, secret: &SecretKey, what: &str, way_out: &str) -> Failure {
        let SecretKey { name, key } = secret;
        Failure::new(format!(
            "key {key} of Secret {name} in namespace {} holds {what}; write {way_out}",
            self.namespace
        ))
    }
}

/// The body is not read.
fn refused(shown: &str, response: &Response) -> Failure {
    let status = response.status().as_u16();
    let wish = response.headers().get(RETRY_AFTER).and_then(|wish| wish.to_str().ok()?.parse().ok());
    Failure { text: format!("{shown} answers {status}"), pause: wish.map(Duration::from_secs) }
}

impl Failure {
    fn new(text: impl Into<String>) -> Failure {
        Failure { text: text.into(), pause: None }
    }
}

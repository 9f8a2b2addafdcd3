//! Messages as their receivers take them. Pure.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use serde_json::json;

use super::secret::Hidden;
use crate::resource::status::Message;

/// A body in JSON.
pub(super) type Body = String;

/// For Slack: its own marks in texts of others are made harmless, so that nobody is called by them.
pub(super) fn slack(namespace: &str, name: &str, message: &Message) -> Body {
    let Message { severity, stage, attempt, who, what, why, command, .. } = message;
    let why = if why.is_empty() { String::new() } else { format!(": {}", plain(why)) };
    let text = format!(
        "*{}* {namespace}/{name}, attempt {attempt}, {}\n{}{why} ({})\n```{}```",
        severity.name(),
        stage.name(),
        plain(what),
        plain(who),
        plain(command)
    );
    json!({ "text": text }).to_string()
}

fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace("```", "'''")
}

/// For programs: the envelope of Standard Webhooks.
pub(super) fn webhook(namespace: &str, name: &str, message: &Message) -> Body {
    let Message { time, severity, stage, attempt, who, what, why, command, .. } = message;
    json!({
        "type": format!("rollout.{}", stage.name()),
        "timestamp": time,
        "data": {
            "namespace": namespace,
            "name": name,
            "attempt": attempt,
            "stage": stage,
            "severity": severity,
            "who": who,
            "what": what,
            "why": why,
            "command": command,
        },
    })
    .to_string()
}

/// The header `webhook-signature` of Standard Webhooks: HMAC-SHA256 over id, time in epoch seconds, and body.
pub(super) fn signature(key: &Hidden, id: &str, seconds: u64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.bytes());
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(tag.as_ref()))
}

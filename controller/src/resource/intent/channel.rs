//! Channels of notifications as they are used.

use super::Reader;
use crate::resource::spec::{Notification, SecretKey, Slack, Webhook};
use crate::resource::stage::{Severity, Stage};

/// A channel that can be used.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Channel {
    /// Its name.
    pub(crate) name: String,
    /// The lowest severity that is told.
    pub(crate) from: Severity,
    /// The stages that are told of; all when empty.
    pub(crate) stages: Vec<Stage>,
    /// Where it goes.
    pub(crate) target: Target,
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// To an incoming webhook of Slack.
    Slack {
        /// Where its address is kept.
        secret: SecretKey,
    },
    /// To an address, signed.
    Webhook {
        /// The address.
        url: String,
        /// Where the key is kept.
        secret: SecretKey,
    },
}

impl Channel {
    /// Whether it wants to be told.
    pub(crate) fn wants(&self, severity: Severity, stage: Stage) -> bool {
        severity >= self.from && (self.stages.is_empty() || self.stages.contains(&stage))
    }
}

/// Those that can be used, also of a spec that cannot be followed: that is worth a message, too.
pub(crate) fn usable(notifications: &[Notification]) -> Vec<Channel> {
    read(&mut Reader { problems: Vec::new() }, notifications)
}

pub(super) fn read(reader: &mut Reader, notifications: &[Notification]) -> Vec<Channel> {
    let mut channels: Vec<Channel> = Vec::new();
    for notification in notifications {
        if channels.iter().any(|channel| channel.name == notification.name) {
            let what = format!("the name {:?} comes twice", notification.name);
            reader.problem("spec.notifications", what, "give each channel its own");
        } else {
            channels.extend(read_one(reader, notification));
        }
    }
    channels
}

fn read_one(reader: &mut Reader, notification: &Notification) -> Option<Channel> {
    let Notification { name, from, stages, slack, webhook } = notification;
    let field = format!("spec.notifications[{name}]");
    let target = match (slack, webhook) {
        (Some(Slack { secret }), None) => is_secret(reader, &format!("{field}.slack.secret"), secret)
            .then(|| Target::Slack { secret: secret.clone() }),
        (None, Some(Webhook { url, secret })) => {
            let is_url = (url.starts_with("http://") || url.starts_with("https://")) && !url.contains('@');
            if !is_url {
                let way_out = "write http://… or https://…, without credentials";
                reader.problem(format!("{field}.webhook.url"), "it is no address", way_out);
            }
            let is_secret = is_secret(reader, &format!("{field}.webhook.secret"), secret);
            (is_url && is_secret).then(|| Target::Webhook { url: url.clone(), secret: secret.clone() })
        }
        (Some(_), Some(_)) | (None, None) => {
            reader.problem(field, "it is not of one kind", "write exactly one of slack and webhook");
            None
        }
    }?;
    Some(Channel { name: name.clone(), from: *from, stages: stages.clone(), target })
}

/// Both are parts of a path where Secrets are files.
fn is_secret(reader: &mut Reader, field: &str, secret: &SecretKey) -> bool {
    let is_name = |text: &str, more: &str| {
        let is_known = |character: char| character.is_ascii_alphanumeric() || more.contains(character);
        !text.is_empty() && !text.starts_with('.') && text.chars().all(is_known)
    };
    let mut is_good = true;
    for (part, text, more) in [("name", &secret.name, "-."), ("key", &secret.key, "-._")] {
        if !is_name(text, more) {
            let way_out = format!("write the {part} as kubectl describe secret shows it");
            reader.problem(format!("{field}.{part}"), format!("{text:?} is none"), way_out);
            is_good = false;
        }
    }
    is_good
}

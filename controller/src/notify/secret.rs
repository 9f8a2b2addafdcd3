//! Secrets: read anew for each request, so that a changed one is used, and never kept, told or logged.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::resource::spec::SecretKey;

/// A key of Standard Webhooks begins with this, and is written in Base64; all others are taken as they stand.
const PREFIX: &str = "whsec_";
/// Shorter keys can be guessed.
const KEY_MIN: usize = 24;

/// Where Secrets are.
#[derive(Clone)]
pub(crate) enum Secrets {
    /// In the API server.
    Cluster(kube::Client),
    /// In files: `<folder>/<namespace>/<name>/<key>`.
    Folder(PathBuf),
}

/// A secret value. It cannot be printed.
pub(super) struct Hidden(Vec<u8>);

impl Hidden {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As an address.
    pub(super) fn address(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.0).ok()?;
        (text.starts_with("https://") || text.starts_with("http://")).then_some(text)
    }

    /// As a key to sign with.
    pub(super) fn key(self) -> Option<Hidden> {
        let encoded = std::str::from_utf8(&self.0).ok().and_then(|text| text.strip_prefix(PREFIX));
        let key = match encoded {
            Some(encoded) => BASE64_STANDARD.decode(encoded).ok()?,
            None => self.0,
        };
        (key.len() >= KEY_MIN).then_some(Hidden(key))
    }
}

impl Secrets {
    /// The value, without blanks and line ends around it; or what is wrong, and the way out.
    pub(super) async fn read(&self, namespace: &str, secret: &SecretKey) -> Result<Hidden, String> {
        let SecretKey { name, key } = secret;
        let value = match self {
            Secrets::Cluster(client) => {
                let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
                let found = secrets.get(name).await.map_err(|error| denied(namespace, name, &error))?;
                let value = found.data.and_then(|mut data| data.remove(key));
                value.map(|value| value.0).ok_or_else(|| {
                    format!(
                        "Secret {name} of namespace {namespace} has no key {key}; add it, or correct the spec"
                    )
                })
            }
            Secrets::Folder(folder) => {
                let path = folder.join(namespace).join(name).join(key);
                let problem = |error: std::io::Error| {
                    format!("{} cannot be read ({}); put the value there", path.display(), error.kind())
                };
                tokio::fs::read(&path).await.map_err(problem)
            }
        }?;
        Ok(Hidden(value.trim_ascii().to_vec()))
    }
}

fn denied(namespace: &str, name: &str, error: &kube::Error) -> String {
    let code = if let kube::Error::Api(status) = error { Some(status.code) } else { None };
    match code {
        Some(403) => format!(
            "the controller may not read Secret {name} of namespace {namespace}; add its name to the rule for secrets in the \
             controller's Role"
        ),
        Some(404) => format!("there is no Secret {name} in namespace {namespace}; create it"),
        Some(_) | None => format!("Secret {name} of namespace {namespace} cannot be read just now"),
    }
}

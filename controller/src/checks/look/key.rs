//! A key that somebody sets for a revision, in a ConfigMap or in an annotation of the resource: `passed <revision>`, or
//! `failed <revision>` and why.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, ResourceExt as _};
use tidegate_protocol::rollout::Revision;

use super::{Finding, quoted};
use crate::resource::spec::FlinkBlueGreenDeployment;

/// Where the key is looked for.
pub(super) struct Place<'a> {
    namespace: &'a str,
    name: &'a str,
    config_map: Option<&'a str>,
    key: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn new(of: &'a super::Place, config_map: Option<&'a str>, key: &'a str) -> Place<'a> {
        Place { namespace: &of.namespace, name: &of.name, config_map, key }
    }

    /// The keys there, read live.
    async fn read(&self, client: &Client) -> kube::Result<Option<BTreeMap<String, String>>> {
        let client = client.clone();
        match self.config_map {
            Some(name) => {
                let maps: Api<ConfigMap> = Api::namespaced(client, self.namespace);
                Ok(maps.get_opt(name).await?.and_then(|map| map.data))
            }
            None => {
                let resources: Api<FlinkBlueGreenDeployment> = Api::namespaced(client, self.namespace);
                let resource = resources.get_metadata_opt(self.name).await?;
                Ok(resource.map(|resource| resource.annotations().clone()))
            }
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.config_map {
            Some(name) => write!(f, "key {} of ConfigMap {}/{name}", self.key, self.namespace),
            None => write!(f, "annotation {} of {}/{}", self.key, self.namespace, self.name),
        }
    }
}

pub(super) async fn look(client: &Client, place: &Place<'_>, revision: &Revision) -> Finding {
    match place.read(client).await {
        Ok(keys) => {
            let value = keys.and_then(|mut keys| keys.remove(place.key));
            read(value.as_deref(), &place.to_string(), revision)
        }
        Err(kube::Error::Api(status)) if status.code == 403 => Finding::Unknown(format!(
            "the controller may not read {place}; give its account the verb get on it"
        )),
        Err(error) => Finding::Unknown(format!("{place} cannot be read ({error}); it is tried again")),
    }
}

/// A value for another revision says nothing about this one: it was left over, or set too early.
fn read(value: Option<&str>, place: &str, revision: &Revision) -> Finding {
    let way_out = format!("write `passed {revision}` or `failed {revision}`");
    let Some(value) = value else { return Finding::Unknown(format!("{place} is not set; {way_out}")) };
    let mut words = value.split_whitespace();
    match (words.next(), words.next()) {
        (Some("passed" | "failed"), Some(other)) if other != revision.0 => {
            Finding::Unknown(format!("{place} is about revision {}; {way_out}", quoted(other)))
        }
        (Some("passed"), Some(_)) => Finding::Good,
        (Some("failed"), Some(_)) => {
            let why = words.collect::<Vec<_>>().join(" ");
            let why = if why.is_empty() { String::new() } else { format!(": {}", quoted(&why)) };
            Finding::Bad(format!("{place} says failed{why}"))
        }
        (_, _) => Finding::Unknown(format!("{place} is {}; {way_out}", quoted(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_for_its_revision_only() {
        let read = |value| read(value, "key ok", &Revision("r2".to_owned()));
        assert_eq!(read(Some("passed r2")), Finding::Good);
        assert_eq!(read(Some(" passed\tr2 by hand\n")), Finding::Good);
        assert_eq!(
            read(Some("failed r2 totals differ")),
            Finding::Bad("key ok says failed: \"totals differ\"".to_owned())
        );
        for (value, words) in [
            (None, "is not set; write `passed r2`"),
            (Some("passed r1"), "is about revision \"r1\""),
            (Some("failed r1"), "is about revision \"r1\""),
            (Some("passed"), "is \"passed\""),
            (Some("yes r2"), "is \"yes r2\""),
            (Some(""), "is \"\""),
        ] {
            let finding = read(value);
            assert!(matches!(&finding, Finding::Unknown(reason) if reason.contains(words)), "{finding:?}");
        }
    }
}

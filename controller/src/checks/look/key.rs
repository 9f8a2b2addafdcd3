//! A key of a ConfigMap that somebody sets for a revision: `passed <revision>`, or `failed <revision>` and why.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use tidegate_protocol::rollout::Revision;

use super::{Finding, quoted};

pub(super) async fn look(
    client: &Client,
    namespace: &str,
    config_map: &str,
    key: &str,
    revision: &Revision,
) -> Finding {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let place = format!("key {key} of ConfigMap {namespace}/{config_map}");
    let found = match maps.get_opt(config_map).await {
        Ok(found) => found,
        Err(kube::Error::Api(status)) if status.code == 403 => {
            return Finding::Unknown(format!(
                "the controller may not read {place}; give its account the verb get on configmaps"
            ));
        }
        Err(error) => {
            return Finding::Unknown(format!("{place} cannot be read ({error}); it is tried again"));
        }
    };
    let value = found.and_then(|map| map.data).and_then(|mut data| data.remove(key));
    read(value.as_deref(), &place, revision)
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

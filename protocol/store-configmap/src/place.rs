//! Where things are: the URL, the ConfigMaps' names and labels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tidegate_store::{Error, Object, Slot, check_name};

const SCHEME: &str = "configmap://";
const KUBECONFIG: &str = "kubeconfig=";

/// Who wrote it, for people and tools.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "tidegate");
const STORE: &str = "tidegate.io/store";
const ROLLOUT: &str = "tidegate.io/rollout";

/// The store that a URL names: a prefix of ConfigMaps in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    namespace: String,
    name: String,
    kubeconfig: Option<PathBuf>,
}

impl Location {
    /// Reads a URL like `configmap://shop/orders` or `configmap://shop/orders?kubeconfig=/etc/tidegate/kubeconfig`:
    /// namespace and name, each as [`check_name`] wants it, and the path of a kubeconfig, taken as it stands.
    /// [`Error::NotAStore`] otherwise.
    pub fn parse(url: &str) -> Result<Location, Error> {
        Location::read(url).ok_or_else(|| Error::NotAStore {
            store: without_credentials(url).to_owned(),
            reason: "it is no URL of ConfigMaps".to_owned(),
            way_out: format!(
                "write {SCHEME}, a namespace, / and a name of a-z, 0-9 and -, like {SCHEME}shop/orders, \
                 and behind it ?{KUBECONFIG}/path where one is to be used"
            ),
            cause: None,
        })
    }

    fn read(url: &str) -> Option<Location> {
        let rest = url.strip_prefix(SCHEME)?;
        let (names, kubeconfig) = match rest.split_once('?') {
            None => (rest, None),
            Some((names, option)) => {
                let path = option.strip_prefix(KUBECONFIG).filter(|path| path.starts_with('/'))?;
                (names, Some(path.into()))
            }
        };
        let (namespace, name) = names.split_once('/')?;
        check_name(namespace).and_then(|()| check_name(name)).ok()?;
        Some(Location { namespace: namespace.to_owned(), name: name.to_owned(), kubeconfig })
    }
}

/// The account never stands in the URL; somebody may have tried, also with an option that does not exist.
fn without_credentials(url: &str) -> &str {
    if url.contains('@') {
        return "a URL with credentials in it";
    }
    match url.split_once('?') {
        Some((place, option)) if !option.starts_with(KUBECONFIG) => place,
        Some(_) | None => url,
    }
}

/// The names of one rollout. The parts hold no dot, so a dot between them leaves no two ways to read a name.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    location: Location,
    rollout: String,
}

impl Place {
    pub(crate) fn new(location: &Location, rollout: &str) -> Result<Place, Error> {
        check_name(rollout)?;
        Ok(Place { location: location.clone(), rollout: rollout.to_owned() })
    }

    /// As in `tidegate.store`.
    pub(crate) fn url(&self) -> String {
        let Location { namespace, name, kubeconfig } = &self.location;
        let url = format!("{SCHEME}{namespace}/{name}");
        match kubeconfig {
            None => url,
            Some(path) => format!("{url}?{KUBECONFIG}{}", path.display()),
        }
    }

    /// The kubeconfig that the URL names.
    pub(crate) fn kubeconfig(&self) -> Option<&Path> {
        self.location.kubeconfig.as_deref()
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.location.namespace
    }

    /// The ConfigMap that holds the object. What people edit has the plain name.
    pub(crate) fn config_map(&self, object: &Object) -> String {
        let Location { name, .. } = &self.location;
        match object {
            Object::Document => format!("{name}.document"),
            Object::Request => name.clone(),
            Object::Report(slot) => format!("{}{slot}", self.report_prefix()),
        }
    }

    /// The slot of a report's ConfigMap; `None` for any other.
    pub(crate) fn slot(&self, config_map: &str) -> Option<Slot> {
        config_map.strip_prefix(&self.report_prefix()).and_then(|slot| Slot::new(slot).ok())
    }

    /// Whether a ConfigMap of this name belongs to the rollout.
    pub(crate) fn owns(&self, config_map: &str) -> bool {
        [Object::Document, Object::Request].iter().any(|object| self.config_map(object) == config_map)
            || self.slot(config_map).is_some()
    }

    /// The rollout that a ConfigMap is labelled with, if it is another one.
    pub(crate) fn other_rollout<'a>(&self, metadata: &'a ObjectMeta) -> Option<&'a str> {
        let label = metadata.labels.as_ref()?.get(ROLLOUT)?;
        (*label != self.rollout).then_some(label)
    }

    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        let Location { name, .. } = &self.location;
        [MANAGED_BY, (STORE, name), (ROLLOUT, &self.rollout)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    pub(crate) fn label_selector(&self) -> String {
        format!("{STORE}={},{ROLLOUT}={}", self.location.name, self.rollout)
    }

    fn report_prefix(&self) -> String {
        format!("{}.report.", self.location.name)
    }
}

/// The key in the ConfigMap's data under which the bytes are, called like the files of a directory. The request's is used by
/// nobody: it has keys of its own.
pub(crate) fn key(object: &Object) -> &'static str {
    match object {
        Object::Document => "document.json",
        Object::Request => "request",
        Object::Report(_) => "report.json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str, rollout: &str) -> Place {
        Place::new(&Location::parse(url).expect(url), rollout).expect(rollout)
    }

    fn report(slot: &str) -> Object {
        Object::Report(Slot::new(slot).expect("a good name"))
    }

    #[test]
    fn a_url_is_a_namespace_and_a_name() {
        let orders = place("configmap://shop/orders", "orders");
        assert_eq!(orders.url(), "configmap://shop/orders");
        assert_eq!((orders.namespace(), orders.kubeconfig()), ("shop", None));
        let url = "configmap://shop/orders?kubeconfig=/a b/kubeconfig";
        let elsewhere = place(url, "orders");
        assert_eq!(elsewhere.url(), url);
        assert_eq!(elsewhere.kubeconfig(), Some(Path::new("/a b/kubeconfig")));
        for url in [
            "",
            "configmap:",
            "configmap://",
            "configmap://shop",
            "configmap://shop/",
            "configmap:///orders",
            "configmap://shop/orders/",
            "configmap://shop/orders/more",
            "configmap://shop/tide.gate",
            "configmap://Shop/tidegate",
            "configmap://user:secret@shop/tidegate",
            "configmap://shop/orders?",
            "configmap://shop/orders?kubeconfig=",
            "configmap://shop/orders?kubeconfig=relative",
            "configmap://shop/orders?token=secret",
            "configmap://shop/orders?token=secret@",
            "directory:///data",
        ] {
            let error = Location::parse(url).expect_err(url);
            assert_eq!(error.code(), "StoreNotAStore");
            let text = error.to_string();
            assert!(text.contains("configmap://shop/orders") && !text.contains("secret"), "{text}");
        }
        assert_eq!(Place::new(&orders.location, "a.b").expect_err("a dot").code(), "StoreBadName");
    }

    #[test]
    fn no_two_objects_share_a_name() {
        let orders = place("configmap://shop/orders", "orders");
        let names =
            [Object::Document, Object::Request, report("blue-1")].map(|object| orders.config_map(&object));
        assert_eq!(names, ["orders.document", "orders", "orders.report.blue-1"]);
        assert!(names.iter().all(|name| orders.owns(name)));
        assert_eq!(orders.slot("orders.report.blue-1"), Slot::new("blue-1").ok());
        for foreign in ["orders-2", "orders.report", "orders.report.", "orders.report.a.b"] {
            assert!(!orders.owns(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_label_tells_whose_it_is() {
        let orders = place("configmap://shop/orders", "orders");
        let labelled = |rollout: &str| ObjectMeta {
            labels: Some([(ROLLOUT.to_owned(), rollout.to_owned())].into()),
            ..ObjectMeta::default()
        };
        assert_eq!(orders.other_rollout(&labelled("payments")), Some("payments"));
        assert_eq!(orders.other_rollout(&labelled("orders")), None);
        assert_eq!(
            orders.other_rollout(&ObjectMeta::default()),
            None,
            "made by somebody who knows nothing of labels"
        );
    }
}

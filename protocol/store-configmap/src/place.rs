//! Where things are: the URL, the ConfigMaps' names and labels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// Reads a URL like `configmap://shop/tidegate` or `configmap://shop/tidegate?kubeconfig=/etc/tidegate/kubeconfig`:
    /// namespace and name, each as [`check_name`] wants it, and the path of a kubeconfig, taken as it stands.
    /// [`Error::NotAStore`] otherwise.
    pub fn parse(url: &str) -> Result<Location, Error> {
        Location::read(url).ok_or_else(|| Error::NotAStore {
            store: without_credentials(url).to_owned(),
            reason: "it is no URL of ConfigMaps".to_owned(),
            way_out: format!(
                "write {SCHEME}, a namespace, / and a name of a-z, 0-9 and -, like {SCHEME}shop/tidegate, \
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

/// The account never stands in the URL; somebody may have tried.
fn without_credentials(url: &str) -> &str {
    if url.contains('@') { "a URL with credentials in it" } else { url }
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
        let rollout = &self.rollout;
        match object {
            Object::Document => format!("{name}.{rollout}.document"),
            Object::Request => format!("{name}.{rollout}"),
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
        format!("{}.{}.report.", self.location.name, self.rollout)
    }
}

/// The key in the ConfigMap's data under which the bytes are, called like the files of a directory.
pub(crate) fn key(object: &Object) -> &'static str {
    match object {
        Object::Document => "document.json",
        Object::Request => "request.json",
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
        let orders = place("configmap://shop/tidegate", "orders");
        assert_eq!(orders.url(), "configmap://shop/tidegate");
        assert_eq!((orders.namespace(), orders.kubeconfig()), ("shop", None));
        let url = "configmap://shop/tidegate?kubeconfig=/a b/kubeconfig";
        let elsewhere = place(url, "orders");
        assert_eq!(elsewhere.url(), url);
        assert_eq!(elsewhere.kubeconfig(), Some(Path::new("/a b/kubeconfig")));
        for url in [
            "",
            "configmap:",
            "configmap://",
            "configmap://shop",
            "configmap://shop/",
            "configmap:///tidegate",
            "configmap://shop/tidegate/",
            "configmap://shop/tidegate/more",
            "configmap://shop/tide.gate",
            "configmap://Shop/tidegate",
            "configmap://user:secret@shop/tidegate",
            "configmap://shop/tidegate?",
            "configmap://shop/tidegate?kubeconfig=",
            "configmap://shop/tidegate?kubeconfig=relative",
            "configmap://shop/tidegate?token=secret@",
            "directory:///data",
        ] {
            let error = Location::parse(url).expect_err(url);
            assert_eq!(error.code(), "StoreNotAStore");
            let text = error.to_string();
            assert!(text.contains("configmap://shop/tidegate") && !text.contains("secret"), "{text}");
        }
        assert_eq!(Place::new(&orders.location, "a.b").expect_err("a dot").code(), "StoreBadName");
    }

    #[test]
    fn no_two_objects_share_a_name() {
        let orders = place("configmap://shop/tidegate", "orders");
        let names =
            [Object::Document, Object::Request, report("blue-1")].map(|object| orders.config_map(&object));
        assert_eq!(names, ["tidegate.orders.document", "tidegate.orders", "tidegate.orders.report.blue-1"]);
        assert!(names.iter().all(|name| orders.owns(name)));
        assert_eq!(orders.slot("tidegate.orders.report.blue-1"), Slot::new("blue-1").ok());
        for foreign in [
            "tidegate.orders-2",
            "tidegate.orders.report",
            "tidegate.orders.report.",
            "tidegate.orders.report.a.b",
        ] {
            assert!(!orders.owns(foreign), "{foreign}");
        }
        let (left, right) = (place("configmap://shop/a-b", "c"), place("configmap://shop/a", "b-c"));
        assert_ne!(left.config_map(&Object::Document), right.config_map(&Object::Document));
    }
}

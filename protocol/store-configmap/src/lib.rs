//! The store in ConfigMaps of a Kubernetes namespace, `configmap://namespace/name`, with or without
//! `?kubeconfig=/path` behind it.
//!
//! ```text
//! <name>                 the request: what people edit has the plain name
//! <name>.document        the cutover document, alone
//! <name>.report.<slot>   one per member
//! ```
//!
//! All three belong to one rollout, whose name they carry as a label; where another one's label is, nothing is read or written.
//! The request's keys are those of its `data`, one by one, and what happens to it becomes an event on it.
//!
//! Each of the others holds the object's bytes under one key, readable where they are text, and carries the labels
//! `app.kubernetes.io/managed-by: tidegate`, `tidegate.io/store` and `tidegate.io/rollout`. A write changes that key, these
//! labels and one annotation; all else in the ConfigMap is somebody else's and stays. A ConfigMap without the key is an object
//! that does not exist yet: so the ConfigMaps can be made in advance for an account that may not create any.
//!
//! The namespace must exist. An account that may not look at namespaces cannot tell one that is missing from an empty one:
//! reads find nothing there, the first write says [`Error::Missing`].
//!
//! # Rights
//! RBAC cannot limit `create` to names, nor a `list` or `watch` by labels. So there are two ways, see the folder `roles` and `docs/stores.md`:
//! * `get`, `list`, `watch`, `create` and `patch` on the ConfigMaps of a namespace that holds nothing else.
//! * `get`, `watch` and `patch` on named ConfigMaps only, which somebody else created empty. The names of the reports are then
//!   taken from the account's own rights (a `SelfSubjectRulesReview`, open to every account), each is watched by its name, and
//!   a hint comes every second besides.
//!
//! # Guarantees
//! Reads are GETs and LISTs without a resource version: the server answers them from a quorum of etcd. Writes are one request,
//! bound to uid and resource version. The watch begins with the state that is there, every time it is opened; it never resumes
//! at an old version, so that none can expire under it.
//!
//! One client per store, one task per watched store; both live in the runtime in which the store was opened, and end with it.

mod connect;
mod content;
mod error;
mod feed;
mod place;
mod reach;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use k8s_openapi::api::core::v1::ConfigMap;
use tidegate_store::{
    Error, Keys, MAX_OBJECT_BYTES, Notice, Object, Sheet, Slot, Store, Stored, Version, Watch,
};

use crate::content::Written;
use crate::error::Call;
use crate::feed::Feed;
pub use crate::place::Location;
use crate::place::Place;
use crate::reach::Reach;

/// One rollout in a namespace.
pub struct ConfigMapStore {
    reach: Arc<Reach>,
    /// Alive while somebody watches.
    feed: Mutex<Weak<Feed>>,
}

impl ConfigMapStore {
    /// The store of `rollout`. The account is that of the kubeconfig in the URL, else what the environment gives: the file
    /// that `KUBECONFIG` names, else `~/.kube/config`, else the pod's service account. Call it within a tokio runtime. Sends
    /// nothing yet.
    ///
    /// [`Error::NotAStore`] if there is no usable account, [`Error::BadName`] for the rollout's name.
    pub fn open(location: &Location, rollout: &str) -> Result<Self, Error> {
        let place = Place::new(location, rollout)?;
        let client = connect::connect(&place)?;
        Ok(Self { reach: Arc::new(Reach::new(place, client)), feed: Mutex::default() })
    }

    async fn create(&self, object: &Object, bytes: &[u8]) -> Result<Version, Error> {
        let place = &self.reach.place;
        match self.reach.get(object).await? {
            None => self.reach.create(object, &content::create(place, object, bytes)).await,
            Some(there) => match (Written::of(&there.metadata), content::bytes(there, object)) {
                (Some(empty), None) => {
                    let patch = content::replace(place, object, &empty, bytes);
                    self.reach.replace(object, None, patch).await
                }
                (found, _) => Err(self.conflict(object, None, found)),
            },
        }
    }

    fn conflict(&self, object: &Object, expected: Option<&Version>, found: Option<Written>) -> Error {
        let found = found.map(|found| found.version());
        Error::Conflict {
            store: self.reach.place.url(),
            object: object.clone(),
            expected: expected.cloned(),
            found,
        }
    }

    fn written(&self, object: &Object, found: &ConfigMap) -> Result<Written, Error> {
        let call = Call::new("get", &self.reach.place.config_map(object));
        Written::of(&found.metadata).ok_or_else(|| error::no_version(&self.reach.place, &call))
    }

    fn check_size(&self, object: &Object, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() <= MAX_OBJECT_BYTES {
            return Ok(());
        }
        Err(Error::TooLarge {
            store: self.reach.place.url(),
            object: object.clone(),
            bytes: bytes.len() as u64,
            limit: MAX_OBJECT_BYTES as u64,
        })
    }
}

impl fmt::Debug for ConfigMapStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigMapStore").field("place", &self.reach.place).finish_non_exhaustive()
    }
}

impl Drop for ConfigMapStore {
    fn drop(&mut self) {
        let feed = self.feed.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feed.upgrade() {
            feed.end();
        }
    }
}

#[async_trait::async_trait]
impl Store for ConfigMapStore {
    fn url(&self) -> String {
        self.reach.place.url()
    }

    async fn read(&self, object: &Object) -> Result<Option<Stored>, Error> {
        let Some(found) = self.reach.get(object).await? else { return Ok(None) };
        let written = self.written(object, &found)?;
        let Some(bytes) = content::bytes(found, object) else { return Ok(None) };
        self.check_size(object, &bytes)?;
        Ok(Some(Stored { version: written.version(), bytes }))
    }

    async fn compare_and_set(
        &self,
        object: &Object,
        expected: Option<&Version>,
        bytes: &[u8],
    ) -> Result<Version, Error> {
        self.check_size(object, bytes)?;
        let Some(expected) = expected else { return self.create(object, bytes).await };
        match Written::parse(expected) {
            Some(old) => {
                let patch = content::replace(&self.reach.place, object, &old, bytes);
                self.reach.replace(object, Some(expected), patch).await
            }
            None => Err(self.conflict(object, Some(expected), None)),
        }
    }

    async fn read_sheet(&self) -> Result<Sheet, Error> {
        let Some(found) = self.reach.get(&Object::Request).await? else {
            return Ok(Sheet::of_keys(None, Keys::new()));
        };
        let written = self.written(&Object::Request, &found)?;
        Ok(Sheet::of_keys(Some(written.version()), content::keys(found)))
    }

    async fn write_sheet(&self, old: &Sheet, keys: &Keys) -> Result<Version, Error> {
        let (place, object) = (&self.reach.place, Object::Request);
        let Some(expected) = &old.version else {
            return match self.reach.get(&object).await? {
                None => self.reach.create(&object, &content::create_keys(place, keys)).await,
                Some(found) => Err(self.conflict(&object, None, Written::of(&found.metadata))),
            };
        };
        match Written::parse(expected) {
            Some(written) => {
                let patch = content::replace_keys(place, &written, old.keys.as_ref().ok(), keys);
                self.reach.replace(&object, Some(expected), patch).await
            }
            None => Err(self.conflict(&object, Some(expected), None)),
        }
    }

    async fn announce(&self, notice: &Notice) -> Result<(), Error> {
        self.reach.announce(notice).await
    }

    async fn reports(&self) -> Result<Vec<Slot>, Error> {
        self.reach.reports().await
    }

    fn watch(&self) -> Watch {
        let mut kept = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        let feed = kept.upgrade().unwrap_or_else(|| {
            let feed = Arc::new(Feed::start(Arc::clone(&self.reach)));
            *kept = Arc::downgrade(&feed);
            feed
        });
        Watch::new(feed::Follower::new(feed))
    }
}

//! The objects of one rollout as nodes: which requests make a read, a compare-and-set, a list.

use std::sync::Arc;

use tidegate_store::{Error, MAX_OBJECT_BYTES, Object, Slot, Stored, Version};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use zookeeper_client::{self as zookeeper, Acls, Client, CreateMode, CreateOptions, MultiWriteError, Stat};

use crate::address::Address;
use crate::error::{Attempt, Right, is_refusal};
use crate::session::Session;

/// Parents are made at most this often before a creation gives up: somebody is deleting them.
const PARENTS: usize = 3;
/// Of a check: whatever the version is.
const ANY_VERSION: i32 = -1;

pub(crate) struct Nodes {
    address: Arc<Address>,
    /// The path of the rollout's node.
    path: String,
    /// The same for messages.
    place: String,
    session: Session,
}

impl Nodes {
    /// Within a tokio runtime.
    pub(crate) fn new(address: Address, rollout: &str) -> Self {
        let address = Arc::new(address);
        let path = address.below(rollout);
        let place = address.place(&path);
        let session = Session::begin(Arc::clone(&address), path.clone());
        Self { address, path, place, session }
    }

    pub(crate) fn url(&self) -> &str {
        self.address.url()
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn hints(&self) -> watch::Receiver<()> {
        self.session.hints()
    }

    pub(crate) fn check_size(&self, object: &Object, bytes: usize) -> Result<(), Error> {
        if bytes <= MAX_OBJECT_BYTES {
            return Ok(());
        }
        let (store, object, limit) = (self.place.clone(), object.clone(), MAX_OBJECT_BYTES as u64);
        Err(Error::TooLarge { store, object, bytes: bytes as u64, limit })
    }

    pub(crate) async fn read(&self, object: &Object, deadline: Instant) -> Result<Option<Stored>, Error> {
        let path = self.path_of(object);
        let action = format!("read the {object}");
        let attempt = self.attempt(&action, Right::Read(&path));
        let client = self.client(deadline).await?;
        let agreed = agreed(&client);
        let data = client.get_data(&path);
        match self.fresh(agreed, data, &attempt, deadline).await? {
            Ok((bytes, stat)) => {
                self.check_size(object, bytes.len())?;
                Ok(Some(Stored { version: version(&stat), bytes }))
            }
            Err(zookeeper::Error::NoNode) => self.check_root(deadline).await.map(|()| None),
            Err(error) => Err(attempt.failed(error)),
        }
    }

    pub(crate) async fn reports(&self, deadline: Instant) -> Result<Vec<Slot>, Error> {
        let path = self.reports_path();
        let attempt = self.attempt("list the reports", Right::Read(&path));
        let client = self.client(deadline).await?;
        let agreed = agreed(&client);
        let names = client.list_children(&path);
        match self.fresh(agreed, names, &attempt, deadline).await? {
            Ok(names) => {
                let mut slots: Vec<Slot> =
                    names.into_iter().filter_map(|name| Slot::new(name).ok()).collect();
                slots.sort();
                Ok(slots)
            }
            Err(zookeeper::Error::NoNode) => self.check_root(deadline).await.map(|()| Vec::new()),
            Err(error) => Err(attempt.failed(error)),
        }
    }

    pub(crate) async fn create(
        &self,
        object: &Object,
        bytes: &[u8],
        deadline: Instant,
    ) -> Result<Version, Error> {
        let path = self.path_of(object);
        let action = format!("create the {object}");
        let attempt = self.attempt(&action, Right::Create(parent(&path)));
        for _ in 0..PARENTS {
            let client = self.client(deadline).await?;
            let created = client.create(&path, bytes, &self.persistent());
            match self.written(object, timeout_at(deadline, created).await)? {
                Ok((stat, _)) => return Ok(version(&stat)),
                Err(zookeeper::Error::NodeExists) => return Err(self.conflict(object, None, None)),
                Err(zookeeper::Error::NoNode) => self.make_parents(&path, deadline).await?,
                Err(error) => return Err(attempt.failed(error)),
            }
        }
        let reason = "its nodes are deleted again and again".to_owned();
        let cause = Some(zookeeper::Error::NoNode.into());
        Err(Error::Unreachable { store: self.place.clone(), reason, cause })
    }

    pub(crate) async fn replace(
        &self,
        object: &Object,
        expected: &Version,
        bytes: &[u8],
        deadline: Instant,
    ) -> Result<Version, Error> {
        let path = self.path_of(object);
        let action = format!("write the {object}");
        let reading = self.attempt(&action, Right::Read(&path));
        let client = self.client(deadline).await?;
        let agreed = agreed(&client);
        let look = client.check_stat(&path);
        let Some(found) =
            self.fresh(agreed, look, &reading, deadline).await?.map_err(|error| reading.failed(error))?
        else {
            self.check_root(deadline).await?;
            return Err(self.conflict(object, Some(expected), None));
        };
        if version(&found) != *expected {
            return Err(self.conflict(object, Some(expected), Some(version(&found))));
        }
        let attempt = self.attempt(&action, Right::Write(&path));
        let set = client.set_data(&path, bytes, Some(found.version));
        match self.written(object, timeout_at(deadline, set).await)? {
            // Another node of that name, with as many writes: it was exchanged since the look.
            Ok(stat) if stat.czxid != found.czxid => Err(self.ambiguous(object, None)),
            Ok(stat) => Ok(version(&stat)),
            Err(zookeeper::Error::BadVersion | zookeeper::Error::NoNode) => {
                Err(self.conflict(object, Some(expected), None))
            }
            Err(error) => Err(attempt.failed(error)),
        }
    }

    /// Creates what is missing above `path`, but never the root.
    async fn make_parents(&self, path: &str, deadline: Instant) -> Result<(), Error> {
        let reports = self.reports_path();
        for node in [Some(&self.path), path.starts_with(&reports).then_some(&reports)].into_iter().flatten() {
            let attempt = self.attempt("create the rollout's nodes", Right::Create(parent(node)));
            let client = self.client(deadline).await?;
            let created = client.create(node, &[], &self.persistent());
            match timeout_at(deadline, created).await.map_err(|_| attempt.late())? {
                Ok(_) | Err(zookeeper::Error::NodeExists) => {}
                Err(zookeeper::Error::NoNode) => self.check_root(deadline).await?,
                Err(error) => return Err(attempt.failed(error)),
            }
        }
        Ok(())
    }

    async fn check_root(&self, deadline: Instant) -> Result<(), Error> {
        let root = self.address.root();
        let attempt = self.attempt("look at the root node", Right::Read(root));
        let client = self.client(deadline).await?;
        let agreed = agreed(&client);
        let look = client.check_stat(root);
        match self.fresh(agreed, look, &attempt, deadline).await? {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(attempt.missing()),
            Err(error) => Err(attempt.failed(error)),
        }
    }

    async fn client(&self, deadline: Instant) -> Result<Client, Error> {
        let client = self.session.client(deadline).await;
        client.map_err(|reason| Error::Unreachable { store: self.place.clone(), reason, cause: None })
    }

    /// The answer to a reading request that was sent behind what a quorum has agreed upon.
    async fn fresh<T>(
        &self,
        agreed: impl Future<Output = Result<(), zookeeper::Error>>,
        answer: impl Future<Output = Result<T, zookeeper::Error>>,
        attempt: &Attempt<'_>,
        deadline: Instant,
    ) -> Result<Result<T, zookeeper::Error>, Error> {
        let both = async { tokio::join!(agreed, answer) };
        let (agreed, answer) = timeout_at(deadline, both).await.map_err(|_| attempt.late())?;
        agreed.map_err(|error| attempt.failed(error))?;
        Ok(answer)
    }

    /// What became of a write: it is done, or refused; of anything else nobody knows whether it was, or will be, applied.
    fn written<T>(
        &self,
        object: &Object,
        answer: Result<Result<T, zookeeper::Error>, tokio::time::error::Elapsed>,
    ) -> Result<Result<T, zookeeper::Error>, Error> {
        match answer {
            Ok(Ok(done)) => Ok(Ok(done)),
            Ok(Err(error)) if is_refusal(&error) => Ok(Err(error)),
            Ok(Err(error)) => Err(self.ambiguous(object, Some(error.into()))),
            Err(late) => Err(self.ambiguous(object, Some(late.into()))),
        }
    }

    fn ambiguous(&self, object: &Object, cause: Option<tidegate_store::Cause>) -> Error {
        Error::Ambiguous { store: self.place.clone(), object: object.clone(), cause }
    }

    fn conflict(&self, object: &Object, expected: Option<&Version>, found: Option<Version>) -> Error {
        let (store, object, expected) = (self.place.clone(), object.clone(), expected.cloned());
        Error::Conflict { store, object, expected, found }
    }

    fn attempt<'a>(&'a self, action: &'a str, right: Right<'a>) -> Attempt<'a> {
        Attempt { address: &self.address, place: &self.place, action, right }
    }

    fn persistent(&self) -> CreateOptions<'static> {
        let everybody = self.address.digest.is_none();
        CreateMode::Persistent.with_acls(if everybody { Acls::anyone_all() } else { Acls::creator_all() })
    }

    fn reports_path(&self) -> String {
        format!("{}/reports", self.path)
    }

    fn path_of(&self, object: &Object) -> String {
        match object {
            Object::Document => format!("{}/document", self.path),
            Object::Request => format!("{}/request", self.path),
            Object::Report(slot) => format!("{}/{slot}", self.reports_path()),
        }
    }
}

/// Sends, at once, a transaction that changes nothing. When it is answered a quorum has agreed upon it, and the server has
/// applied all that was agreed upon before: what is asked for behind it, over the same client, is not older.
///
/// That the check fails, for want of a right for instance, is agreed upon as well.
fn agreed(client: &Client) -> impl Future<Output = Result<(), zookeeper::Error>> + Send + use<'_> {
    let mut transaction = client.new_multi_writer();
    let checked = transaction.add_check_version("/", ANY_VERSION);
    let committed = transaction.commit();
    async move {
        checked?;
        match committed.await {
            Ok(_) | Err(MultiWriteError::OperationFailed { .. }) => Ok(()),
            Err(MultiWriteError::RequestFailed { source }) => Err(source),
        }
    }
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(slash) => &path[..slash],
    }
}

/// As `zkCli.sh stat` shows it: cZxid and dataVersion.
fn version(stat: &Stat) -> Version {
    Version::new(format!("{:#x}.{}", stat.czxid, stat.version))
}

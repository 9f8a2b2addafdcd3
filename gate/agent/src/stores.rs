//! Opens the store that a URL names. The one place that knows all backends.

use std::sync::Arc;

use tidegate_store::{Error, Store};
use tidegate_store_directory::DirectoryStore;

/// The store of a rollout, by its URL: `directory:///path`.
pub fn open(url: &str, rollout: &str) -> Result<Arc<dyn Store>, Error> {
    Ok(Arc::new(DirectoryStore::open(&DirectoryStore::parse(url)?, rollout)?))
}

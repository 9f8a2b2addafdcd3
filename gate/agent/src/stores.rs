//! Opens the store that a URL names. The one place that knows all backends.

use std::sync::Arc;

use tidegate_store::{Error, Store};
use tidegate_store_configmap::{ConfigMapStore, Location};
use tidegate_store_directory::DirectoryStore;
use tidegate_store_zookeeper::ZooKeeperStore;

/// The store of a rollout, by its URL: `directory:///path`, `configmap://namespace/name` or
/// `zookeeper://host:port,host:port/path`. Call it within a tokio runtime.
pub fn open(url: &str, rollout: &str) -> Result<Arc<dyn Store>, Error> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("directory") => Ok(Arc::new(DirectoryStore::open(&DirectoryStore::parse(url)?, rollout)?)),
        Some("configmap") => Ok(Arc::new(ConfigMapStore::open(&Location::parse(url)?, rollout)?)),
        Some("zookeeper") => Ok(Arc::new(ZooKeeperStore::open(url, rollout)?)),
        _ => Err(Error::NotAStore {
            store: without_credentials(url).to_owned(),
            reason: "no kind of store is called so".to_owned(),
            way_out:
                "write directory:///path, configmap://namespace/name or zookeeper://host:port,host:port/path"
                    .to_owned(),
            cause: None,
        }),
    }
}

/// Whether a store of this URL leaves threads behind that never end, so that this code has to stay in memory.
pub fn leaves_threads(url: &str) -> bool {
    url.starts_with("zookeeper:")
}

/// Nobody knows where in a URL of another kind the password is.
fn without_credentials(url: &str) -> &str {
    if url.contains('@') { "a URL with credentials in it" } else { url }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_chooses_the_backend() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for url in
            [format!("directory://{}", folder.path().display()), "zookeeper://127.0.0.1:1/a".to_owned()]
        {
            assert_eq!(open(&url, "orders").expect(&url).url(), url);
            assert_eq!(leaves_threads(&url), url.starts_with("zookeeper"));
        }
        for url in ["", "/data", "file:///data", "consul://me:secret@host"] {
            let error = open(url, "orders").expect_err("another kind");
            let text = error.to_string();
            assert!(text.contains("zookeeper://host:port") && text.contains("directory:///path"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}

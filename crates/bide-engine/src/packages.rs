//! Code packages: kept while a function or a layer names them.
//!
//! Owns their removal. A package is uploaded before what names it is created, so those that came lately are spared. What
//! a crash leaves without a name is removed at the next start.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bide_store::StoreError;
use bide_types::Timestamp;
use bytes::Bytes;
use tokio::sync::RwLock;

use crate::error::Error;
use crate::options::UPLOAD_SPARED;
use crate::start::{Engine, Shared};

/// Packages that came lately, by digest.
#[derive(Default)]
pub(crate) struct Uploads {
    lately: Mutex<HashMap<String, Timestamp>>,
    /// Held by many who keep a package, and alone by who removes some: what came after it was decided which ones stay
    /// would go with the rest.
    removing: RwLock<()>,
}

impl Uploads {
    pub(crate) fn note(&self, digest: &str, now: Timestamp) {
        self.lately().insert(digest.to_owned(), now);
    }

    /// Those that came after `since`; the others are forgotten.
    fn since(&self, since: Timestamp) -> Vec<String> {
        let mut uploads = self.lately();
        uploads.retain(|_, at| *at >= since);
        uploads.keys().cloned().collect()
    }

    fn lately(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.lately.lock().expect("nobody panics while holding the uploads")
    }
}

/// Removes the packages that nothing names, and what is unpacked of them.
pub(crate) async fn prune(shared: &Shared) -> Result<(), StoreError> {
    let _alone = shared.uploads.removing.write().await;
    let mut keep = shared.uploads.since(shared.clock.now().minus(UPLOAD_SPARED));
    let mut unpacked = shared.catalog.unpacked();
    // A function that names it may be about to start.
    unpacked.extend(keep.iter().map(|digest| vec![digest.clone()]));
    keep.extend(unpacked.iter().flatten().cloned());
    keep.extend(shared.catalog.layer_packages());
    shared.executor.retain_code(unpacked).await;
    let removed = shared.store.retain_packages(keep).await?;
    if removed > 0 {
        tracing::info!(removed, "code packages that nothing names any more were removed");
    }
    Ok(())
}

impl Engine {
    /// Keeps a code package, so that a function or layer can name its digest (lower-case hex SHA-256).
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn put_package(&self, digest: String, zip: Bytes) -> Result<(), Error> {
        self.check_open()?;
        let _none_go = self.shared.uploads.removing.read().await;
        self.shared.uploads.note(&digest, self.now());
        Ok(self.shared.store.put_package(digest, zip).await?)
    }

    /// # Errors
    /// When it cannot be read.
    pub async fn package(&self, digest: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.shared.store.package(digest.to_owned()).await?)
    }
}

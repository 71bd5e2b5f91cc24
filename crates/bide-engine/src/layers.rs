//! Layers as callers publish and read them.
//!
//! Owns what goes with a change. The catalog does the work; what a crash leaves is a package without a name, which
//! `packages` removes.

use bide_types::AccountId;
use bide_types::resource::LayerReference;

use crate::catalog::{Listing, NewLayerVersion, PublishedLayer};
use crate::error::Error;
use crate::start::Engine;

impl Engine {
    /// Publishes the next version of a layer, creating the layer with the first. Its package must have been put.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`], or when it cannot be stored.
    pub async fn publish_layer(&self, new: NewLayerVersion) -> Result<PublishedLayer, Error> {
        self.check_open()?;
        self.shared.catalog.publish_layer(new, self.now()).await
    }

    /// # Errors
    /// [`Error::LayerNotFound`], [`Error::LayerVersionNotFound`].
    pub fn layer_version(
        &self,
        account: &AccountId,
        layer: &str,
        version: u32,
    ) -> Result<PublishedLayer, Error> {
        self.shared.catalog.layer_version(account, layer, version)
    }

    /// Deletes a version. Functions that name it keep it.
    ///
    /// # Errors
    /// [`Error::LayerNotFound`], [`Error::LayerVersionNotFound`], [`Error::Conflict`].
    pub async fn delete_layer_version(
        &self,
        account: &AccountId,
        layer: &str,
        version: u32,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.shared.catalog.delete_layer_version(account, layer, version).await
    }

    /// One page of the newest version of each of the account's layers, by name.
    pub fn layers(&self, account: &AccountId, listing: &Listing) -> (Vec<PublishedLayer>, Option<String>) {
        self.shared.catalog.layers(account, listing)
    }

    /// Versions of a layer from the number `start` on, and the number that the next page starts with.
    ///
    /// # Errors
    /// [`Error::LayerNotFound`].
    pub fn layer_versions(
        &self,
        account: &AccountId,
        layer: &str,
        start: u32,
        limit: usize,
    ) -> Result<(Vec<PublishedLayer>, Option<u32>), Error> {
        self.shared.catalog.layer_versions(account, layer, start, limit)
    }

    /// What a list of resource names of layer versions stands for. Their packages are kept for a while even if the
    /// versions are deleted before a function names them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no such name, is of another account, or is too much in sum;
    /// [`Error::LayerNotFound`], [`Error::LayerVersionNotFound`].
    pub fn layers_named(&self, account: &AccountId, arns: &[String]) -> Result<Vec<LayerReference>, Error> {
        let layers = self.shared.catalog.layers_named(account, arns)?;
        layers.iter().for_each(|layer| self.shared.uploads.note(&layer.digest, self.now()));
        Ok(layers)
    }
}

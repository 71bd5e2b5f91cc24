//! Layers: publish, get, delete and list versions, and resolve what a function names.
//!
//! A layer and its versions are one control object, so a version is there whole or not at all. A layer stays, without
//! versions, when the last of them is deleted: its numbers must not come again.

use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::limits::{
    CODE_UNPACKED_BYTES_MAX, LAYERS_PER_ACCOUNT_MAX, LAYERS_PER_FUNCTION_MAX, VERSIONS_PER_LAYER_MAX,
};
use bide_types::resource::{Code, Layer, LayerReference, LayerVersion};
use bide_types::{AccountId, LayerName, Timestamp};

use super::stored::{encode, layer_key};
use super::view::View;
use super::{Catalog, Listing, Versioned, page};
use crate::arn;
use crate::error::Error;

/// A version to publish; its number is assigned then.
#[derive(Clone, Debug)]
pub struct NewLayerVersion {
    pub account: AccountId,
    pub name: LayerName,
    pub description: String,
    pub compatible_runtimes: Vec<String>,
    pub code: Code,
    pub unpacked_bytes: u64,
}

/// A version of a layer with its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedLayer {
    pub name: LayerName,
    pub arn: String,
    pub version: LayerVersion,
}

impl Catalog {
    pub(crate) async fn publish_layer(
        &self,
        new: NewLayerVersion,
        now: Timestamp,
    ) -> Result<PublishedLayer, Error> {
        let changing = self.begin().await;
        let (mut layer, expected) = {
            let view = self.view();
            let layers = view.layers.get(&new.account);
            match layers.and_then(|layers| layers.get(&new.name)) {
                Some(current) => (current.value.as_ref().clone(), Expected::Revision(current.revision)),
                None if layers.is_some_and(|layers| layers.len() >= LAYERS_PER_ACCOUNT_MAX) => {
                    return Err(Error::LimitExceeded(format!(
                        "an account has at most {LAYERS_PER_ACCOUNT_MAX} layers, those without versions included"
                    )));
                }
                None => (empty(&new), Expected::Absent),
            }
        };
        if layer.versions.len() >= VERSIONS_PER_LAYER_MAX {
            return Err(Error::LimitExceeded(format!(
                "a layer has at most {VERSIONS_PER_LAYER_MAX} versions: delete some"
            )));
        }
        layer.last_version += 1;
        layer.versions.push(LayerVersion {
            version: layer.last_version,
            description: new.description,
            compatible_runtimes: new.compatible_runtimes,
            code: new.code,
            unpacked_bytes: new.unpacked_bytes,
            created_at: now,
        });
        let published = self.published(&layer, layer.versions.len() - 1);
        self.write_layer(changing, layer, expected).await?;
        Ok(published)
    }

    pub(crate) async fn delete_layer_version(
        &self,
        account: &AccountId,
        name: &str,
        version: u32,
    ) -> Result<(), Error> {
        let changing = self.begin().await;
        let current = layer(&self.view(), account, name)?;
        let mut layer = current.value.as_ref().clone();
        layer.versions.retain(|published| published.version != version);
        if layer.versions.len() == current.value.versions.len() {
            return Err(Error::LayerVersionNotFound { layer: name.to_owned(), version });
        }
        self.write_layer(changing, layer, Expected::Revision(current.revision)).await
    }

    async fn write_layer(
        &self,
        changing: super::Changing,
        layer: Layer,
        expected: Expected,
    ) -> Result<(), Error> {
        let key = layer_key(&layer.account, &layer.name);
        let write = ControlWrite { key, expected, value: Some(encode(&layer)) };
        self.commit(changing, vec![write], |view, revision| {
            view.put_layer(Versioned { value: Arc::new(layer), revision });
        })
        .await
    }

    pub(crate) fn layer_version(
        &self,
        account: &AccountId,
        name: &str,
        version: u32,
    ) -> Result<PublishedLayer, Error> {
        let layer = layer(&self.view(), account, name)?.value;
        let at = layer.versions.iter().position(|published| published.version == version);
        let at = at.ok_or_else(|| Error::LayerVersionNotFound { layer: name.to_owned(), version })?;
        Ok(self.published(&layer, at))
    }

    /// The newest version of each layer that has one.
    pub(crate) fn layers(
        &self,
        account: &AccountId,
        listing: &Listing,
    ) -> (Vec<PublishedLayer>, Option<String>) {
        let view = self.view();
        let layers = view.layers.get(account).into_iter().flatten();
        let newest = layers
            .filter(|(_, layer)| !layer.value.versions.is_empty())
            .map(|(name, layer)| (name, self.published(&layer.value, layer.value.versions.len() - 1)));
        page(newest, listing)
    }

    /// Versions from the number `start` on, at most `limit`, and the number that the next page starts with.
    pub(crate) fn layer_versions(
        &self,
        account: &AccountId,
        name: &str,
        start: u32,
        limit: usize,
    ) -> Result<(Vec<PublishedLayer>, Option<u32>), Error> {
        let layer = layer(&self.view(), account, name)?.value;
        let first = layer.versions.partition_point(|published| published.version < start);
        let end = layer.versions.len().min(first + limit);
        let found = (first..end).map(|at| self.published(&layer, at)).collect();
        Ok((found, layer.versions.get(end).map(|next| next.version)))
    }

    /// What a function's list of resource names stands for.
    pub(crate) fn layers_named(
        &self,
        account: &AccountId,
        arns: &[String],
    ) -> Result<Vec<LayerReference>, Error> {
        if arns.len() > LAYERS_PER_FUNCTION_MAX {
            return Err(Error::InvalidArgument(format!(
                "a function has at most {LAYERS_PER_FUNCTION_MAX} layers"
            )));
        }
        let references: Vec<LayerReference> =
            arns.iter().map(|arn| self.layer_named(account, arn)).collect::<Result<_, _>>()?;
        let unpacked: u64 = references.iter().map(|layer| layer.unpacked_bytes).sum();
        if unpacked > CODE_UNPACKED_BYTES_MAX {
            return Err(Error::InvalidArgument(format!(
                "the layers of a function may have {CODE_UNPACKED_BYTES_MAX} bytes unpacked; these have {unpacked}"
            )));
        }
        Ok(references)
    }

    fn layer_named(&self, account: &AccountId, arn: &str) -> Result<LayerReference, Error> {
        let named = arn::parse_layer(arn).map_err(|error| Error::InvalidArgument(error.to_string()))?;
        if named.account.is_some_and(|owner| owner != *account) {
            return Err(Error::InvalidArgument(format!("layer '{arn}' is of another account")));
        }
        let published = self.layer_version(account, named.layer.as_str(), named.version)?;
        Ok(LayerReference {
            arn: published.arn,
            digest: published.version.code.digest,
            unpacked_bytes: published.version.unpacked_bytes,
        })
    }

    fn published(&self, layer: &Layer, at: usize) -> PublishedLayer {
        let version = layer.versions[at].clone();
        let arn = arn::format_layer(&self.region, &layer.account, &layer.name, version.version);
        PublishedLayer { name: layer.name.clone(), arn, version }
    }
}

fn layer(view: &View, account: &AccountId, name: &str) -> Result<Versioned<Layer>, Error> {
    let found = view.layers.get(account).and_then(|layers| layers.get(name));
    found
        .filter(|layer| !layer.value.versions.is_empty())
        .cloned()
        .ok_or_else(|| Error::LayerNotFound(name.to_owned()))
}

fn empty(new: &NewLayerVersion) -> Layer {
    Layer { account: new.account.clone(), name: new.name.clone(), last_version: 0, versions: Vec::new() }
}

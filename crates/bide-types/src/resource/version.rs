//! Published versions of services, and the aliases that name them (fc-behaviour 7.10).
//!
//! Owns their fields, in the form in which the catalog stores them. Never resolves one: the catalog does.

use serde::{Deserialize, Serialize};

use super::{Function, Service};
use crate::{AccountId, Qualifier, ServiceName, Timestamp};

/// A service with all its functions as they were when it was published; never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceVersion {
    pub service: Service,
    /// Counted from 1 within the service; never given twice.
    pub number: u32,
    pub description: String,
    pub functions: Vec<Function>,
    pub created_at: Timestamp,
}

/// A name for a version of a service, or for two of them by weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    pub account: AccountId,
    pub service: ServiceName,
    pub name: Qualifier,
    pub description: String,
    pub version: u32,
    pub additional: Option<AdditionalVersion>,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

/// The version that gets a share of an alias's calls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdditionalVersion {
    pub version: u32,
    /// Share of the calls, 0 to 1.
    pub weight: f64,
}

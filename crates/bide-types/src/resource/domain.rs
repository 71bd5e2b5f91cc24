//! Custom domains: names under which functions are reached over HTTP (FC "Configure custom domain names").
//!
//! Owns which route a request takes. Never resolves a name: where a domain leads is the caller's network's affair.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::trigger::HttpMethod;
use crate::{AccountId, DomainName, FunctionName, Qualifier, ServiceName, Timestamp};

/// A host name and the functions behind its paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomDomain {
    pub account: AccountId,
    pub name: DomainName,
    pub routes: Vec<Route>,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

/// Where the requests of one path pattern go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub path: RoutePath,
    pub service: ServiceName,
    pub function: FunctionName,
    pub qualifier: Qualifier,
    /// Empty means whatever the function's trigger allows.
    pub methods: BTreeSet<HttpMethod>,
}

/// A path, or with `*` at its end everything that begins with what stands before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoutePath(String);

/// The text is no path pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "route path '{0}' is invalid: it must start with '/', be at most {max} visible ASCII characters, and may hold \
     one '*', at its end",
    max = RoutePath::CHARS_MAX
)]
pub struct RoutePathError(String);

impl RoutePath {
    /// No longer than a path that can be requested (fc-behaviour 5.2).
    pub const CHARS_MAX: usize = 4096;

    /// # Errors
    /// [`RoutePathError`] unless `text` is a path with at most one `*`, which is its end.
    pub fn new(text: &str) -> Result<Self, RoutePathError> {
        let fixed = text.strip_suffix('*').unwrap_or(text);
        let visible = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'?' | b'#');
        if text.len() <= Self::CHARS_MAX && text.starts_with('/') && fixed.bytes().all(visible) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RoutePathError(text.chars().take(crate::limits::NAME_CHARS_MAX).collect()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How well `path`, as it was sent, is matched: the greatest wins, and a whole path wins over every pattern.
    fn rank(&self, path: &str) -> Option<usize> {
        match self.0.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix).then_some(prefix.len()),
            None => (path == self.0).then_some(usize::MAX),
        }
    }
}

impl TryFrom<String> for RoutePath {
    type Error = RoutePathError;

    fn try_from(text: String) -> Result<Self, RoutePathError> {
        Self::new(&text)
    }
}

impl From<RoutePath> for String {
    fn from(path: RoutePath) -> Self {
        path.0
    }
}

impl CustomDomain {
    /// The route for `path`, which is compared as it was sent: the longest match wins.
    pub fn route(&self, path: &str) -> Option<&Route> {
        let matching = self.routes.iter().filter_map(|route| Some((route.path.rank(path)?, route)));
        matching.max_by_key(|(rank, _)| *rank).map(|(_, route)| route)
    }
}

#[cfg(test)]
mod tests;

//! The query string of a request: decoded parameters and the ones that all list operations share.
//!
//! Owns decoding (`+` and `%20` are both a space: the libraries differ) and the refusals that name the parameter.
//! Never knows an operation.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use bide_types::limits::LIST_PAGE_MAX;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// Decoded parameters in the order received.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        query
            .unwrap_or("")
            .split('&')
            .filter(|item| !item.is_empty())
            .map(|item| {
                let (key, value) = item.split_once('=').unwrap_or((item, ""));
                Ok((decode(key)?, decode(value)?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The first value of a parameter; an empty one is the same as none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter, also of the form `name.1=a&name.2=b`.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        let is_item =
            |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let values = self.0.iter().filter(|(key, value)| is_item(key) && !value.is_empty());
        values.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn number<T>(&self, name: &str, range: RangeInclusive<T>) -> Result<Option<T>, ApiError>
    where
        T: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse().ok().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(ApiError::invalid(format!(
                "query parameter '{name}' must be a whole number from {} to {}",
                range.start(),
                range.end()
            ))),
        }
    }

    /// `true` or `false` in any case: Python writes `True`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(ApiError::invalid(format!("query parameter '{name}' must be true or false"))),
        }
    }

    /// The page size asked for.
    pub(crate) fn limit(&self, default: usize) -> Result<usize, ApiError> {
        Ok(self.number("limit", 1..=LIST_PAGE_MAX)?.unwrap_or(default))
    }
}

fn decode(text: &str) -> Result<String, ApiError> {
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(ApiError::invalid("the query string is not UTF-8")),
    }
}

#[cfg(test)]
mod tests;

//! Request paths as decoded segments, and the service segment of generation 2016-08-15.
//!
//! Owns decoding: once, per segment, so that an encoded slash stays inside its name. Never knows a route.

use std::borrow::Cow;

use bide_types::Qualifier;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// More segments than any route has.
const SEGMENTS_MAX: usize = 10;

/// The decoded segments of a path, without its first one (the API version).
pub(crate) struct Segments<'a> {
    texts: [Cow<'a, str>; SEGMENTS_MAX],
    count: usize,
}

impl<'a> Segments<'a> {
    /// `None` when the path has too many segments or is not UTF-8: no route can match it.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let mut segments = Self { texts: Default::default(), count: 0 };
        for text in path.split('/') {
            *segments.texts.get_mut(segments.count)? = percent_decode_str(text).decode_utf8().ok()?;
            segments.count += 1;
        }
        Some(segments)
    }

    /// The segments as text, for matching; those beyond the end are empty and [`Segments::count`] says how many count.
    pub(crate) fn texts(&self) -> [&str; SEGMENTS_MAX] {
        std::array::from_fn(|index| self.texts[index].as_ref())
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// Reads `{service}[.{qualifier}]`. No qualifier, or an empty one after the dot, means `LATEST`.
///
/// # Errors
/// `InvalidArgument` when the qualifier breaks the rule for names. The service is only looked up, never created by
/// this name, so it needs no check.
pub(crate) fn service_and_qualifier(segment: &str) -> Result<(&str, Qualifier), ApiError> {
    let (service, qualifier) = segment.split_once('.').unwrap_or((segment, ""));
    let qualifier = if qualifier.is_empty() { Qualifier::latest() } else { Qualifier::new(qualifier)? };
    Ok((service, qualifier))
}

#[cfg(test)]
mod tests;

//! Names that a caller chooses: services, functions, layers, qualifiers, triggers, domains.
//!
//! Owns the one rule for all of them (FC "CreateFunction"): a letter or underscore, then letters, digits,
//! underscore or hyphen, 1 to 128 characters. A qualifier may also be a version number. Domains follow the rule of
//! host names (RFC 1123) instead.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::NAME_CHARS_MAX;

/// Why a text is no name. The message names the field, so that a caller can act on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{field} '{shown}' is invalid: it must be 1 to {max} characters, letters, digits, '_' or '-', \
     and start with a letter or '_'",
    max = NAME_CHARS_MAX
)]
pub struct NameError {
    field: &'static str,
    shown: String,
}

impl NameError {
    pub(crate) fn new(field: &'static str, text: &str) -> Self {
        Self { field, shown: text.chars().take(NAME_CHARS_MAX).collect() }
    }
}

/// Whether `text` follows the name rule.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= NAME_CHARS_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Declares a text newtype with validation at every way in, serde included.
macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $field:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// # Errors
            /// [`NameError`] when `text` breaks the rule of this type.
            pub fn new(text: &str) -> Result<Self, NameError> {
                if ($valid)(text) { Ok(Self(Arc::from(text))) } else { Err(NameError::new($field, text)) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Lets a map keyed by this name be searched with text.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}
pub(crate) use text_newtype;

text_newtype!(
    /// Name of a service; unique within its account.
    ServiceName, "service name", is_name
);
text_newtype!(
    /// Name of a function; unique within its service.
    FunctionName, "function name", is_name
);
text_newtype!(
    /// Name of a layer; unique within its account.
    LayerName, "layer name", is_name
);
text_newtype!(
    /// Name of a trigger; unique within its function.
    TriggerName, "trigger name", is_name
);
text_newtype!(
    /// What a call is addressed to: `LATEST`, a version number, or an alias.
    Qualifier, "qualifier",
    |text: &str| is_name(text) || (!text.is_empty() && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit()))
);

/// A host name in lower case, without a port or a dot at its end (RFC 1123). Never an IPv4 address: its last label has a
/// letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName(Arc<str>);

/// Why a text is no domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "domain name '{shown}' is invalid: it must be labels of letters, digits and '-', joined by dots, without port, and \
     be no IP address"
)]
pub struct DomainNameError {
    shown: String,
}

impl DomainName {
    /// Longest name and label of DNS (RFC 1035, 2.3.4).
    const CHARS_MAX: usize = 253;
    const LABEL_CHARS_MAX: usize = 63;

    /// Letters become lower case: host names are compared without regard to it.
    ///
    /// # Errors
    /// [`DomainNameError`] when `text` is no host name.
    pub fn new(text: &str) -> Result<Self, DomainNameError> {
        let label = |label: &str| {
            (1..=Self::LABEL_CHARS_MAX).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let named =
            text.rsplit('.').next().is_some_and(|top| top.bytes().any(|byte| byte.is_ascii_alphabetic()));
        if text.len() <= Self::CHARS_MAX && named && text.split('.').all(label) {
            Ok(Self(Arc::from(text.to_ascii_lowercase())))
        } else {
            Err(DomainNameError { shown: text.chars().take(Self::CHARS_MAX).collect() })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before `.{parent}`, if this name lies below `parent`.
    pub fn below(&self, parent: &Self) -> Option<&str> {
        self.0.strip_suffix(parent.as_str())?.strip_suffix('.')
    }
}

impl std::borrow::Borrow<str> for DomainName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DomainName {
    type Error = DomainNameError;

    fn try_from(text: String) -> Result<Self, DomainNameError> {
        Self::new(&text)
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Qualifier {
    pub fn latest() -> Self {
        Self(Arc::from("LATEST"))
    }

    pub fn is_latest(&self) -> bool {
        self.as_str() == "LATEST"
    }

    /// That of a published version.
    pub fn version(number: u32) -> Self {
        Self(Arc::from(number.to_string()))
    }

    /// Whether it can only be a version: no alias begins with a digit.
    pub fn is_version(&self) -> bool {
        self.as_str().starts_with(|first: char| first.is_ascii_digit())
    }

    /// Whether it can only be an alias.
    pub fn is_alias(&self) -> bool {
        !self.is_latest() && !self.is_version()
    }

    /// The number of a version; `None` for what no version is called.
    pub fn version_number(&self) -> Option<u32> {
        let number = self.as_str().parse().ok()?;
        (Self::version(number) == *self).then_some(number)
    }
}

#[cfg(test)]
mod tests;

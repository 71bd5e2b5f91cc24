//! Secrets of targets: from a file or an environment variable, never from the settings file itself.
//!
//! Owns that a secret has no `Debug` that shows it and is never part of an error.

use std::path::PathBuf;

use serde::Deserialize;

/// Longest secret, and all of a file of secrets.
const BYTES_MAX: usize = 4096;

/// Where a secret is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    File(PathBuf),
    Env(String),
}

/// Text that is shown to nobody.
#[derive(Clone)]
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// For the one place that hands it on.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl SecretSource {
    /// Reads the secret, without white space around it.
    ///
    /// # Errors
    /// Where it should be and is not, or has no usable length; never what it is.
    pub fn read(&self) -> Result<Secret, String> {
        let (text, place) = match self {
            Self::File(path) => (
                std::fs::read_to_string(path)
                    .map_err(|error| format!("cannot read the secret in {}: {error}", path.display()))?,
                path.display().to_string(),
            ),
            Self::Env(name) => (
                std::env::var(name)
                    .map_err(|_| format!("the secret's environment variable {name} is not set"))?,
                name.clone(),
            ),
        };
        let text = text.trim();
        if text.is_empty() || text.len() > BYTES_MAX {
            return Err(format!("the secret in {place} must have 1 to {BYTES_MAX} characters"));
        }
        Ok(Secret(text.to_owned()))
    }
}

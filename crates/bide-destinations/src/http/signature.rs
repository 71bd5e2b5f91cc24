//! Signatures of messages (Standard Webhooks 1.0): `v1,` and the base64 of HMAC-SHA256 over id, time and body.
//!
//! Owns the secrets. With several, a message carries a signature of each, so that a receiver can change from one to the
//! next.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::secret::Secret;

const PREFIX: &str = "whsec_";
/// Standard Webhooks, "Signature scheme": between 24 and 64 bytes.
const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;
/// Signatures on one message.
const SECRETS_MAX: usize = 4;

pub(super) struct Signer(Vec<Hmac<Sha256>>);

impl Signer {
    pub(super) fn new(secret: &Secret) -> Result<Self, String> {
        signing_keys(secret).map(Self)
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        let signature = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(format!("{id}.{seconds}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

/// Keys from secrets of the form `whsec_` and base64, one per line.
///
/// # Errors
/// A line is of another form, or there are too many; never what is in it.
pub fn signing_keys(secret: &Secret) -> Result<Vec<Hmac<Sha256>>, String> {
    let lines = secret.expose().lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<_> = lines.map(key).collect::<Result<_, _>>()?;
    if keys.len() > SECRETS_MAX {
        return Err(format!("more than {SECRETS_MAX} signing secrets"));
    }
    Ok(keys)
}

fn key(line: &str) -> Result<Hmac<Sha256>, String> {
    let bytes = line.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    match bytes {
        Some(bytes) if (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&bytes.len()) => {
            Ok(Hmac::new_from_slice(&bytes).expect("a key of any length is one"))
        }
        _ => Err(format!(
            "a signing secret must be '{PREFIX}' and the base64 of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes"
        )),
    }
}

#[cfg(test)]
mod tests;

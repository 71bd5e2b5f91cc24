//! Time-limited links to code packages on this server (FC "GetFunctionCode").
//!
//! Owns the link `/bide/v1/code/{digest}/{expires}/{signature}/{access key id}`: whoever has it may download that one
//! package until it expires, without an `Authorization` header. It is signed with the secret of the access key that
//! asked, so it holds across restarts and nothing is stored, and it dies with the key.

use std::time::Duration;

use bide_types::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq as _;

use crate::auth::{Credential, Credentials};
use crate::checksum::hex;

/// How long a link may be used.
const LIFETIME: Duration = Duration::from_secs(600);
/// Keeps these signatures apart from those of requests: no method has a space in it.
const PURPOSE: &[u8] = b"bide code link\n";

/// The path of a link for `credential` to the package `digest`.
pub(crate) fn path(credential: &Credential, digest: &str, now: Timestamp) -> String {
    let expires = now.plus(LIFETIME).as_millis();
    let signature = hex(&signature(credential, digest, expires));
    let key = utf8_percent_encode(credential.access_key_id(), NON_ALPHANUMERIC);
    format!("/bide/v1/code/{digest}/{expires}/{signature}/{key}")
}

/// Whether the parts of a link are genuine and it has not expired.
pub(crate) fn is_valid(credentials: &Credentials, parts: [&str; 4], now: Timestamp) -> bool {
    let [digest, expires, presented, key] = parts;
    let (Some(credential), Ok(expires)) = (credentials.get(key), expires.parse::<u64>()) else {
        return false;
    };
    let expected = hex(&signature(credential, digest, expires));
    bool::from(expected.as_bytes().ct_eq(presented.as_bytes())) && now.as_millis() <= expires
}

fn signature(credential: &Credential, digest: &str, expires: u64) -> [u8; 32] {
    credential.mac(|sink| {
        sink(PURPOSE);
        sink(digest.as_bytes());
        sink(b"\n");
        sink(expires.to_string().as_bytes());
    })
}

#[cfg(test)]
mod tests {
    use bide_types::AccountId;

    use super::*;
    use crate::auth::Secret;
    use crate::path::Segments;

    #[test]
    fn a_link_is_good_until_it_expires_and_for_its_package_only() {
        let account = AccountId::new("10001").expect("valid");
        let credential = Credential::new("STS.a/b", &Secret::new("s"), account);
        let credentials: Credentials = [credential.clone()].into_iter().collect();
        let now = Timestamp::from_millis(1_000_000);
        let path = path(&credential, "abc", now);
        let segments =
            Segments::parse(path.strip_prefix("/bide/v1/code/").expect("the prefix")).expect("a path");
        let [digest, expires, signature, key, ..] = segments.texts();
        let parts = [digest, expires, signature, key];

        assert!(is_valid(&credentials, parts, now));
        assert!(is_valid(&credentials, parts, now.plus(LIFETIME)));
        assert!(!is_valid(&credentials, parts, now.plus(LIFETIME + Duration::from_millis(1))));
        assert!(!is_valid(&credentials, ["abd", expires, signature, key], now));
        assert!(!is_valid(&credentials, [digest, "9999999999999", signature, key], now));
        assert!(!is_valid(&credentials, [digest, expires, "", key], now));
        assert!(!is_valid(&Credentials::default(), parts, now));
    }
}

//! The subdomain of a qualifier of a function that has an HTTP trigger.
//!
//! Owns how it is made: from names only, so it survives a restart and a trigger that is made anew. It is an address, not
//! a secret: who may call is the trigger's rule.

use bide_types::Qualifier;
use bide_types::resource::Function;
use sha2::{Digest as _, Sha256};

/// Of the function's name, so that people can tell addresses apart.
const NAME_CHARS_MAX: usize = 30;
/// Of the digest that tells addresses apart for certain: 80 bits.
const DIGEST_BYTES: usize = 10;

const _: () = assert!(NAME_CHARS_MAX + 1 + DIGEST_BYTES * 2 <= 63, "a DNS label has at most 63 characters");

/// The label of a qualifier below the server's HTTP domain: unique for account, service, function and qualifier, and the
/// same for as long as those are.
pub fn subdomain(function: &Function, qualifier: &Qualifier) -> String {
    let mut digest = Sha256::new();
    let names = [function.account.as_str(), function.service.as_str(), function.name.as_str()];
    for name in names.into_iter().chain([qualifier.as_str()]) {
        digest.update(name.as_bytes());
        digest.update(b"/"); // in no name, so no two sequences of names read the same
    }
    let readable = function.name.as_str().bytes().filter(u8::is_ascii_alphanumeric).take(NAME_CHARS_MAX);
    let mut label: String = readable.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    if !label.is_empty() {
        label.push('-');
    }
    let hex = digest.finalize();
    label.extend(hex[..DIGEST_BYTES].iter().map(|byte| format!("{byte:02x}")));
    label
}

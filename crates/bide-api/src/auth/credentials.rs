//! The access keys that this server accepts.
//!
//! Owns lookup by key id and the keyed MAC state, computed once so that a request pays only for its own bytes.
//! Never prints a secret: neither [`Secret`] nor [`Credential`] shows it in any format.

use std::collections::HashMap;
use std::fmt;

use bide_types::AccountId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    pub fn new(text: &str) -> Self {
        Self(Box::from(text))
    }

    /// The text itself: for signing and for handing it to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// An access key and the account it acts for.
#[derive(Clone)]
pub struct Credential {
    access_key_id: Box<str>,
    account: AccountId,
    keyed: Hmac<Sha256>,
}

impl Credential {
    pub fn new(access_key_id: &str, secret: &Secret, account: AccountId) -> Self {
        let keyed = Hmac::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length");
        Self { access_key_id: Box::from(access_key_id), account, keyed }
    }

    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// HMAC-SHA256 under the secret, over the bytes that `feed` hands out.
    pub(crate) fn mac(&self, feed: impl FnOnce(&mut dyn FnMut(&[u8]))) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        feed(&mut |bytes| mac.update(bytes));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// All credentials of this server. When one key id is given twice, the later one holds.
#[derive(Debug, Clone, Default)]
pub struct Credentials(HashMap<Box<str>, Credential>);

impl Credentials {
    pub fn get(&self, access_key_id: &str) -> Option<&Credential> {
        self.0.get(access_key_id)
    }

    /// The account of all credentials, if there is only one.
    pub(crate) fn sole_account(&self) -> Option<&AccountId> {
        let mut accounts = self.0.values().map(Credential::account);
        let first = accounts.next()?;
        accounts.all(|account| account == first).then_some(first)
    }

    /// The account of that exact name, if a credential acts for it.
    pub(crate) fn account(&self, name: &str) -> Option<&AccountId> {
        self.0.values().map(Credential::account).find(|account| account.as_str() == name)
    }
}

impl FromIterator<Credential> for Credentials {
    fn from_iter<T: IntoIterator<Item = Credential>>(credentials: T) -> Self {
        Self(
            credentials
                .into_iter()
                .map(|credential| (credential.access_key_id.clone(), credential))
                .collect(),
        )
    }
}

//! The tables `[[event_senders]]` of the settings file: who may post events without an access key.
//!
//! Owns their keys and bounds. A key that is not known is an error; secrets are in files or the environment.

use anyhow::{Context as _, bail, ensure};
use bide_api::auth::{EventSender, EventSenders, Secret, SenderProof, TokenDigest};
use bide_destinations::{SecretSource, signing_keys};
use bide_types::AccountId;
use serde::Deserialize;

/// Most tables; a token is compared with all of them.
const SENDERS_MAX: usize = 64;
/// Shorter tokens can be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// One table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SenderEntry {
    /// For messages about the settings.
    name: String,
    /// May be left out where there is one.
    account_id: Option<String>,
    /// Sent as `Authorization: Bearer`, or as the password of a URL.
    token: Option<SecretSource>,
    /// Of Standard Webhooks, one per line.
    signing_secret: Option<SecretSource>,
}

impl SenderEntry {
    /// Reads secrets. `sole_account` is the account of all credentials, if there is one only.
    pub(crate) fn read_all(
        entries: &[Self],
        sole_account: Option<&AccountId>,
    ) -> anyhow::Result<EventSenders> {
        ensure!(entries.len() <= SENDERS_MAX, "more than {SENDERS_MAX} event senders");
        let read = entries
            .iter()
            .map(|entry| entry.read(sole_account).with_context(|| format!("event sender '{}'", entry.name)));
        read.collect::<anyhow::Result<_>>().map(EventSenders::new)
    }

    fn read(&self, sole_account: Option<&AccountId>) -> anyhow::Result<EventSender> {
        let account = match &self.account_id {
            Some(account) => AccountId::new(account).context("account_id")?,
            None => sole_account.context("account_id: it must be given, since there are several")?.clone(),
        };
        let proof = match (&self.token, &self.signing_secret) {
            (Some(token), None) => {
                let token = token.read().map_err(anyhow::Error::msg).context("token")?;
                let is_fit = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
                ensure!(
                    token.expose().len() >= TOKEN_CHARS_MIN && is_fit(token.expose()),
                    "token: it must have at least {TOKEN_CHARS_MIN} characters, all of them visible ASCII"
                );
                SenderProof::Token(TokenDigest::new(&Secret::new(token.expose())))
            }
            (None, Some(secret)) => {
                let secret = secret.read().map_err(anyhow::Error::msg).context("signing_secret")?;
                let keys = signing_keys(&secret).map_err(anyhow::Error::msg).context("signing_secret")?;
                SenderProof::Webhook(keys)
            }
            (None, None) | (Some(_), Some(_)) => bail!("it must have a token or a signing_secret"),
        };
        Ok(EventSender { account, proof })
    }
}

//! Where access keys come from: the environment, the settings file, or the data directory.
//!
//! Owns `credentials.toml` in the data directory: made with a random pair at the first start without other
//! credentials, mode 0600, and read by the local commands, so that they work without set-up. Never logs a secret.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use bide_api::auth::{Credential, Secret};
use bide_env::Entropy;
use bide_types::AccountId;

use super::file::CredentialEntry;

/// Account of generated credentials, and of keys in the environment without `BIDE_ACCOUNT_ID`.
pub(crate) const DEFAULT_ACCOUNT: &str = "1000000000000001";
const FILE_NAME: &str = "credentials.toml";
const KEY_ID_BYTES: usize = 10;
const SECRET_BYTES: usize = 30;

/// The pair in `BIDE_ACCESS_KEY_ID` and `BIDE_ACCESS_KEY_SECRET`, for `BIDE_ACCOUNT_ID`.
pub(crate) fn from_environment() -> anyhow::Result<Option<Credential>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable("BIDE_ACCESS_KEY_ID"), variable("BIDE_ACCESS_KEY_SECRET")) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => {
            let account = variable("BIDE_ACCOUNT_ID").unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned());
            checked(&account, &id, &Secret::new(&secret)).map(Some)
        }
        _ => anyhow::bail!("set both BIDE_ACCESS_KEY_ID and BIDE_ACCESS_KEY_SECRET, or neither"),
    }
}

pub(super) fn checked(account: &str, access_key_id: &str, secret: &Secret) -> anyhow::Result<Credential> {
    let account = AccountId::new(account)?;
    let fits = |text: &str| {
        !text.is_empty() && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    anyhow::ensure!(
        fits(access_key_id) && !access_key_id.contains(':'),
        "access key id '{access_key_id}' is invalid"
    );
    anyhow::ensure!(fits(secret.expose()), "the secret of access key id '{access_key_id}' is invalid");
    Ok(Credential::new(access_key_id, secret, account))
}

/// The pair kept in `data_dir`; made now if `entropy` is given and there is none.
pub(crate) fn stored(data_dir: &Path, entropy: Option<&dyn Entropy>) -> anyhow::Result<Option<Credential>> {
    let path = data_dir.join(FILE_NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let entry: CredentialEntry =
                toml::from_str(&text).with_context(|| format!("{} is wrong", path.display()))?;
            entry.check().map(Some)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            entropy.map(|entropy| generate(&path, entropy)).transpose()
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn generate(path: &Path, entropy: &dyn Entropy) -> anyhow::Result<Credential> {
    let account = AccountId::new(DEFAULT_ACCOUNT).expect("the default account is valid");
    let access_key_id = format!("BIDE{}", random_text::<KEY_ID_BYTES>(entropy));
    let secret = Secret::new(&random_text::<SECRET_BYTES>(entropy));
    let text = toml::to_string(&CredentialEntry::table(&account, &access_key_id, &secret))
        .expect("three strings can be written as TOML");
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Credential::new(&access_key_id, &secret, account))
}

/// `BYTES` random bytes in lower-case hexadecimal.
fn random_text<const BYTES: usize>(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; BYTES];
    entropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

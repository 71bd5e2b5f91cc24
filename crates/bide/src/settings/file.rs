//! The settings file: TOML, the same names as the flags, with underscores.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bide_api::auth::{Credential, Secret};
use bide_types::AccountId;
use serde::Deserialize;

use super::{MissedTicksRule, SandboxMode, SenderEntry};
use crate::logging::LogFormat;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) listen: Option<String>,
    pub(super) metrics_listen: Option<String>,
    pub(super) metrics_token: Option<String>,
    pub(super) otlp_endpoint: Option<String>,
    pub(super) otlp_headers: Option<String>,
    pub(super) trace_ratio: Option<f64>,
    #[serde(default)]
    pub(super) request_log: bool,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) region: Option<String>,
    pub(super) http_domain: Option<String>,
    #[serde(default)]
    pub(super) api_hosts: Vec<String>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_filter: Option<String>,
    pub(super) drain_timeout_seconds: Option<u64>,
    pub(super) task_retention_seconds: Option<u64>,
    pub(super) task_log_bytes: Option<usize>,
    pub(super) disk_reserve_mb: Option<u64>,
    pub(super) missed_ticks: Option<MissedTicksRule>,
    pub(super) dead_letter_retention_seconds: Option<u64>,
    pub(super) dead_letters_max: Option<usize>,
    pub(super) idle_timeout_seconds: Option<u64>,
    pub(super) start_timeout_seconds: Option<u64>,
    pub(super) instances_per_account: Option<usize>,
    pub(super) instances_per_function: Option<usize>,
    pub(super) standby_instances: Option<usize>,
    pub(super) python: Option<PathBuf>,
    pub(super) node: Option<PathBuf>,
    pub(super) sandbox: Option<SandboxMode>,
    #[serde(default)]
    pub(super) shared_dirs: Vec<PathBuf>,
    #[serde(default)]
    pub(super) destinations: Vec<bide_destinations::Entry>,
    #[serde(default)]
    pub(super) event_senders: Vec<SenderEntry>,
    #[serde(default)]
    pub(super) event_sources: Vec<bide_sources::Entry>,
    #[serde(default)]
    pub(super) credentials: Vec<CredentialEntry>,
}

/// One `[[credentials]]` table. Has no `Debug` that shows the secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialEntry {
    account_id: String,
    access_key_id: String,
    access_key_secret: String,
}

impl std::fmt::Debug for CredentialEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialEntry").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl File {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read settings file {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("settings file {} is wrong", path.display()))
    }
}

impl CredentialEntry {
    pub(super) fn check(self) -> anyhow::Result<Credential> {
        super::credentials::checked(
            &self.account_id,
            &self.access_key_id,
            &Secret::new(&self.access_key_secret),
        )
    }

    pub(super) fn table(account: &AccountId, access_key_id: &str, secret: &Secret) -> toml::Table {
        let mut table = toml::Table::new();
        table.insert("account_id".to_owned(), account.as_str().into());
        table.insert("access_key_id".to_owned(), access_key_id.into());
        table.insert("access_key_secret".to_owned(), secret.expose().into());
        table
    }
}

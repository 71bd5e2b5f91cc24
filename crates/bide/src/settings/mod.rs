//! The server's settings: flags over environment (`BIDE_*`) over file over defaults.
//!
//! Owns the one tree of settings. A key in the file that is not known is an error; nothing is accepted and ignored.

mod credentials;
mod event_senders;
mod file;
mod missed_ticks;
mod monitoring;
mod sandbox;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bide_api::Domains;
use bide_api::auth::Credential;
use bide_store_local::RESERVE_BYTES_DEFAULT;
use bide_types::DomainName;
use bide_types::limits::ATTEMPT_LOG_BYTES_MAX;
use clap::Args;

use crate::logging::LogFormat;
use file::File;

pub(crate) use credentials::{from_environment, stored};
pub(crate) use event_senders::SenderEntry;
pub(crate) use missed_ticks::MissedTicksRule;
pub(crate) use monitoring::{MonitoringFlags, MonitoringSettings};
pub(crate) use sandbox::SandboxMode;

/// Address the server listens on by default.
const LISTEN_DEFAULT: &str = "127.0.0.1:8700";
/// Where data is kept by default, under the working directory.
pub(crate) const DATA_DIR_DEFAULT: &str = "./bide-data";
/// The storage engine tells at `info` what concerns only those who work on it.
const LOG_FILTER_DEFAULT: &str = "info,fjall=warn,lsm_tree=warn";

/// Where settings are given by hand.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Flags {
    /// Settings file (TOML)
    #[arg(long, env = "BIDE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:8700]
    #[arg(long, env = "BIDE_LISTEN")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) monitoring: MonitoringFlags,
    /// Directory for everything that is kept [default: ./bide-data]
    #[arg(long, env = "BIDE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Region in resource names [default: local]
    #[arg(long, env = "BIDE_REGION")]
    pub(crate) region: Option<String>,
    /// Domain below which every function with an HTTP trigger has a subdomain [default: none]
    #[arg(long, env = "BIDE_HTTP_DOMAIN")]
    pub(crate) http_domain: Option<String>,
    /// Names by which the API is reached, so that none becomes a custom domain; separated by commas
    #[arg(long = "api-host", env = "BIDE_API_HOSTS", value_delimiter = ',')]
    pub(crate) api_hosts: Vec<String>,
    /// Form of the log
    #[arg(long, env = "BIDE_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// What is logged, e.g. `warn` or `info,bide_engine=debug` [default: info,fjall=warn,lsm_tree=warn]
    #[arg(long, env = "BIDE_LOG_FILTER")]
    pub(crate) log_filter: Option<String>,
    /// Seconds that a shutdown waits for running functions [default: 30]
    #[arg(long, env = "BIDE_DRAIN_TIMEOUT_SECONDS")]
    pub(crate) drain_timeout_seconds: Option<u64>,
    /// Seconds for which settled tasks are kept [default: 604800]
    #[arg(long, env = "BIDE_TASK_RETENTION_SECONDS")]
    pub(crate) task_retention_seconds: Option<u64>,
    /// Bytes of log kept with a task for each of its attempts; 0: none [default: 16384]
    #[arg(long, env = "BIDE_TASK_LOG_BYTES")]
    pub(crate) task_log_bytes: Option<usize>,
    /// MiB of the disk that new invocations and code may not take; 0: none [default: 256]
    #[arg(long, env = "BIDE_DISK_RESERVE_MB")]
    pub(crate) disk_reserve_mb: Option<u64>,
    /// What becomes of ticks of time triggers that were due while no server ran [default: skip]
    #[arg(long, env = "BIDE_MISSED_TICKS")]
    pub(crate) missed_ticks: Option<MissedTicksRule>,
    /// Seconds for which destination records that were given up are kept [default: 604800]
    #[arg(long, env = "BIDE_DEAD_LETTER_RETENTION_SECONDS")]
    pub(crate) dead_letter_retention_seconds: Option<u64>,
    /// Most of them; beyond, the oldest are dropped [default: 100000]
    #[arg(long, env = "BIDE_DEAD_LETTERS_MAX")]
    pub(crate) dead_letters_max: Option<usize>,
    /// Seconds after which an idle instance is ended [default: 180]
    #[arg(long, env = "BIDE_IDLE_TIMEOUT_SECONDS")]
    pub(crate) idle_timeout_seconds: Option<u64>,
    /// Seconds in which an instance must be ready to serve [default: 120]
    #[arg(long, env = "BIDE_START_TIMEOUT_SECONDS")]
    pub(crate) start_timeout_seconds: Option<u64>,
    /// Most instances of one account [default: 100]
    #[arg(long, env = "BIDE_INSTANCES_PER_ACCOUNT")]
    pub(crate) instances_per_account: Option<usize>,
    /// Most instances of one function [default: 90]
    #[arg(long, env = "BIDE_INSTANCES_PER_FUNCTION")]
    pub(crate) instances_per_function: Option<usize>,
    /// Interpreters of each kind that stand ready for cold starts; 0: none [default: 2]
    #[arg(long, env = "BIDE_STANDBY_INSTANCES")]
    pub(crate) standby_instances: Option<usize>,
    /// Python interpreter for python3 runtimes [default: python3]
    #[arg(long, env = "BIDE_PYTHON")]
    pub(crate) python: Option<PathBuf>,
    /// Node interpreter for nodejs runtimes [default: node]
    #[arg(long, env = "BIDE_NODE")]
    pub(crate) node: Option<PathBuf>,
    /// What to do when this host cannot give functions a sandbox [default: require]
    #[arg(long, env = "BIDE_SANDBOX")]
    pub(crate) sandbox: Option<SandboxMode>,
    /// Directory of this host that functions see and may write to, as its modes allow; may be given again
    #[arg(long = "shared-dir", env = "BIDE_SHARED_DIRS", value_delimiter = ':')]
    pub(crate) shared_dirs: Vec<PathBuf>,
}

/// The settings in force.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) monitoring: MonitoringSettings,
    pub(crate) data_dir: PathBuf,
    pub(crate) region: String,
    pub(crate) domains: Domains,
    pub(crate) log_format: LogFormat,
    pub(crate) log_filter: String,
    pub(crate) drain_timeout: Duration,
    pub(crate) task_retention: Option<Duration>,
    pub(crate) task_log_bytes: Option<usize>,
    pub(crate) disk_reserve_bytes: u64,
    pub(crate) missed_ticks: MissedTicksRule,
    pub(crate) dead_letter_retention: Option<Duration>,
    pub(crate) dead_letters_max: Option<usize>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) instances_per_account: Option<usize>,
    pub(crate) instances_per_function: Option<usize>,
    pub(crate) standby_instances: Option<usize>,
    pub(crate) python: Option<PathBuf>,
    pub(crate) node: Option<PathBuf>,
    pub(crate) sandbox: SandboxMode,
    /// Absolute paths of directories that exist.
    pub(crate) shared_dirs: Vec<PathBuf>,
    pub(crate) destinations: Vec<bide_destinations::Entry>,
    pub(crate) event_senders: Vec<SenderEntry>,
    pub(crate) event_sources: Vec<bide_sources::Entry>,
    /// Empty means: use those kept in the data directory, made at the first start.
    pub(crate) credentials: Vec<Credential>,
}

impl Settings {
    /// Resolves all sources.
    pub(crate) fn resolve(flags: Flags) -> anyhow::Result<Self> {
        let file = flags.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let monitoring = MonitoringSettings::resolve(flags.monitoring, &file)?;
        let listen = flags.listen.or(file.listen).unwrap_or_else(|| LISTEN_DEFAULT.to_owned());
        let region = flags.region.or(file.region).unwrap_or_else(|| "local".to_owned());
        anyhow::ensure!(
            !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
            "region '{region}' is invalid: letters, digits and '-'"
        );
        let credentials = match from_environment()? {
            Some(credential) => vec![credential],
            None => file
                .credentials
                .into_iter()
                .map(file::CredentialEntry::check)
                .collect::<anyhow::Result<_>>()?,
        };
        let shared_dirs = if flags.shared_dirs.is_empty() { file.shared_dirs } else { flags.shared_dirs };
        check_shared_dirs(&shared_dirs)?;
        let api_hosts = if flags.api_hosts.is_empty() { file.api_hosts } else { flags.api_hosts };
        let task_log_bytes = flags.task_log_bytes.or(file.task_log_bytes);
        anyhow::ensure!(
            task_log_bytes.is_none_or(|bytes| bytes <= ATTEMPT_LOG_BYTES_MAX),
            "task_log_bytes must be {ATTEMPT_LOG_BYTES_MAX} at most"
        );
        let domains = domains(flags.http_domain.or(file.http_domain), &api_hosts)?;
        let seconds = |value: Option<u64>| value.map(Duration::from_secs);
        Ok(Self {
            listen: listen
                .parse()
                .with_context(|| format!("listen address '{listen}' is not of the form IP:PORT"))?,
            monitoring,
            data_dir: flags.data_dir.or(file.data_dir).unwrap_or_else(|| DATA_DIR_DEFAULT.into()),
            region,
            domains,
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            log_filter: flags.log_filter.or(file.log_filter).unwrap_or_else(|| LOG_FILTER_DEFAULT.to_owned()),
            drain_timeout: seconds(flags.drain_timeout_seconds.or(file.drain_timeout_seconds))
                .unwrap_or(bide_engine::Options::default().drain_timeout),
            task_retention: seconds(flags.task_retention_seconds.or(file.task_retention_seconds)),
            task_log_bytes,
            disk_reserve_bytes: flags
                .disk_reserve_mb
                .or(file.disk_reserve_mb)
                .map_or(RESERVE_BYTES_DEFAULT, |mib| mib.saturating_mul(1024 * 1024)),
            missed_ticks: flags.missed_ticks.or(file.missed_ticks).unwrap_or_default(),
            dead_letter_retention: seconds(
                flags.dead_letter_retention_seconds.or(file.dead_letter_retention_seconds),
            ),
            dead_letters_max: flags.dead_letters_max.or(file.dead_letters_max),
            idle_timeout: seconds(flags.idle_timeout_seconds.or(file.idle_timeout_seconds)),
            start_timeout: seconds(flags.start_timeout_seconds.or(file.start_timeout_seconds)),
            instances_per_account: flags.instances_per_account.or(file.instances_per_account),
            instances_per_function: flags.instances_per_function.or(file.instances_per_function),
            standby_instances: flags.standby_instances.or(file.standby_instances),
            python: flags.python.or(file.python),
            node: flags.node.or(file.node),
            sandbox: flags.sandbox.or(file.sandbox).unwrap_or_default(),
            shared_dirs,
            destinations: file.destinations,
            event_senders: file.event_senders,
            event_sources: file.event_sources,
            credentials,
        })
    }
}

fn check_shared_dirs(directories: &[PathBuf]) -> anyhow::Result<()> {
    for directory in directories {
        anyhow::ensure!(
            directory.is_absolute() && directory.parent().is_some() && directory.is_dir(),
            "shared directory '{}' is not the absolute path of a directory",
            directory.display()
        );
    }
    Ok(())
}

fn domains(http_domain: Option<String>, api_hosts: &[String]) -> anyhow::Result<Domains> {
    let http_domain = http_domain.as_deref().map(DomainName::new).transpose().context("http_domain")?;
    let api_hosts: Vec<DomainName> =
        api_hosts.iter().map(|host| DomainName::new(host)).collect::<Result<_, _>>().context("api_hosts")?;
    if let Some(domain) = &http_domain {
        let hidden = api_hosts.iter().find(|host| host.below(domain).is_some());
        anyhow::ensure!(
            hidden.is_none(),
            "api_hosts: the API cannot be reached below http_domain '{domain}', where functions have their names"
        );
    }
    Ok(Domains { http_domain, api_hosts })
}

#[cfg(test)]
mod tests;

//! Settings of what operators see: where the figures are read, and by whom.
//!
//! Owns the rule that figures, which name functions, are not open to a network: an address beyond loopback needs a
//! token. Secrets come from the environment or the file, never from a flag, which every process of the host can read.

use std::net::SocketAddr;

use anyhow::Context as _;
use bide_telemetry::Token;
use clap::Args;

use super::file::File;

/// Where settings of monitoring are given by hand.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct MonitoringFlags {
    /// Address where Prometheus reads figures, at `/metrics`; beyond loopback with BIDE_METRICS_TOKEN [default: none]
    #[arg(long, env = "BIDE_METRICS_LISTEN")]
    metrics_listen: Option<String>,
    /// Log a record of each attempt to run a function
    #[arg(long, env = "BIDE_REQUEST_LOG")]
    request_log: bool,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub(crate) struct MonitoringSettings {
    /// `None`: no figures are served.
    pub(crate) metrics_page: Option<MetricsPage>,
    pub(crate) request_log: bool,
}

impl MonitoringSettings {
    pub(super) fn resolve(flags: MonitoringFlags, file: &File) -> anyhow::Result<Self> {
        Ok(Self {
            metrics_page: metrics_page(
                flags.metrics_listen.or_else(|| file.metrics_listen.clone()),
                secret("BIDE_METRICS_TOKEN", file.metrics_token.clone()),
            )?,
            request_log: flags.request_log || file.request_log,
        })
    }
}

/// Where Prometheus reads.
#[derive(Clone, Debug)]
pub(crate) struct MetricsPage {
    pub(crate) listen: SocketAddr,
    pub(crate) token: Option<Token>,
}

/// The page of figures, if one is asked for.
fn metrics_page(listen: Option<String>, token: Option<String>) -> anyhow::Result<Option<MetricsPage>> {
    let token = token.as_deref().map(Token::new).transpose().context("metrics_token")?;
    let Some(listen) = listen else {
        anyhow::ensure!(token.is_none(), "metrics_token is of no use without metrics_listen");
        return Ok(None);
    };
    let listen: SocketAddr =
        listen.parse().with_context(|| format!("metrics_listen '{listen}' is not of the form IP:PORT"))?;
    anyhow::ensure!(
        listen.ip().is_loopback() || token.is_some(),
        "metrics_listen {listen} can be reached from elsewhere, and the figures name all functions: set metrics_token"
    );
    Ok(Some(MetricsPage { listen, token }))
}

/// A setting that is a secret: the environment over the file.
fn secret(variable: &str, file: Option<String>) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty()).or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "sixteen-letters!";

    fn page(listen: Option<&str>, token: Option<&str>) -> anyhow::Result<Option<MetricsPage>> {
        metrics_page(listen.map(str::to_owned), token.map(str::to_owned))
    }

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        assert!(page(Some("127.0.0.1:9701"), None).unwrap().is_some());
        assert!(page(Some("[::1]:9701"), None).unwrap().is_some());
        let error = page(Some("0.0.0.0:9701"), None).unwrap_err();
        assert!(error.to_string().contains("metrics_token"), "{error}");
        assert!(page(Some("0.0.0.0:9701"), Some(TOKEN)).unwrap().unwrap().token.is_some());
    }

    #[test]
    fn nothing_is_accepted_and_ignored() {
        assert!(page(None, None).unwrap().is_none());
        page(None, Some(TOKEN)).unwrap_err();
        page(Some("localhost"), None).unwrap_err();
        page(Some("127.0.0.1:9701"), Some("short")).unwrap_err();
        page(Some("127.0.0.1:9701"), Some("sixteen letters ")).unwrap_err();
    }

    #[test]
    fn a_token_is_never_printed() {
        let page = page(Some("127.0.0.1:9701"), Some(TOKEN)).unwrap();
        assert!(!format!("{page:?}").contains(TOKEN));
    }
}

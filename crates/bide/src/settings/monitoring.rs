//! Settings of what operators see: where the figures are read, and by whom.
//!
//! Owns the rule that figures, which name functions, are not open to a network: an address beyond loopback needs a
//! token. Secrets come from the environment or the file, never from a flag, which every process of the host can read.

use std::net::SocketAddr;

use anyhow::Context as _;
use bide_engine::Sampling;
use bide_telemetry::{Receiver, Token};
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
    /// Receiver of traces over OTLP, e.g. http://127.0.0.1:4318 [default: none]
    #[arg(long, env = "BIDE_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// Share of the traces that are recorded if their caller did not decide, from 0 to 1 [default: 1]
    #[arg(long, env = "BIDE_TRACE_RATIO")]
    trace_ratio: Option<f64>,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub(crate) struct MonitoringSettings {
    /// `None`: no figures are served.
    pub(crate) metrics_page: Option<MetricsPage>,
    pub(crate) request_log: bool,
    /// `None`: no spans are sent.
    pub(crate) tracing: Option<TraceSettings>,
}

impl MonitoringSettings {
    pub(super) fn resolve(flags: MonitoringFlags, file: &File) -> anyhow::Result<Self> {
        Ok(Self {
            metrics_page: metrics_page(
                flags.metrics_listen.or_else(|| file.metrics_listen.clone()),
                secret("BIDE_METRICS_TOKEN", file.metrics_token.clone()),
            )?,
            request_log: flags.request_log || file.request_log,
            tracing: tracing(
                flags.otlp_endpoint.or_else(|| file.otlp_endpoint.clone()),
                secret("BIDE_OTLP_HEADERS", file.otlp_headers.clone()),
                flags.trace_ratio.or(file.trace_ratio),
            )?,
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

/// Where spans go, and which.
#[derive(Clone, Debug)]
pub(crate) struct TraceSettings {
    pub(crate) receiver: Receiver,
    pub(crate) sampling: Sampling,
}

/// `headers` are `name=value`, separated by commas.
fn tracing(
    endpoint: Option<String>,
    headers: Option<String>,
    ratio: Option<f64>,
) -> anyhow::Result<Option<TraceSettings>> {
    let Some(endpoint) = endpoint else {
        anyhow::ensure!(
            headers.is_none() && ratio.is_none(),
            "otlp_headers and trace_ratio are of no use without otlp_endpoint"
        );
        return Ok(None);
    };
    let ratio = ratio.unwrap_or(1.0);
    anyhow::ensure!((0.0..=1.0).contains(&ratio), "trace_ratio {ratio} is not from 0 to 1");
    let headers = headers.as_deref().unwrap_or_default().split(',').filter(|pair| !pair.trim().is_empty());
    let headers = headers.map(|pair| {
        let (name, value) = pair.split_once('=').context("otlp_headers must be name=value, name=value")?;
        // Never the value: it may be a secret.
        http::HeaderName::try_from(name.trim()).with_context(|| format!("otlp_headers: name '{name}'"))?;
        http::HeaderValue::try_from(value.trim())
            .with_context(|| format!("otlp_headers: value of '{name}'"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    });
    let headers = headers.collect::<anyhow::Result<_>>()?;
    Ok(Some(TraceSettings { receiver: Receiver { endpoint, headers }, sampling: Sampling { ratio } }))
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

    fn trace(
        endpoint: Option<&str>,
        headers: Option<&str>,
        ratio: Option<f64>,
    ) -> anyhow::Result<Option<TraceSettings>> {
        tracing(endpoint.map(str::to_owned), headers.map(str::to_owned), ratio)
    }

    #[test]
    fn settings_of_traces_are_checked_and_their_headers_never_printed() {
        assert!(trace(None, None, None).unwrap().is_none());
        trace(None, None, Some(0.5)).unwrap_err();
        trace(None, Some("a=b"), None).unwrap_err();
        let endpoint = Some("http://127.0.0.1:4318");
        for ratio in [-0.1, 1.1, f64::NAN] {
            trace(endpoint, None, Some(ratio)).unwrap_err();
        }
        for headers in ["authorization", "a b=c", "a=b\nc"] {
            trace(endpoint, Some(headers), None).unwrap_err();
        }
        let settings =
            trace(endpoint, Some("authorization=Bearer secret-of-traces, x=y"), None).unwrap().unwrap();
        assert_eq!(settings.receiver.headers["authorization"], "Bearer secret-of-traces");
        assert_eq!(settings.receiver.headers["x"], "y");
        assert!(!format!("{settings:?}").contains("secret-of-traces"));
    }

    #[test]
    fn a_token_is_never_printed() {
        let page = page(Some("127.0.0.1:9701"), Some(TOKEN)).unwrap();
        assert!(!format!("{page:?}").contains(TOKEN));
    }
}

//! TLS to targets: rustls with ring, and the certificates that this host trusts.

use std::sync::Arc;

use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// TLS 1.2 and 1.3 without a certificate of our own.
///
/// # Errors
/// When this host trusts no certificate at all.
pub(crate) fn client_config() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (trusted, _) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        return Err("this host has no certificates to trust, which TLS needs".to_owned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

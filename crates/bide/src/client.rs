//! Which server the command line talks to, and as whom.

use std::path::PathBuf;

use anyhow::Context as _;
use bide_client::Client;
use clap::Args;

use crate::settings;

/// Version prefix of the API that the command line speaks.
pub(crate) const API: &str = "/2016-08-15";

/// Options of every client command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Connection {
    /// Address of the server
    #[arg(long, env = "BIDE_ENDPOINT", default_value = "http://127.0.0.1:8700", global = true)]
    endpoint: String,
    /// Data directory whose generated credentials are used when BIDE_ACCESS_KEY_ID is not set
    #[arg(long, env = "BIDE_DATA_DIR", default_value = settings::DATA_DIR_DEFAULT, global = true)]
    data_dir: PathBuf,
}

impl Connection {
    /// A client with the credentials of the environment, or of the data directory.
    pub(crate) fn open(&self) -> anyhow::Result<Client> {
        let credential = match settings::from_environment()? {
            Some(credential) => credential,
            None => settings::stored(&self.data_dir, None)?.with_context(|| {
                format!(
                    "no credentials: set BIDE_ACCESS_KEY_ID and BIDE_ACCESS_KEY_SECRET, or point --data-dir at the \
                     server's data directory ('{}' has none)",
                    self.data_dir.display()
                )
            })?,
        };
        Ok(Client::new(&self.endpoint, credential)?)
    }
}

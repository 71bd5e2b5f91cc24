//! The commands, one file each.
//!
//! Owns what several of them need: naming a function on the command line, and a runtime to wait in.

pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod functions;
pub(crate) mod instances;
pub(crate) mod invoke;
pub(crate) mod serve;
pub(crate) mod tasks;
pub(crate) mod timers;
pub(crate) mod verify;

use std::str::FromStr;

use bide_client::escape;

use crate::client::API;

/// `service/function`, or `service.qualifier/function`.
#[derive(Clone, Debug)]
pub(crate) struct FunctionPath {
    service: String,
    function: String,
}

impl FromStr for FunctionPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((service, function))
                if !service.is_empty() && !function.is_empty() && !function.contains('/') =>
            {
                Ok(Self { service: service.to_owned(), function: function.to_owned() })
            }
            _ => Err(format!("'{text}' is not of the form SERVICE/FUNCTION")),
        }
    }
}

impl std::fmt::Display for FunctionPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.service, self.function)
    }
}

impl FunctionPath {
    /// The path of the function in the API.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", functions_path(&self.service), escape(&self.function))
    }
}

/// The path of a service's functions in the API.
pub(crate) fn functions_path(service: &str) -> String {
    format!("{API}/services/{}/functions", escape(service))
}

/// Runs a client command to its end.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

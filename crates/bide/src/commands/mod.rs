//! The commands, one file each.
//!
//! Owns what several of them need: naming a function on the command line, reading a list, and a runtime to wait in.

pub(crate) mod aliases;
pub(crate) mod deadletters;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod functions;
pub(crate) mod instances;
pub(crate) mod invoke;
pub(crate) mod serve;
pub(crate) mod tasks;
pub(crate) mod timers;
pub(crate) mod verify;
pub(crate) mod versions;

use std::str::FromStr;

use bide_client::{Client, escape};
use http::Method;
use serde_json::Value;

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

    /// Its path in what is bide's own of the API.
    pub(crate) fn bide_path(&self) -> String {
        format!("/bide/v1/services/{}/functions/{}", escape(&self.service), escape(&self.function))
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

/// Every item of a list, page by page.
async fn all(client: &Client, path: &str, key: &str) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut next = String::new();
    loop {
        let token = if next.is_empty() { String::new() } else { format!("&nextToken={}", escape(&next)) };
        let page = client.json(Method::GET, &format!("{path}?limit=100{token}"), None).await?;
        items.extend(page[key].as_array().cloned().unwrap_or_default());
        match page["nextToken"].as_str() {
            Some(token) if !token.is_empty() => next = token.to_owned(),
            _ => return Ok(items),
        }
    }
}

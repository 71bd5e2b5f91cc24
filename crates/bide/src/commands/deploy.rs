//! `bide deploy`: a directory or zip becomes a function, created or updated.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bide_client::Client;
use bide_types::limits::{CODE_FILES_MAX, CODE_ZIP_BYTES_MAX};
use http::Method;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::{FunctionPath, block_on, functions_path};
use crate::client::{API, Connection};
use crate::output::{self, Format};

/// Create or update a function from a directory or a zip
#[derive(clap::Args)]
pub(crate) struct Args {
    /// SERVICE/FUNCTION; the service is created if need be
    function: FunctionPath,
    /// Directory or zip file with the code
    #[arg(long)]
    code: PathBuf,
    /// python3*, nodejs*, custom or custom.debian*
    #[arg(long)]
    runtime: String,
    /// FILE.FUNCTION
    #[arg(long, default_value = "index.handler")]
    handler: String,
    /// Seconds that one run may take [default for a new function: 3]
    #[arg(long)]
    timeout: Option<u32>,
    /// Memory in MB [default for a new function: 512]
    #[arg(long)]
    memory: Option<u32>,
    /// Requests that one instance serves at once [default for a new function: 1]
    #[arg(long)]
    concurrency: Option<u32>,
    /// NAME=VALUE; may be given several times
    #[arg(long = "env", value_parser = variable)]
    environment: Vec<(String, String)>,
    /// Let anybody call it over HTTP: makes an anonymous HTTP trigger, unless it has one
    #[arg(long)]
    http: bool,
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("'{text}' is not of the form NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let zip = if args.code.is_dir() { zip_directory(&args.code) } else { Ok(std::fs::read(&args.code)?) }
        .with_context(|| format!("cannot read {}", args.code.display()))?;
    anyhow::ensure!(zip.len() <= CODE_ZIP_BYTES_MAX, "the package has more than {CODE_ZIP_BYTES_MAX} bytes");
    block_on(async {
        let client = args.connection.open()?;
        let mut function = put_function(&client, &args.function, &fields(&args, &zip)).await?;
        if args.http {
            function["httpTrigger"] = put_http_trigger(&client, &args.function).await?;
        }
        match args.output {
            Format::Json => output::json(&function),
            Format::Text => show(&args, &function),
        }
        Ok(())
    })
}

fn show(args: &Args, function: &Value) {
    output::line(&format!("deployed {}, {} bytes of code", args.function, function["codeSize"]));
    let trigger = &function["httpTrigger"];
    if let (Some(url), Some(auth)) =
        (trigger["urlInternet"].as_str(), trigger["triggerConfig"]["authType"].as_str())
    {
        output::line(&format!("reached at {url} ({auth})"));
    }
}

/// The HTTP trigger that the function has, or a new one for everybody and every method.
async fn put_http_trigger(client: &Client, function: &FunctionPath) -> anyhow::Result<Value> {
    let path = format!("{}/triggers", function.path());
    let trigger = json!({
        "triggerName": "http",
        "triggerType": "http",
        "triggerConfig": {
            "authType": "anonymous",
            "methods": ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"],
        },
    });
    match client.json(Method::POST, &path, Some(&trigger)).await {
        Err(error) if error.is_refusal("TriggerAlreadyExists") => {
            let found = client.json(Method::GET, &format!("{path}?limit=100"), None).await?;
            let mut triggers = found["triggers"].as_array().into_iter().flatten();
            let http = triggers.find(|trigger| trigger["triggerType"] == "http");
            http.cloned().context("a trigger named http is there, but is none of type http")
        }
        created => Ok(created?),
    }
}

fn fields(args: &Args, zip: &[u8]) -> Value {
    let mut fields = json!({
        "runtime": args.runtime,
        "handler": args.handler,
        "code": { "zipFile": STANDARD.encode(zip) },
    });
    let numbers =
        [("timeout", args.timeout), ("memorySize", args.memory), ("instanceConcurrency", args.concurrency)];
    for (name, number) in numbers {
        if let Some(number) = number {
            fields[name] = number.into();
        }
    }
    if !args.environment.is_empty() {
        let environment: BTreeMap<_, _> = args.environment.iter().cloned().collect();
        fields["environmentVariables"] = json!(environment);
    }
    fields
}

/// Creates the service if need be, then creates or updates the function.
pub(crate) async fn put_function(
    client: &Client,
    function: &FunctionPath,
    fields: &Value,
) -> anyhow::Result<Value> {
    let service = json!({ "serviceName": function.service });
    if let Err(error) = client.json(Method::POST, &format!("{API}/services"), Some(&service)).await
        && !error.is_refusal("ServiceAlreadyExists")
    {
        return Err(error.into());
    }
    let mut creation = fields.clone();
    creation["functionName"] = function.function.clone().into();
    match client.json(Method::POST, &functions_path(&function.service), Some(&creation)).await {
        Err(error) if error.is_refusal("FunctionAlreadyExists") => {
            Ok(client.json(Method::PUT, &function.path(), Some(fields)).await?)
        }
        created => Ok(created?),
    }
}

/// A zip of every regular file under `root`, run bits kept.
fn zip_directory(root: &Path) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut directories = vec![root.to_owned()];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            files += 1;
            anyhow::ensure!(files <= CODE_FILES_MAX, "more than {CODE_FILES_MAX} files");
            let name = path.strip_prefix(root).expect("found under the root").to_string_lossy().into_owned();
            let mode = std::fs::metadata(&path)?.permissions().mode() & 0o777;
            zip.start_file(name, SimpleFileOptions::default().unix_permissions(mode))?;
            zip.write_all(&std::fs::read(&path)?)?;
        }
    }
    Ok(zip.finish()?.into_inner())
}

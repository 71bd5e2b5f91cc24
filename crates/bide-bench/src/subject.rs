//! What is measured: one function per runtime, and programs that do the same without the platform.
//!
//! Owns the sources (in `programs/`), where the interpreters really are, and the build of the static binary. All of it is
//! written to one directory under `target`, which goes with the run.

use std::ffi::OsString;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bide_client::Client;
use clap::ValueEnum;
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

use crate::figures::Output;
use crate::functions::SERVICE;
use crate::node::{Node, scratch};

/// Longest handler that a benchmark holds busy, in seconds.
const TIMEOUT_SECONDS: u32 = 600;

/// What every benchmark of [`Subjects`] is asked for.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server to measure
    #[arg(long, default_value = "target/release/bide")]
    server: PathBuf,
    /// Only these runtimes
    #[arg(long, value_enum)]
    runtime: Vec<Runtime>,
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) output: Output,
    /// More arguments of the server, e.g. `--server-arg=--sandbox=none`
    #[arg(long)]
    server_arg: Vec<String>,
}

impl Options {
    pub(crate) fn runtimes(&self) -> Vec<Runtime> {
        if self.runtime.is_empty() { Runtime::ALL.to_vec() } else { self.runtime.clone() }
    }

    /// Starts a server with `arguments` and those that were given.
    pub(crate) fn start(&self, arguments: &[&str]) -> anyhow::Result<Node> {
        let given = self.server_arg.iter().map(String::as_str);
        let arguments: Vec<&str> = arguments.iter().copied().chain(given).collect();
        Node::start_with(&self.server, &arguments)
    }
}

/// A kind of function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    Python,
    Node,
    /// A custom runtime that is one static binary.
    Static,
}

impl Runtime {
    pub(crate) const ALL: [Self; 3] = [Self::Python, Self::Node, Self::Static];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Static => "static",
        }
    }

    /// Path of its function in the API.
    pub(crate) fn path(self) -> String {
        format!("/2016-08-15/services/{SERVICE}/functions/{}", self.name())
    }
}

/// How a program without the platform talks.
pub(crate) enum Talk {
    /// Length-prefixed messages over the socket that is its standard input.
    Messages,
    /// HTTP over the socket that is its standard input.
    Http,
    /// HTTP over TCP, on the port that it prints.
    HttpPort,
}

/// A program that answers requests without the platform.
pub(crate) struct Bare {
    pub(crate) name: &'static str,
    pub(crate) argv: Vec<OsString>,
    pub(crate) talk: Talk,
}

/// The programs of this machine.
pub(crate) struct Subjects {
    dir: TempDir,
    python: PathBuf,
    node: PathBuf,
    /// Whether `bwrap` can be used.
    bwrap: bool,
}

impl Subjects {
    /// Finds the interpreters, and builds the static binary if it is among `wanted`.
    pub(crate) fn prepare(wanted: &[Runtime]) -> anyhow::Result<Self> {
        let dir = scratch()?;
        let find = |runtime, program: &str, arguments: &[&str]| {
            // A shim of a version manager costs more than the interpreter; the platform goes round it as well.
            if wanted.contains(&runtime) { printed(program, arguments) } else { Ok(PathBuf::new()) }
        };
        let subjects = Self {
            python: find(Runtime::Python, "python3", &["-c", "import sys; print(sys.executable)"])?,
            node: find(Runtime::Node, "node", &["-p", "process.execPath"])?,
            bwrap: works(Command::new("bwrap").args(["--unshare-all", "--ro-bind", "/", "/", "true"])),
            dir,
        };
        for (name, text) in [
            ("lean.py", include_str!("../programs/lean.py")),
            ("ordinary.py", include_str!("../programs/ordinary.py")),
            ("lean.js", include_str!("../programs/lean.js")),
            ("ordinary.js", include_str!("../programs/ordinary.js")),
            ("bootstrap.rs", include_str!("../programs/bootstrap.rs")),
        ] {
            std::fs::write(subjects.path(name), text)?;
        }
        if wanted.contains(&Runtime::Static) {
            subjects.build_static()?;
        }
        Ok(subjects)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn build_static(&self) -> anyhow::Result<()> {
        let options =
            ["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-C", "strip=symbols", "-o"];
        let status = Command::new("rustc")
            .args(options)
            .arg(self.path("bootstrap"))
            .arg(self.path("bootstrap.rs"))
            .status()
            .context("cannot run rustc")?;
        anyhow::ensure!(status.success(), "the static binary cannot be built");
        Ok(())
    }

    /// The least that the interpreter, or the binary, can do.
    pub(crate) fn lean(&self, runtime: Runtime) -> Bare {
        let bare = |name, argv: Vec<OsString>, talk| Bare { name, argv, talk };
        match runtime {
            Runtime::Python => {
                let argv =
                    vec![self.python.clone().into(), "-I".into(), "-S".into(), self.path("lean.py").into()];
                bare("spawn: -I -S, raw socket", argv, Talk::Messages)
            }
            Runtime::Node => bare(
                "spawn: raw socket",
                vec![self.node.clone().into(), self.path("lean.js").into()],
                Talk::Messages,
            ),
            Runtime::Static => {
                bare("spawn: HTTP", vec![self.path("bootstrap").into(), "--stdin".into()], Talk::Http)
            }
        }
    }

    /// What most people would write; the static binary is that already.
    pub(crate) fn ordinary(&self, runtime: Runtime) -> Option<Bare> {
        let (name, program, file) = match runtime {
            Runtime::Python => ("spawn: http.server", &self.python, "ordinary.py"),
            Runtime::Node => ("spawn: http", &self.node, "ordinary.js"),
            Runtime::Static => return None,
        };
        Some(Bare { name, argv: vec![program.into(), self.path(file).into()], talk: Talk::HttpPort })
    }

    /// The static binary as a server of its own.
    pub(crate) fn static_server(&self) -> Bare {
        Bare { name: "same server", argv: vec![self.path("bootstrap").into()], talk: Talk::HttpPort }
    }

    /// The lean program in every namespace that `bwrap` makes; `None` without `bwrap`.
    pub(crate) fn wrapped(&self, runtime: Runtime) -> Option<Bare> {
        let Bare { argv: program, talk, .. } = self.lean(runtime);
        let bwrap = "bwrap --unshare-all --die-with-parent --new-session --ro-bind / / --dev /dev --proc /proc \
                     --tmpfs /tmp";
        let mut argv: Vec<OsString> = bwrap.split_whitespace().map(OsString::from).collect();
        // The new /tmp may hide it.
        argv.extend(["--ro-bind".into(), self.dir.path().into(), self.dir.path().into()]);
        argv.extend(program);
        self.bwrap.then_some(Bare { name: "bwrap: the same", argv, talk })
    }

    /// Creates the function of `runtime`; `environment` goes to its instances.
    pub(crate) async fn deploy(
        &self,
        client: &Client,
        runtime: Runtime,
        environment: Value,
    ) -> anyhow::Result<()> {
        let (file, code, name) = match runtime {
            Runtime::Python => ("index.py", include_bytes!("../programs/function.py").to_vec(), "python3"),
            Runtime::Node => ("index.js", include_bytes!("../programs/function.js").to_vec(), "nodejs20"),
            Runtime::Static => ("bootstrap", std::fs::read(self.path("bootstrap"))?, "custom"),
        };
        let function = json!({
            "functionName": runtime.name(),
            "runtime": name,
            "handler": "index.handler",
            "timeout": TIMEOUT_SECONDS,
            "memorySize": 128,
            "environmentVariables": environment,
            "code": { "zipFile": zipped(file, &code)? },
        });
        let functions = format!("/2016-08-15/services/{SERVICE}/functions");
        client.json(Method::POST, &functions, Some(&function)).await?;
        Ok(())
    }
}

/// A zip with one executable file, in base64.
fn zipped(name: &str, content: &[u8]) -> anyhow::Result<String> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, SimpleFileOptions::default().unix_permissions(0o755))?;
    zip.write_all(content)?;
    Ok(STANDARD.encode(zip.finish()?.into_inner()))
}

fn printed(program: &str, arguments: &[&str]) -> anyhow::Result<PathBuf> {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    anyhow::ensure!(output.status.success(), "{program} failed");
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).to_owned())
}

fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

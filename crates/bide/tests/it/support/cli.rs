//! Running the client commands of the binary.

use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::PATIENCE;
use super::server::{ACCOUNT, KEY_ID, KEY_SECRET, Server, program, without_settings};

/// What a command left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }
}

/// `bide` with these arguments, without any setting of the environment.
pub(crate) fn bide_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    without_settings(&mut command);
    command.args(arguments);
    command
}

/// A client command against `server`.
pub(crate) async fn bide(server: &Server, arguments: &[&str]) -> Output {
    run(command_for(server, arguments)).await
}

pub(crate) fn command_for(server: &Server, arguments: &[&str]) -> Command {
    let mut command = bide_command(arguments);
    command
        .env("BIDE_ENDPOINT", server.endpoint())
        .env("BIDE_ACCOUNT_ID", ACCOUNT)
        .env("BIDE_ACCESS_KEY_ID", KEY_ID)
        .env("BIDE_ACCESS_KEY_SECRET", KEY_SECRET);
    command
}

/// Whether a program is on this machine; says so if it is not.
pub(crate) fn have(program: &str, argument: &str) -> bool {
    let found = Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: {program} does not run here");
    }
    found
}

/// Runs a command to its end.
pub(crate) async fn run(command: Command) -> Output {
    run_with_input(command, b"").await
}

pub(crate) async fn run_with_input(command: Command, input: &[u8]) -> Output {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it was piped");
    // A command that does not read its input may have ended already.
    let _ = stdin.write_all(input).await;
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output());
    let output = output.await.expect("the command ends").expect("its output can be read");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

//! `cargo xtask escape`: the escape suite as an ordinary user, and without a sandbox.
//!
//! Owns the copy of the binaries in a place that user can read, and the list of tests that may pass without a sandbox.
//! `cargo test` runs the suite as whoever calls it; this is for who is root.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::process::{capture, cargo, command, root, stream};
use crate::report::Outcome;

const TIME_MAX: Duration = Duration::from_secs(10 * 60);
/// `nobody` of all Linux systems.
const USER: u32 = 65534;
/// Programs that any user can run: what root has in directories of its own does not count.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// What these tests show, the sandbox is not alone in: checks at upload, bounds of the server, limits and signals that
/// plain processes have too. Those of networks need root, and are not tried here.
const WITHOUT_CLAIM: &[&str] = &[
    "kernel::no_limit_or_rank_can_be_raised",
    "network::in_a_network_of_its_own",
    "network::other_hosts_are_reached_and_those_that_answer_for_a_cloud_are_not",
    "packages::a_zip_bomb_is_refused",
    "packages::names_that_lead_out_and_entries_that_are_no_files_are_refused",
    "packages::symbolic_links_out_of_the_package_are_refused_and_others_work",
    "packages::ten_thousand_files_are_accepted_and_one_more_is_refused",
    "processes::a_forged_frame_on_the_control_socket_ends_only_the_forger",
    "processes::a_function_that_ignores_sigterm_ends_all_the_same",
    "resources::a_descriptor_leak_reaches_its_limit",
    "resources::a_result_without_end_is_refused",
    "resources::descriptors_under_way_are_hoarded_by_each_on_its_own",
    "resources::endless_output_and_endless_lines_are_cut_and_cost_the_server_nothing",
    "resources::who_computes_on_all_processors_leaves_others_their_share",
];

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    match arguments {
        [] => {
            build()?;
            if let Outcome::Passed { detail } = as_ordinary_user()? {
                eprintln!("{detail}");
            }
            Ok(())
        }
        [option] if option == "--without-sandbox" => {
            build()?;
            without_sandbox()
        }
        _ => anyhow::bail!("escape takes nothing or --without-sandbox"),
    }
}

fn build() -> anyhow::Result<()> {
    crate::process::run(cargo().args(["build", "--quiet", "--workspace", "--all-targets"]))
}

/// Runs the suite as `nobody`.
///
/// # Errors
/// When a test fails.
pub(crate) fn as_ordinary_user() -> anyhow::Result<Outcome> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Outcome::Passed { detail: "the tests ran as an ordinary user already".to_owned() });
    }
    let place = Place::make()?;
    let results = results(&mut place.suite())?;
    let failed: Vec<_> =
        results.iter().filter(|(_, passed)| !passed).map(|(name, _)| name.as_str()).collect();
    ensure!(!results.is_empty() && failed.is_empty(), "as nobody failed: {}", failed.join(", "));
    Ok(Outcome::Passed { detail: format!("{} passed as nobody", results.len()) })
}

/// Runs the suite without a sandbox: what passes all the same must be known to claim nothing about it.
fn without_sandbox() -> anyhow::Result<()> {
    let place = Place::make()?;
    let results = results(place.suite().env("BIDE_TEST_SANDBOX", "none"))?;
    let (passed, failed): (Vec<_>, Vec<_>) = results.iter().partition(|(_, passed)| *passed);
    eprintln!("without a sandbox {} of {} tests fail", failed.len(), results.len());
    let unexpected: Vec<_> =
        passed.iter().map(|(name, _)| name.as_str()).filter(|name| !WITHOUT_CLAIM.contains(name)).collect();
    ensure!(!results.is_empty(), "no test has run");
    ensure!(unexpected.is_empty(), "these pass without a sandbox: {}", unexpected.join(", "));
    Ok(())
}

/// Each test's name, without that of the suite, and whether it passed.
fn results(suite: &mut Command) -> anyhow::Result<Vec<(String, bool)>> {
    let mut results = Vec::new();
    stream(suite, TIME_MAX, |line| {
        eprintln!("{line}");
        let result = line.strip_prefix("test escape::").and_then(|rest| rest.split_once(" ... "));
        if let Some((name, end @ ("ok" | "FAILED"))) = result {
            results.push((name.to_owned(), end == "ok"));
        }
    })?;
    Ok(results)
}

/// A copy of the binaries, and room for the tests.
struct Place(TempDir);

impl Place {
    fn make() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("bide-escape-").tempdir()?;
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let place = Self(directory);
        for (from, name) in [(tests()?, "it"), (root().join("target/debug/bide"), "bide")] {
            let to = place.0.path().join(name);
            std::fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
            std::fs::set_permissions(&to, Permissions::from_mode(0o755))?;
        }
        let room = place.0.path().join("room");
        std::fs::create_dir(&room)?;
        if rustix::process::geteuid().is_root() {
            chown(&room, Some(USER), Some(USER))?;
        }
        Ok(place)
    }

    fn suite(&self) -> Command {
        let room = self.0.path().join("room");
        let mut suite = if rustix::process::geteuid().is_root() {
            let mut suite = command("setpriv");
            suite.arg(format!("--reuid={USER}")).arg(format!("--regid={USER}")).arg("--clear-groups");
            suite.arg(self.0.path().join("it"));
            suite
        } else {
            command(self.0.path().join("it"))
        };
        suite.arg("escape::").current_dir(&room).env_clear();
        suite.env("PATH", SEARCH_PATH).env("HOME", &room).env("TMPDIR", &room);
        suite.env("BIDE_TEST_PROGRAM", self.0.path().join("bide"));
        suite
    }
}

/// The test binary of `bide`, which was built before.
fn tests() -> anyhow::Result<PathBuf> {
    let text =
        capture(cargo().args(["test", "--quiet", "--workspace", "--no-run", "--message-format=json"]))?;
    // `…,"target":{"kind":["test"],…,"name":"it",…"src_path":"…/crates/bide/tests/it/main.rs",…},…,"executable":"…",…`
    let line = text.lines().find(|line| {
        line.contains("\"reason\":\"compiler-artifact\"") && line.contains("/crates/bide/tests/it/main.rs\"")
    });
    let path =
        line.and_then(|line| line.split_once("\"executable\":\"")?.1.split_once('"')).map(|(path, _)| path);
    path.map(PathBuf::from).context("cargo names no test binary of bide")
}

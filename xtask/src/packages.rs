//! Packages of the system that tests need beside the toolchains.
//!
//! Owns the list and its installation: by `apt-get`, as root, said before it is done. Elsewhere what is missing is said
//! loudly, since the tests that need it then show less.

use std::path::Path;

use crate::process::{command, run, succeeds};
use crate::report::{Outcome, loudly};

/// A package of Debian, and one program by which its presence is seen.
struct Package {
    name: &'static str,
    program: &'static str,
    why: &'static str,
}

const PACKAGES: &[Package] = &[
    Package { name: "passt", program: "pasta", why: "outbound network of instances" },
    Package { name: "iproute2", program: "ip", why: "networks of tests" },
    Package { name: "util-linux", program: "setpriv", why: "tests as an ordinary user" },
    Package { name: "curl", program: "curl", why: "functions over HTTP as anybody calls them" },
    Package { name: "openssl", program: "openssl", why: "TLS to destinations" },
    Package { name: "rabbitmq-server", program: "rabbitmq-server", why: "AMQP brokers" },
    Package { name: "redis-server", program: "redis-server", why: "Redis streams" },
    Package { name: "maven", program: "mvn", why: "Kafka, which comes from Maven" },
    Package { name: "openjdk-17-jre-headless", program: "java", why: "Kafka" },
    Package { name: "prometheus", program: "promtool", why: "what Prometheus reads" },
];
const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Installs what is missing where that is possible.
///
/// # Errors
/// When `apt-get` fails.
pub(crate) fn set_up() -> anyhow::Result<Outcome> {
    let missing = missing();
    if !missing.is_empty() && can_install() {
        let names: Vec<_> = missing.iter().map(|package| package.name).collect();
        eprintln!("installing packages of the system: {}", names.join(", "));
        install(&names)?;
    }
    let missing = self::missing();
    if missing.is_empty() {
        let names: Vec<_> = PACKAGES.iter().map(|package| package.name).collect();
        return Ok(Outcome::Passed { detail: names.join(", ") });
    }
    for package in &missing {
        loudly(&format!("package {} is missing, so tests do not show: {}", package.name, package.why));
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    Ok(Outcome::Skipped { reason: format!("missing, and not to be installed here: {}", names.join(", ")) })
}

fn missing() -> Vec<&'static Package> {
    let is_there = |package: &&Package| {
        DIRECTORIES.iter().any(|directory| Path::new(directory).join(package.program).is_file())
    };
    PACKAGES.iter().filter(|package| !is_there(package)).collect()
}

fn can_install() -> bool {
    rustix::process::geteuid().is_root() && succeeds(command("apt-get").arg("--version"))
}

/// The lists of packages are fetched only if that is needed: images for CI come without them.
fn install(names: &[&str]) -> anyhow::Result<()> {
    let apt = |arguments: &[&str]| {
        let mut command = command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet").args(arguments);
        command
    };
    let install = [&["install", "--yes", "--no-install-recommends"], names].concat();
    run(&mut apt(&install)).or_else(|_| {
        run(&mut apt(&["update"]))?;
        run(&mut apt(&install))
    })
}

//! Rule: crates depend on each other only as ARCHITECTURE.md says.
//!
//! Owns the table of allowed arrows. Dev-dependencies are free: a test may use what the crate may not. A crate that is
//! not in the table is an error, so that a new one has to be thought about.

use super::Finding;
use super::tree::Tree;

struct Arrow {
    from: &'static str,
    to: &'static [&'static str],
}

const ALLOWED: &[Arrow] = &[
    Arrow { from: "bide-types", to: &[] },
    Arrow { from: "bide-env", to: &["bide-types"] },
    Arrow { from: "bide-core", to: &["bide-types"] },
    Arrow { from: "bide-store", to: &["bide-types", "bide-core"] },
    Arrow { from: "bide-store-local", to: &["bide-types", "bide-core", "bide-store", "bide-env"] },
    Arrow { from: "bide-sandbox", to: &["bide-types"] },
    Arrow { from: "bide-runtime", to: &["bide-types", "bide-env", "bide-sandbox"] },
    Arrow { from: "bide-engine", to: &["bide-types", "bide-env", "bide-core", "bide-store", "bide-runtime"] },
    Arrow { from: "bide-destinations", to: &["bide-types", "bide-env", "bide-engine"] },
    Arrow { from: "bide-sources", to: &["bide-types", "bide-env", "bide-engine", "bide-destinations"] },
    Arrow { from: "bide-telemetry", to: &["bide-types", "bide-env", "bide-engine"] },
    Arrow { from: "bide-api", to: &["bide-types", "bide-env", "bide-engine", "bide-runtime"] },
    Arrow { from: "bide-client", to: &["bide-types", "bide-env", "bide-api"] },
    Arrow { from: "bide-bench", to: &["bide-types", "bide-env", "bide-api", "bide-client"] },
    Arrow {
        from: "bide",
        to: &[
            "bide-types",
            "bide-env",
            "bide-core",
            "bide-store",
            "bide-store-local",
            "bide-sandbox",
            "bide-runtime",
            "bide-engine",
            "bide-destinations",
            "bide-sources",
            "bide-telemetry",
            "bide-api",
            "bide-client",
        ],
    },
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = tree.files().iter().filter_map(|file| {
        let name = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
        Some((name, file))
    });
    manifests.flat_map(|(name, file)| check_manifest(name, &file.path, &file.text)).collect()
}

fn check_manifest(name: &str, path: &str, text: &str) -> Vec<Finding> {
    let Some(arrow) = ALLOWED.iter().find(|arrow| arrow.from == name) else {
        return vec![Finding::error(
            path,
            0,
            format!("{name} has no row in the table of xtask/src/tidy/arrows.rs"),
        )];
    };
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::error(path, 0, format!("not TOML: {error}"))],
    };
    let forbidden = ours(&manifest).into_iter().filter(|dependency| !arrow.to.contains(&dependency.as_str()));
    forbidden
        .map(|dependency| Finding::error(path, 0, format!("{name} must not depend on {dependency}")))
        .collect()
}

/// Our own crates among the dependencies of a manifest, those of targets and build scripts included.
fn ours(manifest: &toml::Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values()).filter_map(toml::Value::as_table);
    let sections = std::iter::once(manifest).chain(targets);
    let sections = sections.flat_map(|table| [table.get("dependencies"), table.get("build-dependencies")]);
    let dependencies = sections.flatten().filter_map(toml::Value::as_table).flatten();
    let packages = dependencies.map(|(key, value)| {
        let renamed = value.get("package").and_then(toml::Value::as_str);
        renamed.unwrap_or(key).to_owned()
    });
    packages
        .filter(|package| package == "bide" || package.starts_with("bide-") || package == "xtask")
        .collect()
}

#[cfg(test)]
mod tests;

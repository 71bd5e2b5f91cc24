//! Rule: nothing tracked knows the machine it was written on, nor where packages come from.
//!
//! Package clients have their own settings for registries; lockfiles record what those clients say.

use super::Finding;
use super::tree::Tree;

/// Directories of one machine, to be found where a path begins.
const DIRECTORIES: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// Hosts of package registries.
const HOSTS: [&str; 6] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("sum.golang", ".org"),
    concat!("registry.npm", "js"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.files().iter().filter(|file| !file.is_lockfile());
    let findings = files.flat_map(|file| {
        file.text.lines().enumerate().filter_map(|(index, line)| {
            let place = place(line)?;
            Some(Finding::error(
                &file.path,
                index + 1,
                format!("names a place of one machine or registry: {place}"),
            ))
        })
    });
    findings.collect()
}

fn place(line: &str) -> Option<&'static str> {
    let directory = DIRECTORIES.into_iter().find(|directory| begins_path(line, directory));
    directory.or_else(|| HOSTS.into_iter().find(|host| line.contains(host)))
}

/// Whether `directory` stands in `line` as the start of a path, not as the middle of one.
fn begins_path(line: &str, directory: &str) -> bool {
    let inside =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '/' | '~');
    line.match_indices(directory).any(|(start, _)| !line[..start].chars().next_back().is_some_and(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn machine_paths_and_registries_are_found() {
        for directory in DIRECTORIES {
            assert_eq!(count("a.md", &format!("see {directory}main")), 1, "{directory}");
            assert_eq!(count("a.py", &format!("\"{directory}main\"")), 1, "{directory}");
        }
        for host in HOSTS {
            assert_eq!(count("a.toml", &format!("index = \"https://{host}/\"")), 1, "{host}");
        }
    }

    #[test]
    fn the_same_letters_inside_a_path_are_nothing() {
        let inside = format!("target{}x", DIRECTORIES[0]);
        assert_eq!(count("a.md", &inside), 0);
    }

    #[test]
    fn lockfiles_may_say_where_packages_come_from() {
        assert_eq!(count("Cargo.lock", HOSTS[0]), 0);
        assert_eq!(count("tests/conformance/go/go.sum", HOSTS[3]), 0);
    }
}

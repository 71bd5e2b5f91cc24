use super::*;

fn messages(path: &str, manifest: &str) -> Vec<String> {
    check(&Tree::of(&[(path, manifest)])).into_iter().map(|finding| finding.message).collect()
}

const CORE: &str = "crates/bide-core/Cargo.toml";

#[test]
fn an_allowed_arrow_is_silent() {
    assert!(messages(CORE, "[dependencies]\nbide-types.workspace = true\nserde = \"1\"\n").is_empty());
}

#[test]
fn a_forbidden_arrow_is_found_in_every_kind_of_section() {
    for manifest in [
        "[dependencies]\nbide-store.workspace = true\n",
        "[build-dependencies]\nbide-store = { path = \"x\" }\n",
        "[target.'cfg(unix)'.dependencies]\nbide-store.workspace = true\n",
        "[dependencies]\nstore = { package = \"bide-store\", path = \"x\" }\n",
    ] {
        assert_eq!(messages(CORE, manifest), ["bide-core must not depend on bide-store"], "{manifest}");
    }
}

#[test]
fn dev_dependencies_are_free() {
    assert!(messages(CORE, "[dev-dependencies]\nbide-store.workspace = true\n").is_empty());
}

#[test]
fn a_crate_without_a_row_is_found() {
    assert!(messages("crates/bide-new/Cargo.toml", "")[0].contains("no row"));
}

#[test]
fn the_table_has_no_cycle() {
    fn reaches(from: &str, to: &str) -> bool {
        let arrow = ALLOWED.iter().find(|arrow| arrow.from == from);
        arrow.is_some_and(|arrow| arrow.to.iter().any(|next| *next == to || reaches(next, to)))
    }
    for arrow in ALLOWED {
        assert!(arrow.to.iter().all(|next| !reaches(next, arrow.from)), "{}", arrow.from);
    }
}

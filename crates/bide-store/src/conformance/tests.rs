use std::collections::BTreeSet;

/// The sources of all themes.
const THEMES: [&str; 14] = [
    include_str!("batches.rs"),
    include_str!("claims.rs"),
    include_str!("controls.rs"),
    include_str!("deliveries.rs"),
    include_str!("dead_letters.rs"),
    include_str!("faults.rs"),
    include_str!("leases.rs"),
    include_str!("lifecycle.rs"),
    include_str!("lists.rs"),
    include_str!("logs.rs"),
    include_str!("packages.rs"),
    include_str!("random.rs"),
    include_str!("retention.rs"),
    include_str!("stops.rs"),
];

#[test]
fn every_check_that_is_written_is_run() {
    let macros = include_str!("mod.rs");
    assert_eq!(macros.matches("pub mod ").count(), THEMES.len(), "a theme is missing here");
    let listed: BTreeSet<&str> = macros.lines().map(str::trim).collect();
    let checks = THEMES.iter().flat_map(|theme| theme.lines()).filter_map(|line| {
        let rest = line.strip_prefix("pub async fn ")?;
        Some(rest.split(['(', '<']).next().unwrap_or(rest))
    });
    let forgotten: Vec<_> = checks.filter(|check| !listed.contains(check)).collect();
    assert!(forgotten.is_empty(), "not in the macros: {forgotten:?}");
}

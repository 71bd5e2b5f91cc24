use std::os::unix::fs::PermissionsExt as _;

use bide_env::{SequenceEntropy, SystemEntropy};

use super::*;

fn resolve_file(text: &str) -> anyhow::Result<Settings> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("bide.toml");
    std::fs::write(&path, text).expect("written");
    Settings::resolve(Flags { config: Some(path), ..Flags::default() })
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("bide.toml");
    std::fs::write(&path, "listen = \"127.0.0.1:1\"\nregion = \"eu\"\n").expect("written");
    let flags = Flags { config: Some(path), listen: Some("127.0.0.1:2".to_owned()), ..Flags::default() };
    let settings = Settings::resolve(flags).expect("valid");
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.region, "eu");
    assert_eq!(settings.data_dir, PathBuf::from(DATA_DIR_DEFAULT));
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    let error = resolve_file("lisen = \"127.0.0.1:1\"\n").expect_err("unknown");
    assert!(format!("{error:#}").contains("lisen"), "{error:#}");
    assert!(resolve_file("listen = \"nowhere\"\n").is_err());
}

#[test]
fn domains_are_names_and_the_api_is_not_hidden_among_functions() {
    let settings =
        resolve_file("http_domain = \"FC.localhost\"\napi_hosts = [\"api.example.com\"]\n").expect("valid");
    assert_eq!(settings.domains.http_domain.expect("set").as_str(), "fc.localhost");
    assert_eq!(settings.domains.api_hosts[0].as_str(), "api.example.com");
    for wrong in [
        "http_domain = \"10.0.0.1\"",
        "http_domain = \"fc.localhost:8700\"",
        "api_hosts = [\"a b\"]",
        "http_domain = \"x.y\"\napi_hosts = [\"api.x.y\"]",
    ] {
        assert!(resolve_file(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_generated_pair_is_kept_private_and_found_again() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(stored(dir.path(), None).expect("readable").is_none());
    let made = stored(dir.path(), Some(&SystemEntropy)).expect("writable").expect("made");
    let found = stored(dir.path(), Some(&SequenceEntropy::default())).expect("readable").expect("kept");
    assert_eq!(made.access_key_id(), found.access_key_id());
    let mode = std::fs::metadata(dir.path().join("credentials.toml")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

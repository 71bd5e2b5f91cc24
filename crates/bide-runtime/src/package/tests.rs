use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

enum Item<'a> {
    File(&'a str, &'a [u8], u32),
    Link(&'a str, &'a str),
    Dir(&'a str),
}

fn zip(items: &[Item<'_>]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for item in items {
        match item {
            Item::File(name, data, mode) => {
                writer.start_file(*name, options.unix_permissions(*mode)).unwrap();
                writer.write_all(data).unwrap();
            }
            Item::Link(name, target) => writer.add_symlink(*name, *target, options).unwrap(),
            Item::Dir(name) => writer.add_directory(*name, options).unwrap(),
        }
    }
    writer.finish().unwrap().into_inner()
}

fn reason(items: &[Item<'_>]) -> String {
    inspect(&zip(items)).unwrap_err().to_string()
}

#[test]
fn a_good_package_is_measured() {
    let bytes =
        zip(&[Item::Dir("lib/"), Item::File("lib/a.py", b"12345", 0o644), Item::Link("b.py", "lib/a.py")]);
    assert_eq!(inspect(&bytes).unwrap(), PackageInfo { entries: 3, unpacked_bytes: 5 });
}

#[test]
fn unpacking_keeps_exec_bits_links_and_content_and_makes_files_read_only() {
    let root = tempfile::tempdir().unwrap();
    let bytes = zip(&[
        Item::File("bootstrap", b"#!/bin/sh\n", 0o755),
        Item::File("deep/er/x", b"x", 0o644),
        Item::Link("deep/up", "../bootstrap"),
    ]);
    unpack(&bytes, root.path()).unwrap();
    let mode = |name: &str| fs::metadata(root.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("bootstrap"), 0o555);
    assert_eq!(mode("deep/er/x"), 0o444);
    assert_eq!(fs::read(root.path().join("deep/up")).unwrap(), b"#!/bin/sh\n");
}

#[test]
fn names_that_could_leave_the_package_are_refused() {
    for name in ["../x", "a/../../x", "/etc/x", "a//b", "./a", "a\\b", "a\nb"] {
        let text = reason(&[Item::File(name, b"", 0o644)]);
        assert!(text.contains("is refused"), "{name:?}: {text}");
    }
}

#[test]
fn links_that_could_leave_the_package_are_refused() {
    for (name, target) in
        [("l", "/etc/passwd"), ("l", ".."), ("d/l", "../../x"), ("d/l", "m/../.."), ("l", "a/..")]
    {
        let text = reason(&[Item::Link(name, target)]);
        assert!(text.contains("symbolic link"), "{name:?} -> {target:?}: {text}");
    }
}

#[test]
fn nothing_may_lie_beneath_a_link_or_a_file() {
    assert!(reason(&[Item::Link("l", "d"), Item::File("l/x", b"", 0o644)]).contains("beneath"));
    assert!(reason(&[Item::File("f", b"", 0o644), Item::File("f/x", b"", 0o644)]).contains("beneath"));
}

#[test]
fn duplicate_names_are_refused() {
    let mut bytes = zip(&[Item::File("aa.py", b"1", 0o644), Item::File("ab.py", b"2", 0o644)]);
    for at in 0..bytes.len() - 5 {
        if &bytes[at..at + 5] == b"ab.py" {
            bytes[at + 1] = b'a';
        }
    }
    assert!(matches!(inspect(&bytes), Err(PackageError::DuplicateNames)));
    let twice = [Item::Dir("a/"), Item::File("a", b"", 0o644)];
    assert!(matches!(inspect(&zip(&twice)), Err(PackageError::DuplicateNames)));
}

#[test]
fn broken_zips_are_refused_wherever_they_are_cut_or_bent() {
    let whole = zip(&[Item::File("a.py", &[7; 5000], 0o644), Item::File("b.py", b"hello", 0o644)]);
    for length in 0..whole.len() {
        assert!(inspect(&whole[..length]).is_err(), "cut to {length}");
    }
    for at in 0..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 0xff;
        let _ = inspect(&bent); // never panics
    }
    assert!(matches!(inspect(b"hello"), Err(PackageError::Broken(_))));
}

#[test]
fn a_bomb_is_refused_by_what_comes_out_of_it() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    writer.start_file("zeros", options).unwrap();
    let block = vec![0_u8; 1024 * 1024];
    for _ in 0..=CODE_UNPACKED_BYTES_MAX / block.len() as u64 {
        writer.write_all(&block).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    assert!(matches!(inspect(&bytes), Err(PackageError::TooLarge)));
}

#[test]
fn too_many_entries_are_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..=CODE_FILES_MAX {
        writer.start_file(number.to_string(), SimpleFileOptions::default()).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    assert!(matches!(inspect(&bytes), Err(PackageError::TooManyFiles)));
}

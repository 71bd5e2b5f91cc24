//! Packages: what an upload may hold, and what a custom runtime may bring.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::prison::{Prison, hostile};
use crate::support::{Function, code_of, text};

/// A zip of files with their names, contents and permissions.
pub(super) fn zip_of(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content, mode) in files {
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Gives an entry any mode, which no library for zip files would do: in its record of the central directory.
pub(super) fn set_mode(zip: &mut [u8], name: &str, mode: u32) {
    let mut at = zip.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a central directory");
    let number = |zip: &[u8], at: usize| usize::from(u16::from_le_bytes([zip[at], zip[at + 1]]));
    loop {
        assert_eq!(&zip[at..at + 4], b"PK\x01\x02", "{name} is in the zip");
        let length = number(zip, at + 28);
        if &zip[at + 46..at + 46 + length] == name.as_bytes() {
            return zip[at + 38..at + 42].copy_from_slice(&(mode << 16).to_le_bytes());
        }
        at += 46 + length + number(zip, at + 30) + number(zip, at + 32);
    }
}

/// The fields of a Python function with this package.
pub(super) fn fields(name: &str, zip: &[u8]) -> Value {
    let mut fields = hostile("").into_fields();
    fields["functionName"] = name.into();
    fields["code"] = json!({ "zipFile": STANDARD.encode(zip) });
    fields
}

const INDEX: &[u8] = b"def handler(event, context):\n    return open('inner').read()\n";

/// A package with one symbolic link beside `inner`, a file.
fn with_link(name: &str, target: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for (name, content) in [("index.py", INDEX), ("inner", b"inner")] {
        zip.start_file(name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.add_symlink(name, target, options).unwrap();
    zip.finish().unwrap().into_inner()
}

async fn refused(prison: &Prison, what: &str, zip: &[u8], why: &str) {
    let refusal = prison.upload(&fields("refused", zip)).await;
    let message = format!("{:?}", refusal.as_ref().err());
    assert_eq!(code_of(refusal), (400, "InvalidArgument".to_owned()), "{what}");
    assert!(message.contains(why), "{what}: {message}");
}

#[tokio::test]
async fn symbolic_links_out_of_the_package_are_refused_and_others_work() {
    let prison = Prison::open().await;
    for (name, target) in [
        ("absolute", "/etc/shadow"),
        ("up", "../x"),
        ("deep/up", "../../x"),
        ("deep/winding", "a/../../../x"),
        ("to_proc", "/proc/self/root"),
    ] {
        refused(&prison, target, &with_link(name, target), "symbolic link").await;
    }
    // A chain: a link to a directory, and a file to be written through it.
    let mut chain = ZipWriter::new(Cursor::new(Vec::new()));
    chain.add_symlink("link", "inside", SimpleFileOptions::default()).unwrap();
    chain.start_file("link/file", SimpleFileOptions::default()).unwrap();
    refused(&prison, "a chain", &chain.finish().unwrap().into_inner(), "beneath an entry").await;
    // Two that lead to each other, and one within the package.
    let mut good = ZipWriter::new(Cursor::new(Vec::new()));
    good.add_symlink("inner", "deep/there", SimpleFileOptions::default()).unwrap();
    good.add_symlink("deep/there", "../really", SimpleFileOptions::default()).unwrap();
    good.add_symlink("round", "about", SimpleFileOptions::default()).unwrap();
    good.add_symlink("about", "round", SimpleFileOptions::default()).unwrap();
    for (name, content) in [("index.py", INDEX), ("really", b"reached")] {
        good.start_file(name, SimpleFileOptions::default()).unwrap();
        good.write_all(content).unwrap();
    }
    let good = good.finish().unwrap().into_inner();
    prison.upload(&fields("good", &good)).await.expect("accepted");
    assert_eq!(text(&prison.world.api.invoke("good", "").await), "reached");
    prison.close().await;
}

#[tokio::test]
async fn names_that_lead_out_and_entries_that_are_no_files_are_refused() {
    let prison = Prison::open().await;
    for name in ["/etc/cron.d/x", "../x", "a/../../x", "a//b", "a\\b"] {
        // Written as it is: the library would clean the name.
        let mut zip = zip_of(&[("index.py", INDEX, 0o644), (&"n".repeat(name.len()), b"x", 0o644)]);
        let placeholder = "n".repeat(name.len()).into_bytes();
        let places: Vec<_> =
            (0..zip.len() - name.len()).filter(|at| zip[*at..].starts_with(&placeholder)).collect();
        for at in places {
            zip[at..at + name.len()].copy_from_slice(name.as_bytes());
        }
        refused(&prison, name, &zip, "is refused").await;
    }
    for (kind, mode) in [("a device", 0o060_666), ("a pipe", 0o010_666), ("a socket", 0o140_777)] {
        let mut zip = zip_of(&[("index.py", INDEX, 0o644), ("x", b"", 0o644)]);
        set_mode(&mut zip, "x", mode);
        refused(&prison, kind, &zip, "neither a file").await;
    }
    refused(&prison, "noise", b"PK\x05\x06 and nothing more", "not a readable zip").await;
    prison.close().await;
}

#[tokio::test]
async fn a_zip_bomb_is_refused() {
    let block = vec![0; 51 * 1024 * 1024];
    let names: Vec<_> = (0..10).map(|number| format!("block{number}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), &block[..], 0o644)).collect();
    let zip = zip_of(&files);
    assert!(zip.len() < 1024 * 1024, "510 MiB in {} bytes", zip.len());
    let prison = Prison::open().await;
    refused(&prison, "a bomb", &zip, "larger than").await;
    prison.close().await;
}

#[tokio::test]
async fn ten_thousand_files_are_accepted_and_one_more_is_refused() {
    const COUNTS: &[u8] = b"import os\ndef handler(event, context):\n    return len(os.listdir('many'))\n";
    let names: Vec<_> = (0..10_000).map(|number| format!("many/{number}")).collect();
    let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), &b"x"[..], 0o644)).collect();
    files.insert(0, ("index.py", COUNTS, 0o644));
    let prison = Prison::open().await;
    refused(&prison, "10,001 files", &zip_of(&files), "more than 10000 entries").await;
    files.pop();
    prison.upload(&fields("many", &zip_of(&files))).await.expect("accepted");
    assert_eq!(text(&prison.world.api.invoke("many", "").await), "9999");
    prison.close().await;
}

#[tokio::test]
async fn a_bootstrap_that_cannot_be_executed_is_the_functions_failure() {
    let prison = Prison::open().await;
    let cases = [
        ("no_bit", zip_of(&[("bootstrap", b"#!/bin/sh\nexit 0\n", 0o644)]), "not executable"),
        ("none", zip_of(&[("other", b"", 0o755)]), "no file 'bootstrap'"),
        ("no_program", zip_of(&[("bootstrap", b"\x7fELF nothing", 0o755)]), "cannot start"),
        ("no_interpreter", zip_of(&[("bootstrap", b"#!/no/such/shell\n", 0o755)]), "cannot start"),
    ];
    for (name, zip, why) in cases {
        let mut fields = Function::custom("").into_fields();
        fields["functionName"] = name.into();
        fields["code"] = json!({ "zipFile": STANDARD.encode(zip) });
        prison.upload(&fields).await.expect("accepted");
        let message = prison.failure(name, json!(null)).await;
        assert!(message.contains(why), "{name}: {message}");
    }
    prison.close().await;
}

#[tokio::test]
async fn a_bootstrap_that_listens_elsewhere_is_the_functions_failure() {
    const ELSEWHERE: &str = "#!/usr/bin/python3\n\
        import socket, time\n\
        listener = socket.create_server(('0.0.0.0', 9001))\n\
        time.sleep(60)\n";
    let prison = Prison::open_with(&[("BIDE_START_TIMEOUT_SECONDS", "2")]).await;
    prison.deploy("elsewhere", Function::custom(ELSEWHERE)).await;
    let message = prison.failure("elsewhere", json!(null)).await;
    assert!(message.contains("did not listen on port 9000 within 2 seconds"), "{message}");
    assert_eq!(prison.strangers(), [0; 0], "its processes are gone");
    prison.close().await;
}

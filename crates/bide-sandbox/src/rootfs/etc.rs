//! The `/etc` of an instance: what programs cannot do without, and nothing that tells about the host's users.
//!
//! Owns the list. Small files are copied or written when a template is made; directories are shown as they are.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Shown read-only where the host has them: certificates, alternatives (`awk`, `java`), settings of Java.
pub(super) const DIRECTORIES: [&str; 5] =
    ["ssl/certs", "pki", "ca-certificates", "alternatives", "java-security"];
/// Debian's settings of each Java version; without them the JVM does not start.
pub(super) const DIRECTORY_PREFIX: &str = "java-";

/// Copied where the host has them. None is larger than a few hundred kilobytes.
const COPIES: [&str; 9] = [
    "ld.so.cache",
    "ld.so.conf",
    "nsswitch.conf",
    "gai.conf",
    "protocols",
    "services",
    "mime.types",
    "os-release",
    "ssl/openssl.cnf",
];
/// Largest file that is copied.
const COPY_BYTES_MAX: u64 = 1024 * 1024;

const PASSWD: &str =
    "user:x:1000:1000:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const GROUP: &str = "user:x:1000:\nnogroup:x:65534:\n";
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/// Fills `etc`, an empty directory.
pub(super) fn fill(etc: &Path) -> io::Result<()> {
    fs::create_dir(etc.join("ssl"))?;
    for (name, text) in [("passwd", PASSWD), ("group", GROUP), ("hosts", HOSTS)] {
        fs::write(etc.join(name), text)?;
    }
    for name in COPIES {
        let source = Path::new("/etc").join(name);
        // A file that is absent, or no plain one, is not needed.
        if fs::metadata(&source).is_ok_and(|file| file.is_file() && file.len() <= COPY_BYTES_MAX) {
            fs::write(etc.join(name), fs::read(&source)?)?;
        }
    }
    let resolv_conf = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    fs::write(etc.join("resolv.conf"), crate::network::resolv_conf(&resolv_conf))?;
    // A link into /usr/share/zoneinfo, or a copy of one of its files.
    let zone = Path::new("/etc/localtime");
    if let Ok(target) = fs::read_link(zone) {
        symlink(target, etc.join("localtime"))?;
    } else if zone.is_file() {
        fs::copy(zone, etc.join("localtime"))?;
    }
    Ok(())
}

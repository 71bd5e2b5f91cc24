use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

struct OnePackage {
    zip: Bytes,
    fetched: AtomicUsize,
}

impl CodeSource for OnePackage {
    fn fetch(&self, _digest: &str) -> BoxFuture<'_, io::Result<Bytes>> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(self.zip.clone()) })
    }
}

fn source() -> Arc<OnePackage> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("index.py", SimpleFileOptions::default()).unwrap();
    writer.write_all(b"print()").unwrap();
    let zip = writer.finish().unwrap().into_inner().into();
    Arc::new(OnePackage { zip, fetched: AtomicUsize::new(0) })
}

fn open(root: &Path, source: &Arc<OnePackage>) -> CodeCache {
    CodeCache::open(root.to_owned(), Arc::clone(source) as Arc<dyn CodeSource>).unwrap()
}

#[tokio::test]
async fn concurrent_starts_share_one_unpack_and_restarts_reuse_it() {
    let root = tempfile::tempdir().unwrap();
    let source = source();
    let cache = open(root.path(), &source);
    let (one, two) = tokio::join!(cache.directory("ab12"), cache.directory("ab12"));
    let directory = one.unwrap();
    assert_eq!(directory, two.unwrap());
    assert_eq!(fs::read(directory.join("index.py")).unwrap(), b"print()");
    open(root.path(), &source).directory("ab12").await.unwrap();
    assert_eq!(source.fetched.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_lacks_a_valid_marker_is_unpacked_again() {
    let root = tempfile::tempdir().unwrap();
    let source = source();
    let directory = open(root.path(), &source).directory("ab12").await.unwrap();
    fs::remove_file(directory.join("index.py")).unwrap();
    fs::write(root.path().join("ab12/complete"), "an earlier boot").unwrap();
    fs::create_dir_all(root.path().join("cd34.partial/files")).unwrap();
    let cache = open(root.path(), &source);
    assert!(!root.path().join("cd34.partial").exists());
    assert!(cache.directory("ab12").await.unwrap().join("index.py").exists());
}

#[tokio::test]
async fn a_digest_is_never_a_path() {
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), &source());
    for bad in ["", "..", "../x", "a/b"] {
        assert!(matches!(cache.directory(bad).await, Err(CodeError::BadDigest(_))), "{bad}");
    }
}

#[tokio::test]
async fn unpacked_code_goes_when_it_is_neither_wanted_nor_held() {
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), &source());
    let held = cache.directory("ab12").await.unwrap();
    for digest in ["cd34", "ef56"] {
        cache.directory(digest).await.unwrap();
    }
    cache.retain(&HashSet::from(["cd34".to_owned()])).unwrap();
    let left = || {
        let mut names: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(left(), ["ab12", "cd34"]);
    assert!(
        cache.directory("ef56").await.unwrap().join("index.py").exists(),
        "unpacked again when asked for"
    );
    drop(held);
    cache.retain(&HashSet::new()).unwrap();
    assert!(left().is_empty());
}

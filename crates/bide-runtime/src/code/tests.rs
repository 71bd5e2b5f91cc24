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
    let zip = zip(&[Item::File("index.py", "print()")]);
    Arc::new(OnePackage { zip, fetched: AtomicUsize::new(0) })
}

#[derive(Clone, Copy)]
enum Item {
    File(&'static str, &'static str),
    Link(&'static str, &'static str),
}

fn zip(items: &[Item]) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for item in items {
        match *item {
            Item::File(name, text) => {
                writer.start_file(name, options).unwrap();
                writer.write_all(text.as_bytes()).unwrap();
            }
            Item::Link(name, target) => writer.add_symlink(name, target, options).unwrap(),
        }
    }
    writer.finish().unwrap().into_inner().into()
}

/// Packages by digest.
struct Layers(HashMap<&'static str, Bytes>);

impl CodeSource for Layers {
    fn fetch(&self, digest: &str) -> BoxFuture<'_, io::Result<Bytes>> {
        let zip = self.0[digest].clone();
        Box::pin(async { Ok(zip) })
    }
}

fn open<S: CodeSource>(root: &Path, source: &Arc<S>) -> CodeCache {
    CodeCache::open(root.to_owned(), Arc::clone(source) as Arc<dyn CodeSource>).unwrap()
}

fn list(digests: &[&str]) -> Vec<String> {
    digests.iter().map(|digest| (*digest).to_owned()).collect()
}

#[tokio::test]
async fn concurrent_starts_share_one_unpack_and_restarts_reuse_it() {
    let root = tempfile::tempdir().unwrap();
    let source = source();
    let cache = open(root.path(), &source);
    let code = list(&["ab12"]);
    let (one, two) = tokio::join!(cache.directory(&code), cache.directory(&code));
    let directory = one.unwrap();
    assert_eq!(directory, two.unwrap());
    assert_eq!(fs::read(directory.join("index.py")).unwrap(), b"print()");
    open(root.path(), &source).directory(&["ab12".to_owned()]).await.unwrap();
    assert_eq!(source.fetched.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_lacks_a_valid_marker_is_unpacked_again() {
    let root = tempfile::tempdir().unwrap();
    let source = source();
    let directory = open(root.path(), &source).directory(&["ab12".to_owned()]).await.unwrap();
    fs::remove_file(directory.join("index.py")).unwrap();
    fs::write(root.path().join("ab12/complete"), "an earlier boot").unwrap();
    fs::create_dir_all(root.path().join("cd34.partial/files")).unwrap();
    let cache = open(root.path(), &source);
    assert!(!root.path().join("cd34.partial").exists());
    assert!(cache.directory(&["ab12".to_owned()]).await.unwrap().join("index.py").exists());
}

#[tokio::test]
async fn a_digest_is_never_a_path() {
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), &source());
    for bad in ["", "..", "../x", "a/b"] {
        assert!(matches!(cache.directory(&[bad.to_owned()]).await, Err(CodeError::BadDigest(_))), "{bad}");
    }
}

#[tokio::test]
async fn layers_lie_over_one_another_and_the_first_wins() {
    use Item::{File, Link};
    let layers = Layers(HashMap::from([
        ("a1", zip(&[File("python/one.py", "1"), File("both", "first"), File("turn", "file")])),
        ("b2", zip(&[File("python/two.py", "2"), File("both", "second"), File("turn/inner", "x")])),
        ("c3", zip(&[Link("python", "other"), File("other/three.py", "3")])),
    ]));
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), &Arc::new(layers));
    let directory = cache.directory(&list(&["a1", "b2", "c3"])).await.unwrap();
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!((read("both"), read("turn")), ("first".to_owned(), "file".to_owned()));
    assert_eq!(
        (read("python/one.py"), read("python/two.py"), read("other/three.py")),
        ("1".into(), "2".into(), "3".into())
    );
    assert!(!directory.join("other/one.py").exists(), "nothing goes through a link");
    let other_order = cache.directory(&list(&["b2", "a1", "c3"])).await.unwrap();
    assert_eq!(fs::read_to_string(other_order.join("both")).unwrap(), "second");
    drop(other_order);
    cache.retain(&[list(&["a1", "b2", "c3"])]).unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_link_of_one_layer_cannot_carry_that_of_another_outside() {
    use Item::{File, Link};
    // On its own each stays inside: `a/b` is the root, `a/b/link` would then lead above it.
    let layers = Layers(HashMap::from([
        ("a1", zip(&[Link("a/b/link", "../../secret")])),
        ("b2", zip(&[Link("a/b", ".."), File("secret", "mine")])),
    ]));
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), &Arc::new(layers));
    let directory = cache.directory(&list(&["a1", "b2"])).await.unwrap();
    assert!(fs::symlink_metadata(directory.join("a/b")).unwrap().is_dir());
    assert_eq!(fs::read_to_string(directory.join("a/b/link")).unwrap(), "mine");
    let directory = cache.directory(&list(&["b2", "a1"])).await.unwrap();
    assert!(fs::symlink_metadata(directory.join("a/b")).unwrap().is_symlink());
    assert!(!directory.join("link").exists());
}

#[tokio::test]
async fn unpacked_code_goes_when_it_is_neither_wanted_nor_held() {
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), &source());
    let held = cache.directory(&["ab12".to_owned()]).await.unwrap();
    for digest in ["cd34", "ef56"] {
        cache.directory(&[digest.to_owned()]).await.unwrap();
    }
    cache.retain(&[vec!["cd34".to_owned()]]).unwrap();
    let left = || {
        let mut names: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(left(), ["ab12", "cd34"]);
    assert!(
        cache.directory(&["ef56".to_owned()]).await.unwrap().join("index.py").exists(),
        "unpacked again when asked for"
    );
    drop(held);
    cache.retain(&[]).unwrap();
    assert!(left().is_empty());
}

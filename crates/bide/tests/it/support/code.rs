//! Functions to deploy, and the journal in which they say what they did.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use super::server::shared;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

/// `from journal import note` in a Python function: adds a line to the journal, in one piece. `begun(id)` counts those
/// with an id.
const JOURNAL_PY: &str = r#"
import json, os, time

def note(**fields):
    if "JOURNAL" not in os.environ:
        return
    at, instance = time.time_ns() // 1_000_000, os.environ["FC_INSTANCE_ID"]
    line = json.dumps(dict(fields, at=at, instance=instance)) + "\n"
    file = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND)
    os.write(file, line.encode())
    os.close(file)

def begun(id):
    return sum(json.loads(line)["id"] == id for line in open(os.environ["JOURNAL"]))
"#;

/// A file or directory of the repository's examples.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// The fields of a function, as the API takes them.
pub(crate) struct Function {
    fields: Value,
    files: Vec<(String, String, u32)>,
}

impl Function {
    /// A `handler` in `index.py`, which may import `note` from `journal`.
    pub(crate) fn python(source: &str) -> Self {
        Self::of("python3").file("index.py", source).file("journal.py", JOURNAL_PY)
    }

    pub(crate) fn node(source: &str) -> Self {
        Self::of("nodejs20").file("index.js", source)
    }

    pub(crate) fn custom(bootstrap: &str) -> Self {
        let mut function = Self::of("custom");
        function.files.push(("bootstrap".to_owned(), bootstrap.to_owned(), 0o755));
        function
    }

    /// Without any code.
    pub(crate) fn of(runtime: &str) -> Self {
        let fields = json!({
            "runtime": runtime,
            "handler": "index.handler",
            "timeout": 30,
            "environmentVariables": {},
        });
        Self { fields, files: Vec::new() }
    }

    pub(crate) fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned(), 0o644));
        self
    }

    /// Sets any field of the API.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields[field] = value.into();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.fields["environmentVariables"][name] = value.into();
        self
    }

    pub(crate) fn journal(self, journal: &Journal) -> Self {
        self.env("JOURNAL", &journal.0.to_string_lossy())
    }

    /// The body of a create or update call.
    pub(crate) fn into_fields(self) -> Value {
        let mut fields = self.fields;
        fields["code"] = json!({ "zipFile": STANDARD.encode(zip(&self.files)) });
        fields
    }

    /// Writes the files where `bide deploy` can find them.
    pub(crate) fn write_to(&self, directory: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::create_dir_all(directory).unwrap();
        for (name, text, mode) in &self.files {
            let path = directory.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).unwrap();
        }
    }
}

/// A function of each kind that does what its event says, by runtime.
pub(crate) fn tellers() -> [(&'static str, Function); 3] {
    let custom = Function::custom(include_str!("../functions/tells_server.py"));
    [
        ("python", Function::python(include_str!("../functions/tells.py"))),
        ("node", Function::node(include_str!("../functions/tells.js"))),
        ("custom", custom.file("journal.py", JOURNAL_PY)),
    ]
}

/// A zip of files with their names, texts and modes.
pub(crate) fn zip(files: &[(String, String, u32)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text, mode) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A file to which functions append what they did, one JSON object a line. Whatever user an instance runs as, it may.
#[derive(Clone)]
pub(crate) struct Journal(PathBuf);

impl Journal {
    /// Begins one in the shared directory of `dir`, unless it has begun.
    pub(crate) fn of_directory(dir: &Path) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let path = shared(dir).join("journal");
        std::fs::File::options().create(true).append(true).open(&path).expect("the journal can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("it is ours");
        Self(path)
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.0).expect("the journal can be read");
        text.lines().map(|line| serde_json::from_str(line).expect("whole lines of JSON")).collect()
    }

    /// The lines whose `id` is this.
    pub(crate) fn of(&self, id: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["id"] == id).collect()
    }
}

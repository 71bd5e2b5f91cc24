//! Settings of the pools and their defaults.
//!
//! Owns values only; whoever reads configuration fills them in.

use std::path::PathBuf;
use std::time::Duration;

use bide_types::limits::{ATTEMPT_LOG_BYTES_DEFAULT, CUSTOM_RUNTIME_START_TIMEOUT};

/// Settings of the pools.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Unpacked code, agents and the instances' scratch directories; may be removed while the server is down.
    pub cache_dir: PathBuf,
    /// Python interpreter: a path, or a name looked up on `search_path` once.
    pub python: PathBuf,
    /// Node interpreter, likewise.
    pub node: PathBuf,
    /// `PATH` of the instances.
    pub search_path: String,
    /// Directories of the host that sandboxed instances see under their own paths and may write to as the modes of the
    /// files allow it to everybody.
    pub shared_dirs: Vec<PathBuf>,
    /// An instance that served nothing for so long is stopped.
    pub idle_timeout: Duration,
    /// An instance that is not ready to serve after so long never will be.
    pub start_timeout: Duration,
    pub instances_per_function_max: usize,
    pub instances_per_account_max: usize,
    /// Time of a pre-stop hook once the server is about to end.
    pub hurried_hook_time: Duration,
    /// Processes of a built-in runtime that stand ready for functions to come, by kind; 0: none.
    pub standby_instances: usize,
    /// Cold starts at the same time, of all functions together; those that take long do not count.
    pub starts_max: usize,
    /// Most bytes of the log of an attempt in its outcome; 0: none.
    pub attempt_log_bytes: usize,
}

impl PoolOptions {
    /// The defaults of FC ("Limits", "How do I stop an instance?"), with this machine's `PATH` and cores.
    pub fn new(cache_dir: PathBuf) -> Self {
        Self {
            cache_dir,
            python: "python3".into(),
            node: "node".into(),
            search_path: std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned()),
            shared_dirs: Vec::new(),
            idle_timeout: Duration::from_secs(180),
            start_timeout: CUSTOM_RUNTIME_START_TIMEOUT,
            instances_per_function_max: 90,
            instances_per_account_max: 100,
            hurried_hook_time: Duration::from_secs(30),
            standby_instances: 2,
            starts_max: cores().max(2),
            attempt_log_bytes: ATTEMPT_LOG_BYTES_DEFAULT,
        }
    }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

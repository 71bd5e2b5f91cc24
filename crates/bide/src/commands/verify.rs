//! `bide verify DIR`: counts a data directory again while no server runs on it.

use std::path::PathBuf;

use crate::output::{self, Format};

/// Check a data directory offline: ledgers, indexes, payloads, packages
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The data directory
    dir: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

//! How functions are contained.

use clap::ValueEnum;
use serde::Deserialize;

/// What happens when this host cannot give functions a sandbox.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SandboxMode {
    /// The server does not start
    #[default]
    Require,
    /// Functions run without one, and the server says so
    BestEffort,
    /// None is made: functions run as the server's user and see all that it sees
    None,
}

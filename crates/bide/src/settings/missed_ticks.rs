//! The setting `missed_ticks`.

use bide_engine::MissedTicks;
use serde::Deserialize;

/// What becomes of ticks of time triggers that were due while no server ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MissedTicksRule {
    /// They never fire
    #[default]
    Skip,
    /// The last of them fires, once
    FireOnce,
}

impl From<MissedTicksRule> for MissedTicks {
    fn from(rule: MissedTicksRule) -> Self {
        match rule {
            MissedTicksRule::Skip => Self::Skip,
            MissedTicksRule::FireOnce => Self::FireOnce,
        }
    }
}

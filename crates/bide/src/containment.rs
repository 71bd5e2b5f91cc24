//! What contains functions on this host: chosen once at start, and said.
//!
//! Owns the choice between launchers and the lines that tell what is in force. A sandbox is only chosen after one has
//! really been made.

use std::sync::Arc;

use anyhow::Context as _;
use bide_sandbox::{LaunchError, Launcher, Outbound, ProcessLauncher, Protection, SandboxLauncher};

use crate::settings::SandboxMode;

/// Said when `require` cannot be had.
const ADVICE: &str = "this host gives functions no sandbox. It needs user, mount, process and network namespaces: as an \
     ordinary user check kernel.unprivileged_userns_clone, user.max_user_namespaces and AppArmor's \
     kernel.apparmor_restrict_unprivileged_userns; in a container allow them or run it privileged. Without a sandbox, \
     --sandbox best-effort runs functions as plain processes: only code that you trust";

pub(crate) async fn launcher(mode: SandboxMode) -> anyhow::Result<Arc<dyn Launcher>> {
    let launcher: Arc<dyn Launcher> = match mode {
        SandboxMode::None => plain()?,
        SandboxMode::Require => Arc::new(sandbox().await.context(ADVICE)?),
        SandboxMode::BestEffort => match sandbox().await {
            Ok(launcher) => Arc::new(launcher),
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::warn!(error = format!("{error:#}"), "this host gives functions no sandbox");
                plain()?
            }
        },
    };
    tell(&*launcher);
    Ok(launcher)
}

fn plain() -> anyhow::Result<Arc<dyn Launcher>> {
    Ok(Arc::new(ProcessLauncher::new().context("cannot start the launcher of instances")?))
}

async fn sandbox() -> Result<SandboxLauncher, LaunchError> {
    // Stays the same when the program's file is replaced.
    let launcher = SandboxLauncher::start("/proc/self/exe".into()).await?;
    launcher.probe().await?;
    if let Outbound::Unavailable(why) = launcher.outbound() {
        tracing::warn!(why, "outbound network: not available; functions reach loopback only");
    }
    Ok(launcher)
}

fn tell(launcher: &dyn Launcher) {
    let protections = launcher.protections();
    let list = |items: &[Protection]| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (in_force, missing) = (list(&protections.in_force), list(&protections.missing));
    for note in &protections.notes {
        tracing::warn!("{note}");
    }
    if launcher.isolates() {
        tracing::info!(in_force, "functions run in sandboxes");
        if !missing.is_empty() {
            tracing::warn!(missing, "this host, or this server's user, does not allow all protections");
        }
    } else {
        tracing::info!(in_force, "functions run as separate processes");
        tracing::warn!(missing, "functions are NOT sandboxed: run only code that you trust");
    }
}

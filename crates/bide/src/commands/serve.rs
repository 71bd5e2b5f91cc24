//! `bide serve`: the server, until SIGTERM or SIGINT.

use tokio::signal::unix::{SignalKind, signal};

use crate::descriptors;
use crate::logging;
use crate::node::Node;
use crate::output;
use crate::settings::{Flags, Settings};

/// Run the server
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    flags: Flags,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.flags.clone())?;
    logging::start(settings.log_format, &settings.log_filter)?;
    descriptors::raise_limit();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut node = Node::start(settings).await?;
        output::note(&format!(
            "bide: ready on http://{}, data in {}",
            node.address(),
            node.data_dir().display()
        ));
        if let Some(address) = node.metrics_address() {
            output::note(&format!("bide: metrics on http://{address}/metrics"));
        }
        let failure = tokio::select! {
            interrupted = interrupted() => interrupted.err().map(|error| error.to_string()),
            failure = node.failed() => Some(failure),
        };
        output::note("bide: draining; a second signal ends it at once");
        tokio::select! {
            () = node.stop() => {}
            _ = interrupted() => anyhow::bail!("interrupted while draining; what ran will run again"),
        }
        output::note("bide: stopped");
        failure.map_or(Ok(()), |failure| Err(anyhow::anyhow!(failure)))
    })
}

/// Resolves when the process is asked to end.
pub(crate) async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

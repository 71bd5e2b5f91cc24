//! What the tests share: servers, a client of the API, functions to deploy, and conditions to wait for.

mod api;
mod cli;
mod code;
pub(crate) mod component;
mod http;
mod processes;
mod server;

use std::time::Duration;

use bide_env::{Clock as _, SystemClock};

pub(crate) use api::{Api, code_of, events, is_final, status, statuses, text};
pub(crate) use cli::{Output, bide, bide_command, command_for, have, run, run_with_input};
pub(crate) use code::{Function, Journal, example, tellers, zip};
pub(crate) use http::{Reply, curl, exchange, have_curl};
pub(crate) use processes::{is_alive, is_of_instance, is_ours, is_standby, processes_of};
pub(crate) use server::{ACCOUNT, KEY_ID, KEY_SECRET, Launch, Server, World, credential, directory, shared};

/// No condition takes longer to hold, whatever else runs on the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a condition.
const PERIOD: Duration = Duration::from_millis(20);

/// Looks until there is something to see.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// As [`until`], with a deadline of its own.
pub(crate) async fn until_within<T>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let clock = SystemClock::new();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(clock.monotonic() < limit, "not within {limit:?}: {what}");
        clock.sleep_until(clock.now().plus(PERIOD)).await;
    }
}

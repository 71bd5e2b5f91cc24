//! The one task that looks at all instances from time to time.
//!
//! Owns when it looks. It sleeps while there is nothing to see, and keeps nothing alive: it ends when the pools are
//! closed or dropped.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bide_env::Clock;
use tokio::sync::Notify;

use super::Shared;
use crate::executor::Cancel;

/// How often memory and idle times are looked at while instances exist.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);
/// The same while somebody waits for capacity that only time may bring.
const WANT_INTERVAL: Duration = Duration::from_millis(25);

/// Reclaims idle instances or has them rest, watches memory, and lets the book think again. Keeps nothing alive.
pub(super) async fn watch_over(
    pools: Weak<Shared>,
    clock: Arc<dyn Clock>,
    changed: Arc<Notify>,
    closing: Cancel,
) {
    loop {
        let Some((exists, wanting)) = pools.upgrade().map(|shared| {
            let book = shared.book();
            (!book.is_empty(), book.is_wanting())
        }) else {
            return;
        };
        let interval = if wanting { WANT_INTERVAL } else { WATCH_INTERVAL };
        let pause =
            async { if exists || wanting { clock.sleep(interval).await } else { changed.notified().await } };
        tokio::select! {
            () = pause => {}
            () = closing.cancelled() => return,
        }
        if let Some(shared) = pools.upgrade() {
            shared.look_around();
        }
    }
}

impl Shared {
    fn look_around(self: &Arc<Self>) {
        let now = self.now();
        let mut actions = {
            let mut book = self.book();
            let mut actions = book.reclaim(now, self.options.idle_timeout);
            actions.extend(book.settle(now));
            actions
        };
        actions.grown.dedup();
        self.act(actions);
        self.send_to_rest();
        self.ready().iter().for_each(|instance| instance.enforce_memory());
    }
}

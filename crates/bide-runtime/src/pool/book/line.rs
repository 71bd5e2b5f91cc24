//! Turns between the line (synchronous calls that wait) and those who only ask (asynchronous work, which waits in the
//! store and asks again when capacity grows).
//!
//! Owns one rule: while both want slots of a pool, the line gets [`LINE_TURNS`] and then whoever asks gets one. Without
//! it a lasting overload of synchronous calls would keep asynchronous work from ever running.

use std::time::Duration;

/// Slots that the line gets for one that somebody else gets.
const LINE_TURNS: u32 = 4;
/// How long a freed slot is held for whoever asked, before the line gets it after all.
const HELD_MAX: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Somebody asked while there was a line, and has not been served since.
    asked: bool,
    /// Slots that the line got meanwhile.
    line_served: u32,
    /// Since when a slot is held.
    held_since: Option<Duration>,
}

impl Turns {
    /// Somebody asks while there is a line; whether it is their turn.
    pub(super) fn ask(&mut self) -> bool {
        self.asked = true;
        self.held_since.is_some()
    }

    /// Whoever asked got a slot.
    pub(super) fn asker_served(&mut self) {
        *self = Self::default();
    }

    /// Whether the line may be served at `now`.
    pub(super) fn is_lines_turn(&mut self, now: Duration) -> bool {
        if !self.asked || self.line_served < LINE_TURNS {
            return true;
        }
        let held_since = *self.held_since.get_or_insert(now);
        if now.saturating_sub(held_since) < HELD_MAX {
            return false;
        }
        *self = Self::default();
        true
    }

    pub(super) fn line_served(&mut self) {
        self.line_served += 1;
    }
}

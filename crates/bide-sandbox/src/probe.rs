//! How often a port is tried on which nobody listens yet.

use std::time::Duration;

const PAUSE_MIN: Duration = Duration::from_micros(100);
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// A pause is this part of what was waited already, so a listener is found late by an eighth of its own start at most.
const PART: u32 = 8;

/// The time until the next try, when `waited` has passed since the first: short for what starts fast, rare for what starts
/// slowly.
pub fn probe_pause(waited: Duration) -> Duration {
    (waited / PART).clamp(PAUSE_MIN, PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_wait_between_two_bounds() {
        let micros = |waited: u64| probe_pause(Duration::from_micros(waited)).as_micros();
        assert_eq!([0, 800, 8_000, 79_999, 120_000_000].map(micros), [100, 100, 1_000, 9_999, 10_000]);
    }

    #[test]
    fn a_start_of_two_minutes_is_tried_a_bounded_number_of_times() {
        let (mut waited, mut tries) = (Duration::ZERO, 0);
        while waited < Duration::from_secs(120) {
            waited += probe_pause(waited);
            tries += 1;
        }
        assert!(tries <= 12_100, "{tries}");
    }
}

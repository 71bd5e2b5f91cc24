//! `@every 4m`: a fixed distance, counted from a fixed moment.

use bide_types::Timestamp;

use super::ScheduleError;

/// Shortest interval (fc-behaviour 6: one minute).
const SECONDS_MIN: u64 = 60;
/// Longest interval: ten years, far beyond any use.
const SECONDS_MAX: u64 = 10 * 366 * 86_400;

#[derive(Clone, Copy, Debug)]
pub(super) struct Every {
    seconds: u64,
}

impl Every {
    /// What follows `@every`: hours, minutes and seconds as whole numbers, e.g. ` 1h30m`.
    pub(super) fn parse(text: &str) -> Result<Self, ScheduleError> {
        let wrong =
            || ScheduleError::new("@every takes whole hours, minutes and seconds, such as @every 1h30m");
        let mut rest =
            text.strip_prefix(' ').map(str::trim).filter(|text| !text.is_empty()).ok_or_else(wrong)?;
        let mut seconds = 0_u64;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let unit = tail.chars().next().and_then(unit_seconds).ok_or_else(wrong)?;
            let number: u64 = number.parse().map_err(|_| wrong())?;
            seconds = seconds.saturating_add(number.saturating_mul(unit));
            rest = &tail[1..];
        }
        if (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) {
            Ok(Self { seconds })
        } else {
            Err(ScheduleError::new("the interval of @every must be from one minute to ten years"))
        }
    }

    pub(super) fn next(self, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let intervals = after.as_secs().saturating_sub(anchor.as_secs()) / self.seconds + 1;
        let tick = anchor.as_secs().checked_add(self.seconds.checked_mul(intervals)?)?;
        Some(Timestamp::from_secs(tick)).filter(|at| at.as_secs() == tick)
    }
}

fn unit_seconds(unit: char) -> Option<u64> {
    match unit {
        'h' => Some(3600),
        'm' => Some(60),
        's' => Some(1),
        _ => None,
    }
}

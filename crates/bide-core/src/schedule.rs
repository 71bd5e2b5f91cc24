//! When a time trigger is due: `@every 4m`, or cron with six fields (FC "Time triggers"; fc-behaviour 6).
//!
//! Owns the text form and the search for the next moment. Pure: moments come in, time zone data is part of the binary.
//! Ticks follow from the schedule alone, so whoever asks again after a crash gets the same ones.

mod cron;
mod every;

use bide_types::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use cron::Cron;
use every::Every;

/// A text that cannot be read as a schedule, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScheduleError(String);

impl ScheduleError {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// The moments of a time trigger; all are whole seconds.
#[derive(Clone, Debug)]
pub struct Schedule {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Every(Every),
    Cron { cron: Box<Cron>, zone: TimeZone },
}

impl Schedule {
    /// `[CRON_TZ=Area/City ](@every DURATION | SECOND MINUTE HOUR DAY MONTH WEEKDAY)`, in UTC unless a zone is named.
    ///
    /// # Errors
    /// [`ScheduleError`] says which part is wrong and what it may be.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let text = text.trim();
        let (zone, rest) = match text.strip_prefix("CRON_TZ=") {
            None => (TimeZone::UTC, text),
            Some(rest) => {
                let (name, rest) = rest.split_once(' ').ok_or_else(|| {
                    ScheduleError::new("CRON_TZ=Area/City must be followed by a space and a schedule")
                })?;
                (zone(name)?, rest.trim_start())
            }
        };
        // An interval is the same in every zone.
        let form = match rest.strip_prefix("@every") {
            Some(interval) => Form::Every(Every::parse(interval)?),
            None => Form::Cron { cron: Box::new(Cron::parse(rest)?), zone },
        };
        Ok(Self { form })
    }

    /// The first moment after `after`; intervals are counted from `anchor`. `None` if there is none within nine years,
    /// which a leap day on a given date never exceeds.
    pub fn next(&self, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        match &self.form {
            Form::Every(every) => every.next(anchor, after),
            Form::Cron { cron, zone } => cron.next(zone, after),
        }
    }
}

fn zone(name: &str) -> Result<TimeZone, ScheduleError> {
    let unknown =
        |_| ScheduleError::new(format!("time zone '{name}' is not known: use a name such as Asia/Shanghai"));
    TimeZoneDatabase::bundled().get(name).map_err(unknown)
}

#[cfg(test)]
mod tests;

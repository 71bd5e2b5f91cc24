//! Six cron fields, and the search for the next moment that they name.
//!
//! Owns the rules of FC's dialect: the second is one number, so nothing is due more than once a minute; weekdays are 1
//! (Monday) to 7; a day is named by day of month, by weekday, or, if both are restricted, by either.
//!
//! Around a change of the clocks the fields mean what a clock on the wall shows: what falls into the skipped hour is
//! left out, and what falls into the repeated hour comes twice ("a firing may repeat or be missed", FC "Time triggers").

use bide_types::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};

use super::ScheduleError;

/// How far ahead a moment is looked for; the longest gap between two 29ths of February is eight years.
const HORIZON_SECONDS: u64 = 9 * 366 * 86_400;

const SECOND: Field = Field::new("second", 0, 59, &[]);
const MINUTE: Field = Field::new("minute", 0, 59, &[]);
const HOUR: Field = Field::new("hour", 0, 23, &[]);
const DAY: Field = Field::new("day of month", 1, 31, &[]);
const MONTH: Field = Field::new(
    "month",
    1,
    12,
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
);
const WEEKDAY: Field = Field::new("day of week", 1, 7, &["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    second: i8,
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
}

/// Numbers from 0 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Set {
    bits: u64,
    /// Written as `*` or `?`: it names nothing in particular.
    open: bool,
}

/// What one field may hold.
struct Field {
    name: &'static str,
    min: u8,
    max: u8,
    /// Stand for `min` and on.
    names: &'static [&'static str],
}

impl Cron {
    pub(super) fn parse(text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [second, minute, hour, day, month, weekday] = fields[..] else {
            return Err(ScheduleError::new(format!(
                "a schedule is @every DURATION, or six fields (second, minute, hour, day of month, month, day of week), \
                 not {}",
                fields.len()
            )));
        };
        if weekday.contains('/') {
            return Err(ScheduleError::new("day of week takes no step"));
        }
        Ok(Self {
            second: i8::try_from(SECOND.number(second)?).expect("below 60"),
            minutes: MINUTE.parse(minute)?,
            hours: HOUR.parse(hour)?,
            days: DAY.parse_day(day)?,
            months: MONTH.parse(month)?,
            weekdays: WEEKDAY.parse_day(weekday)?,
        })
    }

    /// The first moment after `after` in `zone`: the offset from UTC is constant between two changes, so each stretch
    /// is searched as plain calendar time.
    pub(super) fn next(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let first = after.as_secs().checked_add(1)?;
        let (mut from, horizon) = (moment(first)?, moment(first + HORIZON_SECONDS)?);
        while from < horizon {
            let change = zone.following(from).next().map(|change| change.timestamp());
            let end = change.filter(|change| *change < horizon).unwrap_or(horizon);
            if let Some(found) = self.first_between(zone.to_offset(from), from, end) {
                return u64::try_from(found.as_second()).ok().map(Timestamp::from_secs);
            }
            from = end;
        }
        None
    }

    /// The first moment from `from` on and before `end`, with clocks at `offset`.
    fn first_between(
        &self,
        offset: Offset,
        from: jiff::Timestamp,
        end: jiff::Timestamp,
    ) -> Option<jiff::Timestamp> {
        let (start, last) = (offset.to_datetime(from), offset.to_datetime(end).date());
        let mut date = start.date();
        let mut earliest = Some(start.time());
        while date <= last {
            if self.names_day(date)
                && let Some((hour, minute)) = self.first_time(earliest)
            {
                let found = offset.to_timestamp(date.at(hour, minute, self.second, 0)).ok()?;
                return (found < end).then_some(found);
            }
            date = date.tomorrow().ok()?;
            earliest = None;
        }
        None
    }

    fn names_day(&self, date: Date) -> bool {
        if !self.months.has(date.month()) {
            return false;
        }
        let (day, weekday) =
            (self.days.has(date.day()), self.weekdays.has(date.weekday().to_monday_one_offset()));
        if self.days.open || self.weekdays.open { day && weekday } else { day || weekday }
    }

    /// Hour and minute of the first time of a day, from `earliest` on if that is given.
    fn first_time(&self, earliest: Option<Time>) -> Option<(i8, i8)> {
        let first_minute = self.minutes.first(0)?;
        let Some(earliest) = earliest else { return Some((self.hours.first(0)?, first_minute)) };
        let minute = earliest.minute() + i8::from(self.second < earliest.second());
        if self.hours.has(earliest.hour())
            && let Some(minute) = self.minutes.first(minute)
        {
            return Some((earliest.hour(), minute));
        }
        Some((self.hours.first(earliest.hour() + 1)?, first_minute))
    }
}

impl Set {
    fn has(self, number: i8) -> bool {
        self.bits & (1 << number) != 0
    }

    /// The least number that is at least `from`.
    fn first(self, from: i8) -> Option<i8> {
        let rest = self.bits >> from << from;
        (rest != 0).then(|| i8::try_from(rest.trailing_zeros()).expect("below 64"))
    }
}

impl Field {
    const fn new(name: &'static str, min: u8, max: u8, names: &'static [&'static str]) -> Self {
        Self { name, min, max, names }
    }

    fn wrong(&self, text: &str) -> ScheduleError {
        let Self { name, min, max, .. } = self;
        let text: String = text.chars().take(32).collect();
        ScheduleError::new(format!("{name} '{text}' is wrong: it is from {min} to {max}"))
    }

    /// The same as [`Field::parse`], or `?`: no particular day.
    fn parse_day(&self, text: &str) -> Result<Set, ScheduleError> {
        self.parse(if text == "?" { "*" } else { text })
    }

    /// One or more of `*`, `N`, `N-M`, each with a step `/S` or without, joined by commas.
    fn parse(&self, text: &str) -> Result<Set, ScheduleError> {
        let mut set = Set { bits: 0, open: false };
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                None => (part, None),
                Some((range, step)) => (range, Some(self.step(step)?)),
            };
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (self.number(first)?, self.number(last)?),
                None if range == "*" => (self.min, self.max),
                None => {
                    let first = self.number(range)?;
                    (first, if step.is_some() { self.max } else { first })
                }
            };
            if first > last {
                return Err(ScheduleError::new(format!("{} '{range}' ends before it begins", self.name)));
            }
            let step = step.unwrap_or(1);
            set.open |= range == "*" && step == 1;
            set.bits |= bits(first, last, step);
        }
        Ok(set)
    }

    fn number(&self, text: &str) -> Result<u8, ScheduleError> {
        let named = || self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().ok(),
            false => named().and_then(|index| u8::try_from(index).ok()).map(|index| self.min + index),
        };
        number.filter(|number| (self.min..=self.max).contains(number)).ok_or_else(|| self.wrong(text))
    }

    fn step(&self, text: &str) -> Result<u8, ScheduleError> {
        let step = text.parse().ok().filter(|step| (1..=self.max).contains(step));
        step.ok_or_else(|| ScheduleError::new(format!("{}: the step '{text}' is wrong", self.name)))
    }
}

fn bits(first: u8, last: u8, step: u8) -> u64 {
    (first..=last).step_by(usize::from(step)).fold(0, |bits, number| bits | 1 << number)
}

fn moment(seconds: u64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

#[cfg(test)]
impl Cron {
    /// Whether a wall clock that shows `time` is at a moment of this schedule.
    pub(super) fn names(&self, time: jiff::civil::DateTime) -> bool {
        self.names_day(time.date())
            && self.hours.has(time.hour())
            && self.minutes.has(time.minute())
            && self.second == time.second()
    }
}

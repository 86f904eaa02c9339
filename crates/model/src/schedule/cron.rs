//! Times by the calendar: `minute hour day-of-month month day-of-week`, in UTC.
//!
//! A field is `*` or `?` (any), a number, a range `1-5`, a list `1,3,8-10`, or one of these with a step `*/10`. As in
//! ActiveMQ a step keeps the multiples of its number, so `*/2` are the even days (apache/activemq, `CronParser.java`).
//! Day of week 0 and 7 are Sunday. Where both days are restricted, one of them suffices, as in every crontab.
//!
//! There is no time zone in it: a broker that decides by its arguments alone knows no place, and nothing comes twice or
//! never when summer begins or ends.

use super::CRON_BYTES_MAX;
use crate::time::WallTime;
use std::fmt;

/// Days to look ahead: a day of a month is at most eight years away, the leap day around a century that has none.
const DAYS_AHEAD_MAX: u64 = 9 * 366;
const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: u64 = 24 * 60;

/// Times by the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

/// Why a cron schedule is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CronError {
    /// It has not five fields, or it is too long.
    Fields,
    /// A field is not understood, or names nothing in its range.
    Field {
        /// Which field.
        name: &'static str,
        /// As it was written.
        text: String,
    },
    /// No day of any year is meant.
    Never,
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields => f.write_str("is not \"minute hour day-of-month month day-of-week\""),
            Self::Field { name, text } => write!(f, "has no {name} in {text:?}"),
            Self::Never => f.write_str("names a day that never comes"),
        }
    }
}

impl Cron {
    /// Reads a schedule.
    ///
    /// # Errors
    /// It is none, or no time ever fits it.
    pub fn parse(source: &str) -> Result<Self, CronError> {
        if source.len() > CRON_BYTES_MAX {
            return Err(CronError::Fields);
        }
        let mut fields = source.split_ascii_whitespace();
        let mut next = || fields.next().ok_or(CronError::Fields);
        let (minute, hour, day, month, weekday) = (next()?, next()?, next()?, next()?, next()?);
        if fields.next().is_some() {
            return Err(CronError::Fields);
        }
        let weekdays = field("day of week", weekday, 0, 7)?;
        let cron = Self {
            minutes: field("minute", minute, 0, 59)?,
            hours: field("hour", hour, 0, 23)?,
            days: field("day of month", day, 1, 31)?,
            months: field("month", month, 1, 12)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7F,
            any_day: matches!(day, "*" | "?"),
            any_weekday: matches!(weekday, "*" | "?"),
        };
        if cron.next(WallTime(0)).is_some() { Ok(cron) } else { Err(CronError::Never) }
    }

    /// The first time after `now`: a full minute. `None`: beyond what clocks count.
    #[must_use]
    pub fn next(&self, now: WallTime) -> Option<WallTime> {
        let minute = now.0 / MINUTE_MS + 1;
        let (today, from) = (minute / DAY_MINUTES, minute % DAY_MINUTES);
        for day in today..=today + DAYS_AHEAD_MAX {
            if !self.has_day(day) {
                continue;
            }
            let from = if day == today { from } else { 0 };
            if let Some(found) = (from..DAY_MINUTES).find(|&minute| self.has_minute(minute)) {
                return (day * DAY_MINUTES + found).checked_mul(MINUTE_MS).map(WallTime);
            }
        }
        None
    }

    fn has_minute(&self, minute_of_day: u64) -> bool {
        has(self.hours, minute_of_day / 60) && has(self.minutes, minute_of_day % 60)
    }

    /// `day`: since the first of January 1970, which was a Thursday.
    fn has_day(&self, day: u64) -> bool {
        let (month, of_month) = date(day);
        if !has(self.months, month) {
            return false;
        }
        let (by_month, by_week) = (has(self.days, of_month), has(self.weekdays, (day + 4) % 7));
        if self.any_day || self.any_weekday { by_month && by_week } else { by_month || by_week }
    }
}

fn has(set: u64, number: u64) -> bool {
    set & 1 << number != 0
}

/// Month and day of month of a day since 1970. Counted in years that begin in March, so that the leap day is a year's
/// last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn date(day: u64) -> (u64, u64) {
    let of_era = (day + 719_468) % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * from_march + 2) / 5 + 1;
    (if from_march < 10 { from_march + 3 } else { from_march - 9 }, of_month)
}

/// The numbers of a field, as bits.
fn field(name: &'static str, text: &str, first: u64, last: u64) -> Result<u64, CronError> {
    let mut set = 0;
    for part in text.split(',') {
        let numbers = part_of(part, first, last).filter(|numbers| *numbers != 0);
        set |= numbers.ok_or_else(|| CronError::Field { name, text: text.to_owned() })?;
    }
    Ok(set)
}

fn part_of(part: &str, first: u64, last: u64) -> Option<u64> {
    let (range, step) = match part.split_once('/') {
        None => (part, 1),
        Some((range, step)) => (range, number(step).filter(|step| *step > 0)?),
    };
    let (from, to) = match range.split_once('-') {
        _ if matches!(range, "*" | "?") => (first, last),
        None => (number(range)?, number(range)?),
        Some((from, to)) => (number(from)?, number(to)?),
    };
    if from < first || to > last || from > to {
        return None;
    }
    Some((from..=to).filter(|number| number % step == 0).fold(0, |set, number| set | 1 << number))
}

/// At most two digits and no sign.
fn number(text: &str) -> Option<u64> {
    let digits = matches!(text.len(), 1..=2) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

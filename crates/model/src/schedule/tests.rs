//! What properties ask, and what calendars mean.

use super::*;
use std::borrow::Cow;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Milliseconds of `2010-11-15 09:15:30` in UTC, counted day by day.
fn at(text: &str) -> WallTime {
    let numbers: Vec<u64> = text.split(['-', ' ', ':']).map(|number| number.parse().unwrap()).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("{text}") };
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut days = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum::<u64>();
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    days += lengths[..month as usize - 1].iter().sum::<u64>() + day - 1;
    WallTime(days * DAY + hour * HOUR + minute * MINUTE + second * 1000)
}

#[test]
fn the_next_time_by_the_calendar() {
    // Monday 15 November 2010 is the day that most rows start from.
    let table = [
        ("* * * * *", "2010-11-15 09:15:30", "2010-11-15 09:16:00"),
        ("* * * * *", "2010-11-15 09:15:00", "2010-11-15 09:16:00"),
        ("* * * * *", "2010-12-31 23:59:59", "2011-01-01 00:00:00"),
        ("* * * * 5", "2010-11-15 09:15:30", "2010-11-19 00:00:00"),
        ("50 20 * * 5", "2011-03-07 09:15:30", "2011-03-11 20:50:00"),
        ("50 20 * * 5", "2011-03-11 22:00:30", "2011-03-18 20:50:00"),
        ("0 20 * 4,5 0", "2011-03-07 09:15:30", "2011-04-03 20:00:00"),
        ("0 20 * 4,5 0", "2011-04-30 22:00:30", "2011-05-01 20:00:00"),
        ("0 20 * 4,5 0", "2011-05-30 22:00:30", "2012-04-01 20:00:00"),
        ("* * * 12 *", "2010-11-15 09:15:30", "2010-12-01 00:00:00"),
        ("* * 1 * *", "2010-12-15 09:15:30", "2011-01-01 00:00:00"),
        ("* * 1 12 *", "2010-11-15 09:15:30", "2010-12-01 00:00:00"),
        ("* * 16 * *", "2010-11-15 09:15:30", "2010-11-16 00:00:00"),
        ("30 * * * *", "2010-11-15 09:20:00", "2010-11-15 09:30:00"),
        ("30 * * * *", "2010-11-15 09:30:00", "2010-11-15 10:30:00"),
        ("* 1 * * *", "1972-03-02 17:10:00", "1972-03-03 01:00:00"),
        ("0 0 1,15 * *", "2016-05-15 00:00:00", "2016-06-01 00:00:00"),
        ("*/20 8-10 * * *", "2010-11-15 08:40:00", "2010-11-15 09:00:00"),
        ("*/20 8-10 * * *", "2010-11-15 10:40:00", "2010-11-16 08:00:00"),
        // A step keeps multiples, wherever its range begins.
        ("0 0 */2 * *", "2010-11-15 00:00:00", "2010-11-16 00:00:00"),
        ("0 3-9/4 * * *", "2010-11-15 00:00:00", "2010-11-15 04:00:00"),
        // Both days restricted: either suffices.
        ("0 0 1 * 5", "2010-11-15 09:15:30", "2010-11-19 00:00:00"),
        ("0 0 17 * 5", "2010-11-15 09:15:30", "2010-11-17 00:00:00"),
        ("0 0 ? * 7", "2010-11-15 09:15:30", "2010-11-21 00:00:00"),
        ("0 0 29 2 *", "2011-01-01 00:00:00", "2012-02-29 00:00:00"),
        ("0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"),
        ("0 0 31 * *", "2010-11-15 00:00:00", "2010-12-31 00:00:00"),
        ("  5   6 ? * *  ", "2010-11-15 00:00:00", "2010-11-15 06:05:00"),
    ];
    for (source, from, next) in table {
        let cron = Cron::parse(source).unwrap();
        assert_eq!(cron.next(at(from)), Some(at(next)), "{source} after {from}");
    }
}

#[test]
fn every_day_that_comes_is_one_day_after_the_last() {
    let daily = Cron::parse("0 0 * * *").unwrap();
    let mut now = WallTime(0);
    for _ in 0..200 * 366 {
        let next = daily.next(now).unwrap();
        assert_eq!(next.0, now.0 + DAY);
        now = next;
    }
    // The first of each month over 400 years, counted without the code under test.
    let monthly = Cron::parse("0 0 1 * *").unwrap();
    let mut now = WallTime(0);
    for month in 1..400 * 12 {
        now = monthly.next(now).unwrap();
        assert_eq!(now, at(&format!("{}-{}-1 0:0:0", 1970 + month / 12, month % 12 + 1)));
    }
}

#[test]
fn what_is_no_calendar_is_refused() {
    let refused = [
        "",
        "* * * *",
        "* * * * * *",
        "61 8 10 6 *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * 0 *",
        "* * * * 8",
        "a * * * *",
        "-1 * * * *",
        "1- * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "1,,2 * * * *",
        ", * * * *",
        "5/15 * * * *",
        "+1 * * * *",
        "001 * * * *",
        "* * 30 2 *",
        "* * 31 4,6,9,11 *",
        "** * * * *",
        "1-2-3 * * * *",
        "99999999999999999999 * * * *",
        "* * * JAN *",
    ];
    for source in refused {
        assert!(Cron::parse(source).is_err(), "{source}");
    }
    assert_eq!(Cron::parse("* * 30 2 *"), Err(CronError::Never));
    assert_eq!(Cron::parse(&format!("{} * * * *", ["1"; 600].join(","))), Err(CronError::Fields));
    let text = Cron::parse("61 8 10 6 *").unwrap_err().to_string();
    assert_eq!(text, "has no minute in \"61\"");
    assert_eq!(Cron::parse("* * * * *").unwrap().next(WallTime(u64::MAX)), None);
}

fn read(properties: &[(&'static str, &'static str)]) -> Result<Option<Schedule>, String> {
    let find = |name: &str| {
        let found = properties.iter().find(|(known, _)| *known == name);
        found.map_or(Operand::Null, |(_, value)| Operand::Text(Cow::Borrowed(value)))
    };
    Schedule::from_properties(find).map_err(|error| error.to_string())
}

#[test]
fn properties_ask_for_a_schedule() {
    let all =
        [(SCHEDULED_DELAY, "5"), (SCHEDULED_PERIOD, " 7 "), (SCHEDULED_REPEAT, "3"), (SCHEDULED_CRON, "1 * * * *")];
    let schedule = Schedule { delay_ms: 5, period_ms: 7, repeat: 3, ..Schedule::default() };
    assert_eq!(read(&all[..3]), Ok(Some(schedule.clone())));
    assert_eq!(read(&all), Ok(Some(Schedule { cron: Some("1 * * * *".into()), ..schedule })));
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[(SCHEDULED_REPEAT, "3")]), Ok(None));
    assert_eq!(read(&[(SCHEDULED_DELAY, "3"), (SCHEDULED_ID, "ID:x")]), Ok(None));
    assert_eq!(read(&[(SCHEDULED_DELAY, "-3")]), Ok(Some(Schedule::default())));
    assert_eq!(read(&[(SCHEDULED_CRON, "")]), Ok(Some(Schedule::default())));
    let for_ever = Schedule { period_ms: 9, repeat: -1, ..Schedule::default() };
    assert_eq!(read(&[(SCHEDULED_PERIOD, "9"), (SCHEDULED_REPEAT, "-7")]), Ok(Some(for_ever)));
    let typed = |name: &str| if name == SCHEDULED_DELAY { Operand::Integer(4) } else { Operand::Null };
    assert_eq!(Schedule::from_properties(typed), Ok(Some(Schedule { delay_ms: 4, ..Schedule::default() })));
    let double = |name: &str| if name == SCHEDULED_DELAY { Operand::Double(4.0) } else { Operand::Null };
    assert_eq!(Schedule::from_properties(double), Err(ScheduleError::NotANumber(SCHEDULED_DELAY)));
}

#[test]
fn what_properties_do_not_take_is_refused() {
    let delay = |text| read(&[(SCHEDULED_DELAY, text)]).unwrap_err();
    for text in ["", "soon", "1.5", "99999999999999999999", "1 2"] {
        assert_eq!(delay(text), "AMQ_SCHEDULED_DELAY is not a whole number in its range", "{text}");
    }
    let repeat = read(&[(SCHEDULED_DELAY, "1"), (SCHEDULED_REPEAT, "2147483648")]).unwrap_err();
    assert_eq!(repeat, "AMQ_SCHEDULED_REPEAT is not a whole number in its range");
    let cron = read(&[(SCHEDULED_CRON, "every day")]).unwrap_err();
    assert_eq!(cron, "AMQ_SCHEDULED_CRON is not \"minute hour day-of-month month day-of-week\"");
    let both = read(&[(SCHEDULED_CRON, "1 * * * *"), (SCHEDULED_REPEAT, "-1")]).unwrap_err();
    assert_eq!(both, "AMQ_SCHEDULED_CRON and an AMQ_SCHEDULED_REPEAT below 0 together would never end");
}

#[test]
fn the_first_delivery_waits_for_the_delay_or_else_the_period() {
    let first =
        |delay_ms, period_ms, repeat| Schedule { delay_ms, period_ms, repeat, ..Schedule::default() }.first_ms();
    assert_eq!((first(5, 7, 0), first(5, 0, 3), first(0, 7, 0), first(0, 7, 2)), (5, 5, 7, 7));
    assert_eq!((first(0, 0, 0), first(0, 0, 2)), (0, 1000));
    assert_eq!(Schedule::delivery_delay(0), None);
    assert!(Schedule::delivery_delay(1).is_some_and(|schedule| schedule.is_delivery_delay));
}

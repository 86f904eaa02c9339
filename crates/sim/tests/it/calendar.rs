use ferrymq_sim::calendar::{CALENDAR_BUGS, CalendarBug, run};

/// Rounds of a run: time passes, a message is scheduled or removed, what is due is taken.
const ROUNDS: u32 = 100;
/// A planted bug is found within this many seeds.
const SEEDS_MAX: u64 = 20;

#[test]
fn every_occurrence_comes_once_whenever_the_power_goes() {
    let (mut crashes, mut occurrences) = (0, 0);
    for seed in 1..=60 {
        let calendar = run(seed, ROUNDS, None);
        assert_eq!(calendar.violation, None, "seed {seed}");
        crashes += calendar.crashes;
        occurrences += calendar.occurrences;
    }
    assert!(crashes > 200 && occurrences > 1000, "{crashes} crashes, {occurrences} occurrences");
}

/// A message that waits long holds a segment in which a series began. The end of the series must not be forgotten when the
/// segment that tells of it goes first.
#[test]
fn a_series_that_ended_does_not_come_back() {
    assert_eq!(run(1931, 150, None).violation, None);
}

#[test]
fn every_planted_bug_of_the_schedule_is_caught() {
    let missed = |bug: &CalendarBug| (1..=SEEDS_MAX).all(|seed| run(seed, ROUNDS, Some(*bug)).violation.is_none());
    let missed: Vec<CalendarBug> = CALENDAR_BUGS.into_iter().filter(missed).collect();
    assert!(missed.is_empty(), "not caught within {SEEDS_MAX} seeds: {missed:?}");
}

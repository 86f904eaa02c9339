//! How much of the time the machine itself withholds: on a virtual machine the processors stop now and then, for every program.
//!
//! A loop that only reads the clock sees that as gaps. What it sees beside idle brokers is their doing in part, so the
//! page tells both: before any broker was started, and before each repeat.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::error::Error;
use std::fmt;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long a processor is watched.
const WATCHED: Duration = Duration::from_secs(2);
/// What takes longer between two readings of the clock was not the loop.
const GAP_MIN: Duration = Duration::from_micros(100);

/// What was withheld, as the mean over the processors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stillness {
    /// The gaps, of all the time. Percent.
    pub(super) share: f64,
    /// How long a program that takes no time itself waits for a processor at a moment of chance: until the end of the
    /// gap that the moment falls in, not at all where it falls in none. Microseconds.
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
}

/// Before any broker was started, and before each repeat.
pub(super) struct Withheld {
    pub(super) alone: Stillness,
    pub(super) beside: Vec<Stillness>,
}

/// Watches all processors at once, with a thread pinned to each.
///
/// # Errors
/// The system does not say which processors are ours, or does not pin.
pub(super) fn measure() -> Result<Stillness, Box<dyn Error>> {
    let ours = sched_getaffinity(None)?;
    let processors = (0..CpuSet::MAX_CPU).filter(|processor| ours.is_set(*processor));
    let threads: Vec<_> = processors.map(|processor| thread::spawn(move || watch(processor))).collect();
    let mut each = Vec::new();
    for thread in threads {
        let (gaps, watched) = thread.join().expect("watching does not panic")?;
        each.push(Stillness::of(&gaps, watched));
    }
    Ok(Stillness::mean(&each))
}

/// The gaps of one processor, and the time in which they were seen.
fn watch(processor: usize) -> io::Result<(Vec<Duration>, Duration)> {
    let mut only = CpuSet::new();
    only.set(processor);
    sched_setaffinity(None, &only)?;
    let mut gaps = Vec::new();
    let begin = Instant::now();
    let mut last = begin;
    while last - begin < WATCHED {
        let now = Instant::now();
        if now - last > GAP_MIN {
            gaps.push(now - last);
        }
        last = now;
    }
    Ok((gaps, last - begin))
}

impl Stillness {
    fn of(gaps: &[Duration], watched: Duration) -> Self {
        let withheld: Duration = gaps.iter().sum();
        Self {
            share: 100.0 * withheld.as_secs_f64() / watched.as_secs_f64(),
            p99_us: wait_us(gaps, watched, 0.01),
            p999_us: wait_us(gaps, watched, 0.001),
        }
    }

    fn mean(each: &[Self]) -> Self {
        let mean = |figure: fn(&Self) -> f64| each.iter().map(figure).sum::<f64>() / each.len() as f64;
        Self { share: mean(|one| one.share), p99_us: mean(|one| one.p99_us), p999_us: mean(|one| one.p999_us) }
    }
}

/// The wait that only this part of all moments exceeds. Microseconds.
///
/// The moments that wait longer than `w` are the beginnings of the gaps longer than `w`, each as long as its gap less
/// `w`. If those are the `n` longest, that makes their sum less `n * w`; a wrong `n` gives a smaller `w`.
fn wait_us(gaps: &[Duration], watched: Duration, part: f64) -> f64 {
    let mut longest_first = gaps.to_vec();
    longest_first.sort_by(|one, other| other.cmp(one));
    let exceeding = watched.as_secs_f64() * part;
    let (mut sum, mut wait) = (0.0, 0.0_f64);
    for (at, gap) in longest_first.iter().enumerate() {
        sum += gap.as_secs_f64();
        wait = wait.max((sum - exceeding) / (at + 1) as f64);
    }
    wait * 1e6
}

impl fmt::Display for Stillness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share, p99_us, p999_us } = self;
        write!(f, "{share:.2} % of the time, p99 {p99_us:.0} µs, p99.9 {p999_us:.0} µs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(gaps_us: &[u64], watched_ms: u64) -> Stillness {
        let gaps: Vec<Duration> = gaps_us.iter().map(|gap| Duration::from_micros(*gap)).collect();
        Stillness::of(&gaps, Duration::from_millis(watched_ms))
    }

    #[test]
    fn a_still_machine_withholds_nothing() {
        assert_eq!(of(&[], 1_000).to_string(), "0.00 % of the time, p99 0 µs, p99.9 0 µs");
    }

    #[test]
    fn what_is_rarer_than_the_percentile_does_not_show_in_it() {
        assert_eq!(of(&[4_000, 1_000], 1_000).to_string(), "0.50 % of the time, p99 0 µs, p99.9 3000 µs");
    }

    #[test]
    fn of_one_long_gap_the_percentile_is_what_is_left_at_that_moment() {
        // One percent of the moments are the first 10 ms of 30, after which 20 are to be waited for.
        assert_eq!(of(&[30_000], 1_000).to_string(), "3.00 % of the time, p99 20000 µs, p99.9 29000 µs");
    }

    #[test]
    fn equal_gaps_share_the_moments_in_any_order_among_shorter_ones() {
        // Ten gaps: 1 ms of each lies before the percentile. The shorter ones never come near it.
        let gaps = [[3_000, 500]; 10].concat();
        assert_eq!(of(&gaps, 1_000).to_string(), "3.50 % of the time, p99 2000 µs, p99.9 2900 µs");
    }

    #[test]
    fn processors_count_alike() {
        let mean = Stillness::mean(&[of(&[30_000], 1_000), of(&[], 1_000)]);
        assert_eq!(mean.to_string(), "1.50 % of the time, p99 10000 µs, p99.9 14500 µs");
    }
}

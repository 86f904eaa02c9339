use ferrymq_sim::planted::{BUGS, Bug};
use ferrymq_sim::world::{Plan, run};

/// A planted bug is found within this many seeds, or the oracle is not worth much.
const SEEDS_MAX: u64 = 40;

fn caught_by(bug: Bug) -> Option<(u64, String)> {
    (1..=SEEDS_MAX).find_map(|seed| {
        let outcome = run(&Plan { bug: Some(bug), ..Plan::of_seed(seed) });
        outcome.violations.first().map(|violation| (seed, violation.to_string()))
    })
}

#[test]
fn every_planted_bug_is_caught() {
    let missed: Vec<Bug> = BUGS.into_iter().filter(|bug| caught_by(*bug).is_none()).collect();
    assert!(missed.is_empty(), "not caught within {SEEDS_MAX} seeds: {missed:?}");
}

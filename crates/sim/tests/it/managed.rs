use ferrymq_sim::managed::{MANAGED_BUGS, ManagedBug, run};

/// Rounds of a run: each a send, a distributed or a local transaction.
const ROUNDS: u32 = 120;
/// A planted bug is found within this many seeds.
const SEEDS_MAX: u64 = 40;

#[test]
fn the_broker_and_another_resource_come_to_the_same_outcome() {
    let (mut crashes, mut committed) = (0, 0);
    for seed in 1..=130 {
        let managed = run(seed, ROUNDS, None);
        assert_eq!(managed.violation, None, "seed {seed}");
        crashes += managed.crashes;
        committed += managed.committed;
    }
    assert!(crashes > 500 && committed > 1000, "{crashes} crashes, {committed} commits");
}

#[test]
fn every_planted_bug_of_transactions_is_caught() {
    let missed = |bug: &ManagedBug| (1..=SEEDS_MAX).all(|seed| run(seed, ROUNDS, Some(*bug)).violation.is_none());
    let missed: Vec<ManagedBug> = MANAGED_BUGS.into_iter().filter(missed).collect();
    assert!(missed.is_empty(), "not caught within {SEEDS_MAX} seeds: {missed:?}");
}

use ferrymq_sim::search::check;
use ferrymq_sim::world::{Plan, run};

#[test]
fn fifty_seeds_break_no_promise() {
    let (mut messages, mut deliveries, mut starts) = (0, 0, 0);
    for seed in 1..=50 {
        match check(&Plan::of_seed(seed)) {
            Ok(outcome) => {
                messages += outcome.messages;
                deliveries += outcome.deliveries;
                starts += outcome.starts;
            }
            Err(finding) => panic!("{}", finding.report(60)),
        }
    }
    // A simulation in which nothing happens proves nothing.
    assert!(messages > 1000 && deliveries > 1000 && starts > 60, "{messages} {deliveries} {starts}");
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let plan = Plan { trace: true, ..Plan::of_seed(7) };
    assert_eq!(run(&plan).trace, run(&plan).trace);
}

use ferrymq_sim::fuzz::{TARGETS, Tried};

#[test]
fn mutated_input_is_read_or_refused_and_never_a_panic() {
    for (name, target) in TARGETS {
        let mut tried = Tried::default();
        for seed in 0..1500 {
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(seed, &mut tried)));
            assert!(run.is_ok(), "{name}: seed {seed} panics");
        }
        assert!(tried.accepted > 50, "{name}: only {} of {} inputs got through", tried.accepted, tried.inputs);
    }
}

//! Every crash point of a fixed trace: the power goes before and within each operation of the disk, and whatever a disk
//! may leave is recovered and judged.

use crate::disk::{Fault, Moment, SURVIVORS};
use crate::oracle::Violation;
use crate::world::{Plan, World};

/// Requests of the trace.
pub const TRACE_REQUESTS: u64 = 200;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Enumeration {
    /// Operations of the disk in the trace.
    pub operations: u64,
    /// Images recovered.
    pub images: u64,
    /// The first broken promises of each image that broke any, with its crash point.
    pub violations: Vec<(String, Violation)>,
}

/// Runs the trace of a seed to the end once, then once to every crash point.
#[must_use]
pub fn enumerate(seed: u64, requests: u64) -> Enumeration {
    let plan = Plan { restarts: false, disk_errors: false, ..Plan::of_seed(seed) };
    let mut whole = World::new(plan.clone());
    whole.live_requests(requests);
    let mut found = Enumeration { operations: whole.disk_operations(), images: 0, violations: Vec::new() };
    for operation in 1..=found.operations {
        for moment in [Moment::Before, Moment::During] {
            let mut world = World::new(plan.clone());
            world.plan_fault(operation, Fault::PowerCut(moment));
            world.live_requests(requests);
            for survivors in SURVIVORS {
                let mut fork = world.recovered(survivors);
                fork.drain();
                found.images += 1;
                let violation = fork.outcome().violations.into_iter().next();
                let at = || format!("seed {seed}, operation {operation}, {moment:?}, {survivors:?}");
                found.violations.extend(violation.map(|violation| (at(), violation)));
            }
        }
    }
    found
}

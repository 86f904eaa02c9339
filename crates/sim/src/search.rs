//! Looks for a seed that breaks a promise, and makes what it finds short.

use crate::world::{Outcome, Plan, run};

/// Runs of one shrinking at most: a failing seed is worth this much time and no more.
const RUNS_MAX: u32 = 120;

/// A broken promise with the shortest plan found that breaks the same one.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The plan.
    pub plan: Plan,
    /// What came of it, with the story.
    pub outcome: Outcome,
}

/// Runs a plan; if it breaks a promise, shrinks it.
///
/// # Errors
/// A promise was broken.
pub fn check(plan: &Plan) -> Result<Outcome, Box<Finding>> {
    let outcome = run(plan);
    if outcome.violations.is_empty() { Ok(outcome) } else { Err(Box::new(shrink(plan, &outcome))) }
}

/// Leaves out whatever the same broken promise does not need.
#[must_use]
pub fn shrink(plan: &Plan, outcome: &Outcome) -> Finding {
    let promise = outcome.violations[0].promise;
    let mut runs = 0;
    let mut best = plan.clone();
    let mut fails = |candidate: &Plan| {
        runs += 1;
        runs <= RUNS_MAX && run(candidate).violations.first().is_some_and(|first| first.promise == promise)
    };
    let mut changed = true;
    while changed {
        changed = false;
        for candidate in simpler(&best) {
            if fails(&candidate) {
                best = candidate;
                changed = true;
                break;
            }
        }
    }
    best.trace = true;
    let outcome = run(&best);
    Finding { plan: best, outcome }
}

/// Plans that are a little simpler, the boldest first.
fn simpler(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    for steps in [plan.steps / 2, plan.steps * 3 / 4, plan.steps * 9 / 10, plan.steps.saturating_sub(1)] {
        if steps < plan.steps {
            plans.push(Plan { steps, ..plan.clone() });
        }
    }
    if plan.disk_errors {
        plans.push(Plan { disk_errors: false, ..plan.clone() });
    }
    if plan.stomp {
        plans.push(Plan { stomp: false, ..plan.clone() });
    }
    if plan.short_reads {
        plans.push(Plan { short_reads: false, ..plan.clone() });
    }
    if plan.cuts {
        plans.push(Plan { cuts: false, ..plan.clone() });
    }
    if plan.restarts {
        plans.push(Plan { restarts: false, ..plan.clone() });
    }
    for at in 0..plan.cast.roles().len() {
        if plan.clients & (1 << at) != 0 {
            plans.push(Plan { clients: plan.clients & !(1 << at), ..plan.clone() });
        }
    }
    plans
}

impl Finding {
    /// The finding for a person: what broke, how to see it again, and the end of the story.
    #[must_use]
    pub fn report(&self, lines_max: usize) -> String {
        let mut text = format!("seed {} breaks promises; shortest plan found: {:?}\n", self.plan.seed, self.plan);
        for violation in &self.outcome.violations {
            text.push_str(&format!("  {violation}\n"));
        }
        let from = self.outcome.trace.len().saturating_sub(lines_max);
        for line in &self.outcome.trace[from..] {
            text.push_str(&format!("    {line}\n"));
        }
        text
    }
}

//! Rewrites what can be rewritten without thinking.

use crate::shell::{Outcome, cargo, run as start};

pub(crate) fn run() -> Outcome {
    start(cargo().args(["clippy", "--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"]))?;
    start(cargo().args(["fmt", "--all"]))
}

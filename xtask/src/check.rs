//! What must hold before anything is tested: formatting, lints, documentation, architecture. Changes nothing.

use crate::shell::{Outcome, cargo, run as start};
use crate::{licences, tidy};

pub(crate) fn run() -> Outcome {
    start(cargo().args(["fmt", "--all", "--check"]))?;
    start(cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))?;
    start(
        cargo()
            .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    tidy::run()?;
    licences::run()
}

//! to come
use crate::shell::Outcome;
#[derive(clap::Args)]
pub(crate) struct Options {}
pub(crate) fn run(_: &Options) -> Outcome {
    Err("to come".into())
}

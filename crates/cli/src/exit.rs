//! What the process says when it ends. `docs/running.md` lists the same numbers; a number never changes its meaning.

use std::process::ExitCode;

/// All went well.
pub(crate) const SUCCESS: ExitCode = ExitCode::SUCCESS;
/// Something failed that has no number of its own.
pub(crate) const FAILURE: u8 = 1;
/// The command line (clap answers with the same number) or the configuration is wrong.
pub(crate) const USAGE: u8 = 2;
/// The data directory cannot be used, or another broker has it.
pub(crate) const DATA: u8 = 3;
/// The journal is damaged.
pub(crate) const JOURNAL: u8 = 4;
/// An address cannot be listened on.
pub(crate) const LISTEN: u8 = 5;
/// The journal failed while the broker ran: nothing was confirmed since.
pub(crate) const STORE_FAILED: u8 = 6;

/// Says why on standard error and gives the number back.
pub(crate) fn failed(code: u8, why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("ferrymq: {why}");
    ExitCode::from(code)
}

//! `ferrymq transactions`: branches of distributed transactions that wait for their manager's decision, and a person's
//! decision in its place.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};

use crate::control::{Branch, Control, ControlArgs};
use crate::output::{self, Failure};

/// What to show, or what to decide.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    control: ControlArgs,
    /// Print as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    decision: Option<Decision>,
}

/// A decision in the transaction manager's place.
#[derive(Subcommand, Debug)]
enum Decision {
    /// Make a prepared branch happen, whatever the other resources do
    Commit {
        /// The branch, as the list shows it
        #[arg(value_name = "XID")]
        xid: String,
    },
    /// Undo a prepared branch, whatever the other resources do
    Rollback {
        /// The branch, as the list shows it
        #[arg(value_name = "XID")]
        xid: String,
    },
    /// Remember no longer what was decided here
    Forget {
        /// The branch, as the list shows it
        #[arg(value_name = "XID")]
        xid: String,
    },
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    output::finish(transactions(&arguments))
}

fn transactions(arguments: &Arguments) -> Result<(), Failure> {
    let mut control = Control::connect(&arguments.control)?;
    let (action, xid) = match &arguments.decision {
        None => {
            let branches = control.branches()?;
            if arguments.json {
                return output::json(&branches);
            }
            return output::raw(table(&branches, now_ms()).as_bytes());
        }
        Some(Decision::Commit { xid }) => ("commit", xid),
        Some(Decision::Rollback { xid }) => ("rollback", xid),
        Some(Decision::Forget { xid }) => ("forget", xid),
    };
    control.decide(xid, action)?;
    if arguments.json { output::json(&serde_json::json!({ "decided": xid, "action": action })) } else { Ok(()) }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn table(branches: &[Branch], now_ms: u64) -> String {
    let mut rows = vec![["branch", "state", "age", "sends", "settlements"].map(ToString::to_string).to_vec()];
    for branch in branches {
        let age = branch.prepared_at_ms.map_or_else(String::new, |at| age(now_ms.saturating_sub(at) / 1000));
        let numbers = [branch.sends, branch.settlements].map(output::grouped);
        let mut row = vec![branch.xid.clone(), branch.state.clone(), age];
        row.extend(numbers);
        rows.push(row);
    }
    output::table(&rows)
}

/// Seconds in the two largest units that matter.
fn age(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_has_one_line() {
        let text = r#"{"xid":"XID:[1,globalId=00,branchId=]","state":"prepared","prepared_at_ms":1000,"sends":2,"settlements":1}"#;
        let branch: Branch = serde_json::from_str(text).expect("a branch");
        let text = table(&[branch], 62_000);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("XID:[1,globalId=00,branchId=]  prepared  1 min 1 s"), "{text}");
    }

    #[test]
    fn an_age_is_told_in_two_units() {
        let ages = [0, 59, 61, 3600, 90_000].map(age);
        assert_eq!(ages, ["0 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
    }
}

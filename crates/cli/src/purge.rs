//! `ferrymq purge`: removes all messages of a queue.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::address::{Kind, Target};
use crate::control::{Control, ControlArgs};
use crate::output::{self, Failure};

/// What to purge.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    control: ControlArgs,
    /// Which queue: queue://NAME, /queue/NAME or NAME
    #[arg(value_name = "QUEUE")]
    queue: Target,
    /// Print the count as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Done {
    purged: u64,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    output::finish(purge(&arguments))
}

fn purge(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.queue.kind == Kind::Topic {
        return Err(Failure::Usage("a topic keeps no messages, only queues can be purged".to_string()));
    }
    let purged = Control::connect(&arguments.control)?.purge(&arguments.queue.name)?;
    if arguments.json {
        return output::json(&Done { purged });
    }
    let plural = if purged == 1 { "" } else { "s" };
    output::line(format_args!("purged {} message{plural} from {}", output::grouped(purged), arguments.queue.name))
}

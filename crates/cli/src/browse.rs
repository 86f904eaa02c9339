//! `ferrymq browse`: looks at the messages of a queue and leaves them there.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use ferrymq_stomp::codec::Command;
use ferrymq_stomp::peer;

use crate::address::{BrokerArgs, Kind, Target};
use crate::client::Client;
use crate::message::Shown;
use crate::output::{self, Failure};

/// How long the next message may take.
const WAIT: Duration = Duration::from_secs(10);
/// Characters of a body in the table.
const BODY_SHOWN: usize = 60;

/// What to look at.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Which queue: queue://NAME, /queue/NAME or NAME
    #[arg(value_name = "QUEUE")]
    queue: Target,
    /// Show at most so many messages
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
    /// Show only messages that match, such as "type = 'order'"
    #[arg(long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Print each message as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    output::finish(browse(&arguments))
}

fn browse(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.queue.kind == Kind::Topic {
        return Err(Failure::Usage("a topic keeps no messages, only queues can be browsed".to_string()));
    }
    let mut client = Client::connect(&arguments.broker, None)?;
    let version = client.version();
    peer::subscribe(client.out(), version, "browse", &arguments.queue.stomp(), "auto")
        .header("browser", "true")
        .optional("selector", arguments.selector.as_deref())
        .end();
    let heading = ["message-id", "priority", "timestamp", "persistent", "redelivered", "body"];
    let mut rows = vec![heading.map(str::to_string).to_vec()];
    let mut shown = 0;
    while shown < arguments.count {
        let Some(frame) = client.next(Some(Instant::now() + WAIT))? else {
            return Err(Failure::Failed("the broker does not end the list of messages".to_string()));
        };
        if frame.command != Command::Message {
            continue;
        }
        if frame.header("browser").is_some_and(|value| value == "end") {
            break;
        }
        shown += 1;
        let message = Shown::of(&frame);
        if arguments.json {
            output::json(&message)?;
        } else {
            let mut row: Vec<String> = heading[..5].iter().map(|name| message.header(name).to_string()).collect();
            row.push(message.summary(BODY_SHOWN));
            rows.push(row);
        }
    }
    if !arguments.json {
        output::raw(output::table(&rows).as_bytes())?;
    }
    client.finish()
}

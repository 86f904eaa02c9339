//! `ferrymq receive`: takes messages from a queue, or listens to a topic.
//!
//! ```text
//!   ferrymq receive queue://orders                       one message, at most 10 seconds
//!   ferrymq receive queue://orders --all --wait 1s       everything there is
//!   ferrymq receive topic://numbers --follow             until Ctrl-C
//! ```

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use ferrymq_stomp::codec::Command;
use ferrymq_stomp::peer::{self, ServerFrame};

use crate::address::{BrokerArgs, Kind, Target, duration};
use crate::client::Client;
use crate::message::Shown;
use crate::output::{self, Failure};

/// The name of the one subscription, unless it is durable.
const SUBSCRIPTION: &str = "receive";
/// Messages that the broker may send ahead of their acknowledgement.
const PREFETCH_MAX: u64 = 1000;

/// How messages are acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Acknowledge {
    /// The broker takes a message for consumed when it has sent it: faster, but messages that it sent ahead are lost
    Auto,
    /// Each message is acknowledged after it was printed
    Client,
}

/// What to receive.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Where from: queue://NAME, topic://NAME, /queue/NAME, or NAME for a queue; patterns with * and > are allowed
    #[arg(value_name = "DESTINATION")]
    destination: Target,
    /// Receive so many messages [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Receive until nothing more comes for the time of --wait
    #[arg(long, conflicts_with = "count")]
    all: bool,
    /// Receive until Ctrl-C
    #[arg(long, short, conflicts_with_all = ["all", "wait"])]
    follow: bool,
    /// How long to wait for each message; exit code 3 when it is over
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    wait: Duration,
    /// How messages are acknowledged
    #[arg(long, value_enum, default_value_t = Acknowledge::Client)]
    ack: Acknowledge,
    /// Receive only messages that match, such as "type = 'order' AND amount > 100"
    #[arg(long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Use the durable subscription of that name on a topic: it keeps messages while nobody receives
    #[arg(long, value_name = "NAME", requires = "client_id")]
    durable: Option<String>,
    /// The client to which durable subscriptions belong
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Remove the durable subscription at the end
    #[arg(long, requires = "durable")]
    unsubscribe: bool,
    /// Print the headers before each body
    #[arg(long)]
    headers: bool,
    /// Print each message as one line of JSON
    #[arg(long, conflicts_with = "headers")]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    output::finish(receive(&arguments))
}

fn receive(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.durable.is_some() && arguments.destination.kind == Kind::Queue {
        return Err(Failure::Usage("a durable subscription is one to a topic".to_string()));
    }
    let mut client = Client::connect(&arguments.broker, arguments.client_id.as_deref())?;
    let wanted = match (arguments.count, arguments.all || arguments.follow) {
        (Some(count), _) => count,
        (None, true) => u64::MAX,
        (None, false) => 1,
    };
    subscribe(arguments, &mut client, wanted);
    let mut received = 0;
    while received < wanted {
        let deadline = (!arguments.follow).then(|| Instant::now() + arguments.wait);
        let Some(frame) = next_message(&mut client, deadline)? else { break };
        show(arguments, &frame)?;
        received += 1;
        if arguments.ack == Acknowledge::Client {
            peer::ack(client.out(), &frame).end();
            client.flush_large()?;
        }
    }
    if let Some(name) = arguments.durable.as_deref().filter(|_| arguments.unsubscribe) {
        let version = client.version();
        // The subscription must be idle to be removed.
        peer::unsubscribe(client.out(), version, name).end();
        peer::unsubscribe(client.out(), version, name).header("activemq.subscriptionName", name).end();
    }
    client.finish()?;
    let plural = if received == 1 { "" } else { "s" };
    let wait = arguments.wait;
    match (received, arguments.all) {
        (0, _) => Err(Failure::NothingCame(format!("no message came within {wait:?}"))),
        (count, false) if count < wanted => {
            Err(Failure::NothingCame(format!("only {count} message{plural} came, and nothing more within {wait:?}")))
        }
        _ => Ok(()),
    }
}

fn subscribe(arguments: &Arguments, client: &mut Client, wanted: u64) {
    let ack = match arguments.ack {
        Acknowledge::Auto => "auto",
        Acknowledge::Client => "client-individual",
    };
    let version = client.version();
    let id = arguments.durable.as_deref().unwrap_or(SUBSCRIPTION);
    peer::subscribe(client.out(), version, id, &arguments.destination.stomp(), ack)
        .optional("selector", arguments.selector.as_deref())
        .optional("activemq.subscriptionName", arguments.durable.as_deref())
        .number("activemq.prefetchSize", wanted.min(PREFETCH_MAX))
        .end();
}

fn next_message(client: &mut Client, deadline: Option<Instant>) -> Result<Option<ServerFrame>, Failure> {
    loop {
        match client.next(deadline)? {
            Some(frame) if frame.command == Command::Message => return Ok(Some(frame)),
            Some(_) => {}
            None => return Ok(None),
        }
    }
}

fn show(arguments: &Arguments, frame: &ServerFrame) -> Result<(), Failure> {
    if arguments.json {
        return output::json(&Shown::of(frame));
    }
    let mut text = Vec::new();
    if arguments.headers {
        for (name, value) in &Shown::of(frame).headers {
            text.extend_from_slice(format!("{name}: {value}\n").as_bytes());
        }
        text.push(b'\n');
    }
    text.extend_from_slice(frame.body());
    text.push(b'\n');
    output::raw(&text)
}

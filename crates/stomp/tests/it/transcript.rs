//! Runs the transcripts. Lines of a transcript:
//!
//! ```text
//! # a comment; an empty line separates frames
//! = b              from here on connection b is meant (a at the start)
//! > SEND           a client's frame, line by line; the NUL is added. ␍ is a CR, ␀ a NUL
//! >> SEND\n\0      a client's raw bytes, with \n \r \0 \xNN \\
//! * Confirmed 0    an event of the broker
//! ~ written        everything in the outbox left
//! @ 500            so many milliseconds pass
//! ! Send …         what the session asks of the broker, or that it closes
//! < MESSAGE        a frame of the session, line by line; `< ⏎` is a heart-beat
//! ```
//!
//! What the session does must be exactly what stands behind each input. `UPDATE_TRANSCRIPTS=1` writes it there: to be
//! read by a person before it is committed.

use crate::render;
use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{
    Annotations, Closing, Destination, DestinationKind, Event, Message, MonoTime, Now, Outbox, Refusal, RefusalKind,
    Request, Session as _, SubscriptionId, Token, Value, WallTime,
};
use ferrymq_stomp::{Session, SessionOptions};
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Where every transcript's clocks start.
const START: Now = Now { wall: WallTime(1_700_000_000_000), mono: MonoTime(1000) };

struct Connection {
    session: Session,
    input: BytesMut,
    out: Outbox,
}

struct Runner {
    now: Now,
    connections: HashMap<String, Connection>,
    current: String,
    messages: Vec<Arc<Message>>,
    destinations: HashMap<String, Arc<Destination>>,
}

impl Runner {
    fn new() -> Self {
        let mut runner = Self {
            now: START,
            connections: HashMap::new(),
            current: String::new(),
            messages: Vec::new(),
            destinations: HashMap::new(),
        };
        runner.connect("a");
        runner
    }

    fn connect(&mut self, name: &str) {
        name.clone_into(&mut self.current);
        self.connections.entry(name.to_owned()).or_insert_with(|| Connection {
            session: Session::new(SessionOptions {
                server: Arc::from("FerryMQ/test"),
                ..SessionOptions::new(Arc::from(format!("ID:test-{name}")))
            }),
            input: BytesMut::new(),
            out: Outbox::default(),
        });
    }

    /// What one input leads to, as transcript lines.
    fn input(&mut self, block: &str) -> String {
        let mut requests = Vec::new();
        let now = self.now;
        let mut closing = Closing::No;
        if let Some(name) = block.strip_prefix("= ") {
            self.connect(name);
        } else if let Some(ms) = block.strip_prefix("@ ") {
            let ms: u64 = ms.parse().unwrap();
            self.now = Now { wall: WallTime(now.wall.0 + ms), mono: MonoTime(now.mono.0 + ms) };
            let now = self.now;
            let connection = self.connection();
            if connection.session.next_tick().is_some_and(|at| at <= now.mono) {
                closing = connection.session.tick(now, &mut requests, &mut connection.out);
            }
        } else if block == "~ written" {
            let connection = self.connection();
            connection.session.written(now, connection.out.put_total(), &mut requests);
        } else if let Some(event) = block.strip_prefix("* ") {
            let event = self.event(event);
            let connection = self.connection();
            closing = connection.session.handle(now, event, &mut requests, &mut connection.out);
        } else {
            let bytes = client_bytes(block);
            let connection = self.connection();
            connection.input.extend_from_slice(&bytes);
            closing = connection.session.receive(now, &mut connection.input, &mut requests, &mut connection.out);
        }
        self.show(&requests, &closing)
    }

    fn show(&mut self, requests: &[Request], closing: &Closing) -> String {
        let mut shown = String::new();
        for request in requests {
            if let Request::Send { message, .. } = request {
                self.messages.push(Arc::clone(message));
            }
            writeln!(shown, "! {}", render::request(request)).unwrap();
        }
        let out = &mut self.connection().out;
        let mut bytes = Vec::new();
        while !out.is_empty() {
            let front = out.front();
            bytes.extend_from_slice(front);
            let length = front.len();
            out.advance(length);
        }
        shown.push_str(&render::frames(&bytes));
        match closing {
            Closing::No => {}
            Closing::AfterFlush => shown.push_str("! closes in peace\n"),
            Closing::PeerError(text) => writeln!(shown, "! closes: {text}").unwrap(),
        }
        shown
    }

    fn connection(&mut self) -> &mut Connection {
        self.connections.get_mut(&self.current).unwrap()
    }

    fn event(&mut self, text: &str) -> Event {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let subscription = |text: &str| SubscriptionId(text.split(' ').next().unwrap().parse().unwrap());
        match kind {
            "Confirmed" => Event::Confirmed { token: Token(rest.parse().unwrap()) },
            "Refused" => {
                let (token, refusal) = rest.split_once(' ').unwrap();
                Event::Refused { token: token.parse().ok().map(Token), refusal: refusal_of(refusal) }
            }
            "SubscriptionEnded" => Event::SubscriptionEnded {
                subscription: subscription(rest),
                refusal: refusal_of(rest.split_once(' ').unwrap().1),
            },
            "BrowseEnd" => Event::BrowseEnd { subscription: subscription(rest) },
            "Pause" => Event::Pause,
            "Resume" => Event::Resume,
            "Deliver" => Event::Deliver(self.delivery(rest)),
            other => panic!("no event {other}"),
        }
    }

    /// `message=1 subscription=0 delivery=1 redeliveries=1 from=queue://b added=name:value original=queue://a due=`
    fn delivery(&mut self, text: &str) -> Delivery {
        let field = |name: &str| text.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let number = |name| field(name).map_or(0, |value| value.parse::<u64>().unwrap());
        let sent = self.messages.get(number("message") as usize - 1);
        let mut message = Arc::clone(sent.unwrap_or_else(|| panic!("no message was sent for {text}")));
        let changed = Arc::make_mut(&mut message);
        if let Some((name, value)) = field("added").and_then(|added| added.split_once(':')) {
            let annotations = changed.header.annotations.get_or_insert_default();
            annotations.added.push((Arc::from(name), Value::Text(Arc::from(value))));
        }
        if field("due").is_some() {
            changed.header.annotations.get_or_insert_default().schedule = None;
        }
        if let Some(original) = field("original") {
            let original = self.destination(original);
            let annotations: &mut Annotations = changed.header.annotations.get_or_insert_default();
            annotations.original_destination = Some(original);
        }
        Delivery {
            first_of_group: false,
            subscription: SubscriptionId(number("subscription") as u32),
            delivery: ferrymq_model::DeliveryId(number("delivery")),
            redeliveries: number("redeliveries") as u32,
            destination: field("from").map(|from| self.destination(from)),
            message,
        }
    }

    fn destination(&mut self, text: &str) -> Arc<Destination> {
        let (scheme, name) = text.split_once("://").unwrap();
        let kind = match scheme {
            "queue" => DestinationKind::Queue,
            "topic" => DestinationKind::Topic,
            "temp-queue" => DestinationKind::TemporaryQueue,
            "temp-topic" => DestinationKind::TemporaryTopic,
            other => panic!("no scheme {other}"),
        };
        let made = || Arc::new(Destination { kind, name: Arc::from(name) });
        Arc::clone(self.destinations.entry(text.to_owned()).or_insert_with(made))
    }
}

fn refusal_of(text: &str) -> Refusal {
    let (kind, text) = text.split_once(' ').unwrap();
    let kind = match kind {
        "InvalidDestination" => RefusalKind::InvalidDestination,
        "InvalidClientId" => RefusalKind::InvalidClientId,
        "InvalidSelector" => RefusalKind::InvalidSelector,
        "DurableInUse" => RefusalKind::DurableInUse,
        "Unknown" => RefusalKind::Unknown,
        "LimitReached" => RefusalKind::LimitReached,
        other => panic!("no refusal {other}"),
    };
    Refusal { kind, text: text.to_owned() }
}

/// The bytes of a `>` or `>>` block.
fn client_bytes(block: &str) -> Vec<u8> {
    if let Some(raw) = block.strip_prefix(">> ") {
        return render::unescape(raw);
    }
    let lines: Vec<&str> = block.lines().map(|line| line.strip_prefix("> ").unwrap_or("")).collect();
    let blank = lines.iter().position(|line| line.is_empty()).expect("a frame has a blank line");
    let text = format!("{}\n\n{}", lines[..blank].join("\n"), lines[blank + 1..].join("\n"));
    let text = text.replace('␍', "\r").replace('␀', "\0");
    [text.as_bytes(), b"\0"].concat()
}

/// The transcript with what really happens behind each input.
fn run(transcript: &str) -> String {
    let mut runner = Runner::new();
    let mut actual = String::new();
    let mut lines = transcript.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            writeln!(actual, "{line}").unwrap();
            continue;
        }
        if line.starts_with("! ") || line.starts_with('<') {
            // What is expected: made anew behind each input.
            continue;
        }
        let mut block = line.to_owned();
        while line.starts_with('>') && !line.starts_with(">> ") {
            let Some(next) = lines.next_if(|next| next.starts_with('>') && !next.starts_with(">> ")) else { break };
            block.push('\n');
            block.push_str(next);
        }
        writeln!(actual, "{block}").unwrap();
        actual.push_str(&runner.input(&block));
    }
    actual
}

#[test]
fn transcripts_happen_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 20, "only {} transcripts in {}", paths.len(), folder.display());
    let mut wrong = Vec::new();
    for path in paths {
        let expected = std::fs::read_to_string(&path).unwrap();
        println!("{}", path.display());
        let actual = run(&expected);
        if expected == actual {
            continue;
        }
        let differs = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
        let at = differs.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
        wrong.push(format!(
            "{}:{}\n  expected: {}\n  actual:   {}",
            path.file_name().unwrap().to_string_lossy(),
            at + 1,
            expected.lines().nth(at).unwrap_or("(end)"),
            actual.lines().nth(at).unwrap_or("(end)"),
        ));
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            std::fs::write(&path, actual).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

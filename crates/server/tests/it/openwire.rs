//! OpenWire on the port that detects.

use crate::client::Client;
use crate::{Directory, start};
use bytes::BytesMut;
use ferrymq_openwire::Command;
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::message_dispatch::MessageDispatch;
use ferrymq_openwire::peer::{self, AckType, Peer, PeerOptions};
use ferrymq_server::{Ended, Server};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

struct Java {
    peer: Peer,
    stream: TcpStream,
    input: BytesMut,
}

impl Java {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.addresses().auto.unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let peer = Peer::new(PeerOptions::new("ID:java-1-2-3:1"));
        let mut java = Self { peer, stream, input: BytesMut::new() };
        let mut out = BytesMut::new();
        java.peer.hello(&mut out).unwrap();
        java.stream.write_all(&out).unwrap();
        java.until(|command| matches!(command, Command::WireFormatInfo(_)));
        java.ask(|peer, out| peer.connect(Some("java"), out).unwrap());
        java.ask(|peer, out| peer.begin_session(1, out).unwrap());
        java.ask(|peer, out| peer.begin_producer(1, out).unwrap());
        java
    }

    fn next(&mut self) -> Command {
        loop {
            if let Some(command) = self.peer.next(&mut self.input).unwrap() {
                return command;
            }
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "the broker closed");
            self.input.extend_from_slice(&buffer[..read]);
        }
    }

    fn until(&mut self, is_it: impl Fn(&Command) -> bool) -> Command {
        loop {
            let command = self.next();
            assert!(!matches!(command, Command::ExceptionResponse(_) | Command::ConnectionError(_)), "{command:?}");
            if is_it(&command) {
                return command;
            }
        }
    }

    fn write(&mut self, act: impl FnOnce(&mut Peer, &mut BytesMut) -> i32) -> i32 {
        let mut out = BytesMut::new();
        let id = act(&mut self.peer, &mut out);
        self.stream.write_all(&out).unwrap();
        id
    }

    /// Sends a command and waits for its answer.
    fn ask(&mut self, act: impl FnOnce(&mut Peer, &mut BytesMut) -> i32) {
        let id = self.write(act);
        self.until(|command| matches!(command, Command::Response(response) if response.correlation_id == id));
    }

    fn consume(&mut self, queue: &str) {
        let info = ConsumerInfo { prefetch_size: 10, ..ConsumerInfo::default() };
        // A dispatch may overtake the answer.
        self.write(|peer, out| peer.begin_consumer(1, &peer::queue(queue), info, out).unwrap());
    }

    fn dispatch(&mut self) -> MessageDispatch {
        let command = self.until(|command| matches!(command, Command::MessageDispatch(_)));
        let Command::MessageDispatch(dispatch) = command else { unreachable!("just asked") };
        *dispatch
    }
}

#[test]
fn a_jms_message_survives_a_restart_and_a_stomp_client_gets_the_next_one() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut java = Java::connect(&server);
    java.ask(|peer, out| peer.send(1, &peer::queue("keep"), peer::text("first"), None, out).unwrap());
    java.ask(|peer, out| peer.send(1, &peer::queue("keep"), peer::text("second"), None, out).unwrap());
    assert_eq!(server.stop(), Ended::Stopped);

    let server = start(&directory);
    let mut java = Java::connect(&server);
    java.consume("keep");
    let (first, second) = (java.dispatch(), java.dispatch());
    let text = |dispatch: &MessageDispatch| peer::text_of(dispatch.message.as_ref().unwrap());
    assert_eq!((text(&first).as_deref(), text(&second).as_deref()), (Some("first"), Some("second")));
    java.write(|peer, out| peer.ack(AckType::Standard, (&first, &first, 1), None, out).unwrap());
    java.ask(|peer, out| {
        let consumer = peer.consumer_id(1);
        peer.remove(ferrymq_openwire::codec::ids::ObjectId::ConsumerId(consumer), -1, out).unwrap()
    });
    let mut stomp = Client::connect(&server);
    stomp.subscribe("/queue/keep", "auto");
    stomp.expect_message("second");
}

#[test]
fn a_large_message_goes_through_whole() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut java = Java::connect(&server);
    java.consume("large");
    let octets: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    java.write(|peer, out| peer.send(1, &peer::queue("large"), peer::octets(&octets), None, out).unwrap());
    let dispatch = java.dispatch();
    assert!(dispatch.message.unwrap().fields.body.content() == Some(&octets[..]));
}

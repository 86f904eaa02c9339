//! The client's side, against the codec as a broker uses it.

use bytes::BytesMut;
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::message_dispatch::MessageDispatch;
use ferrymq_openwire::codec::wire_format_info::{WireFormatInfo, WireFormatProperties};
use ferrymq_openwire::peer::{self, AckType, Peer, PeerOptions, TransactionStep};
use ferrymq_openwire::{CodecOptions, Command, Decoder, Detection, Encoder, is_openwire};

/// What a broker that can little answers.
fn agree(peer: &mut Peer, cache_size: i32) -> CodecOptions {
    let offer = WireFormatProperties {
        cache_enabled: Some(true),
        cache_size: Some(cache_size),
        tight_encoding_enabled: Some(false),
        ..WireFormatProperties::default()
    };
    let info = WireFormatInfo::new(11, &offer).unwrap();
    let mut input = BytesMut::new();
    Encoder::new(CodecOptions::before_negotiation(1 << 16)).encode(&info.clone().into(), &mut input).unwrap();
    let mut rest = input.split_off(7);
    assert_eq!(peer.next(&mut input), Ok(None), "half a frame");
    input.unsplit(std::mem::take(&mut rest));
    assert_eq!(peer.next(&mut input), Ok(Some(info.into())));
    peer.codec().clone()
}

#[test]
fn a_client_takes_the_least_of_both_and_is_understood() {
    let mut peer = Peer::new(PeerOptions::new("ID:c:1"));
    let mut out = BytesMut::new();
    peer.hello(&mut out).unwrap();
    assert_eq!(is_openwire(&out), Detection::Yes);
    let agreed = agree(&mut peer, 200);
    assert_eq!((agreed.version, agreed.tight, agreed.cache), (11, false, Some(200)));
    out.clear();
    let q = peer::queue("Q");
    assert_eq!(peer.connect(Some("me"), &mut out), Ok(1));
    assert_eq!(peer.begin_session(1, &mut out), Ok(2));
    assert_eq!(peer.begin_producer(1, &mut out), Ok(3));
    assert_eq!(
        peer.begin_consumer(1, &q, ConsumerInfo { prefetch_size: 5, ..ConsumerInfo::default() }, &mut out),
        Ok(4)
    );
    assert_eq!(peer.transaction(TransactionStep::Begin, 1, &mut out), Ok(5));
    assert_eq!(peer.send(1, &q, peer::text("größe \u{1F600}"), Some(1), &mut out), Ok(6));
    let mut decoder = Decoder::new(agreed);
    let mut seen = Vec::new();
    let mut sent = None;
    while let Some(command) = decoder.decode(&mut out).unwrap() {
        seen.push(match command {
            Command::ConnectionInfo(_) => "connection",
            Command::SessionInfo(_) => "session",
            Command::ProducerInfo(_) => "producer",
            Command::ConsumerInfo(_) => "consumer",
            Command::TransactionInfo(_) => "transaction",
            Command::Message(message) => {
                sent = Some(message);
                "message"
            }
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(seen, ["connection", "session", "producer", "consumer", "transaction", "message"]);
    let sent = sent.unwrap();
    assert_eq!(peer::text_of(&sent).as_deref(), Some("größe \u{1F600}"));
    assert_eq!(sent.fields.transaction_id, Some(peer.transaction_id(1)));
    // What comes back is acknowledged by its ids.
    let dispatch = MessageDispatch {
        consumer_id: Some(peer.consumer_id(1)),
        destination: Some(q),
        message: Some(sent.clone()),
        ..MessageDispatch::default()
    };
    assert_eq!(peer.ack(AckType::Standard, (&dispatch, &dispatch, 1), None, &mut out), Ok(7));
    let Ok(Some(Command::MessageAck(ack))) = decoder.decode(&mut out) else { panic!("an ack") };
    assert_eq!((ack.ack_type, ack.message_count, ack.response_required), (2, 1, false));
    assert_eq!(ack.last_message_id, sent.fields.message_id);
}

use super::*;
use ferrymq_openwire::codec::message_dispatch::MessageDispatch;
use ferrymq_openwire::codec::response::{ExceptionResponse, Response};

const IDENTITY: &str = "ID:bench-1:1";

fn target() -> Target {
    Target { kind: Kind::Queue, name: "q".to_string() }
}

fn decode(bytes: &[u8]) -> Command {
    Decoder::new(codec()).decode(&mut BytesMut::from(bytes)).expect("well formed").expect("whole")
}

fn template(persistent: bool, receipts: bool) -> Template {
    Template::new(IDENTITY, &Sending { destination: &target(), size: 20, persistent, receipts, run: 9 })
}

fn message(bytes: &[u8]) -> ferrymq_openwire::codec::message::Message {
    match decode(bytes) {
        Command::Message(message) => *message,
        other => panic!("not a message: {other:?}"),
    }
}

#[test]
fn a_template_gives_whole_frames_with_their_own_stamp_and_numbers() {
    let mut template = template(true, true);
    let mut out = Vec::new();
    template.append(&mut out, 5, 0);
    template.append(&mut out, 6, 1);
    let second = message(&out[template.len()..]);
    let fields = &second.fields;
    assert_eq!((fields.command_id, fields.response_required, fields.persistent), (101, true, true));
    assert_eq!(fields.destination, Some(peer::queue("q")));
    let id = fields.message_id.as_ref().expect("an id");
    assert_eq!((id.producer_sequence_id, id.broker_sequence_id), (2, 0));
    let content = fields.body.content().expect("a content");
    assert_eq!(content.len(), 20);
    assert_eq!((&content[..8], &content[8..16]), (&6u64.to_le_bytes()[..], &9u64.to_le_bytes()[..]));
}

fn dispatch() -> Vec<u8> {
    let mut out = Vec::new();
    template(false, false).append(&mut out, 7, 0);
    let mut message = message(&out);
    message.fields.original_destination = Some(peer::topic("t"));
    message.fields.correlation_id = Some("c".into());
    message.fields.reply_to = Some(peer::queue("r"));
    let dispatch = MessageDispatch {
        consumer_id: Some(peer_of(IDENTITY).consumer_id(FIRST)),
        destination: Some(peer::queue("q")),
        message: Some(Box::new(message)),
        ..MessageDispatch::default()
    };
    encode(&dispatch.into())
}

#[test]
fn a_dispatched_message_shows_its_body_and_what_it_is_acknowledged_by() {
    let frame = dispatch();
    for cut in 0..frame.len() {
        assert_eq!(scan(&frame[..cut]), Scanned::Incomplete, "{cut}");
    }
    let Scanned::Frame(Answer::Message { ack: Some(ack), body }, length) = scan(&frame) else { panic!("no message") };
    assert_eq!((length, &body[..8]), (frame.len(), &7u64.to_le_bytes()[..]));
    let (mut range, mut out) = (Range::new(IDENTITY, &target()), Vec::new());
    range.begin(ack);
    range.end(ack, 3, &mut out);
    let Command::MessageAck(said) = decode(&out) else { panic!("no acknowledgement") };
    assert_eq!((said.ack_type, said.message_count), (AckType::Standard as i8, 3));
    assert_eq!(said.first_message_id, said.last_message_id);
    assert_eq!(said.last_message_id.map(|id| id.producer_sequence_id), Some(1));
}

#[test]
fn a_response_is_a_receipt_and_an_exception_carries_its_words() {
    let response = encode(&Response { correlation_id: 107, ..Response::default() }.into());
    assert_eq!(scan(&response), Scanned::Frame(Answer::Receipt(7), response.len()));
    let early = encode(&Response { correlation_id: 3, ..Response::default() }.into());
    assert_eq!(scan(&early), Scanned::Frame(Answer::Other, early.len()));
    let exception = Throwable { class_name: Some("a.B".into()), message: Some("no".into()), ..Throwable::default() };
    let refusal = ExceptionResponse { exception: Some(Box::new(exception)), ..ExceptionResponse::default() };
    let refusal = encode(&refusal.into());
    assert_eq!(scan(&refusal), Scanned::Frame(Answer::Error("a.B: no".to_string()), refusal.len()));
}

#[test]
fn what_is_not_openwire_is_told_from_what_is_incomplete() {
    assert_eq!(scan(b""), Scanned::Incomplete);
    assert_eq!(scan(b"ERROR\nmessage:no\n\n\0"), Scanned::Nonsense);
    assert_eq!(scan(&[0, 0, 0, 0]), Scanned::Nonsense);
    let mut cut = dispatch();
    cut.truncate(40);
    cut[..4].copy_from_slice(&36u32.to_be_bytes());
    assert_eq!(scan(&cut), Scanned::Nonsense);
}

use super::*;
use crate::address::{Kind, Target};

fn template(kind: Kind, name: &str, size: usize, (persistent, receipts): (bool, bool), run: u64) -> Template {
    let destination = &Target { kind, name: name.to_string() };
    Template::new(&Sending { destination, size, persistent, receipts, run })
}

#[test]
fn a_template_gives_whole_frames_with_their_own_stamp_and_receipt() {
    let mut template = template(Kind::Queue, "q", 16, (true, true), 9);
    let mut out = Vec::new();
    template.append(&mut out, 5, 1);
    template.append(&mut out, 6, 1_234_567_890);
    let frame = template.len();
    assert_eq!(out.len(), 2 * frame);
    let head = "SEND\ndestination:/queue/q\ncontent-length:16\npersistent:true\nreceipt:";
    assert!(out.starts_with(format!("{head}0000000001\n\n").as_bytes()));
    assert!(out[frame..].starts_with(format!("{head}1234567890\n\n").as_bytes()));
    let body = &out[2 * frame - 17..];
    assert_eq!(body[..8], 6u64.to_le_bytes());
    assert_eq!(body[8..16], 9u64.to_le_bytes());
    assert_eq!(body[16], 0);
}

#[test]
fn a_template_without_receipt_asks_for_none() {
    let mut template = template(Kind::Topic, "t", 20, (false, false), 1);
    let mut out = Vec::new();
    template.append(&mut out, 1, 1);
    assert!(out.starts_with(b"SEND\ndestination:/topic/t\ncontent-length:20\n\n"));
}

#[test]
fn frames_are_found_at_every_cut() {
    let bytes =
        b"\nMESSAGE\r\nsubscription:0\r\nack:7\r\ncontent-length:3\r\n\r\na\0b\0\nRECEIPT\nreceipt-id:0000000012\n\n\0";
    let message_end = bytes.iter().rposition(|&b| b == b'b').expect("the body") + 2;
    for cut in 0..message_end {
        assert_eq!(scan(&bytes[..cut]), Scanned::Incomplete, "{cut}");
    }
    let message = Answer::Message { ack: Some(b"7"), body: b"a\0b" };
    assert_eq!(scan(bytes), Scanned::Frame(message, message_end));
    let rest = &bytes[message_end..];
    assert_eq!(scan(rest), Scanned::Frame(Answer::Receipt(12), rest.len()));
}

#[test]
fn a_body_without_length_ends_at_the_first_nul() {
    let bytes = b"MESSAGE\ndestination:/queue/q\n\nhello\0MESSAGE\n";
    assert_eq!(scan(bytes), Scanned::Frame(Answer::Message { ack: None, body: b"hello" }, 36));
}

#[test]
fn a_refusal_carries_the_brokers_words() {
    let named = b"ERROR\nmessage:no such thing\n\nat line 1\0";
    assert_eq!(scan(named), Scanned::Frame(Answer::Error("no such thing".to_string()), named.len()));
    let body = b"ERROR\n\nat line 1\nat line 2\0";
    assert_eq!(scan(body), Scanned::Frame(Answer::Error("at line 1".to_string()), body.len()));
}

#[test]
fn what_is_not_stomp_is_told_from_what_is_incomplete() {
    assert_eq!(scan(b""), Scanned::Incomplete);
    assert_eq!(scan(b"MESSAGE\ncontent-length:2\n\nabc"), Scanned::Nonsense);
    let endless = vec![b'x'; HEAD_BYTES_MAX + 1];
    assert_eq!(scan(&endless), Scanned::Nonsense);
    let huge = b"MESSAGE\ncontent-length:999999999999999999\n\nabc";
    assert_eq!(scan(huge), Scanned::Incomplete);
}

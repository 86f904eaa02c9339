//! STOMP 1.2 as a load generator needs it: frames are copied from a template, and what comes back is read in place.
//!
//! This is not a codec: it understands only what a broker answers to the generator itself. The codec is `ferrymq_stomp`.

use memchr::memchr_iter;

use super::wire::{Answer, Scanned, Sending, body};

/// Digits of a receipt number in the template.
const RECEIPT_DIGITS: usize = 10;
/// A header block longer than this is not an answer to the generator.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A SEND frame whose time stamp, run and receipt number are written over for each message.
pub(super) struct Template {
    frame: Vec<u8>,
    receipt_at: Option<usize>,
    body_at: usize,
}

impl Template {
    /// A frame with a body that begins with the time stamp and the run.
    pub(super) fn new(sending: &Sending<'_>) -> Template {
        let Sending { destination, size, persistent, receipts, run } = *sending;
        let mut head = format!("SEND\ndestination:{}\ncontent-length:{size}\n", destination.stomp());
        if persistent {
            head.push_str("persistent:true\n");
        }
        let receipt_at = receipts.then(|| {
            head.push_str("receipt:");
            head.len()
        });
        if receipts {
            head.push_str(&"0".repeat(RECEIPT_DIGITS));
            head.push('\n');
        }
        head.push('\n');
        let body_at = head.len();
        let mut frame = head.into_bytes();
        frame.extend(body(size, run));
        frame.push(0);
        Template { frame, receipt_at, body_at }
    }

    /// Bytes of one frame.
    pub(super) fn len(&self) -> usize {
        self.frame.len()
    }

    /// Appends one message.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, sent_at: u64, receipt: u64) {
        self.frame[self.body_at..self.body_at + 8].copy_from_slice(&sent_at.to_le_bytes());
        if let Some(at) = self.receipt_at {
            let mut rest = receipt;
            for digit in self.frame[at..at + RECEIPT_DIGITS].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        out.extend_from_slice(&self.frame);
    }
}

/// Reads the first frame of the bytes, if it is whole.
pub(super) fn scan(bytes: &[u8]) -> Scanned<'_> {
    let start = bytes.iter().position(|&byte| byte != b'\n' && byte != b'\r').unwrap_or(bytes.len());
    let frame = &bytes[start..];
    let Some(head) = scan_head(frame) else {
        return if frame.len() > HEAD_BYTES_MAX { Scanned::Nonsense } else { Scanned::Incomplete };
    };
    let body_length = match head.content_length {
        Some(length) => length,
        None => match memchr::memchr(0, &frame[head.length..]) {
            Some(length) => length,
            None => return Scanned::Incomplete,
        },
    };
    let Some(end) = head.length.checked_add(body_length).filter(|&end| end < usize::MAX) else {
        return Scanned::Nonsense;
    };
    match frame.get(end) {
        None => return Scanned::Incomplete,
        Some(0) => {}
        Some(_) => return Scanned::Nonsense,
    }
    let body = &frame[head.length..end];
    let answer = match head.command {
        b"MESSAGE" => Answer::Message { ack: head.ack, body },
        b"RECEIPT" => match head.receipt {
            Some(number) => Answer::Receipt(number),
            None => Answer::Other,
        },
        b"CONNECTED" => Answer::Connected,
        b"ERROR" => Answer::Error(error_text(&frame[..head.length], body)),
        _ => Answer::Other,
    };
    Scanned::Frame(answer, start + end + 1)
}

/// The headers that matter.
struct Head<'a> {
    command: &'a [u8],
    content_length: Option<usize>,
    receipt: Option<u64>,
    ack: Option<&'a [u8]>,
    /// Up to and with the empty line.
    length: usize,
}

/// Walks the lines once up to the empty one.
fn scan_head(frame: &[u8]) -> Option<Head<'_>> {
    let mut head = Head { command: &[], content_length: None, receipt: None, ack: None, length: 0 };
    let mut start = 0;
    for end in memchr_iter(b'\n', frame) {
        let mut line = &frame[start..end];
        if line.last() == Some(&b'\r') {
            line = &line[..line.len() - 1];
        }
        if start == 0 {
            head.command = line;
        } else {
            match line.first() {
                None => {
                    head.length = end + 1;
                    return Some(head);
                }
                Some(b'c') if head.content_length.is_none() => {
                    head.content_length =
                        line.strip_prefix(b"content-length:").and_then(number).and_then(|n| usize::try_from(n).ok());
                }
                Some(b'r') if head.receipt.is_none() => {
                    head.receipt = line.strip_prefix(b"receipt-id:").and_then(number);
                }
                Some(b'a') if head.ack.is_none() => head.ack = line.strip_prefix(b"ack:"),
                Some(_) => {}
            }
        }
        start = end + 1;
    }
    None
}

/// A decimal number of at most 18 digits.
fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0u64, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0')))
}

/// The `message` header of an ERROR frame, or the first line of its body.
fn error_text(head: &[u8], body: &[u8]) -> String {
    let named = head.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"message:"));
    let line = named.unwrap_or_else(|| body.split(|&byte| byte == b'\n').next().unwrap_or_default());
    String::from_utf8_lossy(line).trim().to_string()
}

#[cfg(test)]
mod tests;

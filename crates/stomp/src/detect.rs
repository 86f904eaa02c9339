//! Whether the first bytes of a connection are STOMP's, for one port with several protocols.

/// What the first bytes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detection {
    /// STOMP.
    Yes,
    /// Something else.
    No,
    /// Too few bytes to tell.
    NeedMore,
}

/// Line ends before the first frame that are still taken for STOMP: some clients send one to test the connection.
const LEADING_LINE_ENDS_MAX: usize = 64;

/// Whether a connection that starts with `first` speaks STOMP: `CONNECT` or `STOMP` at the start of a line.
#[must_use]
pub fn is_stomp(first: &[u8]) -> Detection {
    let at = first.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(first.len());
    if at > LEADING_LINE_ENDS_MAX {
        return Detection::No;
    }
    let line = &first[at..];
    for command in [&b"CONNECT"[..], b"STOMP"] {
        if line.len() <= command.len() {
            if command.starts_with(line) {
                return Detection::NeedMore;
            }
        } else if line.starts_with(command) {
            // AMQP, OpenWire and MQTT never look like this; HTTP's `CONNECT host` has a space.
            return match line[command.len()] {
                b'\n' | b'\r' => Detection::Yes,
                _ => Detection::No,
            };
        }
    }
    Detection::No
}

#[cfg(test)]
mod tests {
    use super::{Detection, is_stomp};

    #[test]
    fn first_bytes_tell_the_protocol() {
        assert_eq!(is_stomp(b"CONNECT\nlogin:"), Detection::Yes);
        assert_eq!(is_stomp(b"STOMP\r\n"), Detection::Yes);
        assert_eq!(is_stomp(b"\n\r\nCONNECT\n"), Detection::Yes);
        assert_eq!(is_stomp(b""), Detection::NeedMore);
        assert_eq!(is_stomp(b"\n"), Detection::NeedMore);
        assert_eq!(is_stomp(b"CON"), Detection::NeedMore);
        assert_eq!(is_stomp(b"STOMP"), Detection::NeedMore);
        assert_eq!(is_stomp(b"CONNECT example.org:80 HTTP/1.1\r\n"), Detection::No);
        assert_eq!(is_stomp(b"GET / HTTP/1.1\r\n"), Detection::No);
        assert_eq!(is_stomp(b"AMQP\x00\x01\x00\x00"), Detection::No);
        assert_eq!(is_stomp(b"\x10\x0e\x00\x04MQTT"), Detection::No);
        assert_eq!(is_stomp(b"SEND\n"), Detection::No);
        assert_eq!(is_stomp(&[b'\n'; 100]), Detection::No);
    }
}

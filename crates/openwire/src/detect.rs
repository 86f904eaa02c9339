//! Whether the first bytes of a connection are OpenWire's, for one port with several protocols.

/// What the first bytes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detection {
    /// OpenWire.
    Yes,
    /// Something else.
    No,
    /// Too few bytes to tell.
    NeedMore,
}

/// Type code of WireFormatInfo and OpenWire's magic: with them every connection starts.
const START: &[u8; 9] = b"\x01ActiveMQ";
/// Bytes of the size in front, where sizes are not switched off.
const SIZE_BYTES: usize = 4;

/// Whether a connection that starts with `first` speaks OpenWire: a WireFormatInfo, with or without a size in front.
#[must_use]
pub fn is_openwire(first: &[u8]) -> Detection {
    // The size of a WireFormatInfo is far below 16 MiB, so its first byte is 0 and never a type code.
    match first.first() {
        None => Detection::NeedMore,
        Some(1) => starts(first),
        Some(0) => starts(first.get(SIZE_BYTES..).unwrap_or_default()),
        Some(_) => Detection::No,
    }
}

fn starts(bytes: &[u8]) -> Detection {
    let shared = bytes.len().min(START.len());
    if bytes[..shared] != START[..shared] {
        Detection::No
    } else if shared < START.len() {
        Detection::NeedMore
    } else {
        Detection::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::{Detection, is_openwire};

    #[test]
    fn first_bytes_tell_the_protocol() {
        let frame = b"\x00\x00\x01\x4D\x01ActiveMQ\x00\x00\x00\x0C";
        for len in 0..frame.len() {
            let expected = if len < 13 { Detection::NeedMore } else { Detection::Yes };
            assert_eq!(is_openwire(&frame[..len]), expected, "{len}");
        }
        assert_eq!(is_openwire(b"\x01ActiveMQ\x00"), Detection::Yes);
        assert_eq!(is_openwire(b"\x01Active"), Detection::NeedMore);
        assert_eq!(is_openwire(b"\x01Actove"), Detection::No);
        assert_eq!(is_openwire(b"\x00\x00\x00\x04\x02"), Detection::No);
        assert_eq!(is_openwire(b"CONNECT\n"), Detection::No);
        assert_eq!(is_openwire(b"AMQP\x00\x01\x00\x00"), Detection::No);
        assert_eq!(is_openwire(b"\x10\x0e\x00\x04MQTT"), Detection::No);
        assert_eq!(is_openwire(b"\x16\x03\x01"), Detection::No);
    }
}

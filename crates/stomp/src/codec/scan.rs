//! Finding the ends of header lines eight bytes at a time.
//!
//! Header lines are short: the start-up of a vectorised search would cost more than the search. One pass finds line
//! end, NUL and colon and tells whether anything in the line needs a closer look.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// What a pass over a header line found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LineScan {
    /// The first colon.
    pub(super) colon: Option<usize>,
    /// The line feed or NUL that ends the line; `None`: not among these bytes.
    pub(super) end: Option<usize>,
    /// Perhaps a byte beyond ASCII or a backslash, in the line or shortly behind it.
    pub(super) is_odd: bool,
}

/// Marks the bytes of `word` that equal `byte` by their highest bit: the lowest mark is exact.
#[inline(always)]
fn marks(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * byte as u64);
    difference.wrapping_sub(ONES) & !difference & HIGHS
}

#[inline(always)]
fn lowest(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Scans from `from`. `colon` is what an earlier pass over the start of the same line found.
#[inline(always)]
pub(super) fn line(bytes: &[u8], from: usize, colon: Option<usize>) -> LineScan {
    let mut found = LineScan { colon, end: None, is_odd: false };
    let mut odd = 0;
    let mut at = from;
    while at < bytes.len() {
        let word = match bytes.get(at..at + 8) {
            Some(eight) => u64::from_le_bytes(eight.try_into().unwrap_or_default()),
            None => {
                // Padded with a byte that is nothing in particular.
                let mut padded = [b' '; 8];
                let rest = &bytes[at..];
                padded[..rest.len()].copy_from_slice(rest);
                u64::from_le_bytes(padded)
            }
        };
        odd |= (word & HIGHS) | marks(word, b'\\');
        let end = marks(word, b'\n') | marks(word, 0);
        if found.colon.is_none() {
            let colon = marks(word, b':');
            // Behind the line's end it is another line's.
            if colon != 0 && (end == 0 || lowest(colon) < lowest(end)) {
                found.colon = Some(at + lowest(colon));
            }
        }
        if end != 0 {
            found.end = Some(at + lowest(end));
            break;
        }
        at += 8;
    }
    found.is_odd = odd != 0;
    found
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn every_place_of_every_mark_is_found() {
        for length in 0..40 {
            for colon in 0..length {
                for end in [b'\n', 0] {
                    let mut bytes = vec![b'x'; length];
                    bytes[colon] = b':';
                    let scan = line(&bytes, 0, None);
                    assert_eq!((scan.colon, scan.end, scan.is_odd), (Some(colon), None, false));
                    bytes.push(end);
                    bytes.extend_from_slice(b"y:\n\0:zzzzzzzzz");
                    let scan = line(&bytes, 0, None);
                    assert_eq!((scan.colon, scan.end, scan.is_odd), (Some(colon), Some(length), false));
                    bytes[colon] = b'x';
                    assert_eq!(line(&bytes, 0, None).colon, None);
                    for odd in [b'\\', 0x80, 0xff] {
                        bytes[colon] = odd;
                        assert!(line(&bytes, 0, None).is_odd);
                    }
                }
            }
        }
    }

    #[test]
    fn neighbours_of_a_mark_are_not_taken_for_it() {
        // Bytes that differ from a mark in one bit, also right behind a mark, where the marks are not exact.
        let bytes = b"\x0b\x01\x08;[]\x3b\x5d:\x3b\n\x0b\x01\n";
        let scan = line(bytes, 0, None);
        assert_eq!((scan.colon, scan.end), (Some(8), Some(10)));
    }
}

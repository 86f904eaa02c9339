//! Distributed transactions: the name of a branch.

use std::fmt;

/// Bytes of each of the two parts of a name, as X/Open XA limits them.
pub const XID_PART_BYTES_MAX: usize = 64;

/// The branch of a distributed transaction, named by its transaction manager (X/Open XA, section 4.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Xid {
    /// Who made the name, and how the parts are to be read.
    pub format: i32,
    /// The same for all branches of a transaction; 1 to [`XID_PART_BYTES_MAX`] bytes.
    pub global: Box<[u8]>,
    /// Which branch; up to [`XID_PART_BYTES_MAX`] bytes.
    pub branch: Box<[u8]>,
}

impl Xid {
    /// Reads what `Display` writes; `None`: it is not that, or a part is too long.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix("XID:[")?.strip_suffix(']')?;
        let (format, rest) = inner.split_once(",globalId=")?;
        let (global, branch) = rest.split_once(",branchId=")?;
        let xid = Self { format: format.parse().ok()?, global: bytes(global)?, branch: bytes(branch)? };
        (!xid.global.is_empty()).then_some(xid)
    }
}

/// Bytes from their hexadecimal digits.
fn bytes(digits: &str) -> Option<Box<[u8]>> {
    let even = digits.len().is_multiple_of(2) && digits.len() <= 2 * XID_PART_BYTES_MAX;
    if !even || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

/// `XID:[<format>,globalId=<hexadecimal>,branchId=<hexadecimal>]`, as ActiveMQ writes it
/// (apache/activemq, `XATransactionId.java`).
impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "XID:[{},globalId=", self.format)?;
        for byte in &self.global {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(",branchId=")?;
        for byte in &self.branch {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (global, branch) in [(vec![0, 171, 255], vec![]), (vec![1; 64], vec![2; 64])] {
            let xid = Xid { format: -7, global: global.into(), branch: branch.into() };
            assert_eq!(Xid::parse(&xid.to_string()), Some(xid));
        }
        let long = format!("XID:[1,globalId={},branchId=]", "00".repeat(65));
        for text in
            ["", "XID:[1,globalId=,branchId=00]", "XID:[1,globalId=0,branchId=]", "XID:[1,globalId=é0,branchId=]"]
        {
            assert_eq!(Xid::parse(text), None, "{text}");
        }
        assert_eq!(Xid::parse(&long), None);
    }
}

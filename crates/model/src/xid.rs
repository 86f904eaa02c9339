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

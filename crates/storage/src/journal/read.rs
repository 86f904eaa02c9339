//! Reads a stored message back.

use super::Location;
use super::layout::{self, RECORD_HEADER, RecordHeader, RecordStart, SegmentStart};
use super::scan::{read_padded, read_start};
use crate::disk::{Disk, DiskError};
use crate::record::decode::{Decoder, Payload, Stored};
use crate::record::{KIND_COUNTED, KIND_HELD, KIND_STORE, KIND_STORE_SCHEDULED, Record};
use bytes::Bytes;
use ferrymq_model::{Dialects, Message};
use std::sync::Arc;

/// Reads a stored message back.
///
/// # Errors
/// The environment refused, or what is there is not the message that was written.
pub fn read_message(disk: &dyn Disk, at: Location, dialects: Dialects) -> Result<Arc<Message>, DiskError> {
    let damaged =
        |what: &str| DiskError::Failed(format!("no message at segment {} offset {}: {what}", at.segment, at.offset));
    let SegmentStart::Header(segment) = read_start(disk, at.segment)? else {
        return Err(damaged("the segment has no valid header"));
    };
    let offset = u64::from(at.offset);
    let mut head = [0; RECORD_HEADER];
    read_padded(disk, at.segment, offset, &mut head)?;
    let seed = layout::seed(&segment.store);
    let RecordStart::Header(header, crc) = RecordHeader::decode(&head, seed) else {
        return Err(damaged("there is no record"));
    };
    let is_message = matches!(header.kind, KIND_STORE | KIND_STORE_SCHEDULED | KIND_COUNTED | KIND_HELD);
    if !is_message || offset + header.extent() as u64 > u64::from(segment.size) {
        return Err(damaged("another kind of record is there"));
    }
    let mut payload = vec![0; header.len as usize];
    read_padded(disk, at.segment, offset + RECORD_HEADER as u64, &mut payload)?;
    if crc32c::crc32c_append(layout::header_crc(&head, seed), &payload) != crc {
        return Err(damaged("the record's checksum is wrong"));
    }
    match Decoder::new(dialects).decode(header.kind, &Payload::Owned(Bytes::from(payload))) {
        Ok(Stored::Record(Record::Store { message, .. }) | Stored::Counted(Record::Store { message, .. })) => {
            Ok(message)
        }
        Ok(Stored::Record(Record::Held { send, .. })) => Ok(send.message),
        Ok(_) => Err(damaged("another kind of record is there")),
        Err(error) => Err(damaged(&error.to_string())),
    }
}

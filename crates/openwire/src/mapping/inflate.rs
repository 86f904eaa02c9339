//! Compressed contents. Only a consumer that speaks another protocol makes them larger again.

use crate::limits::INFLATED_BYTES_MAX;
use bytes::Bytes;
use ferrymq_model::MalformedMessage;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

/// What Java's deflater made `octets` of.
pub(super) fn inflate(octets: &[u8]) -> Result<Bytes, MalformedMessage> {
    match decompress_to_vec_zlib_with_limit(octets, INFLATED_BYTES_MAX) {
        Ok(inflated) => Ok(inflated.into()),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => {
            Err(MalformedMessage(format!("the compressed body is larger than {INFLATED_BYTES_MAX} bytes")))
        }
        Err(error) => Err(MalformedMessage(format!("the compressed body cannot be inflated: {}", error.status as i8))),
    }
}

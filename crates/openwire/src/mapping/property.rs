//! One property for a selector, out of the marshalled map.

use crate::codec::properties::find_operand;
use crate::limits::MAP_LIMITS;
use ferrymq_model::selector::Operand;

/// The property `name`; `Null` where it is absent or the map cannot be read so far: a selector has no way to complain.
pub(super) fn find<'m>(properties: &'m [u8], name: &str) -> Operand<'m> {
    if properties.is_empty() {
        return Operand::Null;
    }
    find_operand(properties, name, MAP_LIMITS).unwrap_or(Operand::Null)
}

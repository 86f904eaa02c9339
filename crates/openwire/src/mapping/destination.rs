//! Destinations both ways.

use crate::codec::destination as wire;
use ferrymq_model::{Address, Destination, DestinationError, DestinationKind};

fn kind(kind: wire::DestinationKind) -> DestinationKind {
    match kind {
        wire::DestinationKind::Queue => DestinationKind::Queue,
        wire::DestinationKind::Topic => DestinationKind::Topic,
        wire::DestinationKind::TempQueue => DestinationKind::TemporaryQueue,
        wire::DestinationKind::TempTopic => DestinationKind::TemporaryTopic,
    }
}

/// Whether both are the same kind.
pub(super) fn is_kind(wire: wire::DestinationKind, of: DestinationKind) -> bool {
    kind(wire) == of
}

/// Where a producer sends or a consumer listens: `A,B,topic://C` are several places. Options behind a `?` are for clients,
/// which apply them before they send the name; here they are passed over.
///
/// # Errors
/// It names no place, or too many.
pub fn address(of: &wire::Destination) -> Result<Address, DestinationError> {
    Address::parse(&of.physical_name, kind(of.kind))
}

/// One place, such as `JMSReplyTo`: a comma is part of its name.
///
/// # Errors
/// The name is empty, too long or has control characters.
pub fn destination(of: &wire::Destination) -> Result<Destination, DestinationError> {
    Destination::new(kind(of.kind), &of.physical_name)
}

/// A place on the wire.
#[must_use]
pub fn wire_destination(of: &Destination) -> wire::Destination {
    let kind = match of.kind {
        DestinationKind::Queue => wire::DestinationKind::Queue,
        DestinationKind::Topic => wire::DestinationKind::Topic,
        DestinationKind::TemporaryQueue => wire::DestinationKind::TempQueue,
        DestinationKind::TemporaryTopic => wire::DestinationKind::TempTopic,
    };
    wire::Destination { kind, physical_name: of.name.clone() }
}

/// Several places on the wire: the kind of the first one, the others with their prefix where they are of another.
#[must_use]
pub fn wire_address(of: &Address) -> wire::Destination {
    match &of.leaves[..] {
        [leaf] => wire_destination(leaf),
        _ => wire_destination(&of.to_name()),
    }
}

//! From a disk to a node.

use crate::node::Node;
use ferrymq_broker::{Broker, Settings};
use ferrymq_model::{Dialects, Now};
use ferrymq_storage::Disk;
use ferrymq_storage::journal::{self, JournalOptions, RecoverError};

/// Reads the journal and rebuilds the broker. An empty disk gives an empty broker. Reads everything that is stored;
/// of what it reads it keeps the messages only within the memory limits of `settings`.
///
/// # Errors
/// The disk refused, or the journal is damaged in a way that is not an unfinished tail.
pub fn recover(
    disk: &mut dyn Disk,
    dialects: Dialects,
    options: JournalOptions,
    settings: Settings,
    now: Now,
) -> Result<Node, RecoverError> {
    let mut broker = Broker::new(settings);
    let journal =
        journal::recover(disk, dialects, options, &mut |record, at, released| broker.restore(record, at, released))?;
    broker.restored(now);
    Ok(Node::new(broker, journal))
}

//! From a disk to a node.

use crate::node::Node;
use ferrymq_broker::{Broker, Settings};
use ferrymq_model::{Dialects, Now};
use ferrymq_storage::Disk;

/// Reads the journal and rebuilds the broker.
///
/// # Errors
/// The disk refused, or the journal is damaged in a way that is not an unfinished tail.
pub fn recover(disk: &mut dyn Disk, dialects: Dialects, settings: Settings, now: Now) -> Result<Node, String> {
    let _ = (disk, dialects, now);
    Ok(Node::new(Broker::new(settings), todo!()))
}

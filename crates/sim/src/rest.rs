//! A node that says that it rests has to: its ticks do nothing, so that nobody misses those that are left out.

use ferrymq_model::Now;
use ferrymq_node::{Effects, Input, Node, Rest};

/// A step, and whether a tick did something although the node was at rest. `out` is empty before.
pub(crate) fn step_watched(node: &mut Node, now: Now, input: Input<'_>, out: &mut Effects) {
    let rest = node.rest();
    let may_be_left_out = match rest {
        Rest::No => false,
        Rest::Until(at) => at > now.wall,
        Rest::Endless => true,
    };
    let watched = may_be_left_out && matches!(input, Input::Tick);
    let before = (node.journal().last_lsn(), node.wants_flush());
    node.step(now, input, out);
    if watched {
        let after = (node.journal().last_lsn(), node.wants_flush());
        assert!(out.events.is_empty() && out.fetches.is_empty(), "a tick at rest ({rest:?}) told {:?}", out.events);
        assert_eq!((before, rest), (after, node.rest()), "a tick at rest changed the node");
    }
}

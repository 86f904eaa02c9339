//! Limits that hold everywhere, each with its reason. What a user may set is in the configuration instead.

/// A destination's name. Long enough for any hierarchy, short enough to copy. Bytes.
pub const DESTINATION_NAME_BYTES_MAX: usize = 1024;
/// Leaves of one composite address: bounds the fan-out that a single frame can ask for.
pub const COMPOSITE_LEAVES_MAX: usize = 64;
/// A selector's source. Bytes.
pub const SELECTOR_BYTES_MAX: usize = 8 * 1024;
/// Nesting of a selector: bounds the stack of parser and evaluator.
pub const SELECTOR_DEPTH_MAX: usize = 64;
/// Steps of one evaluation of a selector: a step is a node of its tree, or some characters that `LIKE` or a property's
/// search pass. A condition that needs more is unknown. About a millisecond.
pub const SELECTOR_STEPS_MAX: u32 = 1_000_000;
/// Steps of all selectors that one message is shown to, from which on each of them has [`SELECTOR_STEPS_LEAST`].
pub const SELECTOR_STEPS_SHARED_MAX: u64 = 10_000_000;
/// Steps that an evaluation has in any case: more than any selector needs that is not made to be slow.
pub const SELECTOR_STEPS_LEAST: u32 = 4000;
/// Values of one property by which a selector is found: one that lists more is evaluated for every message.
pub const SELECTOR_DEMANDED_VALUES_MAX: usize = 64;
/// Producers a session may name at a time: sessions of protocols without producers keep a cache this large.
pub const PRODUCERS_PER_SESSION_MAX: usize = 1024;
/// Subscriptions of one session.
pub const SUBSCRIPTIONS_PER_SESSION_MAX: usize = 10_000;
/// Open local transactions of one session.
pub const TRANSACTIONS_PER_SESSION_MAX: usize = 1000;
/// Bytes of messages that one open transaction may hold back.
pub const TRANSACTION_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Sends and settlements that one open transaction may hold back.
pub const TRANSACTION_OPERATIONS_MAX: usize = 1_000_000;
/// Branches of distributed transactions that are open or wait for a decision, of the whole broker.
pub const BRANCHES_MAX: usize = 65_536;
/// Temporary destinations of one session.
pub const TEMPORARIES_PER_SESSION_MAX: usize = 10_000;
/// One message with its headers, the most that any configuration may allow: a journal record's length. Bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// A body from this size on is written from where it lies instead of being copied. Bytes; measured in HOT-PATH.
pub const BODY_COPY_BYTES_MAX: usize = 16 * 1024;

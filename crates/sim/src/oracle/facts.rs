//! What the oracle knows of messages, stores and sessions.

use super::copies::{CopyId, OperationId};
use crate::content::{Properties, Wish};
use bytes::Bytes;
use ferrymq_model::request::GivesUp;
use ferrymq_model::{
    DeliveryId, Destination, DestinationKind, Group, Message, ProducerId, RefusalKind, SessionId, Settlement,
    SubscriptionId, Token, TransactionId, WallTime,
};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// What was promised. The numbers I1 to I12 are those of the invariants in `docs/internals/simulation.md`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Promise {
    /// I2: what was confirmed is there after every crash until it was settled.
    NothingLost,
    /// I2: a confirmation leaves only after its records are durable.
    ConfirmedWhenDurable,
    /// I5: what was settled does not come back.
    NothingReturns,
    /// I5: a message is with one consumer at a time.
    OneConsumer,
    /// I7: nothing of a transaction is seen before it is committed durably, or ever if it rolled back.
    NothingUncommitted,
    /// I7: a transaction, a move or a message with several places happens whole or not at all.
    WholeUnits,
    /// Nothing is delivered that nobody sent there.
    NoPhantom,
    /// A message arrives as it was sent.
    Content,
    /// I8: messages of one producer and priority are first delivered in the order in which they were sent.
    Order,
    /// I8: the redelivery count says how often the message was delivered before.
    Redelivered,
    /// A subscription gets only what its selector accepts.
    Selector,
    /// A subscription has at most its prefetch unsettled.
    Prefetch,
    /// Each confirmation comes once, in the order of the requests.
    Confirmations,
    /// I10: memory stays within its budget.
    Memory,
    /// After its time a message is not delivered.
    Expiry,
    /// A scheduled message does not come before its time, and each of its repeats comes once.
    Schedule,
    /// What is deleted is gone with all it held, and nothing is deleted that is in use.
    Deletion,
    /// A message that cannot be consumed goes to the dead-letter queue, once, with its cause.
    DeadLetter,
    /// Messages of one group go to one consumer until it leaves or the group is closed; the first of them says so.
    Group,
    /// Among the consumers of a queue only the exclusive one gets messages.
    Exclusive,
    /// Of what waits for a consumer the highest priority comes first.
    Priority,
    /// A browser sees each message that stays there, once.
    Browse,
    /// Subscriptions get deliveries only while they live, numbered without gap.
    Subscription,
    /// I11: a disk that only lost power is always recovered; an error of the disk is final.
    Recovery,
    /// What is valid is not refused.
    Accepted,
    /// What a client's bytes mean reaches it through its protocol.
    Protocol,
}

/// A broken promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// In which step it was seen.
    pub step: u64,
    /// What was seen, for a person.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {:?}: {}", self.step, self.promise, self.text)
    }
}

/// What became of a send that no copy tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It was sent.
    Sent,
    /// It waits for its transaction.
    Held,
    /// Its transaction rolled back, or never committed.
    RolledBack,
    /// It was refused.
    Refused,
}

/// A message as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) body: Bytes,
    pub(super) properties: Properties,
    pub(super) priority: u8,
    pub(super) persistent: bool,
    pub(super) group: Option<Group>,
    pub(super) expiration: Option<WallTime>,
    pub(super) fate: Fate,
    pub(super) sender: SessionId,
    /// How long after its send it may come at the earliest, in milliseconds.
    pub(super) delay_ms: Option<u64>,
    /// How often it comes again after that, and so many milliseconds later each time.
    pub(super) repeats: Option<(u64, u64)>,
    /// When it may come at the earliest.
    pub(super) due: Option<WallTime>,
}

impl Facts {
    pub(super) fn of(message: &Message, sender: SessionId, fate: Fate) -> Option<Self> {
        let body = body(message);
        let properties = Properties::of_body(&body)?;
        let schedule = message.annotations().and_then(|it| it.schedule.as_deref());
        Some(Self {
            body,
            properties,
            priority: message.header.priority,
            persistent: message.header.mode == ferrymq_model::DeliveryMode::Persistent,
            group: message.annotations().and_then(|it| it.group.clone()),
            expiration: message.header.expiration,
            fate,
            sender,
            delay_ms: schedule.map(super::series::first_ms),
            repeats: schedule.and_then(super::series::repeats),
            due: None,
        })
    }

    pub(super) fn is_expired(&self, now: WallTime) -> bool {
        self.expiration.is_some_and(|at| at <= now)
    }
}

/// The body of a message in any simulated dialect.
pub(super) fn body(message: &Message) -> Bytes {
    let at = usize::try_from(message.body_at).expect("a position in memory").min(message.bytes.len());
    message.bytes.slice(at..)
}

/// A place that keeps copies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum StoreKey {
    /// A queue, temporary or not.
    Queue(Arc<Destination>),
    /// A durable subscription: client id and name. One without a client id is shared.
    Durable(Arc<str>, Arc<str>),
    /// A shared subscription that is not durable: its name.
    Shared(Arc<str>),
    /// A subscription to topics that ends with its session.
    Topic(SessionId, SubscriptionId),
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(destination) => write!(f, "{destination}"),
            Self::Durable(client, name) => write!(f, "durable {client}:{name}"),
            Self::Shared(name) => write!(f, "shared {name}"),
            Self::Topic(session, subscription) => write!(f, "subscription {} of {session:?}", subscription.0),
        }
    }
}

/// Whether a store is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Existence {
    /// It is.
    Certain,
    /// A crash came before its creation or deletion was confirmed.
    Uncertain,
}

/// What the oracle knows of a store.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) existence: Existence,
    /// The operation that made it or is deleting it, while that is not durable.
    pub(super) pending: Option<OperationId>,
    /// It is being deleted: nothing is placed in it unless a crash undoes that.
    pub(super) deleting: bool,
    /// For subscriptions: what it listens to.
    pub(super) listens: Vec<Arc<Destination>>,
    pub(super) wish: Option<Wish>,
    /// Copies in the order of their arrival.
    pub(super) copies: Vec<CopyId>,
    /// Index after the highest copy that was delivered in an earlier incarnation.
    pub(super) delivered_before: usize,
}

impl Store {
    pub(super) fn new(existence: Existence) -> Self {
        Self {
            existence,
            pending: None,
            deleting: false,
            listens: Vec::new(),
            wish: None,
            copies: Vec::new(),
            delivered_before: 0,
        }
    }
}

/// A delivery that is not settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Held {
    pub(super) delivery: DeliveryId,
    pub(super) copy: CopyId,
    pub(super) redeliveries: u32,
    /// Who decides that it came back too often.
    pub(super) gives_up: GivesUp,
    /// An open transaction settles it.
    pub(super) transaction: Option<TransactionId>,
    /// `Settlement::Delivered` opened the window for it.
    pub(super) extends: bool,
}

/// What a subscription is to the oracle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Listening {
    Queues,
    Topic,
    Durable(StoreKey),
    /// With the copies that must be shown, and those that were.
    Browser {
        due: Vec<CopyId>,
        shown: Vec<CopyId>,
        ended: bool,
    },
}

/// A subscription.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) listening: Listening,
    pub(super) leaves: Vec<Arc<Destination>>,
    pub(super) wish: Option<Wish>,
    pub(super) prefetch: u32,
    /// What was pulled beyond it and did not come yet.
    pub(super) pulled: u32,
    pub(super) no_local: bool,
    /// Deliveries start only after this token.
    pub(super) awaits: Option<Token>,
    /// The step in which it was asked for.
    pub(super) asked_in: u64,
    pub(super) last_delivery: u64,
    pub(super) held: Vec<Held>,
    pub(super) gives_up: GivesUp,
    pub(super) exclusive: bool,
    pub(super) priority: i16,
}

impl Subscription {
    pub(super) fn is_durable(&self) -> bool {
        matches!(self.listening, Listening::Durable(_))
    }
}

/// A settlement that waits for its transaction.
#[derive(Clone, Debug)]
pub(super) struct HeldSettlement {
    pub(super) subscription: SubscriptionId,
    pub(super) held: Held,
    pub(super) settlement: Settlement,
}

/// A message that waits for its transaction.
#[derive(Clone, Debug)]
pub(super) struct HeldSend {
    pub(super) message: Arc<Message>,
    pub(super) leaves: Vec<Arc<Destination>>,
}

/// An open transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    pub(super) sends: Vec<HeldSend>,
    pub(super) settlements: Vec<HeldSettlement>,
}

/// What a confirmation or refusal will mean.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) token: Token,
    pub(super) what: Asked,
    /// Operations of the session up to and including this request.
    pub(super) operations: usize,
    /// Whether it must be refused.
    pub(super) answer: Due,
}

/// How a request must be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// It is done.
    Done,
    /// It is refused for this reason.
    Refused(RefusalKind),
    /// Nobody knows whether what it is about survived a crash.
    Either(RefusalKind),
}

/// What was asked, as far as an answer changes what the oracle knows.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Asked {
    Connect,
    Subscribe(SubscriptionId),
    Delete(OperationId),
    Send(Option<OperationId>),
    Other,
}

/// A session.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) client_id: Option<Arc<str>>,
    pub(super) producers: BTreeMap<ProducerId, Vec<Arc<Destination>>>,
    pub(super) subscriptions: BTreeMap<SubscriptionId, Subscription>,
    pub(super) transactions: BTreeMap<TransactionId, Transaction>,
    pub(super) waiting: VecDeque<Waiting>,
    /// Asked for facts or a purge: answered out of order. With what the purge does.
    pub(super) queries: Vec<(Token, Option<OperationId>)>,
    /// Every operation of the session in order; the first `durable` are durable.
    pub(super) operations: Vec<OperationId>,
    pub(super) durable: usize,
    pub(super) temporaries: Vec<Arc<Destination>>,
}

/// Whether a pattern names a place: `*` is one level, `>` at the end is the rest.
pub(super) fn listens_to(pattern: &Destination, leaf: &Destination) -> bool {
    if pattern.kind != leaf.kind {
        return false;
    }
    let (mut wanted, mut given) = (pattern.name.split('.'), leaf.name.split('.'));
    loop {
        match (wanted.next(), given.next()) {
            (Some(">"), _) => return true,
            (None, None) => return true,
            (Some(level), Some(there)) if level == "*" || level == there => {}
            (Some(_) | None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

/// Whether messages for this kind of place wait in a queue.
pub(super) fn is_queue(kind: DestinationKind) -> bool {
    match kind {
        DestinationKind::Queue | DestinationKind::TemporaryQueue => true,
        DestinationKind::Topic | DestinationKind::TemporaryTopic => false,
    }
}

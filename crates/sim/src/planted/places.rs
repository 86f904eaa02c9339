//! Bugs of places and turns: virtual topics, shared subscriptions, repeats, what is deleted, groups, exclusive consumers.

use super::{Bug, Planted};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{Address, Destination, DestinationKind, Event, Message, MessageId, Request, SessionId};
use std::sync::Arc;

const VIRTUAL_TOPIC: &str = "VirtualTopic.V";
const GROUP_A: &str = "Consumer.A.VirtualTopic.V";
const GROUP_B: &str = "Consumer.B.VirtualTopic.V";

fn queue(name: &str) -> Arc<Destination> {
    Arc::new(Destination { kind: DestinationKind::Queue, name: Arc::from(name) })
}

/// Changes how often a message comes.
fn repeat(message: &mut Arc<Message>, more: i32) {
    let Some(schedule) = message.annotations().and_then(|it| it.schedule.as_ref()).filter(|it| it.repeat > 0) else {
        return;
    };
    let mut schedule = schedule.clone();
    schedule.repeat += more;
    let mut changed = Message::clone(message);
    changed.header.annotations.get_or_insert_default().schedule = Some(schedule);
    *message = Arc::new(changed);
}

impl Planted {
    /// What the node hears instead of a request about places.
    pub(super) fn misplace(
        &mut self,
        session: SessionId,
        mut request: Request,
        early: &mut Vec<(SessionId, Event)>,
    ) -> Vec<Request> {
        let Some(bug) = self.bug else { return vec![request] };
        match (bug, &mut request) {
            (Bug::FeedsOneGroup, Request::AddProducer { address, .. }) if is_virtual(address) => {
                *address = Arc::new(Address { leaves: vec![queue(GROUP_A)] });
            }
            (Bug::FeedsGroupTwice, Request::Send { producer, message, transaction: None, .. })
                if &*message.header.destination.name == VIRTUAL_TOPIC && self.random.percent(10) =>
            {
                let (producer, message) = (*producer, message.clone());
                let again = Request::Send { producer, message, transaction: None, confirm: None };
                return vec![request, again];
            }
            (Bug::SharesWithAll, Request::Subscribe(subscribe)) if is_shared(&subscribe.mode) => {
                subscribe.mode = SubscribeMode::Consume;
            }
            (Bug::ForgetsShared, Request::Subscribe(subscribe)) => {
                if let SubscribeMode::SharedDurable(name) = &subscribe.mode {
                    subscribe.mode = SubscribeMode::Shared(name.clone());
                }
            }
            (Bug::SplitsGroups | Bug::KeepsGroups | Bug::IgnoresPriority, Request::Send { message, .. }) => {
                super::change(message, |message| level(bug, message));
            }
            (Bug::SharesExclusive, Request::Subscribe(subscribe)) => subscribe.exclusive = false,
            (Bug::RepeatsOnceMore, Request::Send { message, .. }) => repeat(message, 1),
            (Bug::RepeatsOnceLess, Request::Send { message, .. }) => repeat(message, -1),
            (Bug::KeepsDeleted, Request::DeleteDestination { confirm: Some(confirm), .. })
            | (Bug::KeepsTemporary, Request::DeleteTemporary { confirm: Some(confirm), .. }) => {
                return vec![Request::Confirm { confirm: *confirm }];
            }
            (Bug::KeepsPurged, Request::Purge { token, .. }) => {
                early.push((session, Event::Purged { token: *token, messages: 0 }));
                return Vec::new();
            }
            (Bug::ForgetsGroups, Request::Connect { .. }) if std::mem::take(&mut self.restarted) => {
                let delete = Request::DeleteDestination { destination: queue(GROUP_B), confirm: None };
                return vec![request, delete];
            }
            _ => {}
        }
        vec![request]
    }
}

/// An occurrence gets another id than it had.
pub(super) fn rename_occurrence(message: &mut Message) {
    if message.annotations().is_some_and(|it| it.correlation_id.is_some()) {
        let MessageId { producer, sequence } = &message.header.id;
        message.header.id = MessageId { producer: Arc::from(format!("{producer}:again")), sequence: *sequence };
    }
}

/// Takes what sets a message apart from others of its queue.
fn level(bug: Bug, message: &mut Message) {
    let group = message.header.annotations.as_mut().map(|it| &mut it.group);
    match (bug, group) {
        (Bug::SplitsGroups, Some(group)) => *group = None,
        (Bug::KeepsGroups, Some(Some(group))) => group.sequence = group.sequence.abs(),
        (Bug::IgnoresPriority, _) => message.header.priority = 4,
        _ => {}
    }
}

fn is_virtual(address: &Address) -> bool {
    address.leaves.iter().any(|leaf| &*leaf.name == VIRTUAL_TOPIC)
}

fn is_shared(mode: &SubscribeMode) -> bool {
    matches!(mode, SubscribeMode::Shared(_) | SubscribeMode::SharedDurable(_))
}

//! SEND.

use super::confirm::Purpose;
use super::producers::Producer;
use super::{Context, PeerError, State};
use crate::codec::{Frame, Known};
use crate::mapping::StompDialect;
use bytes::Buf;
use ferrymq_model::selector::Operand;
use ferrymq_model::{
    Address, Annotations, DeliveryMode, Destination, Group, Header, Message, MessageId, Request, Schedule, WallTime,
};
use std::sync::Arc;

/// `JMSPriority` of a message that names none.
const PRIORITY_USUAL: u8 = 4;

impl State {
    pub(super) fn send(&mut self, cx: &mut Context<'_>, frame: &mut Frame<'_>) -> Result<(), PeerError> {
        let transaction = self.transaction(frame)?;
        check_message_type(frame)?;
        let producer = self.producer(cx, frame)?;
        let header = self.message_header(cx, frame, producer.destination)?;
        let confirm = self.receipt(frame, Purpose::Send(producer.id))?;
        // The last look at the frame: its bytes become the message's, without the first lines if only the frame
        // needed them. Whoever delivers or stores the message need not pass over them.
        let mut bytes = std::mem::take(&mut frame.bytes);
        bytes.advance(frame.kept_from as usize);
        let message = Arc::new(Message {
            header,
            dialect: StompDialect::of(frame.version),
            bytes,
            body_at: frame.body_at - frame.kept_from,
        });
        cx.requests.push(Request::Send { producer: producer.id, message, transaction, confirm });
        Ok(())
    }

    #[inline]
    fn producer(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Producer, PeerError> {
        let raw = frame.raw(Known::Destination).ok_or_else(|| PeerError::missing(frame.command, Known::Destination))?;
        if let Some(producer) = self.producers.find(raw) {
            return Ok(producer.clone());
        }
        let leaves = self.resolve(&frame.get(Known::Destination).unwrap_or_default(), cx.requests)?;
        let destination = Arc::clone(&leaves[0]);
        let id = self.producers.add(raw, Arc::clone(&destination), cx.requests);
        cx.requests.push(Request::AddProducer {
            producer: id,
            name: None,
            skips_duplicates: false,
            address: Arc::new(Address { leaves }),
            confirm: None,
        });
        Ok(Producer { id, destination })
    }

    fn message_header(
        &mut self,
        cx: &mut Context<'_>,
        frame: &Frame<'_>,
        destination: Arc<Destination>,
    ) -> Result<Header, PeerError> {
        let priority = match number::<i32>(frame, Known::Priority)? {
            None => PRIORITY_USUAL,
            Some(priority) => priority.clamp(0, 9) as u8,
        };
        let timestamp = number::<u64>(frame, Known::Timestamp)?.map_or(cx.now.wall, WallTime);
        let expiration = number::<u64>(frame, Known::Expires)?.filter(|&at| at != 0).map(WallTime);
        let mode = match frame.raw(Known::Persistent) {
            Some(b"true") => DeliveryMode::Persistent,
            Some(_) | None => DeliveryMode::NonPersistent,
        };
        let annotations = self.annotations(cx, frame)?;
        self.sequence += 1;
        let id = MessageId { producer: Arc::clone(&self.options.session_name), sequence: self.sequence };
        Ok(Header { id, destination, mode, priority, timestamp, expiration, annotations })
    }

    #[inline]
    fn annotations(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Option<Box<Annotations>>, PeerError> {
        const RARE: [Known; 8] = [
            Known::CorrelationId,
            Known::ReplyTo,
            Known::Type,
            Known::GroupId,
            Known::ScheduledDelay,
            Known::ScheduledPeriod,
            Known::ScheduledCron,
            Known::DeliveryDelay,
        ];
        if !frame.known.has_any(&RARE) {
            return Ok(None);
        }
        let text = |header| frame.get(header).map(Arc::<str>::from);
        let group = match text(Known::GroupId) {
            None => None,
            Some(id) => Some(Group { id, sequence: number(frame, Known::GroupSequence)?.unwrap_or(0) }),
        };
        let reply_to = match frame.get(Known::ReplyTo) {
            None => None,
            Some(text) => self.reply_to(cx, &text)?,
        };
        Ok(Some(Box::new(Annotations {
            correlation_id: text(Known::CorrelationId),
            reply_to,
            kind: text(Known::Type),
            group,
            schedule: schedule(frame)?.map(Box::new),
            ..Annotations::default()
        })))
    }

    /// One place, or `None`: then the header is a property like any other, as in ActiveMQ.
    fn reply_to(&mut self, cx: &mut Context<'_>, text: &str) -> Result<Option<Destination>, PeerError> {
        if !matches!(crate::destination::parse(text).as_deref(), Ok([_])) {
            return Ok(None);
        }
        Ok(self.resolve(text, cx.requests)?.first().map(|real| Destination::clone(real)))
    }
}

/// When the message shall be delivered: by ActiveMQ's headers, or by the delay of Jakarta Messaging.
fn schedule(frame: &Frame<'_>) -> Result<Option<Schedule>, PeerError> {
    const SCHEDULED: [Known; 3] = [Known::ScheduledDelay, Known::ScheduledPeriod, Known::ScheduledCron];
    let delay = number::<u64>(frame, Known::DeliveryDelay)?.and_then(Schedule::delivery_delay);
    if !frame.known.has_any(&SCHEDULED) {
        return Ok(delay);
    }
    let property = |name: &'static str| frame.header(name).map_or(Operand::Null, Operand::Text);
    let schedule = Schedule::from_properties(property).map_err(|error| PeerError::new(error.to_string()))?;
    if schedule.is_some() && delay.is_some() {
        return Err(PeerError::new("a message has either a delivery-delay or a schedule"));
    }
    Ok(schedule.or(delay))
}

fn check_message_type(frame: &Frame<'_>) -> Result<(), PeerError> {
    match frame.raw(Known::MessageType) {
        None => Ok(()),
        Some(kind) if kind.eq_ignore_ascii_case(b"text") || kind.eq_ignore_ascii_case(b"bytes") => Ok(()),
        Some(_) => Err(PeerError::new("the header amq-msg-type is neither text nor bytes")),
    }
}

/// A header that is a number.
#[inline]
pub(super) fn number<N: std::str::FromStr>(frame: &Frame<'_>, header: Known) -> Result<Option<N>, PeerError> {
    let Some(raw) = frame.raw(header) else {
        return Ok(None);
    };
    let parsed = std::str::from_utf8(raw.trim_ascii()).ok().and_then(|text| text.parse().ok());
    match parsed {
        Some(number) => Ok(Some(number)),
        None => Err(PeerError::new(format!("the header {} is not a number in its range", header.name()))),
    }
}

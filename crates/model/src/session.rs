//! What a protocol is to the server: bytes in and out on one side, requests and events on the other.

use crate::event::Event;
use crate::outbox::Outbox;
use crate::request::Request;
use crate::time::{MonoTime, Now};
use bytes::BytesMut;

/// The broker's side of one connection in one protocol. A value: it waits for nothing.
pub trait Session: Send {
    /// Takes every complete frame out of `input` and turns it into `requests` and, where no broker is needed,
    /// straight into `out`. Leaves an incomplete frame in `input`; a frame that can never fit its limit is an error
    /// at once. Never allocates by a length that the peer only announced.
    fn receive(&mut self, now: Now, input: &mut BytesMut, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing;

    /// Turns an event into bytes (and, rarely, into requests: a refused producer is forgotten).
    fn handle(&mut self, now: Now, event: Event, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing;

    /// The peer will send nothing more but may still read. What it is owed so far goes out, then the session says
    /// that it ends. Without it the connection ends with what is in the outbox.
    fn input_ended(&mut self, _now: Now, _requests: &mut Vec<Request>, _out: &mut Outbox) -> Closing {
        Closing::AfterFlush
    }

    /// Says that `total` bytes of all ever put into the outbox have left. Deliveries that settle when written are
    /// settled here.
    fn written(&mut self, now: Now, total: u64, requests: &mut Vec<Request>);

    /// Time passes: heart-beats are written, a silent peer is given up.
    fn tick(&mut self, now: Now, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing;

    /// When `tick` wants to be called next; `None`: not at all.
    fn next_tick(&self) -> Option<MonoTime>;
}

/// Whether the connection goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Closing {
    /// It goes on.
    No,
    /// It ends in peace once the outbox is written.
    AfterFlush,
    /// The peer broke the protocol: written to the log as a peer's error; ends once the outbox is written, or soon.
    PeerError(String),
}

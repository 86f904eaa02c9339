//! The first bytes of a connection choose its protocol.

use crate::Config;
use ferrymq_model::{Dialects, Session};
use ferrymq_stomp::{Detection, HeartBeatOptions, SessionOptions, is_stomp};
use std::sync::Arc;

/// Every form in which a message may arrive, and so may lie in the journal.
pub(crate) const DIALECTS: Dialects = Dialects(ferrymq_stomp::DIALECTS);

/// The protocols that are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// STOMP 1.0, 1.1, 1.2.
    Stomp,
}

/// What the first bytes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detected {
    /// This one.
    Protocol(Protocol),
    /// Too few to tell.
    NeedMore,
    /// None that is served.
    Unknown,
}

/// Asks every protocol. None of them looks further than a few bytes, so that `NeedMore` ends soon.
pub(crate) fn detect(first: &[u8]) -> Detected {
    match is_stomp(first) {
        Detection::Yes => Detected::Protocol(Protocol::Stomp),
        Detection::NeedMore => Detected::NeedMore,
        Detection::No => Detected::Unknown,
    }
}

/// What every STOMP session is made with, except its name.
#[derive(Clone, Debug)]
pub(crate) struct StompOptions {
    template: SessionOptions,
    /// The beginning of every session's name, unique to this run of this broker.
    run_name: String,
}

impl StompOptions {
    /// `run` is unique over all brokers and restarts.
    pub(crate) fn new(config: &Config, run: u64) -> Self {
        let mut template = SessionOptions::new(Arc::from(""));
        template.limits.body_bytes_max = config.stomp.body_max.bytes();
        template.limits.header_line_bytes_max = config.stomp.header_line_max.bytes();
        template.limits.headers_max = config.stomp.headers_max as usize;
        template.login_timeout_ms = config.connections.login_timeout.0;
        let interval_ms_min = u32::try_from(config.stomp.heart_beat_min.0).unwrap_or(u32::MAX);
        template.heart_beat = HeartBeatOptions { interval_ms_min, ..HeartBeatOptions::default() };
        Self { template, run_name: format!("ID:{}-{run:x}", config.broker.name) }
    }

    fn session_options(&self, number: u64) -> SessionOptions {
        let session_name = Arc::from(format!("{}-{number}", self.run_name));
        SessionOptions { session_name, ..self.template.clone() }
    }
}

/// A session for a connection; `number` is the connection's, since the start.
pub(crate) fn session(protocol: Protocol, stomp: &StompOptions, number: u64) -> Box<dyn Session> {
    match protocol {
        Protocol::Stomp => Box::new(ferrymq_stomp::Session::new(stomp.session_options(number))),
    }
}

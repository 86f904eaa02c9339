//! The first bytes of a connection choose its protocol.

use crate::Config;
use ferrymq_model::{Dialect, Dialects, Session};
use ferrymq_stomp::{HeartBeatOptions, is_stomp};
use std::net::SocketAddr;
use std::sync::Arc;

/// Every form in which a message may arrive, and so may lie in the journal.
pub const DIALECTS: Dialects = Dialects(&DIALECT_LIST);
static DIALECT_LIST: [&dyn Dialect; STOMP_DIALECTS + OPENWIRE_DIALECTS] = {
    let mut all: [&dyn Dialect; STOMP_DIALECTS + OPENWIRE_DIALECTS] = [ferrymq_stomp::DIALECTS[0]; _];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < STOMP_DIALECTS {
            ferrymq_stomp::DIALECTS[at]
        } else {
            ferrymq_openwire::DIALECTS[at - STOMP_DIALECTS]
        };
        at += 1;
    }
    all
};
const STOMP_DIALECTS: usize = ferrymq_stomp::DIALECTS.len();
const OPENWIRE_DIALECTS: usize = ferrymq_openwire::DIALECTS.len();

/// The protocols that are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// STOMP 1.0, 1.1, 1.2.
    Stomp,
    /// OpenWire 1 to 12.
    OpenWire,
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
    use ferrymq_openwire::Detection as OpenWire;
    use ferrymq_stomp::Detection as Stomp;
    match (is_stomp(first), ferrymq_openwire::is_openwire(first)) {
        (Stomp::Yes, _) => Detected::Protocol(Protocol::Stomp),
        (_, OpenWire::Yes) => Detected::Protocol(Protocol::OpenWire),
        (Stomp::NeedMore, _) | (_, OpenWire::NeedMore) => Detected::NeedMore,
        (Stomp::No, OpenWire::No) => Detected::Unknown,
    }
}

/// What every session is made with, except its name and where its peer is.
#[derive(Clone, Debug)]
pub(crate) struct SessionTemplates {
    stomp: ferrymq_stomp::SessionOptions,
    openwire: ferrymq_openwire::SessionOptions,
    /// The beginning of every session's name, unique to this run of this broker.
    run_name: String,
}

impl SessionTemplates {
    /// `run` is unique over all brokers and restarts; `detecting` is where OpenWire is spoken.
    pub(crate) fn new(config: &Config, run: u64, detecting: Option<SocketAddr>) -> Self {
        let run_name = format!("ID:{}-{run:x}", config.broker.name);
        let openwire = openwire_template(config, &run_name, detecting);
        Self { stomp: stomp_template(config), openwire, run_name }
    }
}

fn stomp_template(config: &Config) -> ferrymq_stomp::SessionOptions {
    let mut template = ferrymq_stomp::SessionOptions::new(Arc::from(""));
    template.limits.body_bytes_max = config.stomp.body_max.bytes();
    template.limits.header_line_bytes_max = config.stomp.header_line_max.bytes();
    template.limits.headers_max = config.stomp.headers_max as usize;
    template.login_timeout_ms = config.connections.login_timeout.0;
    let interval_ms_min = u32::try_from(config.stomp.heart_beat_min.0).unwrap_or(u32::MAX);
    template.heart_beat = HeartBeatOptions { interval_ms_min, ..HeartBeatOptions::default() };
    template
}

fn openwire_template(
    config: &Config,
    run_name: &str,
    detecting: Option<SocketAddr>,
) -> ferrymq_openwire::SessionOptions {
    let mut template = ferrymq_openwire::SessionOptions::new(Arc::from(""));
    template.broker_name = Arc::from(config.broker.name.as_str());
    template.broker_id = Arc::from(run_name);
    if let Some(at) = detecting {
        template.broker_url = Arc::from(format!("tcp://{at}"));
    }
    template.max_frame = config.openwire.max_frame.bytes();
    template.max_inactivity_ms = config.openwire.inactivity.0;
    template.max_inactivity_initial_delay_ms = config.openwire.inactivity_initial_delay.0;
    let brokers = &config.openwire.connected_brokers;
    template.connected_brokers = (!brokers.is_empty()).then(|| brokers.join(",").into());
    template.negotiation_timeout_ms = config.connections.login_timeout.0;
    template.login_timeout_ms = config.connections.login_timeout.0;
    template
}

/// A session for a connection from `peer`; `number` is the connection's, since the start.
pub(crate) fn session(
    protocol: Protocol,
    templates: &SessionTemplates,
    number: u64,
    peer: SocketAddr,
) -> Box<dyn Session> {
    let session_name = Arc::from(format!("{}-{number}", templates.run_name));
    match protocol {
        Protocol::Stomp => {
            let options = ferrymq_stomp::SessionOptions { session_name, ..templates.stomp.clone() };
            Box::new(ferrymq_stomp::Session::new(options))
        }
        Protocol::OpenWire => {
            let peer = Some(Arc::from(format!("tcp://{peer}")));
            let options = ferrymq_openwire::SessionOptions { session_name, peer, ..templates.openwire.clone() };
            Box::new(ferrymq_openwire::Session::new(options))
        }
    }
}

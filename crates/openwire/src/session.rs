//! The broker's side of one connection.

mod inactivity;
mod negotiate;
mod options;

use crate::codec::broker_info::BrokerInfo;
use crate::codec::ids::BrokerId;
use crate::codec::{CodecOptions, Command, Decoder, Encoder};
use crate::limits::WIRE_FORMAT_INFO_BYTES_MAX;
use bytes::BytesMut;
use ferrymq_model::{Closing, Event, MonoTime, Now, Outbox, Request};
use inactivity::Inactivity;
pub use options::{SessionLimits, SessionOptions};

/// An OpenWire connection.
#[derive(Debug)]
pub struct Session {
    options: SessionOptions,
    decoder: Decoder,
    encoder: Encoder,
    inactivity: Inactivity,
    agreed: bool,
    scratch: BytesMut,
}

impl Session {
    /// A connection on which nothing was read yet.
    #[must_use]
    pub fn new(options: SessionOptions) -> Self {
        let codec = CodecOptions::before_negotiation(WIRE_FORMAT_INFO_BYTES_MAX);
        Self {
            options,
            decoder: Decoder::new(codec.clone()),
            encoder: Encoder::new(codec),
            inactivity: Inactivity::default(),
            agreed: false,
            scratch: BytesMut::new(),
        }
    }

    fn put(&mut self, command: &Command, out: &mut Outbox) {
        self.scratch.clear();
        if self.encoder.encode(command, &mut self.scratch).is_ok() {
            out.put(&self.scratch);
        }
    }

    fn start(&mut self, now: Now, out: &mut Outbox) {
        if self.inactivity.start(now.mono)
            && let Ok(info) = negotiate::offer(&self.options)
        {
            self.put(&info.into(), out);
        }
    }
}

impl ferrymq_model::Session for Session {
    fn receive(&mut self, now: Now, input: &mut BytesMut, _: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        self.start(now, out);
        loop {
            let command = match self.decoder.decode(input) {
                Ok(Some(command)) => command,
                Ok(None) => return Closing::No,
                Err(error) => return Closing::PeerError(error.to_string()),
            };
            match command {
                Command::WireFormatInfo(info) if !self.agreed => {
                    match negotiate::agree(&self.options, &info) {
                        Ok(agreed) => {
                            self.agreed = true;
                            self.decoder = Decoder::new(agreed.codec.clone());
                            self.encoder = Encoder::new(agreed.codec);
                            self.inactivity.agree(now.mono, agreed.max_inactivity_ms, agreed.initial_delay_ms);
                        }
                        Err(text) => return Closing::PeerError(text),
                    }
                    let info = BrokerInfo {
                        broker_id: Some(BrokerId { value: self.options.broker_id.clone() }),
                        broker_name: Some(self.options.broker_name.clone()),
                        broker_url: Some(self.options.broker_url.clone()),
                        ..BrokerInfo::default()
                    };
                    self.put(&info.into(), out);
                }
                Command::KeepAliveInfo(_) if self.agreed => {}
                _ => return Closing::PeerError("not served yet".to_owned()),
            }
        }
    }

    fn handle(&mut self, _: Now, _: Event, _: &mut Vec<Request>, _: &mut Outbox) -> Closing {
        Closing::No
    }

    fn written(&mut self, _: Now, _: u64, _: &mut Vec<Request>) {}

    fn tick(&mut self, now: Now, _: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        self.start(now, out);
        Closing::No
    }

    fn next_tick(&self) -> Option<MonoTime> {
        if self.inactivity.is_started() { self.inactivity.next_tick() } else { Some(MonoTime(0)) }
    }
}

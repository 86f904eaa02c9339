//! CONNECT and STOMP, CONNECTED, DISCONNECT.

use super::confirm::Purpose;
use super::{Context, PeerError, Phase, State};
use crate::codec::{Frame, FrameBuilder, Known, Version};
use crate::mapping::Encoder;
use ferrymq_model::{Closing, Request};
use std::sync::Arc;

/// What CONNECTED repeats of CONNECT.
#[derive(Debug, Default)]
pub(super) struct Connecting {
    client_id: Option<Arc<str>>,
    request_id: Option<String>,
    receipt: Option<String>,
}

impl State {
    pub(super) fn connect(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Closing, PeerError> {
        let Some(version) = negotiate(frame.get(Known::AcceptVersion).as_deref()) else {
            return Ok(self.refuse_version(cx, frame));
        };
        self.heart_beat.negotiate(frame.get(Known::HeartBeat).as_deref())?;
        self.version = version;
        self.encoder = Encoder::new(version);
        self.phase = Phase::Connecting;
        let text = |header| frame.get(header).filter(|text| !text.is_empty());
        let client_id: Option<Arc<str>> = text(Known::ClientId).map(Arc::from);
        self.has_client_id = client_id.is_some();
        self.connecting = Connecting {
            client_id: client_id.clone(),
            request_id: text(Known::RequestId).map(String::from),
            receipt: text(Known::Receipt).map(String::from),
        };
        let confirm = self.confirmation(frame, Purpose::Connect)?;
        let name = Some(Arc::clone(&self.options.session_name));
        let user = text(Known::Login).map(Arc::from);
        cx.requests.push(Request::Connect { name, client_id, user, peer: None, confirm });
        Ok(Closing::No)
    }

    /// STOMP 1.2, "Protocol Negotiation": ERROR with the versions that are spoken, then the end.
    fn refuse_version(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Closing {
        let text = "supported protocol versions are 1.0, 1.1 and 1.2";
        self.scratch.clear();
        FrameBuilder::new(&mut self.scratch, Version::V1_0, "ERROR")
            .header("version", "1.0,1.1,1.2")
            .header("message", text)
            .header("content-type", "text/plain")
            .optional("receipt-id", frame.get(Known::Receipt).as_deref())
            .body(text.as_bytes());
        cx.out.put(&self.scratch);
        self.phase = Phase::Closed;
        Closing::PeerError(text.to_owned())
    }

    pub(super) fn connected(&mut self, cx: &mut Context<'_>) {
        if self.phase != Phase::Connecting {
            return;
        }
        self.phase = Phase::Open;
        self.heart_beat.open(cx.now.mono);
        let connecting = std::mem::take(&mut self.connecting);
        let session = connecting.client_id.as_ref().unwrap_or(&self.options.session_name);
        let (sends, wants) = self.heart_beat.negotiated();
        self.scratch.clear();
        FrameBuilder::new(&mut self.scratch, self.version, "CONNECTED")
            .header("version", self.version.as_str())
            .header("server", &self.options.server)
            .header("session", session)
            .header("heart-beat", &format!("{sends},{wants}"))
            .optional("response-id", connecting.request_id.as_deref())
            .optional("receipt-id", connecting.receipt.as_deref())
            .end();
        cx.out.put(&self.scratch);
    }

    pub(super) fn disconnect(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Closing, PeerError> {
        match self.receipt(frame, Purpose::Disconnect)? {
            Some(confirm) => {
                self.phase = Phase::Ending;
                cx.requests.push(Request::Confirm { confirm });
                Ok(Closing::No)
            }
            None => {
                self.phase = Phase::Closed;
                Ok(Closing::AfterFlush)
            }
        }
    }

    /// Nothing more comes. What was asked is answered as if by a DISCONNECT, except that deliveries go on until then.
    pub(super) fn input_ended(&mut self, cx: &mut Context<'_>) -> Closing {
        match self.phase {
            Phase::Fresh | Phase::Closed => Closing::AfterFlush,
            // Its DISCONNECT is about to be answered.
            Phase::Ending => Closing::No,
            Phase::Connecting | Phase::Open => match self.confirmations.expect(None, Purpose::Disconnect) {
                Ok(confirm) => {
                    cx.requests.push(Request::Confirm { confirm });
                    Closing::No
                }
                Err(error) => self.fail(cx, &error.text, None),
            },
        }
    }
}

/// The highest version that both speak. A client that names none speaks 1.0.
fn negotiate(accept_version: Option<&str>) -> Option<Version> {
    match accept_version {
        None => Some(Version::V1_0),
        Some(list) => list.split(',').filter_map(|name| Version::parse(name.trim())).max(),
    }
}

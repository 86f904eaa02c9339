//! The clients that speak STOMP, in their world.

use super::World;
use crate::oracle::Promise;
use ferrymq_model::{Request, SessionId};

/// Rounds in which everything that is under way arrives.
const ROUNDS: u32 = 30;

impl World {
    /// Something happens on some connection.
    pub(super) fn wire_happens(&mut self) {
        let at = self.random.index(self.wires.len());
        match self.random.below(100) {
            0..35 => self.wires[at].act(self.now.wall),
            35..60 => {
                let requests = self.wires[at].reach_server(self.now, false);
                self.ask_for_wire(at, requests);
            }
            60..78 => {
                let most = 1 + self.random.index(10);
                let requests = self.wires[at].handle_events(self.now, most);
                self.ask_for_wire(at, requests);
            }
            78..99 => {
                let requests = self.wires[at].reach_client(self.now, false);
                self.ask_for_wire(at, requests);
            }
            _ if self.plan.cuts => self.cut_wire(at),
            _ => {}
        }
        self.end_wire(at);
    }

    fn ask_for_wire(&mut self, at: usize, requests: Vec<Request>) {
        let session = self.wires[at].id();
        for request in requests {
            self.ask(session, vec![request]);
        }
        self.hear_complaints(at);
    }

    /// The session ended the connection: its last bytes arrive, then the node hears of the end.
    fn end_wire(&mut self, at: usize) {
        if self.wires[at].has_ended() {
            let requests = self.wires[at].reach_client(self.now, true);
            self.ask_for_wire(at, requests);
            self.cut_wire(at);
        }
    }

    pub(super) fn cut_wire(&mut self, at: usize) {
        if self.wires[at].is_open() {
            let session = self.wires[at].id();
            self.note(|| format!("the connection of s{} breaks", session.slot));
            self.wires[at].cut();
            self.ask(session, vec![Request::Disconnect]);
        }
    }

    fn hear_complaints(&mut self, at: usize) {
        for text in self.wires[at].complaints() {
            self.oracle.accuse(Promise::Protocol, text);
        }
    }

    /// Everything that is under way on connections arrives, then they end.
    pub(super) fn end_wires(&mut self) {
        for _ in 0..ROUNDS {
            if self.store_failed || self.node.is_none() {
                break;
            }
            for at in 0..self.wires.len() {
                let requests = self.wires[at].reach_server(self.now, true);
                self.ask_for_wire(at, requests);
                let requests = self.wires[at].handle_events(self.now, usize::MAX);
                self.ask_for_wire(at, requests);
                let requests = self.wires[at].reach_client(self.now, true);
                self.ask_for_wire(at, requests);
                self.end_wire(at);
            }
            self.tick(1);
            self.pump();
        }
        for at in 0..self.wires.len() {
            if !self.store_failed && self.node.is_some() {
                self.wires[at].judge_silence();
                self.hear_complaints(at);
            }
            self.cut_wire(at);
        }
    }

    /// The wire of a session, if it is one's.
    pub(super) fn wire_of(&mut self, session: SessionId) -> Option<&mut crate::wire::Wire> {
        self.wires.iter_mut().find(|wire| wire.id() == session)
    }
}

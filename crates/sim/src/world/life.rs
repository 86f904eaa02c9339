//! What happens by chance: clients act, the network delays, the disk works and fails, the node dies and comes back.

use super::{DIALECTS, World};
use crate::disk::{Fault, MOMENTS, SURVIVORS, Survivors};
use crate::oracle::Promise;
use ferrymq_model::Request;
use ferrymq_node::{Node, recover};

/// Attempts at a start that power cuts may interrupt before the plan lets one through.
const STARTS_CUT_MAX: u64 = 3;

impl World {
    /// Lives through the plan's steps.
    pub(super) fn live(&mut self) {
        self.start();
        for _ in 0..self.plan.steps {
            if self.node.is_none() || !self.oracle.violations().is_empty() {
                return;
            }
            self.happen();
        }
    }

    /// Lives until this many requests were asked or the planned power cut struck.
    pub(crate) fn live_requests(&mut self, requests: u64) {
        self.ends_with_power = true;
        self.start();
        while self.requests < requests && self.node.is_some() && self.oracle.violations().is_empty() {
            self.happen();
        }
    }

    /// The world as it is when the power comes back and these writes have survived.
    pub(crate) fn recovered(&self, survivors: Survivors) -> Self {
        let mut fork = Self::new(self.plan.clone());
        fork.disk = self.disk.clone();
        fork.oracle = self.oracle.clone();
        fork.now = self.now;
        fork.disk.cut_power();
        fork.oracle.crashed();
        fork.disk.restart(survivors);
        fork.start();
        fork
    }

    /// Plans a fault of the disk.
    pub(crate) fn plan_fault(&mut self, operation: u64, fault: Fault) {
        self.disk.plan(operation, fault);
    }

    /// Operations of the disk so far.
    pub(crate) fn disk_operations(&self) -> u64 {
        self.disk.operations()
    }

    fn happen(&mut self) {
        if !self.wires.is_empty() && self.random.percent(35) {
            self.wire_happens();
        }
        match self.random.below(1000) {
            0..380 => self.client_acts(),
            380..660 => self.client_reaches_node(),
            660..800 => self.client_listens(),
            800..900 => self.write(),
            900..940 => {
                let millis = 10 + self.random.below(190);
                self.tick(millis);
            }
            940..980 => self.answer_fetches(),
            980..990 if self.plan.cuts => self.cut_a_client(),
            990..993 if self.plan.restarts => self.crash(),
            993..995 if self.plan.restarts => self.kill(),
            995..996 if self.plan.restarts => self.stop(),
            996..998 if self.plan.restarts => self.plan_power_cut(),
            998..999 if self.plan.disk_errors => self.plan_disk_error(),
            _ => self.write(),
        }
        if self.store_failed && self.random.percent(20) {
            // A process whose store failed ends; the machine may lose its cache with it.
            self.crash();
        }
    }

    fn some_client(&mut self) -> Option<usize> {
        let at = self.random.index(self.clients.len());
        (self.plan.clients & (1 << at) != 0).then_some(at)
    }

    fn client_acts(&mut self) {
        if let Some(at) = self.some_client() {
            self.clients[at].act(self.now.wall);
        }
    }

    /// Some of what a client asked arrives: what is harmless together in one step, the rest one by one.
    pub(super) fn client_reaches_node(&mut self) {
        let Some(at) = self.some_client() else { return };
        let most = 1 + self.random.below(6);
        for _ in 0..most {
            if self.node.is_none() || self.clients[at].is_paused() {
                return;
            }
            let session = self.clients[at].session();
            let mut together = Vec::new();
            while let Some(request) = self.clients[at].outgoing.pop_front() {
                let alone = !matches!(request, Request::Send { .. } | Request::AddProducer { .. });
                if alone && !together.is_empty() {
                    self.clients[at].outgoing.push_front(request);
                    break;
                }
                together.push(request);
                if alone || together.len() >= 8 {
                    break;
                }
            }
            if together.is_empty() {
                return;
            }
            self.ask(session, together);
        }
    }

    fn client_listens(&mut self) {
        if let Some(at) = self.some_client() {
            let most = 1 + self.random.below(10);
            for _ in 0..most {
                if !self.clients[at].receive() {
                    return;
                }
            }
        }
    }

    /// The journal's thread does its next thing: takes a batch when one is wanted, or performs the one it has.
    fn write(&mut self) {
        if self.batch.is_some() {
            return self.perform_batch();
        }
        let wanted = self.node.as_ref().is_some_and(Node::wants_flush);
        if wanted || self.random.percent(10) {
            self.take_batch();
        }
    }

    fn cut_a_client(&mut self) {
        let Some(at) = self.some_client() else { return };
        if self.clients[at].is_connected() {
            self.disconnect(at);
        }
    }

    /// A client's connection ends; the node hears of it at once.
    pub(super) fn disconnect(&mut self, at: usize) {
        let session = self.clients[at].session();
        self.clients[at].cut();
        self.ask(session, vec![Request::Disconnect]);
    }

    fn plan_power_cut(&mut self) {
        let at = self.disk.operations() + 1 + self.random.below(12);
        let moment = *self.random.pick(&MOMENTS);
        self.disk.plan(at, Fault::PowerCut(moment));
    }

    fn plan_disk_error(&mut self) {
        let at = self.disk.operations() + 1 + self.random.below(12);
        let fault = *self.random.pick(&[Fault::InputOutput, Fault::Full]);
        self.disk.plan(at, fault);
    }

    /// The power goes now.
    fn crash(&mut self) {
        self.disk.cut_power();
        self.power_cut();
    }

    /// The power is gone already.
    pub(super) fn power_cut(&mut self) {
        if self.ends_with_power {
            self.node = None;
            return;
        }
        let survivors = *self.random.pick(&SURVIVORS);
        self.note(|| format!("the power goes; of unsynced writes survive: {survivors:?}"));
        self.die();
        self.disk.restart(survivors);
        self.start();
    }

    /// The process is killed; the system keeps its cache.
    fn kill(&mut self) {
        self.note(|| "the process is killed".to_owned());
        if let Some((mut batch, _)) = self.batch.take()
            && self.random.percent(50)
        {
            // It was killed after it had performed the batch and before it could say so.
            let _ = ferrymq_storage::journal::perform(&mut batch, &mut self.disk);
        }
        if self.disk.is_off() {
            return self.power_cut();
        }
        self.die();
        self.disk.reopen();
        self.start();
    }

    /// The process stops in peace: sessions end, everything is written.
    pub(super) fn stop(&mut self) {
        if self.store_failed {
            return self.crash();
        }
        self.note(|| "the process stops".to_owned());
        for at in 0..self.clients.len() {
            if self.clients[at].is_connected() {
                self.disconnect(at);
            }
        }
        for at in 0..self.wires.len() {
            self.cut_wire(at);
        }
        self.tick(100);
        for _ in 0..10 {
            self.take_batch();
            if self.batch.is_none() {
                break;
            }
            let starts = self.starts;
            self.perform_batch();
            if self.starts != starts || self.store_failed || self.node.is_none() {
                return;
            }
        }
        self.node = None;
        self.fetches.clear();
        self.oracle.stopped();
        self.disk.reopen();
        self.start();
    }

    fn die(&mut self) {
        self.node = None;
        self.batch = None;
        self.fetches.clear();
        self.effects.events.clear();
        self.effects.fetches.clear();
        self.oracle.crashed();
        for client in &mut self.clients {
            client.cut();
        }
        for wire in &mut self.wires {
            wire.cut();
            wire.excuse(false);
        }
    }

    /// Starts the node; a power cut may interrupt that too.
    fn start(&mut self) {
        self.judge_disk();
        for attempt in 0..=STARTS_CUT_MAX {
            self.starts += 1;
            self.store_failed = false;
            if self.plan.restarts && attempt < STARTS_CUT_MAX && self.random.percent(15) {
                let at = self.disk.operations() + 1 + self.random.below(6);
                self.disk.plan(at, Fault::PowerCut(*self.random.pick(&MOMENTS)));
            }
            match recover(&mut self.disk, DIALECTS, self.options, self.settings.clone(), self.now) {
                Ok(node) => {
                    self.note(|| "the node is up".to_owned());
                    if !self.ends_with_power {
                        self.disk.plan_nothing();
                    }
                    self.node = Some(node);
                    return self.planted.restarted();
                }
                Err(_) if self.disk.is_off() && self.ends_with_power => return,
                Err(_) if self.disk.is_off() => {
                    let survivors = *self.random.pick(&SURVIVORS);
                    self.note(|| format!("the power goes during the start; survivors: {survivors:?}"));
                    self.disk.restart(survivors);
                }
                Err(error) => {
                    return self.oracle.accuse(Promise::Recovery, format!("the node does not start: {error}"));
                }
            }
        }
        self.oracle.accuse(Promise::Recovery, "the node did not start without any power cut".to_owned());
    }
}

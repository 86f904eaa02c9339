//! One node under one seed: its disk, its clock, its clients, and everything that may happen between them.

mod drain;
mod life;
mod wired;

use crate::client::{Cast, Client, Role};
use crate::content::PLAIN;
use crate::disk::SimDisk;
use crate::oracle::{Oracle, Promise, Rules, Taken, Violation};
use crate::planted::{Bug, Planted};
use crate::random::Random;
use crate::rest::step_watched;
use crate::wire::{WIRE_SLOTS_FROM, WIRES, Wire};
use ferrymq_model::{Dialect, Dialects, Event, MonoTime, Now, Request, SessionId, WallTime};
use ferrymq_node::{Effects, Input, Node, Settings};
use ferrymq_storage::journal::{Fetch, Fetched, Reader, SEGMENT_BYTES_MIN, perform};
use ferrymq_storage::{Batch, DiskError, JournalOptions};

/// Every dialect of a simulation.
pub const DIALECTS: Dialects = Dialects(&DIALECT_LIST);
static DIALECT_LIST: [&'static dyn Dialect; 18] = {
    let mut all: [&'static dyn Dialect; 18] = [&PLAIN; 18];
    all[1] = &ferrymq_stomp::STOMP_1_0;
    all[2] = &ferrymq_stomp::STOMP_1_1;
    all[3] = &ferrymq_stomp::STOMP_1_2;
    let mut at = 4;
    while at < all.len() {
        all[at] = ferrymq_openwire::DIALECTS[at - 4];
        at += 1;
    }
    all
};

/// Lines of the trace that are kept: the end of the story is what matters.
const TRACE_LINES_MAX: usize = 4000;

/// What is simulated. The same plan gives the same run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Chooses everything that is left open.
    pub seed: u64,
    /// Events before everything is healed and drained.
    pub steps: u32,
    /// Who lives.
    pub cast: Cast,
    /// Bit per client of the cast: whether it takes part.
    pub clients: u32,
    /// Whether the node crashes, is stopped and started.
    pub restarts: bool,
    /// Whether the disk reports errors.
    pub disk_errors: bool,
    /// Whether connections break.
    pub cuts: bool,
    /// Whether some clients speak STOMP.
    pub stomp: bool,
    /// Whether the disk at times reads less than was asked.
    pub short_reads: bool,
    /// A bug to plant.
    pub bug: Option<Bug>,
    /// Whether to tell the story.
    pub trace: bool,
}

impl Plan {
    /// Everything that may happen, under this seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self {
            seed,
            steps: 1500,
            cast: Cast::of_seed(seed),
            clients: u32::MAX,
            restarts: true,
            disk_errors: true,
            cuts: true,
            stomp: seed.is_multiple_of(3),
            short_reads: seed.is_multiple_of(4),
            bug: None,
            trace: false,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// The end of the story, if it was asked for.
    pub trace: Vec<String>,
    /// Messages sent.
    pub messages: usize,
    /// Deliveries judged.
    pub deliveries: u64,
    /// Starts of the node.
    pub starts: u32,
}

/// Runs a plan.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    let mut world = World::new(plan.clone());
    world.live();
    world.drain();
    world.outcome()
}

/// The world.
#[derive(Debug)]
pub struct World {
    plan: Plan,
    random: Random,
    settings: Settings,
    options: JournalOptions,
    node: Option<Node>,
    disk: SimDisk,
    oracle: Oracle,
    planted: Planted,
    clients: Vec<Client>,
    wires: Vec<Wire>,
    now: Now,
    batch: Option<(Batch, Taken)>,
    fetches: Vec<Fetch>,
    reader: Reader,
    effects: Effects,
    back: Vec<(SessionId, Request)>,
    store_failed: bool,
    trace: Vec<String>,
    starts: u32,
    requests: u64,
    /// A power cut ends the life instead of starting the node again.
    ends_with_power: bool,
}

impl World {
    /// A world before its node's first start.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let mut random = Random::new(plan.seed);
        let small = random.percent(40);
        let settings = Settings {
            memory_limit_bytes: if small { 96 * 1024 } else { 256 * 1024 * 1024 },
            destination_memory_limit_bytes: if small { 24 * 1024 } else { 32 * 1024 * 1024 },
            // Queues of a simulation are short: in every other one what waits is filed from the first message on.
            filed_from: if plan.seed.is_multiple_of(2) { 1 } else { Settings::default().filed_from },
            ..Settings::default()
        };
        let options = JournalOptions {
            segment_bytes: *random.pick(&[SEGMENT_BYTES_MIN, 3 * SEGMENT_BYTES_MIN, 16 * SEGMENT_BYTES_MIN]),
            new_store: [7; 16],
            epoch_min: 1,
        };
        let rules = Rules {
            redeliveries_max: settings.redeliveries_max,
            // Beyond the limit: what clients had on the way, and what transactions hold.
            memory_bytes_max: settings.memory_limit_bytes as u64 + (2 << 20),
            is_short: small,
        };
        let mut disk = SimDisk::new(random.fork());
        let planted = Planted::new(plan.bug, random.fork());
        disk.plant(planted.disk_defect());
        disk.set_short_reads(plan.short_reads);
        let wires = if plan.stomp { WIRES } else { 0 };
        let wires = (0..wires).map(|at| Wire::new(WIRE_SLOTS_FROM + at, random.fork())).collect();
        let mut wires: Vec<Wire> = wires;
        if plan.bug == Some(Bug::LosesByte) {
            wires.iter_mut().for_each(Wire::leak);
        }
        let roles = plan.cast.roles().iter().zip(0_u32..);
        let clients = roles.map(|(role, slot)| Client::new(*role, plan.cast, slot, random.fork())).collect();
        Self {
            plan,
            random,
            settings,
            options,
            node: None,
            disk,
            oracle: Oracle::new(rules),
            planted,
            clients,
            wires,
            now: Now { wall: WallTime(1_000_000), mono: MonoTime(0) },
            batch: None,
            fetches: Vec::new(),
            reader: Reader::new(DIALECTS),
            effects: Effects::default(),
            back: Vec::new(),
            store_failed: false,
            trace: Vec::new(),
            starts: 0,
            requests: 0,
            ends_with_power: false,
        }
    }

    /// What came of it so far.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        Outcome {
            violations: self.oracle.violations().to_vec(),
            messages: self.oracle.messages(),
            deliveries: self.oracle.deliveries(),
            trace: self.trace,
            starts: self.starts,
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if self.plan.trace {
            if self.trace.len() >= TRACE_LINES_MAX {
                self.trace.drain(..TRACE_LINES_MAX / 2);
            }
            self.trace.push(line());
        }
    }

    /// Hands requests to the node in one step.
    fn ask(&mut self, session: SessionId, requests: Vec<Request>) {
        if self.node.is_none() {
            return;
        }
        self.oracle.begin_step(self.now);
        let mut early = Vec::new();
        let mut heard = Vec::new();
        self.requests += requests.len() as u64;
        for request in requests {
            self.note(|| format!("{} asks {}", name(session), brief(&request)));
            self.oracle.asked(session, &request);
            if let Request::CreateTemporary { destination, .. } = &request {
                let others = self.clients.iter_mut().filter(|client| client.role() == Role::Producer);
                others.for_each(|client| client.learn(destination));
            }
            heard.extend(self.planted.on_request(session, request, &mut early));
        }
        self.tell(early);
        self.step(Input::Requests { session, requests: &mut heard });
    }

    /// Hands an input to the node and its effects to the clients.
    fn input(&mut self, input: Input<'_>) {
        self.oracle.begin_step(self.now);
        match input {
            Input::Flushed(_) | Input::Tick => self.oracle.marks_deliveries(),
            Input::Requests { .. } | Input::StoreFailed | Input::Fetched(_) => {}
        }
        self.step(input);
    }

    fn step(&mut self, input: Input<'_>) {
        let Some(node) = &mut self.node else { return };
        step_watched(node, self.now, input, &mut self.effects);
        self.fetches.append(&mut self.effects.fetches);
        let events = std::mem::take(&mut self.effects.events);
        let mut told = Vec::new();
        for (session, event) in events {
            self.planted.on_event(session, event, &mut told, &mut self.back);
        }
        self.planted.on_events(&mut told);
        self.tell(told);
        for (session, request) in std::mem::take(&mut self.back) {
            // A bug's own request: nobody asked for it, and the oracle must not know.
            self.step(Input::Requests { session, requests: &mut vec![request] });
        }
    }

    fn tell(&mut self, told: Vec<(SessionId, Event)>) {
        for (session, event) in told {
            self.note(|| format!("{} hears {}", name(session), brief_event(&event)));
            self.oracle.told(session, &event);
            if let Some(client) = self.clients.get_mut(session.slot as usize)
                && client.session() == session
            {
                client.incoming.push_back(event);
            } else if let Some(wire) = self.wire_of(session) {
                wire.events.push_back(event);
            }
        }
    }

    /// Takes what waits to be written, if nothing is being written.
    fn take_batch(&mut self) {
        if self.batch.is_none()
            && let Some(node) = &mut self.node
            && let Some(batch) = node.take_batch()
        {
            let taken = self.oracle.taken();
            self.batch = Some((batch, taken));
            self.note(|| "a batch is taken".to_owned());
        }
    }

    /// Writes the batch that was taken. The node hears of it at once: what happened since it was taken is the delay.
    fn perform_batch(&mut self) {
        let Some((mut batch, taken)) = self.batch.take() else { return };
        match perform(&mut batch, &mut self.disk) {
            Ok(()) => {
                self.note(|| "the batch is performed".to_owned());
                self.oracle.flushed(taken);
                self.input(Input::Flushed(batch));
            }
            Err(_) if self.disk.is_off() => self.power_cut(),
            Err(error) => self.disk_failed(&error),
        }
    }

    fn disk_failed(&mut self, error: &DiskError) {
        self.note(|| format!("the disk fails: {error}"));
        self.store_failed = true;
        self.oracle.store_failed();
        self.wires.iter_mut().for_each(|wire| wire.excuse(true));
        self.input(Input::StoreFailed);
    }

    /// Reads some of the messages back that the node asked for.
    fn answer_fetches(&mut self) {
        if self.fetches.is_empty() {
            return;
        }
        let count = 1 + self.random.index(self.fetches.len());
        let mut wanted = Vec::with_capacity(count);
        for _ in 0..count {
            let at = self.random.index(self.fetches.len());
            wanted.push(self.fetches.swap_remove(at));
        }
        let mut read = Vec::with_capacity(count);
        while !wanted.is_empty() {
            self.reader.read(&self.disk, &mut wanted, &mut read);
            for Fetched { fetch, message } in &read {
                self.note(|| format!("fetched {fetch:?}: {}", if message.is_ok() { "found" } else { "not found" }));
            }
            self.input(Input::Fetched(&mut read));
        }
    }

    fn tick(&mut self, millis: u64) {
        self.now.wall.0 += millis;
        self.now.mono.0 += millis;
        self.input(Input::Tick);
    }

    fn judge_disk(&mut self) {
        if let Some(text) = self.disk.violation() {
            let text = text.to_owned();
            self.oracle.accuse(Promise::Recovery, text);
        }
    }
}

fn name(session: SessionId) -> String {
    format!("s{}.{}", session.slot, session.generation)
}

fn brief(request: &Request) -> String {
    match request {
        Request::Send { producer, message, transaction, confirm } => format!(
            "send {} {:?} p{} expires {:?} by producer {} to {} in {transaction:?} confirm {confirm:?}",
            message.header.id,
            message.header.mode,
            message.header.priority,
            message.header.expiration.map(|at| at.0),
            producer.0,
            message.header.destination
        ),
        other => {
            let mut text = format!("{other:?}");
            text.truncate(text.char_indices().nth(300).map_or(text.len(), |(at, _)| at));
            text
        }
    }
}

fn brief_event(event: &Event) -> String {
    match event {
        Event::Deliver(delivery) => format!(
            "delivery {} on {}: {} of {} redelivered {}",
            delivery.delivery.0,
            delivery.subscription.0,
            delivery.message.header.id,
            delivery.destination.as_ref().unwrap_or(&delivery.message.header.destination),
            delivery.redeliveries
        ),
        other => format!("{other:?}"),
    }
}

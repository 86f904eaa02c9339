//! From the data directory to a recovered node.

use crate::config::{Config, Sync};
use crate::journal::Unsynced;
use crate::net::detect::DIALECTS;
use crate::server::StartError;
use ferrymq_model::event::Report;
use ferrymq_model::{DestinationKind, Event, Now, Query, Request, SessionId, Token};
use ferrymq_node::{Effects, Input, Node, ScheduleSettings, Settings, recover};
use ferrymq_storage::Disk;
use ferrymq_storage::disk::os::{OpenError, OsDisk};
use ferrymq_storage::journal::{JournalOptions, RecoverError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

/// What was in the data directory.
pub(crate) struct Store {
    pub(crate) node: Node,
    /// For the journal's thread.
    pub(crate) disk: Box<dyn Disk + Send>,
    /// For the thread that reads messages back.
    pub(crate) reader: Box<dyn Disk + Send>,
}

impl Store {
    /// Opens the directory, which no other broker may do meanwhile, and recovers what is in it.
    pub(crate) fn open(config: &Config, run: u64, now: Now) -> Result<Self, StartError> {
        let began = Instant::now();
        let directory = &config.broker.data;
        let segment_bytes = u32::try_from(config.journal.segment_size.0).expect("checked with the configuration");
        let disk = OsDisk::open(directory, segment_bytes).map_err(|error| match error {
            OpenError::InUse { .. } => StartError::InUse(error.to_string()),
            OpenError::Disk(error) => {
                StartError::DataDirectory(format!("cannot use the data directory {}: {error}", directory.display()))
            }
        })?;
        let reader = Box::new(disk.reader());
        let mut disk: Box<dyn Disk + Send> = match config.journal.sync {
            Sync::Always => Box::new(disk),
            Sync::MayLoseOnPowerLoss => Box::new(Unsynced(disk)),
        };
        let options = JournalOptions { segment_bytes, new_store: random_name(), ..JournalOptions::default() };
        let recovered = recover(&mut *disk, DIALECTS, options, settings(config, run), now);
        let mut node = recovered.map_err(|error| refused(config, &error))?;
        tell(&mut node, now, config, began);
        Ok(Self { node, disk, reader })
    }
}

fn refused(config: &Config, error: &RecoverError) -> StartError {
    let directory = config.broker.data.display();
    match error {
        RecoverError::Disk(error) => {
            StartError::DataDirectory(format!("cannot read the journal in {directory}: {error}"))
        }
        RecoverError::Corrupt { .. } | RecoverError::Newer { .. } => {
            StartError::Journal(format!("the journal in {directory} cannot be recovered: {error}; nothing was changed"))
        }
    }
}

fn settings(config: &Config, run: u64) -> Settings {
    let name = config.broker.name.as_str();
    Settings {
        broker_id: Arc::from(format!("ID:{name}-{run:x}")),
        broker_url: Arc::from(config.auto.bind.0.map_or_else(|| format!("vm://{name}"), |at| format!("tcp://{at}"))),
        advisories: config.advisories.settings(),
        virtual_topics: config.virtual_topics.settings(),
        populate_user_id: config.connections.populate_user_id,
        history_messages_max: config.topics.history_messages,
        history_bytes_max: config.topics.history_bytes.bytes(),
        broker_name: Arc::from(config.broker.name.as_str()),
        memory_limit_bytes: config.memory.limit.bytes(),
        destination_memory_limit_bytes: config.memory.destination_limit.bytes(),
        producer_wait_ms_max: config.memory.producer_wait_max.0.map(|wait| wait.0),
        redeliveries_max: config.redelivery.redeliveries_max,
        dead_letter_queue: Arc::from(config.dead_letter.queue.as_str()),
        subscription_memory_limit_bytes: config.memory.topic_subscription_limit.bytes(),
        pending_limit: config.memory.topic_pending_max,
        schedule: ScheduleSettings {
            enabled: config.scheduler.enabled,
            repeats_max: config.scheduler.repeats_max,
            delay_ms_max: config.scheduler.delay_max.0,
            jobs_max: config.scheduler.messages_max,
        },
        ..Settings::default()
    }
}

/// Unique and not to be guessed: the standard library's hash keys come from the system's random source.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn random_name() -> [u8; 16] {
    let mut name = [0; 16];
    name[..8].copy_from_slice(&random().to_le_bytes());
    name[8..].copy_from_slice(&random().to_le_bytes());
    name
}

/// Writes what was recovered to the log. Asks as any session would, before there are others.
fn tell(node: &mut Node, now: Now, config: &Config, began: Instant) {
    let mut effects = Effects::default();
    let session = SessionId { slot: 0, generation: 0 };
    let (confirm, token) = (Token(1), Token(2));
    let mut requests = vec![
        Request::Connect { client_id: None, user: None, name: None, peer: None, confirm },
        Request::Inspect { query: Query::Destinations(Arc::from(">")), token },
        Request::Disconnect,
    ];
    node.step(now, Input::Requests { session, requests: &mut requests }, &mut effects);
    let (mut messages, mut queues, mut durables) = (0, 0, 0);
    for (_, event) in effects.events {
        let Event::Inspected { report, .. } = event else { continue };
        let Report::Destinations(rows) = *report else { continue };
        for row in rows {
            match (row.kind, &row.durable_of) {
                (_, Some(_)) => durables += 1,
                (DestinationKind::Queue, None) => queues += 1,
                _ => continue,
            }
            messages += row.depth;
        }
    }
    tracing::info!(
        data = %config.broker.data.display(), messages, queues, durables,
        milliseconds = began.elapsed().as_millis() as u64, "journal recovered"
    );
}

//! What the control socket's JSON looks like: apart from the model, so that one may change without the other.

use ferrymq_model::event::{BranchReport, BranchState, BrokerReport, DestinationReport, Report};
use ferrymq_model::{BranchAction, DestinationKind, Query};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A question or an order.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Question {
    Inspect(What),
    /// A queue's name.
    Purge(String),
    /// A decision about a branch of a distributed transaction, in its manager's place.
    Decide(Decision),
}

/// What shall become of a branch.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    /// As `ferrymq transactions` shows it.
    pub(super) xid: String,
    pub(super) action: Action,
}

/// What a person may decide.
#[derive(Deserialize, Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Commit,
    Rollback,
    Forget,
}

/// What to tell.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// Every destination that matches the pattern.
    Destinations(String),
    Broker,
    Branches,
}

/// The answer.
#[derive(Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Destinations(Vec<DestinationRow>),
    Broker(BrokerRow),
    Purged(u64),
    Branches(Vec<BranchRow>),
    /// What was asked for happened.
    Done,
    /// The branch's name.
    Decided(String),
    Error(String),
}

#[derive(Serialize, Debug)]
pub(super) struct BranchRow {
    xid: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prepared_at_ms: Option<u64>,
    sends: u64,
    settlements: u64,
}

#[derive(Serialize, Debug)]
pub(super) struct DestinationRow {
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    durable_of: Option<String>,
    depth: u64,
    in_flight: u64,
    enqueued: u64,
    dequeued: u64,
    expired: u64,
    dead_lettered: u64,
    discarded: u64,
    consumers: u32,
    producers: u32,
    memory_bytes: u64,
    memory_limit_bytes: u64,
}

#[derive(Serialize, Debug)]
pub(super) struct BrokerRow {
    sessions: u32,
    subscriptions: u32,
    destinations: u32,
    memory_bytes: u64,
    memory_limit_bytes: u64,
    enqueued: u64,
    dequeued: u64,
    journal_bytes: u64,
    journal_segments: u32,
}

impl From<What> for Query {
    fn from(what: What) -> Self {
        match what {
            What::Destinations(pattern) => Self::Destinations(Arc::from(pattern)),
            What::Broker => Self::Broker,
            What::Branches => Self::Branches,
        }
    }
}

impl Answer {
    /// As one line.
    pub(super) fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("plain data has a JSON form");
        line.push(b'\n');
        line
    }
}

impl From<Report> for Answer {
    fn from(report: Report) -> Self {
        match report {
            Report::Destinations(rows) => Self::Destinations(rows.into_iter().map(DestinationRow::from).collect()),
            Report::Broker(broker) => Self::Broker(BrokerRow::from(broker)),
            Report::Branches(rows) => Self::Branches(rows.into_iter().map(BranchRow::from).collect()),
        }
    }
}

impl From<Action> for BranchAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Commit => Self::HeuristicCommit,
            Action::Rollback => Self::HeuristicRollback,
            Action::Forget => Self::Forget,
        }
    }
}

impl From<BranchReport> for BranchRow {
    fn from(report: BranchReport) -> Self {
        let BranchReport { xid, state, prepared_at, sends, settlements } = report;
        let state = match state {
            BranchState::Prepared => "prepared",
            BranchState::HeuristicallyCommitted => "heuristically committed",
            BranchState::HeuristicallyRolledBack => "heuristically rolled back",
        };
        Self { xid: xid.to_string(), state, prepared_at_ms: prepared_at.map(|at| at.0), sends, settlements }
    }
}

impl From<DestinationReport> for DestinationRow {
    fn from(report: DestinationReport) -> Self {
        let kind = match report.kind {
            DestinationKind::Queue => "queue",
            DestinationKind::Topic => "topic",
            DestinationKind::TemporaryQueue => "temp-queue",
            DestinationKind::TemporaryTopic => "temp-topic",
        };
        let DestinationReport {
            kind: _,
            name,
            durable_of,
            depth,
            in_flight,
            enqueued,
            dequeued,
            expired,
            dead_lettered,
            discarded,
            consumers,
            producers,
            memory_bytes,
            memory_limit_bytes,
        } = report;
        Self {
            kind,
            name: name.to_string(),
            durable_of: durable_of.map(|topic| topic.to_string()),
            depth,
            in_flight,
            enqueued,
            dequeued,
            expired,
            dead_lettered,
            discarded,
            consumers,
            producers,
            memory_bytes,
            memory_limit_bytes,
        }
    }
}

impl From<BrokerReport> for BrokerRow {
    fn from(report: BrokerReport) -> Self {
        let BrokerReport {
            sessions,
            subscriptions,
            destinations,
            memory_bytes,
            memory_limit_bytes,
            enqueued,
            dequeued,
            journal_bytes,
            journal_segments,
        } = report;
        Self {
            sessions,
            subscriptions,
            destinations,
            memory_bytes,
            memory_limit_bytes,
            enqueued,
            dequeued,
            journal_bytes,
            journal_segments,
        }
    }
}

//! Valid examples to start from.

use crate::content::{COLORS, PLAIN, Properties};
use crate::disk::SimDisk;
use crate::random::Random;
use crate::world::DIALECTS;
use bytes::Bytes;
use ferrymq_model::{DeliveryMode, Destination, DestinationKind, Header, Message, MessageId, WallTime, Xid};
use ferrymq_storage::journal::{self, JournalOptions, perform};
use ferrymq_storage::{Placement, Prepared, Record, StoreDefinition, StoreId, Urgency};
use std::sync::Arc;

pub(super) const STOMP: [&str; 8] = [
    "CONNECT\naccept-version:1.2\nhost:h\n\n\0SEND\ndestination:/queue/a\n\nhello\0SEND\ndestination:/queue/a\ncontent-length:3\n\na\0b\0",
    "STOMP\naccept-version:1.0,1.1\nhost:h\nheart-beat:100,100\n\n\0\n\nSUBSCRIBE\nid:0\ndestination:/topic/x.>\nack:client\n\n\0",
    "CONNECT\nlogin:a\npasscode:b\n\n\0SUBSCRIBE\ndestination:/queue/a\n\n\0ACK\nmessage-id:x\n\n\0",
    "CONNECT\naccept-version:1.2\nhost:h\n\n\0BEGIN\ntransaction:t\n\n\0SEND\ntransaction:t\ndestination:/queue/a\npersistent:true\nreceipt:1\n\nx\0COMMIT\ntransaction:t\nreceipt:2\n\n\0",
    "CONNECT\naccept-version:1.2\nhost:h\nclient-id:c\n\n\0SUBSCRIBE\nid:1\ndestination:/topic/a\nactivemq.subscriptionName:n\nselector:n > 3\n\n\0UNSUBSCRIBE\nid:1\n\n\0",
    "CONNECT\naccept-version:1.2\nhost:h\n\n\0SEND\ndestination:/queue/a,/topic/b\npriority:9\nexpires:1\nx\\cy:a\\nb\n\nx\0DISCONNECT\nreceipt:77\n\n\0",
    "CONNECT\naccept-version:1.1\nhost:h\n\n\0SUBSCRIBE\nid:0\ndestination:/temp-queue/r\nack:client-individual\n\n\0SEND\ndestination:/queue/q\nreply-to:/temp-queue/r\n\n\0NACK\nsubscription:0\nmessage-id:1\n\n\0",
    "CONNECT\r\naccept-version:1.2\r\nhost:h\r\n\r\n\0ABORT\r\ntransaction:t\r\n\r\n\0",
];

pub(super) const STOMP_SERVER: [&str; 3] = [
    "CONNECTED\nversion:1.2\nserver:x\nheart-beat:0,0\n\n\0\nMESSAGE\nsubscription:0\nmessage-id:1\nack:1\ndestination:/queue/a\ncontent-length:5\n\nhello\0RECEIPT\nreceipt-id:1\n\n\0",
    "CONNECTED\nversion:1.1\n\n\0ERROR\nmessage:no\n\nwhy\\n\0",
    "CONNECTED\n\n\0MESSAGE\nmessage-id:a\\cb\ndestination:/topic/x\n\nbody\0",
];

pub(super) const STOMP_WORDS: [&str; 14] = [
    "content-length:-1\n",
    "content-length:4294967296\n",
    "content-length:99999999999999999999\n",
    "\0",
    "\n\n",
    "\r",
    "\\",
    "\\x",
    ":",
    "\u{e9}",
    "heart-beat:,\n",
    "transaction:t\n",
    "receipt:r\n",
    "SEND\ndestination:/queue/z\n\n\0",
];

pub(super) const SELECTORS: [&str; 8] = [
    "n > 5 AND color = 'red'",
    "color LIKE 'b%\\_' ESCAPE '\\' OR color IS NOT NULL",
    "n BETWEEN 1 AND 3 OR n IN ('a', 'b')",
    "NOT (JMSPriority >= 4) AND JMSType = 'x'",
    "(n + 2) * 3 / 4 - 1.5e3 <> -n",
    "TRUE OR FALSE AND n IS NULL",
    "color NOT IN ('red') AND color NOT LIKE '%x%' AND n NOT BETWEEN 1 AND 2",
    "JMSMessageID = 'ID:1' AND JMSTimestamp > 0x10L",
];

pub(super) const SELECTOR_WORDS: [&str; 14] = [
    "((((((((((((((((",
    "NOT NOT NOT ",
    "'",
    "''",
    "%",
    "9223372036854775807",
    "9223372036854775808",
    "1e999",
    "-",
    "/ 0",
    " IN (",
    " LIKE '%%%%%%%%a'",
    "BETWEEN",
    "\u{1f600}",
];

pub(super) const DESTINATIONS: [&str; 6] =
    ["Q.A", "queue://Q.A,topic://T.X", "topic://a.*.b.>", "temp-queue://x", "A?consumer.prefetchSize=1", "A,B,C,D"];

pub(super) const DESTINATION_WORDS: [&str; 10] =
    ["://", ",", ",,", "topic://", "queue://", ".", ">", "*", "\u{0}", "temp-topic://"];

/// Messages to select from.
pub(super) fn messages() -> Vec<Message> {
    COLORS
        .iter()
        .copied()
        .map(Some)
        .chain([None])
        .zip(0_u64..)
        .map(|(color, at)| message(at, Properties { n: at.cast_signed(), color }, 10))
        .collect()
}

fn message(sequence: u64, properties: Properties, fill: usize) -> Message {
    Message {
        header: Header {
            id: MessageId { producer: Arc::from("ID:fuzz"), sequence },
            destination: Arc::new(Destination { kind: DestinationKind::Queue, name: Arc::from("Q") }),
            mode: DeliveryMode::Persistent,
            priority: 4,
            timestamp: WallTime(1),
            expiration: None,
            annotations: None,
        },
        dialect: &PLAIN,
        bytes: Bytes::from(properties.body(sequence, fill)),
        body_at: 0,
    }
}

/// A disk with a journal of a few segments.
pub(super) fn journal(variant: u64) -> SimDisk {
    let mut disk = SimDisk::new(Random::new(variant));
    let options = JournalOptions { segment_bytes: journal::SEGMENT_BYTES_MIN, ..JournalOptions::default() };
    let mut journal = journal::recover(&mut disk, DIALECTS, options, &mut |_, _, _| Ok(())).expect("an empty disk");
    let store = StoreId(1);
    let queue = Destination { kind: DestinationKind::Queue, name: Arc::from("Q") };
    for sequence in 1..=30_u64 {
        let mut unit = journal.begin();
        if sequence == 1 {
            let definition = StoreDefinition::Queue(queue.clone());
            unit.add(&Record::Define { store, definition, next_sequence: 1, delivered: 0 });
        }
        let fill = usize::try_from(sequence * 37 % 700).expect("small");
        let message = message(sequence, Properties { n: 1, color: None }, fill);
        let placements = [Placement { store, sequence }];
        if sequence % 4 == 0 {
            let xid = Arc::new(Xid { format: 1, global: [1].into(), branch: [].into() });
            let (at, sends, settled) = (WallTime(1), Vec::new(), Vec::new());
            unit.add(&Record::Prepare(Box::new(Prepared { branch: sequence, xid, at, sends, settled })));
            let held = unit.hold(sequence, std::slice::from_ref(&queue), false, &message);
            unit.commit(Urgency::Awaited);
            unit = journal.begin();
            unit.place(sequence, held, &placements);
            unit.add(&Record::Dissolve { branch: sequence });
        } else {
            unit.store(&message, &placements);
        }
        unit.commit(Urgency::Awaited);
        if sequence % (variant + 2) == 0 {
            let mut batch = journal.take_batch().expect("something was appended");
            perform(&mut batch, &mut disk).expect("a disk that works");
            journal.flushed(batch);
        }
    }
    disk
}

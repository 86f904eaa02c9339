//! Takes everything that is left: behind it a last message is sent, and when that comes nothing can be before it.

use super::consumers::{Manner, identity, subscribed};
use super::ledger::Id;
use super::{Epoch, Kind};
use crate::stomp_client::Client;
use std::io::{Error, Result};

pub(super) fn run(epoch: &Epoch) -> Result<()> {
    for kind in [Kind::Receipts { window: 1 }, Kind::Transactions, Kind::Topic, Kind::Automatic] {
        let named = |error: Error| Error::other(format!("draining {}: {error}", kind.destination()));
        drain(epoch, kind).map_err(named)?;
    }
    Ok(())
}

fn drain(epoch: &Epoch, kind: Kind) -> Result<()> {
    let mut consumer = subscribed(epoch, kind, Manner::Individual)?;
    let mut producer = Client::connect(epoch.broker, None)?;
    producer.confirmed("SEND", &[("destination", kind.destination()), ("persistent", "true"), ("last", "yes")], b"")?;
    let mut open: usize = 0;
    let mut last = false;
    while !last || open > 0 {
        let frame = consumer.receive()?;
        if frame.command == "RECEIPT" {
            open -= 1;
            if let Some(id) = read_id(frame.header("receipt-id")) {
                epoch.ledger.settle_confirmed(id);
            }
            continue;
        }
        let id = identity(&frame);
        if frame.header("last") == "yes" {
            last = true;
        } else if let Some(id) = id {
            epoch.ledger.received(id, epoch.number, frame.header("redelivered") == "true");
            epoch.ledger.settle_asked(id);
        } else {
            epoch.ledger.complain(format!("drained what nobody sent: {frame:?}"));
        }
        let receipt = id.map_or("last".to_owned(), |(lane, place)| format!("{lane}/{place}"));
        consumer.send("ACK", &[("id", frame.header("ack")), ("receipt", &receipt)], b"")?;
        open += 1;
    }
    Ok(())
}

fn read_id(receipt: &str) -> Option<Id> {
    let (lane, place) = receipt.split_once('/')?;
    Some((lane.parse().ok()?, place.parse().ok()?))
}

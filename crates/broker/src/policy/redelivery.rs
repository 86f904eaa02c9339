//! A delivery that was not consumed goes back to its place in the queue, until whoever gives up says that it was
//! delivered too often.

use crate::broker::{Broker, Step};
use crate::queue::Item;
use ferrymq_model::request::GivesUp;

impl Broker {
    /// Whether a message that came back so often is dead.
    pub(crate) fn is_too_often(&self, redeliveries: u32, gives_up: GivesUp) -> bool {
        match gives_up {
            GivesUp::Broker => redeliveries > self.settings.redeliveries_max,
            GivesUp::Consumer => false,
        }
    }

    /// Puts a message back that came back undelivered, or buries it. It is in flight no more.
    pub(crate) fn give_back(&mut self, index: u32, mut item: Item, gives_up: GivesUp, step: &mut Step<'_>) {
        item.redeliveries = item.redeliveries.saturating_add(1);
        // In the dead-letter queue a message waits for as long as it takes.
        if self.is_too_often(item.redeliveries, gives_up) && !self.is_dead_letter_queue(index) {
            let cause = format!("delivered {} times without success", item.redeliveries);
            self.bury_from(index, &item, &cause);
            self.leave(index, &item, step);
            return;
        }
        self.put_back(index, item);
    }

    /// Puts a message into its place again. It is in flight no more.
    pub(crate) fn put_back(&mut self, index: u32, mut item: Item) {
        item.detach();
        self.keep(index, item);
    }

    /// A consumer said that a message can never be consumed.
    pub(crate) fn poisoned(&mut self, index: u32, item: &Item, cause: &str, step: &mut Step<'_>) {
        self.bury_from(index, item, cause);
        self.leave(index, item, step);
    }
}

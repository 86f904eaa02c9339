//! Many selectors that are shown the same messages, found by what they demand.
//!
//! ```text
//!   kind = 7                 ┐              7 ─► [0, 1]
//!   kind = 7 AND price > 3   ├─► kind ──►   8 ─► [2]         one look at `kind` names the few that may be true
//!   kind IN (8, 9)           ┘              9 ─► [2]
//!   price > 3                ──────────────────► [3]         evaluated for every message
//! ```
//!
//! The index only leaves out: whatever it finds is evaluated as if there were no index. So it cannot make a selector true
//! that is not; all that must hold is that equal values have equal marks. Selectors that are written alike are kept, and
//! evaluated, once.

use crate::message::Message;
use crate::selector::demand::{Demand, Mark, Subject, demands};
use crate::selector::node::Node;
use crate::selector::{Effort, Selector};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Selectors on one shelf are evaluated one by one while they are not more: a look at the subject costs as much.
const EVALUATED_EACH_MAX: usize = 2;

/// The selectors of one place.
#[derive(Debug, Default)]
pub struct SelectorIndex {
    /// By number.
    kept: Vec<Option<Kept>>,
    /// Numbers that are free.
    free: Vec<u32>,
    /// Numbers by what was written and whether text converts.
    by_source: BTreeMap<(Arc<str>, bool), u32>,
    shelves: Vec<Shelf>,
    /// Shelves that there have been.
    shelves_made: u64,
    /// Those that demand nothing.
    undemanding: Vec<u32>,
}

/// A selector.
#[derive(Debug)]
struct Kept {
    selector: Selector,
    /// How often it was put in and not taken out.
    uses: u32,
    /// On which shelf, and its marks there.
    filed: Option<(u64, Vec<Mark>)>,
}

/// Selectors that demand something of one subject.
#[derive(Debug)]
struct Shelf {
    /// Names the shelf in `Kept`.
    number: u64,
    subject: Subject,
    /// All that are filed here.
    selectors: Vec<u32>,
    by_value: BTreeMap<Mark, Vec<u32>>,
}

impl SelectorIndex {
    /// Whether it holds no selector.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_source.is_empty()
    }

    /// Puts a selector in, and tells its number. One that is written alike has the same.
    pub fn insert(&mut self, selector: &Selector) -> u32 {
        if let Some(number) = self.find(selector) {
            self.kept_at(number).uses += 1;
            return number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.kept.push(None);
            u32::try_from(self.kept.len() - 1).expect("subscriptions are counted in 32 bits")
        });
        let filed = self.file(number, selector);
        if filed.is_none() {
            self.undemanding.push(number);
        }
        self.kept[number as usize] = Some(Kept { selector: selector.clone(), uses: 1, filed });
        self.by_source.insert((Arc::clone(&selector.source), selector.converts_text), number);
        number
    }

    /// Takes a selector out that was put in; gone when it was taken out as often. Its number may then be used again.
    pub fn remove(&mut self, number: u32) {
        let kept = self.kept_at(number);
        kept.uses -= 1;
        if kept.uses > 0 {
            return;
        }
        let Kept { selector, filed, uses: _ } =
            self.kept[number as usize].take().expect("a number in use has a selector");
        self.free.push(number);
        self.by_source.remove(&(selector.source, selector.converts_text));
        let Some((shelf, marks)) = filed else {
            self.undemanding.retain(|known| *known != number);
            return;
        };
        let place = self.shelves.iter().position(|known| known.number == shelf);
        let place = place.expect("a selector's shelf is here");
        let shelf = &mut self.shelves[place];
        for mark in marks {
            let filed = shelf.by_value.get_mut(&mark).expect("a selector is filed under its marks");
            filed.retain(|known| *known != number);
            if filed.is_empty() {
                shelf.by_value.remove(&mark);
            }
        }
        shelf.selectors.retain(|known| *known != number);
        if shelf.selectors.is_empty() {
            self.shelves.swap_remove(place);
        }
    }

    /// The number of a selector that is in.
    #[must_use]
    pub fn find(&self, selector: &Selector) -> Option<u32> {
        self.by_source.get(&(Arc::clone(&selector.source), selector.converts_text)).copied()
    }

    /// What a selector that is in demands: the subject by which it is found, and the marks of which the subject of every
    /// message has one that the selector wants.
    #[must_use]
    pub fn demanded(&self, number: u32) -> Option<(&Subject, &[Mark])> {
        let (shelf, marks) = self.kept.get(number as usize)?.as_ref()?.filed.as_ref()?;
        let shelf = self.shelves.iter().find(|known| known.number == *shelf)?;
        Some((&shelf.subject, marks))
    }

    /// Names the selectors that want a message, each once, in no order that means anything. `redeliveries`: how often it
    /// was delivered before.
    pub fn wanting(&self, message: &Message, redeliveries: u32, effort: &mut Effort, mut found: impl FnMut(u32)) {
        for place in 0..=self.shelves.len() {
            let candidates = match self.shelves.get(place) {
                Some(shelf) => shelf.candidates(message, redeliveries, effort),
                None => &self.undemanding,
            };
            for &number in candidates {
                let kept = self.kept[number as usize].as_ref().expect("what is filed is kept");
                if kept.selector.matches_within(message, redeliveries, effort) {
                    found(number);
                }
            }
        }
    }

    fn kept_at(&mut self, number: u32) -> &mut Kept {
        self.kept[number as usize].as_mut().expect("a number in use has a selector")
    }

    /// Files a selector under that of its demands which shares its values with the fewest.
    fn file(&mut self, number: u32, selector: &Selector) -> Option<(u64, Vec<Mark>)> {
        let converts_text = selector.converts_text;
        let found = demands(selector.condition.as_ref()?);
        let ranked = found.into_iter().enumerate().map(|(order, demand)| {
            let place = self.place_of(demand.subject, converts_text);
            let marks = marks_of(&demand, converts_text);
            let shared = |mark| place.and_then(|place| self.shelves[place].by_value.get(mark)).map_or(0, Vec::len);
            let sharing: usize = marks.iter().map(shared).sum();
            ((sharing, marks.len(), place.is_none(), order), place, demand.subject, marks)
        });
        let (_, place, subject, marks) = ranked.min_by_key(|(rank, ..)| *rank)?;
        let place = place.unwrap_or_else(|| self.add_shelf(subject.clone(), converts_text));
        let shelf = &mut self.shelves[place];
        shelf.selectors.push(number);
        for &mark in &marks {
            shelf.by_value.entry(mark).or_default().push(number);
        }
        Some((shelf.number, marks))
    }

    fn place_of(&self, subject: &Node, converts_text: bool) -> Option<usize> {
        self.shelves.iter().position(|known| known.subject.is(subject, converts_text))
    }

    fn add_shelf(&mut self, node: Node, converts_text: bool) -> usize {
        self.shelves_made += 1;
        let (number, selectors, by_value) = (self.shelves_made, Vec::new(), BTreeMap::new());
        self.shelves.push(Shelf { number, subject: Subject::new(node, converts_text), selectors, by_value });
        self.shelves.len() - 1
    }
}

impl Shelf {
    /// The selectors filed here that may want a message.
    fn candidates(&self, message: &Message, redeliveries: u32, effort: &mut Effort) -> &[u32] {
        if self.selectors.len() <= EVALUATED_EACH_MAX {
            return &self.selectors;
        }
        let mark = self.subject.mark(message, redeliveries, effort);
        let filed = mark.and_then(|mark| self.by_value.get(&mark));
        filed.map_or(&[], Vec::as_slice)
    }
}

/// The marks of what a demand's subject may equal, each once. Without any nothing is ever wanted.
fn marks_of(demand: &Demand<'_>, converts_text: bool) -> Vec<Mark> {
    let mut marks: Vec<Mark> = demand.values.iter().filter_map(|value| Mark::of(value, converts_text)).collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

//! Who listens at a place, in order, and whom of them a message may concern.
//!
//! Members without a selector are a list. Those with one are found by an index over what their selectors demand, so that a
//! message costs those who may want it and not all who listen. Where nobody has a selector there is no index.

use ferrymq_model::Message;
use ferrymq_model::selector::{Effort, Mark, Selector, SelectorIndex, Subject};
use std::cmp::Reverse;

/// Where a member stands: the higher priority first, then who came earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Standing {
    priority: Reverse<i16>,
    arrival: u64,
}

/// One who listens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Member {
    /// Where it stands.
    pub(crate) standing: Standing,
    /// A subscription, or a queue that a topic feeds.
    pub(crate) id: u32,
}

/// Those who listen at one place.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    /// Members that ever came.
    arrivals: u64,
    /// Those without a selector, in order.
    open: Vec<Member>,
    /// Those with one; none while nobody has.
    selective: Option<Box<Selective>>,
}

/// Members with selectors.
#[derive(Debug, Default)]
struct Selective {
    index: SelectorIndex,
    /// By the number of their selector.
    members: Vec<Vec<Member>>,
    /// How many they are.
    count: usize,
}

impl Audience {
    /// Somebody comes; tells where it stands, and the number of its selector.
    pub(crate) fn join(&mut self, id: u32, priority: i16, selector: Option<&Selector>) -> (Standing, Option<u32>) {
        self.arrivals += 1;
        let standing = Standing { priority: Reverse(priority), arrival: self.arrivals };
        let member = Member { standing, id };
        match selector {
            None => {
                let place = self.open.partition_point(|other| *other < member);
                self.open.insert(place, member);
                (standing, None)
            }
            Some(selector) => {
                let selective = self.selective.get_or_insert_default();
                let number = selective.index.insert(selector);
                if number as usize == selective.members.len() {
                    selective.members.push(Vec::new());
                }
                selective.members[number as usize].push(member);
                selective.count += 1;
                (standing, Some(number))
            }
        }
    }

    /// What the selector of a number demands, if one can look for it.
    pub(crate) fn demanded(&self, number: u32) -> Option<(&Subject, &[Mark])> {
        self.selective.as_ref()?.index.demanded(number)
    }

    /// Somebody leaves, with the selector that it came with. Does nothing if it is not there.
    pub(crate) fn part(&mut self, id: u32, selector: Option<&Selector>) {
        let Some(selector) = selector else {
            self.open.retain(|member| member.id != id);
            return;
        };
        let Some(selective) = &mut self.selective else { return };
        let Some(number) = selective.index.find(selector) else { return };
        let members = &mut selective.members[number as usize];
        let Some(place) = members.iter().position(|member| member.id == id) else { return };
        members.swap_remove(place);
        selective.index.remove(number);
        selective.count -= 1;
        if selective.count == 0 {
            self.selective = None;
        }
    }

    /// How many listen.
    pub(crate) fn len(&self) -> usize {
        self.open.len() + self.selective.as_ref().map_or(0, |selective| selective.count)
    }

    /// Whether nobody does.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lends those whom a message concerns, in order, while the rest of the broker is worked on.
    #[inline]
    pub(crate) fn lend(&mut self, message: &Message, chosen: &mut Vec<Member>) -> Vec<Member> {
        if self.selective.is_none() {
            return std::mem::take(&mut self.open);
        }
        self.listeners(message, chosen);
        std::mem::take(chosen)
    }

    /// Takes back what it lent.
    #[inline]
    pub(crate) fn take_back(&mut self, lent: Vec<Member>, chosen: &mut Vec<Member>) {
        if self.selective.is_none() {
            debug_assert!(self.open.is_empty());
            self.open = lent;
        } else {
            *chosen = lent;
        }
    }

    /// Those without a selector, in order.
    #[inline]
    pub(crate) fn open(&self) -> &[Member] {
        &self.open
    }

    /// Everybody, in order.
    pub(crate) fn everybody(&self) -> Vec<u32> {
        let selective = self.selective.iter().flat_map(|selective| selective.members.iter().flatten());
        let mut members: Vec<Member> = self.open.iter().chain(selective).copied().collect();
        members.sort_unstable();
        members.into_iter().map(|member| member.id).collect()
    }

    /// Everybody, in no order that means anything.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        let selective = self.selective.iter().flat_map(|selective| selective.members.iter().flatten());
        self.open.iter().chain(selective).map(|member| member.id)
    }

    /// Finds those with a selector that wants a message, in order.
    pub(crate) fn select(&self, message: &Message, redeliveries: u32, effort: &mut Effort, chosen: &mut Vec<Member>) {
        chosen.clear();
        let Some(selective) = &self.selective else { return };
        let members = &selective.members;
        selective.index.wanting(message, redeliveries, effort, |number| {
            for member in &members[number as usize] {
                chosen.push(*member);
            }
        });
        if chosen.len() > 1 {
            chosen.sort_unstable();
        }
    }

    /// Those whom a message concerns, in order. `chosen` holds them where that are not all.
    #[inline]
    pub(crate) fn listeners<'a>(&'a self, message: &Message, chosen: &'a mut Vec<Member>) -> &'a [Member] {
        if self.selective.is_none() {
            return &self.open;
        }
        self.select(message, 0, &mut Effort::default(), chosen);
        if !self.open.is_empty() {
            chosen.extend_from_slice(&self.open);
            chosen.sort_unstable();
        }
        chosen
    }

    /// Whether a message concerns anybody.
    pub(crate) fn is_wanted(&self, message: &Message) -> bool {
        let mut wanted = !self.open.is_empty();
        if let Some(selective) = self.selective.as_ref().filter(|_| !wanted) {
            selective.index.wanting(message, 0, &mut Effort::default(), |_| wanted = true);
        }
        wanted
    }
}

/// The members of two lists that are in order, in order.
pub(crate) fn in_order<'m>(mut one: &'m [Member], mut other: &'m [Member]) -> impl Iterator<Item = Member> + 'm {
    std::iter::from_fn(move || {
        let list = match (one.first(), other.first()) {
            (Some(first), Some(second)) if second < first => &mut other,
            (None, _) => &mut other,
            (Some(_), _) => &mut one,
        };
        let (first, rest) = list.split_first()?;
        *list = rest;
        Some(*first)
    })
}

/// As `in_order`, beginning with the first that stands at `turn` or behind, and ending with those before.
pub(crate) fn in_turn<'m>(one: &'m [Member], other: &'m [Member], turn: Standing) -> impl Iterator<Item = Member> + 'm {
    let split = |list: &'m [Member]| list.split_at(list.partition_point(|member| member.standing < turn));
    let ((one_before, one), (other_before, other)) = (split(one), split(other));
    in_order(one, other).chain(in_order(one_before, other_before))
}

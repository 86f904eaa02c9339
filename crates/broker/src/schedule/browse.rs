//! Tells a client what is scheduled: a copy of each job's message goes to the destination that it named.
//!
//! A schedule may have a million jobs and an answer's destination room for a few: an answer goes on with every tick, as
//! far as there is room. It has the jobs that were there when it was asked for and that are still there in their turn.

use super::{DueKey, NOBODY};
use crate::broker::{Broker, Step, refusal};
use crate::router::{Leaf, Route};
use ferrymq_model::{Address, DeliveryMode, Destination, Message, MessageId, Refusal, RefusalKind};
use std::sync::Arc;

/// Answers that are under way at a time.
const BROWSES_MAX: usize = 64;
/// Jobs that one step looks at for each answer.
const BROWSED_PER_STEP_MAX: usize = 256;
/// `JMSType` of an answer, as in ActiveMQ.
const ANSWER_KIND: &str = "Advisory";

/// Room for numbers of answers within a millisecond, in bits.
const ANSWERS_PER_MS_BITS: u32 = 10;

/// An answer that is under way.
#[derive(Debug)]
pub(crate) struct Browse {
    reply_to: Arc<Destination>,
    /// The next job, or where it would be.
    next: DueKey,
    /// The last time that is meant. Milliseconds.
    through: u64,
    /// Occurrences from this one on came after the question.
    before: u64,
}

/// What a step did for an answer.
enum Went {
    /// There is more to tell.
    On,
    /// Everything is told, or nobody is there to hear it.
    Done,
}

impl Browse {
    /// An answer about what is due from one time through another.
    pub(super) fn new(reply_to: Destination, from: u64, through: u64, before: u64) -> Self {
        Self { reply_to: Arc::new(reply_to), next: (from, 0), through, before }
    }
}

impl Broker {
    /// Begins an answer.
    pub(super) fn browse_jobs(&mut self, browse: Browse, step: &mut Step<'_>) -> Result<(), Refusal> {
        if self.jobs.browses.len() >= BROWSES_MAX {
            let text = format!("at most {BROWSES_MAX} answers about the schedule are under way at a time");
            return Err(refusal(RefusalKind::LimitReached, text));
        }
        self.answer_route(&browse.reply_to)?;
        self.jobs.browses.push(browse);
        self.browse_jobs_on(step);
        Ok(())
    }

    /// Goes on with every answer.
    pub(crate) fn browse_jobs_on(&mut self, step: &mut Step<'_>) {
        for mut browse in std::mem::take(&mut self.jobs.browses) {
            match self.browse_on_one(&mut browse, step) {
                Went::On => self.jobs.browses.push(browse),
                Went::Done => {}
            }
        }
    }

    fn browse_on_one(&mut self, browse: &mut Browse, step: &mut Step<'_>) -> Went {
        let Ok(leaves) = self.answer_route(&browse.reply_to) else { return Went::Done };
        for _ in 0..BROWSED_PER_STEP_MAX {
            let mut ahead = self.jobs.index.range(browse.next..=(browse.through.max(browse.next.0), u64::MAX));
            let Some((&key, job)) = ahead.next().filter(|((due, _), _)| *due <= browse.through) else {
                return Went::Done;
            };
            if job.sequence < browse.before {
                let Some(message) = job.message.clone() else {
                    self.fetch_jobs_from(key, browse.through, step);
                    return Went::On;
                };
                if !self.has_room_for_due(&leaves) {
                    return Went::On;
                }
                let id = self.answer_id(step);
                let answer = Arc::new(answer(&message, &browse.reply_to, id));
                if self.publish(NOBODY, &answer, &leaves, false, step).is_err() {
                    return Went::On;
                }
                if self.is_paging_jobs() && key.0 > step.now.wall.0 {
                    self.forget_job_message(key);
                }
            }
            browse.next = (key.0, key.1.saturating_add(1));
        }
        Went::On
    }

    /// Unique over restarts, too: answers of one millisecond are counted, and those of a later one begin higher.
    fn answer_id(&mut self, step: &Step<'_>) -> MessageId {
        self.jobs.last_answer = (self.jobs.last_answer + 1).max(step.now.wall.0 << ANSWERS_PER_MS_BITS);
        let producer = Arc::from(format!("{}:1:0", self.jobs.prefix(step.journal)));
        MessageId { producer, sequence: self.jobs.last_answer }
    }

    fn answer_route(&mut self, reply_to: &Arc<Destination>) -> Result<Vec<Leaf>, Refusal> {
        match self.resolve(&Address { leaves: vec![Arc::clone(reply_to)] }) {
            Route::One(place) => Ok(vec![(place, None)]),
            Route::Many(leaves) => Ok(leaves.to_vec()),
            Route::Refused(refusal) => Err(*refusal),
            Route::Management => Err(refusal(RefusalKind::InvalidDestination, "the management topic takes no answers")),
        }
    }
}

/// A copy of a job's message: its properties say when it is due.
fn answer(message: &Message, reply_to: &Arc<Destination>, id: MessageId) -> Message {
    let mut answer = message.clone();
    let header = &mut answer.header;
    let annotations = header.annotations.get_or_insert_default();
    annotations.original_destination = Some(std::mem::replace(&mut header.destination, Arc::clone(reply_to)));
    annotations.kind = Some(Arc::from(ANSWER_KIND));
    header.mode = DeliveryMode::NonPersistent;
    header.expiration = None;
    header.id = id;
    answer
}

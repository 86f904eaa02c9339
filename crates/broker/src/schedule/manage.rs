//! The topic by which clients of every protocol see and change the schedule: `ActiveMQ.Scheduler.Management`.
//!
//! A message to it asks with its properties (apache/activemq, `ScheduledMessage.java`, `SchedulerBroker.send`):
//!
//! | `AMQ_SCHEDULER_ACTION` | beside it | what happens |
//! |---|---|---|
//! | `BROWSE` | a reply-to | one message a job goes there |
//! | `REMOVE` | `scheduledJobId` | the job goes; one that is not there is no error |
//! | `REMOVEALL` | | every job goes |
//!
//! `ACTION_START_TIME` and `ACTION_END_TIME`, both in milliseconds since 1970 and both included, restrict `BROWSE` and
//! `REMOVEALL` to what is due between them. A message without an action asks for nothing.

use super::{Browse, DueKey};
use crate::broker::{Broker, Step, journal_stopped, refusal};
use ferrymq_model::schedule::SCHEDULED_ID;
use ferrymq_model::selector::Operand;
use ferrymq_model::{Destination, Message, Refusal, RefusalKind, SessionId};
use ferrymq_storage::{Record, Urgency};

/// The topic's name; upper and lower case are alike.
pub(crate) const MANAGEMENT: &str = "ActiveMQ.Scheduler.Management";

const ACTION: &str = "AMQ_SCHEDULER_ACTION";
const START_TIME: &str = "ACTION_START_TIME";
const END_TIME: &str = "ACTION_END_TIME";

/// Whether it can be understood what a message to the management topic asks.
pub(super) fn check_management(message: &Message) -> Result<(), Refusal> {
    action(message).map(|_| ())
}

/// Whether messages to this destination manage the schedule.
pub(crate) fn is_management(destination: &Destination) -> bool {
    destination.name.eq_ignore_ascii_case(MANAGEMENT) && !destination.kind.is_temporary()
}

/// What a message asks.
enum Action {
    Nothing,
    Browse(Destination, (u64, u64)),
    Remove(String),
    RemoveAll((u64, u64)),
}

impl Broker {
    /// Does what a message to the management topic asks.
    pub(crate) fn manage_schedule(
        &mut self,
        session: SessionId,
        message: &Message,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        match action(message)? {
            Action::Nothing => Ok(()),
            Action::Browse(reply_to, (from, through)) => {
                let browse = Browse::new(reply_to, from, through, self.jobs.next_sequence);
                self.browse_jobs(browse, step)
            }
            Action::Remove(id) => {
                let number = self.jobs.number_of(&id, step.journal);
                let due = number.and_then(|number| Some((*self.jobs.due_of.get(&number)?, number)));
                self.remove_jobs(session, due.into_iter().collect(), step)
            }
            Action::RemoveAll((from, through)) => {
                let keys = self.jobs.index.range((from, 0)..=(through, u64::MAX)).map(|(key, _)| *key).collect();
                self.remove_jobs(session, keys, step)
            }
        }
    }

    fn remove_jobs(&mut self, session: SessionId, keys: Vec<DueKey>, step: &mut Step<'_>) -> Result<(), Refusal> {
        if keys.is_empty() {
            return Ok(());
        }
        if self.failed {
            return Err(journal_stopped());
        }
        let mut gone: Vec<_> = keys.into_iter().map(|key| self.take_job(key)).collect();
        gone.sort_unstable_by_key(|job| job.sequence);
        let store = self.jobs.store.expect("the schedule is defined where it has jobs");
        let mut unit = step.journal.begin();
        for run in gone.chunk_by(|a, b| a.sequence + 1 == b.sequence) {
            let (first, last) = (run[0].sequence, run[run.len() - 1].sequence);
            unit.add(&Record::Remove { store, first, last });
        }
        let lsn = unit.commit(Urgency::Lazy);
        for job in &gone {
            step.journal.released(job.stored);
        }
        self.note_lsn(session, lsn);
        self.resume_schedule(step);
        Ok(())
    }
}

fn action(message: &Message) -> Result<Action, Refusal> {
    let action = match property(message, ACTION) {
        Operand::Null => return Ok(Action::Nothing),
        Operand::Text(action) => action,
        Operand::Bool(_) | Operand::Integer(_) | Operand::Double(_) => return Err(unknown(ACTION, "is not text")),
    };
    match &*action {
        "BROWSE" => match message.annotations().and_then(|annotations| annotations.reply_to.clone()) {
            Some(reply_to) => Ok(Action::Browse(reply_to, range(message)?)),
            None => Err(unknown("BROWSE", "needs a reply-to")),
        },
        "REMOVE" => match property(message, SCHEDULED_ID) {
            Operand::Text(id) => Ok(Action::Remove(id.into_owned())),
            Operand::Null | Operand::Bool(_) | Operand::Integer(_) | Operand::Double(_) => {
                Err(unknown("REMOVE", "needs a scheduledJobId"))
            }
        },
        "REMOVEALL" => Ok(Action::RemoveAll(range(message)?)),
        _ => Err(unknown(ACTION, "is neither BROWSE nor REMOVE nor REMOVEALL")),
    }
}

/// The times that are meant; every time where they are not both given.
fn range(message: &Message) -> Result<(u64, u64), Refusal> {
    match (time(message, START_TIME)?, time(message, END_TIME)?) {
        (Some(start), Some(end)) if start <= end => Ok((start, end)),
        (Some(_), Some(_)) => Err(unknown(END_TIME, "is before ACTION_START_TIME")),
        (Some(_) | None, None) | (None, Some(_)) => Ok((0, u64::MAX)),
    }
}

fn time(message: &Message, name: &str) -> Result<Option<u64>, Refusal> {
    let number = match property(message, name) {
        Operand::Null => return Ok(None),
        Operand::Integer(number) => u64::try_from(number).ok(),
        Operand::Text(text) => text.trim().parse().ok(),
        Operand::Bool(_) | Operand::Double(_) => None,
    };
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(unknown(name, "is not a time in milliseconds")),
    }
}

fn unknown(what: &str, why: &str) -> Refusal {
    refusal(RefusalKind::Unknown, format!("{what} {why}"))
}

/// A property; what a broker added hides what the producer wrote.
fn property<'m>(message: &'m Message, name: &str) -> Operand<'m> {
    let added =
        message.annotations().and_then(|annotations| annotations.added.iter().find(|(added, _)| **added == *name));
    match added {
        Some((_, value)) => Operand::from(value),
        None => message.dialect.property(message, name),
    }
}

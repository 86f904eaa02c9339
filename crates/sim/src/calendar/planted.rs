//! Bugs of the schedule, to prove that the campaign sees them.

use super::{Campaign, DUE, Done, text};
use crate::client::queue;
use crate::host::Defect;
use crate::random::Random;
use ferrymq_model::{Annotations, Message, MessageId, Request, Schedule};
use std::sync::Arc;

/// A bug.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CalendarBug {
    /// What repeats for ever ends.
    EndsForever,
    /// Some starts by the calendar are left out.
    SkipsStarts,
    /// It repeats faster than it shall.
    Hurries,
    /// What was missed is made up for.
    MakesUpForMissed,
    /// A removal is confirmed, and the message still comes.
    KeepsRemoved,
    /// What is rolled back is scheduled.
    SchedulesRolledBack,
    /// A restart forgets the schedule.
    ForgetsSchedule,
    /// A restart brings an occurrence once more.
    BringsAgain,
}

/// Every such bug.
pub const CALENDAR_BUGS: [CalendarBug; 8] = [
    CalendarBug::EndsForever,
    CalendarBug::SkipsStarts,
    CalendarBug::Hurries,
    CalendarBug::MakesUpForMissed,
    CalendarBug::KeepsRemoved,
    CalendarBug::SchedulesRolledBack,
    CalendarBug::ForgetsSchedule,
    CalendarBug::BringsAgain,
];

/// The step in which a broker that makes up for everything looks at the clock. Milliseconds.
const HURRIED_MS: u64 = 200;

impl CalendarBug {
    pub(super) fn acts_at_restart(self) -> bool {
        matches!(self, Self::ForgetsSchedule | Self::BringsAgain)
    }

    fn change(self, schedule: &mut Schedule) {
        match self {
            Self::EndsForever if schedule.repeat < 0 => schedule.repeat = 2,
            Self::SkipsStarts if schedule.cron.is_some() => schedule.cron = Some(Arc::from("*/4 * * * *")),
            Self::Hurries => schedule.period_ms /= 2,
            _ => {}
        }
    }
}

impl Defect for CalendarBug {
    fn on_request(self, mut request: Request, _random: &mut Random) -> Option<Request> {
        match (self, &mut request) {
            (Self::EndsForever | Self::SkipsStarts | Self::Hurries, Request::Send { message, .. }) => {
                let mut changed = Message::clone(message);
                let annotations = changed.header.annotations.as_mut();
                if let Some(schedule) = annotations.and_then(|it| it.schedule.as_deref_mut()) {
                    self.change(schedule);
                }
                *message = Arc::new(changed);
            }
            (Self::KeepsRemoved, Request::Send { message, confirm: Some(confirm), .. })
                if message.header.destination.kind.is_topic() =>
            {
                return Some(Request::Confirm { confirm: *confirm });
            }
            (Self::SchedulesRolledBack, Request::Rollback { transaction, confirm }) => {
                return Some(Request::Commit { transaction: *transaction, confirm: *confirm });
            }
            _ => {}
        }
        Some(request)
    }
}

impl Campaign {
    /// What a bug does when the node is up again.
    pub(super) fn misbehave(&mut self) -> Done<()> {
        if self.host.bug == Some(CalendarBug::ForgetsSchedule) {
            return self.manage(vec![text("AMQ_SCHEDULER_ACTION", "REMOVEALL")]);
        }
        let Some(last) = self.series.iter().rposition(|series| !series.seen.is_empty()) else { return Ok(()) };
        let added = vec![text("scheduledJobId", "again")];
        let mut again = self.message(queue(DUE), last as u64 + 1, Annotations { added, ..Annotations::default() });
        again.header.id = MessageId { producer: Arc::from("ID:again"), sequence: u64::from(self.host.crashes) };
        self.send(&Arc::new(again), false)
    }

    /// Time passes in small steps, as if nothing could be missed.
    pub(super) fn hurry(&mut self, millis: u64) -> Result<(), String> {
        let end = self.host.now.wall.0 + millis;
        while self.host.now.wall.0 < end {
            let step = HURRIED_MS.min(end - self.host.now.wall.0);
            self.host.now.wall.0 += step;
            self.host.now.mono.0 += step;
            self.insist(|it| it.host.tick())?;
        }
        Ok(())
    }
}

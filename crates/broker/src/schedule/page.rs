//! Messages that wait for their time leave memory when there are many, and come back when they are due.

use super::{DueKey, Job};
use crate::broker::{Broker, Step};
use crate::session::Full;
use ferrymq_storage::Lsn;
use ferrymq_storage::journal::{Fetch, Fetched};
use std::sync::Arc;

/// The part of a memory limit from which on messages leave memory.
const PAGING_PERCENT: usize = 50;
/// Jobs that are being read at a time.
const FETCHES_MAX: usize = 256;
/// Bytes that are being read at a time, beyond the first message.
const FETCH_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Broker {
    /// Whether the schedule keeps no more messages in memory than it has.
    pub(super) fn is_paging_jobs(&self) -> bool {
        self.jobs.memory >= self.settings.destination_memory_limit_bytes / 100 * PAGING_PERCENT
            || self.memory >= self.settings.memory_limit_bytes / 100 * PAGING_PERCENT
    }

    /// Notes that a job shall leave memory as soon as it is durable.
    pub(super) fn plan_job_page_out(&mut self, key: DueKey, lsn: Lsn) {
        if self.is_paging_jobs() {
            self.jobs.page_out.push_back((lsn, key));
        }
    }

    /// Lets jobs leave memory that are durable now.
    pub(crate) fn page_out_jobs(&mut self, step: &mut Step<'_>) {
        while let Some(&(lsn, key)) = self.jobs.page_out.front() {
            if lsn > self.flushed {
                break;
            }
            self.jobs.page_out.pop_front();
            if self.is_paging_jobs() {
                self.forget_job_message(key);
            }
        }
        self.resume_schedule(step);
    }

    /// Lets the message of a durable job leave memory.
    pub(super) fn forget_job_message(&mut self, key: DueKey) {
        let flushed = self.flushed;
        let Some(job) = self.jobs.index.get_mut(&key).filter(|job| job.lsn <= flushed) else { return };
        let bytes = job.resident();
        job.message = None;
        self.jobs.memory -= bytes;
        self.memory -= bytes;
    }

    /// Lets producers go on that wait for the schedule, if it has room again.
    pub(super) fn resume_schedule(&mut self, step: &mut Step<'_>) {
        if !self.jobs.paused.is_empty() {
            self.resume_if_free(Full::Schedule, step);
        }
        if !self.paused.is_empty() {
            self.resume_if_free(Full::Broker, step);
        }
    }

    /// Asks for the messages of what is due first.
    pub(super) fn fetch_due_jobs(&mut self, step: &mut Step<'_>) {
        // Most of what was asked for is here before more is: a step does not look at the same jobs again and again.
        if self.jobs.fetching.len() < FETCHES_MAX / 2 {
            self.fetch_jobs_from((0, 0), step.now.wall.0, step);
        }
    }

    /// Asks for the messages of jobs from a place in the index on, up to a time.
    pub(super) fn fetch_jobs_from(&mut self, first: DueKey, through_ms: u64, step: &mut Step<'_>) {
        let Some(store) = self.jobs.store else { return };
        let mut bytes = 0;
        for (&key, job) in self.jobs.index.range(first..=(through_ms, u64::MAX)).take(FETCHES_MAX) {
            if self.jobs.fetching.len() >= FETCHES_MAX || bytes > FETCH_BYTES_MAX {
                return;
            }
            if job.message.is_some() || self.jobs.fetching.contains_key(&job.sequence) {
                continue;
            }
            self.jobs.fetching.insert(job.sequence, key);
            bytes += job.size as usize;
            step.out.fetches.push(Fetch { placement: job.placement(store), at: job.stored });
        }
    }

    /// Takes messages of jobs that were read. One that could not be read is asked for again with the next tick; what
    /// waits behind it does not wait for it.
    pub(crate) fn take_fetched_jobs(&mut self, read: &[Fetched], step: &mut Step<'_>) {
        for Fetched { fetch, message } in read {
            let Some(key) = self.jobs.fetching.remove(&fetch.placement.sequence) else { continue };
            let job = self.jobs.index.get_mut(&key).expect("a job that leaves is not being read any more");
            match message {
                Ok(message) => {
                    job.message = Some(Arc::clone(message));
                    let bytes = Job::resident(job);
                    self.jobs.memory += bytes;
                    self.memory += bytes;
                }
                // The reader's error is in the log.
                Err(_) => self.postpone(key, step.now.wall),
            }
        }
        self.bring_due(step);
        self.browse_jobs_on(step);
    }
}

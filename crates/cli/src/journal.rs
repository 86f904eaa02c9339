//! `ferrymq journal`: checks and prints the journal of a data directory, without a broker and without changing it.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ferrymq_server::DIALECTS;
use ferrymq_storage::disk::Disk;
use ferrymq_storage::disk::os::OsDiskReader;
use ferrymq_storage::inspect::{self, Item, RecordItem, Verdict};
use ferrymq_storage::record::Record;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::control::ControlArgs;
use crate::output::{self, Failure};

/// What to do with the journal.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Read everything and tell whether a broker would start with it; exit code 4 if not
    Check(Where),
    /// Print every record
    Print(Where),
}

/// Which journal.
#[derive(Args, Debug)]
struct Where {
    #[command(flatten)]
    data: ControlArgs,
    /// Print JSON, for `print` a line for each record
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    output::finish(match &arguments.action {
        Action::Check(place) => check(place),
        Action::Print(place) => print(place),
    })
}

impl Where {
    fn open(&self) -> Result<(OsDiskReader, PathBuf), Failure> {
        let directory = self.data.data()?;
        let doing = format!("cannot read the journal in {}", directory.display());
        if !directory.is_dir() {
            return Err(Failure::Failed(format!("{doing}: there is no such directory")));
        }
        let failed = |error| Failure::because(&doing, error);
        let mut disk = OsDiskReader::open(&directory).map_err(failed)?;
        if disk.list().map_err(failed)?.is_empty() {
            return Err(Failure::Failed(format!("there is no journal in {}", directory.display())));
        }
        Ok((disk, directory))
    }
}

/// What a check counts.
#[derive(Serialize, Default, Debug, PartialEq, Eq)]
struct Summary {
    sound: bool,
    segments: u64,
    bytes: u64,
    records: u64,
    /// Records that were written and do not count: their unit was never finished.
    unfinished: u64,
    messages: u64,
    last_lsn: Option<u64>,
    /// What a recovery would stop with.
    damage: Option<String>,
}

fn check(place: &Where) -> Result<(), Failure> {
    let (mut disk, directory) = place.open()?;
    let mut summary = Summary { bytes: total(&mut disk)?, ..Summary::default() };
    let progress = progress(summary.bytes);
    let verdict = inspect::inspect(&mut disk, DIALECTS, &mut |item| {
        summary.count(&item);
        if let Item::Record(record) = item {
            progress.inc(u64::from(record.bytes));
        }
    });
    progress.finish_and_clear();
    let verdict = verdict.map_err(|error| Failure::because("cannot read the journal", error))?;
    summary.conclude(&verdict);
    if place.json {
        output::json(&summary)?;
    } else {
        output::raw(summary.text(&directory.display().to_string()).as_bytes())?;
    }
    outcome(summary.damage)
}

fn print(place: &Where) -> Result<(), Failure> {
    let (mut disk, _) = place.open()?;
    let mut printed = Ok(());
    let verdict = inspect::inspect(&mut disk, DIALECTS, &mut |item| {
        if printed.is_ok() {
            printed = if place.json { output::json(&Line::of(&item)) } else { output::line(line(&item)) };
        }
    });
    printed?;
    let mut summary = Summary::default();
    summary.conclude(&verdict.map_err(|error| Failure::because("cannot read the journal", error))?);
    outcome(summary.damage)
}

fn outcome(damage: Option<String>) -> Result<(), Failure> {
    damage.map_or(Ok(()), |damage| Err(Failure::Damaged(damage)))
}

fn total(disk: &mut dyn Disk) -> Result<u64, Failure> {
    inspect::total_bytes(disk).map_err(|error| Failure::because("cannot read the journal", error))
}

fn progress(bytes: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}");
    ProgressBar::new(bytes).with_style(style.expect("the template is a constant"))
}

impl Summary {
    fn count(&mut self, item: &Item<'_>) {
        match item {
            Item::Segment(_) => self.segments += 1,
            Item::Record(record) => {
                self.records += 1;
                self.messages += u64::from(matches!(record.record(), Some(Record::Store { .. } | Record::Held { .. })));
            }
            Item::Blank { .. } | Item::Stop { .. } => {}
        }
    }

    fn conclude(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Sound { last, unfinished } => {
                self.sound = true;
                self.last_lsn = Some(last.0);
                self.unfinished = *unfinished;
            }
            Verdict::Stopped(error) => self.damage = Some(error.to_string()),
        }
    }

    fn text(&self, directory: &str) -> String {
        let group = output::grouped;
        let mut text = format!(
            "{directory}: {} segments, {} bytes, {} records, {} of them messages\n",
            group(self.segments),
            group(self.bytes),
            group(self.records),
            group(self.messages),
        );
        if let Some(last) = self.last_lsn {
            let _infallible = writeln!(text, "sound up to record {}", group(last));
        }
        if self.unfinished > 0 {
            let count = group(self.unfinished);
            let _infallible = writeln!(text, "{count} records of an unfinished unit at the end do not count");
        }
        text
    }
}

/// One line of `print --json`.
#[derive(Serialize)]
#[serde(tag = "item", rename_all = "snake_case")]
enum Line {
    Segment { segment: u32, size: u32, epoch: u64, first_lsn: u64, previous: u32 },
    Blank { segment: u32 },
    Record { segment: u32, offset: u64, lsn: u64, bytes: u32, kind: &'static str, ends_unit: bool, text: String },
    Stop { segment: u32, offset: u32, what: Option<&'static str> },
}

impl Line {
    fn of(item: &Item<'_>) -> Line {
        match item {
            Item::Segment(segment) => Line::Segment {
                segment: segment.segment,
                size: segment.size,
                epoch: segment.epoch,
                first_lsn: segment.first_lsn.0,
                previous: segment.previous,
            },
            Item::Blank { segment } => Line::Blank { segment: *segment },
            Item::Record(record) => Line::Record {
                segment: record.at.segment,
                offset: u64::from(record.at.offset),
                lsn: record.lsn.0,
                bytes: record.bytes,
                kind: record.kind(),
                ends_unit: record.ends_unit,
                text: printable(record),
            },
            Item::Stop { segment, offset, what } => Line::Stop { segment: *segment, offset: *offset, what: *what },
        }
    }
}

/// One line of `print`.
fn line(item: &Item<'_>) -> String {
    match item {
        Item::Segment(segment) => format!(
            "segment {} of {} bytes, epoch {}, from record {}",
            segment.segment, segment.size, segment.epoch, segment.first_lsn.0
        ),
        Item::Blank { segment } => format!("segment {segment} is empty"),
        Item::Record(record) => {
            let unit = if record.ends_unit { '.' } else { '+' };
            format!("{:>10}{unit} {:<9} {}", record.lsn.0, record.kind(), printable(record))
        }
        Item::Stop { segment, offset, what: None } => format!("segment {segment} ends at byte {offset}"),
        Item::Stop { segment, offset, what: Some(what) } => format!("segment {segment} ends at byte {offset}: {what}"),
    }
}

/// What a record says, without what could move a terminal's cursor.
fn printable(record: &RecordItem<'_>) -> String {
    record.to_string().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_decides_the_outcome() {
        let mut sound = Summary::default();
        sound.conclude(&Verdict::Sound { last: ferrymq_storage::Lsn(7), unfinished: 2 });
        assert!(sound.text("d").contains("sound up to record 7"), "{sound:?}");
        assert!(sound.text("d").contains("2 records of an unfinished unit"), "{sound:?}");
        assert!(outcome(sound.damage).is_ok());
        assert!(matches!(outcome(Some("torn".to_string())), Err(Failure::Damaged(_))));
    }
}

//! Processor time and memory of a process, from `/proc`.

use std::fs;
use std::time::Duration;

use crate::output::Failure;

/// Processor time in `/proc/PID/stat` is counted in hundredths of a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// A process as it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Processor time of all its threads, in user and system mode.
    pub(crate) processor: Duration,
    /// Memory that is resident now.
    pub(crate) resident_bytes: u64,
}

/// Looks at a process; `None` stands for this one.
pub(crate) fn usage(pid: Option<u32>) -> Result<Usage, Failure> {
    let folder = pid.map_or_else(|| "/proc/self".to_string(), |pid| format!("/proc/{pid}"));
    let read = |file: &str| {
        fs::read_to_string(format!("{folder}/{file}"))
            .map_err(|error| Failure::because(format_args!("cannot look at the process in {folder}"), error))
    };
    let unknown = || Failure::Failed(format!("{folder} has an unknown form"));
    let processor = processor(&read("stat")?).ok_or_else(unknown)?;
    let resident_bytes = resident(&read("status")?).ok_or_else(unknown)?;
    Ok(Usage { processor, resident_bytes })
}

/// Fields 14 and 15, counted behind the name, which may hold spaces and brackets.
fn processor(stat: &str) -> Option<Duration> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user.checked_add(system)?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 90 0 1 0 250 17 0 0 20 0 3 0 100 1000 200";
        assert_eq!(processor(stat), Some(Duration::from_millis(2670)));
        assert_eq!(processor("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_memory_and_one_that_is_not_there_is_an_error() {
        assert!(usage(None).is_ok_and(|usage| usage.resident_bytes > 0));
        assert!(usage(Some(u32::MAX)).is_err());
    }
}

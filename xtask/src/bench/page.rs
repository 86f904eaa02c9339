//! The table of a run, with what must be known to read it.

use super::contender::Contender;
use super::figures::{Row, Spread};
use super::stillness::{Stillness, Withheld};
use crate::shell;
use std::error::Error;
use std::fmt::Write;
use std::process::Command;

pub(super) fn markdown(
    rows: &[Row],
    contenders: &[Contender],
    withheld: &Withheld,
    repeats: u32,
    seconds: u32,
) -> Result<String, Box<dyn Error>> {
    let mut page = String::from("# Results of the standard workloads\n\n");
    let commit = shell::read(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(shell::root()))?;
    let date = shell::read(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M"]))?;
    writeln!(
        page,
        "Written by `cargo xtask bench` on {} UTC at commit {}. {}\n",
        date.trim(),
        commit.trim(),
        machine()
    )?;
    writeln!(
        page,
        "{repeats} repeats of {seconds} s, interleaved; generator and brokers share the machine. Cells are minimum / \
         median / maximum of the repeats, percentiles and memory the median. Percentiles are to the receipt where \
         receipts are asked for, else from the scheduled sending to the consumer. What is measured and how: \
         `docs/bench/README.md`.\n\n![rates](rates.svg)\n![costs](costs.svg)\n"
    )?;
    writeln!(page, "{}\n", of_machine(withheld))?;
    page.push_str(
        "| workload | broker | deliveries/s | broker µs/message | p50 / p99 / p99.9 µs | memory MB | missing |\n",
    );
    page.push_str("|---|---|---|---|---|---|---|\n");
    for row in rows {
        let rate = cell(row.spread(|run| Some(run.rate)), 0);
        let cost = cell(row.spread(|run| run.cost_us), 2);
        let (p50, p99) = (median(row.spread(|run| run.p50_us)), median(row.spread(|run| run.p99_us)));
        let p999 = median(row.spread(|run| run.p999_us));
        let memory = median(row.spread(|run| run.resident.map(|bytes| bytes / 1e6)));
        let missing: u64 = row.runs.iter().map(|run| run.missing).sum();
        let (workload, broker) = (&row.workload, &row.broker);
        writeln!(page, "| {workload} | {broker} | {rate} | {cost} | {p50} / {p99} / {p999} | {memory} | {missing} |")?;
    }
    page.push_str("\n| broker | start to first handshake | memory then, MB |\n|---|---|---|\n");
    for Contender { name, started_in, idle_bytes, .. } in contenders {
        writeln!(page, "| {name} | {started_in:.0?} | {:.0} |", *idle_bytes as f64 / 1e6)?;
    }
    page.push_str(
        "\nThe start of a Java broker includes the shell that starts it, and on its first run its download.\n",
    );
    Ok(page)
}

/// What no broker is to blame for.
fn of_machine(withheld: &Withheld) -> String {
    let beside =
        |figure: fn(&Stillness) -> f64, digits| cell(Spread::of(withheld.beside.iter().map(figure).collect()), digits);
    format!(
        "Withheld by the machine: {} before any broker was started; before the repeats, beside the idle brokers, {} % of the \
         time, p99 {} µs, p99.9 {} µs. These are the percentiles of a program that takes no time itself.",
        withheld.alone,
        beside(|one| one.share, 2),
        beside(|one| one.p99_us, 0),
        beside(|one| one.p999_us, 0),
    )
}

fn cell(spread: Option<Spread>, digits: usize) -> String {
    let number = |value: f64| if digits == 0 { grouped(value) } else { format!("{value:.digits$}") };
    spread.map_or("-".to_owned(), |spread| {
        format!("{} / **{}** / {}", number(spread.least), number(spread.median), number(spread.most))
    })
}

fn median(spread: Option<Spread>) -> String {
    spread.map_or("-".to_owned(), |spread| grouped(spread.median))
}

/// A whole number with its thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What the machine is, as far as it tells.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": an unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores, {}, Linux {}.", model.trim_start_matches(['\t', ' ', ':']), kernel.trim())
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_stand_apart() {
        assert_eq!(super::grouped(1_234_567.4), "1,234,567");
        assert_eq!(super::grouped(12.0), "12");
    }
}

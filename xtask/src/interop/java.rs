//! The JMS suite of `interop/java`, once with each generation of the ActiveMQ client, and the table of what passed.

use crate::java_apps;
use crate::shell::{self, Outcome};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;

/// What Maven is told for a generation, and the folder under `target` where it leaves its counts.
const GENERATIONS: [(&str, &[&str]); 2] = [("client5", &["-Pclient5"]), ("client6", &[])];

/// The page that says what passed; held against each run.
const PAGE: &str = "docs/conformance/openwire.md";

/// Tests of one area with one client.
#[derive(Clone, Copy, Default)]
struct Count {
    passed: u32,
    failed: u32,
    /// Named in `outstanding.txt`: known not to pass, not run.
    outstanding: u32,
}

/// Runs the suite with both clients; fails where a test fails or the page tells something else than the run.
pub(super) fn run(folder: &Path, binary: &Path) -> Outcome {
    java_apps::set_up()?;
    let mut areas: BTreeMap<String, [Count; GENERATIONS.len()]> = BTreeMap::new();
    let mut failed = false;
    for (column, (generation, profile)) in GENERATIONS.iter().enumerate() {
        let counts = folder.join("target").join(generation).join("areas.txt");
        if counts.exists() {
            std::fs::remove_file(&counts)?;
        }
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", "test"]).args(*profile).current_dir(folder).env("FERRYMQ_BIN", binary);
        failed |= shell::run(&mut maven).is_err();
        for (area, count) in read_counts(&counts)? {
            areas.entry(area).or_default()[column] = count;
        }
    }
    let rows: Vec<String> = areas.iter().map(|(area, counts)| row(area, counts)).collect();
    println!("| area | client 5 passed | client 6 passed |\n|---|---|---|\n{}", rows.join("\n"));
    for (area, counts) in &areas {
        for (count, (generation, _)) in counts.iter().zip(GENERATIONS) {
            if count.failed + count.outstanding > 0 {
                println!("{area}, {generation}: {} failed, {} outstanding", count.failed, count.outstanding);
            }
        }
    }
    if failed || areas.values().flatten().any(|count| count.failed > 0) {
        return Err("java: tests failed".into());
    }
    let page = std::fs::read_to_string(shell::root().join(PAGE))?;
    match rows.iter().find(|row| !page.contains(row.as_str())) {
        Some(row) => Err(format!("{PAGE} does not say what passed: {row}").into()),
        None => Ok(()),
    }
}

fn row(area: &str, counts: &[Count]) -> String {
    counts.iter().fold(format!("| {} |", area.to_lowercase()), |row, count| match count.passed {
        0 => format!("{row} – |"),
        passed => format!("{row} {passed} |"),
    })
}

/// Lines of area, passed, failed, outstanding, separated by tabs; the suite's listener writes them at its end.
fn read_counts(file: &Path) -> Result<Vec<(String, Count)>, Box<dyn Error>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("java: the suite left no counts: {error}"))?;
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [area, passed, failed, outstanding] = fields[..] else {
                return Err(format!("java: no line of counts: {line}").into());
            };
            let count = Count { passed: passed.parse()?, failed: failed.parse()?, outstanding: outstanding.parse()? };
            Ok((area.to_owned(), count))
        })
        .collect()
}

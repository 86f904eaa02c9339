//! Functions and files stay small enough to read; a short list of exceptions may only shrink.

use super::{Source, shown};
use crate::{shell, sources};
use std::collections::BTreeMap;
use std::error::Error;

/// Lines of a function, from `fn` to its brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file, its tests not counted.
const FILE_LINES_MAX: usize = 600;
/// Path, or path::function; lines; reason.
const EXCEPTIONS: &str = "tidy-exceptions.txt";

pub(super) fn check(sources: &[Source]) -> super::Findings {
    Ok(judge(&sizes(sources), &exceptions(&std::fs::read_to_string(shell::root().join(EXCEPTIONS))?)?))
}

/// Everything above its limit: name to lines.
fn sizes(sources: &[Source]) -> BTreeMap<String, usize> {
    let mut over = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let path = shown(&source.path);
        for function in sources::functions(&source.code) {
            if function.lines > FUNCTION_LINES_MAX {
                over.insert(format!("{path}::{}", function.name), function.lines);
            }
        }
        let lines = lines_without_tests(source);
        if lines > FILE_LINES_MAX {
            over.insert(path, lines);
        }
    }
    over
}

/// Comments count, tests do not. Tests keep their empty lines in `code`, so what is left is told by the text.
fn lines_without_tests(source: &Source) -> usize {
    let with_tests = sources::code_only(&source.text);
    let removed = with_tests.lines().zip(source.code.lines()).filter(|(with, without)| with != without).count();
    source.text.lines().count().saturating_sub(removed)
}

/// Name to allowed lines.
fn exceptions(text: &str) -> Result<BTreeMap<String, usize>, Box<dyn Error>> {
    let mut allowed = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut parts = line.splitn(3, ' ');
        let (name, lines, reason) = (parts.next(), parts.next(), parts.next());
        let (Some(name), Some(lines), Some(_reason)) = (name, lines, reason) else {
            return Err(format!("{EXCEPTIONS}: not \"path lines reason\": {line}").into());
        };
        allowed.insert(name.to_owned(), lines.parse()?);
    }
    Ok(allowed)
}

fn judge(over: &BTreeMap<String, usize>, allowed: &BTreeMap<String, usize>) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, lines) in over {
        match allowed.get(name) {
            None => findings.push(format!("{name}: {lines} lines, too long")),
            Some(limit) if lines > limit => findings.push(format!("{name}: {lines} lines, its exception says {limit}")),
            Some(limit) if lines < limit => {
                findings.push(format!("{name}: {lines} lines, lower its exception from {limit} in {EXCEPTIONS}"));
            }
            Some(_) => {}
        }
    }
    for name in allowed.keys().filter(|name| !over.contains_key(*name)) {
        findings.push(format!("{EXCEPTIONS}: {name} needs no exception any more, remove it"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, usize)]) -> BTreeMap<String, usize> {
        entries.iter().map(|&(name, lines)| (name.to_owned(), lines)).collect()
    }

    #[test]
    fn an_exception_may_only_shrink() {
        assert!(judge(&map(&[("a", 80)]), &map(&[("a", 80)])).is_empty());
        assert_eq!(judge(&map(&[("a", 81)]), &map(&[("a", 80)])).len(), 1, "grown");
        assert_eq!(judge(&map(&[("a", 79)]), &map(&[("a", 80)])).len(), 1, "to be lowered");
        assert_eq!(judge(&map(&[]), &map(&[("a", 80)])).len(), 1, "no longer needed");
        assert_eq!(judge(&map(&[("a", 80)]), &map(&[])).len(), 1, "without exception");
    }

    #[test]
    fn an_exception_gives_its_reason() {
        assert!(exceptions("crates/a/src/lib.rs 700").is_err());
        assert_eq!(exceptions("# why\n\na.rs 700 a table").expect("well formed"), map(&[("a.rs", 700)]));
    }
}

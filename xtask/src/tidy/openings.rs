//! Every crate opens with its purpose, its picture and its invariants, and forbids unsafe code.

use super::{Source, shown};

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let path = shown(&source.path);
        let library = path.starts_with("crates/") && path.ends_with("/src/lib.rs") && path.matches('/').count() == 3;
        let program = path == "crates/cli/src/main.rs" || path == "xtask/src/main.rs";
        if library || program {
            findings.extend(missing(&source.text, library).into_iter().map(|part| format!("{path}: {part}")));
        }
    }
    findings
}

/// What the opening of a crate lacks.
fn missing(text: &str, library: bool) -> Vec<&'static str> {
    let opening: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    let mut findings = Vec::new();
    if opening.first().is_none_or(|line| line.len() < "//! A purpose.".len()) {
        findings.push("opens without a purpose (`//!`)");
    }
    if library && !opening.iter().any(|line| line.contains("```text")) {
        findings.push("opens without a picture (```text)");
    }
    if library && !opening.iter().any(|line| line.contains("Invariants worth naming")) {
        findings.push("opens without \"Invariants worth naming\"");
    }
    if !text.contains("#![forbid(unsafe_code)]") {
        findings.push("does not forbid unsafe code");
    }
    findings
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_empty_opening_lacks_everything() {
        assert_eq!(super::missing("fn main() {}", true).len(), 4);
        assert_eq!(super::missing("//! Decides where messages go.\n#![forbid(unsafe_code)]\n", false).len(), 0);
    }
}

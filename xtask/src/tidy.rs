//! Says what the architecture and the house style forbid, reading manifests and sources.
//!
//! Every rule is a function that gives back its findings, one line each; a finding names the file. The rules that
//! need no built broker also run as a test of this crate.

mod documents;
mod edges;
mod hygiene;
mod names;
mod openings;
mod sizes;

use crate::shell::{self, Outcome};
use crate::sources;
use std::error::Error;
use std::path::{Path, PathBuf};

/// What a rule found: one line each.
pub(crate) type Findings = Result<Vec<String>, Box<dyn Error>>;

/// A Rust file of ours.
pub(crate) struct Source {
    /// Relative to the top of the workspace.
    pub(crate) path: PathBuf,
    /// As it is.
    pub(crate) text: String,
    /// Without comments, literals and tests; the lines stay where they are.
    pub(crate) code: String,
}

impl Source {
    /// Whether the whole file is test code.
    pub(crate) fn is_test(&self) -> bool {
        let in_tests = self.path.components().any(|part| part.as_os_str() == "tests");
        in_tests || self.path.file_name().is_some_and(|name| name == "tests.rs" || name == "testing.rs")
    }
}

/// Every Rust file of ours.
pub(crate) fn rust_sources() -> Result<Vec<Source>, Box<dyn Error>> {
    let mut found = Vec::new();
    for path in shell::tracked_files()? {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(shell::root().join(&path))?;
            let code = sources::without_tests(&sources::code_only(&text));
            found.push(Source { path, text, code });
        }
    }
    Ok(found)
}

/// The rules that read files alone.
fn of_files() -> Findings {
    let sources = rust_sources()?;
    let mut findings = edges::check()?;
    findings.extend(names::check(&sources));
    findings.extend(sizes::check(&sources)?);
    findings.extend(openings::check(&sources));
    findings.extend(hygiene::check()?);
    findings.extend(documents::paths()?);
    Ok(findings)
}

/// Every rule; fails if any has a finding.
pub(crate) fn run() -> Outcome {
    let mut count = told(&of_files()?);
    let binary = shell::broker_binary(shell::Profile::Debug)?;
    count += told(&documents::configuration(&binary)?);
    count += told(&documents::command_line(&binary)?);
    match count {
        0 => {
            println!("tidy: nothing found");
            Ok(())
        }
        _ => Err(format!("tidy: {count} findings").into()),
    }
}

fn told(findings: &[String]) -> usize {
    for finding in findings {
        println!("tidy: {finding}");
    }
    findings.len()
}

/// A path as it is written in findings.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        let findings = super::of_files().expect("the workspace can be read");
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}

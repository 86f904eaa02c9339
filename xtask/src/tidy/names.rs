//! What waits, or asks the machine for time, chance or bytes, is not named where decisions are made.

use super::{Source, edges, shown};
use crate::sources::names;

/// What a deciding crate does not name, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("tokio", "waiting belongs to server"),
    ("std::net", "sockets belong to server"),
    ("std::fs", "files belong to storage/disk/os.rs"),
    ("std::thread", "threads belong to server"),
    ("thread::spawn", "threads belong to server"),
    ("Instant::now", "time is an argument"),
    ("SystemTime::now", "time is an argument"),
    ("std::time::Instant", "time is an argument: model::Now"),
    ("std::time::SystemTime", "time is an argument: model::Now"),
    ("RandomState", "chance is an argument"),
    ("rand", "chance is an argument"),
    ("getrandom", "chance is an argument"),
    ("fastrand", "chance is an argument"),
    ("Mutex", "state has one owner"),
    ("RwLock", "state has one owner"),
    ("mpsc", "state has one owner, requests are arguments"),
    ("async fn", "nothing here waits"),
    (".await", "nothing here waits"),
    ("println!", "answers are values"),
    ("eprintln!", "answers are values"),
];

/// The one module of a deciding crate that touches the machine: its file and the folder beside it.
const AT_THE_MACHINE: [&str; 2] = ["crates/storage/src/disk/os.rs", "crates/storage/src/disk/os/"];

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let path = shown(&source.path);
        let decides = edges::deciding().any(|folder| path.starts_with(&format!("crates/{folder}/src/")));
        let touches = AT_THE_MACHINE.iter().any(|module| path.starts_with(module));
        if !decides || touches || source.is_test() {
            continue;
        }
        for (name, instead) in BANNED {
            if let Some(line) = names(&source.code, name) {
                findings.push(format!("{path}:{line}: names {name}: {instead}"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn found(path: &str, code: &str) -> usize {
        let code = code.to_owned();
        check(&[Source { path: PathBuf::from(path), text: code.clone(), code }]).len()
    }

    #[test]
    fn a_deciding_crate_names_no_clock() {
        assert_eq!(found("crates/broker/src/queue.rs", "let now = Instant::now();"), 1);
        assert_eq!(found("crates/server/src/core.rs", "let now = Instant::now();"), 0);
        assert_eq!(found("crates/broker/src/queue/tests.rs", "let now = Instant::now();"), 0);
        assert_eq!(found(AT_THE_MACHINE[0], "use std::fs;"), 0);
    }
}

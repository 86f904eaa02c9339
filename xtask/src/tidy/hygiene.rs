//! What no tracked file says or is: hosts of package registries, paths of one machine, what a merge left, what was fetched.

use super::{Findings, shown};
use crate::shell;

/// Written apart, so that this file does not find itself.
const HOSTS: &[[&str; 2]] = &[
    ["registry.npm", "js.org"],
    ["registry.yarn", "pkg.com"],
    ["pypi", ".org"],
    ["python", "hosted.org"],
    ["index.crates", ".io"],
    ["static.crates", ".io"],
    ["proxy.golang", ".org"],
    ["maven", ".org/"],
    ["repo.maven", ".apache"],
    ["deb.debian", ".org"],
    ["rubygems", ".org"],
];
const PATHS: &[[&str; 2]] = &[["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Use", "rs/"]];

/// Folders of what is fetched or built: nothing in them is tracked.
const NOT_OURS: &[&str] = &["node_modules", "target", ".venv"];
/// How the lines begin that a merge leaves where it needs a person.
const CONFLICT: &[[&str; 2]] = &[["<<<<", "<<< "], [">>>>", ">>> "]];

pub(super) fn check() -> Findings {
    let mut findings = Vec::new();
    for path in shell::tracked_files()? {
        if path.components().any(|part| NOT_OURS.iter().any(|name| part.as_os_str() == *name)) {
            findings.push(format!("{}: is tracked, although it was fetched or built", shown(&path)));
            continue;
        }
        let bytes = std::fs::read(shell::root().join(&path))?;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = told(line) {
                findings.push(format!("{}:{}: names {found}", shown(&path), number + 1));
            }
        }
        let manifest = path.file_name().is_some_and(|name| name == "Cargo.toml") && path.components().count() > 1;
        if manifest && !text.replace(' ', "").contains("[lints]\nworkspace=true") {
            findings.push(format!("{}: does not take the lints of the workspace", shown(&path)));
        }
    }
    Ok(findings)
}

/// A host, a machine's path or a merge's mark in the line.
fn told(line: &str) -> Option<String> {
    if CONFLICT.iter().any(|parts| line.starts_with(&parts.concat())) {
        return Some("a conflict that was not resolved".to_owned());
    }
    let host = HOSTS.iter().map(|parts| parts.concat()).find(|host| line.contains(host));
    host.or_else(|| PATHS.iter().map(|parts| parts.concat()).find(|path| starts_path(line, path)))
}

/// Whether the path stands at the beginning of a word, and is not the end of a topic's name.
fn starts_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-*>/}".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_machine_path_and_a_conflict_are_told_and_a_topic_is_not() {
        assert!(told(&["cd /wo", "rk/main"].concat()).is_some());
        assert!(told(&["\"/ho", "me/me\""].concat()).is_some());
        assert!(told(&["topic://house/ho", "me/x"].concat()).is_none());
        assert!(told(&["<<<<", "<<< HEAD"].concat()).is_some());
        assert!(told(&["see registry.npm", "js.org"].concat()).is_some());
    }
}

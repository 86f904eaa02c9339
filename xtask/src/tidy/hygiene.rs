//! What no tracked file says: hosts of package registries and paths of one machine.

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

pub(super) fn check() -> Findings {
    let mut findings = Vec::new();
    for path in shell::tracked_files()? {
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

/// A host or a machine's path in the line.
fn told(line: &str) -> Option<String> {
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
    fn a_machine_path_is_told_and_a_topic_is_not() {
        assert!(told(&["cd /wo", "rk/main"].concat()).is_some());
        assert!(told(&["\"/ho", "me/me\""].concat()).is_some());
        assert!(told(&["topic://house/ho", "me/x"].concat()).is_none());
        assert!(told(&["see registry.npm", "js.org"].concat()).is_some());
    }
}

//! Documents that cannot rot: paths that exist, every crate, every configuration key, every flag.

use super::Findings;
use crate::shell;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::process::Command;

/// Every path that ARCHITECTURE.md names exists, and every crate is named in it.
pub(super) fn paths() -> Findings {
    let text = std::fs::read_to_string(shell::root().join("ARCHITECTURE.md"))?;
    let mut findings = Vec::new();
    let tracked: Vec<String> = shell::tracked_files()?.iter().map(|path| format!("/{}", super::shown(path))).collect();
    for path in quoted(&text).filter(|word| is_path(word)) {
        // From the top, or the end of a path: the rooms that several crates have in common.
        let (folder, file) = (format!("/{}/", path.trim_end_matches('/')), format!("/{path}"));
        if !tracked.iter().any(|known| known.ends_with(&file) || known.contains(&folder)) {
            findings.push(format!("ARCHITECTURE.md: names {path}, which does not exist"));
        }
    }
    let named: BTreeSet<&str> = quoted(&text).collect();
    for entry in std::fs::read_dir(shell::root().join("crates"))? {
        let folder = entry?.file_name().to_string_lossy().into_owned();
        if !named.contains(folder.as_str()) && !named.contains(format!("crates/{folder}").as_str()) {
            findings.push(format!("ARCHITECTURE.md: does not name the crate {folder}"));
        }
    }
    Ok(findings)
}

/// What stands between single backquotes, outside of code blocks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let mut block = false;
    text.lines()
        .filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            block ^= fence;
            !block && !fence
        })
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Whether a quoted word names a file or folder of ours: it has a slash or a known ending, and no other sign.
fn is_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let ending = [".rs", ".md", ".txt", ".sh"].iter().any(|ending| word.ends_with(ending));
    plain && (ending || (word.contains('/') && !word.starts_with('/')))
}

/// Every key that `ferrymq config` prints has its line in docs/configuration.md.
pub(super) fn configuration(binary: &Path) -> Findings {
    let text = std::fs::read_to_string(shell::root().join("docs/configuration.md"))?;
    let printed = shell::read(Command::new(binary).arg("config").current_dir(shell::root()))?;
    let documented: BTreeSet<&str> = quoted(&text).collect();
    let missing = keys(&printed).into_iter().filter(|key| !documented.contains(key.as_str()));
    Ok(missing.map(|key| format!("docs/configuration.md: no line for `{key}`")).collect())
}

/// The dotted keys of a TOML text that has one key on a line.
fn keys(toml: &str) -> Vec<String> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in toml.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_matches(['[', ']']));
        } else if let Some((key, _)) = line.split_once('=')
            && !line.starts_with('#')
        {
            found.push(format!("{section}{}", key.trim().trim_matches('"')));
        }
    }
    found
}

/// Every command and every flag of the binary's help has its line in docs/command-line.md.
pub(super) fn command_line(binary: &Path) -> Findings {
    let text = std::fs::read_to_string(shell::root().join("docs/command-line.md"))?;
    let documented: BTreeSet<&str> = quoted(&text).flat_map(|quote| quote.split([' ', ','])).collect();
    let mut findings = Vec::new();
    let mut pages = vec![Vec::new()];
    while let Some(page) = pages.pop() {
        let help = help(binary, &page)?;
        for flag in flags(&help).filter(|flag| !documented.contains(flag)) {
            findings.push(format!("docs/command-line.md: no line for {} {flag}", page.join(" ")));
        }
        for command in commands(&help) {
            if !documented.contains(command) {
                findings.push(format!("docs/command-line.md: no line for {} {command}", page.join(" ")));
            }
            pages.push(page.iter().cloned().chain([command.to_owned()]).collect());
        }
    }
    Ok(findings)
}

fn help(binary: &Path, page: &[String]) -> Result<String, Box<dyn Error>> {
    shell::read(Command::new(binary).args(page).arg("--help").current_dir(shell::root()))
}

/// The commands that a help page lists.
fn commands(help: &str) -> impl Iterator<Item = &str> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    list.filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
}

/// The long flags that a help page explains.
fn flags(help: &str) -> impl Iterator<Item = &str> {
    help.lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'))
        .flat_map(|line| line.split([' ', ',', '=', '[']))
        .filter(|word| word.len() > 2 && word.starts_with("--") && word[2..].starts_with(|c: char| c.is_alphabetic()))
        .filter(|word| !["--help", "--version"].contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_carry_their_section() {
        assert_eq!(keys("a = 1\n# b = 2\n[limits]\nc = \"x = y\"\n"), ["a", "limits.c"]);
    }

    #[test]
    fn a_help_page_is_read() {
        let help = "Usage: x\n\nCommands:\n  run   Runs\n        more\n  help  Print\n\nOptions:\n  -d, --data <DIR>  where\n      --json        or so\n";
        assert_eq!(commands(help).collect::<Vec<_>>(), ["run"]);
        assert_eq!(flags(help).collect::<Vec<_>>(), ["--data", "--json"]);
    }

    #[test]
    fn paths_are_told_from_words() {
        assert!(is_path("storage/src/disk/os.rs") && is_path("docs/decisions/") && is_path("STYLE.md"));
        assert!(!is_path("model") && !is_path("/queue/a") && !is_path("node::step") && !is_path("a => b/c"));
    }
}

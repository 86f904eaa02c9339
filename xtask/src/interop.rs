//! Unmodified clients of other languages against the built broker; sets up what they need, each pinned.
//!
//! A client that cannot be had here is skipped loudly and counted as skipped: only Ruby, which is no requirement.

mod java;

use crate::java_apps::{self, Client};
use crate::shell::{self, Outcome, Profile};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Args)]
pub(crate) struct Options {
    /// One suite alone
    #[arg(long)]
    pub(crate) only: Option<Suite>,
    /// Test the release build
    #[arg(long)]
    pub(crate) release: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Suite {
    Python,
    Javascript,
    Ruby,
    Java,
    JavaApps,
}

/// How a suite ended.
enum Ended {
    Passed,
    Failed,
    Skipped(&'static str),
}

pub(crate) fn run(options: &Options) -> Outcome {
    let binary = shell::broker_binary(if options.release { Profile::Release } else { Profile::Debug })?;
    let wanted = options
        .only
        .map_or(vec![Suite::Python, Suite::Javascript, Suite::Ruby, Suite::Java, Suite::JavaApps], |suite| vec![suite]);
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for suite in wanted {
        println!("interop: {suite:?}");
        match start(suite, &binary)? {
            Ended::Passed => passed += 1,
            Ended::Failed => failed += 1,
            Ended::Skipped(why) => {
                skipped += 1;
                println!("interop: SKIPPED {suite:?}: {why}");
            }
        }
    }
    println!("interop: {passed} suites passed, {failed} failed, {skipped} skipped");
    if failed == 0 { Ok(()) } else { Err("interop: a client does not get what it was promised".into()) }
}

fn folder(name: &str) -> PathBuf {
    shell::root().join("interop").join(name)
}

fn start(suite: Suite, binary: &Path) -> Result<Ended, Box<dyn std::error::Error>> {
    let mut command = match suite {
        Suite::Python => python()?,
        Suite::Javascript => javascript()?,
        Suite::Ruby => match ruby()? {
            Some(command) => command,
            None => return Ok(Ended::Skipped("ruby with the stomp gem is not installed and cannot be installed here")),
        },
        Suite::Java => {
            return Ok(match java::run(&folder("java"), binary) {
                Ok(()) => Ended::Passed,
                Err(error) => {
                    println!("interop: {error}");
                    Ended::Failed
                }
            });
        }
        Suite::JavaApps => {
            let outcomes = Client::ALL.map(|client| java_apps::test(client, binary));
            for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
                println!("interop: {error}");
            }
            return Ok(if outcomes.iter().all(Result::is_ok) { Ended::Passed } else { Ended::Failed });
        }
    };
    let status = command.env("FERRYMQ_BIN", binary).status()?;
    Ok(if status.success() { Ended::Passed } else { Ended::Failed })
}

/// A virtual environment with the pinned client.
fn python() -> Result<Command, Box<dyn std::error::Error>> {
    let environment = shell::root().join("interop/.venv");
    let python = environment.join("bin/python");
    let requirements = folder("python").join("requirements.txt");
    let stamp = environment.join("installed.txt");
    if !same(&requirements, &stamp) {
        shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
        shell::run(Command::new(&python).args(install).arg(&requirements))?;
        std::fs::copy(&requirements, &stamp)?;
    }
    let mut command = Command::new(python);
    command.arg("suite.py").current_dir(folder("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// The pinned packages, without a lock file: it would name where they came from.
fn javascript() -> Result<Command, Box<dyn std::error::Error>> {
    let folder = folder("javascript");
    let stamp = folder.join("node_modules/installed.json");
    if !same(&folder.join("package.json"), &stamp) {
        let install = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
        shell::run(Command::new("npm").args(install).current_dir(&folder))?;
        std::fs::copy(folder.join("package.json"), &stamp)?;
    }
    let mut command = Command::new("node");
    command.arg("suite.mjs").current_dir(folder);
    Ok(command)
}

/// Ruby's client where it is there, or where this user may install Debian's package.
fn ruby() -> Result<Option<Command>, Box<dyn std::error::Error>> {
    let there =
        || Command::new("ruby").args(["-e", "require 'stomp'"]).output().is_ok_and(|output| output.status.success());
    if !there() && shell::on_path("apt-get") && shell::is_root()? {
        for arguments in [vec!["update", "-qq"], vec!["install", "-qq", "--yes", "ruby-stomp"]] {
            let mut apt = Command::new("apt-get");
            if let Err(error) = shell::run(apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive")) {
                println!("interop: {error}");
            }
        }
    }
    let mut command = Command::new("ruby");
    command.arg("suite.rb").current_dir(folder("ruby"));
    Ok(there().then_some(command))
}

/// Whether both files are there and say the same.
fn same(one: &Path, other: &Path) -> bool {
    match (std::fs::read(one), std::fs::read(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

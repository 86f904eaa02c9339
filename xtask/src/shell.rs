//! Runs programs and finds the places of the workspace.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a command of this crate gives back: nothing, or what went wrong for a person to read.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// The top of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs it, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command)).into()) }
}

/// Runs it and keeps what it printed.
pub(crate) fn read(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output: Output = command.output().map_err(|error| format!("{}: {error}", shown(command)))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}: {error}", shown(command), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The program and its arguments, without the path to the program.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.get_args().fold(program, |line, argument| format!("{line} {}", argument.to_string_lossy()))
}

/// Whether a program of that name can be started.
pub(crate) fn on_path(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// How a binary is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build, with debug assertions.
    Debug,
    /// What users run.
    Release,
}

/// Builds the broker and gives the path of the binary.
pub(crate) fn build_broker(profile: Profile) -> Result<PathBuf, Box<dyn Error>> {
    let mut build = cargo();
    build.args(["build", "--package", "ferrymq-cli"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    run(&mut build)?;
    let folder = match profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    };
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    Ok(metadata.target_directory.into_std_path_buf().join(folder).join("ferrymq"))
}

/// The binary to test: the one that FERRYMQ_BIN names, or one built now.
pub(crate) fn broker_binary(profile: Profile) -> Result<PathBuf, Box<dyn Error>> {
    match std::env::var_os("FERRYMQ_BIN") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build_broker(profile),
    }
}

/// The files that git tracks or would track, relative to the top.
pub(crate) fn tracked_files() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let list =
        read(Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root()))?;
    let mut files: Vec<PathBuf> = list.lines().map(PathBuf::from).filter(|path| root().join(path).is_file()).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// Whether we may do everything on this machine.
pub(crate) fn is_root() -> Result<bool, Box<dyn Error>> {
    Ok(read(Command::new("id").arg("-u"))?.trim() == "0")
}

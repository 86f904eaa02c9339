//! Everything that the commands print, and how a command ends.
//!
//! Results go to standard output, words about them (progress, errors) to standard error. A reader that closes the
//! pipe early (`ferrymq receive --follow q | head -1`) ends the command quietly.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

/// Why a command did not do what it was asked; each has its exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The broker, the network or a file said no. Exit code 1.
    Failed(String),
    /// The command line asks for something that makes no sense. Exit code 2, as for unknown flags.
    Usage(String),
    /// Nothing, or less than was asked for, came in time. Exit code 3.
    NothingCame(String),
    /// The journal is damaged. Exit code 4.
    Damaged(String),
    /// Whoever read the output went away: not an error. Exit code 0, without a word.
    OutputClosed,
}

impl Failure {
    /// An environment error with what was being done.
    pub(crate) fn because(doing: impl Display, error: impl Display) -> Failure {
        Failure::Failed(format!("{doing}: {error}"))
    }
}

impl From<io::Error> for Failure {
    /// For errors of standard output alone; others say what was being done through [`Failure::because`].
    fn from(error: io::Error) -> Failure {
        if error.kind() == ErrorKind::BrokenPipe {
            Failure::OutputClosed
        } else {
            Failure::because("cannot write the output", error)
        }
    }
}

/// Turns the end of a command into its exit code, and says on standard error what went wrong.
pub(crate) fn finish(result: Result<(), Failure>) -> ExitCode {
    let (code, sentence) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::OutputClosed) => return ExitCode::SUCCESS,
        Err(Failure::Failed(sentence)) => (1, sentence),
        Err(Failure::Usage(sentence)) => (2, sentence),
        Err(Failure::NothingCame(sentence)) => (3, sentence),
        Err(Failure::Damaged(sentence)) => (4, sentence),
    };
    note(format_args!("ferrymq: {sentence}"));
    ExitCode::from(code)
}

/// Prints one line on standard output.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Prints bytes as they are on standard output.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Prints one value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::because("cannot write JSON", error))?;
    line(text)
}

/// Prints one line on standard error. A closed standard error is nobody's loss.
pub(crate) fn note(text: impl Display) {
    let _closed = writeln!(io::stderr().lock(), "{text}");
}

/// Whether a person looks at standard output.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Formats a count with a space between thousands.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Lays rows out in columns: the first row is the heading; columns of numbers align right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let column = |index: usize| rows.iter().filter_map(move |row| row.get(index));
    let width = |index| column(index).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let numeric =
        |index| rows.len() > 1 && column(index).skip(1).all(|cell| cell.starts_with(|c: char| c.is_ascii_digit()));
    let layout: Vec<(usize, bool)> = (0..columns).map(|index| (width(index), numeric(index))).collect();
    let mut text = String::new();
    for row in rows {
        let mut printed = String::new();
        for (cell, &(width, numeric)) in row.iter().zip(&layout) {
            let padded = if numeric { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
            printed.push_str(&padded);
        }
        text.push_str(printed.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_000), "1 000");
        assert_eq!(grouped(12_345_678), "12 345 678");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["name".to_string(), "depth".to_string()], vec!["a.long.name".to_string(), "7".to_string()]];
        assert_eq!(table(&rows), "name         depth\na.long.name      7\n");
        assert_eq!(table(&rows[..1]), "name  depth\n");
    }
}

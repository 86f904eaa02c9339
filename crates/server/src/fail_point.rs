//! Points at which a test ends the process, as a crash at that very moment would.
//!
//! ```text
//!   FERRYMQ_FAIL_POINT=FILE ferrymq run …      the test writes a point's name to FILE when it wants the crash there
//! ```
//!
//! Killing from outside hits a moment between two system calls only by luck; a manager of distributed transactions must
//! come through a crash at each of them. Without the variable a point costs one comparison for each batch of the
//! journal, and none for a message. The variable belongs to who starts the process, as the binary itself does.

use std::path::PathBuf;

/// The environment variable.
const VARIABLE: &str = "FERRYMQ_FAIL_POINT";

/// Where the process can end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Point {
    /// A batch is taken, nothing of it is written.
    BeforeWrite,
    /// A batch is durable, nobody knows.
    AfterWrite,
}

impl Point {
    fn name(self) -> &'static str {
        match self {
            Point::BeforeWrite => "before-write",
            Point::AfterWrite => "after-write",
        }
    }
}

/// The file in which a test asks for a point; none outside of tests.
#[derive(Debug)]
pub(crate) struct FailPoints {
    asked_in: Option<PathBuf>,
}

impl FailPoints {
    pub(crate) fn from_environment() -> Self {
        Self { asked_in: std::env::var_os(VARIABLE).map(PathBuf::from) }
    }

    /// Ends the process here, without any farewell, if a test asks for it.
    pub(crate) fn reached(&self, point: Point) {
        if self.is_asked(point) {
            std::process::abort();
        }
    }

    fn is_asked(&self, point: Point) -> bool {
        // A file that is not there asks for nothing.
        self.asked_in
            .as_ref()
            .is_some_and(|path| std::fs::read(path).is_ok_and(|asked| asked == point.name().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_reached_where_the_file_names_it() {
        let path = std::env::temp_dir().join(format!("ferrymq-fail-point-{}", std::process::id()));
        let points = FailPoints { asked_in: Some(path.clone()) };
        assert!(!points.is_asked(Point::BeforeWrite), "there is no file");
        std::fs::write(&path, "after-write").expect("the temporary folder takes files");
        assert!(!points.is_asked(Point::BeforeWrite));
        assert!(points.is_asked(Point::AfterWrite));
        std::fs::remove_file(&path).expect("it was just written");
        assert!(!FailPoints { asked_in: None }.is_asked(Point::AfterWrite), "nobody asks");
    }
}

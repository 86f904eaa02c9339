//! A broker of one's own for each test, and a way to run commands.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use serde_json::Value;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory that goes away with the test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ferrymq-cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory for the test");
        Directory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, contents).expect("a file for the test");
        path.display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left_to_the_system = fs::remove_dir_all(&self.0);
    }
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ended {
    /// Standard output of a command that succeeded without a word on standard error.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", String::from_utf8_lossy(&self.out));
        String::from_utf8(self.out).expect("text")
    }

    /// The same as one JSON value.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The same as one JSON value a line.
    #[track_caller]
    pub(crate) fn json_lines(self) -> Vec<Value> {
        let text = self.text();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// The one sentence of a command that failed with a code.
    #[track_caller]
    pub(crate) fn sentence(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.err, String::from_utf8_lossy(&self.out));
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        self.err
    }
}

/// Runs a command to its end.
pub(crate) fn ferrymq(arguments: &[&str]) -> Ended {
    ferrymq_with(arguments, b"")
}

/// Runs a command that reads standard input.
pub(crate) fn ferrymq_with(arguments: &[&str], input: &[u8]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ferrymq"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // A command that does not read its input closes it; that is no matter of this test.
    let _read_or_not = child.stdin.take().expect("piped").write_all(input);
    let output = child.wait_with_output().expect("the command ends");
    Ended { code: output.status.code(), out: output.stdout, err: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// A broker with a data directory of its own, on ports that the system chose.
pub(crate) struct Broker {
    process: Child,
    url: String,
    openwire: String,
    data: PathBuf,
    _directory: Directory,
}

impl Broker {
    pub(crate) fn start() -> Broker {
        let directory = Directory::new();
        let config = "[stomp]\nbind = \"127.0.0.1:0\"\n[auto]\nbind = \"127.0.0.1:0\"\n[websocket]\nbind = \"off\"\n\
                      [log]\nformat = \"json\"\n[journal]\nsegment_size = \"1 MiB\"\n";
        let config = directory.file("ferrymq.toml", config.as_bytes());
        let data = directory.path().join("data");
        let mut process = Command::new(env!("CARGO_BIN_EXE_ferrymq"))
            .args(["run", "--config", &config, "--data"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (url, openwire) = listening(process.stderr.take().expect("piped"));
        Broker { process, url, openwire, data, _directory: directory }
    }

    pub(crate) fn pid(&self) -> String {
        self.process.id().to_string()
    }

    pub(crate) fn data(&self) -> &str {
        self.data.to_str().expect("a plain path")
    }

    /// Runs a command that connects over STOMP.
    pub(crate) fn stomp(&self, arguments: &[&str]) -> Ended {
        self.stomp_with(arguments, b"")
    }

    /// The same with standard input.
    pub(crate) fn stomp_with(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--url", &self.url]).collect();
        ferrymq_with(&arguments, input)
    }

    /// Runs a command that connects over OpenWire.
    pub(crate) fn openwire(&self, arguments: &[&str]) -> Ended {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--url", &self.openwire]).collect();
        ferrymq(&arguments)
    }

    /// Runs a command that works on the data directory.
    pub(crate) fn control(&self, arguments: &[&str]) -> Ended {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--data", self.data()]).collect();
        ferrymq(&arguments)
    }

    /// Stops the broker as an operator does, and leaves its files.
    pub(crate) fn stop(&mut self) {
        let status = Command::new("kill").args(["-TERM", &self.pid()]).status().expect("kill is there");
        assert!(status.success());
        assert_eq!(self.process.wait().expect("the broker ends").code(), Some(0));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _over_already = self.process.kill();
        let _over_already = self.process.wait();
    }
}

/// Reads the log up to the line that names the addresses for STOMP and for any protocol, and goes on reading so that the broker never waits for us.
fn listening(log: ChildStderr) -> (String, String) {
    let mut lines = BufReader::new(log).lines();
    let mut seen = String::new();
    let addresses = loop {
        let Some(line) = lines.next() else { panic!("the broker did not start:\n{seen}") };
        let line = line.expect("the log is text");
        seen.push_str(&line);
        seen.push('\n');
        let Ok(entry) = serde_json::from_str::<Value>(&line) else { continue };
        if entry["message"] == "listening" {
            let address = |name: &str| entry[name].as_str().expect("an address").to_string();
            break (address("stomp"), address("auto"));
        }
    };
    thread::spawn(move || lines.for_each(drop));
    addresses
}

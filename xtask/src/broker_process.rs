//! A real broker in a process of its own, on free ports and with its data where we say.

use crate::stomp_client::Client;
use std::error::Error;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A broker that does not listen by then will not.
const START_MAX: Duration = Duration::from_secs(60);

/// A running broker. Dropped, it is killed.
pub(crate) struct BrokerProcess {
    child: Child,
    /// Where it speaks STOMP.
    pub(crate) stomp: SocketAddr,
    /// Where it tells STOMP from OpenWire.
    pub(crate) openwire: SocketAddr,
    /// From its start to the first handshake: what a user waits for after a crash.
    pub(crate) started_in: Duration,
}

impl BrokerProcess {
    /// Starts the binary on the data directory, its output appended to `broker.log` in `scratch`.
    pub(crate) fn start(binary: &Path, data: &Path, scratch: &Path) -> Result<Self, Box<dyn Error>> {
        Self::start_with(binary, data, scratch, "")
    }

    /// The same with more lines for its configuration.
    pub(crate) fn start_with(binary: &Path, data: &Path, scratch: &Path, more: &str) -> Result<Self, Box<dyn Error>> {
        let [stomp, auto, websocket] = free_ports()?;
        let config = scratch.join("ferrymq.toml");
        std::fs::write(&config, configuration(stomp, auto, websocket) + more)?;
        let log_path = scratch.join("broker.log");
        let log = File::options().create(true).append(true).open(&log_path)?;
        let begin = Instant::now();
        let mut child = Command::new(binary)
            .args(["run", "--config"])
            .arg(&config)
            .arg("--data")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        loop {
            if Client::connect(stomp, None).is_ok() {
                return Ok(Self { child, stomp, openwire: auto, started_in: begin.elapsed() });
            }
            if let Some(status) = child.try_wait()? {
                return Err(format!("the broker ended at its start, {status}: {}", tail(&log_path)).into());
            }
            if begin.elapsed() > START_MAX {
                child.kill()?;
                child.wait()?;
                return Err(format!("the broker does not listen: {}", tail(&log_path)).into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> std::io::Result<Option<std::process::ExitStatus>> {
        self.child.try_wait()
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Any other signal.
    pub(crate) fn signal(&self, name: &str) -> crate::shell::Outcome {
        crate::shell::read(Command::new("kill").args(["-s", name, &self.pid().to_string()])).map(|_| ())
    }
}

impl Drop for BrokerProcess {
    fn drop(&mut self) {
        // Already gone is as good.
        let _gone = self.kill();
    }
}

/// Ports nobody listens on at this moment.
fn free_ports() -> std::io::Result<[SocketAddr; 3]> {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
    let [a, b, c] = listeners;
    Ok([a?.local_addr()?, b?.local_addr()?, c?.local_addr()?])
}

/// The one place here that knows the keys of ferrymq.toml.
fn configuration(stomp: SocketAddr, auto: SocketAddr, websocket: SocketAddr) -> String {
    format!("[stomp]\nbind = \"{stomp}\"\n[auto]\nbind = \"{auto}\"\n[websocket]\nbind = \"{websocket}\"\n")
}

fn tail(log: &PathBuf) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

//! A broker that is measured, or what stands in a broker's place: started on a free port, killed at the end.

use crate::broker_process::BrokerProcess;
use crate::shell::{self, Outcome};
use crate::stomp_client::Client;
use std::error::Error;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The first start of another broker may fetch it.
const START_MAX: Duration = Duration::from_secs(600);

pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) stomp: SocketAddr,
    pub(crate) openwire: SocketAddr,
    /// From its start to its first handshake.
    pub(crate) started_in: Duration,
    /// Resident memory right after that. Bytes.
    pub(crate) idle_bytes: u64,
    pub(crate) is_java: bool,
    process: Process,
}

enum Process {
    Ours(BrokerProcess),
    Child(Child),
}

impl Contender {
    pub(crate) fn ferrymq(binary: &Path, scratch: &Path) -> Result<Self, Box<dyn Error>> {
        let broker = BrokerProcess::start(binary, &scratch.join("ferrymq"), scratch)?;
        Ok(Self {
            name: "ferrymq".to_owned(),
            stomp: broker.stomp,
            openwire: broker.openwire,
            started_in: broker.started_in,
            idle_bytes: resident(broker.pid()),
            is_java: false,
            process: Process::Ours(broker),
        })
    }

    /// What only forwards, see [`super::relay`], before `broker`.
    pub(crate) fn relay(broker: &Self) -> Result<Self, Box<dyn Error>> {
        let at = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("relay").args([at, broker.openwire].map(|address| address.to_string()));
        let begin = Instant::now();
        let child = command.stdin(Stdio::null()).spawn()?;
        let mut contender = Self {
            name: "relay".to_owned(),
            stomp: at,
            openwire: at,
            started_in: Duration::ZERO,
            idle_bytes: 0,
            is_java: false,
            process: Process::Child(child),
        };
        contender.await_handshake(begin, "its errors are above")?;
        Ok(contender)
    }

    /// The broker whose script is `bench/brokers/<name>.sh`.
    pub(crate) fn other(name: &str, scratch: &Path) -> Result<Self, Box<dyn Error>> {
        let script = shell::root().join("bench/brokers").join(format!("{name}.sh"));
        if !script.is_file() {
            return Err(format!("bench/brokers has no {name}.sh").into());
        }
        let (one, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        let (stomp, openwire) = (one.local_addr()?, other.local_addr()?);
        drop((one, other));
        let log_path = scratch.join(format!("{name}.log"));
        let log = File::create(&log_path)?;
        let begin = Instant::now();
        let mut command = Command::new("bash");
        command.arg(script).arg(scratch.join(name)).args([stomp, openwire].map(|at| at.port().to_string()));
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut contender = Self {
            name: name.to_owned(),
            stomp,
            openwire,
            started_in: Duration::ZERO,
            idle_bytes: 0,
            is_java: true,
            process: Process::Child(child),
        };
        contender.await_handshake(begin, &format!("see {}", log_path.display()))?;
        Ok(contender)
    }

    fn await_handshake(&mut self, begin: Instant, otherwise: &str) -> Outcome {
        while Client::connect(self.stomp, None).is_err() {
            if begin.elapsed() > START_MAX || self.ended() {
                return Err(format!("{} does not start: {otherwise}", self.name).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.started_in = begin.elapsed();
        self.idle_bytes = resident(self.pid());
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        match &self.process {
            Process::Ours(broker) => broker.pid(),
            Process::Child(child) => child.id(),
        }
    }

    fn ended(&mut self) -> bool {
        match &mut self.process {
            Process::Ours(broker) => !matches!(broker.ended(), Ok(None)),
            Process::Child(child) => !matches!(child.try_wait(), Ok(None)),
        }
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        if let Process::Child(child) = &mut self.process {
            // Already gone is as good.
            let _gone = child.kill().and_then(|()| child.wait());
        }
    }
}

/// Resident memory of a process; 0 where the system does not tell.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()).and_then(|number| number.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

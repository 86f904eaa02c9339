//! The Java programs of `interop/java-apps`, and what they need: Java, Maven, and their pinned libraries.

use crate::shell::{self, Outcome};
use clap::ValueEnum;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A generation of the ActiveMQ client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Client {
    /// 5.x, javax.jms
    #[value(name = "5")]
    Javax,
    /// 6.x, jakarta.jms
    #[value(name = "6")]
    Jakarta,
}

impl Client {
    pub(crate) const ALL: [Client; 2] = [Client::Javax, Client::Jakarta];

    /// What Maven is told.
    fn profile(self) -> &'static [&'static str] {
        match self {
            Client::Javax => &["-Pclient5"],
            Client::Jakarta => &[],
        }
    }

    /// The folder under `target`.
    fn folder(self) -> &'static str {
        match self {
            Client::Javax => "client5",
            Client::Jakarta => "client6",
        }
    }
}

/// The programs, compiled for one generation of the client.
pub(crate) struct Programs {
    classpath: String,
}

impl Programs {
    /// Compiles them.
    ///
    /// # Errors
    /// No Java here, or the compiler's.
    pub(crate) fn compile(client: Client) -> Result<Self, Box<dyn Error>> {
        set_up()?;
        let built = folder().join("target").join(client.folder());
        let paths = built.join("classpath");
        let mut maven = maven(client);
        maven.args(["compile", "dependency:build-classpath", "-DincludeScope=runtime"]);
        maven.arg(format!("-Dmdep.outputFile={}", paths.display()));
        shell::run(&mut maven)?;
        let libraries = std::fs::read_to_string(paths)?;
        Ok(Self { classpath: format!("{}:{}", built.join("classes").display(), libraries.trim()) })
    }

    /// A command that runs one of them, with its broker's starter at hand.
    pub(crate) fn command(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.arg(format!("-Dsuite.directory={}", folder().display()));
        java.args(["-Xmx512m", "-cp", &self.classpath, class]).current_dir(folder());
        java
    }
}

/// The tests of Spring, pools and Camel against the broker.
pub(crate) fn test(client: Client, binary: &Path) -> Outcome {
    set_up()?;
    shell::run(maven(client).arg("test").env("FERRYMQ_BIN", binary))
}

fn folder() -> PathBuf {
    shell::root().join("interop/java-apps")
}

fn maven(client: Client) -> Command {
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode"]).args(client.profile()).current_dir(folder());
    maven
}

/// Java and Maven, where they are missing and this user may install Debian's packages.
pub(crate) fn set_up() -> Outcome {
    if !shell::on_path("mvn") && shell::on_path("apt-get") && shell::is_root()? {
        for arguments in [vec!["update", "-qq"], vec!["install", "-qq", "--yes", "openjdk-17-jdk-headless", "maven"]] {
            shell::run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))?;
        }
    }
    if shell::on_path("mvn") { Ok(()) } else { Err("java: needs Maven and a JDK of at least 17".into()) }
}

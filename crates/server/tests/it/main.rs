//! The server over real sockets of 127.0.0.1, with ports that the system chooses.
//!
//! Nothing sleeps: every wait is a blocking read, whose timeout is only there so that a failure ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod client;
mod control;
mod flow;
mod limits;
mod openwire;
mod restart;
mod stomp;
mod websocket;

use ferrymq_server::config::Bind;
use ferrymq_server::{Config, Server};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of this test alone, deleted at its end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ferrymq-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The defaults on free ports, in this directory.
fn config(directory: &Directory) -> Config {
    let mut config = Config::default();
    config.broker.data = directory.path().join("data");
    config.stomp.bind = Bind::loopback(0);
    config.auto.bind = Bind::loopback(0);
    config.websocket.bind = Bind::loopback(0);
    config.journal.segment_size = ferrymq_server::config::Size::mebibytes(1);
    config
}

/// A broker with the defaults.
fn start(directory: &Directory) -> Server {
    Server::start(config(directory)).unwrap()
}

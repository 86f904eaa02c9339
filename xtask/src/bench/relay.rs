//! What only receives and sends: the least that any broker can cost. It stands before FerryMQ as a broker of its own, and its
//! processor time is measured as a broker's.
//!
//! Two threads a connection, each with a blocking read and a blocking write and nothing between them: two system calls for what
//! comes in one piece. A message that is confirmed, delivered and acknowledged passes it four times, so it makes twice the calls
//! that a broker must make, which receives or sends each of the four; but a broker that serves many connections must also ask
//! which of them has something.

use crate::shell::Outcome;
use clap::Args;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// As much as FerryMQ reads at once.
const READ_BYTES: usize = 64 * 1024;

#[derive(Args)]
pub(crate) struct Options {
    /// Where it listens
    at: SocketAddr,
    /// The broker behind it
    broker: SocketAddr,
}

/// Until it is killed.
pub(crate) fn run(options: &Options) -> Outcome {
    for client in TcpListener::bind(options.at)?.incoming() {
        let client = client?;
        let broker = TcpStream::connect(options.broker)?;
        for stream in [&client, &broker] {
            stream.set_nodelay(true)?;
        }
        let (back_from, back_to) = (broker.try_clone()?, client.try_clone()?);
        thread::spawn(move || forward(client, broker));
        thread::spawn(move || forward(back_from, back_to));
    }
    Ok(())
}

/// Until one side ends, which ends the other.
fn forward(mut from: TcpStream, mut to: TcpStream) {
    let mut block = vec![0; READ_BYTES];
    while let Ok(octets @ 1..) = from.read(&mut block) {
        if to.write_all(&block[..octets]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        // The other direction may have ended it first.
        let _ended = stream.shutdown(Shutdown::Both);
    }
}

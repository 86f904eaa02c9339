//! The session: commands and events in, requests and commands out, written down in `tests/transcripts`.
//!
//! Lines of a transcript:
//!
//! ```text
//! # what happens, for a person
//! > SessionInfo { … }      a client's command
//! * Confirmed { … }        an event of the broker
//! ~ written                everything in the outbox left
//! @ 500                    so many milliseconds pass
//! ! Subscribe …            what the session asks of the broker, or that it closes
//! < Response { … }         a command of the session
//! ```
//!
//! Fields that hold nothing are left away. What the session does must be exactly what was written down;
//! `UPDATE_TRANSCRIPTS=1` writes it anew: to be read by a person before it is committed.

mod acks;
mod connection;
mod consumers;
mod copies;
mod hostile;
mod pulls;
mod restored;
mod script;
mod sends;
mod transactions;

//! Checking and printing a journal without its broker.

use std::fs;

use crate::support::{Broker, Directory, ferrymq};

const MARK: &[u8] = b"the first of two bodies";

fn stopped_broker_with_two_messages() -> Broker {
    let mut broker = Broker::start();
    broker.stomp(&["send", "kept", str::from_utf8(MARK).expect("text")]).text();
    broker.stomp(&["send", "kept", "the second"]).text();
    broker.stop();
    broker
}

#[test]
fn a_stopped_brokers_journal_is_sound_and_names_its_messages() {
    let broker = stopped_broker_with_two_messages();
    let figures = broker.control(&["journal", "check", "--json"]).json();
    assert_eq!((&figures["sound"], &figures["messages"]), (&true.into(), &2.into()), "{figures}");
    assert!(broker.control(&["journal", "check"]).text().contains("sound up to record "));
    let records = broker.control(&["journal", "print", "--json"]).json_lines();
    let stores = records.iter().filter(|line| line["kind"] == "store").count();
    assert_eq!(stores, 2, "{records:?}");
    assert!(broker.control(&["journal", "print"]).text().contains("queue://kept"));
}

#[test]
fn a_running_brokers_journal_can_be_read() {
    let broker = Broker::start();
    broker.stomp(&["send", "kept", "x"]).text();
    assert_eq!(broker.control(&["journal", "check", "--json"]).json()["messages"], 1);
}

#[test]
fn a_damaged_journal_is_told_with_its_own_exit_code() {
    let broker = stopped_broker_with_two_messages();
    let mut damaged = 0;
    for entry in fs::read_dir(broker.data()).expect("the data directory") {
        let path = entry.expect("an entry").path();
        let Ok(mut bytes) = fs::read(&path) else { continue };
        if let Some(at) = bytes.windows(MARK.len()).position(|window| window == MARK) {
            bytes[at] ^= 1;
            fs::write(&path, bytes).expect("the segment");
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1, "the message lies in one segment");
    for command in ["check", "print"] {
        let ended = broker.control(&["journal", command]);
        assert!(ended.sentence(4).contains("damaged"), "{command}");
    }
}

#[test]
fn a_directory_without_a_journal_is_no_sound_journal() {
    let directory = Directory::new();
    let data = directory.path().to_str().expect("a plain path");
    assert!(ferrymq(&["journal", "check", "--data", data]).sentence(1).contains("there is no journal in"));
    let missing = format!("{data}/nowhere");
    assert!(ferrymq(&["journal", "check", "--data", &missing]).sentence(1).contains("there is no such directory"));
}

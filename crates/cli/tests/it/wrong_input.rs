//! What is wrong is told in one sentence, with the code that the manual names.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::ferrymq;

#[test]
fn nobody_listens() {
    // Bound and closed again: free, since nobody else was given it meanwhile.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let url = format!("stomp://{address}");
    for command in [
        &["send", "q", "x", "--url", &url][..],
        &["receive", "q", "--url", &url],
        &["browse", "q", "--url", &url],
        &["bench", "--json", "--url", &url],
    ] {
        let sentence = ferrymq(command).sentence(1);
        assert!(sentence.starts_with(&format!("ferrymq: cannot connect to {address}: ")), "{sentence}");
    }
}

#[test]
fn senseless_wishes_are_refused_before_anything_happens() {
    for command in [
        &["receive", "queue://q", "--durable", "d", "--client-id", "c"][..],
        &["browse", "topic://t"],
        &["purge", "topic://t"],
        &["bench", "--preset", "S99"],
        &["bench", "--size", "3"],
        &["bench", "--destinations", "2"],
    ] {
        ferrymq(command).sentence(2);
    }
}

#[test]
fn unknown_words_are_refused_with_the_usage() {
    for command in [
        &["send", "exchange://q", "x"][..],
        &["send", "q", "x", "--header", "nonsense"],
        &["send", "q", "x", "--count", "0"],
        &["send", "q", "x", "--url", "amqp://here"],
        &["receive", "topic://t", "--durable", "d"],
        &["receive", "q", "--wait", "soon"],
        &["receive", "q", "--count", "2", "--all"],
        &["completions", "tcsh"],
        &["journal"],
        &["no-such-command"],
    ] {
        let ended = ferrymq(command);
        assert_eq!(ended.code, Some(2), "{command:?}");
        assert!(ended.err.contains("Usage:") || ended.err.contains("error:"), "{command:?}: {}", ended.err);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let sentence = ferrymq(&["send", "q", "--file", "/nowhere/at/all"]).sentence(1);
    assert!(sentence.starts_with("ferrymq: cannot read /nowhere/at/all: "), "{sentence}");
}

#[test]
fn what_does_not_speak_stomp_is_told_so() {
    use std::io::Write;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = listener.local_addr().expect("bound").to_string();
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n\0\0").expect("an answer");
        }
    });
    ferrymq(&["receive", "q", "--url", &url]).sentence(1);
    ferrymq(&["bench", "--count", "1", "--url", &url]).sentence(1);
    server.join().expect("the server");
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_ferrymq"))
        .args(["completions", "bash"])
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .expect("the binary starts");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn every_shell_has_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(ferrymq(&["completions", shell]).text().contains("receive"), "{shell}");
    }
}

//! A client that comes back under its connection's name takes over from the session that still holds it.

use crate::driver::{Bench, token};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{DeliveryMode, Request, Token};

fn connect(t: &mut Bench, slot: u32, name: &str, client_id: Option<&str>, peer: &str) {
    t.ask(
        slot,
        Request::Connect {
            name: Some(name.into()),
            client_id: client_id.map(Into::into),
            user: None,
            peer: Some(peer.into()),
            confirm: Token(1),
        },
    );
}

#[test]
fn the_old_session_ends_and_its_client_id_is_free() {
    let mut t = Bench::new();
    connect(&mut t, 0, "ID:one", Some("me"), "tcp://192.0.2.1:1");
    t.subscribe(0, 1, "q");
    t.subscribe_as(0, 2, "topic://t", |s| s.mode = SubscribeMode::Durable("d".into()));
    t.begin(0, 1);
    t.send_in(0, 1, "q", "never", DeliveryMode::NonPersistent);
    t.send(0, "q", "a");
    t.flush();
    t.events();
    connect(&mut t, 1, "ID:one", Some("me"), "tcp://192.0.2.1:2");
    assert_eq!(t.events(), "0 closed: the client came back as connection ID:one\n1 confirmed 1");
    t.subscribe(1, 1, "q");
    t.subscribe_as(1, 2, "topic://t", |s| s.mode = SubscribeMode::Durable("d".into()));
    t.flush();
    assert_eq!(t.events(), "1 s1 #1 a again 1");
    t.ask(0, Request::Confirm { confirm: Token(9) });
    assert_eq!(t.events(), "0 refused 9 Unknown: the session is not connected");
    // The old connection dies at last: nothing of the new one changes.
    t.disconnect(0);
    t.send(1, "q", "b");
    assert_eq!(t.events(), "1 s1 #2 b");
}

#[test]
fn nothing_is_owed_to_the_session_that_lost_its_name() {
    let mut t = Bench::new();
    connect(&mut t, 0, "ID:one", None, "tcp://192.0.2.1:1");
    t.send_durably(0, "q", "a", token(5));
    connect(&mut t, 1, "ID:one", None, "tcp://192.0.2.1:2");
    t.events();
    t.flush();
    assert_eq!(t.events(), "");
    t.subscribe(1, 1, "q");
    assert_eq!(t.events(), "1 s1 #1 a", "what it sent is there");
}

#[test]
fn a_client_id_stays_with_a_connection_of_another_name() {
    let mut t = Bench::new();
    connect(&mut t, 0, "ID:one", Some("me"), "tcp://192.0.2.1:1");
    connect(&mut t, 1, "ID:two", Some("me"), "tcp://192.0.2.2:1");
    let refused = "1 refused 1 InvalidClientId: Broker: ferrymq - Client: me already connected from tcp://192.0.2.1:1";
    assert_eq!(t.events(), format!("0 confirmed 1\n{refused}"));
    t.disconnect(0);
    connect(&mut t, 1, "ID:two", Some("me"), "tcp://192.0.2.2:1");
    assert_eq!(t.events(), "1 confirmed 1");
}

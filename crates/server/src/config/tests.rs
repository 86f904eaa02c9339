use super::*;

fn error(text: &str) -> String {
    Config::parse(text).expect_err(text).0
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(Config::parse("").unwrap(), Config::default());
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    let mut config = Config::default();
    config.memory.limit = Size(1500);
    config.connections.login_timeout = Interval(250);
    config.auto.bind = Bind::OFF;
    config.journal.sync = Sync::MayLoseOnPowerLoss;
    config.memory.producer_wait_max = Wait(Some(Interval(1500)));
    assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
}

#[test]
fn values_have_human_units() {
    let config = Config::parse(
        "[memory]\nlimit = \"64 MiB\"\ndestination_limit = 1000\n[connections]\nlogin_timeout = \"2 min\"",
    )
    .unwrap();
    assert_eq!(config.memory.limit, Size(64 << 20));
    assert_eq!(config.memory.destination_limit, Size(1000));
    assert_eq!(config.connections.login_timeout.duration(), std::time::Duration::from_secs(120));
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_one() {
    assert_eq!(
        error("[broker]\nname = \"a\"\n[stomp]\nbindd = \"127.0.0.1:1\""),
        "line 4: unknown key stomp.bindd; did you mean stomp.bind?"
    );
    assert_eq!(error("[jurnal]\nsync = \"always\""), "line 1: unknown key jurnal; did you mean journal?");
    assert_eq!(error("[zzz]\n"), "line 1: unknown key zzz");
    assert_eq!(error("log = 3"), "line 1: log is a section: write [log]");
}

#[test]
fn a_value_that_the_key_does_not_take_is_refused_with_its_line() {
    assert_eq!(error("[memory]\nlimit = \"much\""), "line 2: \"much\" is not a size such as \"64 MiB\"");
    assert_eq!(
        error("[connections]\n\nlogin_timeout = \"soon\""),
        "line 3: \"soon\" is not a time such as \"30s\" or \"250ms\""
    );
    assert_eq!(
        error("[memory]\nproducer_wait_max = \"never\""),
        "line 2: \"never\" is not a time such as \"3s\" or \"0s\", or \"forever\""
    );
    assert!(error("[memory]\nlimit = \"99999999999 GiB\"").contains("is not a size"));
    assert!(error("[journal]\nsegment_size = \"1 B\"").contains("between 1 MiB and 1 GiB"));
    assert!(error("[broker\n").starts_with("line 1: "));
}

#[test]
fn an_address_beyond_this_machine_needs_the_flag() {
    let mut config = Config::parse("[stomp]\nbind = \"0.0.0.0:61613\"").unwrap();
    assert!(config.check_listen().expect_err("refused").0.contains("--insecure-listen"));
    config.insecure_listen = true;
    assert_eq!(config.check_listen(), Ok(()));
}

#[test]
fn the_list_of_keys_holds_every_section() {
    let keys = Config::keys();
    for key in ["broker.name", "stomp.bind", "journal.sync", "log.level", "dead_letter.queue"] {
        assert!(keys.iter().any(|known| known == key), "{key}");
    }
}

#[test]
fn brokers_that_clients_are_told_of_are_urls() {
    let config = Config::parse("[openwire]\nconnected_brokers = [\"tcp://a:61616\", \"ssl://b:61617\"]").unwrap();
    assert_eq!(config.openwire.connected_brokers, ["tcp://a:61616", "ssl://b:61617"]);
    for bad in ["", "a:61616", "tcp://", "tcp://a,tcp://b", "tcp://a b"] {
        let mut config = Config::default();
        config.openwire.connected_brokers = vec![bad.to_owned()];
        assert!(config.check().is_err(), "{bad}");
    }
}

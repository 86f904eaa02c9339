use std::time::Duration;

use super::*;

fn url(text: &str) -> Result<(String, u16), String> {
    text.parse::<BrokerUrl>().map(|url| (url.host, url.port))
}

fn target(text: &str) -> Result<String, String> {
    text.parse::<Target>().map(|target| target.stomp())
}

#[test]
fn urls_name_host_and_port_or_leave_the_port_to_its_default() {
    assert_eq!(url("stomp://broker:1234"), Ok(("broker".to_string(), 1234)));
    assert_eq!(url("tcp://broker:1234/"), Ok(("broker".to_string(), 1234)));
    assert_eq!(url("broker"), Ok(("broker".to_string(), 61613)));
    assert_eq!(url("stomp://[::1]:7"), Ok(("::1".to_string(), 7)));
    assert_eq!(url("[::1]"), Ok(("::1".to_string(), 61613)));
}

#[test]
fn wrong_urls_say_what_is_wrong() {
    assert_eq!(url("amqp://x"), Err("amqp:// is not spoken here, write stomp://host:port".to_string()));
    assert_eq!(url("stomp://x:port"), Err("port is not a port".to_string()));
    assert_eq!(url("stomp://x:70000"), Err("70000 is not a port".to_string()));
    assert_eq!(url("stomp://"), Err("the host is missing, write stomp://host:port".to_string()));
}

#[test]
fn destinations_are_written_in_three_manners() {
    assert_eq!(target("queue://a.b"), Ok("/queue/a.b".to_string()));
    assert_eq!(target("/queue/a.b"), Ok("/queue/a.b".to_string()));
    assert_eq!(target("a.b"), Ok("/queue/a.b".to_string()));
    assert_eq!(target("topic://a.>"), Ok("/topic/a.>".to_string()));
    assert_eq!(target("/topic/a"), Ok("/topic/a".to_string()));
}

#[test]
fn nameless_and_unknown_destinations_are_refused() {
    assert!(target("").is_err());
    assert!(target("queue://").is_err());
    assert!(target("exchange://x").is_err());
    assert!(target("/exchange/x").is_err());
    assert!(target("a\nb").is_err());
}

#[test]
fn spans_of_time_have_units() {
    assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
    assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
    assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
    assert!(duration("3 fortnights").is_err());
    assert!(duration("-1s").is_err());
    assert!(duration("").is_err());
}

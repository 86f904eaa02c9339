use clap::Parser;

use super::*;

#[derive(Parser, Debug)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn workload(line: &str) -> Workload {
    let words = std::iter::once("bench").chain(line.split_whitespace());
    Line::try_parse_from(words).expect(line).arguments.workload().expect(line)
}

fn refused(line: &str) -> bool {
    Line::try_parse_from(std::iter::once("bench").chain(line.split_whitespace())).is_err()
}

#[test]
fn without_flags_a_window_bounds_one_queue() {
    assert_eq!(workload(""), Workload::custom());
}

#[test]
fn flags_change_a_preset() {
    let preset = preset::find("S1f").expect("S1f");
    assert_eq!(workload("--preset s1f"), preset);
    let changed = workload("--preset S1f --size 16 --consumers 10 --rate 5");
    assert_eq!(changed, Workload { size: 16, consumers: 10, pace: Pace::Rate(5.0), ..preset });
}

#[test]
fn receipts_bound_what_is_under_way_unless_a_pace_is_asked_for() {
    assert_eq!(workload("--receipts 7").pace, Pace::Flood);
    assert_eq!(workload("--receipts").in_flight, Some(1));
    assert_eq!(workload("--receipts 7 --window 9").pace, Pace::Window(9));
    assert_eq!(workload("--consumers 0").pace, Pace::Flood);
}

#[test]
fn fan_out_is_a_topic_with_consumers() {
    let workload = workload("--fan-out 5");
    assert_eq!((workload.kind, workload.consumers, workload.fan_out()), (DestinationKind::Topic, 5, 5));
}

#[test]
fn contradictions_are_refused() {
    assert!(refused("--window 5 --flood"));
    assert!(refused("--fan-out 5 --consumers 5"));
    assert!(refused("--repeat 0"));
    assert!(refused("--count 0"));
    assert!(refused("--protocol carrier-pigeon"));
}

use super::*;
use crate::mailbox::NEVER;
use crate::net::detect::DIALECTS;
use ferrymq_model::{Token, WallTime};
use ferrymq_node::{Settings, recover};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::journal::JournalOptions;
use std::future::Future;
use std::pin::pin;
use std::task::Context;

const USUAL_MS: u64 = 100;
const NOW: Now = Now { wall: WallTime(1_700_000_000_000), mono: MonoTime(1000) };

fn core() -> Core {
    let options = JournalOptions::default();
    let node = recover(&mut MemoryDisk::default(), DIALECTS, options, Settings::default(), Now::default()).unwrap();
    let core = Core::new(node, Clock::start());
    // The journal's thread looks once what recovery left.
    assert_eq!(tick(&core), Pause::Usual);
    assert!(core.flushed(None, &mut Scratch::outside()).is_none());
    core
}

/// An empty core whose tick sleeps.
fn sleeping() -> Core {
    let core = core();
    assert_eq!(tick(&core), Pause::Until(after(REST_MS_MAX)));
    core
}

fn tick(core: &Core) -> Pause {
    core.tick_at(|| NOW, USUAL_MS, &mut Scratch::default())
}

fn is_rung(core: &Core) -> bool {
    pin!(core.rung()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn enter(core: &Core, session: SessionId, request: Request) {
    let entered = core.enter(session, &mut vec![request], &mut Scratch::default(), Waker::noop());
    assert_eq!(entered, Entered::Taken);
}

fn connect() -> Request {
    Request::Connect { name: None, client_id: None, user: None, peer: None, confirm: Token(1) }
}

#[test]
fn what_the_node_is_asked_ends_the_sleep_and_begins_the_rhythm() {
    let core = sleeping();
    let (session, _mailbox) = core.open();
    assert!(!is_rung(&core));
    enter(&core, session, connect());
    assert!(is_rung(&core));
    assert_eq!(tick(&core), Pause::Usual);
    assert!(matches!(tick(&core), Pause::Until(_)), "a whole pause without anything");
}

#[test]
fn what_the_node_is_asked_before_the_plan_keeps_the_rhythm() {
    let core = sleeping();
    let (session, _mailbox) = core.open();
    tick(&core);
    enter(&core, session, connect());
    is_rung(&core);
    enter(&core, session, Request::Confirm { confirm: Token(2) });
    assert!(!is_rung(&core), "it is rung once, not with each request");
    assert_eq!(tick(&core), Pause::Usual);
}

#[test]
fn a_session_that_goes_ends_the_sleep() {
    let core = core();
    let (session, _mailbox) = core.open();
    enter(&core, session, connect());
    assert_eq!(tick(&core), Pause::Usual);
    assert!(matches!(tick(&core), Pause::Until(_)));
    core.depart(session, &mut vec![Request::Disconnect], &mut Scratch::default());
    assert!(is_rung(&core));
}

#[test]
fn the_tick_comes_for_the_first_deadline() {
    let core = core();
    let (far, near) = (after(9000), after(5000));
    for deadline in [far, near, NEVER] {
        let (_, mailbox) = core.open();
        core.set_deadline(&mailbox, deadline);
    }
    assert_eq!(tick(&core), Pause::Until(near));
}

#[test]
fn an_earlier_deadline_ends_the_sleep_and_a_later_one_does_not() {
    let core = core();
    let (_, mailbox) = core.open();
    core.set_deadline(&mailbox, after(5000));
    assert!(matches!(tick(&core), Pause::Until(_)));
    core.set_deadline(&mailbox, after(9000));
    assert!(!is_rung(&core));
    core.set_deadline(&mailbox, after(7000));
    assert!(!is_rung(&core), "the tick comes before that");
    core.set_deadline(&mailbox, after(3000));
    assert!(is_rung(&core));
}

/// It was set before its connection waited: whoever looked then woke nobody.
#[test]
fn a_deadline_that_is_over_keeps_the_rhythm() {
    let core = core();
    let (_, mailbox) = core.open();
    core.set_deadline(&mailbox, MonoTime(1));
    for _ in 0..3 {
        assert_eq!(tick(&core), Pause::Usual);
    }
    assert!(mailbox.wait(Waker::noop(), false));
    tick(&core);
    assert!(mailbox.waker_if_waiting().is_none(), "it was woken");
}

#[test]
fn the_end_is_never_slept_through() {
    let core = sleeping();
    core.set_stage(Stage::Quiet);
    assert!(is_rung(&core));
    assert_eq!(tick(&core), Pause::Usual);
    assert_eq!(tick(&core), Pause::Usual);
}

fn after(ms: u64) -> MonoTime {
    MonoTime(NOW.mono.0 + ms)
}

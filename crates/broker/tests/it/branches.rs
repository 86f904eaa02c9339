//! Branches of distributed transactions.

mod decided;
mod earlier;
mod held;
mod reused;

use crate::driver::{Bench, token};
use ferrymq_broker::Settings;
use ferrymq_model::BranchAction::{
    Commit, CommitOnePhase, CommitOnePhaseDoomed, End, HeuristicCommit, HeuristicRollback, Prepare, PrepareDoomed,
    Rollback, Start,
};
use ferrymq_model::DeliveryMode::{NonPersistent, Persistent};
use ferrymq_model::{BranchAction, Deliveries, DeliveryId, Request, Settlement, Token, TransactionId};

/// `in` holds a message that the branch takes; `out` gets one from it. Nothing is prepared yet.
fn worked(t: &mut Bench) {
    t.connect(0);
    t.subscribe(0, 1, "in");
    t.send_durably(0, "in", "a", None);
    t.flush();
    t.events();
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
    t.send_in(0, 1, "out", "b", Persistent);
    t.branch(0, "x", End, 2);
    assert_eq!(t.events(), "0 confirmed 1\n0 confirmed 2");
}

/// Ends the work on the branch and prepares it.
fn prepare(t: &mut Bench) {
    t.branch(0, "x", End, 2);
    t.branch(0, "x", Prepare, 3);
    t.flush();
}

/// The branch of [`worked`], prepared.
fn prepared() -> Bench {
    let mut t = Bench::new();
    worked(&mut t);
    t.branch(0, "x", Prepare, 3);
    t.flush();
    assert_eq!(t.events(), "0 prepared 3 Prepared");
    t
}

fn in_doubt(t: &mut Bench) -> String {
    t.connect(9);
    t.ask(9, Request::Recover { token: Token(1) });
    t.flush();
    let events = t.events();
    t.disconnect(9);
    events.strip_prefix("9 in doubt 1 ").unwrap_or_else(|| panic!("{events}")).to_owned()
}

fn counts(t: &Bench) -> String {
    format!("{} {}", t.counts("in"), t.counts("out"))
}

#[test]
fn nothing_is_prepared_before_it_is_durable() {
    let mut t = Bench::new();
    worked(&mut t);
    t.branch(0, "x", Prepare, 3);
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 prepared 3 Prepared");
}

/// What was not prepared before is rolled back by this.
fn undoes(doomed: BranchAction) {
    let mut t = Bench::new();
    worked(&mut t);
    t.branch(0, "x", doomed, 3);
    t.flush();
    let events = t.events();
    assert!(events.starts_with("0 refused 3 Branch(RolledBack)"), "{events}");
    assert_eq!(t.bodies("out"), "");
}

/// A client that comes back says all of its branch again, and lacks what it acknowledged: the manager may have decided.
#[test]
fn what_is_prepared_stays_when_it_is_asked_for_again_and_is_not_whole() {
    let mut t = prepared();
    t.restart();
    t.connect(0);
    t.branch(0, "x", PrepareDoomed, 4);
    t.branch(0, "x", Commit, 5);
    t.flush();
    assert_eq!(t.events(), "0 prepared 4 Prepared\n0 confirmed 5");
    assert_eq!(t.bodies("out"), "b");
    undoes(PrepareDoomed);
}

/// As before, by a client that prepares and then commits in one phase.
#[test]
fn what_is_prepared_is_committed_in_one_phase_though_what_is_said_again_is_not_whole() {
    let mut t = prepared();
    t.restart();
    t.connect(0);
    t.branch(0, "x", CommitOnePhaseDoomed, 4);
    t.flush();
    assert_eq!(t.events(), "0 confirmed 4");
    assert_eq!(t.bodies("out"), "b");
    undoes(CommitOnePhaseDoomed);
}

/// Nobody waited for what was refused, so nobody but the manager is left to hear that the branch is not whole.
#[test]
fn a_branch_that_misses_something_is_rolled_back_and_the_manager_told() {
    for action in [Prepare, CommitOnePhase] {
        for is_ended in [false, true] {
            let mut t = Bench::new();
            t.connect(0);
            t.branch(0, "x", Start(TransactionId(1)), 1);
            t.branch(0, "y", Start(TransactionId(2)), 2);
            t.send_in(0, 2, "out", "of y", NonPersistent);
            if is_ended {
                t.branch(0, "x", End, 3);
            }
            t.events();
            t.settle_in(0, 9, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
            t.branch(0, "x", action, 4);
            t.branch(0, "y", CommitOnePhase, 5);
            let why = "subscription 9 is not known";
            let lines = [
                format!("0 refused Unknown: {why}"),
                format!(
                    "0 refused 4 Branch(RolledBack): branch XID:[7,globalId=78,branchId=01] was rolled back: \
                     something of the transaction was refused before: {why}"
                ),
                "0 confirmed 5".to_owned(),
            ];
            assert_eq!(t.events(), lines.join("\n"));
            assert_eq!(t.bodies("out"), "of y");
        }
    }
}

#[test]
fn a_prepared_branch_keeps_its_messages_whatever_happens() {
    let mut t = prepared();
    t.disconnect(0);
    t.connect(1);
    t.subscribe(1, 1, "in");
    t.subscribe(1, 2, "out");
    assert_eq!(t.events(), "");
    for _ in 0..3 {
        t.restart();
        t.flush_all();
        assert_eq!(in_doubt(&mut t), "[x]");
        t.connect(1);
        t.subscribe(1, 1, "in");
        t.subscribe(1, 2, "out");
        assert_eq!(t.events(), "");
        t.ask(1, Request::Purge { destination: crate::driver::destination("in"), token: Token(5) });
        t.flush();
        assert_eq!(t.events(), "1 purged 5 0");
        assert_eq!(t.counts("in"), "1/1/0/0");
    }
    t.branch(1, "x", Commit, 6);
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "1 confirmed 6\n1 s2 #1 b");
    assert_eq!(in_doubt(&mut t), "[]");
    t.restart();
    assert_eq!(in_doubt(&mut t), "[]");
    t.connect(1);
    t.subscribe(1, 1, "in");
    t.subscribe(1, 2, "out");
    assert_eq!(t.events(), "1 s2 #1 b again 1");
}

/// A message that is not persistent is gone after a restart, whoever had it: the branch's decision does not bring it back,
/// and what is persistent beside it is as decided. What the branch sends is its own, and kept with it.
#[test]
fn what_is_not_persistent_and_was_settled_is_gone_after_a_restart_whatever_is_decided() {
    for (action, left) in [(Commit, ("", "sent")), (Rollback, ("kept", ""))] {
        let mut t = Bench::new();
        t.connect(0);
        t.subscribe(0, 1, "in");
        t.send(0, "in", "before");
        t.send_durably(0, "in", "kept", None);
        t.send(0, "in", "after");
        t.branch(0, "x", Start(TransactionId(1)), 1);
        t.settle_in(0, 1, Deliveries::Through(DeliveryId(3)), Settlement::Consumed, Some(1), None);
        t.send_in(0, 1, "out", "sent", NonPersistent);
        t.branch(0, "x", Prepare, 2);
        t.flush();
        t.restart();
        assert_eq!(t.counts("in"), "1/1/0/0");
        assert_eq!(t.bodies("in"), "");
        t.connect(0);
        t.branch(0, "x", action, 3);
        t.flush();
        assert_eq!((t.bodies("in").as_str(), t.bodies("out").as_str()), left);
        t.restart();
        // What was committed is an ordinary message that is not persistent.
        assert_eq!((t.bodies("in").as_str(), t.bodies("out").as_str()), (left.0, ""));
    }
}

/// The same without a restart: nobody gets it before the decision, and then only after a rollback.
#[test]
fn what_is_not_persistent_and_was_settled_waits_for_the_decision_like_the_rest() {
    for (action, left) in [(Commit, ""), (Rollback, "a")] {
        let mut t = Bench::new();
        t.connect(0);
        t.subscribe(0, 1, "in");
        t.send(0, "in", "a");
        t.branch(0, "x", Start(TransactionId(1)), 1);
        t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
        t.branch(0, "x", Prepare, 2);
        t.flush();
        t.disconnect(0);
        assert_eq!(t.bodies("in"), "");
        t.connect(0);
        t.branch(0, "x", action, 3);
        t.flush();
        assert_eq!(t.bodies("in"), left);
    }
}

#[test]
fn a_prepared_branch_is_rolled_back_after_a_restart() {
    let mut t = prepared();
    t.restart();
    t.connect(1);
    t.subscribe(1, 1, "in");
    t.branch(1, "x", Rollback, 6);
    // To others only when no crash can bring the branch back.
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "1 confirmed 6\n1 s1 #1 a again 2");
    t.restart();
    assert_eq!((in_doubt(&mut t), t.counts("in")), ("[]".to_owned(), "1/0/0/0".to_owned()));
}

#[test]
fn a_rollback_leaves_deliveries_with_the_consumer_that_is_still_there() {
    let mut t = prepared();
    t.branch(0, "x", Rollback, 4);
    t.flush();
    assert_eq!(t.events(), "0 confirmed 4");
    t.settle(0, 1, 1, Settlement::Consumed);
    assert_eq!(t.counts("in"), "0/0/1/1");
}

#[test]
fn every_crash_leaves_the_branch_as_it_was_before_or_after() {
    let mut t = Bench::new();
    worked(&mut t);
    let nothing = t.disk.clone();
    t.branch(0, "x", Prepare, 3);
    t.flush();
    let prepared = t.disk.clone();
    t.branch(0, "x", Commit, 4);
    t.flush();
    let committed = t.disk.clone();
    t.crash_to(nothing);
    assert_eq!((in_doubt(&mut t), t.counts("in")), ("[]".to_owned(), "1/0/0/0".to_owned()));
    t.crash_to(prepared);
    assert_eq!((in_doubt(&mut t), t.counts("in")), ("[x]".to_owned(), "1/1/0/0".to_owned()));
    t.crash_to(committed);
    assert_eq!((in_doubt(&mut t), counts(&t)), ("[]".to_owned(), "0/0/0/0 1/0/0/0".to_owned()));
}

#[test]
fn a_branch_without_work_is_read_only() {
    let mut t = Bench::new();
    t.connect(0);
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.branch(0, "x", End, 2);
    t.branch(0, "x", Prepare, 3);
    assert_eq!(t.events(), "0 confirmed 1\n0 confirmed 2\n0 prepared 3 ReadOnly");
    assert_eq!(in_doubt(&mut t), "[]");
}

#[test]
fn several_sessions_work_on_one_branch() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    for slot in [0, 1] {
        t.branch(slot, "x", Start(TransactionId(8)), 1);
        t.send_in(slot, 8, "out", &format!("m{slot}"), Persistent);
    }
    t.branch(0, "x", End, 2);
    t.events();
    t.branch(0, "x", Prepare, 3);
    assert!(t.events().starts_with("0 refused 3 Branch(Protocol)"));
    t.branch(1, "x", End, 2);
    // The first goes on, as after a suspension.
    t.branch(0, "x", Start(TransactionId(9)), 4);
    t.send_in(0, 9, "out", "more", Persistent);
    t.branch(0, "x", End, 5);
    t.branch(0, "x", Prepare, 6);
    t.branch(1, "x", Commit, 7);
    t.flush();
    assert_eq!(t.bodies("out"), "m0 m1 more");
}

#[test]
fn the_loss_of_a_session_undoes_all_of_what_is_not_prepared() {
    let mut t = Bench::new();
    worked(&mut t);
    t.connect(1);
    t.branch(1, "x", Start(TransactionId(1)), 1);
    t.send_in(1, 1, "out", "c", Persistent);
    t.disconnect(0);
    t.events();
    assert_eq!(counts(&t), "1/0/1/0 0/0/0/0");
    t.send_in(1, 1, "out", "d", Persistent);
    t.branch(1, "x", Prepare, 2);
    t.branch(1, "x", Rollback, 3);
    let events = t.events();
    let lines: Vec<&str> = events.lines().collect();
    assert!(lines[0].starts_with("1 refused Unknown"), "{events}");
    assert!(lines[1].starts_with("1 refused 2 Branch(RolledBack)") && lines[2] == "1 confirmed 3", "{events}");
}

#[test]
fn the_work_of_a_branch_is_not_ended_as_a_local_transaction() {
    let mut t = Bench::new();
    t.connect(0);
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.send_in(0, 1, "out", "b", Persistent);
    t.commit(0, 1, token(2));
    t.ask(0, Request::Rollback { transaction: TransactionId(1), confirm: token(3) });
    let events = t.events();
    assert!(events.contains("refused 2 Denied") && events.contains("refused 3 Denied"), "{events}");
}

#[test]
fn a_branch_that_cannot_happen_is_rolled_back_when_it_is_prepared() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.temporary(1, "temp-queue://one.1");
    t.events();
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.send_in(0, 1, "temp-queue://one.1", "c", NonPersistent);
    t.branch(0, "x", End, 2);
    t.disconnect(1);
    t.events();
    t.branch(0, "x", Prepare, 3);
    assert!(t.events().starts_with("0 refused 3 Branch(RolledBack)"));
    t.branch(0, "x", Rollback, 4);
    assert_eq!(t.events(), "0 confirmed 4");
}

#[test]
fn a_prepared_branch_commits_though_a_place_is_gone_or_the_broker_is_full() {
    let mut t = Bench::with(Settings { destinations_max: 1, ..Settings::default() });
    t.connect(0);
    t.connect(1);
    t.temporary(1, "temp-queue://one.1");
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.send_in(0, 1, "temp-queue://one.1", "c", NonPersistent);
    prepare(&mut t);
    t.disconnect(1);
    t.branch(0, "x", Commit, 4);
    t.flush();
    assert!(t.events().ends_with("0 prepared 3 Prepared\n0 confirmed 4"));
}

#[test]
fn a_commit_that_finds_no_room_can_be_asked_for_again() {
    let mut t = prepared();
    t.short_of_space = true;
    t.send_durably(0, "other", "m", None);
    t.flush_all();
    t.branch(0, "x", Commit, 4);
    assert!(t.events().starts_with("0 refused 4 Branch(Retry)"));
    assert_eq!(in_doubt(&mut t), "[x]");
    t.short_of_space = false;
    t.flush_all();
    t.branch(0, "x", Commit, 5);
    t.flush();
    assert_eq!(t.events(), "0 confirmed 5");
}

#[test]
fn a_failing_journal_leaves_the_branch_prepared() {
    let mut t = prepared();
    t.branch(0, "x", Commit, 4);
    t.broker.store_failed(t.now, &mut t.out);
    t.branch(0, "x", Commit, 5);
    t.ask(0, Request::Recover { token: Token(6) });
    let events = t.events();
    assert_eq!(events.lines().filter(|line| line.contains("StoreFailed")).count(), 3, "{events}");
    // Nobody learned of it, and a consumer of what it would have sent gets nothing.
    t.subscribe(0, 2, "out");
    assert_eq!(t.events(), "");
    t.restart();
    assert_eq!(in_doubt(&mut t), "[x]");
    let mut t = prepared();
    t.broker.store_failed(t.now, &mut t.out);
    t.branch(0, "x", Commit, 5);
    t.branch(0, "x", Rollback, 6);
    let events = t.events();
    assert!(events.starts_with("0 refused 5 Branch(Retry)"), "{events}");
    assert!(events.contains("\n0 refused 6 Branch(Unavailable)"), "{events}");
}

#[test]
fn locked_messages_do_not_expire_and_poisoned_ones_are_buried_after_a_restart() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "in");
    let expiration = ferrymq_model::WallTime(t.now.wall.0 + 1000);
    for body in ["a", "b"] {
        t.send_as(0, "in", body, None, |m| {
            m.header.mode = Persistent;
            m.header.expiration = Some(expiration);
        });
    }
    t.flush();
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(2)), Settlement::Poisoned("bad".into()), Some(1), None);
    prepare(&mut t);
    t.tick(5000);
    t.flush();
    assert_eq!(t.counts("in"), "2/2/2/0");
    t.restart();
    t.tick(5000);
    t.flush();
    assert_eq!(t.counts("in"), "2/2/0/0");
    t.connect(0);
    t.branch(0, "x", Commit, 4);
    t.flush();
    assert_eq!(t.counts("in"), "0/0/0/2");
    assert_eq!(t.bodies("ActiveMQ.DLQ"), "b");
}

#[test]
fn a_branch_skips_what_was_sent_before_and_counts_when_it_commits() {
    let mut t = Bench::new();
    t.connect(0);
    t.counted_producer(0, 1, "p", "q");
    t.send_counted(0, (1, "p", 1), "q", None, None);
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.send_counted(0, (1, "p", 1), "q", Some(1), None);
    t.send_counted(0, (1, "p", 2), "q", Some(1), None);
    prepare(&mut t);
    t.restart();
    t.connect(0);
    t.branch(0, "x", Commit, 4);
    t.flush();
    t.restart();
    t.connect(0);
    t.counted_producer(0, 1, "p", "q");
    t.send_counted(0, (1, "p", 2), "q", None, token(5));
    t.send_counted(0, (1, "p", 3), "q", None, token(6));
    t.flush();
    assert_eq!(t.events(), "0 confirmed 5\n0 confirmed 6");
    assert_eq!(t.bodies("q"), "p1 p2 p3");
}

#[test]
fn a_durable_subscription_that_is_deleted_takes_its_locked_messages_along() {
    let mut t = Bench::new();
    t.connect_as(0, Some("c"));
    t.subscribe_as(0, 1, "topic://t", |s| s.mode = ferrymq_model::request::SubscribeMode::Durable("d".into()));
    t.send_durably(0, "topic://t", "a", None);
    t.flush();
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
    prepare(&mut t);
    t.restart();
    t.connect_as(0, Some("c"));
    t.ask(0, Request::DeleteDurable { name: "d".into(), confirm: token(4) });
    t.flush();
    assert_eq!(t.events(), "0 confirmed 4");
    t.restart();
    assert_eq!(in_doubt(&mut t), "[x]");
    t.connect(0);
    t.branch(0, "x", Commit, 5);
    t.flush();
    assert_eq!(t.events(), "0 confirmed 5");
}

#[test]
fn an_in_doubt_branch_holds_its_segment_and_a_decided_one_does_not() {
    let mut t = prepared();
    let start = t.journal.footprint().1;
    // Restarts write new segments; what is prepared keeps its own.
    for _ in 0..5 {
        t.restart();
        t.flush_all();
    }
    let held = t.journal.footprint().1;
    assert!(held > start, "{held} segments");
    t.connect(0);
    t.branch(0, "x", Rollback, 4);
    t.flush();
    t.subscribe(0, 1, "in");
    t.settle(0, 1, 1, Settlement::Consumed);
    for _ in 0..3 {
        t.flush_all();
        t.restart();
    }
    assert!(t.journal.footprint().1 <= 2, "{} segments", t.journal.footprint().1);
}

#[test]
fn a_queue_with_locked_messages_is_not_deleted() {
    let mut t = prepared();
    t.restart();
    t.connect(0);
    let delete =
        |number| Request::DeleteDestination { destination: crate::driver::destination("in"), confirm: token(number) };
    t.ask(0, delete(1));
    assert!(t.events().starts_with("0 refused 1 DurableInUse"));
    t.branch(0, "x", Commit, 2);
    t.flush();
    t.ask(0, delete(3));
    t.flush();
    assert_eq!(t.events(), "0 confirmed 2\n0 confirmed 3");
}

#[test]
fn who_prepares_has_ended_its_work_and_may_end_it_twice() {
    let mut t = Bench::new();
    t.connect(0);
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.send_in(0, 1, "out", "b", Persistent);
    t.branch(0, "x", End, 2);
    t.branch(0, "x", End, 3);
    t.branch(0, "y", Start(TransactionId(2)), 4);
    t.send_in(0, 2, "out", "c", Persistent);
    t.branch(0, "y", Prepare, 5);
    t.flush();
    let confirmed = "0 confirmed 1\n0 confirmed 2\n0 confirmed 3\n0 confirmed 4";
    assert_eq!(t.events(), format!("{confirmed}\n0 prepared 5 Prepared"));
}

#[test]
fn a_session_hears_how_others_ended_what_it_worked_on() {
    for (actions, ended) in [
        (&[Prepare, Commit][..], "t1 committed"),
        (&[Prepare, Rollback], "t1 rolled back"),
        (&[Prepare, HeuristicCommit], "t1 committed"),
        (&[Prepare, HeuristicRollback], "t1 rolled back"),
        (&[CommitOnePhase], "t1 committed"),
        (&[Rollback], "t1 rolled back"),
    ] {
        let mut t = Bench::new();
        worked(&mut t);
        t.connect(1);
        let (last, before) = actions.split_last().expect("each has a last one");
        for action in before {
            t.branch(1, "x", *action, 3);
            t.flush();
            assert_eq!(t.events(), "1 prepared 3 Prepared");
        }
        t.branch(1, "x", *last, 4);
        t.flush();
        let events = t.events();
        assert_eq!(events, format!("0 {ended}\n1 confirmed 4"), "{last:?}");
    }
}

#[test]
fn a_session_hears_that_the_end_of_another_undid_its_work() {
    let mut t = Bench::new();
    worked(&mut t);
    t.connect(1);
    t.branch(1, "x", Start(TransactionId(5)), 1);
    t.send_in(1, 5, "out", "c", Persistent);
    t.events();
    t.disconnect(1);
    assert_eq!(t.events(), "0 t1 rolled back");
    // What it took it may settle again.
    t.settle(0, 1, 1, Settlement::Consumed);
    t.flush();
    assert_eq!(counts(&t), "0/0/1/1 0/0/0/0");
}

#[test]
fn a_branch_without_work_is_over_for_everybody() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    for slot in [0, 1] {
        t.branch(slot, "x", Start(TransactionId(1)), 1);
        t.branch(slot, "x", End, 2);
    }
    t.events();
    t.branch(1, "x", Prepare, 3);
    assert_eq!(t.events(), "0 t1 rolled back\n1 prepared 3 ReadOnly");
}

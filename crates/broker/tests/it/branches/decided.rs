//! How branches are decided: in one phase or two, again, and by a person.

use super::{counts, in_doubt, prepared, worked};
use crate::driver::Bench;
use ferrymq_model::BranchAction::{
    Commit, CommitOnePhase, End, Forget, HeuristicCommit, HeuristicRollback, Prepare, Rollback, Start,
};
use ferrymq_model::DeliveryMode::Persistent;
use ferrymq_model::{BranchAction, Request, Token, TransactionId};

/// The branch has come to this; maybe the broker started again since.
fn decided(decision: BranchAction, restarts: usize) -> Bench {
    let mut t = prepared();
    t.branch(0, "x", decision, 4);
    t.flush();
    t.events();
    t.restart_times(restarts, 0);
    t
}

#[test]
fn a_decision_asked_for_again_gets_the_same_answer() {
    for restarts in [0, 1, 3] {
        let mut t = decided(Commit, restarts);
        t.branch(0, "x", Commit, 5);
        t.branch(0, "x", Rollback, 6);
        t.branch(0, "y", Commit, 7);
        let again = "0 confirmed 5\n0 refused 6 Branch(Protocol)";
        let events = t.events();
        assert!(events.starts_with(again) && events.contains("0 refused 7 Branch(Unknown)"), "{events}");
        assert_eq!(t.bodies("out"), "b");
        let mut t = decided(Rollback, restarts);
        t.branch(0, "x", Rollback, 5);
        t.branch(0, "x", Commit, 6);
        let events = t.events();
        assert!(events.starts_with("0 confirmed 5\n0 refused 6 Branch(RolledBack)"), "{events}");
    }
}

#[test]
fn an_answer_that_is_given_again_waits_for_the_first_one() {
    let mut t = prepared();
    t.connect(1);
    t.branch(0, "x", Commit, 4);
    t.branch(1, "x", Commit, 5);
    t.ask(1, Request::Recover { token: Token(6) });
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 4\n1 confirmed 5\n1 in doubt 6 []");
}

#[test]
fn one_phase_does_both_at_once() {
    let mut t = Bench::new();
    worked(&mut t);
    t.branch(0, "x", CommitOnePhase, 3);
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 3");
    assert_eq!(counts(&t), "0/0/1/1 1/0/1/0");
    t.restart();
    t.connect(0);
    t.branch(0, "x", CommitOnePhase, 4);
    assert_eq!(t.events(), "0 confirmed 4");
    assert_eq!(counts(&t), "0/0/0/0 1/0/0/0");
}

#[test]
fn what_a_person_decided_is_told_until_it_is_forgotten() {
    for (action, other, kind) in
        [(HeuristicCommit, Rollback, "HeuristicallyCommitted"), (HeuristicRollback, Commit, "HeuristicallyRolledBack")]
    {
        let mut t = prepared();
        t.branch(0, "x", action, 4);
        t.flush();
        assert_eq!(t.events(), "0 confirmed 4");
        for _ in 0..2 {
            t.restart();
            assert_eq!(in_doubt(&mut t), "[x]");
        }
        t.connect(0);
        t.branch(0, "x", other, 5);
        t.branch(0, "x", action, 6);
        let events = t.events();
        assert!(events.starts_with(&format!("0 refused 5 Branch({kind})")), "{events}");
        assert!(events.ends_with("0 confirmed 6"), "{events}");
        let expected = if action == HeuristicCommit { "0/0/0/0 1/0/0/0" } else { "1/0/0/0" };
        assert!(counts_of(&t).starts_with(expected), "{}", counts_of(&t));
        t.branch(0, "x", Forget, 7);
        t.flush();
        assert_eq!(t.events(), "0 confirmed 7");
        t.restart();
        assert_eq!(in_doubt(&mut t), "[]");
        t.connect(0);
        t.branch(0, "x", Forget, 8);
        assert!(t.events().starts_with("0 refused 8 Branch(Unknown)"));
    }
}

fn counts_of(t: &Bench) -> String {
    if t.has("out") { counts(t) } else { t.counts("in") }
}

#[test]
fn decisions_need_a_prepared_branch() {
    let mut t = Bench::new();
    worked(&mut t);
    for (number, action) in [Commit, HeuristicCommit, HeuristicRollback].into_iter().enumerate() {
        t.branch(0, "x", action, number as u64);
        assert!(t.events().contains("Branch(Protocol)"));
    }
    t.branch(0, "x", Prepare, 5);
    t.branch(0, "x", Prepare, 6);
    t.branch(0, "x", Forget, 7);
    t.branch(0, "x", Start(TransactionId(4)), 8);
    t.branch(0, "x", End, 9);
    t.flush();
    let events = t.events();
    let lines: Vec<&str> = events.lines().collect();
    assert_eq!(lines[..2], ["0 prepared 5 Prepared", "0 prepared 6 Prepared"]);
    assert!(lines[2..].iter().all(|line| line.contains("Branch(Protocol)")) && lines.len() == 5, "{events}");
}

/// ActiveMQ's client for C++ asks for one phase whatever its application says.
#[test]
fn one_phase_commits_what_is_prepared() {
    for restarts in 0..2 {
        let mut t = prepared();
        t.restart_times(restarts, 0);
        t.branch(0, "x", CommitOnePhase, 4);
        assert_eq!(t.events(), "");
        t.flush();
        assert_eq!(t.events(), "0 confirmed 4");
        assert_eq!((t.bodies("out"), in_doubt(&mut t)), ("b".to_owned(), "[]".to_owned()));
        t.branch(0, "x", CommitOnePhase, 5);
        assert_eq!(t.events(), "0 confirmed 5");
    }
}

#[test]
fn who_forgets_a_branch_that_is_not_prepared_undoes_it() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.send_in(0, 1, "out", "b", Persistent);
    t.events();
    t.branch(1, "x", Forget, 2);
    assert_eq!(t.events(), "0 t1 rolled back\n1 confirmed 2");
    t.branch(0, "x", End, 3);
    t.branch(0, "x", Prepare, 4);
    let events = t.events();
    assert_eq!(events.matches("Branch(RolledBack)").count(), 2, "{events}");
    assert_eq!(t.counts("out"), "0/0/0/0");
}

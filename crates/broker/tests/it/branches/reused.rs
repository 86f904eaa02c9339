//! A manager gives a name to a new branch when the earlier one of that name is over.

use super::{in_doubt, prepared, worked};
use crate::driver::Bench;
use ferrymq_model::BranchAction::{
    Commit, CommitOnePhase, End, Forget, HeuristicCommit, Prepare, Resume, Rollback, Start,
};
use ferrymq_model::DeliveryMode::Persistent;
use ferrymq_model::TransactionId;

/// `x` sent "b" and is committed; maybe the broker started again since.
fn committed(restarts: usize) -> Bench {
    let mut t = prepared();
    t.branch(0, "x", Commit, 4);
    t.flush();
    t.events();
    for _ in 0..restarts {
        t.restart();
    }
    if restarts > 0 {
        t.connect(0);
    }
    t
}

/// A new `x` sends "c".
fn begun_again(t: &mut Bench) {
    t.branch(0, "x", Start(TransactionId(2)), 5);
    assert_eq!(t.events(), "", "that the old one is forgotten is not on disk");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 5");
    t.send_in(0, 2, "out", "c", Persistent);
    t.branch(0, "x", End, 6);
    assert_eq!(t.events(), "0 confirmed 6");
}

#[test]
fn a_name_whose_branch_was_committed_names_a_new_one() {
    for restarts in 0..2 {
        let mut t = committed(restarts);
        begun_again(&mut t);
        assert_eq!((in_doubt(&mut t), t.bodies("out")), ("[]".to_owned(), "b".to_owned()));
        t.branch(0, "x", Prepare, 7);
        t.flush();
        assert_eq!(t.events(), "0 prepared 7 Prepared");
        t.restart();
        assert_eq!((in_doubt(&mut t), t.bodies("out")), ("[x]".to_owned(), "b".to_owned()));
        t.connect(0);
        t.branch(0, "x", Commit, 8);
        t.flush();
        assert_eq!(t.events(), "0 confirmed 8");
        t.restart();
        t.connect(0);
        t.branch(0, "x", Commit, 9);
        assert_eq!((t.events().as_str(), t.bodies("out").as_str()), ("0 confirmed 9", "b c"));
    }
}

#[test]
fn a_name_may_be_used_again_and_again_in_one_phase() {
    let mut t = Bench::new();
    worked(&mut t);
    t.branch(0, "x", CommitOnePhase, 3);
    for round in 2..6 {
        t.branch(0, "x", Start(TransactionId(round)), 4);
        t.send_in(0, round, "out", &round.to_string(), Persistent);
        t.branch(0, "x", CommitOnePhase, 5);
        t.branch(0, "x", CommitOnePhase, 6);
        t.flush();
        let events = t.events();
        assert!(events.ends_with("0 confirmed 4\n0 confirmed 5\n0 confirmed 6"), "{events}");
    }
    t.restart();
    assert_eq!(t.bodies("out"), "b 2 3 4 5");
}

/// Whoever was told that the new branch began may lose everything behind that, but is never told of the old one.
#[test]
fn what_became_of_the_old_branch_is_not_said_of_the_new_one() {
    for action in [CommitOnePhase, Commit, Prepare] {
        let mut t = committed(1);
        begun_again(&mut t);
        t.restart();
        t.connect(0);
        t.branch(0, "x", action, 7);
        let events = t.events();
        assert!(events.starts_with("0 refused 7 Branch(Unknown)"), "{events}");
        t.branch(0, "x", Rollback, 8);
        let events = t.events();
        assert!(events.starts_with("0 refused 8 Branch(Unknown)"), "{events}");
        assert_eq!(t.bodies("out"), "b");
    }
    let mut t = committed(1);
    begun_again(&mut t);
    t.disconnect(0);
    t.connect(0);
    t.branch(0, "x", CommitOnePhase, 7);
    let events = t.events();
    assert!(events.starts_with("0 refused 7 Branch(RolledBack)"), "{events}");
}

#[test]
fn a_new_branch_without_work_leaves_a_name_without_a_past() {
    for ending in [Commit, Rollback] {
        let mut t = prepared();
        t.branch(0, "x", ending, 4);
        t.branch(0, "x", Start(TransactionId(2)), 5);
        t.branch(0, "x", Prepare, 6);
        t.flush();
        assert_eq!(t.events(), "0 confirmed 4\n0 confirmed 5\n0 prepared 6 ReadOnly");
        t.branch(0, "x", Commit, 7);
        let events = t.events();
        assert!(events.starts_with("0 refused 7 Branch(Unknown)"), "{events}");
    }
}

/// A client that lost the answer to a commit says all of the branch again.
#[test]
fn a_branch_that_is_said_again_is_the_old_one() {
    for restarts in 0..2 {
        let mut t = committed(restarts);
        t.branch(0, "x", Resume(TransactionId(2)), 5);
        t.branch(0, "x", End, 6);
        t.branch(0, "x", Commit, 7);
        let events = t.events();
        let lines: Vec<&str> = events.lines().collect();
        assert!(lines[0].starts_with("0 refused 5 Branch(Duplicate)"), "{events}");
        assert!(lines[1].starts_with("0 refused 6 Branch(Protocol)"), "{events}");
        assert_eq!(lines[2], "0 confirmed 7");
        assert_eq!(t.bodies("out"), "b");
    }
}

/// One that was not prepared when its connection failed begins anew with all that is said again.
#[test]
fn a_branch_that_was_undone_is_begun_by_who_says_it_again() {
    let mut t = Bench::new();
    worked(&mut t);
    t.disconnect(0);
    t.connect(0);
    t.branch(0, "x", Resume(TransactionId(2)), 5);
    t.send_in(0, 2, "out", "b", Persistent);
    t.branch(0, "x", CommitOnePhase, 6);
    t.flush();
    assert_eq!(t.events(), "0 confirmed 5\n0 confirmed 6");
    assert_eq!(t.bodies("out"), "b");
}

#[test]
fn what_a_person_decided_keeps_its_name_until_it_is_forgotten() {
    let mut t = prepared();
    t.branch(0, "x", HeuristicCommit, 4);
    t.branch(0, "x", Start(TransactionId(2)), 5);
    t.branch(0, "x", Forget, 6);
    t.branch(0, "x", Start(TransactionId(3)), 7);
    t.flush();
    let events = t.events();
    let lines: Vec<&str> = events.lines().collect();
    assert_eq!((lines[0], &lines[2..]), ("0 confirmed 4", &["0 confirmed 6", "0 confirmed 7"][..]), "{events}");
    assert!(lines[1].starts_with("0 refused 5 Branch(Duplicate)"), "{events}");
}

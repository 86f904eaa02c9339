//! What is no selector, and that size and nesting stay bounded.

use super::message;
use crate::limits::{SELECTOR_BYTES_MAX, SELECTOR_DEPTH_MAX};
use crate::selector::Selector;

fn refusal(source: &str) -> String {
    match Selector::parse(source, false) {
        Ok(selector) => panic!("{source} was accepted: {selector:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_no_selector_is_refused_with_the_place() {
    let rows = [
        ("n =", "a property, a number or a text was expected, not the end of the selector (at byte 3 of the selector)"),
        ("= 5", "not `=`"),
        ("n = = 5", "not `=` (at byte 4"),
        ("n 5", "AND, OR or the end was expected, not `5` (at byte 2"),
        ("n = 5 m", "not `m`"),
        ("(n = 5", "`)` was expected, not the end"),
        ("n = 5)", "not `)`"),
        ("()", "not `)`"),
        ("AND n", "not `AND`"),
        ("n AND", "not the end"),
        ("n OR OR m", "not `OR`"),
        ("NOT", "not the end"),
        ("n NOT 5", "BETWEEN, IN or LIKE was expected"),
        ("n = NOT m", "parentheses"),
        ("n IS 5", "`NULL` was expected"),
        ("n IS NOT", "`NULL` was expected"),
        ("n = NULL", "NULL stands only after IS"),
        ("NULL", "NULL stands only after IS"),
        ("n == 5", "not `=`"),
        ("n != 5", "write `<>`"),
        ("n = 5 = 6", "comparisons do not chain"),
        ("n < 5 < 6", "comparisons do not chain"),
        ("n IS NULL IS NULL", "comparisons do not chain"),
        ("n LIKE 'a' NOT LIKE 'b'", "comparisons do not chain"),
        ("5", "a condition was expected, not a number"),
        ("n + 1", "a condition was expected, not a number"),
        ("-n", "a condition was expected, not a number"),
        ("'abc'", "a condition was expected, not text"),
        ("n = 5 AND 5", "a condition was expected, not a number (at byte 10"),
        ("'a' OR n = 5", "a condition was expected, not text (at byte 0"),
        ("NOT 5", "a condition was expected"),
        ("s < 'abc'", "text has only = and <>"),
        ("s BETWEEN 'a' AND 'b'", "text has only = and <>"),
        ("n < TRUE", "not a truth value"),
        ("(n = 5) > 1", "not a truth value"),
        ("n + TRUE = 1", "not a truth value"),
        ("n + 'a' = 1", "a number was expected, not text"),
        ("-'a' = 1", "a number was expected"),
        ("n BETWEEN 1", "`AND` was expected"),
        ("n BETWEEN 1 OR 2", "`AND` was expected"),
        ("n IN ()", "not `)`"),
        ("n IN 'a'", "`(` was expected"),
        ("n IN ('a'", "`)` was expected"),
        ("n IN ('a',)", "not `)`"),
        ("n IN (m)", "IN lists texts and numbers"),
        ("n IN (TRUE)", "IN lists texts and numbers"),
        ("n LIKE 5", "a pattern between single quotes was expected"),
        ("n LIKE m", "a pattern between single quotes was expected"),
        ("5 LIKE 'a'", "LIKE compares text"),
        ("n LIKE 'a' ESCAPE", "one character between single quotes was expected"),
        ("n LIKE 'a' ESCAPE ''", "exactly one character"),
        ("n LIKE 'a' ESCAPE 'ab'", "exactly one character"),
        ("n = 'abc", "the text has no closing quote (at byte 4"),
        ("n = 'abc''", "the text has no closing quote"),
        ("n = \"abc\"", "single quotes"),
        ("n = 5 /* over", "the comment has no end (at byte 6"),
        ("n = 5a", "runs into"),
        ("n = 1.2.3", "runs into"),
        ("n = 1e", "runs into"),
        ("n = 0x", "not a number"),
        ("n = 0xg", "runs into"),
        ("n = 08", "not a number"),
        ("n = 1.5L", "not a number"),
        ("n = 1e999", "not a number"),
        ("n = 9223372036854775808", "not a number of 64 bits"),
        ("n = -9223372036854775809", "not a number of 64 bits"),
        ("n = 99999999999999999999999", "not a number of 64 bits"),
        ("n = 0xFFFFFFFFFFFFFFFF", "not a number of 64 bits"),
        ("n.m = 5", "'.' has no meaning"),
        ("n-m.x = 5", "'.' has no meaning"),
        ("n = ?", "'?' has no meaning"),
        ("n = 5;", "';' has no meaning"),
        ("n & m", "'&' has no meaning"),
        ("n = \u{0}", "has no meaning"),
        ("LIKE = 5", "not `LIKE`"),
        ("REGEX('a', s)", "the function REGEX is not supported (at byte 0"),
        ("INLIST(SPLIT('a,b', ','), s)", "the function INLIST is not supported"),
        ("n = 5 AND replace(s, 'a', 'b') = 'c'", "the function REPLACE is not supported (at byte 10"),
        ("MAKELIST('a') = 'b'", "the function MAKELIST is not supported"),
        ("XPATH '/a/b'", "the function XPATH is not supported"),
        ("xquery '/a/b'", "the function XQUERY is not supported"),
        ("UPPER(s) = 'A'", "selectors have no function `UPPER`"),
        ("convert_string_expressions:n = ", "at byte 31"),
    ];
    for (source, expected) in rows {
        let text = refusal(source);
        assert!(text.contains(expected), "{source}\n  was refused with: {text}\n  expected:         {expected}");
    }
}

#[test]
fn a_selector_larger_than_the_limit_is_refused() {
    let fits = format!("n = 5{}", " ".repeat(SELECTOR_BYTES_MAX - 5));
    assert!(Selector::parse(&fits, false).is_ok());
    assert!(refusal(&(fits + " ")).contains("more than 8192 bytes"));
}

#[test]
fn nesting_has_a_limit() {
    let forms =
        [("(", "n = 5", ")"), ("NOT ", "n = 5", ""), ("NOT (", "n = 5", ")"), ("- ", "n", ""), ("-(", "n", ")")];
    for (open, inner, close) in forms {
        let a_level = open.trim().matches(['(', '-']).count() + open.matches("NOT").count();
        let levels = SELECTOR_DEPTH_MAX / a_level;
        let nested = |count: usize| {
            let source = format!("{}{inner}{}", open.repeat(count), close.repeat(count));
            if inner == "n" { format!("{source} = 5") } else { source }
        };
        assert!(Selector::parse(&nested(levels), false).is_ok(), "{open} {levels}");
        assert!(refusal(&nested(levels + 1)).contains("nests deeper than 64 levels"), "{open}");
        let count = SELECTOR_BYTES_MAX / (open.len() + close.len()) - 10;
        assert!(refusal(&nested(count)).contains("nests deeper"), "{open}");
    }
}

#[test]
fn a_level_is_given_back_when_it_is_left() {
    let source = vec!["(NOT (-n = 5))"; 200].join(" AND ");
    assert!(Selector::parse(&source, false).unwrap().matches(&message("n=i:5"), 0));
}

#[test]
fn long_chains_do_not_nest() {
    let message = message("n=i:1");
    for (source, expected) in [
        (vec!["n=1"; 1000].join(" AND "), true),
        (vec!["n=2"; 1100].join(" OR "), false),
        (format!("{} = 4000", vec!["n"; 4000].join("+")), true),
        (format!("{} = 1", vec!["n"; 4000].join("*")), true),
        (format!("{} = -3998", vec!["n"; 4000].join("-")), true),
        (format!("n IN ({})", vec!["1"; 4000].join(",")), true),
    ] {
        assert_eq!(Selector::parse(&source, false).unwrap().matches(&message, 0), expected, "{}", &source[..20]);
    }
}

/// AND, OR, NOT and parentheses nested as deep as is allowed, on a stack smaller than any of ours.
#[test]
fn the_deepest_selector_needs_little_stack() {
    let open = "n = 1 AND n = 5 OR n = 5 AND NOT (n = 2 OR ";
    let levels = SELECTOR_DEPTH_MAX / 2;
    let source = format!("{}n = 5{}", open.repeat(levels), ")".repeat(levels));
    let thread = std::thread::Builder::new().stack_size(512 * 1024);
    let wanted = thread.spawn(move || Selector::parse(&source, false).unwrap().matches(&message("n=i:5"), 0));
    // The innermost is true, so each NOT turns it around; an even number of them.
    assert!(wanted.unwrap().join().unwrap());
}

#[test]
fn a_selector_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    shared::<Selector>();
}

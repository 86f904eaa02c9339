//! Random selectors against a second evaluator, written as plainly as can be; random text; hard patterns.

use super::chance::Random;
use super::message;
use crate::limits::{SELECTOR_BYTES_MAX, SELECTOR_STEPS_LEAST, SELECTOR_STEPS_MAX, SELECTOR_STEPS_SHARED_MAX};
use crate::selector::like::Pattern;
use crate::selector::{Effort, Selector};

/// What the plain evaluator knows of a value.
#[derive(Clone, PartialEq, Debug)]
enum Plain {
    Missing,
    Truth(bool),
    Whole(i64),
    Text(String),
}

/// Kleene's values as numbers: AND is the least, OR the greatest, NOT the distance from true.
const FALSE: u8 = 0;
const UNKNOWN: u8 = 1;
const TRUE: u8 = 2;

const PROPERTIES: &str = "a=i:1\nb=i:-7\nm=i:9223372036854775807\nt=b:true\nf=b:false\ns=s:abab\nu=s:aé_\nz=s:";

fn property(name: &str) -> Plain {
    match name {
        "a" => Plain::Whole(1),
        "b" => Plain::Whole(-7),
        "m" => Plain::Whole(i64::MAX),
        "t" => Plain::Truth(true),
        "f" => Plain::Truth(false),
        "s" => Plain::Text("abab".to_owned()),
        "u" => Plain::Text("aé_".to_owned()),
        "z" => Plain::Text(String::new()),
        _ => Plain::Missing,
    }
}

/// A random value: its source and what it is.
fn value(random: &mut Random, depth: usize) -> (String, Plain) {
    match random.below(if depth == 0 { 2 } else { 4 }) {
        0 => {
            let name = random.pick(&["a", "b", "m", "t", "f", "s", "u", "z", "none"]);
            (name.to_owned(), property(name))
        }
        1 => {
            let whole = random.below(20) as i64 - 10;
            (whole.to_string(), Plain::Whole(whole))
        }
        2 => {
            let (source, operand) = value(random, depth - 1);
            let negated = match operand {
                Plain::Whole(operand) => operand.checked_neg().map_or(Plain::Missing, Plain::Whole),
                Plain::Missing | Plain::Truth(_) | Plain::Text(_) => Plain::Missing,
            };
            (format!("-({source})"), negated)
        }
        _ => {
            let (left_source, left) = value(random, depth - 1);
            let (right_source, right) = value(random, depth - 1);
            let operator = random.pick(&["+", "-", "*", "/", "%"]);
            (format!("({left_source}) {operator} ({right_source})"), calculate(operator, &left, &right))
        }
    }
}

fn calculate(operator: &str, left: &Plain, right: &Plain) -> Plain {
    let (Plain::Whole(left), Plain::Whole(right)) = (left, right) else {
        return Plain::Missing;
    };
    if right == &0 && (operator == "/" || operator == "%") {
        return Plain::Missing;
    }
    if operator == "%" && (*left, *right) == (i64::MIN, -1) {
        return Plain::Missing;
    }
    let (left, right) = (i128::from(*left), i128::from(*right));
    let wide = match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        _ => left % right,
    };
    i64::try_from(wide).map_or(Plain::Missing, Plain::Whole)
}

fn compare(operator: &str, left: &Plain, right: &Plain) -> u8 {
    let holds = match (left, right) {
        (Plain::Missing, _) | (_, Plain::Missing) => return UNKNOWN,
        (Plain::Whole(left), Plain::Whole(right)) => match operator {
            "=" => left == right,
            "<>" => left != right,
            "<" => left < right,
            "<=" => left <= right,
            ">" => left > right,
            _ => left >= right,
        },
        (Plain::Text(_), Plain::Text(_)) | (Plain::Truth(_), Plain::Truth(_)) => match operator {
            "=" => left == right,
            "<>" => left != right,
            _ => false,
        },
        _ => false,
    };
    if holds { TRUE } else { FALSE }
}

/// LIKE by trying everything.
fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|skipped| like(rest, &text[skipped..])),
        Some((wanted, rest)) => {
            text.split_first().is_some_and(|(c, text)| (*wanted == '_' || wanted == c) && like(rest, text))
        }
    }
}

/// A random condition: its source and its truth.
fn condition(random: &mut Random, depth: usize) -> (String, u8) {
    match random.below(if depth == 0 { 6 } else { 9 }) {
        0 | 1 => {
            let (left_source, left) = value(random, 2);
            let (right_source, right) = value(random, 2);
            let operator = random.pick(&["=", "<>", "<", "<=", ">", ">="]);
            (format!("{left_source} {operator} {right_source}"), compare(operator, &left, &right))
        }
        2 => {
            let ((source, value), (low_source, low), (high_source, high)) =
                (value(random, 1), value(random, 1), value(random, 1));
            let inside = compare(">=", &value, &low).min(compare("<=", &value, &high));
            let outside = compare("<", &value, &low).max(compare(">", &value, &high));
            let (word, truth) = if random.below(2) == 0 { ("BETWEEN", inside) } else { ("NOT BETWEEN", outside) };
            (format!("{source} {word} {low_source} AND {high_source}"), truth)
        }
        3 => {
            let name = random.pick(&["s", "u", "z", "none", "a", "t"]);
            let pattern: String = (0..random.below(6)).map(|_| random.pick(&["a", "b", "é", "%", "_"])).collect();
            let truth = match property(name) {
                Plain::Missing => UNKNOWN,
                Plain::Text(text) => {
                    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
                    if like(&pattern, &text) { TRUE } else { FALSE }
                }
                Plain::Truth(_) | Plain::Whole(_) => FALSE,
            };
            let negated = random.below(2) == 1;
            let word = if negated { "NOT LIKE" } else { "LIKE" };
            (format!("{name} {word} '{pattern}'"), if negated { TRUE - truth } else { truth })
        }
        4 => {
            let (source, value) = value(random, 1);
            let list = ["abab", "x", ""].map(|text| Plain::Text(text.to_owned()));
            let found = if value == Plain::Missing { UNKNOWN } else { TRUE * u8::from(list.contains(&value)) };
            let negated = random.below(2) == 1;
            let word = if negated { "NOT IN" } else { "IN" };
            (format!("{source} {word} ('abab', 'x', '')"), if negated { TRUE - found } else { found })
        }
        5 => {
            let (source, value) = value(random, 2);
            let missing = TRUE * u8::from(value == Plain::Missing);
            if random.below(2) == 0 {
                (format!("{source} IS NULL"), missing)
            } else {
                (format!("{source} IS NOT NULL"), TRUE - missing)
            }
        }
        6 => {
            let (source, truth) = condition(random, depth - 1);
            (format!("NOT ({source})"), TRUE - truth)
        }
        which => {
            let ((left_source, left), (right_source, right)) =
                (condition(random, depth - 1), condition(random, depth - 1));
            if which == 7 {
                (format!("({left_source}) AND ({right_source})"), left.min(right))
            } else {
                (format!("({left_source}) OR ({right_source})"), left.max(right))
            }
        }
    }
}

#[test]
fn random_selectors_agree_with_a_plain_evaluator() {
    let message = message(PROPERTIES);
    let mut seen = [0_u32; 3];
    for seed in 1..=20_000_u64 {
        let (source, truth) = condition(&mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 4);
        // Longer than the limit is refused, which other tests show.
        if source.len() + 6 > SELECTOR_BYTES_MAX {
            continue;
        }
        let outcome = super::outcome(&message, &source, false, 0);
        let expected = ['F', 'U', 'T'][usize::from(truth)];
        assert_eq!(outcome, expected, "seed {seed}: {source}");
        seen[usize::from(truth)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 1000), "the generator covers every truth value: {seen:?}");
}

#[test]
fn random_text_never_panics() {
    let message = message(PROPERTIES);
    let words = [
        "a",
        "s",
        "'",
        "'x'",
        "''",
        "(",
        ")",
        "AND",
        "OR",
        "NOT",
        "IS",
        "NULL",
        "LIKE",
        "ESCAPE",
        "IN",
        "BETWEEN",
        "=",
        "<>",
        "<",
        ">=",
        "+",
        "-",
        "--",
        "/*",
        "*/",
        "*",
        "/",
        "%",
        ",",
        ".",
        "0x",
        "07",
        "9",
        "1e",
        "5.5e9",
        "L",
        "é",
        "😀",
        "\n",
        "\u{0}",
        "\"",
        "\\",
        "JMSPriority",
        "9223372036854775808",
        "XPATH",
        "TRUE",
        " ",
    ];
    let mut accepted = 0;
    for seed in 1..=50_000_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let source: String = (0..random.below(12))
            .map(|_| if random.below(8) == 0 { "\u{7f}!;x" } else { random.pick(&words) })
            .flat_map(|word| [word, " "])
            .collect();
        for source in [source.as_str(), &source.replace(' ', "")] {
            if let Ok(selector) = Selector::parse(source, seed % 2 == 0) {
                let _ = selector.matches(&message, 1);
                accepted += 1;
            }
        }
    }
    assert!(accepted > 100, "some of it is selectors: {accepted}");
}

#[test]
fn random_octets_never_panic() {
    let mut random = Random(0x5eed);
    for _ in 0..50_000 {
        let octets: Vec<u8> = (0..random.below(40)).map(|_| random.below(256) as u8).collect();
        let _ = Selector::parse(&String::from_utf8_lossy(&octets), false);
    }
}

/// Each of these takes an evaluator that tries everything longer than the age of the universe.
#[test]
fn hard_patterns_end() {
    let text = "a".repeat(100_000);
    for (pattern, expected) in [
        ("%a".repeat(2000), true),
        ("%a".repeat(2000) + "b", false),
        ("%a".repeat(2000) + "%b%", false),
        ("%a%a_".repeat(500) + "%b%", false),
        ("a".repeat(4000) + "%" + &"a".repeat(4000), true),
        ("%".repeat(8000), true),
        ("%".to_owned() + &"a".repeat(4000) + "b%", false),
        ("%_".repeat(4000) + "b", false),
    ] {
        let found = Pattern::new(&pattern, None).matches(&text, usize::MAX, &mut 0);
        assert_eq!(found, Some(expected), "{}…", &pattern[..10.min(pattern.len())]);
    }
}

#[test]
fn a_condition_that_takes_too_many_steps_is_unknown() {
    let text = "a".repeat(SELECTOR_STEPS_MAX as usize);
    let message = message(&format!("text=s:{text}\nn=i:5"));
    for (source, expected) in [
        ("text LIKE '%_b%'", false),
        ("text NOT LIKE '%_b%'", false),
        ("n = 5 OR text LIKE '%_b%'", true),
        ("text LIKE '%b%' OR n = 5", true),
        ("text LIKE '%_b%' OR n = 5", false),
    ] {
        let selector = Selector::parse(source, false).unwrap();
        assert_eq!(selector.matches(&message, 0), expected, "{source}");
    }
}

#[test]
fn many_slow_conditions_share_their_steps_and_easy_ones_are_told_all_the_same() {
    let text = "a".repeat(100_000);
    let message = message(&format!("text=s:{text}\nn=i:5"));
    let slow = Selector::parse("text NOT LIKE '%_b%'", false).unwrap();
    let easy = Selector::parse("n = 5", false).unwrap();
    let mut effort = Effort::default();
    let told = (0..10_000).filter(|_| slow.matches_within(&message, 0, &mut effort)).count();
    assert!((1..200).contains(&told), "{told} slow conditions were told");
    assert!(effort.steps() < 2 * SELECTOR_STEPS_SHARED_MAX + 10_000 * u64::from(SELECTOR_STEPS_LEAST));
    assert!(easy.matches_within(&message, 0, &mut effort));
}

//! One row a rule: the selector and whether it is true, false or unknown.

use super::{annotated, message, outcome};
use crate::selector::Selector;

const PROPERTIES: &str = "n=i:5\nbig=i:9223372036854775807\nsmall=i:-9223372036854775808\nneg=i:-3\nzero=i:0\nd=d:2.5\n\
    five=d:5\nnan=d:NaN\ninf=d:inf\ns=s:abc\nnum=s:5\nfl=s:2.5\nexp=s:1e2\nword=s:inf\nt=b:true\nf=b:false\ntt=s:True\n\
    ff=s:FALSE\nempty=s:\nquote=s:it's\npct=s:50%\nus=s:a_b\nback=s:a\\b\nuni=s:höhe😀\n$x_1=i:1\nübung=i:2\n\
    regex=i:3\nXPATH=i:4\nline=s:a b";

fn check(converts_text: bool, rows: &[(&str, char)]) {
    let message = message(PROPERTIES);
    for (source, expected) in rows {
        assert_eq!(outcome(&message, source, converts_text, 0), *expected, "{source}");
    }
}

#[test]
fn comparisons_of_numbers() {
    check(
        false,
        &[
            ("n = 5", 'T'),
            ("n = 6", 'F'),
            ("n <> 5", 'F'),
            ("n <> 6", 'T'),
            ("n < 5", 'F'),
            ("n < 6", 'T'),
            ("n <= 5", 'T'),
            ("n <= 4", 'F'),
            ("n > 5", 'F'),
            ("n > 4", 'T'),
            ("n >= 5", 'T'),
            ("n >= 6", 'F'),
            ("5 = n", 'T'),
            ("6 > n", 'T'),
            ("n = five", 'T'),
            ("n = 5.0", 'T'),
            ("n < 5.1", 'T'),
            ("n > 4.9", 'T'),
            ("d = 2.5", 'T'),
            ("d > 2", 'T'),
            ("d < 3", 'T'),
            ("d <> 2.5", 'F'),
            ("neg < 0", 'T'),
            ("neg = -3", 'T'),
            ("neg = - 3", 'T'),
            ("neg = +-3", 'T'),
            ("neg = -+3", 'T'),
            ("neg = -n + 2", 'T'),
            ("big = 9223372036854775807", 'T'),
            ("small = -9223372036854775808", 'T'),
            ("small < big", 'T'),
            ("big > 9223372036854775806", 'T'),
            ("inf > big", 'T'),
            ("nan = nan", 'F'),
            ("nan <> nan", 'T'),
            ("nan < 1", 'F'),
            ("nan >= 1", 'F'),
            ("0.0 = -0.0", 'T'),
            ("1 = 1", 'T'),
            ("1 = 2", 'F'),
        ],
    );
}

#[test]
fn literals() {
    check(
        false,
        &[
            ("n = 5L", 'T'),
            ("n = 5l", 'T'),
            ("n = 5f", 'T'),
            ("n = 5D", 'T'),
            ("n = 5.", 'T'),
            ("n = 5.d", 'T'),
            ("n = .5e1", 'T'),
            ("n = 50E-1", 'T'),
            ("n = 0.5e+1F", 'T'),
            ("n = 0x5", 'T'),
            ("n = 0X05L", 'T'),
            ("n + 250 = 0xFf", 'T'),
            ("n + 3 = 010", 'T'),
            ("n + 3 = 010L", 'T'),
            ("n + 3 = 08.0", 'T'),
            ("zero = 0", 'T'),
            ("zero = 00", 'T'),
            ("zero = 0L", 'T'),
            ("s = 'abc'", 'T'),
            ("s = 'ABC'", 'F'),
            ("quote = 'it''s'", 'T'),
            ("empty = ''", 'T'),
            ("'''' = ''''", 'T'),
            ("'a' = 'b'", 'F'),
            ("uni = 'höhe😀'", 'T'),
            ("TRUE", 'T'),
            ("false", 'F'),
            ("TRUE = True", 'T'),
            ("t = TRUE", 'T'),
            ("f = false", 'T'),
            ("t <> TRUE", 'F'),
            ("t <> f", 'T'),
        ],
    );
}

#[test]
fn names_comments_and_space() {
    check(
        false,
        &[
            ("$x_1 = 1", 'T'),
            ("übung = 2", 'T'),
            ("N = 5", 'U'),
            ("S = 'abc'", 'U'),
            ("regex = 3", 'T'),
            ("XPATH = 4", 'T'),
            ("xpath IS NULL", 'T'),
            ("n=5", 'T'),
            ("n\t=\r\n5", 'T'),
            ("n\u{c}= 5", 'T'),
            ("n -- what\n = 5", 'T'),
            ("n = 5\n-- over", 'T'),
            ("n /* = 6 */ = 5", 'T'),
            ("n = 5 /* * / **/", 'T'),
            ("/**/n = 5", 'T'),
            ("n = 5 and t", 'T'),
            ("n = 5 aNd NoT f", 'T'),
            ("s = '-- no comment'", 'F'),
            ("s = '/* neither */'", 'F'),
            ("n=5 AND t", 'T'),
        ],
    );
}

#[test]
fn unlike_types_are_false() {
    check(
        false,
        &[
            ("s = 5", 'F'),
            ("s <> 5", 'F'),
            ("num = 5", 'F'),
            ("num <> 5", 'F'),
            ("n = '5'", 'F'),
            ("n <> '5'", 'F'),
            ("num < 6", 'F'),
            ("num > 4", 'F'),
            ("s < num", 'F'),
            ("s >= s", 'F'),
            ("t = 'true'", 'F'),
            ("t <> 'true'", 'F'),
            ("t = 1", 'F'),
            ("t <> 1", 'F'),
            ("t < f", 'F'),
            ("t >= t", 'F'),
            ("tt = TRUE", 'F'),
            ("s", 'F'),
            ("tt", 'F'),
            ("n", 'F'),
            ("d", 'F'),
            ("t", 'T'),
            ("f", 'F'),
            ("'5' = 5", 'F'),
            ("TRUE = 1", 'F'),
            ("s BETWEEN 1 AND 2", 'F'),
            ("s NOT BETWEEN 1 AND 2", 'F'),
            ("t BETWEEN 0 AND 1", 'F'),
        ],
    );
}

#[test]
fn what_is_missing_is_unknown() {
    check(
        false,
        &[
            ("missing = 5", 'U'),
            ("missing <> 5", 'U'),
            ("missing < 5", 'U'),
            ("5 <= missing", 'U'),
            ("missing = missing", 'U'),
            ("missing = 'a'", 'U'),
            ("missing = TRUE", 'U'),
            ("missing", 'U'),
            ("NOT missing", 'U'),
            ("missing IS NULL", 'T'),
            ("missing IS NOT NULL", 'F'),
            ("n IS NULL", 'F'),
            ("n IS NOT NULL", 'T'),
            ("n is not null", 'T'),
            ("empty IS NULL", 'F'),
            ("missing + 1 IS NULL", 'T'),
            ("s + 1 IS NULL", 'T'),
            ("t + 1 IS NULL", 'T'),
            ("-missing IS NULL", 'T'),
            ("-s IS NULL", 'T'),
            ("(missing = 1) IS NULL", 'T'),
            ("(n = 1) IS NULL", 'F'),
            ("missing IN ('a')", 'U'),
            ("missing NOT IN ('a')", 'U'),
            ("missing LIKE '%'", 'U'),
            ("missing NOT LIKE '%'", 'U'),
            ("missing BETWEEN 1 AND 2", 'U'),
            ("missing NOT BETWEEN 1 AND 2", 'U'),
            ("n BETWEEN missing AND 9", 'U'),
            ("n BETWEEN missing AND 4", 'F'),
            ("n BETWEEN 6 AND missing", 'F'),
            ("n NOT BETWEEN 6 AND missing", 'T'),
            ("n NOT BETWEEN missing AND 9", 'U'),
        ],
    );
}

#[test]
fn logic_has_three_values() {
    check(
        false,
        &[
            ("t AND t", 'T'),
            ("t AND f", 'F'),
            ("f AND t", 'F'),
            ("f AND f", 'F'),
            ("t AND missing", 'U'),
            ("missing AND t", 'U'),
            ("f AND missing", 'F'),
            ("missing AND f", 'F'),
            ("missing AND missing", 'U'),
            ("t OR t", 'T'),
            ("t OR f", 'T'),
            ("f OR t", 'T'),
            ("f OR f", 'F'),
            ("t OR missing", 'T'),
            ("missing OR t", 'T'),
            ("f OR missing", 'U'),
            ("missing OR f", 'U'),
            ("missing OR missing", 'U'),
            ("NOT t", 'F'),
            ("NOT f", 'T'),
            ("NOT NOT t", 'T'),
            ("NOT NOT missing", 'U'),
            ("NOT n = 6", 'T'),
            ("NOT n = 5", 'F'),
            ("NOT s LIKE 'x%'", 'T'),
            ("NOT missing IS NULL", 'F'),
            ("t OR f AND f", 'T'),
            ("(t OR f) AND f", 'F'),
            ("f AND f OR t", 'T'),
            ("NOT f AND f", 'F'),
            ("NOT (f AND f)", 'T'),
            ("n = 5 AND s = 'abc' AND d > 2", 'T'),
            ("n = 5 AND s = 'abc' AND d > 3", 'F'),
            ("n = 6 OR s = 'x' OR d > 2", 'T'),
            ("(n = 5) = TRUE", 'T'),
            ("(n = 5) = (d = 2.5)", 'T'),
            ("(n = 5) <> f", 'T'),
            ("(missing = 5) = TRUE", 'U'),
            ("((((n = 5))))", 'T'),
            ("(t)", 'T'),
        ],
    );
}

#[test]
fn arithmetic() {
    check(
        false,
        &[
            ("n + 1 = 6", 'T'),
            ("n - 1 = 4", 'T'),
            ("n * 2 = 10", 'T'),
            ("n / 2 = 2", 'T'),
            ("n / 2.0 = 2.5", 'T'),
            ("n % 3 = 2", 'T'),
            ("neg % 2 = -1", 'T'),
            ("neg / 2 = -1", 'T'),
            ("d * 2 = 5", 'T'),
            ("d + n = 7.5", 'T'),
            ("5.5 % 2 = 1.5", 'T'),
            ("2 + 3 * 4 = 14", 'T'),
            ("(2 + 3) * 4 = 20", 'T'),
            ("10 - 4 - 3 = 3", 'T'),
            ("10 - (4 - 3) = 9", 'T'),
            ("100 / 10 / 2 = 5", 'T'),
            ("100 / (10 / 2) = 20", 'T'),
            ("2 * 7 / 2 = 7", 'T'),
            ("-n = -5", 'T'),
            ("-n * -1 = 5", 'T'),
            ("-(n + 1) = -6", 'T'),
            ("- -n = 5", 'T'),
            ("+n = 5", 'T'),
            ("-2.5 = -d", 'T'),
            ("3-2 = 1", 'T'),
            ("n-5 = 0", 'T'),
            ("n- -5 = 10", 'T'),
            ("1 < n + 1 AND n * 2 > 9", 'T'),
            ("n + 1 BETWEEN n AND n + 2", 'T'),
        ],
    );
}

#[test]
fn what_cannot_be_calculated_is_unknown() {
    check(
        false,
        &[
            ("n / 0 = 1", 'U'),
            ("n / zero = 1", 'U'),
            ("n % 0 = 1", 'U'),
            ("n / 0 IS NULL", 'T'),
            ("big + 1 > 0", 'U'),
            ("big * 2 > 0", 'U'),
            ("small - 1 < 0", 'U'),
            ("-small > 0", 'U'),
            ("small / -1 > 0", 'U'),
            ("small % -1 = 0", 'U'),
            ("big + 1.0 > 0", 'T'),
            ("n / 0.0 = inf", 'T'),
            ("0 / 0.0 = 0", 'F'),
            ("s * 2 = 4", 'U'),
            ("t - 1 = 0", 'U'),
            ("big + 1 - 1 = big", 'U'),
        ],
    );
}

#[test]
fn between_and_in() {
    check(
        false,
        &[
            ("n BETWEEN 5 AND 5", 'T'),
            ("n BETWEEN 1 AND 4", 'F'),
            ("n BETWEEN 6 AND 9", 'F'),
            ("n BETWEEN 9 AND 1", 'F'),
            ("n NOT BETWEEN 1 AND 4", 'T'),
            ("n NOT BETWEEN 5 AND 6", 'F'),
            ("n NOT BETWEEN 9 AND 1", 'T'),
            ("d BETWEEN 2 AND 3", 'T'),
            ("n BETWEEN 1 AND 9 AND t", 'T'),
            ("n BETWEEN 1 AND 9 AND f", 'F'),
            ("n BETWEEN d AND d * 2", 'T'),
            ("n BETWEEN -1 AND +9", 'T'),
            ("NOT n BETWEEN 1 AND 9", 'F'),
            ("s IN ('abc')", 'T'),
            ("s IN ('x', 'abc')", 'T'),
            ("s IN ('x','y')", 'F'),
            ("s NOT IN ('x', 'y')", 'T'),
            ("s NOT IN ('x', 'abc')", 'F'),
            ("n IN ('5')", 'F'),
            ("n NOT IN ('5')", 'T'),
            ("n IN (1, 5)", 'T'),
            ("n IN (-1, 5.0)", 'T'),
            ("neg IN (-3)", 'T'),
            ("n IN (1, 'x')", 'F'),
            ("t IN ('true')", 'F'),
            ("quote IN ('it''s')", 'T'),
            ("'abc' IN ('abc')", 'T'),
        ],
    );
}

#[test]
fn like() {
    check(
        false,
        &[
            ("s LIKE 'abc'", 'T'),
            ("s LIKE 'ab'", 'F'),
            ("s LIKE 'abcd'", 'F'),
            ("s LIKE 'ABC'", 'F'),
            ("s LIKE 'a%'", 'T'),
            ("s LIKE '%c'", 'T'),
            ("s LIKE '%b%'", 'T'),
            ("s LIKE 'b%'", 'F'),
            ("s LIKE '%b'", 'F'),
            ("s LIKE '%'", 'T'),
            ("s LIKE '%%'", 'T'),
            ("s LIKE '%%%a%%b%%c%%'", 'T'),
            ("s LIKE 'a%b%c'", 'T'),
            ("s LIKE 'a%c%b'", 'F'),
            ("s LIKE 'ab%bc'", 'F'),
            ("s LIKE 'abc%'", 'T'),
            ("s LIKE '%abc'", 'T'),
            ("s LIKE 'a_c'", 'T'),
            ("s LIKE '___'", 'T'),
            ("s LIKE '__'", 'F'),
            ("s LIKE '____'", 'F'),
            ("s LIKE '_%_'", 'T'),
            ("s LIKE '%___%'", 'T'),
            ("s LIKE '%____%'", 'F'),
            ("s LIKE '%_c'", 'T'),
            ("s LIKE '%_b%'", 'T'),
            ("s LIKE '%_a%'", 'F'),
            ("s LIKE ''", 'F'),
            ("empty LIKE ''", 'T'),
            ("empty LIKE '%'", 'T'),
            ("empty LIKE '_'", 'F'),
            ("s NOT LIKE 'a%'", 'F'),
            ("s NOT LIKE 'b%'", 'T'),
            ("uni LIKE 'h_he_'", 'T'),
            ("uni LIKE '_____'", 'T'),
            ("uni LIKE '%😀'", 'T'),
            ("uni LIKE '%h_'", 'F'),
            ("uni LIKE '%he_'", 'T'),
            ("pct LIKE '50!%' ESCAPE '!'", 'T'),
            ("pct LIKE '5!%' ESCAPE '!'", 'F'),
            ("s LIKE 'abc!%' ESCAPE '!'", 'F'),
            ("us LIKE 'a!_b' ESCAPE '!'", 'T'),
            ("s LIKE 'a!_c' ESCAPE '!'", 'F'),
            ("us LIKE 'a\\_b' ESCAPE '\\'", 'T'),
            ("back LIKE 'a\\\\b' ESCAPE '\\'", 'T'),
            ("back LIKE 'a\\b'", 'T'),
            ("back LIKE 'a\\b' ESCAPE '\\'", 'T'),
            ("s LIKE 'abc!' ESCAPE '!'", 'F'),
            ("pct LIKE '50%%' ESCAPE '%'", 'T'),
            ("us LIKE 'a__b' ESCAPE '_'", 'T'),
            ("s LIKE 'a__c' ESCAPE '_'", 'F'),
            ("us LIKE '%!_%' ESCAPE '!'", 'T'),
            ("s LIKE '%!_%' ESCAPE '!'", 'F'),
            ("pct LIKE '%é%%' ESCAPE 'é'", 'T'),
            ("s NOT LIKE '!%' ESCAPE '!'", 'T'),
            ("quote LIKE '%''s'", 'T'),
            ("n LIKE '5'", 'F'),
            ("n NOT LIKE '5'", 'T'),
            ("t LIKE 'true'", 'F'),
            ("'abc' LIKE 'a%'", 'T'),
            ("line LIKE '% %'", 'T'),
        ],
    );
}

#[test]
fn text_that_looks_like_a_number_compares_as_one_where_asked() {
    check(
        true,
        &[
            ("num = 5", 'T'),
            ("num <> 5", 'F'),
            ("num = 6", 'F'),
            ("num < 10", 'T'),
            ("num > 4.5", 'T'),
            ("fl = 2.5", 'T'),
            ("fl > 2", 'T'),
            ("exp = 100", 'T'),
            ("5 = num", 'T'),
            ("num = n", 'T'),
            ("num > fl", 'T'),
            ("num + 1 = 6", 'T'),
            ("-num = -5", 'T'),
            ("num * fl = 12.5", 'T'),
            ("num BETWEEN 1 AND 9", 'T'),
            ("num IN ('5')", 'T'),
            ("num IN (5)", 'T'),
            ("n IN ('5')", 'T'),
            ("n = '5'", 'T'),
            ("n > '4'", 'T'),
            ("n BETWEEN '1' AND '9'", 'T'),
            ("n + '1' = 6", 'T'),
            ("num = '5'", 'T'),
            ("num = '5.0'", 'F'),
            ("s = 5", 'F'),
            ("s <> 5", 'F'),
            ("s > 5", 'F'),
            ("word > 5", 'F'),
            ("empty = 0", 'F'),
            ("s + 1 = 2", 'U'),
            ("missing = 5", 'U'),
            ("tt = TRUE", 'T'),
            ("tt <> TRUE", 'F'),
            ("ff = FALSE", 'T'),
            ("ff = TRUE", 'F'),
            ("s = FALSE", 'F'),
            ("s <> FALSE", 'F'),
            ("tt", 'T'),
            ("ff", 'F'),
            ("s", 'F'),
            ("num LIKE '_'", 'T'),
            ("t = TRUE", 'T'),
        ],
    );
}

#[test]
fn headers() {
    let rows = [
        ("JMSDestination = 'topic://FIRST'", 'T'),
        ("JMSReplyTo = 'temp-queue://answers'", 'T'),
        ("JMSType = 'invoice'", 'T'),
        ("JMSDeliveryMode = 'PERSISTENT'", 'T'),
        ("JMSDeliveryMode <> 'NON_PERSISTENT'", 'T'),
        ("JMSPriority = 4", 'T'),
        ("JMSPriority BETWEEN 0 AND 9", 'T'),
        ("JMSMessageID = 'ID:host-1:2:7'", 'T'),
        ("JMSMessageID LIKE 'ID:%'", 'T'),
        ("JMSTimestamp = 1700000000000", 'T'),
        ("JMSActiveMQBrokerInTime >= JMSTimestamp", 'T'),
        ("JMSExpiration - JMSTimestamp = 60000", 'T'),
        ("JMSCorrelationID = 'c-1'", 'T'),
        ("JMSRedelivered", 'T'),
        ("JMSRedelivered = TRUE", 'T'),
        ("JMSXDeliveryCount = 3", 'T'),
        ("JMSXGroupID = 'g'", 'T'),
        ("JMSXGroupSeq = 3", 'T'),
        ("JMSXUserID = 'ann'", 'T'),
        ("cause = 'late'", 'T'),
        ("n = 99", 'T'),
        ("n = 5", 'F'),
        ("other = 1", 'T'),
        ("JMSXOther = 2", 'T'),
        ("JMStype IS NULL", 'T'),
    ];
    let message = annotated("n=i:5\nother=i:1\nJMSXOther=i:2\nJMSXUserID=s:forged\nJMSType=s:forged");
    for (source, expected) in rows {
        assert_eq!(outcome(&message, source, false, 2), expected, "{source}");
    }
}

#[test]
fn headers_that_a_message_lacks() {
    let rows = [
        ("JMSDestination = 'queue://ORDERS.EU'", 'T'),
        ("JMSReplyTo IS NULL", 'T'),
        ("JMSType IS NULL", 'T'),
        ("JMSType = 'x'", 'U'),
        ("JMSCorrelationID IS NULL", 'T'),
        ("JMSExpiration = 0", 'T'),
        ("JMSRedelivered = FALSE", 'T'),
        ("JMSXDeliveryCount = 1", 'T'),
        ("JMSXGroupID IS NULL", 'T'),
        ("JMSXGroupSeq IS NULL", 'T'),
        ("JMSXUserID = 'bob'", 'T'),
    ];
    let message = message("JMSXUserID=s:bob");
    for (source, expected) in rows {
        assert_eq!(outcome(&message, source, false, 0), expected, "{source}");
    }
}

#[test]
fn an_empty_selector_wants_every_message() {
    for source in ["", "  \n", "-- nothing", "/* nothing */", "convert_string_expressions:"] {
        assert!(Selector::parse(source, false).unwrap().matches(&message(""), 0), "{source:?}");
    }
}

#[test]
fn the_prefix_of_classic_asks_for_conversion() {
    let source = "convert_string_expressions:num > 4";
    let selector = Selector::parse(source, false).unwrap();
    assert!(selector.converts_text());
    assert_eq!(&**selector.source(), source);
    assert!(selector.matches(&message(PROPERTIES), 0));
    assert!(!Selector::parse("num > 4", false).unwrap().matches(&message(PROPERTIES), 0));
}

//! What simulated messages say, so that the oracle can judge a delivery without the code under test: a body that names
//! its own properties, and selectors that come with a second evaluator written by hand.

use ferrymq_model::{Dialect, MalformedMessage, Message, Neutral, Value, selector::Operand};
use std::borrow::Cow;
use std::sync::Arc;

/// The application properties of a simulated message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Properties {
    /// A number.
    pub n: i64,
    /// A word, or none.
    pub color: Option<&'static str>,
}

/// The words.
pub const COLORS: [&str; 4] = ["red", "green", "blue", "black"];

impl Properties {
    /// A body that repeats the properties, with a filling of `fill` bytes.
    #[must_use]
    pub fn body(&self, serial: u64, fill: usize) -> String {
        let color = self.color.unwrap_or("-");
        format!("n={} color={color} serial={serial} {}", self.n, "x".repeat(fill))
    }

    /// Out of a body; `None` where no simulated client wrote it.
    #[must_use]
    pub fn of_body(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let mut words = text.split(' ');
        let n = words.next()?.strip_prefix("n=")?.parse().ok()?;
        let color = words.next()?.strip_prefix("color=")?;
        Some(Self { n, color: COLORS.iter().copied().find(|known| *known == color) })
    }
}

/// A selector, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// What the subscription asks.
    pub source: &'static str,
    /// What it means.
    pub accepts: fn(Properties, u8) -> bool,
}

/// The selectors that simulated consumers use.
pub const WISHES: [Wish; 11] = [
    Wish { source: "n > 5", accepts: |it, _| it.n > 5 },
    Wish { source: "color = 'red'", accepts: |it, _| it.color == Some("red") },
    Wish {
        source: "n BETWEEN 2 AND 4 OR color IS NULL",
        accepts: |it, _| (2..=4).contains(&it.n) || it.color.is_none(),
    },
    Wish {
        source: "color LIKE 'b%' AND NOT (n = 3)",
        accepts: |it, _| it.color.is_some_and(|color| color.starts_with('b')) && it.n != 3,
    },
    Wish { source: "n * 2 + 1 <= 9", accepts: |it, _| it.n * 2 < 9 },
    Wish { source: "color IN ('red', 'green')", accepts: |it, _| matches!(it.color, Some("red" | "green")) },
    Wish { source: "n = 3", accepts: |it, _| it.n == 3 },
    Wish { source: "7 = n AND color = 'blue'", accepts: |it, _| it.n == 7 && it.color == Some("blue") },
    Wish {
        source: "n = 1 OR n IN (4, 5) AND color <> 'red'",
        accepts: |it, _| it.n == 1 || (matches!(it.n, 4 | 5) && it.color.is_some_and(|color| color != "red")),
    },
    Wish { source: "JMSPriority >= 5", accepts: |_, priority| priority >= 5 },
    Wish { source: "color <> 'red'", accepts: |it, _| it.color.is_some_and(|color| color != "red") },
];

/// The wish with this source.
#[must_use]
pub fn wish(source: &str) -> Option<Wish> {
    WISHES.iter().copied().find(|wish| wish.source == source)
}

/// The dialect of clients that hand their requests in without a protocol: the whole encoding is the body.
#[derive(Debug)]
pub struct PlainDialect;

/// The one of it.
pub static PLAIN: PlainDialect = PlainDialect;

impl Dialect for PlainDialect {
    fn code(&self) -> u16 {
        // Far from any protocol's number, and in no journal outside a simulation.
        0xfff0
    }

    fn property<'m>(&self, message: &'m Message, name: &str) -> Operand<'m> {
        let Some(properties) = Properties::of_body(&message.bytes) else { return Operand::Null };
        match name {
            "n" => Operand::Integer(properties.n),
            "color" => properties.color.map_or(Operand::Null, |color| Operand::Text(Cow::Borrowed(color))),
            _ => Operand::Null,
        }
    }

    fn to_neutral(&self, message: &Message) -> Result<Neutral, MalformedMessage> {
        let properties =
            Properties::of_body(&message.bytes).ok_or_else(|| MalformedMessage("no simulated body".to_owned()))?;
        let mut named = vec![(Arc::from("n"), Value::Long(properties.n))];
        if let Some(color) = properties.color {
            named.push((Arc::from("color"), Value::Text(Arc::from(color))));
        }
        Ok(Neutral { properties: named, body: ferrymq_model::Body::Bytes(message.bytes.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_its_properties() {
        for color in [None, Some("blue")] {
            let properties = Properties { n: -4, color };
            assert_eq!(Properties::of_body(properties.body(7, 20).as_bytes()), Some(properties));
        }
        assert_eq!(Properties::of_body(b"something else"), None);
    }

    #[test]
    fn every_wish_accepts_something_and_refuses_something() {
        for wish in WISHES {
            let mut answers = [false; 2];
            for n in 0..10 {
                for color in COLORS.iter().copied().map(Some).chain([None]) {
                    for priority in [4, 9] {
                        answers[usize::from((wish.accepts)(Properties { n, color }, priority))] = true;
                    }
                }
            }
            assert_eq!(answers, [true, true], "{}", wish.source);
        }
    }
}

//! A message as the commands show it.

use std::collections::BTreeMap;

use ferrymq_stomp::peer::ServerFrame;
use serde::Serialize;

/// Headers that belong to the delivery and say nothing about the message.
const OF_THE_DELIVERY: [&str; 3] = ["ack", "subscription", "content-length"];

/// One message as JSON: a body that is not text is given in hexadecimal digits.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// All headers of the message; of a repeated one the first.
    pub(crate) headers: BTreeMap<String, String>,
    /// A body that is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    /// Any other body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body_hex: Option<String>,
}

impl Shown {
    /// Takes what is to be seen out of a frame.
    pub(crate) fn of(frame: &ServerFrame) -> Shown {
        let mut headers = BTreeMap::new();
        for (name, value) in frame.headers() {
            if !OF_THE_DELIVERY.contains(&name.as_ref()) {
                headers.entry(name.into_owned()).or_insert_with(|| value.into_owned());
            }
        }
        let (body, body_hex) = body(frame.body());
        Shown { headers, body, body_hex }
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The beginning of the body in one line of at most so many characters.
    pub(crate) fn summary(&self, length: usize) -> String {
        let text = match (&self.body, &self.body_hex) {
            (Some(text), _) => text.clone(),
            (None, hex) => format!("0x{}", hex.as_deref().unwrap_or_default()),
        };
        let mut line: String = text.chars().take(length).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.chars().nth(length).is_some() {
            line.push('…');
        }
        line
    }
}

fn body(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_string()), None),
        Err(_) => (None, Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> Shown {
        let (body, body_hex) = body(bytes);
        Shown { headers: BTreeMap::new(), body, body_hex }
    }

    #[test]
    fn bodies_are_text_where_they_can_be() {
        assert_eq!(shown("é".as_bytes()).body.as_deref(), Some("é"));
        assert_eq!(shown(&[0xff, 0x01]).body_hex.as_deref(), Some("ff01"));
        assert_eq!(shown(&[0xff, 0x01]).body, None);
    }

    #[test]
    fn a_summary_is_one_short_line() {
        assert_eq!(shown(b"one\ntwo").summary(20), "one two");
        assert_eq!(shown(b"0123456789").summary(4), "0123…");
        assert_eq!(shown(&[0xff]).summary(10), "0xff");
    }
}

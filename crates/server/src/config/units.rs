//! Values with units, as people write them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Bytes: `"64 MiB"`, `"10 kB"`, `"512"`, or a plain number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(pub u64);

/// A span of time: `"30s"`, `"250ms"`, `"2 min"`, `"1h"`. Kept in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Interval(pub u64);

/// How long somebody waits at most: a time, or `"forever"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wait(pub Option<Interval>);

/// Where to listen: `"127.0.0.1:61613"`, or `"off"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bind(pub Option<SocketAddr>);

const SIZES: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
    ("", 1),
];
const INTERVALS: [(&str, u64); 5] = [("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1), ("m", 60_000)];

impl Size {
    /// So many MiB.
    #[must_use]
    pub const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    /// As a length in memory.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Interval {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Self(count * 1000)
    }

    /// As the standard library has it.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl Wait {
    /// As long as it takes.
    pub const FOREVER: Self = Self(None);
}

impl Bind {
    /// A port of 127.0.0.1; 0 lets the system choose.
    #[must_use]
    pub const fn loopback(port: u16) -> Self {
        Self(Some(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)))
    }

    /// Does not listen.
    pub const OFF: Self = Self(None);
}

/// A number and its unit, in the first unit of `units` that matches exactly.
fn parse_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim();
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(*factor)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, factor) =
            SIZES.iter().find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor)).unwrap_or(&("B", 1));
        write!(f, "{} {name}", self.0 / factor)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}s", self.0 / 1000) } else { write!(f, "{}ms", self.0) }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(interval) => write!(f, "{interval}"),
            None => f.write_str("forever"),
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => write!(f, "{at}"),
            None => f.write_str("off"),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number or text with a unit")]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(bytes) => Ok(Self(bytes)),
            NumberOrText::Text(text) => parse_unit(&text, &SIZES)
                .map(Self)
                .ok_or_else(|| de::Error::custom(format!("\"{text}\" is not a size such as \"64 MiB\""))),
        }
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_unit(&text, &INTERVALS)
            .map(Self)
            .ok_or_else(|| de::Error::custom(format!("\"{text}\" is not a time such as \"30s\" or \"250ms\"")))
    }
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "forever" {
            return Ok(Self::FOREVER);
        }
        let interval = parse_unit(&text, &INTERVALS).map(Interval);
        interval.map(|interval| Self(Some(interval))).ok_or_else(|| {
            de::Error::custom(format!("\"{text}\" is not a time such as \"3s\" or \"0s\", or \"forever\""))
        })
    }
}

impl<'de> Deserialize<'de> for Bind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self::OFF);
        }
        // The one name that needs no resolver.
        let numeric = text.strip_prefix("localhost:").map_or_else(|| text.clone(), |port| format!("127.0.0.1:{port}"));
        numeric.parse().map(|at| Self(Some(at))).map_err(|_| {
            de::Error::custom(format!("\"{text}\" is not an address such as \"127.0.0.1:61613\" or \"off\""))
        })
    }
}

macro_rules! serialize_as_text {
    ($($kind:ty),*) => { $(impl Serialize for $kind {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    })* };
}
serialize_as_text!(Size, Interval, Wait, Bind);

//! The frames that the Java client's marshallers wrote (`interop/openwire-golden`), run by run: a run is what went over
//! one connection.

use bytes::BytesMut;
use ferrymq_openwire::{CodecOptions, Command};

const FRAMES: &str = include_str!("../golden/frames.txt");
const VALUES: &str = include_str!("../golden/values.txt");
const RUNS: &str = include_str!("../golden/runs.txt");

/// What went over one connection.
pub(crate) struct Run {
    /// What stands in front of it in the file.
    pub(crate) head: &'static str,
    pub(crate) options: CodecOptions,
    pub(crate) frames: Vec<Golden>,
}

/// One frame.
pub(crate) struct Golden {
    /// With the size in front, where the run has one.
    pub(crate) octets: Vec<u8>,
    /// What Java read out of it.
    pub(crate) value: &'static str,
}

/// Every run.
pub(crate) fn runs() -> Vec<Run> {
    let frames: Vec<&str> = FRAMES.lines().collect();
    let values: Vec<&'static str> = VALUES.lines().collect();
    RUNS.lines()
        .map(|line| {
            let (head, pairs) = line.split_once(':').unwrap();
            let options = options(head);
            let frames = pairs
                .split_whitespace()
                .map(|pair| {
                    let (frame, value) = pair.split_once('=').unwrap();
                    let body = from_hex(frames[frame.parse::<usize>().unwrap()]);
                    let mut octets = Vec::new();
                    if options.size_prefix {
                        octets.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
                    }
                    octets.extend_from_slice(&body);
                    Golden { octets, value: values[value.parse::<usize>().unwrap()] }
                })
                .collect();
            Run { head, options, frames }
        })
        .collect()
}

fn options(head: &str) -> CodecOptions {
    let field = |name: &str| head.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap();
    let cache: u16 = field("cache").parse().unwrap();
    CodecOptions {
        version: field("version").parse().unwrap(),
        tight: field("tight") == "true",
        cache: (cache > 0).then_some(cache),
        size_prefix: field("prefix") == "true",
        stack_trace: field("stack") == "true",
        max_frame: 1 << 20,
    }
}

/// Octets of a line of hexadecimal digits.
pub(crate) fn from_hex(line: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    line.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The command as Java's reading is described: a magic is listed as signed octets there, as unsigned ones here, which is
/// the same for ASCII.
pub(crate) fn describe(command: &Command) -> String {
    // Two fields that are kept as one.
    let text = format!("{command:?}").replace(" {  }", "");
    text.replace("body: MessageBody { content", "content").replace(" }, data_structure", ", data_structure")
}

/// A buffer that holds `octets`.
pub(crate) fn buffer(octets: &[u8]) -> BytesMut {
    BytesMut::from(octets)
}

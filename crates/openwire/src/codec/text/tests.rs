use super::{Form, decode};
use crate::codec::CodecError;

#[test]
fn text_goes_both_ways() {
    for (text, octets) in [
        ("", &b""[..]),
        ("queue.a", b"queue.a"),
        ("\0", b"\xC0\x80"),
        ("é€", b"\xC3\xA9\xE2\x82\xAC"),
        ("\u{1F600}!", b"\xED\xA0\xBD\xED\xB8\x80!"),
        ("a\0\u{10FFFF}", b"a\xC0\x80\xED\xAF\xBF\xED\xBF\xBF"),
    ] {
        let mut out = Vec::new();
        let form = Form::of(text);
        form.write(text, &mut out);
        assert_eq!(out, octets, "{text:?}");
        assert_eq!(form.len(text), octets.len(), "{text:?}");
        assert_eq!(decode(octets).as_deref(), Ok(text));
    }
}

#[test]
fn overlong_forms_are_read_as_java_reads_them() {
    assert_eq!(decode(b"\xC1\x81\xE0\x80\xAF").as_deref(), Ok("A/"));
    assert_eq!(decode(b"\0").as_deref(), Ok("\0"));
}

#[test]
fn malformed_text_is_refused() {
    for octets in
        [&b"\x80"[..], b"\xC3", b"\xC3a", b"\xE2\x82", b"\xF0\x9F\x98\x80", b"\xED\xA0\xBD", b"\xED\xB8\x80", b"\xFF"]
    {
        assert_eq!(decode(octets), Err(CodecError::Text), "{octets:x?}");
    }
}

#[test]
fn ascii_is_what_java_calls_so() {
    assert_eq!([Form::of(""), Form::of("a\x7F")], [Form::Ascii; 2]);
    assert_eq!(Form::of("é"), Form::Plain);
    assert_eq!(Form::of("a\0b"), Form::Modified(4));
}

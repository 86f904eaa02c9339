//! What goes in comes out, once, in order.

use super::Outbox;
use crate::limits::BODY_COPY_BYTES_MAX;
use bytes::Bytes;

/// Takes everything out, at most `step` bytes at a time.
fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    while !outbox.is_empty() {
        let count = outbox.front().len().min(step);
        assert!(count > 0, "what waits has a front");
        taken.extend_from_slice(&outbox.front()[..count]);
        let before = outbox.len();
        outbox.advance(count);
        assert_eq!(outbox.len(), before - count);
    }
    assert!(outbox.front().is_empty());
    taken
}

#[test]
fn bytes_leave_in_the_order_in_which_they_came() {
    let large: Vec<u8> = (0..BODY_COPY_BYTES_MAX).map(|n| n as u8).collect();
    for step in [1, 7, BODY_COPY_BYTES_MAX - 1, usize::MAX] {
        let mut outbox = Outbox::default();
        outbox.put(b"head");
        outbox.put_body(Bytes::from_static(b"small"));
        outbox.put_body(Bytes::from(large.clone()));
        outbox.put_body(Bytes::from(large.clone()));
        outbox.put(b"tail");
        let expected = [b"headsmall", &large[..], &large[..], b"tail"].concat();
        assert_eq!(outbox.len(), expected.len());
        assert_eq!(outbox.put_total(), expected.len() as u64);
        assert_eq!(drain(&mut outbox, step), expected, "step {step}");
        assert_eq!(outbox.put_total(), expected.len() as u64, "leaving does not change what was ever put in");
    }
}

#[test]
fn a_partial_write_leaves_the_rest_in_front() {
    let large = vec![b'x'; BODY_COPY_BYTES_MAX];
    let mut outbox = Outbox::default();
    outbox.put(b"abc");
    outbox.advance(1);
    outbox.put_body(Bytes::from(large));
    assert_eq!(outbox.front(), b"bc");
    outbox.advance(1);
    assert_eq!(outbox.front(), b"c");
    outbox.put(b"de");
    outbox.advance(1);
    assert_eq!(outbox.front().len(), BODY_COPY_BYTES_MAX);
    outbox.advance(BODY_COPY_BYTES_MAX - 1);
    assert_eq!(outbox.front(), b"x");
    outbox.advance(1);
    assert_eq!(outbox.front(), b"de");
    outbox.advance(2);
    assert!(outbox.is_empty());
}

#[test]
fn a_large_body_is_not_copied_and_a_small_one_is() {
    let large = Bytes::from(vec![b'x'; BODY_COPY_BYTES_MAX]);
    let small = large.slice(..BODY_COPY_BYTES_MAX - 1);
    let mut outbox = Outbox::default();
    outbox.put_body(large.clone());
    assert_eq!(outbox.front().as_ptr(), large.as_ptr());
    outbox.advance(large.len());
    outbox.put_body(small.clone());
    assert_ne!(outbox.front().as_ptr(), small.as_ptr());
}

#[test]
fn an_empty_body_adds_nothing() {
    let mut outbox = Outbox::default();
    outbox.put_body(Bytes::new());
    assert!(outbox.is_empty());
    assert_eq!(outbox.put_total(), 0);
}

#[test]
fn the_buffer_is_lent_and_given_back() {
    let mut outbox = Outbox::default();
    outbox.lend_buffer(Vec::with_capacity(512));
    outbox.put(b"abc");
    outbox.advance(3);
    assert!(outbox.release_buffer().capacity() > 0, "the lent one");
    assert_eq!(outbox.release_buffer().capacity(), 0, "an idle outbox owns none");
}

/// A peer that always leaves a rest: the buffer holds little more than what waits, and nothing is lost between bodies.
#[test]
fn a_peer_that_never_takes_all_makes_the_buffer_no_larger() {
    let mut outbox = Outbox::default();
    let (mut put, mut taken): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    for round in 0..4000_usize {
        let piece = [round as u8; 97];
        outbox.put(&piece);
        put.extend_from_slice(&piece);
        if round % 500 == 250 {
            let body = vec![!(round as u8); BODY_COPY_BYTES_MAX + round];
            put.extend_from_slice(&body);
            outbox.put_body(Bytes::from(body));
        }
        while outbox.len() > 600 {
            let count = outbox.front().len().min(outbox.len() - 600).min(1 + round);
            taken.extend_from_slice(&outbox.front()[..count]);
            outbox.advance(count);
        }
        assert!(outbox.small.capacity() < 8192, "round {round}: {} bytes", outbox.small.capacity());
    }
    taken.extend(drain(&mut outbox, usize::MAX));
    assert!(taken == put);
    assert_eq!(outbox.put_total(), put.len() as u64);
}

#[test]
fn what_is_put_in_after_all_was_written_uses_the_buffer_from_its_beginning() {
    let mut outbox = Outbox::default();
    outbox.put(&[0; 100]);
    let place = outbox.front().as_ptr();
    for _ in 0..3 {
        let count = outbox.front().len();
        outbox.advance(count);
        outbox.put(&[0; 30]);
        assert_eq!(outbox.front().as_ptr(), place);
    }
}

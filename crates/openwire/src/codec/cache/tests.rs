use super::{DecodeCache, EncodeCache};
use crate::codec::CodecError;
use crate::codec::ids::{BrokerId, ObjectId};
use crate::limits::DECODE_CACHE_BYTES_MAX;

fn object(number: usize) -> Option<ObjectId> {
    Some(ObjectId::BrokerId(BrokerId { value: format!("b{number}").into() }))
}

#[test]
fn slots_are_given_round_robin_and_the_oldest_are_freed_first() {
    let mut cache = EncodeCache::new(110);
    for number in 0..1000 {
        cache.begin_frame();
        assert_eq!(cache.find(object(number).as_ref()), None);
        assert_eq!(usize::try_from(cache.add(object(number))), Ok(number % 110));
        // Ten are left of 110 before each frame, plus the one just added.
        assert_eq!(
            cache.find(object(number.saturating_sub(10)).as_ref()),
            i16::try_from(number.saturating_sub(10) % 110).ok()
        );
        assert!(number < 11 || cache.find(object(number - 11).as_ref()).is_none(), "{number}");
    }
}

#[test]
fn null_has_a_slot_too() {
    let mut cache = EncodeCache::new(1024);
    cache.begin_frame();
    assert_eq!(cache.add(object(1)), 0);
    assert_eq!(cache.add(None), 1);
    assert_eq!(cache.find::<ObjectId>(None), Some(1));
}

#[test]
fn a_full_cache_says_so_and_a_frame_taken_back_leaves_no_trace() {
    let mut cache = EncodeCache::new(3);
    cache.begin_frame();
    assert_eq!([1, 2, 3, 4].map(|number| cache.add(object(number))), [0, 1, 2, -1]);
    cache.abandon_frame();
    assert_eq!(cache.find(object(1).as_ref()), None);
    cache.begin_frame();
    assert_eq!(cache.add(object(5)), 0);
}

#[test]
fn the_reader_accepts_only_slots_of_the_agreed_size() {
    let mut cache = DecodeCache::new(10);
    assert_eq!(cache.store(-1, object(1)), Ok(()));
    assert_eq!(cache.store(-2, object(1)), Err(CodecError::CacheIndex(-2)));
    assert_eq!(cache.store(10, object(1)), Err(CodecError::CacheIndex(10)));
    assert_eq!(cache.store(9, object(1)), Ok(()));
    assert_eq!(cache.get(9), Ok(&object(1)));
    for index in [-1, 0, 8, 10, i16::MAX] {
        assert_eq!(cache.get(index), Err(CodecError::CacheIndex(index)));
    }
}

#[test]
fn the_reader_remembers_a_bounded_number_of_bytes() {
    let mut cache = DecodeCache::new(1024);
    let large = || Some(ObjectId::BrokerId(BrokerId { value: "x".repeat(60_000).into() }));
    for _ in 0..1000 {
        // The same slot again and again holds only the last one.
        assert_eq!(cache.store(0, large()), Ok(()));
    }
    let full = (1..1024).find(|index| cache.store(*index, large()) == Err(CodecError::CacheFull));
    assert_eq!(full, i16::try_from(DECODE_CACHE_BYTES_MAX / 60_000).ok());
}

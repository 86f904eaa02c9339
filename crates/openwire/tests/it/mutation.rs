//! Frames of the Java client with random damage, and plain noise: an error or a command, never a panic, never memory
//! for what a frame only announces. The seed is fixed; a failure prints what was read.

use crate::runs::{Run, buffer, runs};
use bytes::BytesMut;
use ferrymq_openwire::codec::properties::PrimitiveMap;
use ferrymq_openwire::limits::MAP_LIMITS;
use ferrymq_openwire::{CodecOptions, Command, Decoder, Encoder};

/// xorshift64*: the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound.max(1)
    }
}

/// Damages `octets` in one to four places: a bit, a byte, a length, a cut, a doubled or dropped piece.
pub(crate) fn damage(octets: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(octets.len());
        match random.below(6) {
            0 => octets[at] ^= 1 << random.below(8),
            1 => octets[at] = [0, 1, 0x7F, 0x80, 0xC0, 0xFF][random.below(6)],
            2 => {
                let length = [u32::MAX, 0x7FFF_FFFF, 0x8000_0000, 0x0100_0000, 0xFFFF][random.below(5)];
                octets.iter_mut().skip(at).zip(length.to_be_bytes()).for_each(|(octet, byte)| *octet = byte);
            }
            3 => octets.truncate(at.max(1)),
            4 => {
                let piece = octets[at..].to_vec();
                octets.extend_from_slice(&piece[..piece.len().min(64)]);
            }
            _ => {
                octets.remove(at);
                if octets.is_empty() {
                    octets.push(0);
                }
            }
        }
    }
}

/// Makes the size in front true again, so that the damage behind it is reached.
pub(crate) fn repair_size(octets: &mut [u8], options: &CodecOptions) {
    if options.size_prefix && octets.len() > 4 {
        let size = u32::try_from(octets.len() - 4).unwrap().to_be_bytes();
        octets[..4].copy_from_slice(&size);
    }
}

/// Whatever was read can be looked into, described and written; written and read again it is the same.
fn exercise(command: &Command, options: &CodecOptions) {
    if let Command::Message(message) = command
        && let Some(properties) = message.fields.body.properties_bytes()
    {
        let map = PrimitiveMap::new(properties, MAP_LIMITS);
        let _outcome = (map.to_vec(), map.get("name"));
    }
    if let Command::WireFormatInfo(info) = command {
        let _outcome = info.properties();
    }
    let mut out = BytesMut::new();
    // Loose text of 32 to 64 KiB has no tight form; everything else that was read can be written.
    if Encoder::new(options.clone()).encode(command, &mut out).is_ok() {
        let again = Decoder::new(options.clone()).decode(&mut out).unwrap().unwrap();
        assert_eq!(&again, command);
    }
}

/// The most address space that this process ever had. Bytes. `None` where the system does not tell.
fn peak_address_space() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// A connection on which frame `target` arrives damaged; those before it fill the cache.
fn one_damaged_connection(run: &Run, target: usize, random: &mut Random) -> bool {
    let mut decoder = Decoder::new(run.options.clone());
    let from = if run.options.cache.is_some() { 0 } else { target };
    for golden in &run.frames[from..target] {
        decoder.decode(&mut buffer(&golden.octets)).unwrap().unwrap();
    }
    let mut octets = run.frames[target].octets.clone();
    damage(&mut octets, random);
    if random.below(8) != 0 {
        repair_size(&mut octets, &run.options);
    }
    let mut input = buffer(&octets);
    match decoder.decode(&mut input) {
        Ok(Some(command)) => {
            exercise(&command, &run.options);
            true
        }
        Ok(None) | Err(_) => false,
    }
}

#[test]
fn damaged_frames_are_read_or_refused() {
    let before = peak_address_space();
    let mut random = Random(0x0F3E_77A1_0000_0001);
    let runs = runs();
    let (mut read, mut refused) = (0, 0);
    for run in &runs {
        // With the cache on every try reads the frames before it again.
        let tries = if run.options.cache.is_some() { 60 } else { 1500 };
        for _ in 0..tries {
            let target = random.below(run.frames.len());
            if one_damaged_connection(run, target, &mut random) {
                read += 1;
            } else {
                refused += 1;
            }
        }
    }
    // Damage that is never noticed, or always, would test nothing.
    assert!(read > 5_000 && refused > 5_000, "{read} read, {refused} refused");
    assert_little_was_allocated(before);
}

#[test]
fn noise_is_read_or_refused() {
    let before = peak_address_space();
    let mut random = Random(0x0F3E_77A1_0000_0002);
    for round in 0..200_000_u32 {
        let version = u8::try_from(1 + random.below(12)).unwrap();
        let options = CodecOptions {
            version,
            tight: round % 2 == 0,
            cache: (round % 3 == 0).then_some(1024),
            size_prefix: round % 5 != 0,
            stack_trace: round % 7 < 4,
            max_frame: 1 << 20,
        };
        let mut octets: Vec<u8> = (0..5 + random.below(120)).map(|_| random.next().to_be_bytes()[0]).collect();
        // Bytes of honest frames are mostly small.
        octets.iter_mut().for_each(|octet| *octet = if random.below(3) == 0 { *octet } else { *octet & 1 });
        let type_at = if options.size_prefix { 4 } else { 0 };
        octets[type_at] = u8::try_from(random.below(126)).unwrap();
        repair_size(&mut octets, &options);
        let mut decoder = Decoder::new(options.clone());
        if let Ok(Some(command)) = decoder.decode(&mut buffer(&octets)) {
            exercise(&command, &options);
        }
    }
    assert_little_was_allocated(before);
}

/// A length of 2 GiB taken at its word would show; test threads and their heaps do not.
fn assert_little_was_allocated(before: Option<u64>) {
    if let (Some(before), Some(after)) = (before, peak_address_space()) {
        assert!(after - before < 1 << 30, "the address space grew by {} bytes", after - before);
    }
}

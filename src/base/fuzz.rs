//! What every decoder of stored bytes is put through: the shape of a fuzz target.
//!
//! Built for tests and for `cargo fuzz` only. Each family of modules lists its targets in a file
//! `fuzz.rs` of its own, from which `src/fuzz/` gathers them.

use std::fmt::Debug;

/// What a decoder made of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It did not take them.
    Refused,
    /// It took them, and this is what is written of what it read: it has to be the same bytes.
    Canonical(Vec<u8>),
    /// It took them; there are several ways to write the same thing.
    Understood,
    /// It took them and something does not fit together.
    Wrong(String),
}

/// One decoder.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: `store: block header`.
    pub name: &'static str,
    /// The source files, below `src/`, whose decoders it runs.
    pub sources: &'static [&'static str],
    /// Decodes, uses what was read as its readers do, and encodes it again.
    pub run: fn(&[u8]) -> Verdict,
    /// Bytes that it takes.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Puts right checksums and the like, so that changed bytes get past them.
    pub mend: Option<fn(&mut [u8])>,
    /// Bytes of memory that it may use whatever the input, beyond a fixed multiple of its length.
    pub memory: usize,
}

impl Target {
    /// A target that needs little memory and has no checksums.
    pub const fn new(
        name: &'static str,
        sources: &'static [&'static str],
        seeds: fn() -> Vec<Vec<u8>>,
        run: fn(&[u8]) -> Verdict,
    ) -> Self {
        Self { name, sources, run, seeds, mend: None, memory: 64 * 1024 }
    }

    /// The same, with checksums that can be put right.
    #[must_use]
    pub const fn mended_by(self, mend: fn(&mut [u8])) -> Self {
        Self { mend: Some(mend), ..self }
    }

    /// The same, with another bound on memory.
    #[must_use]
    pub const fn with_memory(self, bytes: usize) -> Self {
        Self { memory: bytes, ..self }
    }
}

/// The verdict on what has one encoding only.
pub fn canonical<T, E>(read: Result<T, E>, encode: impl FnOnce(&T) -> Vec<u8>) -> Verdict {
    read.map_or(Verdict::Refused, |value| Verdict::Canonical(encode(&value)))
}

/// The verdict on what people or other programs may write in several ways: what is written of it
/// has to read back as the same.
pub fn settled<T: PartialEq + Debug, E>(
    read: Result<T, E>,
    encode: impl FnOnce(&T) -> Vec<u8>,
    decode: impl FnOnce(&[u8]) -> Option<T>,
) -> Verdict {
    let Ok(value) = read else { return Verdict::Refused };
    match decode(&encode(&value)) {
        Some(again) if again == value => Verdict::Understood,
        again => Verdict::Wrong(format!("{value:?} reads back as {again:?}")),
    }
}

/// The verdict on a record that is kept as JSON.
pub fn json_record<T>(bytes: &[u8]) -> Verdict
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug,
{
    settled(
        serde_json::from_slice::<T>(bytes),
        |value| serde_json::to_vec(value).unwrap_or_default(),
        |bytes| serde_json::from_slice(bytes).ok(),
    )
}

/// A stream of numbers that look random and are the same for the same seed (SplitMix64, by Steele,
/// Lea and Flood).
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub const fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Whether something that happens once in `times` happens.
    pub const fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A number of any magnitude: small ones are as likely as large ones.
    pub const fn any_size(&mut self) -> u64 {
        let bits = self.below(65) as u32;
        if bits == 0 { 0 } else { self.next() >> (64 - bits) }
    }

    /// Some bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Bytes for an id.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }

    /// A name of an entry: mostly plain, sometimes not even text.
    pub fn name(&mut self) -> Vec<u8> {
        let length = 1 + self.below(12);
        if self.once_in(4) {
            let bytes = self.bytes(length).into_iter();
            return bytes.map(|byte| if byte == 0 || byte == b'/' { b'%' } else { byte }).collect();
        }
        (0..length).map(|_| b"abcdefghijklmnopqrstuvwxyz-_0123456789"[self.below(38)]).collect()
    }
}

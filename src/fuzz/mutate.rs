//! Changes bytes the way in which mistakes, age and malice do.

use crate::base::fuzz::{Numbers, Target};

/// Longest input that is made, in bytes.
const LENGTH_MAX: usize = 64 * 1024;
/// Inputs that were taken and are kept to go on from.
const KEPT_MAX: usize = 128;

/// Makes inputs for one target, always the same ones in the same order.
pub struct Mutator {
    corpus: Vec<Vec<u8>>,
    seeds: usize,
    numbers: Numbers,
    mend: Option<fn(&mut [u8])>,
}

impl Mutator {
    /// For a target, from what its seeds are.
    pub fn new(target: &Target) -> Self {
        let corpus = (target.seeds)();
        let seed = target.name.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte));
        Self { seeds: corpus.len(), corpus, numbers: Numbers::new(seed), mend: target.mend }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let Some(at) = self.corpus.len().checked_sub(1).map(|last| self.numbers.below(last + 1)) else {
            let length = self.numbers.below(200);
            return self.numbers.bytes(length);
        };
        let mut bytes = self.corpus[at].clone();
        for _ in 0..=self.numbers.below(6) {
            let other = &self.corpus[self.numbers.below(self.corpus.len())];
            mutate(&mut bytes, other, &mut self.numbers);
        }
        bytes.truncate(LENGTH_MAX);
        // Unmended bytes test the checksums themselves.
        if let Some(mend) = self.mend.filter(|_| !self.numbers.once_in(4)) {
            mend(&mut bytes);
        }
        bytes
    }

    /// Takes note of an input that was taken: others are made from it too.
    pub fn keep(&mut self, bytes: Vec<u8>) {
        if self.corpus.len() < self.seeds + KEPT_MAX {
            self.corpus.push(bytes);
        } else if self.corpus.len() > self.seeds {
            let at = self.seeds + self.numbers.below(KEPT_MAX);
            self.corpus[at] = bytes;
        }
    }
}

/// Numbers at which lengths, counts and signs turn.
const TURNS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// Changes something once; `other` is an input to take a piece from.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let length = bytes.len();
    let at = numbers.below(length + 1);
    let run = 1 + numbers.below(16);
    let end = (at + run).min(length);
    match numbers.below(10) {
        0 if at < length => bytes[at] ^= 1 << numbers.below(8),
        1 if at < length => bytes[at] = numbers.next() as u8,
        2 => drop(bytes.splice(at..at, numbers.bytes(run))),
        3 => drop(bytes.drain(at..end)),
        4 => bytes.truncate(at),
        5 => {
            let piece = bytes[at..end].to_vec();
            let place = numbers.below(length + 1);
            drop(bytes.splice(place..place, piece));
        }
        6 if !other.is_empty() => {
            let start = numbers.below(other.len());
            let piece = &other[start..(start + 1 + numbers.below(64)).min(other.len())];
            drop(bytes.splice(at..end, piece.iter().copied()));
        }
        7 => write_number(bytes, at, numbers),
        8 => drop(bytes.splice(at..end, leb128(TURNS[numbers.below(TURNS.len())]))),
        9 => {
            let words: [&[u8]; 12] = [
                b"\0",
                b"..",
                b"/",
                b"\"",
                b"[[",
                b"{",
                b"-",
                b"9999999999",
                b"\xff\xfe",
                b"\r\n",
                b"%",
                b"@{",
            ];
            drop(bytes.splice(at..at, words[numbers.below(words.len())].iter().copied()));
        }
        _ => bytes.push(numbers.next() as u8),
    }
}

/// Overwrites a little-endian number of 2, 4 or 8 bytes.
fn write_number(bytes: &mut [u8], at: usize, numbers: &mut Numbers) {
    let turn = TURNS[numbers.below(TURNS.len())].wrapping_add(numbers.next() % 3).wrapping_sub(1);
    let width = [2, 4, 8][numbers.below(3)];
    if let Some(place) = bytes.get_mut(at..at + width) {
        place.copy_from_slice(&turn.to_le_bytes()[..width]);
    }
}

fn leb128(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

//! File ids from pieces: the BLAKE3 chaining value of every aligned MiB, and how they merge.
//!
//! A file's id is the plain BLAKE3 of its bytes. BLAKE3 is a tree whose left branches are
//! complete, so every aligned MiB of a longer file is a subtree with a chaining value of its own:
//! pieces hash in any order and on any thread, a stranger's list of values can be checked against
//! the id before a byte of content is here, and a damaged MiB can be told from its neighbours.
//! See section 2.1 of the BLAKE3 paper, and `blake3::hazmat`.
//!
//! A file of one MiB or less is one piece. Its id is the root hash of that piece, and it has no
//! chaining values: a subtree that is the whole tree hashes differently.

use crate::base::id::FileId;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

/// Length of every piece of a file but its last, in bytes.
pub const PIECE_BYTES: usize = 1 << 20;

/// The BLAKE3 chaining value of a subtree that is not the whole tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainingValue([u8; 32]);

impl ChainingValue {
    /// Length in bytes.
    pub const SIZE: usize = 32;

    /// Takes the bytes as they are; the caller vouches that they are a chaining value.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for ChainingValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChainingValue(")?;
        crate::base::id::write_hex(f, &self.0[..5])?;
        f.write_str(")")
    }
}

/// How many chaining values a file of `size` bytes has: none when it is a single piece.
pub fn value_count(size: u64) -> u64 {
    if size <= PIECE_BYTES as u64 { 0 } else { size.div_ceil(PIECE_BYTES as u64) }
}

/// The chaining value of the piece with this index in a file of more than one piece.
///
/// `piece` holds [`PIECE_BYTES`] bytes, or fewer but not none when it is the last; other lengths
/// are a mistake of the caller's and panic.
///
/// # Panics
/// When the piece is longer than [`PIECE_BYTES`].
pub fn piece_value(index: u64, piece: &[u8]) -> ChainingValue {
    assert!(piece.len() <= PIECE_BYTES, "a piece has at most {PIECE_BYTES} bytes");
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(index * PIECE_BYTES as u64).update(piece);
    ChainingValue(hasher.finalize_non_root())
}

/// Indices of pieces in `bytes` that do not have the value expected of them.
///
/// `bytes` begins with piece `first`; `values` are those of that piece and the ones after it.
/// A piece without a value, and a value without a piece, count as damaged.
pub fn damaged_pieces(first: u64, values: &[ChainingValue], bytes: &[u8]) -> Vec<u64> {
    let pieces = bytes.len().div_ceil(PIECE_BYTES).max(values.len());
    (0..pieces)
        .filter(|at| {
            let piece = bytes.chunks(PIECE_BYTES).nth(*at);
            let found = piece.map(|piece| piece_value(first + *at as u64, piece));
            found.is_none() || found.as_ref() != values.get(*at)
        })
        .map(|at| first + at as u64)
        .collect()
}

/// Merges the chaining values of neighbouring subtrees of one size, given from left to right.
///
/// They may be those of pieces, or those of groups of 2^n pieces: only the last one may stand for
/// fewer bytes. Needs memory for one value per level.
#[derive(Debug, Clone, Default)]
pub struct ValueMerger {
    /// Subtrees waiting for a right neighbour, larger ones first.
    waiting: Vec<ChainingValue>,
    pushed: u64,
}

impl ValueMerger {
    /// Takes the next value.
    pub fn push(&mut self, value: ChainingValue) {
        // Merging is put off until another value is there: the topmost merge makes the root.
        while self.waiting.len() > self.pushed.count_ones() as usize {
            self.merge_last_two();
        }
        self.waiting.push(value);
        self.pushed += 1;
    }

    /// The value of the subtree of all that was pushed; `None` when that was nothing.
    pub fn finish_subtree(mut self) -> Option<ChainingValue> {
        while self.waiting.len() > 1 {
            self.merge_last_two();
        }
        self.waiting.pop()
    }

    /// The id of the file whose values were pushed; `None` when there were fewer than two.
    pub fn finish_file(mut self) -> Option<FileId> {
        while self.waiting.len() > 2 {
            self.merge_last_two();
        }
        let [left, right] = self.waiting[..] else { return None };
        Some(FileId::from_bytes(*merge_subtrees_root(&left.0, &right.0, Mode::Hash).as_bytes()))
    }

    fn merge_last_two(&mut self) {
        if let (Some(right), Some(left)) = (self.waiting.pop(), self.waiting.pop()) {
            self.waiting.push(ChainingValue(merge_subtrees_non_root(&left.0, &right.0, Mode::Hash)));
        }
    }
}

/// Hashes a file that comes in slices of any length, and hands out its chaining values on the way.
#[derive(Debug, Clone, Default)]
pub struct FileHasher {
    piece: blake3::Hasher,
    size: u64,
    values: ValueMerger,
}

impl FileHasher {
    /// Starts at the beginning of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes more bytes, and gives `each` the value of every piece after which bytes follow.
    pub fn update(&mut self, mut bytes: &[u8], mut each: impl FnMut(ChainingValue)) {
        while !bytes.is_empty() {
            let filled = self.piece.count() as usize;
            if filled == PIECE_BYTES {
                each(self.finish_piece());
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - filled));
            self.piece.update(now);
            self.size += now.len() as u64;
            bytes = later;
        }
    }

    /// The id of all bytes taken; `each` gets the last value, if the file has values at all.
    ///
    /// # Panics
    /// Never: the values of a file of more than one MiB always merge.
    #[expect(clippy::expect_used, reason = "two values at least were pushed")]
    pub fn finish(mut self, mut each: impl FnMut(ChainingValue)) -> FileId {
        if value_count(self.size) == 0 {
            return FileId::from_bytes(*self.piece.finalize().as_bytes());
        }
        let last = ChainingValue(self.piece.finalize_non_root());
        each(last);
        self.values.push(last);
        // More than one MiB was taken, so the first piece was pushed in `update`, and now the last.
        self.values.finish_file().expect("two values at least")
    }

    fn finish_piece(&mut self) -> ChainingValue {
        let value = ChainingValue(self.piece.finalize_non_root());
        self.values.push(value);
        self.piece = blake3::Hasher::new();
        self.piece.set_input_offset(self.size);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(b"file hash").finalize_xof().fill(&mut bytes);
        bytes
    }

    fn plain(bytes: &[u8]) -> FileId {
        FileId::from_bytes(*blake3::hash(bytes).as_bytes())
    }

    fn values_of(bytes: &[u8]) -> Vec<ChainingValue> {
        let pieces = bytes.chunks(PIECE_BYTES).enumerate();
        pieces.map(|(index, piece)| piece_value(index as u64, piece)).collect()
    }

    fn merged(values: &[ChainingValue]) -> Option<FileId> {
        let mut merger = ValueMerger::default();
        values.iter().for_each(|value| merger.push(*value));
        merger.finish_file()
    }

    #[test]
    fn merged_pieces_are_the_plain_hash_at_every_count_and_edge() {
        let bytes = sample(19 * PIECE_BYTES + 1);
        for pieces in 1..=19 {
            for length in [pieces * PIECE_BYTES - 1, pieces * PIECE_BYTES, pieces * PIECE_BYTES + 1] {
                let bytes = &bytes[..length];
                let expected = (value_count(length as u64) > 0).then(|| plain(bytes));
                assert_eq!(merged(&values_of(bytes)), expected, "{length} bytes");
            }
        }
    }

    #[test]
    fn groups_of_a_power_of_two_merge_like_their_pieces() {
        for pieces in [5, 8, 9, 13, 16] {
            let bytes = sample(pieces * PIECE_BYTES - 77);
            let mut groups = ValueMerger::default();
            for group in values_of(&bytes).chunks(4) {
                let mut merger = ValueMerger::default();
                group.iter().for_each(|value| merger.push(*value));
                groups.push(merger.finish_subtree().expect("a group has values"));
            }
            assert_eq!(groups.finish_file(), Some(plain(&bytes)), "{pieces} pieces");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_file_in_slices_has_the_plain_hash_and_all_values(
            length in prop_oneof![0usize..5000, 0usize..(5 * PIECE_BYTES), Just(PIECE_BYTES), Just(2 * PIECE_BYTES)],
            slice in prop_oneof![1usize..10_000, Just(PIECE_BYTES), Just(3 * PIECE_BYTES + 7)],
        ) {
            let bytes = sample(length);
            let (mut hasher, mut values) = (FileHasher::new(), Vec::new());
            for slice in bytes.chunks(slice.max(length / 500 + 1)) {
                hasher.update(slice, |value| values.push(value));
            }
            prop_assert_eq!(hasher.size(), length as u64);
            prop_assert_eq!(hasher.finish(|value| values.push(value)), plain(&bytes));
            prop_assert_eq!(values.len() as u64, value_count(length as u64));
            prop_assert!(values.is_empty() || values == values_of(&bytes));
        }
    }

    #[test]
    fn a_damaged_or_missing_piece_is_named() {
        let mut bytes = sample(4 * PIECE_BYTES + 10);
        let values = values_of(&bytes);
        assert_eq!(damaged_pieces(1, &values[1..], &bytes[PIECE_BYTES..]), [0; 0]);
        bytes[2 * PIECE_BYTES + 5] ^= 1;
        assert_eq!(damaged_pieces(1, &values[1..], &bytes[PIECE_BYTES..]), [2]);
        assert_eq!(damaged_pieces(0, &values, &bytes[..4 * PIECE_BYTES]), [2, 4]);
        assert_eq!(damaged_pieces(0, &values[..4], &bytes), [2, 4]);
    }

    #[test]
    fn the_empty_file_has_its_id_and_no_values() {
        assert_eq!(FileHasher::new().finish(|_| unreachable!("no piece, no value")), FileId::empty());
        assert_eq!(value_count(0), 0);
    }
}

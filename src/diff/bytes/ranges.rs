//! The model of a difference in bytes, made from two lists of pieces.

use crate::diff::bytes::{Part, PartId};
use imara_diff::{Algorithm, Diff, InternedInput, Interner};
use serde::Serialize;
use std::collections::HashSet;

/// How two files differ as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ByteDiff {
    /// Length of the file before.
    pub bytes_before: u64,
    /// Length of the file after.
    pub bytes_after: u64,
    /// How many bytes of the file after are in pieces that the file before has too, wherever they
    /// stand in it. They are stored once.
    pub bytes_shared: u64,
    /// What was replaced by what, in order. A piece that only moved is in here as well.
    pub ranges: Vec<ChangedRange>,
}

/// Bytes that were replaced by others. Either side may be empty: an insertion or a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChangedRange {
    /// Where in the file before.
    pub before: ByteRange,
    /// Where in the file after.
    pub after: ByteRange,
}

/// A run of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ByteRange {
    /// Offset of the first, from 0.
    pub start: u64,
    /// How many.
    pub bytes: u64,
}

impl ByteRange {
    /// Offset of the first byte after it.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes)
    }
}

/// Compares two lists of pieces.
pub fn diff_parts(before: &[Part], after: &[Part]) -> ByteDiff {
    let known: HashSet<PartId> = before.iter().map(|part| part.id).collect();
    let shared = after.iter().filter(|part| known.contains(&part.id)).map(|part| part.bytes);
    let bytes_shared = shared.fold(0, u64::saturating_add);
    let (old_starts, new_starts) = (starts(before), starts(after));
    let interner = Interner::new(before.len() + after.len());
    let mut input = InternedInput { before: Vec::new(), after: Vec::new(), interner };
    input.update_before(before.iter().map(|part| part.id));
    input.update_after(after.iter().map(|part| part.id));
    let diff = Diff::compute(Algorithm::Histogram, &input);
    let range = |starts: &[u64], range: std::ops::Range<u32>| {
        let (start, end) = (starts[range.start as usize], starts[range.end as usize]);
        ByteRange { start, bytes: end - start }
    };
    let ranges = diff
        .hunks()
        .map(|hunk| ChangedRange {
            before: range(&old_starts, hunk.before),
            after: range(&new_starts, hunk.after),
        })
        .collect();
    ByteDiff {
        bytes_before: old_starts.last().copied().unwrap_or(0),
        bytes_after: new_starts.last().copied().unwrap_or(0),
        bytes_shared,
        ranges,
    }
}

/// Where each piece starts, and where the last one ends.
fn starts(parts: &[Part]) -> Vec<u64> {
    let mut offset = 0u64;
    let mut starts = Vec::with_capacity(parts.len() + 1);
    starts.push(0);
    for part in parts {
        offset = offset.saturating_add(part.bytes);
        starts.push(offset);
    }
    starts
}

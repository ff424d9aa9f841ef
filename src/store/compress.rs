//! Compression of blocks: zstd, kept only when it pays, and a cheap probe where it rarely does.
//!
//! A probe looks at samples and so misses repetition that lies further apart; trying in earnest finds
//! it, for three times the time. So kinds of content that pack now and then are always tried, and the
//! probe is for those that have not packed for a while.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use crate::store::error::Damage;
use crate::store::pack::block::Codec;

/// Level for blocks whose probe promises something.
const LEVEL: i32 = 3;
/// Level of the probe.
const PROBE_LEVEL: i32 = 1;
/// Length of each sample of the probe in bytes.
const PROBE_SAMPLE_BYTES: usize = 4096;
/// Raw length up to which a block is tried without a probe, in bytes.
const PROBE_FROM_BYTES: usize = 16 * 1024;
/// Blocks of one kind in a row that did not pack, after which the probe decides.
const PATIENCE: u32 = 8;
/// One in so many is then tried in earnest all the same.
const RETRY: u32 = 16;
/// Kinds that are kept in mind.
const KINDS_MAX: usize = 1024;

/// How hard a block is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// In earnest.
    Full,
    /// When a look at samples promises something.
    Probe,
}

/// Remembers which kinds of content have packed lately.
#[derive(Debug)]
pub struct Outlook<K> {
    /// Failures in a row.
    failures: Mutex<HashMap<K, u32>>,
}

impl<K> Default for Outlook<K> {
    fn default() -> Self {
        Self { failures: Mutex::default() }
    }
}

impl<K: Eq + Hash> Outlook<K> {
    /// How hard a block of this kind is to be tried.
    pub fn effort(&self, kind: &K) -> Effort {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.get(kind) {
            Some(count) if *count >= PATIENCE && !count.is_multiple_of(RETRY) => Effort::Probe,
            _ => Effort::Full,
        }
    }

    /// Notes how it went.
    pub fn note(&self, kind: K, codec: Codec) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= KINDS_MAX {
            failures.clear();
        }
        let count = failures.entry(kind).or_default();
        *count = if codec == Codec::Raw { count.wrapping_add(1) } else { 0 };
    }
}

struct Contexts {
    fast: zstd::bulk::Compressor<'static>,
    normal: zstd::bulk::Compressor<'static>,
    scratch: Vec<u8>,
}

thread_local! {
    static COMPRESS: RefCell<Option<Contexts>> = const { RefCell::new(None) };
    static DECOMPRESS: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

fn contexts() -> std::io::Result<Contexts> {
    Ok(Contexts {
        fast: zstd::bulk::Compressor::new(PROBE_LEVEL)?,
        normal: zstd::bulk::Compressor::new(LEVEL)?,
        scratch: Vec::new(),
    })
}

/// Whether a saving is worth unpacking again: one part in 64.
fn pays(stored: usize, raw: usize) -> bool {
    stored + raw / 64 < raw
}

impl Contexts {
    /// Packs three samples, from the front, the middle and the end, and looks at what it saves.
    fn promises(&mut self, raw: &[u8]) -> bool {
        if raw.len() < PROBE_FROM_BYTES {
            return true;
        }
        let last = raw.len() - PROBE_SAMPLE_BYTES;
        [0, last / 2, last].into_iter().any(|start| {
            let sample = &raw[start..start + PROBE_SAMPLE_BYTES];
            self.scratch.clear();
            self.scratch.reserve(zstd::zstd_safe::compress_bound(sample.len()));
            match self.fast.compress_to_buffer(sample, &mut self.scratch) {
                Ok(stored) => pays(stored, sample.len()),
                Err(_) => false,
            }
        })
    }

    fn pack(&mut self, raw: &[u8], effort: Effort, into: &mut Vec<u8>) -> Codec {
        into.clear();
        if effort == Effort::Probe && !self.promises(raw) {
            return Codec::Raw;
        }
        into.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        match self.normal.compress_to_buffer(raw, into) {
            Ok(stored) if pays(stored, raw.len()) => Codec::Zstd,
            // What cannot be packed is kept as it is.
            _ => Codec::Raw,
        }
    }
}

/// Packs `raw` into `into` when that pays; with [`Codec::Raw`], `into` means nothing.
pub fn pack(raw: &[u8], effort: Effort, into: &mut Vec<u8>) -> Codec {
    COMPRESS.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = contexts().ok();
        }
        slot.as_mut().map_or(Codec::Raw, |contexts| contexts.pack(raw, effort, into))
    })
}

/// Unpacks one zstd frame of exactly `raw_length` bytes into `into`; never writes more than that.
pub fn unpack(stored: &[u8], raw_length: usize, into: &mut Vec<u8>) -> Result<(), Damage> {
    DECOMPRESS.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = zstd::bulk::Decompressor::new().ok();
        }
        let decompressor = slot.as_mut().ok_or(Damage::Compression)?;
        into.clear();
        into.reserve_exact(raw_length);
        match decompressor.decompress_to_buffer(stored, into) {
            Ok(length) if length == raw_length => Ok(()),
            _ => Err(Damage::Compression),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_unpacks_to_the_same(seed in proptest::collection::vec(any::<u8>(), 1..400), times in 1usize..300) {
            let raw = seed.repeat(times);
            let mut packed = Vec::new();
            for effort in [Effort::Full, Effort::Probe] {
                if pack(&raw, effort, &mut packed) == Codec::Zstd {
                    prop_assert!(packed.len() < raw.len());
                    let mut unpacked = Vec::new();
                    prop_assert_eq!(unpack(&packed, raw.len(), &mut unpacked), Ok(()));
                    prop_assert_eq!(&unpacked, &raw);
                    // A frame that says less, or more, than it holds is damage.
                    prop_assert_eq!(unpack(&packed, raw.len() - 1, &mut unpacked), Err(Damage::Compression));
                    prop_assert_eq!(unpack(&packed, raw.len() + 1, &mut unpacked), Err(Damage::Compression));
                }
            }
        }

        #[test]
        fn unpacking_anything_never_panics_and_never_exceeds_its_bound(bytes in proptest::collection::vec(any::<u8>(), 0..300), length in 0usize..5000) {
            let mut unpacked = Vec::new();
            let _ = unpack(&bytes, length, &mut unpacked);
            prop_assert!(unpacked.len() <= length);
        }
    }

    #[test]
    fn a_kind_that_never_packs_is_only_probed_until_it_packs_again() {
        let outlook = Outlook::default();
        for _ in 0..PATIENCE {
            assert_eq!(outlook.effort(&1), Effort::Full);
            outlook.note(1, Codec::Raw);
        }
        assert_eq!(outlook.effort(&1), Effort::Probe);
        assert_eq!(outlook.effort(&2), Effort::Full);
        outlook.note(1, Codec::Zstd);
        assert_eq!(outlook.effort(&1), Effort::Full);
    }
}

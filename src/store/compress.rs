//! Compression of blocks: a cheap probe, then zstd, kept only when it pays.

use std::cell::RefCell;

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

/// Whether a saving is worth unpacking again: one part in 32.
fn pays(stored: usize, raw: usize) -> bool {
    stored + raw / 32 < raw
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

    fn pack(&mut self, raw: &[u8], into: &mut Vec<u8>) -> Codec {
        into.clear();
        if !self.promises(raw) {
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
pub fn pack(raw: &[u8], into: &mut Vec<u8>) -> Codec {
    COMPRESS.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = contexts().ok();
        }
        slot.as_mut().map_or(Codec::Raw, |contexts| contexts.pack(raw, into))
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

//! Fuzz targets of the store: packs, the rows of its own tables, the `format` file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::base::codec::{DecodeErrorKind, Encoder};
use crate::base::fuzz::{Numbers, Target, Verdict, canonical, settled};
use crate::base::id::{ChunkId, PackId, RepositoryId};
use crate::store::compress::{self, Effort};
use crate::store::disk::{DiskFile, Mapping};
use crate::store::pack::block::{self, BlockHeader, Codec, Prefix, Record};
use crate::store::pack::footer::{self, BlockEntry, TRAILER_BYTES};
use crate::store::pack::header::{self, HEADER_BYTES};
use crate::store::space::{ChunkLocation, PackRecord};
use crate::store::txlog::format::{
    self as txlog, HEADER_BYTES as LOG_HEADER_BYTES, Header as LogHeader, PIECE_HEADER_BYTES, PieceHeader,
};
use crate::store::txlog::{self as log};
use crate::store::upkeep::PackInspector;
use crate::store::{FormatFile, LogRecord, Space, StoreSettings, page_scan};

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("store: pack header", &["store/pack/header.rs"], header_seeds, |bytes| {
        canonical(header::decode(bytes), |id| {
            // A header stands in front of other bytes.
            [header::encode(*id).as_slice(), bytes.get(HEADER_BYTES..).unwrap_or_default()].concat()
        })
    })
    .mended_by(mend_header),
    Target::new("store: block header", &["store/pack/block.rs"], block_seeds, |bytes| {
        let _ = Prefix::decode(bytes).map(|prefix| (prefix.header_length(), prefix.block_length()));
        canonical(BlockHeader::decode(bytes), |header| {
            let mut written = Vec::new();
            header.encode(&mut written);
            [&written, bytes.get(written.len()..).unwrap_or_default()].concat()
        })
    })
    .mended_by(|bytes| mend_block(bytes, 0)),
    Target::new("store: footer", &["store/pack/footer.rs"], footer_seeds, |bytes| {
        canonical(footer::decode(bytes), |blocks| {
            let _ = footer::contiguous(blocks, HEADER_BYTES as u64, 1 << 20);
            footer::encode(blocks)
        })
    })
    .mended_by(|bytes| mend_footer(bytes, 0)),
    Target::new("store: pack", &["store/pack_walk.rs", "store/compress.rs"], pack_seeds, run_pack)
        .mended_by(mend_pack)
        .with_memory(16 << 20),
    Target::new("store: settings", &["store/settings.rs"], settings_seeds, |bytes| {
        canonical(StoreSettings::decode(bytes), StoreSettings::encode)
    }),
    Target::new("store: format file", &["store/settings.rs"], format_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        settled(
            FormatFile::decode(text),
            |file| file.encode().into_bytes(),
            |bytes| std::str::from_utf8(bytes).ok().and_then(|text| FormatFile::decode(text).ok()),
        )
    }),
    Target::new("store: place of a chunk", &["store/space.rs"], place_seeds, |bytes| {
        canonical(bytes.try_into().map(ChunkLocation::decode), |place| place.encode().to_vec())
    }),
    Target::new("store: pack record", &["store/space.rs"], record_seeds, |bytes| {
        let Ok(bytes) = <&[u8; 48]>::try_from(bytes) else { return Verdict::Refused };
        canonical(PackRecord::decode(bytes), |record| record.encode().to_vec())
    }),
    Target::new("store: log header", &["store/txlog/format.rs"], log_header_seeds, |bytes| {
        canonical(LogHeader::decode(bytes), |header| {
            // A header stands in front of other bytes.
            [header.encode().as_slice(), bytes.get(LOG_HEADER_BYTES..).unwrap_or_default()].concat()
        })
    })
    .mended_by(mend_header),
    Target::new("store: log piece", &["store/txlog/format.rs"], piece_seeds, run_piece)
        .with_memory(2 * txlog::PIECE_RAW_MAX),
    Target::new("store: changes in the log", &["store/txlog/format.rs"], changes_seeds, run_changes),
    Target::new("store: transaction log", &["store/txlog/read.rs"], log_seeds, run_log)
        .mended_by(mend_log)
        .with_memory(2 * txlog::PIECE_RAW_MAX),
    Target::new("store: what is recorded of the log", &["store/txlog/mod.rs"], log_record_seeds, |bytes| {
        canonical(LogRecord::decode(bytes).ok_or(()), |record| record.encode().to_vec())
    }),
    Target::new("store: page of a database", &["store/page_scan.rs"], page_seeds, |bytes| {
        let mut shown = 0;
        let _ = page_scan::leaf_length(bytes);
        page_scan::show_pairs(bytes, &mut |key, value| shown += key.len() + value.len());
        // Keys may stand where values do in bytes that are no page.
        if shown > 2 * bytes.len() {
            return Verdict::Wrong(format!("{shown} bytes were found in {}", bytes.len()));
        }
        Verdict::Understood
    }),
];

const PACK: PackId = PackId::from_bytes([7; 16]);

fn header_seeds() -> Vec<Vec<u8>> {
    vec![header::encode(PACK).to_vec()]
}

fn mend_header(bytes: &mut [u8]) {
    if bytes.len() >= HEADER_BYTES {
        let sum = blake3::hash(&bytes[..56]);
        bytes[56..64].copy_from_slice(&sum.as_bytes()[..8]);
    }
}

fn content(numbers: &mut Numbers) -> Vec<u8> {
    let length = 1 + numbers.below(300);
    if numbers.once_in(2) { numbers.bytes(length) } else { b"<path d=\"M0 0\"/>\n".repeat(length / 17 + 1) }
}

/// A block as a writer writes it: header and payload.
fn write_block(numbers: &mut Numbers) -> (BlockHeader, Vec<u8>) {
    let contents: Vec<Vec<u8>> = (0..=numbers.below(5)).map(|_| content(numbers)).collect();
    let records =
        contents.iter().map(|raw| Record { id: ChunkId::of(raw), length: raw.len() as u32 }).collect();
    let raw = contents.concat();
    let mut packed = Vec::new();
    let codec = compress::pack(&raw, Effort::Full, &mut packed);
    let payload = if codec == Codec::Zstd { packed } else { raw };
    (BlockHeader { codec, stored_length: payload.len() as u32, records }, payload)
}

fn block_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let mut bytes = Vec::new();
        write_block(&mut Numbers::new(seed)).0.encode(&mut bytes);
        bytes
    };
    (0..8).map(one).collect()
}

/// Length of the block header that seems to stand at `at`.
fn header_length(bytes: &[u8], at: usize) -> Option<usize> {
    let count = bytes.get(at + 6..at + 8)?;
    let length =
        block::FIXED_BYTES + block::RECORD_BYTES * usize::from(u16::from_le_bytes([count[0], count[1]]));
    bytes.get(at..at + length).map(|_| length)
}

fn mend_block(bytes: &mut [u8], at: usize) {
    if let Some(length) = header_length(bytes, at) {
        let sum = blake3::hash(&bytes[at..at + length - 8]);
        bytes[at + length - 8..at + length].copy_from_slice(&sum.as_bytes()[..8]);
    }
}

/// A pack as a writer writes it, sealed.
fn write_pack(seed: u64) -> (Vec<u8>, Vec<BlockEntry>) {
    let numbers = &mut Numbers::new(seed);
    let mut bytes = header::encode(PACK).to_vec();
    let mut blocks = Vec::new();
    for _ in 0..numbers.below(6) {
        let (header, payload) = write_block(numbers);
        let offset = bytes.len() as u64;
        header.encode(&mut bytes);
        bytes.extend_from_slice(&payload);
        blocks.push(BlockEntry { offset, header });
    }
    (bytes, blocks)
}

fn footer_seeds() -> Vec<Vec<u8>> {
    (0..8).map(|seed| footer::encode(&write_pack(seed).1)).collect()
}

fn mend_footer(bytes: &mut [u8], start: usize) {
    let Some(split) = bytes.len().checked_sub(TRAILER_BYTES).filter(|split| *split >= start) else { return };
    let mut at = start + 8;
    while let Some(length) = header_length(&bytes[..split], at) {
        mend_block(&mut bytes[..split], at);
        at += length + 8;
    }
    bytes[split..split + 8].copy_from_slice(&((split - start) as u64).to_le_bytes());
    let sum = blake3::hash(&bytes[start..split + 16]);
    bytes[split + 16..split + 48].copy_from_slice(sum.as_bytes());
    bytes[split + 48..].copy_from_slice(b"PENTFOOT");
}

fn pack_seeds() -> Vec<Vec<u8>> {
    let sealed = |seed| {
        let (bytes, blocks) = write_pack(seed);
        [bytes, footer::encode(&blocks)].concat()
    };
    (0..8).map(|seed| write_pack(seed).0).chain((0..8).map(sealed)).collect()
}

fn mend_pack(bytes: &mut [u8]) {
    mend_header(bytes);
    let mut at = HEADER_BYTES;
    while let Some(length) = header_length(bytes, at).filter(|_| bytes[at..].starts_with(block::MARKER)) {
        mend_block(bytes, at);
        let stored = u32::from_le_bytes([bytes[at + 12], bytes[at + 13], bytes[at + 14], bytes[at + 15]]);
        at += length + stored as usize;
    }
    if at < bytes.len() {
        mend_footer(bytes, at);
    }
}

/// A file in memory that can only be read.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl DiskFile for Bytes {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn write_all_at(&self, _: &[&[u8]], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn try_lock_exclusive(&self) -> io::Result<bool> {
        Ok(true)
    }
    fn map(&self, _: u64) -> io::Result<Option<Mapping>> {
        Ok(None)
    }
}

/// All ways in which a pack is read without the database.
fn run_pack(bytes: &[u8]) -> Verdict {
    let length = bytes.len() as u64;
    let file = Arc::new(Bytes(bytes.to_vec()));
    let pack = PackInspector::over(PACK, Path::new("pack"), file, length);
    let _ = pack.check_header();
    let found: Vec<_> =
        [pack.footer(), pack.walk(), pack.whatever_blocks()].into_iter().flatten().flatten().collect();
    for block in &found {
        match pack.check(block) {
            Ok(chunks) if chunks.len() != block.header.records.len() => {
                return Verdict::Wrong(format!("{} chunks of {:?}", chunks.len(), block.header));
            }
            _ => {}
        }
    }
    let Ok(salvage) = pack.salvage() else { return Verdict::Refused };
    let blocks: u64 = salvage.blocks.iter().map(|block| block.header.block_length()).sum();
    let gaps: u64 = salvage.gaps.iter().map(|(_, length)| length).sum();
    if blocks + gaps + HEADER_BYTES as u64 != length.max(HEADER_BYTES as u64) {
        return Verdict::Wrong(format!("{blocks} bytes of blocks and {gaps} of gaps in {length}"));
    }
    if found.is_empty() { Verdict::Refused } else { Verdict::Understood }
}

fn settings_seeds() -> Vec<Vec<u8>> {
    vec![StoreSettings::new(RepositoryId::from_bytes([9; 16])).encode()]
}

fn format_seeds() -> Vec<Vec<u8>> {
    let mut file = FormatFile::new();
    file.offers.push("previews".to_owned());
    file.requires.push("encryption 2".to_owned());
    vec![FormatFile::new().encode().into_bytes(), file.encode().into_bytes()]
}

fn place_seeds() -> Vec<Vec<u8>> {
    (0..4).map(|seed| Numbers::new(seed).bytes(20)).collect()
}

fn record_seeds() -> Vec<Vec<u8>> {
    let record =
        |sealed| PackRecord { id: PACK, length: 99, raw_bytes: 1 << 40, blocks: 3, chunks: 4, sealed };
    vec![record(true).encode().to_vec(), record(false).encode().to_vec()]
}

/// A leaf page with a few rows.
fn page_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let numbers = &mut Numbers::new(seed);
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            (0..=numbers.below(9)).map(|_| (numbers.name(), content(numbers))).collect();
        let mut page = vec![1, 0];
        page.extend_from_slice(&(rows.len() as u16).to_le_bytes());
        let mut end = 4 + 8 * rows.len();
        for part in rows.iter().map(|row| &row.0).chain(rows.iter().map(|row| &row.1)) {
            end += part.len();
            page.extend_from_slice(&(end as u32).to_le_bytes());
        }
        rows.iter().for_each(|row| page.extend_from_slice(&row.0));
        rows.iter().for_each(|row| page.extend_from_slice(&row.1));
        page
    };
    (0..8).map(one).collect()
}

const GENERATION: u64 = 3;

fn log_header_seeds() -> Vec<Vec<u8>> {
    let settings = StoreSettings::new(RepositoryId::from_bytes([9; 16]));
    vec![LogHeader { generation: GENERATION, settings }.encode().to_vec()]
}

/// The changes of a transaction, raw, with their number.
fn changes(seed: u64) -> (Vec<u8>, u32) {
    let numbers = &mut Numbers::new(seed);
    let mut raw = Encoder::default();
    let count = 1 + numbers.below(12);
    for _ in 0..count {
        let space = Space::ALL[numbers.below(Space::ALL.len())];
        let key = numbers.name();
        if numbers.once_in(4) {
            txlog::delete(&mut raw, space.tag(), &key);
        } else {
            txlog::put(&mut raw, space.tag(), &key, &content(numbers));
        }
    }
    (raw.finish(), count as u32)
}

fn changes_seeds() -> Vec<Vec<u8>> {
    (0..8).map(|seed| changes(seed).0).collect()
}

/// Counts as many changes as there are in bytes of any kind.
fn run_changes(bytes: &[u8]) -> Verdict {
    let mut written = Encoder::default();
    for count in 0..=bytes.len() as u32 {
        written = Encoder::default();
        let read = txlog::each_change(bytes, count, &mut |change| match change {
            txlog::Change::Settings(value) => {
                txlog::put(&mut written, txlog::SETTINGS_TAG, b"settings", value);
            }
            txlog::Change::Put { space, key, value } => txlog::put(&mut written, space.tag(), key, value),
            txlog::Change::Delete { space, key } => txlog::delete(&mut written, space.tag(), key),
        });
        match read {
            Ok(()) => break,
            Err(error) if error.kind == DecodeErrorKind::TrailingBytes => {}
            Err(_) => return Verdict::Refused,
        }
    }
    Verdict::Canonical(written.finish())
}

/// A piece as a writer writes it.
fn write_piece(seed: u64, transaction: u64, number: u32, is_last: bool) -> Vec<u8> {
    let (raw, changes) = changes(seed);
    let mut packed = Vec::new();
    let codec = compress::pack(&raw, Effort::Full, &mut packed);
    let payload = if codec == Codec::Raw { &raw } else { &packed };
    let header = PieceHeader {
        codec,
        is_last,
        is_base: transaction == 1,
        transaction,
        number,
        raw_length: raw.len() as u32,
        stored_length: payload.len() as u32,
        changes,
    };
    [header.encode(GENERATION, payload).as_slice(), payload].concat()
}

fn piece_seeds() -> Vec<Vec<u8>> {
    (0..8).map(|seed| write_piece(seed, 1 + seed, 0, seed % 2 == 0)).collect()
}

fn run_piece(bytes: &[u8]) -> Verdict {
    let Ok(header) = PieceHeader::decode(bytes) else { return Verdict::Refused };
    let payload = &bytes[PIECE_HEADER_BYTES..];
    let payload = payload.get(..header.stored_length as usize).unwrap_or(payload);
    match header.unpack(payload.to_vec()) {
        Ok(raw) => {
            let _ = txlog::each_change(&raw, header.changes, &mut |_| {});
            Verdict::Understood
        }
        Err(_) => Verdict::Refused,
    }
}

/// A base of two pieces, and some transactions.
fn log_seeds() -> Vec<Vec<u8>> {
    let one = |seed: u64| {
        let mut bytes = log_header_seeds().concat();
        bytes.extend(write_piece(seed, 1, 0, false));
        bytes.extend(write_piece(seed + 100, 1, 1, true));
        for transaction in 2..2 + seed % 4 {
            bytes.extend(write_piece(seed + transaction, transaction, 0, true));
        }
        bytes
    };
    (0..8).map(one).collect()
}

/// Puts the right checksums as far as pieces follow each other.
fn mend_log(bytes: &mut [u8]) {
    mend_header(bytes);
    let mut at = LOG_HEADER_BYTES;
    while let Some(header) = bytes.get(at..).and_then(|rest| PieceHeader::decode(rest).ok()) {
        let end = at + PIECE_HEADER_BYTES + header.stored_length as usize;
        let Some(payload) = bytes.get(at + PIECE_HEADER_BYTES..end).map(<[u8]>::to_vec) else { return };
        bytes[at..at + PIECE_HEADER_BYTES].copy_from_slice(&header.encode(GENERATION, &payload));
        at = end;
    }
}

/// All ways in which a log is read without the database.
fn run_log(bytes: &[u8]) -> Verdict {
    let file = Arc::new(Bytes(bytes.to_vec()));
    match log::read_all(file, GENERATION) {
        Ok(Some((whole, whatever))) if whole > whatever => {
            Verdict::Wrong(format!("{whole} changes in whole transactions, {whatever} in all"))
        }
        Ok(Some(_)) => Verdict::Understood,
        Ok(None) | Err(_) => Verdict::Refused,
    }
}

fn log_record_seeds() -> Vec<Vec<u8>> {
    vec![LogRecord { generation: 1, transaction: 7, length: 4096, base_length: 300 }.encode().to_vec()]
}

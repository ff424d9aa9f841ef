//! Packs against themselves and against the index.

use crate::base::id::{ChunkId, PackId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::care::error::CareError;
use crate::care::fsck::findings::{Finding, FindingKind};
use crate::care::fsck::{Options, Outcome, progress};
use crate::repo::{Repository, View};
use crate::store::pack::footer::BlockEntry;
use crate::store::{
    CheckedChunk, ChunkLocation, Damage, PackInspector, PackRecord, StoreError, chunk_places,
};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

/// Raw bytes that are unpacked and hashed at a time.
const BATCH_BYTES: u64 = 16 << 20;
/// Chunks of packs whose places are compared with the index at a time, when some row is wrong.
const PLACES_MAX: u64 = 1 << 20;

/// Checks all packs and all rows of the index.
pub(super) fn check(
    repository: &Repository,
    view: &View,
    options: &Options,
    outcome: &mut Outcome,
    monitor: &dyn Monitor,
) -> Result<(), CareError> {
    let packs = view.snapshot().packs()?;
    let bytes_total = packs.iter().map(|(_, record)| record.length).sum();
    monitor.phase(Phase { name: "Checking content", files_total: None, bytes_total: Some(bytes_total) });
    let mut rows = 0;
    for (number, record) in &packs {
        let known = if options.since_last { progress::checked_length(view, record.id)? } else { 0 };
        let before = outcome.findings.total();
        let mut walk = PackCheck {
            repository,
            view,
            options,
            number: *number,
            record,
            known,
            rows: 0,
            outcome,
            monitor,
        };
        walk.run()?;
        rows += walk.rows;
        outcome.checked.packs += 1;
        if outcome.findings.total() == before && options.sample >= 10_000 {
            progress::remember_pack(repository, record, options.now)?;
        }
    }
    if rows != view.snapshot().chunk_count()? {
        find_wrong_rows(repository, view, &packs, outcome, monitor)?;
    }
    Ok(())
}

/// One pack under inspection.
struct PackCheck<'a> {
    repository: &'a Repository,
    view: &'a View,
    options: &'a Options,
    number: u32,
    record: &'a PackRecord,
    /// Bytes of it that were checked before.
    known: u64,
    /// Rows of the index that were found to be right.
    rows: u64,
    outcome: &'a mut Outcome,
    monitor: &'a dyn Monitor,
}

impl PackCheck<'_> {
    fn run(&mut self) -> Result<(), CareError> {
        let Some(inspector) = self.open()? else { return Ok(()) };
        if let Err(error) = inspector.check_header() {
            self.note(FindingKind::Pack, Some(0), error)?;
        }
        let blocks = self.blocks(&inspector)?;
        let mut batch = Vec::new();
        let mut bytes = 0;
        for block in blocks {
            bytes += block.header.raw_length();
            batch.push(block);
            if bytes >= BATCH_BYTES {
                self.check_batch(&inspector, &std::mem::take(&mut batch))?;
                bytes = 0;
            }
        }
        self.check_batch(&inspector, &batch)
    }

    /// Opens the pack; one that is cut short as far as it goes.
    fn open(&mut self) -> Result<Option<PackInspector>, CareError> {
        let store = self.repository.store();
        match store.inspect_pack(self.record.id, Some(self.record.length)) {
            Ok(inspector) => Ok(Some(inspector)),
            Err(error @ StoreError::PackTruncated { .. }) => {
                self.note(FindingKind::Pack, None, error)?;
                Ok(Some(store.inspect_pack(self.record.id, None)?))
            }
            Err(error) => {
                self.note(FindingKind::Pack, None, error)?;
                Ok(None)
            }
        }
    }

    /// The blocks that can be found, and what keeps others from it.
    fn blocks(&mut self, inspector: &PackInspector) -> Result<Vec<BlockEntry>, CareError> {
        if self.record.sealed {
            match inspector.footer() {
                Ok(blocks) => return Ok(blocks),
                // One that is cut short has none; that was said.
                Err(_) if inspector.length() < self.record.length => {}
                Err(error) => match inspector.walk() {
                    // One whose end was not clear when it was indexed anew never had a footer.
                    Ok(blocks) => return Ok(blocks),
                    Err(_) => self.note(FindingKind::PackFooter, None, error)?,
                },
            }
        } else if let Ok(blocks) = inspector.walk() {
            return Ok(blocks);
        }
        let salvage = inspector.salvage()?;
        let end = salvage.blocks.last().map_or(0, |last| last.offset + last.header.block_length());
        for (offset, _) in &salvage.gaps {
            // The last gap of a sealed pack is its footer.
            if *offset < end || !self.record.sealed {
                let id = self.record.id;
                let finding = Finding::in_pack(
                    FindingKind::Block,
                    id,
                    Some(*offset),
                    format!("pack {id} is damaged at byte {offset}"),
                );
                self.outcome.findings.add(finding);
            }
        }
        Ok(salvage.blocks)
    }

    fn check_batch(&mut self, inspector: &PackInspector, blocks: &[BlockEntry]) -> Result<(), CareError> {
        if self.monitor.is_cancelled() {
            return Err(CareError::Cancelled);
        }
        let checked: Vec<_> = blocks
            .par_iter()
            .map(|block| {
                let header = inspector.block_at(block.offset);
                let is_there = header.is_ok_and(|found| found == *block);
                let chosen = is_there && self.is_chosen(block);
                let chunks = if chosen { inspector.check(block).map(Some) } else { Ok(None) };
                (is_there, chunks)
            })
            .collect();
        for (block, (is_there, chunks)) in blocks.iter().zip(checked) {
            self.take_block(block, is_there, chunks?.as_deref())?;
            let bytes = block.header.block_length();
            self.monitor.advance(Advance { bytes, ..Advance::default() });
        }
        Ok(())
    }

    /// Whether a block's content is hashed again.
    fn is_chosen(&self, block: &BlockEntry) -> bool {
        if block.offset + block.header.block_length() <= self.known {
            return false;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.record.id.as_bytes()).update(&block.offset.to_le_bytes());
        hasher.update(&self.options.now.unix_ms.to_le_bytes());
        let bytes = hasher.finalize();
        u16::from_le_bytes([bytes.as_bytes()[0], bytes.as_bytes()[1]]) % 10_000 < self.options.sample
    }

    /// Compares a block with the index. Chunks that the index has elsewhere, or not at all, are
    /// nobody's concern.
    fn take_block(
        &mut self,
        block: &BlockEntry,
        is_there: bool,
        checked: Option<&[CheckedChunk]>,
    ) -> Result<(), CareError> {
        let id = self.record.id;
        let mut concerned = false;
        for (position, (chunk, place)) in chunk_places(self.number, block).enumerate() {
            match checked {
                Some(_) => {
                    self.outcome.checked.chunks += 1;
                    self.outcome.checked.bytes += u64::from(place.length);
                }
                None => self.outcome.checked.chunks_left_out += 1,
            }
            if self.view.snapshot().chunk_location(chunk)? != Some(place) {
                continue;
            }
            self.rows += 1;
            concerned = true;
            let damage = if is_there {
                checked.and_then(|checked| checked.get(position)).and_then(|found| found.damage)
            } else {
                Some(Damage::HeaderChecksum)
            };
            if let Some(damage) = damage {
                let message = format!("chunk {chunk} in pack {id} is damaged: {damage}");
                let finding =
                    Finding::chunk(FindingKind::Chunk, Some(id), Some(block.offset), chunk, message);
                self.outcome.findings.add_chunk(finding);
            }
        }
        if !is_there && concerned {
            let message = format!("the header of a block of pack {id} is damaged at byte {}", block.offset);
            let finding = Finding::in_pack(FindingKind::Block, id, Some(block.offset), message);
            self.outcome.findings.add(finding);
        }
        Ok(())
    }

    /// Takes note of an error that names damage; any other one ends the check.
    fn note(&mut self, kind: FindingKind, offset: Option<u64>, error: StoreError) -> Result<(), CareError> {
        match error {
            StoreError::PackDamaged { .. }
            | StoreError::PackTruncated { .. }
            | StoreError::MissingPack { .. } => {
                let finding = Finding::in_pack(kind, self.record.id, offset, error.to_string());
                self.outcome.findings.add(finding);
                Ok(())
            }
            error => Err(error.into()),
        }
    }
}

/// Finds the rows that point to no sound place: some packs at a time, so that memory stays bounded.
fn find_wrong_rows(
    repository: &Repository,
    view: &View,
    packs: &[(u32, PackRecord)],
    outcome: &mut Outcome,
    monitor: &dyn Monitor,
) -> Result<(), CareError> {
    monitor.phase(Phase { name: "Checking the index", files_total: None, bytes_total: None });
    let known: HashMap<u32, PackId> = packs.iter().map(|(number, record)| (*number, record.id)).collect();
    let mut ahead = packs;
    let mut first = true;
    while first || !ahead.is_empty() {
        let mut chunks = 0;
        let count = ahead
            .iter()
            .take_while(|(_, record)| {
                let fits = chunks < PLACES_MAX;
                chunks += u64::from(record.chunks);
                fits
            })
            .count();
        let (group, rest) = ahead.split_at(count);
        ahead = rest;
        let places = places_of(repository, group)?;
        let numbers: HashSet<u32> = group.iter().map(|(number, _)| *number).collect();
        for row in view.snapshot().scan_chunks()? {
            let (chunk, place) = row?;
            if monitor.is_cancelled() {
                return Err(CareError::Cancelled);
            }
            let is_lost = first && !known.contains_key(&place.pack);
            let is_wrong = numbers.contains(&place.pack) && !places.contains(&(chunk, place));
            if is_lost || is_wrong {
                note_row(outcome, chunk, &place, known.get(&place.pack).copied());
            }
        }
        first = false;
    }
    Ok(())
}

fn note_row(outcome: &mut Outcome, chunk: ChunkId, place: &ChunkLocation, pack: Option<PackId>) {
    let where_ = pack.map_or_else(|| "a pack that nobody knows".to_owned(), |pack| format!("pack {pack}"));
    let message = format!("chunk {chunk} is not where the index says: in {where_}");
    let offset = Some(u64::from(place.block_offset));
    outcome.findings.add_chunk(Finding::chunk(FindingKind::Index, pack, offset, chunk, message));
}

/// The places of all chunks of some packs, as their block headers say.
fn places_of(
    repository: &Repository,
    packs: &[(u32, PackRecord)],
) -> Result<HashSet<(ChunkId, ChunkLocation)>, CareError> {
    let mut places = HashSet::new();
    for (number, record) in packs {
        let store = repository.store();
        let inspector = match store.inspect_pack(record.id, Some(record.length)) {
            Err(StoreError::PackTruncated { .. }) => store.inspect_pack(record.id, None)?,
            Err(StoreError::MissingPack { .. }) => continue,
            opened => opened?,
        };
        let blocks = inspector.blocks()?.0;
        places.extend(blocks.iter().flat_map(|block| chunk_places(*number, block)));
    }
    Ok(places)
}

//! Rewrites packs: what stays goes into a new pack, the rows are moved in one transaction, and only
//! then the old file goes. A stop in between leaves a file that nobody refers to.

use std::collections::HashSet;

use crate::base::id::ChunkId;
use crate::base::monitor::{Monitor, SilentMonitor};
use crate::store::Store;
use crate::store::chunk_writer::{ChunkWriter, GroupHint};
use crate::store::error::{Damage, IoContext, Result, StoreError};
use crate::store::lock::SweepLock;
use crate::store::pack::footer::BlockEntry;
use crate::store::snapshot::Snapshot;
use crate::store::space::PackRecord;
use crate::store::upkeep::{PackInspector, PackUsage, places};

/// What rewriting a pack came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Chunks that stayed.
    pub chunks_kept: u64,
    /// Chunks whose rows were dropped.
    pub chunks_dropped: u64,
    /// Bytes of the old pack.
    pub bytes_before: u64,
    /// Bytes that the kept chunks take now.
    pub bytes_after: u64,
}

impl Store {
    /// Moves the chunks of a pack that are indexed there and that `keep` wants into another pack,
    /// drops the rows of the others, and removes the old file.
    ///
    /// Every chunk that moves is verified first: a damaged one ends the rewrite with its name, and
    /// the pack stays as it is. So it does when its blocks cannot all be found, or hold fewer than the
    /// `indexed` chunks that the index has there: what is not found would go with the old file.
    pub fn rewrite_pack(
        &self,
        number: u32,
        indexed: u64,
        keep: &dyn Fn(ChunkId) -> bool,
        sweep: &SweepLock,
        monitor: &dyn Monitor,
    ) -> Result<Rewritten> {
        let snapshot = self.snapshot()?;
        let Some(record) = snapshot.pack(number)? else { return Ok(Rewritten::default()) };
        let inspector = self.inspect_pack(record.id, Some(record.length))?;
        let blocks = if record.sealed { inspector.whole_blocks()? } else { inspector.walk()? };
        // The sweep lock keeps every other writer out, so this one goes without the writers' lock.
        let writer = ChunkWriter::for_rewrite(self.clone(), sweep, &SilentMonitor)?;
        let mut outcome = Rewritten { bytes_before: record.length, ..Rewritten::default() };
        let mut dropped = Vec::new();
        for block in &blocks {
            if monitor.is_cancelled() {
                return Err(StoreError::Cancelled);
            }
            let kept = Self::indexed(&snapshot, number, block, keep, &mut dropped)?;
            outcome.chunks_kept += kept.len() as u64;
            if !kept.is_empty() {
                copy(&inspector, block, &kept, &writer)?;
            }
        }
        outcome.chunks_dropped = dropped.len() as u64;
        if outcome.chunks_kept + outcome.chunks_dropped < indexed {
            return Err(inspector.damaged(0, None, Damage::Index));
        }
        let staged = writer.finish_rewrite()?;
        outcome.bytes_after = staged.totals().stored_bytes;
        let mut transaction = self.begin()?;
        transaction.drop_chunks(&dropped)?;
        transaction.publish_over(staged)?;
        transaction.forget_pack(number)?;
        transaction.commit()?;
        self.remove_pack(&record)?;
        Ok(outcome)
    }

    /// Moves what is sound of a damaged pack into another one and drops the rows of the rest, which
    /// are given back. The old file stays where [`Store::set_pack_aside`] put a copy of it.
    ///
    /// Works for a pack that is missing, cut short, or damaged anywhere.
    pub fn rescue_pack(
        &self,
        number: u32,
        sweep: &SweepLock,
        monitor: &dyn Monitor,
    ) -> Result<(Rewritten, Vec<ChunkId>)> {
        let snapshot = self.snapshot()?;
        let Some(record) = snapshot.pack(number)? else { return Ok(Default::default()) };
        let mut outcome = Rewritten { bytes_before: record.length, ..Rewritten::default() };
        let writer = ChunkWriter::for_rewrite(self.clone(), sweep, &SilentMonitor)?;
        let mut rescued = HashSet::new();
        match self.inspect_pack(record.id, None) {
            Err(StoreError::MissingPack { .. }) => {}
            opened => {
                let inspector = opened?;
                for block in inspector.whatever_blocks()? {
                    if monitor.is_cancelled() {
                        return Err(StoreError::Cancelled);
                    }
                    Self::rescue_block(&snapshot, number, &inspector, &block, &writer, &mut rescued)?;
                }
            }
        }
        let mut lost = Vec::new();
        for row in snapshot.scan_chunks()? {
            let (id, place) = row?;
            if place.pack == number && !rescued.contains(&id) {
                lost.push(id);
            }
        }
        (outcome.chunks_kept, outcome.chunks_dropped) = (rescued.len() as u64, lost.len() as u64);
        let staged = writer.finish_rewrite()?;
        outcome.bytes_after = staged.totals().stored_bytes;
        let mut transaction = self.begin()?;
        transaction.drop_chunks(&lost)?;
        transaction.publish_over(staged)?;
        transaction.forget_pack(number)?;
        transaction.commit()?;
        match self.remove_pack(&record) {
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        Ok((outcome, lost))
    }

    /// Writes the chunks of a block anew that are sound and that the index has in this pack.
    fn rescue_block(
        snapshot: &Snapshot,
        number: u32,
        inspector: &PackInspector,
        block: &BlockEntry,
        writer: &ChunkWriter<'_>,
        rescued: &mut HashSet<ChunkId>,
    ) -> Result<()> {
        let raw = match inspector.raw(block) {
            Ok(raw) => raw,
            Err(StoreError::PackDamaged { .. } | StoreError::PackTruncated { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut start = 0;
        for record in &block.header.records {
            let end = start + record.length as usize;
            let bytes = raw.get(start..end).unwrap_or_default();
            start = end;
            let here = snapshot.chunk_location(record.id)?.is_some_and(|place| place.pack == number);
            if here && ChunkId::of(bytes) == record.id && rescued.insert(record.id) {
                writer.put_again(record.id, bytes, GroupHint::NONE)?;
            }
        }
        Ok(())
    }

    /// Removes the bytes of chunks for good: from every pack that holds them, indexed or not.
    /// Gives the number of packs that were rewritten.
    ///
    /// A pack of which not all blocks can be found may hold them still: that is an error, after all
    /// others were seen to.
    pub fn erase_chunks(
        &self,
        chunks: &HashSet<ChunkId>,
        sweep: &SweepLock,
        monitor: &dyn Monitor,
    ) -> Result<u64> {
        let (mut rewritten, mut failed) = (0, None);
        for usage in self.pack_usage()? {
            match self.erase_from_pack(&usage, chunks, sweep, monitor) {
                Ok(true) => rewritten += 1,
                Ok(false) => {}
                Err(StoreError::Cancelled) => return Err(StoreError::Cancelled),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(rewritten), Err)
    }

    /// Whether the pack held any of the chunks and was rewritten.
    fn erase_from_pack(
        &self,
        usage: &PackUsage,
        chunks: &HashSet<ChunkId>,
        sweep: &SweepLock,
        monitor: &dyn Monitor,
    ) -> Result<bool> {
        let inspector = self.inspect_pack(usage.record.id, Some(usage.record.length))?;
        let blocks = inspector.whole_blocks()?;
        let holds =
            blocks.iter().flat_map(|block| &block.header.records).any(|record| chunks.contains(&record.id));
        if holds {
            self.rewrite_pack(
                usage.number,
                usage.indexed_chunks,
                &|id| !chunks.contains(&id),
                sweep,
                monitor,
            )?;
        }
        Ok(holds)
    }

    /// The chunks of a block that stay, as positions; those that go are added to `dropped`.
    fn indexed(
        snapshot: &Snapshot,
        number: u32,
        block: &BlockEntry,
        keep: &dyn Fn(ChunkId) -> bool,
        dropped: &mut Vec<ChunkId>,
    ) -> Result<Vec<usize>> {
        let mut kept = Vec::new();
        for (position, (id, place)) in places(number, block).enumerate() {
            if snapshot.chunk_location(id)? != Some(place) {
                continue;
            }
            if keep(id) {
                kept.push(position);
            } else {
                dropped.push(id);
            }
        }
        Ok(kept)
    }

    fn remove_pack(&self, record: &PackRecord) -> Result<()> {
        self.forget_view(record.id);
        let (path, dir) = (self.pack_path(record.id), self.packs_dir());
        self.disk().remove(&path).during("removing", &path)?;
        self.disk().sync_dir(&dir).during("syncing", &dir)
    }
}

/// Verifies the chunks that stay and writes them anew, as one group.
fn copy(
    inspector: &PackInspector,
    block: &BlockEntry,
    kept: &[usize],
    writer: &ChunkWriter<'_>,
) -> Result<()> {
    let raw = inspector.raw(block)?;
    let mut kept = kept.iter().copied().peekable();
    let mut start = 0;
    for (position, record) in block.header.records.iter().enumerate() {
        let end = start + record.length as usize;
        if kept.next_if_eq(&position).is_some() {
            let bytes = &raw[start..end];
            if ChunkId::of(bytes) != record.id {
                return Err(inspector.damaged(block.offset, Some(record.id), Damage::Content));
            }
            writer.put_again(record.id, bytes, GroupHint::NONE)?;
        }
        start = end;
    }
    Ok(())
}

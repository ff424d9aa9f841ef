//! Packs that are damaged, and rows of the index that point nowhere.

use crate::base::id::ChunkId;
use crate::base::monitor::Monitor;
use crate::care::error::CareError;
use crate::care::fsck::Outcome;
use crate::care::repair::Steps;
use crate::repo::Repository;
use crate::store::SweepLock;

/// Moves what is sound of damaged packs into new ones and drops rows that point nowhere.
pub(super) fn mend(
    repository: &Repository,
    outcome: &Outcome,
    sweep: &SweepLock,
    steps: &mut Steps,
    monitor: &dyn Monitor,
) -> Result<(), CareError> {
    let store = repository.store();
    let damaged = outcome.findings.packs();
    for (number, record) in store.snapshot()?.packs()? {
        if !damaged.contains(&record.id) {
            continue;
        }
        let kept = store.set_pack_aside(record.id)?;
        let (rescued, lost) = store.rescue_pack(number, sweep, monitor)?;
        let message = match lost.len() {
            0 => format!("pack {} was written anew, with all its {} chunks", record.id, rescued.chunks_kept),
            lost => format!(
                "pack {} was written anew: {} of its chunks are sound, {lost} were damaged",
                record.id, rescued.chunks_kept
            ),
        };
        steps.add("pack", message, kept);
    }
    drop_lost_rows(repository, outcome, steps)
}

/// Drops rows of packs that nobody knows.
fn drop_lost_rows(repository: &Repository, outcome: &Outcome, steps: &mut Steps) -> Result<(), CareError> {
    let snapshot = repository.store().snapshot()?;
    let mut chunks: Vec<ChunkId> = Vec::new();
    for chunk in outcome.findings.chunks() {
        if let Some(place) = snapshot.chunk_location(*chunk)?
            && snapshot.pack(place.pack)?.is_none()
        {
            chunks.push(*chunk);
        }
    }
    chunks.sort_unstable();
    if chunks.is_empty() {
        return Ok(());
    }
    let mut transaction = repository.store().begin()?;
    let dropped = transaction.drop_chunks(&chunks)?;
    transaction.commit()?;
    steps.add("index", format!("{dropped} chunks that the index had in no pack were taken out of it"), None);
    Ok(())
}

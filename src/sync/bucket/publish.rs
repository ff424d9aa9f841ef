//! Publishing: an index file first, then the head, by compare-and-set, as often as it takes.

use crate::repo::refs::RefTarget;
use crate::store::bucket::Write;
use crate::store::bucket::head::{CondemnedBlob, HEAD_KEY, Head, IndexRecord};
use crate::store::bucket::index::{IndexBuilder, IndexPlace, IndexedPack};
use crate::sync::bucket::{BucketRemote, index_file_key};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{patiently, pause};
use crate::sync::remote::{LogChange, ParcelRecord, Proposal, Published, RefChange};

/// How often a head that others change is tried.
const ATTEMPTS: u32 = 200;
/// Index files of about one size that are merged into one.
const MERGE_FILES: usize = 8;
/// Merged index files that wait for their removal and are remembered one by one.
const CONDEMNED_INDEXES_KEPT: usize = 4096;
const INDEX_PREFIX: &str = "indexes/";
/// Most keys of a merged file: what the memory of a small machine holds with ease.
const MERGE_ENTRIES_MAX: u64 = 2 << 20;

impl BucketRemote {
    pub(super) fn publish_proposal(&self, proposal: &Proposal) -> SyncResult<Published> {
        let seen = self.seen().clone();
        let mut seen = match seen {
            Some(seen) => seen,
            None => self.read_head()?,
        };
        let index = self.write_index(&proposal.parcels)?;
        for attempt in 0..ATTEMPTS {
            if seen.head.tokens.contains(&proposal.token) {
                return Ok(Published { mark: seen.head.generation, follows: None });
            }
            if attempt == 0 && changes_fail(&seen.head, proposal) {
                // What was seen may be old: only what is there now is a reason to refuse.
                seen = self.read_head()?;
            }
            let head = self.next_head(&seen.head, proposal, index)?;
            let written =
                patiently(|| self.bucket.write_cell(HEAD_KEY, &head.encode(), Some(&seen.version)))?;
            match written {
                Write::Done(version) => {
                    let published = Published { mark: head.generation, follows: Some(seen.head.generation) };
                    *self.seen() = Some(super::Seen { head: std::sync::Arc::new(head), version });
                    return Ok(published);
                }
                Write::Conflict | Write::Unknown => {
                    pause(attempt.min(4));
                    seen = self.read_head()?;
                }
            }
        }
        Err(SyncError::Busy { attempts: ATTEMPTS })
    }

    /// The head as it is to be, if names point where the proposal believes.
    fn next_head(&self, before: &Head, proposal: &Proposal, index: Option<IndexRecord>) -> SyncResult<Head> {
        if before.epoch != proposal.epoch {
            return Err(SyncError::Outdated);
        }
        let mut head = before.clone();
        head.note(proposal.token);
        for change in &proposal.changes {
            check_change(before, change)?;
            let key = change.name.as_str();
            match &change.target {
                Some(target) => head.refs.insert(key.to_owned(), target.encode()),
                None => head.refs.remove(key),
            };
        }
        for change in &proposal.logs {
            check_log(before, change)?;
            head.logs.insert(change.name.clone(), change.target.clone());
        }
        if let Some(mut record) = index {
            record.generations = (head.generation, head.generation);
            head.indexes.push(record);
            self.merge_indexes(&mut head)?;
        }
        Ok(head)
    }

    /// Writes the index file of new parcels. Its generation is that of the head that will name it.
    fn write_index(&self, parcels: &[ParcelRecord]) -> SyncResult<Option<IndexRecord>> {
        let mut builder = IndexBuilder::default();
        for parcel in parcels {
            let pack = IndexedPack {
                id: parcel.id,
                kind: parcel.kind.number(),
                length: parcel.length,
                generation: 0,
            };
            for (key, offset, length) in &parcel.entries {
                builder.push(key.index_key(), IndexPlace { pack, offset: *offset, length: *length });
            }
        }
        if builder.is_empty() { Ok(None) } else { self.put_index(builder).map(Some) }
    }

    pub(super) fn put_index(&self, builder: IndexBuilder) -> SyncResult<IndexRecord> {
        let (id, bytes, entries) = builder.finish();
        patiently(|| self.bucket.put(&index_file_key(id), &bytes))?;
        Ok(IndexRecord { id, length: bytes.len() as u64, entries, generations: (0, 0) })
    }

    /// Merges index files of one size when there are many. Those that were merged are removed after
    /// a grace, like everything that somebody may still be reading.
    fn merge_indexes(&self, head: &mut Head) -> SyncResult<()> {
        let tier = |record: &IndexRecord| record.entries.max(1).ilog2() / 3;
        let Some(crowded) = head.indexes.iter().map(tier).find(|wanted| {
            let of_tier = head.indexes.iter().filter(|record| tier(record) == *wanted);
            of_tier.count() >= MERGE_FILES
        }) else {
            return Ok(());
        };
        let merged: Vec<IndexRecord> =
            head.indexes.iter().filter(|record| tier(record) == crowded).copied().collect();
        if merged.iter().map(|record| record.entries).sum::<u64>() > MERGE_ENTRIES_MAX {
            return Ok(());
        }
        self.indexes.load(&head.indexes)?;
        let mut builder = IndexBuilder::default();
        // Of several places of one object the newest holds: it may stand for one that was damaged.
        for record in merged.iter().rev() {
            self.indexes.each(record, |key, mut place| {
                if place.pack.generation == 0 {
                    place.pack.generation = record.generations.1;
                }
                builder.push(key, place);
            })?;
        }
        let mut record = self.put_index(builder)?;
        let first = merged.iter().map(|record| record.generations.0).min().unwrap_or_default();
        let last = merged.iter().map(|record| record.generations.1).max().unwrap_or_default();
        record.generations = (first, last);
        head.indexes.retain(|record| tier(record) != crowded);
        head.indexes.push(record);
        let condemned = merged.iter().map(|record| index_file_key(record.id));
        head.condemned.extend(condemned.map(|key| CondemnedBlob { key, since_ms: 0 }));
        forget_oldest(head);
        Ok(())
    }
}

/// Keeps the list of merged index files short: every push reads and writes it. Those that leave it are found by
/// the collector's own look at what no head names, after thousands of pushes in which readers moved on.
fn forget_oldest(head: &mut Head) {
    let is_index = |blob: &CondemnedBlob| blob.key.starts_with(INDEX_PREFIX);
    let mut surplus =
        head.condemned.iter().filter(|blob| is_index(blob)).count().saturating_sub(CONDEMNED_INDEXES_KEPT);
    head.condemned.retain(|blob| {
        let goes = surplus > 0 && is_index(blob);
        surplus -= usize::from(goes);
        !goes
    });
}

/// Whether a head as it was seen a while ago forbids the proposal.
fn changes_fail(head: &Head, proposal: &Proposal) -> bool {
    head.epoch != proposal.epoch
        || proposal.changes.iter().any(|change| check_change(head, change).is_err())
        || proposal.logs.iter().any(|change| check_log(head, change).is_err())
}

fn check_log(head: &Head, change: &LogChange) -> SyncResult<()> {
    if head.logs.get(&change.name) == change.expected.as_ref() {
        return Ok(());
    }
    Err(SyncError::LogMoved { name: change.name.clone() })
}

fn check_change(head: &Head, change: &RefChange) -> SyncResult<()> {
    let bytes = head.refs.get(change.name.as_str());
    let target = bytes.map(|bytes| RefTarget::decode(bytes)).transpose();
    let target = target.map_err(|error| SyncError::Invalid { what: "a name", detail: error.to_string() })?;
    let actual = target.map(|target| target.commit);
    if actual == change.expected {
        return Ok(());
    }
    Err(SyncError::Moved { name: change.name.clone(), expected: change.expected, actual })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RepositoryId;
    use crate::object::chunker::ChunkerParameters;

    #[test]
    fn the_list_of_merged_index_files_stays_short_and_packs_stay_on_it() {
        let mut head = Head::new(RepositoryId::from_bytes([1; 16]), ChunkerParameters::default());
        let condemn = |key: String| CondemnedBlob { key, since_ms: 5 };
        head.condemned.push(condemn("packs/aa/first.pack".to_owned()));
        head.condemned.extend((0..5000).map(|number| condemn(format!("indexes/{number}.index"))));
        forget_oldest(&mut head);
        assert_eq!(head.condemned.len(), CONDEMNED_INDEXES_KEPT + 1);
        assert_eq!(head.condemned[0].key, "packs/aa/first.pack");
        assert_eq!(head.condemned[1].key, "indexes/904.index", "the oldest go first");
    }
}

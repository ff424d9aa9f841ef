//! Publishing: an index file first, then the head, by compare-and-set, as often as it takes.

use crate::base::id::PackId;
use crate::repo::refs::RefTarget;
use crate::store::bucket::Write;
use crate::store::bucket::head::{CondemnedBlob, HEAD_KEY, Head, IndexRecord};
use crate::store::bucket::index::{IndexBuilder, IndexKey, IndexPlace, IndexedPack};
use crate::sync::bucket::{BucketRemote, Seen, index_file_key};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{patiently, pause};
use crate::sync::remote::{LogChange, ParcelRecord, Proposal, Published, RefChange};
use std::collections::HashSet;
use std::sync::Arc;

/// How often a head that others change is tried.
const ATTEMPTS: u32 = 200;
/// How often a merged index file is offered to a head that others change.
const MERGE_ATTEMPTS: u32 = 12;
/// Index files of about one size that are merged into one.
const MERGE_FILES: usize = 8;
/// Merged index files that wait for their removal and are remembered one by one.
const CONDEMNED_INDEXES_KEPT: usize = 4096;
const INDEX_PREFIX: &str = "indexes/";

impl BucketRemote {
    pub(super) fn publish_proposal(&self, proposal: &Proposal) -> SyncResult<Published> {
        let seen = self.seen().clone();
        let mut seen = match seen {
            Some(seen) => seen,
            None => self.read_head()?,
        };
        let indexes = self.write_indexes(&proposal.parcels)?;
        // Everything that is needed is there: nobody goes on with what else was begun.
        self.bucket.give_up_what_was_left();
        for attempt in 0..ATTEMPTS {
            if seen.head.tokens.contains(&proposal.token) {
                return Ok(Published { mark: seen.head.generation, follows: None });
            }
            if attempt == 0 && changes_fail(&seen.head, proposal) {
                // What was seen may be old: only what is there now is a reason to refuse.
                seen = self.read_head()?;
            }
            let head = next_head(&seen.head, proposal, &indexes)?;
            match self.replace_head(&seen, head)? {
                Some(head) => {
                    let published = Published { mark: head.generation, follows: Some(seen.head.generation) };
                    if !indexes.is_empty() {
                        // What was pushed is there. Whatever kept this from being tidied up, the next
                        // push meets it again.
                        let _ = self.merge_indexes();
                    }
                    return Ok(published);
                }
                None => {
                    pause(attempt.min(4));
                    seen = self.read_head()?;
                }
            }
        }
        Err(SyncError::Busy { attempts: ATTEMPTS })
    }

    /// Replaces the head that was seen; `None` when somebody else was quicker, or nobody knows.
    pub(super) fn replace_head(&self, seen: &Seen, head: Head) -> SyncResult<Option<Arc<Head>>> {
        let bytes = head.encode()?;
        match patiently(|| self.bucket.write_cell(HEAD_KEY, &bytes, Some(&seen.version)))? {
            Write::Done(version) => {
                let head = Arc::new(head);
                *self.seen() = Some(Seen { head: head.clone(), version });
                Ok(Some(head))
            }
            Write::Conflict | Write::Unknown => Ok(None),
        }
    }

    /// Writes the index files of new parcels. Their generation is that of the head that will name them.
    pub(super) fn write_indexes(&self, parcels: &[ParcelRecord]) -> SyncResult<Vec<IndexRecord>> {
        let mut writer = IndexWriter::new(self);
        for parcel in parcels {
            let pack = IndexedPack {
                id: parcel.id,
                kind: parcel.kind.number(),
                length: parcel.length,
                generation: 0,
            };
            for (key, offset, length) in parcel.entries.load()?.iter() {
                writer.push(key.index_key(), IndexPlace { pack, offset: *offset, length: *length })?;
            }
        }
        writer.finish()
    }

    fn put_index(&self, builder: IndexBuilder) -> SyncResult<IndexRecord> {
        let (id, bytes, entries) = builder.finish();
        patiently(|| self.bucket.put(&index_file_key(id), &bytes))?;
        self.indexes.wrote(id, &bytes);
        Ok(IndexRecord { id, length: bytes.len() as u64, entries, generations: (0, 0) })
    }

    /// Merges index files of one size when there are many, in a step of its own: what is merged
    /// stays right whatever others publish meanwhile. Files that were merged are removed after a
    /// grace, like everything that somebody may still be reading.
    fn merge_indexes(&self) -> SyncResult<()> {
        let Some(merged) = crowded(&self.head()?.indexes, self.index_entries_max) else { return Ok(()) };
        let mut builder = IndexBuilder::default();
        for record in &merged {
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
        let gone: HashSet<PackId> = merged.iter().map(|record| record.id).collect();
        for attempt in 0..MERGE_ATTEMPTS {
            let seen = if attempt == 0 { self.seen().clone() } else { None };
            let seen = seen.map_or_else(|| self.read_head(), Ok)?;
            let still = seen.head.indexes.iter().filter(|other| gone.contains(&other.id)).count();
            if still < merged.len() {
                // Somebody else merged them, or took objects out: this one is not of use any more.
                return Ok(());
            }
            let mut head = (*seen.head).clone();
            head.indexes.retain(|other| !gone.contains(&other.id));
            head.indexes.push(record);
            let condemned = merged.iter().map(|record| index_file_key(record.id));
            head.condemned.extend(condemned.map(|key| CondemnedBlob { key, since_ms: 0 }));
            forget_oldest(&mut head);
            if self.replace_head(&seen, head)?.is_some() {
                return Ok(());
            }
            pause(attempt.min(4));
        }
        Ok(())
    }
}

/// Writes index files one after the other, each of at most so many keys as one may have.
pub(super) struct IndexWriter<'a> {
    remote: &'a BucketRemote,
    builder: IndexBuilder,
    records: Vec<IndexRecord>,
}

impl<'a> IndexWriter<'a> {
    pub(super) fn new(remote: &'a BucketRemote) -> Self {
        Self { remote, builder: IndexBuilder::default(), records: Vec::new() }
    }

    /// Adds an object.
    pub(super) fn push(&mut self, key: IndexKey, place: IndexPlace) -> SyncResult<()> {
        self.builder.push(key, place);
        if self.builder.len() as u64 >= self.remote.index_entries_max { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> SyncResult<()> {
        let builder = std::mem::take(&mut self.builder);
        self.records.push(self.remote.put_index(builder)?);
        Ok(())
    }

    /// The files. Their generations are for the caller to say.
    pub(super) fn finish(mut self) -> SyncResult<Vec<IndexRecord>> {
        if !self.builder.is_empty() {
            self.close()?;
        }
        Ok(self.records)
    }
}

/// Index files that are to become one: of the smallest size of which there are many, the smallest ones, as
/// many as one file can hold. Files that are more than half full stay as they are, so there always are two.
fn crowded(indexes: &[IndexRecord], entries_max: u64) -> Option<Vec<IndexRecord>> {
    let tier = |record: &IndexRecord| record.entries.max(1).ilog2() / 3;
    let mut open: Vec<IndexRecord> =
        indexes.iter().filter(|record| record.entries <= entries_max / 2).copied().collect();
    open.sort_by_key(|record| (record.entries, record.id));
    let mut of_one_size = open.chunk_by(|left, right| tier(left) == tier(right));
    let group = of_one_size.find(|group| group.len() >= MERGE_FILES)?;
    let mut sum = 0;
    let fits = |record: &&IndexRecord| {
        sum += record.entries;
        sum <= entries_max
    };
    Some(group.iter().take_while(fits).copied().collect())
}

/// The head as it is to be, if names point where the proposal believes.
fn next_head(before: &Head, proposal: &Proposal, indexes: &[IndexRecord]) -> SyncResult<Head> {
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
    let generations = (head.generation, head.generation);
    head.indexes.extend(indexes.iter().map(|record| IndexRecord { generations, ..*record }));
    Ok(head)
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

    fn records(entries: &[u64]) -> Vec<IndexRecord> {
        let record = |(number, entries): (usize, &u64)| IndexRecord {
            id: PackId::from_bytes([number as u8; 16]),
            length: 1,
            entries: *entries,
            generations: (1, 1),
        };
        entries.iter().enumerate().map(record).collect()
    }

    /// Sizes of index files after so many pushes of some keys each, each followed by one merge.
    fn after(mut sizes: Vec<u64>, pushes: u32, keys: u64, entries_max: u64) -> Vec<u64> {
        for _ in 0..pushes {
            sizes.push(keys);
            if let Some(merged) = crowded(&records(&sizes), entries_max) {
                assert!(merged.len() >= 2);
                for record in &merged {
                    let at = sizes.iter().position(|size| *size == record.entries);
                    sizes.remove(at.expect("a file that is there"));
                }
                sizes.push(merged.iter().map(|record| record.entries).sum());
            }
        }
        sizes
    }

    #[test]
    fn large_index_files_never_keep_small_ones_from_being_merged() {
        // Eight that are full stand in front, as after some 150 GB.
        let sizes = after(vec![300_000; 8], 5000, 150, 2 << 20);
        assert!(sizes.iter().all(|size| *size <= 2 << 20));
        assert!(sizes.len() < 40, "{} files: {sizes:?}", sizes.len());
        // However much there is: few small ones, and the others more than half full.
        let sizes = after(Vec::new(), 20_000, 7, 1000);
        let full = sizes.iter().filter(|size| **size > 500).count();
        assert!(sizes.len() - full < 32, "{} of {} are not full", sizes.len() - full, sizes.len());
        assert!(full <= 20_000 * 7 / 500);
    }

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

//! The index files of a bucket: loaded when they are needed, kept because they never change.

use crate::base::id::PackId;
use crate::store::bucket::head::{Head, IndexRecord};
use crate::store::bucket::index::{IndexDamage, IndexFile, IndexKey, IndexPlace, TRAILER_BYTES};
use crate::store::bucket::{Bucket, BucketError};
use crate::sync::bucket::index_file_key;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{for_each, patiently};
use crate::sync::remote::ObjectKey;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest file that is loaded at once, in bytes; of a longer one the pages that are needed are.
const WHOLE_BYTES_MAX: u64 = 16 << 20;
/// Index files loaded at a time.
const LOADS: usize = 4;
/// Large files that are asked for all keys at once: reading a page of one costs about as much as a chunk.
const LARGE_FILES_ASKED: usize = 2;
/// Keys by which a file is looked for among many.
const PROBES: usize = 4;
/// Large files that are remembered to be of use.
const USEFUL_MAX: usize = 16;

/// The index files of one bucket.
#[derive(Debug)]
pub(super) struct Indexes {
    bucket: Arc<dyn Bucket>,
    cache: Option<PathBuf>,
    files: Mutex<HashMap<PackId, Arc<IndexFile>>>,
    /// Longest file that is loaded at once, in bytes.
    whole_bytes_max: u64,
    /// Large files in which something was found, the last one first.
    useful: Mutex<Vec<PackId>>,
}

/// What is looked for, and where.
struct Search {
    found: Vec<Option<IndexPlace>>,
    waiting: Vec<(IndexKey, usize)>,
    small: Vec<IndexRecord>,
    large: Vec<IndexRecord>,
}

/// Why a part of an index file could not be had.
#[derive(Debug)]
enum PartError {
    Damage,
    Sync(SyncError),
}

impl From<IndexDamage> for PartError {
    fn from(_: IndexDamage) -> Self {
        Self::Damage
    }
}

impl PartError {
    fn of(self, id: PackId) -> SyncError {
        match self {
            Self::Damage => SyncError::Damaged { what: "index", id },
            Self::Sync(error) => error,
        }
    }
}

impl Indexes {
    pub(super) fn new(bucket: Arc<dyn Bucket>, cache: Option<PathBuf>) -> Self {
        Self {
            bucket,
            cache,
            files: Mutex::default(),
            whole_bytes_max: WHOLE_BYTES_MAX,
            useful: Mutex::default(),
        }
    }

    /// The places of objects, in the order of their keys.
    pub(super) fn find(&self, head: &Head, keys: &[ObjectKey]) -> SyncResult<Vec<Option<IndexPlace>>> {
        let mut search = self.search(head, keys)?;
        self.in_small_files(&mut search)?;
        self.in_large_files(&mut search)?;
        Ok(search.found)
    }

    /// The same with little effort: of large files as many are looked into as it is worth. What is not found
    /// may be there all the same, and costs as much to send as to look for.
    pub(super) fn find_most(&self, head: &Head, keys: &[ObjectKey]) -> SyncResult<Vec<Option<IndexPlace>>> {
        let mut search = self.search(head, keys)?;
        self.in_small_files(&mut search)?;
        for record in search.large.clone().into_iter().take(LARGE_FILES_ASKED) {
            self.look_into(&record, &mut search)?;
        }
        Ok(search.found)
    }

    fn search(&self, head: &Head, keys: &[ObjectKey]) -> SyncResult<Search> {
        self.load(&head.indexes)?;
        let (large, small) =
            head.indexes.iter().rev().copied().partition(|record| record.length > self.whole_bytes_max);
        // In the order of the keys, so that each page is read once.
        let mut waiting: Vec<(IndexKey, usize)> =
            keys.iter().enumerate().map(|(position, key)| (key.index_key(), position)).collect();
        waiting.sort_unstable();
        Ok(Search { found: vec![None; keys.len()], waiting, small, large })
    }

    fn in_small_files(&self, search: &mut Search) -> SyncResult<()> {
        for record in search.small.clone() {
            self.look_into(&record, search)?;
        }
        Ok(())
    }

    /// What was published together lies in one file. So the file is looked for that has one of the keys, by
    /// a page of each, and is then asked for all of them; files that were of use before come first.
    fn in_large_files(&self, search: &mut Search) -> SyncResult<()> {
        let mut open: Vec<IndexRecord> = {
            let useful = self.useful.lock().unwrap_or_else(PoisonError::into_inner);
            let rank = |record: &IndexRecord| useful.iter().position(|id| *id == record.id);
            let mut open = search.large.clone();
            open.sort_by_key(|record| rank(record).unwrap_or(usize::MAX));
            open
        };
        let first: Vec<IndexRecord> = open.drain(..open.len().min(LARGE_FILES_ASKED)).collect();
        for record in first {
            self.look_into(&record, search)?;
        }
        while !open.is_empty() && !search.waiting.is_empty() {
            let position = self.probe(&open, search)?.unwrap_or(0);
            self.look_into(&open.remove(position), search)?;
        }
        Ok(())
    }

    /// The first of some files that has one of a few keys.
    fn probe(&self, open: &[IndexRecord], search: &Search) -> SyncResult<Option<usize>> {
        let step = (search.waiting.len() / PROBES).max(1);
        let probes: Vec<IndexKey> = search.waiting.iter().step_by(step).map(|(key, _)| *key).collect();
        for (group, records) in open.chunks(LOADS * 4).enumerate() {
            let ask = |(position, record): (usize, &IndexRecord)| {
                let found = self.ask(record, &probes)?;
                Ok(found.iter().any(Option::is_some).then_some(group * LOADS * 4 + position))
            };
            let mut first: Option<usize> = None;
            for_each(records.iter().enumerate(), LOADS, ask, |found| {
                first = first.into_iter().chain(found).min();
                Ok(())
            })?;
            if first.is_some() {
                return Ok(first);
            }
        }
        Ok(None)
    }

    fn ask(&self, record: &IndexRecord, keys: &[IndexKey]) -> SyncResult<Vec<Option<IndexPlace>>> {
        let file = self.file(record)?;
        let read = |offset, length| self.read_part(record.id, offset, length);
        file.find_all(keys, &read).map_err(|error: PartError| error.of(record.id))
    }

    /// Looks for everything that is still open in one file.
    fn look_into(&self, record: &IndexRecord, search: &mut Search) -> SyncResult<()> {
        if search.waiting.is_empty() {
            return Ok(());
        }
        let asked: Vec<IndexKey> = search.waiting.iter().map(|(key, _)| *key).collect();
        let places = self.ask(record, &asked)?;
        let before = search.waiting.len();
        let mut rest = Vec::new();
        for ((key, position), place) in std::mem::take(&mut search.waiting).into_iter().zip(places) {
            match place {
                Some(place) => search.found[position] = Some(place),
                None => rest.push((key, position)),
            }
        }
        search.waiting = rest;
        if search.waiting.len() < before && record.length > self.whole_bytes_max {
            let mut useful = self.useful.lock().unwrap_or_else(PoisonError::into_inner);
            useful.retain(|id| *id != record.id);
            useful.insert(0, record.id);
            useful.truncate(USEFUL_MAX);
        }
        Ok(())
    }

    /// Hands out everything that an index file has.
    pub(super) fn each(
        &self,
        record: &IndexRecord,
        mut take: impl FnMut(IndexKey, IndexPlace),
    ) -> SyncResult<()> {
        let file = self.file(record)?;
        let read = |offset, length| self.read_part(record.id, offset, length);
        let all = file.each(&read, |key, place| {
            take(key, place);
            Ok(())
        });
        all.map_err(|error: PartError| error.of(record.id))
    }

    /// One index file.
    pub(super) fn file(&self, record: &IndexRecord) -> SyncResult<Arc<IndexFile>> {
        let kept = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(&record.id).cloned();
        match kept {
            Some(file) => Ok(file),
            None => {
                let file = Arc::new(self.load_one(record)?);
                self.keep(record.id, file.clone());
                Ok(file)
            }
        }
    }

    fn keep(&self, id: PackId, file: Arc<IndexFile>) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(id, file);
    }

    /// Parts files into those that can be read from end to end and those that are damaged or lost.
    pub(super) fn sort_out(
        &self,
        records: &[IndexRecord],
    ) -> SyncResult<(Vec<IndexRecord>, Vec<IndexRecord>)> {
        let (mut sound, mut damaged) = (Vec::new(), Vec::new());
        let look = |record: &IndexRecord| match self.each(record, |_, _| {}) {
            Ok(()) => Ok((*record, true)),
            Err(SyncError::Missing { .. } | SyncError::Damaged { .. }) => Ok((*record, false)),
            Err(error) => Err(error),
        };
        for_each(records, LOADS, look, |(record, is_sound)| {
            if is_sound { &mut sound } else { &mut damaged }.push(record);
            Ok(())
        })?;
        Ok((sound, damaged))
    }

    /// Loads what is not at hand, several at a time, and lets go of what no head names any more.
    pub(super) fn load(&self, records: &[IndexRecord]) -> SyncResult<()> {
        let missing: Vec<IndexRecord> = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.retain(|id, _| records.iter().any(|record| record.id == *id));
            records.iter().filter(|record| !files.contains_key(&record.id)).copied().collect()
        };
        if !missing.is_empty() {
            self.forget_old(records);
        }
        let load = |record: IndexRecord| Ok((record.id, self.load_one(&record)?));
        for_each(missing, LOADS, load, |(id, file)| {
            self.keep(id, Arc::new(file));
            Ok(())
        })
    }

    fn load_one(&self, record: &IndexRecord) -> SyncResult<IndexFile> {
        let file = self.read_one(record)?;
        // What is written of it in the head decides what it is merged with.
        if file.entries() == record.entries {
            return Ok(file);
        }
        Err(SyncError::Damaged { what: "index", id: record.id })
    }

    fn read_one(&self, record: &IndexRecord) -> SyncResult<IndexFile> {
        let damaged = |_| SyncError::Damaged { what: "index", id: record.id };
        if record.length > self.whole_bytes_max {
            if let Some(tail) = self.cached(record.id)
                && let Ok(file) = IndexFile::tail(&tail)
            {
                return Ok(file);
            }
            let trailer_at = record.length - TRAILER_BYTES as u64;
            let trailer = self.read_range(record.id, trailer_at, TRAILER_BYTES)?;
            let length = IndexFile::tail_length(&trailer).map_err(damaged)?;
            let start = record.length.checked_sub(length).ok_or(IndexDamage).map_err(damaged)?;
            let tail = self.read_range(record.id, start, length as usize)?;
            let file = IndexFile::tail(&tail).map_err(damaged)?;
            self.remember(record.id, &tail);
            return Ok(file);
        }
        if let Some(bytes) = self.cached(record.id)
            && let Ok(file) = IndexFile::whole(&bytes)
        {
            return Ok(file);
        }
        let key = index_file_key(record.id);
        let bytes = patiently(|| self.bucket.get(&key, self.whole_bytes_max))?;
        let bytes = bytes.ok_or(SyncError::Missing { kind: "index", id: record.id.to_string() })?;
        let file = IndexFile::whole(&bytes).map_err(damaged)?;
        self.remember(record.id, &bytes);
        Ok(file)
    }

    /// Keeps a copy of a file that was written just now, as far as it would be loaded: whoever wrote it need not
    /// fetch it back.
    pub(super) fn wrote(&self, id: PackId, bytes: &[u8]) {
        let length = bytes.len() as u64;
        if length <= self.whole_bytes_max {
            return self.remember(id, bytes);
        }
        let trailer = &bytes[bytes.len().saturating_sub(TRAILER_BYTES)..];
        let tail = IndexFile::tail_length(trailer).ok().and_then(|tail| length.checked_sub(tail));
        if let Some(start) = tail {
            self.remember(id, &bytes[start as usize..]);
        }
    }

    /// Removes copies of files that the head does not name any more.
    fn forget_old(&self, records: &[IndexRecord]) {
        let Some(entries) = self.cache.as_ref().and_then(|folder| fs::read_dir(folder).ok()) else { return };
        let named: HashSet<String> = records.iter().map(|record| format!("{}.index", record.id)).collect();
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.ends_with(".index") && !named.contains(name)) {
                // What stays is removed the next time.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn cache_path(&self, id: PackId) -> Option<PathBuf> {
        self.cache.as_ref().map(|folder| folder.join(format!("{id}.index")))
    }

    fn cached(&self, id: PackId) -> Option<Vec<u8>> {
        fs::read(self.cache_path(id)?).ok()
    }

    /// Keeps a copy beside the repository. Without one it is loaded again, so failing is harmless.
    fn remember(&self, id: PackId, bytes: &[u8]) {
        let Some(path) = self.cache_path(id) else { return };
        let write = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(&path);
            fs::create_dir_all(folder)?;
            let mut file = tempfile_in(folder, id)?;
            file.1.write_all(bytes)?;
            fs::rename(&file.0, &path)
        };
        let _ = write();
    }

    fn read_part(&self, id: PackId, offset: u64, length: usize) -> Result<Vec<u8>, PartError> {
        self.read_range(id, offset, length).map_err(PartError::Sync)
    }

    fn read_range(&self, id: PackId, offset: u64, length: usize) -> SyncResult<Vec<u8>> {
        let key = index_file_key(id);
        let read = patiently(|| self.bucket.get_range(&key, offset..offset + length as u64));
        match read {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(SyncError::Missing { kind: "index", id: id.to_string() }),
            Err(BucketError::CutShort { .. }) => Err(SyncError::Damaged { what: "index", id }),
            Err(error) => Err(error.into()),
        }
    }
}

/// A file of a name that nobody else uses now.
fn tempfile_in(folder: &std::path::Path, id: PackId) -> std::io::Result<(PathBuf, fs::File)> {
    let path = folder.join(format!("{id}.{}.new", std::process::id()));
    let file = fs::File::create(&path)?;
    Ok((path, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RepositoryId;
    use crate::object::chunker::ChunkerParameters;
    use crate::store::bucket::index::{IndexBuilder, IndexedPack};
    use crate::store::bucket::{Fault, FaultyBucket, MemoryBucket};
    use crate::sync::remote::Kind;

    const FILES: u32 = 60;
    const KEYS: u32 = 50;

    fn key(file: u32, number: u32) -> ObjectKey {
        let mut seed = file.to_le_bytes().to_vec();
        seed.extend(number.to_le_bytes());
        ObjectKey::new(Kind::Chunk, *blake3::hash(&seed).as_bytes())
    }

    /// Many index files, all of which count as large.
    fn many() -> (Arc<FaultyBucket<MemoryBucket>>, Head, Indexes) {
        let bucket = Arc::new(FaultyBucket::new(MemoryBucket::new(), |_, _| Fault::None));
        let mut head = Head::new(RepositoryId::from_bytes([1; 16]), ChunkerParameters::default());
        for file in 0..FILES {
            let mut builder = IndexBuilder::default();
            let pack =
                IndexedPack { id: PackId::from_bytes([file as u8; 16]), kind: 0, length: 9, generation: 1 };
            for number in 0..KEYS {
                builder.push(key(file, number).index_key(), IndexPlace { pack, offset: number, length: 1 });
            }
            let (id, bytes, entries) = builder.finish();
            bucket.put(&index_file_key(id), &bytes).expect("an index file");
            let length = bytes.len() as u64;
            head.indexes.push(IndexRecord { id, length, entries, generations: (1, 1) });
        }
        let mut indexes = Indexes::new(bucket.clone(), None);
        indexes.whole_bytes_max = 0;
        (bucket, head, indexes)
    }

    #[test]
    fn what_lies_in_one_of_many_large_files_is_found_and_the_next_time_with_little_effort() {
        let (bucket, head, indexes) = many();
        indexes.load(&head.indexes).expect("index files");
        let wanted: Vec<ObjectKey> = (0..KEYS).map(|number| key(5, number)).collect();
        let found = indexes.find(&head, &wanted).expect("places");
        for (number, place) in (0..KEYS).zip(&found) {
            let place = place.expect("a place");
            assert_eq!((place.offset, place.pack.id), (number, PackId::from_bytes([5; 16])));
        }
        let before = bucket.operations();
        let again = indexes.find(&head, &wanted[..10]).expect("places");
        assert!(again.iter().all(Option::is_some));
        assert!(bucket.operations() - before <= 2, "{} requests", bucket.operations() - before);
        // Several files at once, and what is nowhere.
        let mixed = [key(1, 1), key(40, 2), key(77, 0), key(FILES - 1, 3)];
        let places = indexes.find(&head, &mixed).expect("places");
        assert_eq!(places.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, true]);
    }

    #[test]
    fn little_effort_finds_what_is_new_and_never_something_else() {
        let (bucket, head, indexes) = many();
        indexes.load(&head.indexes).expect("index files");
        let before = bucket.operations();
        let places = indexes.find_most(&head, &[key(FILES - 1, 3), key(2, 2)]).expect("places");
        assert_eq!(places.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
        assert!(bucket.operations() - before <= LARGE_FILES_ASKED as u64);
    }

    #[test]
    fn what_was_written_is_not_fetched_back() {
        for whole_bytes_max in [0, 1 << 20] {
            let (bucket, head, mut indexes) = many();
            let folder = tempfile::tempdir().expect("a temporary folder");
            indexes.cache = Some(folder.path().to_owned());
            indexes.whole_bytes_max = whole_bytes_max;
            for record in &head.indexes {
                let bytes = bucket.get(&index_file_key(record.id), 1 << 20).expect("an answer");
                indexes.wrote(record.id, &bytes.expect("an index file"));
            }
            let before = bucket.operations();
            indexes.load(&head.indexes).expect("index files");
            assert_eq!(bucket.operations(), before);
            let places = indexes.find(&head, &[key(5, 3)]).expect("places");
            assert_eq!(places[0].expect("a place").offset, 3);
        }
    }

    #[test]
    fn copies_of_files_that_are_gone_go_too() {
        let (_, mut head, mut indexes) = many();
        let folder = tempfile::tempdir().expect("a temporary folder");
        indexes.cache = Some(folder.path().to_owned());
        indexes.load(&head.indexes).expect("index files");
        let count = || fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(count(), FILES as usize);
        let last = head.indexes.pop().expect("a file");
        indexes.files.lock().expect("files").clear();
        indexes.load(&head.indexes).expect("index files");
        assert_eq!(count(), FILES as usize - 1);
        assert!(!folder.path().join(format!("{}.index", last.id)).exists());
    }
}

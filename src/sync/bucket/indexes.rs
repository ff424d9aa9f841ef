//! The index files of a bucket: loaded when they are needed, kept because they never change.

use crate::base::id::PackId;
use crate::store::bucket::head::{Head, IndexRecord};
use crate::store::bucket::index::{IndexDamage, IndexFile, IndexKey, IndexPlace, TRAILER_BYTES};
use crate::store::bucket::{Bucket, BucketError};
use crate::sync::bucket::index_file_key;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::parallel::{for_each, patiently};
use crate::sync::remote::ObjectKey;
use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest file that is loaded at once, in bytes; of a longer one the pages that are needed are.
const WHOLE_BYTES_MAX: u64 = 16 << 20;
/// Index files loaded at a time.
const LOADS: usize = 4;

/// The index files of one bucket.
#[derive(Debug)]
pub(super) struct Indexes {
    bucket: Arc<dyn Bucket>,
    cache: Option<PathBuf>,
    files: Mutex<HashMap<PackId, Arc<IndexFile>>>,
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
        Self { bucket, cache, files: Mutex::default() }
    }

    /// The places of objects, in the order of their keys.
    pub(super) fn find(&self, head: &Head, keys: &[ObjectKey]) -> SyncResult<Vec<Option<IndexPlace>>> {
        self.load(&head.indexes)?;
        let mut found = vec![None; keys.len()];
        // In the order of the keys, so that each page is read once.
        let mut waiting: Vec<(IndexKey, usize)> =
            keys.iter().enumerate().map(|(position, key)| (key.index_key(), position)).collect();
        waiting.sort_unstable();
        for record in head.indexes.iter().rev() {
            let file = self.file(record)?;
            let asked: Vec<IndexKey> = waiting.iter().map(|(key, _)| *key).collect();
            let read = |offset, length| self.read_part(record.id, offset, length);
            let places = file.find_all(&asked, &read).map_err(|error: PartError| error.of(record.id))?;
            let mut rest = Vec::new();
            for ((key, position), place) in waiting.into_iter().zip(places) {
                match place {
                    Some(place) => found[position] = Some(place),
                    None => rest.push((key, position)),
                }
            }
            waiting = rest;
        }
        Ok(found)
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

    /// Loads what is not at hand, several at a time, and lets go of what no head names any more.
    pub(super) fn load(&self, records: &[IndexRecord]) -> SyncResult<()> {
        let missing: Vec<IndexRecord> = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            files.retain(|id, _| records.iter().any(|record| record.id == *id));
            records.iter().filter(|record| !files.contains_key(&record.id)).copied().collect()
        };
        let load = |record: IndexRecord| Ok((record.id, self.load_one(&record)?));
        for_each(missing, LOADS, load, |(id, file)| {
            self.keep(id, Arc::new(file));
            Ok(())
        })
    }

    fn load_one(&self, record: &IndexRecord) -> SyncResult<IndexFile> {
        let damaged = |_| SyncError::Damaged { what: "index", id: record.id };
        if record.length > WHOLE_BYTES_MAX {
            let trailer_at = record.length - TRAILER_BYTES as u64;
            let trailer = self.read_range(record.id, trailer_at, TRAILER_BYTES)?;
            let length = IndexFile::tail_length(&trailer).map_err(damaged)?;
            let start = record.length.checked_sub(length).ok_or(IndexDamage).map_err(damaged)?;
            let tail = self.read_range(record.id, start, length as usize)?;
            return IndexFile::tail(&tail).map_err(damaged);
        }
        if let Some(bytes) = self.cached(record.id)
            && let Ok(file) = IndexFile::whole(&bytes)
        {
            return Ok(file);
        }
        let key = index_file_key(record.id);
        let bytes = patiently(|| self.bucket.get(&key, WHOLE_BYTES_MAX))?;
        let bytes = bytes.ok_or(SyncError::Missing { kind: "index", id: record.id.to_string() })?;
        let file = IndexFile::whole(&bytes).map_err(damaged)?;
        self.remember(record.id, &bytes);
        Ok(file)
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

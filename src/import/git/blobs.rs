//! Takes the content of blobs in: each once, several at a time, LFS pointers replaced by what they
//! stand for where that is at hand.

use crate::base::id::{ChunkId, FileId, GitId};
use crate::base::local_path::LocalPath;
use crate::base::monitor::{Advance, Monitor};
use crate::import::erased::Erased;
use crate::import::error::{ImportError, io};
use crate::import::git::lfs::{self, Hashing, Pointer};
use crate::import::git::objects::{Kind, OBJECT_BYTES_AT_ONCE, Objects, Reader, git_id};
use crate::import::git::source::Checkout;
use crate::import::recent::Recent;
use crate::object::manifest::verified_key;
use crate::object::tree::ForeignAlgorithm;
use crate::repo::View;
use crate::repo::content::ContentError;
use crate::repo::imports::{BlobRecord, MissingRecord, encode_tie, key};
use crate::repo::ingest::{Ingested, Ingester};
use crate::store::{ChunkWriter, GroupHint, Space};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

/// Blobs whose content is remembered in memory.
const REMEMBERED: usize = 100_000;
/// A buffer that grew beyond this is not kept, in bytes.
const BUFFER_KEPT: usize = 8 << 20;

/// A blob that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub id: GitId,
    /// A path at which it stands.
    pub path: Vec<u8>,
    /// Whether it is the target of a link, which is never a pointer.
    pub link: bool,
}

/// Content that was not at hand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct MissingContent {
    /// The hash by which it is known.
    pub algorithm: ForeignAlgorithm,
    /// That hash in hexadecimal.
    pub digest: String,
    /// Its size in bytes, when known.
    pub size: u64,
    /// A path at which it stands.
    pub path: String,
    /// Where it was looked for first.
    pub expected: Option<LocalPath>,
    /// Why it could not be had.
    pub reason: String,
}

/// Sums over all blobs of an import.
#[derive(Debug, Default)]
pub struct Totals {
    /// Blobs taken in.
    pub blobs: AtomicU64,
    /// Their bytes, LFS content counted as content.
    pub bytes: AtomicU64,
    /// Of these, bytes of LFS content.
    pub lfs_bytes: AtomicU64,
    /// Bytes that the repository did not have.
    pub new_bytes: AtomicU64,
}

/// Takes blobs in and remembers what they became.
pub struct Blobs<'a> {
    pub objects: &'a Objects,
    pub writer: &'a ChunkWriter<'a>,
    pub ingester: Ingester<'a>,
    pub monitor: &'a dyn Monitor,
    /// Folders of LFS content.
    pub lfs: &'a [PathBuf],
    /// Checked-out files.
    pub worktrees: &'a [Checkout],
    /// Where checked-out files lie, by the content that they should have; looked at when something is missing.
    checked_out: OnceLock<HashMap<[u8; 32], Vec<PathBuf>>>,
    pub totals: Totals,
    erased: Erased,
    /// Blobs that a tree does not follow from.
    marks: RwLock<HashMap<GitId, Mark>>,
    recent: Mutex<Recent<GitId, BlobRecord>>,
    missing: Mutex<Vec<MissingContent>>,
}

/// How a blob stands in a Git tree, where that does not follow from the content here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// As the pointer that follows from hash and size.
    Pointer,
    /// As another object.
    Id,
}

impl Mark {
    fn of(record: &BlobRecord) -> Option<Self> {
        match record {
            BlobRecord::Lfs { plain: true, .. } => Some(Self::Pointer),
            BlobRecord::Lfs { .. } | BlobRecord::Foreign { plain: false, .. } => Some(Self::Id),
            BlobRecord::File { .. } | BlobRecord::Foreign { .. } => None,
        }
    }
}

impl<'a> Blobs<'a> {
    /// Begins.
    pub fn new(
        objects: &'a Objects,
        writer: &'a ChunkWriter<'a>,
        ingester: Ingester<'a>,
        monitor: &'a dyn Monitor,
        (lfs, worktrees): (&'a [PathBuf], &'a [Checkout]),
        erased: Erased,
    ) -> Self {
        Self {
            objects,
            writer,
            ingester,
            monitor,
            lfs,
            worktrees,
            checked_out: OnceLock::new(),
            totals: Totals::default(),
            erased,
            marks: RwLock::default(),
            recent: Mutex::new(Recent::new(REMEMBERED)),
            missing: Mutex::default(),
        }
    }

    /// Remembers which blobs of earlier imports trees do not follow from.
    pub fn remember_marks(&self, view: &View) -> Result<(), ImportError> {
        let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
        for row in view.snapshot().scan_prefix(Space::Imports, key::BLOBS)? {
            let (key, bytes) = row?;
            let mark = BlobRecord::decode(&bytes).ok().and_then(|record| Mark::of(&record));
            marks.extend(GitId::from_slice(&key[1..]).zip(mark));
        }
        Ok(())
    }

    /// Which blobs trees do not follow from.
    pub fn marks(&self) -> RwLockReadGuard<'_, HashMap<GitId, Mark>> {
        self.marks.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was not at hand so far.
    pub fn take_missing(&self) -> Vec<MissingContent> {
        std::mem::take(&mut self.missing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a blob became; `None` when it was not taken in yet, or what it became is gone.
    pub fn known(&self, id: GitId) -> Result<Option<BlobRecord>, ImportError> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if recent.is_some() {
            return Ok(recent);
        }
        let Some(bytes) = self.writer.stored_object(Space::Imports, &key::blob(id))? else { return Ok(None) };
        // A record that cannot be read is made again.
        let Ok(record) = BlobRecord::decode(&bytes) else { return Ok(None) };
        if let BlobRecord::File { file, size } | BlobRecord::Lfs { file, size, .. } = &record
            && !self.erased.has(*file)
            && !self.is_stored(*file, *size)?
        {
            return Ok(None);
        }
        self.remember(id, record.clone());
        Ok(Some(record))
    }

    /// Whether content that was taken in once is still there.
    fn is_stored(&self, file: FileId, size: u64) -> Result<bool, ImportError> {
        let chunk = ChunkId::from_bytes(*file.as_bytes());
        Ok(size == 0
            || self.writer.has(chunk)?
            || self.writer.stored_object(Space::Manifests, &verified_key(file))?.is_some())
    }

    fn remember(&self, id: GitId, record: BlobRecord) {
        if let Some(mark) = Mark::of(&record) {
            self.marks.write().unwrap_or_else(PoisonError::into_inner).insert(id, mark);
        }
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).put(id, record);
    }

    /// Takes blobs in, several at a time.
    pub fn take(&self, wanted: &[Wanted]) -> Result<(), ImportError> {
        wanted.par_iter().try_for_each(|wanted| {
            if self.monitor.is_cancelled() {
                return Err(ImportError::Cancelled);
            }
            if self.known(wanted.id)?.is_some() {
                return Ok(());
            }
            let record = self.take_one(wanted)?;
            self.writer.put_object(Space::Imports, &key::blob(wanted.id), &record.encode())?;
            self.totals.blobs.fetch_add(1, Relaxed);
            self.remember(wanted.id, record);
            Ok(())
        })
    }

    fn take_one(&self, wanted: &Wanted) -> Result<BlobRecord, ImportError> {
        self.objects.with_reader(|reader| {
            let mut bytes = std::mem::take(&mut reader.buffer);
            let record = match reader.find_small(wanted.id, &mut bytes) {
                Ok(Some(Kind::Blob)) => self.take_bytes(wanted, &bytes),
                Ok(Some(_)) => self.foreign_blob(wanted, 0, "it is no file in the repository"),
                Ok(None) => {
                    self.foreign_blob(wanted, 0, "it is not in the repository, as in a partial clone")
                }
                Err(ImportError::Object { .. }) => self.take_large(wanted, reader),
                Err(error) => Err(error),
            };
            if bytes.capacity() <= BUFFER_KEPT {
                reader.buffer = bytes;
            }
            record
        })
    }

    /// Takes in a blob that could not be had the short way: too large for that, or damaged.
    fn take_large(&self, wanted: &Wanted, reader: &mut Reader) -> Result<BlobRecord, ImportError> {
        if let Some((file, size)) = self.large_content(wanted.id, &wanted.path)? {
            return Ok(BlobRecord::File { file, size });
        }
        let size = reader.header(wanted.id).ok().flatten().map_or(0, |(_, size)| size);
        let reason = if size > OBJECT_BYTES_AT_ONCE as u64 {
            "it is damaged, or there is no room to unpack it"
        } else {
            "it is damaged"
        };
        self.foreign_blob(wanted, size, reason)
    }

    /// Takes in the content of a blob as a stream; `None` when it is damaged. What was erased is not taken in.
    fn large_content(&self, id: GitId, path: &[u8]) -> Result<Option<(FileId, u64)>, ImportError> {
        let Some(mut stream) = self.objects.stream(id)? else { return Ok(None) };
        let size = stream.size();
        if self.erased.may_have(size) {
            match self.erased.find_in(&mut stream) {
                Ok(Some(file)) => return Ok(Some((file, size))),
                Ok(None) => {}
                Err(_) => return Ok(None),
            }
            match self.objects.stream(id)? {
                Some(again) => stream = again,
                None => return Ok(None),
            }
        }
        match self.ingester.ingest_file(&mut stream, GroupHint::of_name(path)) {
            Ok(ingested) => {
                self.count(&ingested, false);
                Ok(Some((ingested.file, ingested.size)))
            }
            Err(ContentError::Read { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn take_bytes(&self, wanted: &Wanted, bytes: &[u8]) -> Result<BlobRecord, ImportError> {
        let pointer = if wanted.link { None } else { lfs::parse_pointer(bytes) };
        if let Some(pointer) = pointer {
            if !pointer.plain {
                self.writer.put_object(Space::Origins, &key::original(wanted.id), bytes)?;
            }
            return self.take_pointer(wanted, pointer);
        }
        if let Some(file) = self.erased.find(bytes) {
            return Ok(BlobRecord::File { file, size: bytes.len() as u64 });
        }
        let ingested = self.ingester.ingest_file(&mut &*bytes, GroupHint::of_name(&wanted.path))?;
        self.count(&ingested, false);
        Ok(BlobRecord::File { file: ingested.file, size: ingested.size })
    }

    fn count(&self, ingested: &Ingested, lfs: bool) {
        self.totals.bytes.fetch_add(ingested.size, Relaxed);
        self.totals.lfs_bytes.fetch_add(if lfs { ingested.size } else { 0 }, Relaxed);
        self.totals.new_bytes.fetch_add(ingested.new_bytes, Relaxed);
        self.monitor.advance(Advance { files: 1, ..Advance::default() });
    }

    /// Takes in what a pointer stands for, or notes that it is missing.
    fn take_pointer(&self, wanted: &Wanted, pointer: Pointer) -> Result<BlobRecord, ImportError> {
        let Pointer { sha256, size, plain } = pointer;
        if let Some(file) = self.find_content(&pointer, &wanted.path)? {
            self.writer.put_object(Space::Imports, &key::lfs(file), &sha256)?;
            return Ok(BlobRecord::Lfs { file, size, sha256, plain });
        }
        let (algorithm, digest) = (ForeignAlgorithm::Sha256, sha256.to_vec());
        let expected = self.expected_at(&sha256);
        let reason = "its Git LFS object is not at hand";
        self.note_missing(algorithm, &digest, size, &wanted.path, expected, reason)?;
        Ok(BlobRecord::Foreign { algorithm, digest, size, plain })
    }

    fn foreign_blob(&self, wanted: &Wanted, size: u64, reason: &str) -> Result<BlobRecord, ImportError> {
        let (algorithm, digest) = (ForeignAlgorithm::GitBlobSha1, wanted.id.as_bytes().to_vec());
        self.note_missing(algorithm, &digest, size, &wanted.path, None, reason)?;
        Ok(BlobRecord::Foreign { algorithm, digest, size, plain: true })
    }

    fn note_missing(
        &self,
        algorithm: ForeignAlgorithm,
        digest: &[u8],
        size: u64,
        path: &[u8],
        expected: Option<PathBuf>,
        reason: &str,
    ) -> Result<(), ImportError> {
        let record = MissingRecord { size, path: path.to_vec() };
        self.writer.put_object(Space::Imports, &key::missing(algorithm, digest), &record.encode())?;
        let missing = missing_content(algorithm, digest, &record, expected, reason);
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(missing);
        Ok(())
    }

    /// Takes in the content of a pointer from wherever it lies; content with another hash is passed over.
    fn find_content(&self, pointer: &Pointer, path: &[u8]) -> Result<Option<FileId>, ImportError> {
        if pointer.size == 0 {
            return Ok((pointer.sha256 == Hashing::new(std::io::empty()).finish()).then(FileId::empty));
        }
        for folder in self.lfs {
            let place = lfs::object_path(folder, &pointer.sha256);
            if let Some(file) = self.try_content(pointer, path, &place)? {
                return Ok(Some(file));
            }
        }
        let checked_out = self.checked_out.get_or_init(|| self.list_checked_out());
        for place in checked_out.get(&pointer.sha256).into_iter().flatten() {
            if let Some(file) = self.try_content(pointer, path, place)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    fn try_content(
        &self,
        pointer: &Pointer,
        path: &[u8],
        place: &Path,
    ) -> Result<Option<FileId>, ImportError> {
        let Some(file) = lfs::open_candidate(place, pointer.size) else { return Ok(None) };
        let mut input = Hashing::new(file);
        if self.erased.may_have(pointer.size) {
            let erased = self.erased.find_in(&mut input).map_err(io("reading", place))?;
            if input.finish() != pointer.sha256 {
                return Ok(None);
            }
            if erased.is_some() {
                return Ok(erased);
            }
            let Some(again) = lfs::open_candidate(place, pointer.size) else { return Ok(None) };
            input = Hashing::new(again);
        }
        let ingested = match self.ingester.ingest_file(&mut input, GroupHint::of_name(path)) {
            Err(ContentError::Read { source }) => return Err(io("reading", place)(source)),
            other => other?,
        };
        if input.finish() != pointer.sha256 || ingested.size != pointer.size {
            return Ok(None);
        }
        self.count(&ingested, true);
        Ok(Some(ingested.file))
    }

    /// Where the files lie that Git has checked out for pointers. What cannot be read has none.
    fn list_checked_out(&self) -> HashMap<[u8; 32], Vec<PathBuf>> {
        let mut places: HashMap<[u8; 32], Vec<PathBuf>> = HashMap::new();
        for checkout in self.worktrees {
            let options = gix::index::decode::Options::default();
            let opened = gix::index::File::at(&checkout.index, gix::hash::Kind::Sha1, true, options);
            let Ok(index) = opened else { continue };
            self.objects.with_reader(|reader| {
                let mut bytes = Vec::new();
                for entry in index.entries() {
                    let Some(id) = git_id(&entry.id) else { continue };
                    let small = reader.header(id).ok().flatten();
                    if small.is_none_or(|(_, size)| size >= lfs::POINTER_BYTES_MAX as u64) {
                        continue;
                    }
                    if !reader.find_kind(id, Kind::Blob, &mut bytes).unwrap_or(false) {
                        continue;
                    }
                    if let Some(pointer) = lfs::parse_pointer(&bytes) {
                        let place = checkout.folder.join(bytes_to_path(entry.path(&index)));
                        places.entry(pointer.sha256).or_default().push(place);
                    }
                }
            });
        }
        places
    }

    /// Looks again for content that earlier imports did not find, and ties what is found to the
    /// entries that wait for it. The rest is given as still missing.
    pub fn tie_missing(&self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Tied, ImportError> {
        let looked: Vec<Result<Vec<u8>, Option<MissingContent>>> = rows
            .into_par_iter()
            .map(|(row, bytes)| {
                if self.monitor.is_cancelled() {
                    return Err(ImportError::Cancelled);
                }
                let algorithm = row.get(1).copied().and_then(ForeignAlgorithm::from_tag);
                let (Some(algorithm), Ok(record)) = (algorithm, MissingRecord::decode(&bytes)) else {
                    return Ok(Err(None));
                };
                let digest = &row[2..];
                let found = self.look_again(algorithm, digest, &record)?;
                // What was erased is not to be had, so the entry stays as it is.
                let Some((file, size)) = found.filter(|(file, _)| !self.erased.has(*file)) else {
                    return Ok(Err(Some(self.still_missing(algorithm, digest, &record))));
                };
                let value = encode_tie(file, size);
                self.writer.put_object(Space::Foreign, &key::tie(algorithm, digest), &value)?;
                Ok(Ok(row))
            })
            .collect::<Result<_, ImportError>>()?;
        let mut tied = Tied::default();
        for found in looked {
            match found {
                Ok(row) => tied.rows.push(row),
                Err(missing) => tied.missing.extend(missing),
            }
        }
        Ok(tied)
    }

    fn still_missing(
        &self,
        algorithm: ForeignAlgorithm,
        digest: &[u8],
        record: &MissingRecord,
    ) -> MissingContent {
        let (expected, reason) = match <[u8; 32]>::try_from(digest) {
            Ok(sha256) if algorithm == ForeignAlgorithm::Sha256 => {
                (self.expected_at(&sha256), "its Git LFS object is still not at hand")
            }
            _ => (None, "it is still not at hand"),
        };
        missing_content(algorithm, digest, record, expected, reason)
    }

    /// Where the object of a pointer is looked for first.
    fn expected_at(&self, sha256: &[u8; 32]) -> Option<PathBuf> {
        self.lfs.first().map(|folder| lfs::object_path(folder, sha256))
    }

    fn look_again(
        &self,
        algorithm: ForeignAlgorithm,
        digest: &[u8],
        record: &MissingRecord,
    ) -> Result<Option<(FileId, u64)>, ImportError> {
        match (algorithm, GitId::from_slice(digest), <[u8; 32]>::try_from(digest)) {
            (ForeignAlgorithm::Sha256, _, Ok(sha256)) => {
                let pointer = Pointer { sha256, size: record.size, plain: true };
                let found = self.find_content(&pointer, &record.path)?;
                Ok(found.map(|file| (file, record.size)))
            }
            (ForeignAlgorithm::GitBlobSha1, Some(id), _) => self.large_content(id, &record.path),
            _ => Ok(None),
        }
    }
}

fn missing_content(
    algorithm: ForeignAlgorithm,
    digest: &[u8],
    record: &MissingRecord,
    expected: Option<PathBuf>,
    reason: &str,
) -> MissingContent {
    MissingContent {
        algorithm,
        digest: lfs::Hex(digest).to_string(),
        size: record.size,
        path: crate::base::escape::percent_encode(&record.path),
        expected: expected.map(LocalPath),
        reason: reason.to_owned(),
    }
}

/// What a second look for missing content found.
#[derive(Debug, Default)]
pub struct Tied {
    /// The records of what was found.
    pub rows: Vec<Vec<u8>>,
    /// What is still missing.
    pub missing: Vec<MissingContent>,
}

/// A path below some folder; a path here has neither `..` nor a slash in front.
fn bytes_to_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

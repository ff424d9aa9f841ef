//! Reads objects of a Git repository, each hashed again: what has another id than it says is refused.
//!
//! `git gc` moves objects from file to file while somebody reads. What is not found where it was is
//! looked for again whenever the folders of packs have changed, and only then counts as missing.

use crate::base::id::GitId;
use crate::import::error::{ImportError, io};
use crate::import::git::large::{BlobStream, LargeObjects};
use gix::odb::{HandleArc, Header as _, Store};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Largest object that is no blob and held in memory whole, in bytes. Blobs have no such limit: a large
/// one comes as a stream.
pub const OBJECT_BYTES_MAX: usize = 64 << 20;
/// Largest commit or tag, in bytes.
pub const WORDS_BYTES_MAX: u64 = 4 << 20;
/// Largest object that every thread may hold in memory at the same time, in bytes. Of larger trees only
/// one is held at a time.
pub const OBJECT_BYTES_AT_ONCE: usize = 8 << 20;
/// Bytes of unpacked objects that each reader keeps for those that are differences to them.
const BASES_KEPT_BYTES: usize = 24 << 20;
/// How often an object is looked for again while packs come and go.
const LOOKS_MAX: usize = 16;

/// The kind of an object.
pub use gix::object::Kind;

/// The objects of one repository, those that it borrows from others included.
pub struct Objects {
    shared: Arc<Shared>,
    idle: Mutex<Vec<Reader>>,
}

/// What all readers share.
struct Shared {
    folder: PathBuf,
    /// Folders of objects, those that are borrowed from included.
    folders: Vec<PathBuf>,
    /// Where what does not fit into memory is unpacked.
    scratch: PathBuf,
    /// The packs as they were last seen.
    opened: Mutex<Arc<Opened>>,
    /// Held by whoever holds an object that only one thread at a time may hold.
    large: Mutex<()>,
}

/// The packs as they were at some moment.
struct Opened {
    store: Arc<Store>,
    /// The same objects, for those that one thread at a time may hold.
    large_store: Arc<Store>,
    streams: LargeObjects,
    /// Says whether the folders of packs are still as they were then.
    stamp: u64,
}

/// Reads on one thread.
pub struct Reader {
    shared: Arc<Shared>,
    opened: Arc<Opened>,
    handle: HandleArc,
    /// Room for an object, kept from one to the next.
    pub buffer: Vec<u8>,
}

impl Objects {
    /// Opens the folder of objects, which borrows from the folders `borrowed`. Loops among borrowed folders
    /// are an error. What does not fit into memory is unpacked into the folder `scratch`, which must be there
    /// by then.
    pub fn open(folder: &Path, borrowed: Vec<PathBuf>, scratch: &Path) -> Result<Self, ImportError> {
        let folders: Vec<PathBuf> = std::iter::once(folder.to_owned()).chain(borrowed).collect();
        let opened = Mutex::new(Arc::new(Opened::now(folder, &folders)?));
        let (folder, scratch, large) = (folder.to_owned(), scratch.to_owned(), Mutex::default());
        let shared = Arc::new(Shared { folder, folders, scratch, opened, large });
        Ok(Self { shared, idle: Mutex::default() })
    }

    /// A blob as a stream, whatever its size; `None` when it lies nowhere.
    pub fn stream(&self, id: GitId) -> Result<Option<BlobStream>, ImportError> {
        let mut opened = self.shared.now();
        for _ in 0..LOOKS_MAX {
            match opened.streams.open(id, &self.shared.scratch) {
                Ok(Some(stream)) => return Ok(Some(stream)),
                found => match self.shared.changed(&opened)? {
                    Some(newer) => opened = newer,
                    None => return found,
                },
            }
        }
        Ok(None)
    }

    /// Lends a reader, with what it remembers from before.
    pub fn with_reader<R>(&self, work: impl FnOnce(&mut Reader) -> R) -> R {
        let kept = locked(&self.idle).pop();
        let mut reader = kept.unwrap_or_else(|| Reader::new(&self.shared));
        let result = work(&mut reader);
        locked(&self.idle).push(reader);
        result
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn now(&self) -> Arc<Opened> {
        Arc::clone(&locked(&self.opened))
    }

    /// The packs as they are now, when they are others than those of `seen`.
    fn changed(&self, seen: &Arc<Opened>) -> Result<Option<Arc<Opened>>, ImportError> {
        let mut opened = locked(&self.opened);
        if !Arc::ptr_eq(&opened, seen) {
            return Ok(Some(Arc::clone(&opened)));
        }
        if stamp(&self.folders) == seen.stamp {
            return Ok(None);
        }
        *opened = Arc::new(Opened::now(&self.folder, &self.folders)?);
        Ok(Some(Arc::clone(&opened)))
    }
}

impl Opened {
    fn now(folder: &Path, folders: &[PathBuf]) -> Result<Self, ImportError> {
        // Taken first: whatever changes from here on is noticed.
        let stamp = stamp(folders);
        let (store, large_store) =
            (open_store(folder, OBJECT_BYTES_AT_ONCE)?, open_store(folder, OBJECT_BYTES_MAX)?);
        Ok(Self { store, large_store, streams: LargeObjects::new(folders.to_vec()), stamp })
    }
}

/// Sums up which packs there are.
fn stamp(folders: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder.join("pack")).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| {
                let found = entry.metadata().ok();
                let changed = found.as_ref().and_then(|found| found.modified().ok());
                (entry.file_name(), found.map(|found| found.len()), changed)
            })
            .collect();
        names.sort();
        names.hash(&mut hasher);
    }
    hasher.finish()
}

fn open_store(folder: &Path, bytes_max: usize) -> Result<Arc<Store>, ImportError> {
    let options = gix::odb::store::init::Options { alloc_limit_bytes: Some(bytes_max), ..Default::default() };
    let mut replacements = std::iter::empty();
    Store::at_opts(folder.to_owned(), gix::hash::Kind::Sha1, &mut replacements, options)
        .map(Arc::new)
        .map_err(io("opening", folder))
}

/// Names an object for the library.
pub fn object_id(id: GitId) -> gix::ObjectId {
    gix::ObjectId::Sha1(*id.as_bytes())
}

/// Takes an id from the library; `None` for one of another hash.
pub fn git_id(id: &gix::oid) -> Option<GitId> {
    GitId::from_slice(id.as_bytes())
}

/// The id of an object by its kind and bytes.
pub fn hash(kind: Kind, bytes: &[u8]) -> Option<GitId> {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).ok().and_then(|id| git_id(&id))
}

impl Reader {
    fn new(shared: &Arc<Shared>) -> Self {
        let opened = shared.now();
        let handle = handle_of(&opened);
        Self { shared: Arc::clone(shared), opened, handle, buffer: Vec::new() }
    }

    /// Looks again as long as it is not there and the packs are others than before.
    fn retry<T>(
        &mut self,
        mut look: impl FnMut(&Self) -> Result<Option<T>, ImportError>,
    ) -> Result<Option<T>, ImportError> {
        for _ in 0..LOOKS_MAX {
            match look(self) {
                Ok(Some(found)) => return Ok(Some(found)),
                found => match self.shared.changed(&self.opened)? {
                    Some(newer) => {
                        self.handle = handle_of(&newer);
                        self.opened = newer;
                    }
                    None => return found,
                },
            }
        }
        look(self)
    }

    /// Kind and size of an object; `None` when it is not here.
    pub fn header(&mut self, id: GitId) -> Result<Option<(Kind, u64)>, ImportError> {
        self.retry(|reader| {
            let found = reader.handle.try_header(&object_id(id)).map_err(|error| refused(id, error))?;
            Ok(found.map(|header| (header.kind(), header.size())))
        })
    }

    /// Puts an object of which every thread may hold one into `into` and gives its kind; `None` when it is
    /// not here.
    ///
    /// A damaged object is an error, and so are one whose bytes do not hash to its id, and a larger one.
    pub fn find_small(&mut self, id: GitId, into: &mut Vec<u8>) -> Result<Option<Kind>, ImportError> {
        self.retry(|reader| find_by(&reader.handle, id, into))
    }

    /// Puts an object of a known kind into `into`; says whether it is here. Objects of a size that none of
    /// their kind has are an error.
    pub fn find_kind(&mut self, id: GitId, kind: Kind, into: &mut Vec<u8>) -> Result<bool, ImportError> {
        let found = match self.find_small(id, into) {
            Err(ImportError::Object { .. }) => self.find_large(id, kind, into)?,
            found => found?,
        };
        match found {
            Some(found) if found == kind => {
                let limit = limit_of(kind);
                let size = into.len() as u64;
                if size > limit { Err(ImportError::TooLarge { id, size, limit }) } else { Ok(true) }
            }
            Some(_) => Err(ImportError::Object { id, source: None }),
            None => Ok(false),
        }
    }

    /// The same for one that may be too large to be held by every thread.
    fn find_large(&mut self, id: GitId, kind: Kind, into: &mut Vec<u8>) -> Result<Option<Kind>, ImportError> {
        let size = self.header(id)?.map_or(0, |(_, size)| size);
        let limit = limit_of(kind);
        if size > limit {
            return Err(ImportError::TooLarge { id, size, limit });
        }
        let shared = Arc::clone(&self.shared);
        let _alone = locked(&shared.large);
        self.retry(|reader| {
            let mut handle = HandleArc::from(reader.opened.large_store.to_handle_arc());
            handle.refresh_never();
            find_by(&handle, id, into)
        })
    }
}

const fn limit_of(kind: Kind) -> u64 {
    match kind {
        Kind::Commit | Kind::Tag => WORDS_BYTES_MAX,
        Kind::Tree | Kind::Blob => OBJECT_BYTES_MAX as u64,
    }
}

fn handle_of(opened: &Opened) -> HandleArc {
    let mut handle = HandleArc::from(opened.store.to_handle_arc());
    handle.refresh_never();
    handle.set_pack_cache(|| Box::new(gix_pack::cache::lru::MemoryCappedHashmap::new(BASES_KEPT_BYTES)));
    handle
}

fn find_by(handle: &HandleArc, id: GitId, into: &mut Vec<u8>) -> Result<Option<Kind>, ImportError> {
    use gix::objs::Find as _;
    into.clear();
    let found = handle.try_find(&object_id(id), into).map_err(|error| refused(id, error))?;
    let Some(data) = found else { return Ok(None) };
    if hash(data.kind, data.data) != Some(id) {
        return Err(ImportError::Object { id, source: None });
    }
    let (kind, length) = (data.kind, data.data.len());
    into.truncate(length);
    Ok(Some(kind))
}

fn refused(id: GitId, error: impl Into<crate::import::error::Cause>) -> ImportError {
    ImportError::Object { id, source: Some(error.into()) }
}

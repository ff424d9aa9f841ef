//! Reads objects of a Git repository, each hashed again: what has another id than it says is refused.

use crate::base::id::GitId;
use crate::import::error::{ImportError, io};
use crate::import::git::large::{BlobStream, LargeObjects};
use gix::odb::{HandleArc, Header as _, Store};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Largest object that is held in memory whole, in bytes. A larger blob that lies in the repository as it
/// is comes as a stream; one that is a difference to another object is left out.
pub const OBJECT_BYTES_MAX: usize = 1 << 30;
/// Largest object that every thread may hold in memory at the same time, in bytes. A larger blob comes as
/// a stream; of what cannot be streamed only one is held at a time.
pub const OBJECT_BYTES_AT_ONCE: usize = 16 << 20;
/// Bytes of unpacked objects that each reader keeps for those that are differences to them.
const BASES_KEPT_BYTES: usize = 24 << 20;

/// The kind of an object.
pub use gix::object::Kind;

/// The objects of one repository, those that it borrows from others included.
pub struct Objects {
    store: Arc<Store>,
    /// The same objects, for those that one thread at a time may hold.
    large_store: Arc<Store>,
    /// Held by whoever holds an object from there.
    large: Arc<Mutex<()>>,
    streams: LargeObjects,
    idle: Mutex<Vec<Reader>>,
}

/// Reads on one thread.
pub struct Reader {
    handle: HandleArc,
    large_store: Arc<Store>,
    large: Arc<Mutex<()>>,
    /// Room for an object, kept from one to the next.
    pub buffer: Vec<u8>,
}

impl Objects {
    /// Opens the folder of objects, which borrows from the folders `borrowed`. Loops among borrowed folders
    /// are an error.
    pub fn open(folder: &Path, borrowed: Vec<PathBuf>) -> Result<Self, ImportError> {
        let (store, large_store) =
            (open_store(folder, OBJECT_BYTES_AT_ONCE)?, open_store(folder, OBJECT_BYTES_MAX)?);
        let folders = std::iter::once(folder.to_owned()).chain(borrowed).collect();
        let (large, streams) = (Arc::default(), LargeObjects::new(folders));
        Ok(Self { store, large_store, large, streams, idle: Mutex::default() })
    }

    /// A blob as a stream, whatever its size; `None` when it lies nowhere as it is.
    pub fn stream(&self, id: GitId) -> Result<Option<BlobStream>, ImportError> {
        self.streams.open(id)
    }

    /// Lends a reader, with what it remembers from before.
    pub fn with_reader<R>(&self, work: impl FnOnce(&mut Reader) -> R) -> R {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = kept.unwrap_or_else(|| self.reader());
        let result = work(&mut reader);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        result
    }

    fn reader(&self) -> Reader {
        let mut handle = HandleArc::from(self.store.to_handle_arc());
        handle.refresh_never();
        handle.set_pack_cache(|| Box::new(gix_pack::cache::lru::MemoryCappedHashmap::new(BASES_KEPT_BYTES)));
        let (large_store, large) = (Arc::clone(&self.large_store), Arc::clone(&self.large));
        Reader { handle, large_store, large, buffer: Vec::new() }
    }
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
    /// Kind and size of an object; `None` when it is not here.
    pub fn header(&self, id: GitId) -> Result<Option<(Kind, u64)>, ImportError> {
        let found = self.handle.try_header(&object_id(id)).map_err(|error| refused(id, error))?;
        Ok(found.map(|header| (header.kind(), header.size())))
    }

    /// Puts an object into `into` and gives its kind; `None` when it is not here.
    ///
    /// A damaged object is an error, and so is one whose bytes do not hash to its id.
    pub fn find(&self, id: GitId, into: &mut Vec<u8>) -> Result<Option<Kind>, ImportError> {
        match self.find_small(id, into) {
            Err(ImportError::Object { .. }) => {
                let _alone = self.large.lock().unwrap_or_else(PoisonError::into_inner);
                let mut handle = HandleArc::from(self.large_store.to_handle_arc());
                handle.refresh_never();
                find_by(&handle, id, into)
            }
            found => found,
        }
    }

    /// The same for an object of which every thread may hold one: a larger one is an error as if it were
    /// damaged.
    pub fn find_small(&self, id: GitId, into: &mut Vec<u8>) -> Result<Option<Kind>, ImportError> {
        find_by(&self.handle, id, into)
    }

    /// Puts an object of a known kind into `into`; says whether it is here.
    pub fn find_kind(&self, id: GitId, kind: Kind, into: &mut Vec<u8>) -> Result<bool, ImportError> {
        match self.find(id, into)? {
            Some(found) if found == kind => Ok(true),
            Some(_) => Err(ImportError::Object { id, source: None }),
            None => Ok(false),
        }
    }
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

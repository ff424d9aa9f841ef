//! Reads objects of a Git repository, each hashed again: what has another id than it says is refused.

use crate::base::id::GitId;
use crate::import::error::{ImportError, io};
use gix::odb::{HandleArc, Header as _, Store};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Largest object that is held in memory whole, in bytes: what is larger and lies as it is in the
/// repository is streamed, what is larger and a difference to another object is left out.
pub const OBJECT_BYTES_MAX: usize = 1 << 30;
/// Bytes of unpacked objects that each reader keeps for those that are differences to them.
const BASES_KEPT_BYTES: usize = 24 << 20;

/// The kind of an object.
pub use gix::object::Kind;

/// The objects of one repository, those that it borrows from others included.
pub struct Objects {
    store: Arc<Store>,
    idle: Mutex<Vec<Reader>>,
}

/// Reads on one thread.
pub struct Reader {
    handle: HandleArc,
    /// Room for an object, kept from one to the next.
    pub buffer: Vec<u8>,
}

impl Objects {
    /// Opens the folder of objects. Loops among borrowed folders are an error.
    pub fn open(folder: &Path) -> Result<Self, ImportError> {
        let options = gix::odb::store::init::Options {
            alloc_limit_bytes: Some(OBJECT_BYTES_MAX),
            ..Default::default()
        };
        let mut replacements = std::iter::empty();
        let store = Store::at_opts(folder.to_owned(), gix::hash::Kind::Sha1, &mut replacements, options)
            .map_err(io("opening", folder))?;
        Ok(Self { store: Arc::new(store), idle: Mutex::default() })
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
        Reader { handle, buffer: Vec::new() }
    }
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
        use gix::objs::Find as _;
        into.clear();
        let found = self.handle.try_find(&object_id(id), into).map_err(|error| refused(id, error))?;
        let Some(data) = found else { return Ok(None) };
        if hash(data.kind, data.data) != Some(id) {
            return Err(ImportError::Object { id, source: None });
        }
        let (kind, length) = (data.kind, data.data.len());
        into.truncate(length);
        Ok(Some(kind))
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

fn refused(id: GitId, error: impl Into<crate::import::error::Cause>) -> ImportError {
    ImportError::Object { id, source: Some(error.into()) }
}

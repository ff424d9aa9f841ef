//! Buckets: places that keep objects under names and can replace one only if nobody else did.
//!
//! A remote without a server lies in one. What a bucket must do is little, so that a folder on a
//! shared disk and the object stores of the clouds all can: immutable *blobs*, which are written
//! once under a name that nobody else uses, and *cells*, small objects that are replaced by
//! compare-and-set. Everything that concurrent writers must agree on is in one cell; see
//! [`head::Head`] and `docs/format/bucket.md`.

#[cfg(feature = "cloud")]
mod cloud;
mod faulty;
mod folder;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod head;
pub mod index;
mod memory;
pub mod probe;

#[cfg(feature = "cloud")]
pub use cloud::{Cloud, CloudBucket, Surroundings};
pub use faulty::{Fault, FaultyBucket};
pub use folder::FolderBucket;
pub use memory::MemoryBucket;

use std::fmt;
use std::io;
use std::ops::Range;
use std::time::Duration;

/// Longest key in bytes.
const KEY_BYTES_MAX: usize = 200;

/// Why a bucket did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// It cannot be reached now, or was too slow; asking again may help.
    #[error("{action} {key} failed, perhaps only for now")]
    Transient { action: &'static str, key: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// No connection came about: nothing was asked.
    #[error("the remote cannot be reached")]
    Unreachable { action: &'static str, key: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// Whoever answers sends its callers to another host, which nobody named.
    #[error(
        "{action} {key} failed: whoever answers there sends its callers to {host}, and that is not followed"
    )]
    LedElsewhere { action: &'static str, key: String, host: String },
    /// There is nothing to sign in with where the cloud's own tools look for it.
    #[error("there are no credentials for that service: {reason}")]
    Credentials { reason: String },
    /// It will not do that, now or later.
    #[error("{action} {key} failed")]
    Failed { action: &'static str, key: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// The caller may not do that.
    #[error("{action} {key} is not allowed")]
    Denied { action: &'static str, key: String },
    /// There is no room left.
    #[error("the remote is full: {key} could not be written")]
    Full { key: String },
    /// A range or an object is not as long as it should be.
    #[error("{key} ends early")]
    CutShort { key: String },
    /// Text that cannot be the name of an object.
    #[error("{key:?} cannot be the name of an object")]
    Key { key: String },
    /// Conditions on writing are accepted and not kept, or cannot be kept.
    #[error("this place cannot be used by several people: {reason}")]
    Unconditional { reason: &'static str },
}

/// Result of bucket operations.
pub type BucketResult<T> = Result<T, BucketError>;

impl BucketError {
    /// Wraps an error of the system.
    pub fn io(action: &'static str, key: &str, error: io::Error) -> Self {
        let key = key.to_owned();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { action, key }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { key },
            io::ErrorKind::UnexpectedEof => Self::CutShort { key },
            io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::StaleNetworkFileHandle => {
                Self::Transient { action, key, source: Box::new(error) }
            }
            _ => Self::Failed { action, key, source: Box::new(error) },
        }
    }

    /// Whether asking again may help.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }
}

/// Which state of a cell somebody saw: whatever the bucket gives out for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// How a conditional write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// The cell holds the new bytes, durably, and this is its version.
    Done(Version),
    /// Somebody else was there first: nothing was written.
    Conflict,
    /// It is not known whether the bytes were written. The caller reads the cell and looks.
    Unknown,
}

/// What lies in a bucket, for care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The object's key.
    pub key: String,
    /// Its length in bytes.
    pub length: u64,
    /// How long ago it was written, by the bucket's own clock.
    pub age: Duration,
}

/// A place that keeps objects. Callable from several threads and by several processes at once.
///
/// Keys are made by [`check_key`]'s rules. Every method may be tried again after an error.
pub trait Bucket: Send + Sync + fmt::Debug {
    /// Writes a blob whole or not at all; when this returns it survives a power loss. The caller
    /// vouches that whoever writes this key writes these bytes.
    fn put(&self, key: &str, bytes: &[u8]) -> BucketResult<()>;

    /// Whether a blob of so many bytes whose writing was cut off is gone on with by whoever writes it again: little
    /// of it has to travel twice.
    fn goes_on(&self, length: u64) -> bool {
        let _ = length;
        false
    }

    /// Gives up what was begun by processes that are gone and what nobody goes on with. What fails is left to the
    /// next one.
    fn give_up_what_was_left(&self) {}

    /// The bytes of a blob; `None` when there is none. At most `limit` bytes are taken: more is an
    /// error.
    fn get(&self, key: &str, limit: u64) -> BucketResult<Option<Vec<u8>>>;

    /// Some bytes of a blob; `None` when there is no such blob. A blob that ends before the range
    /// does is an error.
    fn get_range(&self, key: &str, range: Range<u64>) -> BucketResult<Option<Vec<u8>>>;

    /// Length of a blob in bytes; `None` when there is none.
    fn length(&self, key: &str) -> BucketResult<Option<u64>>;

    /// Removes a blob, or a cell that nobody uses any more; what is not there is as good as removed.
    fn delete(&self, key: &str) -> BucketResult<()>;

    /// The bytes of a cell with their version; `None` when it was never written.
    fn read_cell(&self, key: &str, limit: u64) -> BucketResult<Option<(Vec<u8>, Version)>>;

    /// What a cell held before, newest first, as far as the place keeps that: for care.
    fn earlier_cells(&self, key: &str, limit: u64) -> BucketResult<Vec<Vec<u8>>> {
        let _ = (key, limit);
        Ok(Vec::new())
    }

    /// Gives a cell new bytes if it still has the version that the caller saw; `None` means that the
    /// caller saw none. Of all who saw the same version, one is told [`Write::Done`] at most.
    fn write_cell(&self, key: &str, bytes: &[u8], seen: Option<&Version>) -> BucketResult<Write>;

    /// What time it is where the bucket is, in milliseconds since 1970; `None` where that cannot be found out.
    fn clock_ms(&self) -> BucketResult<Option<i64>> {
        Ok(None)
    }

    /// Hands out everything whose key begins with `prefix`. Slow: only care asks.
    fn list(&self, prefix: &str, each: &mut dyn FnMut(Listed)) -> BucketResult<()>;
}

/// Refuses text that cannot be a key: parts of letters, digits, `-`, `_` and `.`, none of them
/// beginning with a dot, joined by `/`.
pub fn check_key(key: &str) -> BucketResult<()> {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    if key.len() <= KEY_BYTES_MAX && key.split('/').all(part) {
        Ok(())
    } else {
        Err(BucketError::Key { key: key.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_leave_their_place_are_refused() {
        for bad in ["", "/a", "a/", "a//b", "..", "a/../b", ".pent/x", "a b", "a\\b", "a\0", "ä"] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
        assert!(check_key("packs/0a/0a1b.pack").is_ok());
    }
}

//! Which database a folder holds, as the file system tells files apart.

use super::DATABASE_FILE;
use std::path::Path;

/// Tells the database in a `.pent` folder from one that takes its place later: as long as a store is open,
/// no other file has its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreIdentity {
    device: u64,
    number: u64,
}

impl StoreIdentity {
    /// That of the database in a `.pent` folder now; `None` when there is none, or nobody can say.
    pub fn of(dir: &Path) -> Option<Self> {
        let found = std::fs::metadata(dir.join(DATABASE_FILE)).ok()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Some(Self { device: found.dev(), number: found.ino() })
        }
        #[cfg(not(unix))]
        {
            let made = found.created().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(Self { device: 0, number: made.as_nanos() as u64 })
        }
    }
}

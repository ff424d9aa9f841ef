//! Why something could not be done with the user's files.

use crate::base::path::AssetPath;
use crate::base::size::human_bytes;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Result of worktree operations.
pub type Result<T, E = WorktreeError> = std::result::Result<T, E>;

/// What can go wrong in the worktree. One file that cannot be read or written is no error of the
/// whole: it is reported beside the result.
#[derive(Debug, thiserror::Error)]
pub enum WorktreeError {
    /// The remembered state is damaged: it is to be built anew from the commit.
    #[error("the remembered state of the files is damaged")]
    IndexDamaged,
    /// A folder has too many entries or too long names to be remembered.
    #[error("{folder} has too many entries to be remembered")]
    IndexTooLarge { folder: AssetPath },
    /// An object that describes what the files should be could not be had.
    #[error("the committed state could not be read")]
    Source { source: Box<dyn Error + Send + Sync> },
    /// There is too little room for what would be written.
    #[error("the disk is full: {} are needed and {} are free, counting room to work in", human_bytes(*needed), human_bytes(*available))]
    DiskFull { needed: u64, available: u64 },
    /// Nothing was put aside under this id.
    #[error("nothing was put aside as {id:?}")]
    DisplacedUnknown { id: String },
    /// The place to which something should come back is taken.
    #[error("{path} is taken")]
    Occupied { path: AssetPath },
    /// The name may not be written on any system.
    #[error("{path} may not be written: {hazard}")]
    Refused { path: AssetPath, hazard: crate::rules::portable::NameHazard },
    /// Something that is no folder stands where a folder is needed.
    #[error("{path} cannot be written: {obstacle} is no folder")]
    Obstructed { path: AssetPath, obstacle: AssetPath },
    /// Content known only by another system's hash.
    #[error("the content of {path} is not in this repository: it is known only by another system's hash")]
    Foreign { path: AssetPath },
    /// The user asked to stop.
    #[error("stopped on request")]
    Cancelled,
    /// A file operation failed.
    #[error("{action} {} failed", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// Says what was being done when an I/O error happened.
pub(crate) trait During<T> {
    /// Names the action and the path.
    fn during(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| WorktreeError::Io { action, path: path.to_owned(), source: source.into() })
    }
}

/// An error with its causes in one line.
pub(crate) fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

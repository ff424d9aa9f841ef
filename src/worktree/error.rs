//! What can go wrong with the files that people work in.

use crate::base::path::AssetPath;
use crate::rules::portable::NameHazard;
use std::path::PathBuf;

/// Errors of the worktree.
#[derive(Debug, thiserror::Error)]
pub enum WorktreeError {
    /// A file operation failed.
    #[error("{action} {path} failed")]
    Io {
        action: &'static str,
        path: AssetPath,
        #[source]
        source: std::io::Error,
    },
    /// A file operation on one of our own files failed.
    #[error("{action} {} failed", path.display())]
    OwnIo {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A name that no checkout may write.
    #[error("{path} is not written: {hazard}")]
    Hazard { path: AssetPath, hazard: NameHazard },
    /// Something that is no folder stands where a folder is needed.
    #[error("{path} cannot be written: {obstacle} is no folder")]
    Obstructed { path: AssetPath, obstacle: AssetPath },
    /// Content could not be had.
    #[error("the content of {path} could not be had")]
    Content {
        path: AssetPath,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Content known only by another system's hash.
    #[error("the content of {path} is not in this repository: it is known only by another system's hash")]
    Foreign { path: AssetPath },
    /// Less room than the work needs.
    #[error("the disk has {available} bytes free and {needed} are needed")]
    DiskFull { needed: u64, available: u64 },
    /// A record of set-aside files that cannot be read.
    #[error("the record of set-aside files in {} cannot be read", path.display())]
    DisplacedRecord { path: PathBuf },
    /// No set-aside files go by that name.
    #[error("no files were set aside under {id:?}")]
    DisplacedUnknown { id: String },
    /// The user asked to stop.
    #[error("stopped as asked")]
    Cancelled,
}

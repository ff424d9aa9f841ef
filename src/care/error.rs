//! Why care could not be taken.

use crate::base::id::FileId;
use crate::repo::RepoError;
use crate::repo::reach::MissingObject;
use crate::store::StoreError;
use std::path::PathBuf;

/// Errors of care.
#[derive(Debug, thiserror::Error)]
pub enum CareError {
    /// The repository failed.
    #[error(transparent)]
    Repo(RepoError),
    /// The user asked to stop. Everything done so far stands, and nothing is half done.
    #[error("stopped as you asked")]
    Cancelled,
    /// Objects are missing, so that what they reach is unknown and nothing may be removed.
    #[error("{} of the repository's records are missing, so nothing was removed", missing.len())]
    Incomplete { missing: Vec<MissingObject> },
    /// A repair was begun and not seen to its end.
    #[error("a repair of this repository was begun and not finished")]
    RepairUnderWay,
    /// There is nothing that says which repository this was.
    #[error("nothing is left that says what the repository at {} was", path.display())]
    BeyondRepair { path: PathBuf },
    /// The file to erase has no bytes, or was never here.
    #[error("the repository has no bytes of file {file}")]
    NothingToErase { file: FileId },
    /// The reason of a tombstone is missing or too long.
    #[error("a reason has between 1 and {limit} bytes")]
    Reason { limit: usize },
    /// A file operation failed.
    #[error("{action} {} failed", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

impl From<RepoError> for CareError {
    fn from(error: RepoError) -> Self {
        match error {
            RepoError::Store(StoreError::Cancelled) => Self::Cancelled,
            error => Self::Repo(error),
        }
    }
}

impl From<StoreError> for CareError {
    fn from(error: StoreError) -> Self {
        RepoError::from(error).into()
    }
}

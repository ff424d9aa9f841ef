//! What can go wrong with what is kept for finding. None of it loses anything: it is all made again.

use std::path::PathBuf;

/// Errors of the catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The index or what decoders said is damaged, cut off, or of another version.
    #[error("what is kept for searching is damaged: {reason}")]
    Damaged { reason: String },
    /// It cannot be written here.
    #[error("what is kept for searching cannot be written in {}", path.display())]
    NoWrite {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The index refused for another reason.
    #[error("the search index failed: {reason}")]
    Index { reason: String },
    /// A file could not be read or written.
    #[error("{action} {} failed", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl CatalogError {
    /// Whether making everything anew is the answer.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// Wraps what the system says about a file.
    pub(crate) fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::NoWrite { path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }
}

impl From<tantivy::TantivyError> for CatalogError {
    fn from(error: tantivy::TantivyError) -> Self {
        use tantivy::TantivyError as Error;
        let reason = error.to_string();
        match error {
            Error::IoError(source) if is_full(&source) => Self::Io {
                action: "writing",
                path: PathBuf::from("the search index"),
                source: again(&source),
            },
            Error::LockFailure(..) | Error::InvalidArgument(_) => Self::Index { reason },
            // Whatever else it says about its own files: they are not as they were written.
            _ => Self::Damaged { reason },
        }
    }
}

/// What cannot be read of an index is damage; the system's own faults stay what they are.
impl From<std::io::Error> for CatalogError {
    fn from(error: std::io::Error) -> Self {
        tantivy::TantivyError::from(error).into()
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

fn again(error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), error.to_string())
}

/// Does something with files that may be damaged: a reader that ends by surprise has met damage.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, CatalogError>) -> Result<T, CatalogError> {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    result.unwrap_or_else(|_| Err(CatalogError::Damaged { reason: "its reader broke on it".to_owned() }))
}

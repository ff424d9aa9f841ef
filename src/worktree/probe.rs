//! What is asked about the content of a file that may have changed.

use crate::base::id::FileId;
use crate::base::path::AssetPath;
use crate::worktree::error::WorktreeError;
use std::error::Error;
use std::fs::File;
use std::io;

/// What reading a file told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    /// Its content.
    pub id: FileId,
    /// Bytes read.
    pub size: u64,
    /// Bytes that the repository does not have yet; `None` when that was not measured.
    pub new_bytes: Option<u64>,
}

/// Why reading failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The file could not be read: this file's problem.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// The repository could not be asked: everybody's problem.
    #[error(transparent)]
    Repository(Box<dyn Error + Send + Sync>),
    /// The user asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

/// Reads files. Called from several threads at once; a call may be repeated for a file that changed
/// while it was read, each time with the file at its start.
pub trait ContentProbe: Sync {
    /// Reads the whole file. With `measure`, also tells how many bytes would be new.
    ///
    /// Reports the bytes it read to the monitor by itself, as far as anybody wants to know.
    fn probe(&self, file: &File, path: &AssetPath, measure: bool) -> Result<Probed, ProbeError>;

    /// Hears how many bytes will be read at most before the first is. An error stops everything.
    fn expect(&self, _bytes: u64) -> Result<(), WorktreeError> {
        Ok(())
    }

    /// Takes the target of a symbolic link.
    fn probe_link(&self, target: &[u8], _: &AssetPath) -> Result<Probed, ProbeError> {
        let id = FileId::from_bytes(*blake3::hash(target).as_bytes());
        let size = target.len() as u64;
        Ok(Probed { id, size, new_bytes: Some(size) })
    }
}

/// Tells the id only, without any repository.
#[derive(Debug, Clone, Copy, Default)]
pub struct HashProbe;

impl ContentProbe for HashProbe {
    fn probe(&self, file: &File, _: &AssetPath, _: bool) -> Result<Probed, ProbeError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file)?;
        let id = FileId::from_bytes(*hasher.finalize().as_bytes());
        Ok(Probed { id, size: hasher.count(), new_bytes: None })
    }
}

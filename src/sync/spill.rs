//! Bytes for which there is no room in memory: in a file that is gone from its folder as soon as it is open, so that
//! no crash leaves one.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file, which is made when something is put into it.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    file: Mutex<Option<Opened>>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    length: u64,
}

/// Where some bytes are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spilled {
    offset: u64,
    length: usize,
}

impl Spilled {
    /// How many bytes they are.
    pub(super) const fn len(self) -> usize {
        self.length
    }

    /// Some of them; fewer where it ends before.
    pub(super) fn part(self, start: usize, length: usize) -> Self {
        let start = start.min(self.length);
        Self { offset: self.offset + start as u64, length: length.min(self.length - start) }
    }
}

impl Spill {
    /// Nothing yet; the file will be in a folder.
    pub(super) fn into_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: Mutex::new(None) }
    }

    /// The folder, for errors.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts bytes behind all others.
    pub(super) fn push(&self, bytes: &[u8]) -> std::io::Result<Spilled> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            *file = Some(Opened { file: unnamed_file(&self.folder)?, length: 0 });
        }
        let Some(Opened { file, length }) = file.as_mut() else { return Err(gone()) };
        let offset = *length;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        *length += bytes.len() as u64;
        Ok(Spilled { offset, length: bytes.len() })
    }

    /// Reads bytes that were put there.
    pub(super) fn read(&self, place: Spilled) -> std::io::Result<Vec<u8>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Opened { file, .. }) = file.as_mut() else { return Err(gone()) };
        let mut bytes = vec![0; place.length];
        file.seek(SeekFrom::Start(place.offset))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether anything is in it.
    #[cfg(test)]
    pub(super) fn is_used(&self) -> bool {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

fn gone() -> std::io::Error {
    std::io::ErrorKind::NotFound.into()
}

fn unnamed_file(folder: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let path = folder.join(format!("spilled-{}", u128::from_le_bytes(random)));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

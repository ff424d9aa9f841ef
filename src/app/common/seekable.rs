//! Files that decoders can jump about in: the worktree's own, or a stored one laid out for a moment.

use crate::app::common::content::StoredContent;
use crate::app::error::AppError;
use crate::base::id::FileId;
use crate::base::monitor::Monitor;
use crate::repo::{Repository, View};
use std::fs::{File, OpenOptions};
use std::path::Path;

/// Lays a stored file out, verified, in a file without a name: it is gone when it is closed,
/// however the program ends.
pub fn stored_file(
    repository: &Repository,
    view: &View,
    id: FileId,
    size: u64,
    monitor: &dyn Monitor,
) -> Result<File, AppError> {
    let stored = StoredContent::new(repository, view, monitor)?;
    let folder = repository.pent_dir().join("tmp");
    let fault = |source| AppError::Io { action: "laying a file out in", path: folder.clone(), source };
    let mut file = nameless(&folder).map_err(fault)?;
    stored.extractor().write_file(id, size, &mut file)?;
    Ok(file)
}

fn nameless(folder: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    let name = folder.join(format!("decode-{:016x}", u64::from_le_bytes(random)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&name)?;
    std::fs::remove_file(&name)?;
    Ok(file)
}

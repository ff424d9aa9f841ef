//! `erase`: removes the bytes of one file for good, as a law or a contract may demand.

use crate::app::common::locate::locate;
use crate::app::error::AppError;
use crate::app::index;
use crate::base::id::FileId;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::care::erase::{self, Erasure};
use crate::object::tree::Content;
use crate::repo::people::Identity;
use crate::repo::{PENT_DIR, Repository};
use crate::worktree::displaced;
use serde::Serialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Which file.
#[derive(Debug, Clone)]
pub enum Which {
    /// As a revision has it, the newest commit of the branch when `None`. `logo.psd@40` is version 40.
    Path { path: AssetPath, revision: Option<String> },
    /// By its id, as `b3sum` says it.
    File(FileId),
}

/// What to erase, and why.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which file.
    pub which: Which,
    /// Who says so.
    pub identity: Option<Identity>,
    /// Why; shown to whoever asks for the bytes.
    pub reason: String,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What went, or would.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether nothing was done and this is what would be.
    pub dry_run: bool,
    /// What was removed from the repository.
    #[serde(flatten)]
    pub erasure: Erasure,
    /// Copies among files that were set aside, which went too.
    pub set_aside: u64,
    /// Files of the worktree that have these bytes. They are the user's: nothing touches them.
    pub in_worktree: Vec<AssetPath>,
}

/// Erases.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let now = clock.now();
    let file = match &options.which {
        Which::File(file) => *file,
        Which::Path { path, revision } => file_at(repository, path, revision.as_deref(), clock)?,
    };
    let erasure = if options.dry_run {
        erase::plan(repository, file, now, monitor)?
    } else {
        let identity = options.identity.clone().ok_or(AppError::NoIdentity)?;
        let how = erase::Options { file, identity, reason: options.reason.clone(), now };
        erase::erase(repository, &how, monitor)?
    };
    if !options.dry_run {
        // Its words and its look are kept for searching; the next search makes that anew.
        index::forget_everything(repository, monitor)?;
    }
    let set_aside = erase_set_aside(repository, &erasure, !options.dry_run)?;
    let in_worktree = copies_in_worktree(repository, &erasure, monitor)?;
    Ok(Report { dry_run: options.dry_run, erasure, set_aside, in_worktree })
}

fn file_at(
    repository: &Repository,
    path: &AssetPath,
    revision: Option<&str>,
    clock: &dyn Clock,
) -> Result<FileId, AppError> {
    let view = repository.view()?;
    match locate(&view, revision, path, clock.now())?.entry.content {
        Content::File { id, .. } | Content::Symlink { id, .. } => Ok(id),
        Content::Directory { .. } => Err(AppError::IsFolder { path: path.clone() }),
        Content::Foreign { algorithm, digest, .. } => {
            Err(AppError::foreign(path.clone(), algorithm, &digest))
        }
    }
}

/// All files and links of the worktree that have exactly the erased bytes, wherever they stand: committed
/// or not, hidden, or left out by rules. Of each the size is looked at, and only what has it is read.
fn copies_in_worktree(
    repository: &Repository,
    erasure: &Erasure,
    monitor: &dyn Monitor,
) -> Result<Vec<AssetPath>, AppError> {
    monitor.phase(Phase { name: "Looking for copies in your folder", files_total: None, bytes_total: None });
    let mut waiting = vec![(AssetPath::root(), repository.root().to_owned())];
    let mut found = Vec::new();
    while let Some((folder, place)) = waiting.pop() {
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        // What nobody may look into cannot be told of.
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            let (name, place) = (entry.file_name(), entry.path());
            let (Ok(kind), Ok(path)) = (entry.file_type(), folder.join(name.as_encoded_bytes())) else {
                continue;
            };
            if kind.is_dir() {
                if name != PENT_DIR {
                    waiting.push((path, place));
                }
            } else if has_bytes(&place, erasure) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file, or the target of a link, has exactly the erased bytes.
fn has_bytes(path: &Path, erasure: &Erasure) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    if found.len() != erasure.size {
        return false;
    }
    if found.is_symlink() {
        let target = fs::read_link(path).map(PathBuf::into_os_string);
        return target.is_ok_and(|target| {
            blake3::hash(target.as_encoded_bytes()).as_bytes() == erasure.file.as_bytes()
        });
    }
    if !found.is_file() {
        return false;
    }
    let Ok(file) = File::open(path) else { return false };
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).is_ok() && hasher.finalize().as_bytes() == erasure.file.as_bytes()
}

/// Counts, and removes when asked to, copies among the files that commands set aside.
fn erase_set_aside(repository: &Repository, erasure: &Erasure, remove: bool) -> Result<u64, AppError> {
    let sets = displaced::folders(repository.pent_dir())?;
    let mut waiting: Vec<PathBuf> = sets.into_iter().map(|(_, folder)| folder).collect();
    let mut copies = 0;
    while let Some(path) = waiting.pop() {
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            waiting.extend(entries.map(|entry| entry.path()));
        } else if has_bytes(&path, erasure) {
            copies += 1;
            if remove {
                fs::remove_file(&path).map_err(|source| AppError::Io { action: "removing", path, source })?;
            }
        }
    }
    Ok(copies)
}

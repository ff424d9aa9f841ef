//! Where an export goes: it is written aside and takes its place as a whole, at the end.

use crate::base::id::RepositoryId;
use crate::import::error::{ImportError, io};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file by which an export is known again.
const MARK: &str = "pent-export";
/// How the names of folders begin, behind a dot and the name of the target, that are no whole exports.
const DRAFT: &str = "pent-part";

/// A place for an export. Dropped without [`Place::finish`], nothing is there that was not before.
pub(super) struct Place {
    target: PathBuf,
    draft: PathBuf,
    repository: RepositoryId,
    /// Whether an earlier export makes room.
    replaces: bool,
}

impl Place {
    /// Refuses a place where something is that is no earlier export of the same repository, and one that
    /// somebody has worked in since.
    pub fn begin(target: &Path, repository: RepositoryId) -> Result<Self, ImportError> {
        let replaces = match fs::read_dir(target) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(ImportError::TargetTaken { path: target.to_owned() });
            }
            Err(error) => return Err(io("reading", target)(error)),
        };
        if replaces {
            check_earlier(target, repository)?;
        }
        let name = target.file_name().ok_or_else(|| ImportError::TargetTaken { path: target.to_owned() })?;
        let parent = match target.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(io("making", parent))?;
        let prefix = format!(".{}.{DRAFT}-", name.to_string_lossy());
        remove_left_over(parent, &prefix);
        let draft = parent.join(format!("{prefix}{}", std::process::id()));
        fs::create_dir(&draft).map_err(io("making", &draft))?;
        Ok(Self { target: target.to_owned(), draft, repository, replaces })
    }

    /// Where the export is written.
    pub fn draft(&self) -> &Path {
        &self.draft
    }

    /// Makes what was written durable and gives it its place.
    pub fn finish(self) -> Result<(), ImportError> {
        let mark = self.draft.join(MARK);
        fs::write(&mark, mark_of(&self.draft, self.repository)?).map_err(io("writing", &mark))?;
        let folder = File::open(&self.draft).map_err(io("opening", &self.draft))?;
        sync(&folder).map_err(io("writing", &self.draft))?;
        if self.replaces {
            // Somebody may have worked in it while this was written.
            check_earlier(&self.target, self.repository)?;
            let old = self.draft.with_extension("old");
            fs::rename(&self.target, &old).map_err(io("moving", &self.target))?;
            if let Err(error) = fs::rename(&self.draft, &self.target) {
                fs::rename(&old, &self.target).map_err(io("moving", &old))?;
                return Err(io("moving", &self.draft)(error));
            }
            fs::remove_dir_all(&old).map_err(io("removing", &old))?;
        } else {
            // An empty folder makes room by itself.
            fs::rename(&self.draft, &self.target).map_err(io("moving", &self.draft))?;
        }
        let parent = self.target.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new("."));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(io("writing", parent))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Gone already when the export has its place.
        let _ = fs::remove_dir_all(&self.draft);
    }
}

#[cfg(target_os = "linux")]
fn sync(folder: &File) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

#[cfg(not(target_os = "linux"))]
fn sync(folder: &File) -> std::io::Result<()> {
    folder.sync_all()
}

/// Removes what exports left that were killed.
fn remove_left_over(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(prefix).and_then(|id| id.parse().ok());
        let process = process.and_then(rustix::process::Pid::from_raw);
        if process.is_some_and(|id| rustix::process::test_kill_process(id) == Err(rustix::io::Errno::SRCH)) {
            // What cannot be removed harms nobody.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn check_earlier(target: &Path, repository: RepositoryId) -> Result<(), ImportError> {
    let Ok(found) = fs::read_to_string(target.join(MARK)) else {
        return Err(ImportError::TargetTaken { path: target.to_owned() });
    };
    let changed = |reason| ImportError::TargetChanged { path: target.to_owned(), reason };
    if !found.starts_with(&first_lines(repository)) {
        return Err(changed("it is one of another repository"));
    }
    if found == mark_of(target, repository)? {
        Ok(())
    } else {
        Err(changed("somebody has worked in it since"))
    }
}

fn first_lines(repository: RepositoryId) -> String {
    format!("pentimento export 1\nrepository {repository}\n")
}

/// What the mark of an export says: its names and objects, so that it is noticed when others came.
fn mark_of(target: &Path, repository: RepositoryId) -> Result<String, ImportError> {
    let mut hasher = blake3::Hasher::new_derive_key("pentimento git export v1");
    for name in ["HEAD", "packed-refs", "shallow"] {
        let bytes = fs::read(target.join(name)).unwrap_or_default();
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
    }
    for folder in ["objects", "refs", "worktrees"] {
        let mut names = Vec::new();
        list(&target.join(folder), folder, &mut names)?;
        names.sort();
        for (name, length) in names {
            hasher.update(name.as_bytes()).update(&[0]).update(&length.to_le_bytes());
        }
    }
    Ok(format!("{}seal {}\n", first_lines(repository), hasher.finalize().to_hex()))
}

/// All files below a folder, with their lengths.
fn list(folder: &Path, name: &str, into: &mut Vec<(String, u64)>) -> Result<(), ImportError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io("reading", folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(io("reading", folder))?;
        let found = entry.metadata().map_err(io("reading", &entry.path()))?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if found.is_dir() {
            list(&entry.path(), &name, into)?;
        } else {
            into.push((name, found.len()));
        }
    }
    Ok(())
}

//! Looks whether a Git repository is made of ordinary files of a size that they may have, before any of them is
//! opened: whoever opens a pipe waits for ever, a device has no end, and the library reads whatever there is.

use crate::import::error::ImportError;
use crate::import::git::quoted::unquote;
use std::collections::HashSet;
use std::fs::{self, DirEntry, Metadata};
use std::path::{Path, PathBuf};

/// Longest file that says where something is or what a name stands for, in bytes.
const PLACE_BYTES_MAX: u64 = 1 << 20;
/// Longest file of settings, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 << 20;
/// Longest list of names or ids, in bytes.
const LIST_BYTES_MAX: u64 = 1 << 30;
/// The files of a repository's folder that are read, with the length that they may have.
const FILES: [(&str, u64); 8] = [
    ("HEAD", PLACE_BYTES_MAX),
    ("commondir", PLACE_BYTES_MAX),
    ("gitdir", PLACE_BYTES_MAX),
    ("config", CONFIG_BYTES_MAX),
    ("config.worktree", CONFIG_BYTES_MAX),
    ("packed-refs", LIST_BYTES_MAX),
    ("shallow", LIST_BYTES_MAX),
    ("info/grafts", LIST_BYTES_MAX),
];
/// Git's list of what is checked out.
const INDEX: &str = "index";
/// Where a folder of objects says from which others it borrows.
const ALTERNATES: &str = "info/alternates";
/// Most folders of objects that borrow from each other.
const BORROWED_MAX: usize = 1_000;
/// Deepest folder of names.
const DEPTH_MAX: usize = 256;

/// Looks through a repository: its worktree, a linked worktree, or a bare one. What is not there is no error
/// here.
pub(super) fn check(path: &Path) -> Result<(), ImportError> {
    let git_dir = git_dir(path)?;
    check_folder(&git_dir)?;
    let common = match place_in(&git_dir.join("commondir"), "") {
        Some(common) => git_dir.join(common),
        None => git_dir.clone(),
    };
    if common != git_dir {
        check_folder(&common)?;
    }
    for_each(&common.join("worktrees"), &mut |entry| check_folder(&entry.path()))?;
    for folder in [&git_dir, &common] {
        check_names(&folder.join("refs"), 0)?;
    }
    check_objects(common.join("objects"))
}

/// The folder of a repository that has a worktree at `path`, or that lies there itself.
fn git_dir(path: &Path) -> Result<PathBuf, ImportError> {
    let inner = path.join(".git");
    match look(&inner, PLACE_BYTES_MAX)? {
        None => Ok(path.to_owned()),
        Some(found) if found.is_dir() => Ok(inner),
        Some(_) => Ok(place_in(&inner, "gitdir: ").map_or(inner, |place| path.join(place))),
    }
}

/// The place that a file names, behind some words.
fn place_in(file: &Path, words: &str) -> Option<PathBuf> {
    let text = fs::read_to_string(file).ok()?;
    Some(PathBuf::from(text.strip_prefix(words)?.trim_end_matches(['\n', '\r'])))
}

fn check_folder(folder: &Path) -> Result<(), ImportError> {
    for (name, limit) in FILES {
        look(&folder.join(name), limit)?;
    }
    look(&folder.join(INDEX), u64::MAX).map(drop)
}

/// Names lie in a file each.
fn check_names(folder: &Path, depth: usize) -> Result<(), ImportError> {
    if depth > DEPTH_MAX {
        return Err(refused(folder, "lies deeper than names do"));
    }
    for_each(folder, &mut |entry| {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            return check_names(&entry.path(), depth + 1);
        }
        look(&entry.path(), PLACE_BYTES_MAX).map(drop)
    })
}

/// Looks through a folder of objects and those that it borrows from.
fn check_objects(objects: PathBuf) -> Result<(), ImportError> {
    let (mut waiting, mut met) = (vec![objects], HashSet::new());
    while let Some(folder) = waiting.pop() {
        // Loops, and how many are too many, are for whoever follows them.
        if met.len() > BORROWED_MAX || !met.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
            continue;
        }
        for_each(&folder, &mut |entry| {
            for_each(&entry.path(), &mut |inner| match inner.file_type() {
                Ok(kind) if kind.is_file() => Ok(()),
                // `commit-graphs` has files of its own.
                Ok(kind) if kind.is_dir() => {
                    for_each(&inner.path(), &mut |file| look(&file.path(), u64::MAX).map(drop))
                }
                _ => look(&inner.path(), u64::MAX).map(drop),
            })
        })?;
        let alternates = folder.join(ALTERNATES);
        if look(&alternates, CONFIG_BYTES_MAX)?.is_some() {
            let text = fs::read(&alternates).unwrap_or_default();
            waiting.extend(borrowed(&text).into_iter().map(|place| folder.join(place)));
        }
    }
    Ok(())
}

/// The folders that a file of borrowed objects names.
fn borrowed(text: &[u8]) -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#');
    let place = |line: &[u8]| match line.strip_prefix(b"\"") {
        Some(quoted) => unquote(std::str::from_utf8(quoted).ok()?).map(|(place, _)| place),
        None => Some(line.to_vec()),
    };
    lines.filter_map(place).map(|place| PathBuf::from(std::ffi::OsString::from_vec(place))).collect()
}

/// Does something with everything in a folder. One that is not there, or cannot be read, has nothing.
fn for_each(
    folder: &Path,
    work: &mut dyn FnMut(&DirEntry) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        work(&entry)?;
    }
    Ok(())
}

/// Looks at what lies at a path, behind links, too; `None` when nothing does.
fn look(path: &Path, limit: u64) -> Result<Option<Metadata>, ImportError> {
    let Ok(found) = fs::metadata(path) else { return Ok(None) };
    if found.is_dir() {
        return Ok(Some(found));
    }
    if !found.is_file() {
        return Err(refused(path, "is no ordinary file"));
    }
    if found.len() > limit {
        return Err(refused(path, "is larger than any such file"));
    }
    Ok(Some(found))
}

fn refused(path: &Path, reason: &'static str) -> ImportError {
    ImportError::NotOrdinary { path: path.to_owned(), reason }
}

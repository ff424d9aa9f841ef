//! `demo`: a small studio of our own files to learn by doing.
//!
//! The files are in the program itself. Some have a second version, saved by the same program as
//! the first, so that a demonstration edits them for real.

mod studio;

pub use studio::{FIRST, SECOND};

use crate::app::common::target::begin_folder;
use crate::app::error::AppError;
use std::fs;
use std::path::Path;

/// The old and new place of the one file that the second version moves.
pub const MOVED: (&str, &str) = ("web/pattern.svg", "web/tide-pattern.svg");

/// A file of the studio: its path and its bytes.
pub type StudioFile = (&'static str, &'static [u8]);

/// Makes the studio in a folder that is not there or empty. Says how many files and bytes it is.
pub fn make_studio(folder: &Path) -> Result<(u64, u64), AppError> {
    begin_folder(folder)?;
    let mut bytes = 0;
    for file in FIRST {
        write(folder, file)?;
        bytes += file.1.len() as u64;
    }
    Ok((FIRST.len() as u64, bytes))
}

/// Saves the second version of some files over the first.
pub fn save_second(folder: &Path, paths: &[&str]) -> Result<(), AppError> {
    SECOND.iter().filter(|(path, _)| paths.contains(path)).try_for_each(|file| write(folder, file))
}

/// Moves the one file that the second version has elsewhere.
pub fn move_file(folder: &Path) -> Result<(), AppError> {
    let (from, to) = (folder.join(MOVED.0), folder.join(MOVED.1));
    fs::rename(&from, &to).map_err(AppError::io("moving", &from))
}

fn write(folder: &Path, (path, bytes): &StudioFile) -> Result<(), AppError> {
    let target = folder.join(path);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(AppError::io("making", parent))?;
    }
    fs::write(&target, bytes).map_err(AppError::io("writing", &target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn listed(files: &[StudioFile]) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = files.iter().map(|(path, _)| PathBuf::from(path)).collect();
        paths.sort();
        paths
    }

    fn on_disk(version: &str) -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/studio").join(version);
        let mut waiting = vec![root.clone()];
        let mut paths = Vec::new();
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).expect("a fixture folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    paths.push(path.strip_prefix(&root).expect("below the root").to_owned());
                }
            }
        }
        paths.sort();
        paths
    }

    #[test]
    fn the_studio_has_every_fixture() {
        assert_eq!(listed(FIRST), on_disk("v1"));
        assert_eq!(listed(SECOND), on_disk("v2"));
    }
}

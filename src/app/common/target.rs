//! Folders that a command makes and fills: they are new, or empty, and never part of a repository's own.

use crate::app::error::AppError;
use crate::rules::portable::check_entry_name;
use crate::sync::SyncError;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Makes a folder, or takes an empty one. One that holds anything is refused.
pub fn begin_folder(folder: &Path) -> Result<(), AppError> {
    refuse_repository(folder)?;
    fs::create_dir_all(folder).map_err(AppError::io("making", folder))?;
    match fs::read_dir(folder).map_err(AppError::io("reading", folder))?.next() {
        Some(_) => Err(AppError::TargetTaken { path: folder.to_owned() }),
        None => Ok(()),
    }
}

/// Refuses a place that is or lies in the folder that a repository keeps itself in, this one or another:
/// what is written there replaces its records. Links on the way are followed.
pub fn refuse_repository(place: &Path) -> Result<(), AppError> {
    let refused = || AppError::IntoRepository { path: place.to_owned() };
    let is_reserved = |path: &Path| {
        path.components().any(|part| match part {
            Component::Normal(name) => check_entry_name(name.as_encoded_bytes()).is_err(),
            _ => false,
        })
    };
    // As it is written, since what does not exist yet has no other name; and as the disk knows the part
    // that exists.
    let there = place.ancestors().find_map(|above| above.canonicalize().ok());
    if is_reserved(place) || there.is_some_and(|above| is_reserved(&above)) { Err(refused()) } else { Ok(()) }
}

/// Refuses a folder in a worktree, or in the folder that its repository keeps itself in, as the place of a remote:
/// the next commit would take it in. Links on the way are followed.
pub fn refuse_own_folder(place: &Path, root: &Path, pent_dir: &Path) -> Result<(), AppError> {
    let refused = || AppError::IntoOwnFolder { path: place.to_owned(), root: root.to_owned() };
    let real = as_the_disk_knows_it(place);
    for own in [root, pent_dir] {
        let known = own.canonicalize().unwrap_or_else(|_| own.to_owned());
        if place.starts_with(own) || real.starts_with(known) {
            return Err(refused());
        }
    }
    Ok(())
}

/// Refuses a folder in which a remote keeps its files, as the place of a clone. Links on the way are followed.
pub fn refuse_remote_folder(place: &Path, remote: &Path) -> Result<(), AppError> {
    let known = remote.canonicalize().unwrap_or_else(|_| remote.to_owned());
    if place.starts_with(remote) || as_the_disk_knows_it(place).starts_with(known) {
        return Err(SyncError::InsideRemote { path: place.to_owned() }.into());
    }
    Ok(())
}

/// A path with what exists of it as the disk knows it.
fn as_the_disk_knows_it(place: &Path) -> PathBuf {
    for above in place.ancestors() {
        if let Ok(real) = above.canonicalize() {
            return real.join(place.strip_prefix(above).unwrap_or(Path::new("")));
        }
    }
    place.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_in_a_repository_is_taken_whatever_it_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join(".pent/packs");
        fs::create_dir_all(&inside).expect("a repository");
        std::os::unix::fs::symlink(&inside, folder.path().join("link")).expect("a link");
        for place in [".pent", ".pent/x", ".PENT/packs", "a/../.pent", "link", "link/new/er"] {
            assert!(refuse_repository(&folder.path().join(place)).is_err(), "{place}");
        }
        let root = folder.path().join("work");
        fs::create_dir_all(&root).expect("a worktree");
        std::os::unix::fs::symlink(&root, folder.path().join("other")).expect("a link");
        let own = |place: &str| refuse_own_folder(&folder.path().join(place), &root, &root.join(".pent"));
        for place in ["work", "work/nas", "work/.pent/nas", "other", "other/new/er"] {
            assert!(own(place).is_err(), "{place}");
        }
        for place in ["", "nas", "work-nas", "works/nas"] {
            assert!(own(place).is_ok(), "{place}");
        }
        let beside = |place: &str| refuse_remote_folder(&folder.path().join(place), &root);
        assert!(beside("work").is_err() && beside("work/copy").is_err() && beside("other/copy").is_err());
        assert!(beside("works").is_ok() && beside("new/er").is_ok());
        for place in ["", "a", "a/b", ".pentignore", "pent"] {
            assert!(refuse_repository(&folder.path().join(place)).is_ok(), "{place}");
        }
    }
}

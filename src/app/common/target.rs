//! Folders that a command makes and fills: they are new, or empty, and never part of a repository's own.

use crate::app::error::AppError;
use crate::rules::portable::check_entry_name;
use std::fs;
use std::path::{Component, Path};

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
        for place in ["", "a", "a/b", ".pentignore", "pent"] {
            assert!(refuse_repository(&folder.path().join(place)).is_ok(), "{place}");
        }
    }
}

//! A file that says that a repair was begun: until it has been seen to its end, nothing may be
//! removed, since what looks unneeded may be what the repair is about to bring back.

use crate::care::error::CareError;
use crate::store::REPAIR_MARKER;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

fn place(pent_dir: &Path) -> PathBuf {
    pent_dir.join(REPAIR_MARKER)
}

/// Refuses while a repair is not finished.
pub(super) fn refuse(pent_dir: &Path) -> Result<(), CareError> {
    if is_set(pent_dir) { Err(CareError::RepairUnderWay) } else { Ok(()) }
}

/// Whether a repair was begun and not finished.
pub(super) fn is_set(pent_dir: &Path) -> bool {
    place(pent_dir).exists()
}

/// Says that a repair has begun, durably.
pub(super) fn set(pent_dir: &Path) -> Result<(), CareError> {
    let path = place(pent_dir);
    let make = || {
        File::create(&path)?.sync_all()?;
        File::open(pent_dir)?.sync_all()
    };
    make().map_err(|source| CareError::Io { action: "writing", path: path.clone(), source })
}

/// Says that the repair has ended.
pub(super) fn clear(pent_dir: &Path) -> Result<(), CareError> {
    let path = place(pent_dir);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(CareError::Io { action: "removing", path, source })
        }
        _ => Ok(()),
    }
}

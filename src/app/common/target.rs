//! Folders that a command makes and fills: they are new, or empty.

use crate::app::error::AppError;
use std::fs;
use std::path::Path;

/// Makes a folder, or takes an empty one. One that holds anything is refused.
pub fn begin_folder(folder: &Path) -> Result<(), AppError> {
    fs::create_dir_all(folder).map_err(AppError::io("making", folder))?;
    match fs::read_dir(folder).map_err(AppError::io("reading", folder))?.next() {
        Some(_) => Err(AppError::TargetTaken { path: folder.to_owned() }),
        None => Ok(()),
    }
}

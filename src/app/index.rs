//! `index`: brings what is kept for searching up to date, and looks into all files.

use crate::app::error::AppError;
use crate::app::search::open::{Upkeep, open};
use crate::app::search::place::CatalogPlace;
use crate::app::search::read::Budget;
use crate::base::monitor::{Monitor, Phase};
use crate::base::time::Clock;
use crate::catalog::CatalogError;
use crate::catalog::index::Catalog;
use crate::media::worker::Workers;
use crate::repo::Repository;
use serde::Serialize;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Options {
    /// Bring it up to date.
    Update,
    /// Make it anew, without what was found in files before.
    Rebuild,
    /// Check that it is as it was written; nothing is changed.
    Check,
    /// Remove it.
    Remove,
}

/// How things stand.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How many records the index has.
    pub records: u64,
    /// How many of them have files that could not be looked into: their content is not here.
    pub unread: u64,
    /// Files that were looked into now.
    pub read: u64,
    /// Of these, files that their decoder found fault with.
    pub faulty: u64,
    /// Pictures whose look is known.
    pub prints: u64,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Whether the index was damaged and was made anew, or is damaged.
    pub damaged: bool,
    /// Why there is no index.
    pub reason: Option<String>,
}

/// Does it.
pub fn run(
    repository: &Repository,
    options: Options,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let place = CatalogPlace::of(repository);
    match options {
        Options::Check => return check(&place, monitor),
        Options::Remove | Options::Rebuild => remove(&place, monitor)?,
        Options::Update => {}
    }
    if options == Options::Remove {
        return Ok(Report::none());
    }
    let upkeep = Upkeep { workers, budget: Budget::ALL, anew: false, now: clock.now(), monitor };
    let opened = open(repository, upkeep)?;
    let unread = opened.unread()?;
    Ok(Report {
        records: opened.catalog.as_ref().map_or(0, Catalog::len),
        unread,
        read: opened.read.read,
        faulty: opened.read.faulty,
        prints: place.prints().len(),
        bytes: bytes(&place),
        damaged: opened.rebuilt,
        reason: opened.reason,
    })
}

impl Report {
    const fn none() -> Self {
        Self { records: 0, unread: 0, read: 0, faulty: 0, prints: 0, bytes: 0, damaged: false, reason: None }
    }
}

/// Removes all that is kept for searching, where there is any.
pub fn forget_everything(repository: &Repository, monitor: &dyn Monitor) -> Result<(), AppError> {
    let place = CatalogPlace::of(repository);
    if place.folder().exists() { remove(&place, monitor) } else { Ok(()) }
}

fn check(place: &CatalogPlace, monitor: &dyn Monitor) -> Result<Report, AppError> {
    monitor.phase(Phase { name: "Checking", files_total: None, bytes_total: None });
    let checked = Catalog::open(&place.index()).and_then(|catalog| {
        let Some(catalog) = catalog else { return Ok(0) };
        catalog.check()?;
        Ok(catalog.len())
    });
    let (records, damaged, reason) = match checked {
        Ok(records) => (records, false, None),
        Err(CatalogError::Damaged { reason }) => (0, true, Some(reason)),
        Err(error) => return Err(error.into()),
    };
    Ok(Report {
        records,
        damaged,
        reason,
        prints: place.prints().len(),
        bytes: bytes(place),
        ..Report::none()
    })
}

fn remove(place: &CatalogPlace, monitor: &dyn Monitor) -> Result<(), AppError> {
    let Some(_lock) = place.lock(monitor)? else {
        let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        return Err(CatalogError::NoWrite { path: place.folder().to_owned(), source }.into());
    };
    for folder in [place.index(), place.findings()] {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(AppError::Io { action: "removing", path: folder, source: error });
            }
            _ => {}
        }
    }
    Ok(place.prints().clear()?)
}

fn bytes(place: &CatalogPlace) -> u64 {
    let folders = [place.index(), place.findings(), place.folder().to_owned()];
    folders.iter().map(|folder| crate::catalog::index::size_of(folder)).sum()
}

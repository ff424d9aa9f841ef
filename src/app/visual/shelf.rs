//! Puts what was looked at into one page; where that would be too large, into a folder of pages.

use super::page::{Asset, html};
use crate::app::error::AppError;
use crate::base::local_path::LocalPath;
use crate::base::time::Clock;
use crate::repo::Repository;
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Most bytes of assets in one page: what a browser opens at once. Beyond, each asset has a page of its
/// own in a folder, with an index that has small pictures only.
pub(super) const FILE_BYTES_MAX: usize = 64 << 20;
/// Pages that are kept where nobody said where to put them.
const KEPT: usize = 12;

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// The page to open.
    pub page: LocalPath,
    /// The folder of the pages, when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<LocalPath>,
    /// Bytes of all of it.
    pub bytes: u64,
}

/// Collects assets.
pub(super) struct Shelf {
    target: Option<PathBuf>,
    kind: &'static str,
    title: String,
    most: usize,
    /// Whole assets, until they are too many.
    whole: Vec<String>,
    /// Assets without their pictures, for the index of a folder.
    entries: Vec<String>,
    held: usize,
    folder: Option<PathBuf>,
    written: u64,
}

impl Shelf {
    /// Nothing is written without a target.
    pub fn new(target: Option<PathBuf>, kind: &'static str, title: String) -> Self {
        let (whole, entries) = (Vec::new(), Vec::new());
        let (held, written, folder) = (0, 0, None);
        Self { target, kind, title, most: FILE_BYTES_MAX, whole, entries, held, folder, written }
    }

    /// Adds an asset.
    pub fn add(&mut self, asset: &Asset) -> Result<(), AppError> {
        let Some(target) = self.target.clone() else { return Ok(()) };
        let text = text_of(asset)?;
        self.held += text.len();
        let href = format!("{:04}.html", self.entries.len() + 1);
        self.entries.push(text_of(&asset.entry(href))?);
        self.whole.push(text);
        // One asset is one page however large it is.
        if self.folder.is_none() && self.held > self.most && self.whole.len() > 1 {
            let folder = target.with_extension("");
            fs::create_dir(&folder).map_err(fault("making", &folder))?;
            self.folder = Some(folder);
        }
        if self.folder.is_some() {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), AppError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let first = self.entries.len() - self.whole.len();
        for (number, asset) in self.whole.drain(..).enumerate() {
            let path = folder.join(format!("{:04}.html", first + number + 1));
            let page = html(self.kind, &self.title, Some("index.html"), &[asset]);
            write_new(&path, page.as_bytes())?;
            self.written += page.len() as u64;
        }
        Ok(())
    }

    /// Writes what is still to be written.
    pub fn finish(mut self) -> Result<Option<Written>, AppError> {
        let Some(target) = self.target.take() else { return Ok(None) };
        let (path, assets) = match &self.folder {
            Some(folder) => (folder.join("index.html"), &self.entries),
            None => (target, &self.whole),
        };
        let page = html(self.kind, &self.title, None, assets);
        write_new(&path, page.as_bytes())?;
        let bytes = self.written + page.len() as u64;
        Ok(Some(Written { page: path.into(), folder: self.folder.map(LocalPath), bytes }))
    }
}

fn text_of(asset: &Asset) -> Result<String, AppError> {
    // These are plain values: nothing in them has no form in JSON.
    serde_json::to_string(asset).map_err(|error| AppError::NotDrawn { reason: error.to_string() })
}

/// Writes a file that is not there yet.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.flush()));
    written.map_err(fault("writing", path))
}

fn fault(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> AppError {
    move |source| AppError::Io { action, path: path.to_owned(), source }
}

/// Where a page goes when nobody says: beside the repository's own files, of which the newest few are
/// kept. Such a page can always be made again.
pub fn default_place(repository: &Repository, verb: &str, clock: &dyn Clock) -> Result<PathBuf, AppError> {
    let folder = repository.pent_dir().join("visual");
    fs::create_dir_all(&folder).map_err(fault("making", &folder))?;
    let mut old: Vec<PathBuf> = fs::read_dir(&folder)
        .map_err(fault("reading", &folder))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    old.sort();
    let surplus = (old.len() + 1).saturating_sub(KEPT);
    for path in old.into_iter().take(surplus) {
        // What cannot be removed now is tried again the next time.
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
    let mut random = [0u8; 4];
    getrandom::fill(&mut random).map_err(|error| AppError::NotDrawn { reason: error.to_string() })?;
    let (now, random) = (clock.now().unix_ms, u32::from_le_bytes(random));
    Ok(folder.join(format!("{now:014}-{verb}-{random:08x}.html")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::path::AssetPath;

    fn asset(name: &str) -> Asset {
        Asset::new(&AssetPath::from_bytes(name).expect("a path"), Vec::new())
    }

    #[test]
    fn few_assets_are_one_page_and_many_a_folder() {
        let home = tempfile::tempdir().expect("a folder");
        let mut small = Shelf::new(Some(home.path().join("a.html")), "diff", "t".into());
        small.add(&asset("one")).expect("added");
        small.add(&asset("two")).expect("added");
        let written = small.finish().expect("written").expect("a page");
        assert!(written.folder.is_none() && written.page.is_file());
        let again = Shelf::new(Some(home.path().join("a.html")), "diff", "t".into());
        assert!(again.finish().is_err(), "nothing is written over");
        let mut large = Shelf::new(Some(home.path().join("b.html")), "diff", "t".into());
        large.most = 10;
        for name in ["one", "two", "three"] {
            large.add(&asset(name)).expect("added");
        }
        let written = large.finish().expect("written").expect("a page");
        assert_eq!(written.page.0, home.path().join("b/index.html"));
        for name in ["0001.html", "0002.html", "0003.html"] {
            assert!(home.path().join("b").join(name).is_file(), "{name}");
        }
        let index = fs::read_to_string(&written.page.0).expect("the index");
        assert!(index.contains("0003.html"));
    }
}

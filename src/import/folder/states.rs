//! Finds states of everything: dated folders, archives of old states, `site_v1` beside `site_v2`. Folders
//! that are only called alike - two clients, two shoots - are none: states of one thing have files in
//! common.

use crate::base::path::AssetPath;
use crate::import::folder::archive::Archive;
use crate::import::folder::group::Found;
use crate::import::folder::habits::usual;
use crate::import::folder::order::{Clues, in_order};
use crate::import::folder::pattern::{Parts, Pattern};
use crate::import::folder::plan::Action;
use crate::import::folder::scan::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// States that follow each other have at least this part of the smaller one in common, in percent.
const SHARED_PERCENT_MIN: usize = 30;
/// Most names of one state that are compared.
const NAMES_MAX: usize = 20_000;

/// Finds the states that a pattern without names fits, and gives back the files that are in none.
pub(super) fn by_pattern(
    files: Vec<Found>,
    pattern: &Pattern,
    month_first: bool,
) -> (Vec<Version>, Vec<Found>) {
    let mut tops: BTreeMap<AssetPath, Top> = BTreeMap::new();
    let mut rest = Vec::new();
    for file in files {
        match state_by(pattern, &file) {
            Some((from, parts)) => {
                let parts = if month_first { parts.month_first() } else { parts };
                tops.entry(from.clone()).or_insert_with(|| Top::new(from, parts)).add(&file);
            }
            None => rest.push(file),
        }
    }
    (versions(tops.into_values().collect(), &AssetPath::root()), rest)
}

/// The state that a file belongs to by a pattern without names.
fn state_by(pattern: &Pattern, file: &Found) -> Option<(AssetPath, Parts)> {
    let mut prefix = AssetPath::root();
    for name in file.path.names() {
        prefix = prefix.join(name).ok()?;
        let is_file = prefix == file.path;
        if is_file && (pattern.folders || !is_zip(&prefix)) {
            return None;
        }
        let text = String::from_utf8_lossy(if pattern.paths { prefix.as_bytes() } else { name }).into_owned();
        if let Some(parts) = pattern.fit(&text) {
            return Some((prefix, parts));
        }
    }
    None
}

/// Finds the folders and archives at the top that are, by their names and by what is in them, states of
/// one thing, and gives back the files that are in none.
pub(super) fn by_habit(folder: &Path, files: Vec<Found>, month_first: bool) -> (Vec<Version>, Vec<Found>) {
    let mut tops: BTreeMap<AssetPath, Top> = BTreeMap::new();
    for file in &files {
        let path = top(&file.path);
        if path != file.path || is_zip(&path) {
            let parts = usual(&stem_of(&path));
            let parts = if month_first { parts.month_first() } else { parts };
            tops.entry(path.clone()).or_insert_with(|| Top::new(path, parts)).add(file);
        }
    }
    let families = families(folder, tops);
    let taken: BTreeSet<AssetPath> =
        families.iter().flat_map(|family| family.tops.iter().map(|top| top.path.clone())).collect();
    let rest: Vec<Found> = files.into_iter().filter(|file| !taken.contains(&top(&file.path))).collect();
    let mut is_root_free = true;
    let mut found = Vec::new();
    for family in families {
        let into = family.place(&rest, is_root_free);
        is_root_free &= !into.is_root();
        found.extend(versions(family.tops, &into));
    }
    (found, rest)
}

/// The folder or archive at the top that a file lies in or is.
fn top(path: &AssetPath) -> AssetPath {
    let first = path.names().next().unwrap_or_default().to_vec();
    AssetPath::from_bytes(first).unwrap_or_default()
}

fn is_zip(path: &AssetPath) -> bool {
    path.extension() == b"zip"
}

/// A name without the extension of an archive.
fn stem_of(path: &AssetPath) -> String {
    let name = String::from_utf8_lossy(path.name()).into_owned();
    match name.rsplit_once('.') {
        Some((stem, extension)) if extension.eq_ignore_ascii_case("zip") => stem.to_owned(),
        _ => name,
    }
}

/// A folder or archive that may be a state.
struct Top {
    path: AssetPath,
    parts: Parts,
    /// A folder is as old as the newest file in it.
    mtime_ms: i64,
    /// What is in it, in lower case.
    names: BTreeSet<Vec<u8>>,
}

impl Top {
    fn new(path: AssetPath, parts: Parts) -> Self {
        Self { path, parts, mtime_ms: 0, names: BTreeSet::new() }
    }

    fn add(&mut self, file: &Found) {
        self.mtime_ms = self.mtime_ms.max(file.mtime_ms);
        if let Some(inner) = file.path.as_bytes().get(self.path.as_bytes().len() + 1..)
            && self.names.len() < NAMES_MAX
        {
            self.names.insert(inner.to_ascii_lowercase());
        }
    }

    /// Looks into an archive. One that cannot be read has nothing in common with others.
    fn look_inside(&mut self, folder: &Path) {
        use std::os::unix::ffi::OsStrExt as _;
        if !self.names.is_empty() || !is_zip(&self.path) {
            return;
        }
        let place = folder.join(std::ffi::OsStr::from_bytes(self.path.as_bytes()));
        if let Ok(mut archive) = Archive::open(&place) {
            let (entries, _) = archive.entries();
            let names =
                entries.iter().take(NAMES_MAX).map(|entry| entry.path.as_bytes().to_ascii_lowercase());
            self.names = names.collect();
        }
    }

    fn clues(&self) -> Clues {
        Clues { parts: self.parts.clone(), mtime_ms: self.mtime_ms, in_attic: false }
    }

    /// Whether the name says that it is a version.
    fn is_explicit(&self) -> bool {
        !self.parts.number.is_empty() && !self.parts.bare
    }

    fn is_marked(&self) -> bool {
        !self.parts.number.is_empty() || self.parts.date_ms.is_some() || self.parts.copy.is_some()
    }

    fn is_only_a_date(&self) -> bool {
        self.parts.date_ms.is_some() && self.parts.name == stem_of(&self.path)
    }
}

/// States of one thing.
struct Family {
    name: String,
    tops: Vec<Top>,
}

impl Family {
    /// Where the states go: to the folder that is the newest of them by name, to the top when they are all
    /// there is or have files in common with what lies there, else to a folder of their own.
    fn place(&self, rest: &[Found], is_root_free: bool) -> AssetPath {
        let is_plain = |top: &&Top| !top.is_marked() && top.parts.words.is_empty() && !is_zip(&top.path);
        if let Some(plain) = self.tops.iter().find(is_plain) {
            return plain.path.clone();
        }
        let loose: BTreeSet<Vec<u8>> =
            rest.iter().take(NAMES_MAX).map(|file| file.path.as_bytes().to_ascii_lowercase()).collect();
        let is_root = loose.is_empty() || self.tops.iter().any(|top| shares(&top.names, &loose));
        let named =
            self.tops.last().map(|top| top.parts.name.as_bytes().to_vec()).filter(|_| !self.name.is_empty());
        match named.and_then(|name| AssetPath::from_bytes(name).ok()) {
            Some(own) if !(is_root && is_root_free) => own,
            _ => AssetPath::root(),
        }
    }
}

/// Whether two states have enough in common.
fn shares(one: &BTreeSet<Vec<u8>>, other: &BTreeSet<Vec<u8>>) -> bool {
    let smaller = one.len().min(other.len());
    smaller > 0 && one.intersection(other).count() * 100 >= smaller * SHARED_PERCENT_MIN
}

fn families(folder: &Path, tops: BTreeMap<AssetPath, Top>) -> Vec<Family> {
    let mut by_name: BTreeMap<String, Vec<Top>> = BTreeMap::new();
    for (_, top) in tops {
        let name = if top.is_only_a_date() { String::new() } else { top.parts.name.to_lowercase() };
        by_name.entry(name).or_default().push(top);
    }
    // Dated folders of several names may be states of one thing all the same.
    let alone = |(_, tops): &(String, Vec<Top>)| {
        tops.len() == 1 && tops.iter().all(|top| top.parts.date_ms.is_some())
    };
    let (single, mut found): (Vec<_>, Vec<_>) = by_name.into_iter().partition(alone);
    found.push((String::new(), single.into_iter().flat_map(|(_, tops)| tops).collect()));
    let mut families = Vec::new();
    for (name, mut tops) in found {
        // Bare numbers may count things: `Client 1` and `Client 2` are two, whatever is in them.
        if tops.len() < 2 || !tops.iter().any(Top::is_marked) || tops.iter().all(|top| top.parts.bare) {
            continue;
        }
        tops.iter_mut().for_each(|top| top.look_inside(folder));
        in_order(&mut tops, &Top::clues);
        let follows = |pair: &&[Top]| {
            (pair[0].is_explicit() && pair[1].is_explicit()) || shares(&pair[0].names, &pair[1].names)
        };
        let following = tops.windows(2).filter(follows).count();
        if following > 0 && following * 2 >= tops.len() - 1 {
            families.push(Family { name, tops });
        }
    }
    families.sort_by_key(|family| std::cmp::Reverse(family.tops.len()));
    families
}

fn versions(mut tops: Vec<Top>, into: &AssetPath) -> Vec<Version> {
    in_order(&mut tops, &Top::clues);
    let version = |(place, top): (usize, Top)| {
        let shown = String::from_utf8_lossy(top.path.as_bytes()).into_owned();
        let message = if into.is_root() || top.path == *into {
            format!("everything as in {shown}")
        } else {
            format!("{}: everything as in {shown}", String::from_utf8_lossy(into.as_bytes()))
        };
        Version {
            // A folder of states is no file: its name cannot be that of one.
            of: [into.as_bytes(), b"/"].concat(),
            place,
            is_alone: false,
            time_ms: top.parts.date_ms.unwrap_or(top.mtime_ms),
            message,
            actions: vec![Action::All { into: into.clone(), from: top.path }],
        }
    };
    tops.into_iter().enumerate().map(version).collect()
}

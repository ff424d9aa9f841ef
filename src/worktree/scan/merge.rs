//! Walks a folder's names side by side with what the index has of it.

use super::listing::Listing;
use super::{Found, Part, Tracked, Visit, Walk};
use crate::base::path::{AssetPath, PATH_BYTES_MAX, PATH_DEPTH_MAX};
use crate::rules::ignore::{IGNORE_FILE, IGNORE_FILE_BYTES_MAX, IgnoreStack};
use crate::rules::portable::{REPOSITORY_FOLDER, check_entry_name, is_temporary_name};
use crate::worktree::error::{During, Result};
use crate::worktree::index::{Folder, Record};
use crate::worktree::root::open_file_at;
use crate::worktree::stat::{Node, NodeKind};
use rustix::fd::OwnedFd;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::cmp::Ordering;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// Names per task: a larger folder is cut into several tasks.
const NAMES_PER_TASK: usize = 4096;

/// A folder that was listed, shared by the tasks that look at its names.
struct Listed<'a> {
    visit: Visit<'a>,
    listing: Listing,
    folder: OwnedFd,
    /// The rules that hold inside.
    ignore: IgnoreStack,
}

impl<'a> Walk<'a, '_> {
    /// Looks into one folder; folders in it become tasks of their own.
    pub(super) fn visit<'scope>(&'scope self, visit: Visit<'a>, scope: &rayon::Scope<'scope>)
    where
        'a: 'scope,
    {
        if self.must_stop() {
            return;
        }
        let mut part = Part::default();
        match self.list(visit, &mut part) {
            Ok(Some(listed)) => self.split(Arc::new(listed), scope),
            Ok(None) => {}
            Err(error) => self.fail(error),
        }
        self.gather(part);
    }

    /// Opens and lists a folder. `None` when there is nothing to look at in it.
    fn list(&self, visit: Visit<'a>, part: &mut Part) -> Result<Option<Listed<'a>>> {
        let worktree = self.input.worktree;
        let opened = worktree.open_dir(&visit.path).and_then(|folder| Ok((Listing::read(&folder)?, folder)));
        let (listing, folder) = match opened {
            Ok(opened) => opened,
            Err(error) if visit.path.is_empty() => return Err(error).during("reading", worktree.root()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                // It went away since its name was read.
                visit
                    .base
                    .map_or(Ok(()), |base| self.removed_folder(part, &mut visit.path.clone(), &base))?;
                return Ok(None);
            }
            Err(error) => {
                part.push(&visit.path, Found::Unreadable { error: error.kind() });
                return Ok(None);
            }
        };
        part.tallies.folders += 1;
        let inner = listing.find(REPOSITORY_FOLDER.as_bytes());
        if visit.depth > 0 && matches!(inner, Some(FileType::Directory | FileType::Unknown)) {
            part.nested.extend(AssetPath::from_bytes(visit.path.clone()));
            if visit.base.is_none() {
                return Ok(None);
            }
        }
        let rules = if listing.find(IGNORE_FILE).is_some() { read_rules(&folder) } else { None };
        let ignore = match (&rules, AssetPath::from_bytes(visit.path.clone())) {
            (Some(rules), Ok(path)) => visit.ignore.push_dir(&path, Some(rules)),
            _ => visit.ignore.clone(),
        };
        Ok(Some(Listed { visit, listing, folder, ignore }))
    }

    /// Makes tasks of the names of a folder.
    fn split<'scope>(&'scope self, listed: Arc<Listed<'a>>, scope: &rayon::Scope<'scope>)
    where
        'a: 'scope,
    {
        let count = listed.listing.len();
        let mut start = 0;
        while count - start > NAMES_PER_TASK {
            let (listed, end) = (listed.clone(), start + NAMES_PER_TASK);
            scope.spawn(move |scope| self.run(&listed, start..end, scope));
            start = end;
        }
        self.run(&listed, start..count, scope);
    }

    fn run<'scope>(&'scope self, listed: &Listed<'a>, names: Range<usize>, scope: &rayon::Scope<'scope>)
    where
        'a: 'scope,
    {
        if self.must_stop() {
            return;
        }
        let mut task =
            Task { walk: self, listed, part: Part::default(), below: Vec::new(), path: Vec::new() };
        if let Err(error) = task.merge(names) {
            self.fail(error);
        }
        let Task { part, below, .. } = task;
        self.gather(part);
        for visit in below {
            scope.spawn(move |scope| self.visit(visit, scope));
        }
    }

    /// Reports everything expected below a folder as removed.
    fn removed_folder(&self, part: &mut Part, path: &mut Vec<u8>, folder: &Folder<'_>) -> Result<()> {
        if !folder.any_expected() {
            return Ok(());
        }
        for position in 0..folder.len() {
            let Some(record) = folder.record(position) else { break };
            let length = push_name(path, record.name());
            if record.is_directory() {
                self.removed_folder(part, path, &folder.child(&record)?)?;
            } else {
                self.removed_file(part, path, &record)?;
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn removed_file(&self, part: &mut Part, path: &[u8], record: &Record<'_>) -> Result<()> {
        if record.is_expected() && self.is_wanted(path, false) {
            part.push(path, Found::Removed { base: Box::new(Tracked::of(record)?) });
        }
        Ok(())
    }
}

/// Appends a name to a path and says how long the path was.
fn push_name(path: &mut Vec<u8>, name: &[u8]) -> usize {
    let length = path.len();
    if length > 0 {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    length
}

fn read_rules(folder: &OwnedFd) -> Option<Vec<u8>> {
    let mut rules = Vec::new();
    let file = open_file_at(folder, IGNORE_FILE).ok()?;
    file.take(IGNORE_FILE_BYTES_MAX as u64).read_to_end(&mut rules).ok()?;
    Some(rules)
}

/// Looks at some of the names of one folder.
struct Task<'t, 'a, 'm> {
    walk: &'t Walk<'a, 'm>,
    listed: &'t Listed<'a>,
    part: Part,
    /// Folders to look into next.
    below: Vec<Visit<'a>>,
    /// The path of the name at hand.
    path: Vec<u8>,
}

impl<'a> Task<'_, 'a, '_> {
    fn merge(&mut self, names: Range<usize>) -> Result<()> {
        self.path.clone_from(&self.listed.visit.path);
        let records = self.records_for(&names);
        let mut position = records.start;
        for at in names {
            let Some((name, kind)) = self.listed.listing.get(at) else { break };
            let mut tracked = None;
            while let Some(record) = self.record(position, &records) {
                match record.name().cmp(name) {
                    Ordering::Less => self.missing(&record)?,
                    Ordering::Equal => tracked = Some(record),
                    Ordering::Greater => break,
                }
                position += 1;
            }
            let length = push_name(&mut self.path, name);
            self.name(name, kind, tracked)?;
            self.path.truncate(length);
        }
        while let Some(record) = self.record(position, &records) {
            self.missing(&record)?;
            position += 1;
        }
        Ok(())
    }

    /// Which records of the index belong to a range of names: those from its first name up to the
    /// first name that follows; the first and last ranges take what lies before and after.
    fn records_for(&self, names: &Range<usize>) -> Range<usize> {
        let Some(base) = &self.listed.visit.base else { return 0..0 };
        let position = |at: usize| match self.listed.listing.get(at) {
            Some((name, _)) => first_not_below(base, name),
            None => base.len(),
        };
        let start = if names.start == 0 { 0 } else { position(names.start) };
        start..position(names.end)
    }

    fn record(&self, position: usize, records: &Range<usize>) -> Option<Record<'a>> {
        if position < records.end {
            self.listed.visit.base.and_then(|base| base.record(position))
        } else {
            None
        }
    }

    fn missing(&mut self, record: &Record<'a>) -> Result<()> {
        let length = push_name(&mut self.path, record.name());
        let outcome = if record.is_directory() {
            self.missing_folder(record)
        } else {
            self.walk.removed_file(&mut self.part, &self.path, record)
        };
        self.path.truncate(length);
        outcome
    }

    fn missing_folder(&mut self, record: &Record<'a>) -> Result<()> {
        let Some(base) = self.listed.visit.base else { return Ok(()) };
        self.walk.removed_folder(&mut self.part, &mut self.path, &base.child(record)?)
    }

    /// Deals with a name that is on disk.
    fn name(&mut self, name: &[u8], kind: FileType, tracked: Option<Record<'a>>) -> Result<()> {
        let is_dir = kind == FileType::Directory;
        let may_be_dir = is_dir || kind == FileType::Unknown;
        // Whatever a tree says of it, the repository's own folder is never looked into.
        let is_top = self.listed.visit.depth == 0;
        if name == REPOSITORY_FOLDER.as_bytes() && (is_top || may_be_dir) {
            return Ok(());
        }
        if !self.walk.is_wanted(&self.path, may_be_dir) {
            // What was asked for below a folder that is none any more is gone.
            let folder = tracked.filter(Record::is_directory);
            return folder.map_or(Ok(()), |record| self.missing_folder(&record));
        }
        if is_dir {
            return self.folder(name, tracked);
        }
        // Asking the rules first spares looking at what they leave out.
        let known = kind != FileType::Unknown;
        if known && tracked.is_none() && self.is_left_out(name) {
            return Ok(());
        }
        match Node::at(&self.listed.folder, name) {
            Ok(Node { kind: NodeKind::Directory, .. }) => self.folder(name, tracked),
            Ok(_) if !known && tracked.is_none() && self.is_left_out(name) => Ok(()),
            Ok(node) => self.file(name, node, tracked),
            // It went away since its name was read.
            Err(Errno::NOENT) => tracked.map_or(Ok(()), |record| self.vanished(&record)),
            Err(error) => {
                self.part.push(&self.path, Found::Unreadable { error: io::Error::from(error).kind() });
                Ok(())
            }
        }
    }

    fn vanished(&mut self, record: &Record<'a>) -> Result<()> {
        if record.is_directory() {
            return self.missing_folder(record);
        }
        self.walk.removed_file(&mut self.part, &self.path, record)
    }

    /// Whether an untracked name is left out by rules or is a half-written file.
    fn is_left_out(&mut self, name: &[u8]) -> bool {
        if is_temporary_name(name) {
            self.part.leftovers.extend(AssetPath::from_bytes(self.path.clone()));
            return true;
        }
        let ignored =
            self.listed.ignore.is_ignored(&self.path, false) && !self.walk.is_moved(&self.path, false);
        self.part.tallies.ignored += u64::from(ignored);
        ignored
    }

    fn file(&mut self, name: &[u8], node: Node, tracked: Option<Record<'a>>) -> Result<()> {
        match tracked {
            Some(record) if record.is_directory() => {
                self.missing_folder(&record)?;
                // That a folder of this name is tracked says nothing of a file.
                if !self.is_left_out(name) {
                    self.untracked_file(name, node);
                }
                Ok(())
            }
            Some(record) => self.tracked_file(node, &record),
            None => {
                self.untracked_file(name, node);
                Ok(())
            }
        }
    }

    fn tracked_file(&mut self, node: Node, record: &Record<'a>) -> Result<()> {
        if record.is_unchanged(&node) && !self.walk.left.contains(self.path.as_slice()) {
            self.part.tallies.unchanged_files += 1;
            self.part.tallies.unchanged_bytes += node.stat.size;
            return Ok(());
        }
        let base = Box::new(Tracked::of(record)?);
        let found = match node.kind {
            NodeKind::Special(kind) => Found::Special { kind, base: Some(base) },
            _ => Found::Suspect { node, base },
        };
        self.part.push(&self.path, found);
        Ok(())
    }

    fn untracked_file(&mut self, name: &[u8], node: Node) {
        if let Err(hazard) = check_entry_name(name) {
            self.part.push(&self.path, Found::Refused { hazard });
        } else if let NodeKind::Special(kind) = node.kind {
            self.part.push(&self.path, Found::Special { kind, base: None });
        } else {
            self.part.push(&self.path, Found::New { node });
        }
    }

    fn folder(&mut self, name: &[u8], tracked: Option<Record<'a>>) -> Result<()> {
        let base = match (&self.listed.visit.base, &tracked) {
            (Some(base), Some(record)) if record.is_directory() => Some(base.child(record)?),
            (_, Some(record)) => {
                // Whatever was asked for: nothing below this folder can be taken in while a file is
                // committed in its place.
                if record.is_expected() {
                    self.part.push(&self.path, Found::Removed { base: Box::new(Tracked::of(record)?) });
                }
                None
            }
            _ => None,
        };
        let ignored = self.listed.ignore.is_ignored(&self.path, true);
        if base.is_none() {
            if let Err(hazard) = check_entry_name(name) {
                self.part.push(&self.path, Found::Refused { hazard });
                return Ok(());
            }
            if ignored && !self.walk.is_moved(&self.path, true) {
                self.part.tallies.ignored += 1;
                return Ok(());
            }
        }
        let depth = self.listed.visit.depth + 1;
        // One more name must fit below it.
        if depth >= PATH_DEPTH_MAX || self.path.len() + 256 > PATH_BYTES_MAX {
            self.part.push(&self.path, Found::Unreadable { error: io::ErrorKind::InvalidFilename });
            return Ok(());
        }
        let ignore = if ignored { self.listed.ignore.inside_ignored() } else { self.listed.ignore.clone() };
        self.below.push(Visit { path: self.path.clone(), base, ignore, depth });
        Ok(())
    }
}

/// The position of the first record whose name is not smaller.
fn first_not_below(folder: &Folder<'_>, name: &[u8]) -> usize {
    let (mut low, mut high) = (0, folder.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let below = folder.record(middle).is_some_and(|record| record.name() < name);
        if below { low = middle + 1 } else { high = middle }
    }
    low
}

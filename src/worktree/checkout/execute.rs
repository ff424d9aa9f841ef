//! Does what a plan says.

use crate::base::id::FileId;
use crate::base::monitor::{Advance, Monitor, Phase, Problem};
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::rules::portable::TEMPORARY_PREFIX;
use crate::worktree::checkout::{CheckoutPlan, ContentSource, PlannedItem};
use crate::worktree::displaced::DisplacedSet;
use crate::worktree::error::{During as _, WorktreeError};
use crate::worktree::root::Worktree;
use crate::worktree::stat::{FileStat, Node, NodeKind};
use rayon::prelude::*;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, openat, renameat_with, symlinkat, unlinkat};
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that was written, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub path: AssetPath,
    /// What.
    pub content: Content,
    /// How the file system shows it, for the index.
    pub stat: FileStat,
}

/// What was done.
#[derive(Debug, Default)]
pub struct CheckoutReport {
    /// Files and links that were written.
    pub written: Vec<Written>,
    /// Paths that are gone.
    pub removed: Vec<AssetPath>,
    /// How many things were set aside.
    pub set_aside: u64,
    /// Paths that were left as they are, each with its reason.
    pub problems: Vec<Problem>,
}

/// Tells temporary names of one process apart.
static TEMPORARY_NUMBER: AtomicU64 = AtomicU64::new(0);

/// Carries out a plan. One path that fails does not stop the others; a stop asked for through the
/// monitor leaves every path either as it was or as it shall be.
pub fn execute<S: ContentSource>(
    root: &Worktree,
    plan: CheckoutPlan,
    source: &S,
    displaced: &DisplacedSet,
    monitor: &dyn Monitor,
) -> Result<CheckoutReport, WorktreeError> {
    let announced = announce(&plan, displaced)?;
    let files_total = (plan.removals.len() + plan.writes.len()) as u64;
    let bytes_total = Some(plan.bytes_to_write);
    monitor.phase(Phase { name: "Writing", files_total: Some(files_total), bytes_total });
    let work = Work { root, source, displaced, announced: &announced, monitor, results: Mutex::default() };
    for problem in plan.problems {
        work.problem(problem);
    }
    let mut emptied = BTreeSet::new();
    for item in &plan.removals {
        if monitor.is_cancelled() {
            break;
        }
        work.attempt(&item.path, || work.remove(item));
        emptied.extend(item.path.parent());
    }
    for folder in emptied.iter().rev() {
        root.remove_empty(folder);
    }
    let groups: Vec<&[PlannedItem]> =
        plan.writes.chunk_by(|left, right| left.path.parent() == right.path.parent()).collect();
    groups.par_iter().for_each(|group| work.write_group(group));
    let mut report = work.results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    report.set_aside = displaced.count();
    report.written.sort_by(|left, right| left.path.cmp(&right.path));
    report.removed.sort();
    if monitor.is_cancelled() && report.written.len() + report.removed.len() < files_total as usize {
        report.problems.push(Problem {
            path: AssetPath::root(),
            message: "stopped before everything was written".to_owned(),
        });
    }
    Ok(report)
}

/// Writes down everything that the plan sets aside, before any of it moves.
fn announce(plan: &CheckoutPlan, displaced: &DisplacedSet) -> Result<HashMap<AssetPath, u64>, WorktreeError> {
    let things: Vec<(&AssetPath, Node)> =
        plan.set_aside().filter_map(|item| item.existing.map(|node| (&item.path, node))).collect();
    let numbers = displaced.announce(&things)?;
    Ok(things.into_iter().map(|(path, _)| path.clone()).zip(numbers).collect())
}

struct Work<'a, S> {
    root: &'a Worktree,
    source: &'a S,
    displaced: &'a DisplacedSet,
    announced: &'a HashMap<AssetPath, u64>,
    monitor: &'a dyn Monitor,
    results: Mutex<CheckoutReport>,
}

impl<S: ContentSource> Work<'_, S> {
    fn results(&self) -> std::sync::MutexGuard<'_, CheckoutReport> {
        // Every push leaves the lists whole, so a panic in another thread does not spoil them.
        self.results.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn problem(&self, problem: Problem) {
        self.monitor.problem(problem.clone());
        self.results().problems.push(problem);
    }

    fn attempt(&self, path: &AssetPath, work: impl FnOnce() -> Result<(), WorktreeError>) {
        if let Err(error) = work() {
            self.problem(Problem { path: path.clone(), message: explain(&error) });
        }
    }

    fn write_group(&self, group: &[PlannedItem]) {
        let Some(parent) = group.first().and_then(|item| item.path.parent()) else { return };
        let folder = match self.root.make_dir(&parent) {
            Ok(folder) => folder,
            Err(error) => {
                for item in group {
                    self.problem(Problem { path: item.path.clone(), message: explain(&error) });
                }
                return;
            }
        };
        group.par_iter().for_each(|item| {
            if !self.monitor.is_cancelled() {
                self.attempt(&item.path, || self.write(&folder, item));
            }
        });
    }

    fn remove(&self, item: &PlannedItem) -> Result<(), WorktreeError> {
        let full_path = self.root.full_path(&item.path);
        if let Some(folder) = self.root.open_parent(&item.path).during("opening", &full_path)?
            && !self.clear(&folder, item)?
        {
            // Under another name first, so that a save at this very moment is seen and kept.
            let temporary = temporary_name();
            renameat_with(&folder, item.path.name(), &folder, temporary.as_slice(), RenameFlags::NOREPLACE)
                .during("removing", &full_path)?;
            self.drop_replaced(&folder, item, &temporary)?;
        }
        self.monitor.advance(Advance { files: 1, ..Advance::default() });
        self.results().removed.push(item.path.clone());
        Ok(())
    }

    /// Sets aside what stands at a path when it must not be lost. True when nothing stands there now.
    fn clear(&self, folder: &OwnedFd, item: &PlannedItem) -> Result<bool, WorktreeError> {
        let name = item.path.name();
        let current = match Node::at(folder, name) {
            Ok(node) => node,
            Err(Errno::NOENT) => return Ok(true),
            Err(errno) => return Err(errno).during("looking at", &self.root.full_path(&item.path)),
        };
        // Somebody may have changed it since the plan was made: then it is kept whatever the plan says.
        let is_as_planned = item.existing == Some(current);
        let number = match self.announced.get(&item.path) {
            Some(number) => *number,
            None if is_as_planned => return Ok(false),
            None => match self.displaced.announce(&[(&item.path, current)])?.first() {
                Some(number) => *number,
                None => return Ok(false),
            },
        };
        self.displaced.take(number, folder, name, &item.path, &current)?;
        Ok(true)
    }

    fn write(&self, folder: &OwnedFd, item: &PlannedItem) -> Result<(), WorktreeError> {
        let Some(content) = &item.content else { return Ok(()) };
        let (temporary, size) = match content {
            Content::File { id, size, executable } => {
                (self.write_file(folder, &item.path, *id, *size, *executable)?, *size)
            }
            Content::Symlink { id, size } => (self.write_link(folder, &item.path, *id, *size)?, *size),
            Content::Foreign { .. } => return Err(WorktreeError::Foreign { path: item.path.clone() }),
            Content::Directory { .. } => return Ok(()),
        };
        let placed = self.place(folder, item, &temporary);
        if placed.is_err() {
            // Best effort: a leftover is recognised by its name and ignored by every scan.
            let _ = unlinkat(folder, temporary.as_slice(), AtFlags::empty());
        }
        let stat = placed?;
        self.monitor.advance(Advance { files: 1, bytes: size, ..Advance::default() });
        let written = Written { path: item.path.clone(), content: content.clone(), stat };
        self.results().written.push(written);
        Ok(())
    }

    /// Puts a finished temporary file in its place.
    fn place(
        &self,
        folder: &OwnedFd,
        item: &PlannedItem,
        temporary: &[u8],
    ) -> Result<FileStat, WorktreeError> {
        let (name, full_path) = (item.path.name(), self.root.full_path(&item.path));
        let cleared = self.clear(folder, item)?;
        if !cleared && item.existing.is_some_and(|node| node.kind == NodeKind::Directory) {
            unlinkat(folder, name, AtFlags::REMOVEDIR).during("removing", &full_path)?;
        } else if !cleared {
            // What stands there is known to be stored, if it is still that one: it changes places
            // with the new file, so that a save at this very moment is seen and kept.
            renameat_with(folder, temporary, folder, name, RenameFlags::EXCHANGE)
                .during("writing", &full_path)?;
            self.drop_replaced(folder, item, temporary)?;
            return Ok(Node::at(folder, name).during("looking at", &full_path)?.stat);
        }
        // Whatever appeared since is not replaced: the path is left as it is, and said so.
        renameat_with(folder, temporary, folder, name, RenameFlags::NOREPLACE)
            .during("writing", &full_path)?;
        Ok(Node::at(folder, name).during("looking at", &full_path)?.stat)
    }

    /// Removes a replaced file that now has a temporary name, unless somebody changed it since the
    /// plan was made: then it is set aside.
    fn drop_replaced(
        &self,
        folder: &OwnedFd,
        item: &PlannedItem,
        temporary: &[u8],
    ) -> Result<(), WorktreeError> {
        let full_path = self.root.full_path(&item.path);
        let found = Node::at(folder, temporary).during("looking at", &full_path)?;
        let is_as_planned = item
            .existing
            .is_some_and(|node| node.kind == found.kind && node.stat.is_same_but_renamed(&found.stat));
        if is_as_planned {
            return unlinkat(folder, temporary, AtFlags::empty()).during("removing", &full_path);
        }
        match self.displaced.announce(&[(&item.path, found)])?.first() {
            Some(number) => self.displaced.take(*number, folder, temporary, &item.path, &found),
            None => Ok(()),
        }
    }

    fn write_file(
        &self,
        folder: &OwnedFd,
        path: &AssetPath,
        id: FileId,
        size: u64,
        executable: bool,
    ) -> Result<Vec<u8>, WorktreeError> {
        let temporary = temporary_name();
        let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = openat(folder, temporary.as_slice(), flags, mode)
            .during("writing", &self.root.full_path(path))?;
        let mut file = File::from(handle);
        if let Err(error) = self.source.write_to(id, size, &mut file) {
            let _ = unlinkat(folder, temporary.as_slice(), AtFlags::empty());
            return Err(WorktreeError::Content { path: path.clone(), source: Box::new(error) });
        }
        Ok(temporary)
    }

    fn write_link(
        &self,
        folder: &OwnedFd,
        path: &AssetPath,
        id: FileId,
        size: u64,
    ) -> Result<Vec<u8>, WorktreeError> {
        let target = self
            .source
            .read_small(id, size)
            .map_err(|error| WorktreeError::Content { path: path.clone(), source: Box::new(error) })?;
        let temporary = temporary_name();
        symlinkat(target.as_slice(), folder, temporary.as_slice())
            .during("writing", &self.root.full_path(path))?;
        Ok(temporary)
    }
}

/// A name that no other file has and that every scan knows for a half-written one.
fn temporary_name() -> Vec<u8> {
    let number = TEMPORARY_NUMBER.fetch_add(1, Ordering::Relaxed);
    let process = u64::from(std::process::id());
    let mut name = TEMPORARY_PREFIX.to_vec();
    name.extend_from_slice(format!("{:08x}{:08x}", process & 0xffff_ffff, number & 0xffff_ffff).as_bytes());
    name
}

/// The error with its causes in one line.
fn explain(error: &WorktreeError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

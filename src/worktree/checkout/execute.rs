//! Carries out a plan.

use super::place::Placer;
use super::{Action, CheckoutPlan, ContentSource, LinkPolicy, Replaces, Step};
use crate::base::id::FileId;
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::object::tree_walk::tree_order;
use crate::rules::portable::link_leads_outside;
use crate::worktree::clock::FsClock;
use crate::worktree::displaced::{Displacer, Slot};
use crate::worktree::error::Result;
use crate::worktree::index::Fresh;
use crate::worktree::moving::temporary_name;
use crate::worktree::root::Worktree;
use crate::worktree::stat::{FileStat, Node, NodeKind};
use rayon::prelude::*;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Files written by one task: enough to be worth opening their folder, few enough to share the work.
const STEPS_PER_TASK: usize = 64;
/// From this many files on it is worth waiting a tick so that the next status reads none of them again.
const SETTLE_FROM_FILES: usize = 64;

/// Why one path could not be brought to its state.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file system would not.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The content could not be had.
    #[error(transparent)]
    Content(Box<dyn Error + Send + Sync>),
    /// The content has another length than the tree says.
    #[error("its content has {actual} bytes instead of {expected}")]
    Size { expected: u64, actual: u64 },
    /// The link points out of the worktree and that was not allowed.
    #[error("it is a link that points outside of the repository")]
    LinkOutside,
    /// A folder took its place since the plan was made.
    #[error("a folder is in its place")]
    Folder,
}

impl From<rustix::io::Errno> for Failure {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(io::Error::from(error))
    }
}

/// One path that is not as it should be.
#[derive(Debug)]
pub struct Failed {
    /// The path.
    pub path: AssetPath,
    /// Why.
    pub failure: Failure,
}

/// What was done.
#[derive(Debug, Default)]
pub struct CheckoutReport {
    /// Files that were written or whose mode was set, in tree order: what to tell the index.
    pub written: Vec<Fresh>,
    /// Bytes written.
    pub bytes_written: u64,
    /// Files removed.
    pub removed: u64,
    /// Id of the set in which things were put aside, when there were any.
    pub displaced: Option<String>,
    /// Paths that are not as they should be, in tree order.
    pub failed: Vec<Failed>,
    /// Steps that were not begun because the user asked to stop or the disk was full.
    pub not_begun: u64,
    /// Whether the disk was full.
    pub disk_full: bool,
}

/// Carries out a plan. With a clock it is found out which of the written files can be remembered.
/// Durable first: where things are put aside; the journal entry is the caller's.
///
/// # Errors
/// Only when what is to be put aside cannot be listed durably, before anything was changed, or when
/// it cannot be synced at the end. Everything else is told path by path in the report.
pub fn execute<S: ContentSource>(
    plan: &CheckoutPlan,
    worktree: &Worktree,
    source: &S,
    displacer: &Displacer,
    links: LinkPolicy,
    clock: Option<&FsClock>,
    monitor: &dyn Monitor,
) -> Result<CheckoutReport> {
    let kept: Vec<AssetPath> = plan.kept().map(|step| step.path.clone()).collect();
    let slots: HashMap<AssetPath, Slot> = kept.iter().cloned().zip(displacer.announce(&kept)?).collect();
    let run = Run {
        worktree,
        source,
        placer: Placer { displacer, slots: &slots },
        links,
        monitor,
        disk_full: AtomicBool::new(false),
        not_begun: AtomicU64::new(0),
    };
    monitor.phase(Phase {
        name: "Writing",
        files_total: Some(plan.steps.len() as u64),
        bytes_total: Some(plan.bytes_to_write),
    });
    let mut report = CheckoutReport::default();
    run.remove_all(plan, &mut report);
    run.clear_folders(plan, &mut report);
    run.make_folders(plan, &mut report);
    run.write_all(plan, &mut report);
    displacer.sync()?;
    report.displaced = displacer.id();
    report.not_begun = run.not_begun.into_inner();
    report.disk_full = run.disk_full.into_inner();
    report.written.sort_by(|left, right| tree_order(&left.path, &right.path));
    report.failed.sort_by(|left, right| tree_order(&left.path, &right.path));
    if let Some(clock) = clock {
        settle(&mut report.written, clock);
    }
    Ok(report)
}

/// Says which of the written files can be trusted to look different once somebody changes them.
fn settle(written: &mut [Fresh], clock: &FsClock) {
    let latest = written.iter().map(|fresh| fresh.stat).max_by_key(|stat| stat.ctime_ns);
    match latest {
        Some(latest) if written.len() >= SETTLE_FROM_FILES => drop(clock.settle(&latest)),
        _ => drop(clock.ask()),
    }
    let now = clock.latest();
    written.iter_mut().for_each(|fresh| fresh.settled = fresh.stat.is_settled(now));
}

struct Run<'a, S> {
    worktree: &'a Worktree,
    source: &'a S,
    placer: Placer<'a>,
    links: LinkPolicy,
    monitor: &'a dyn Monitor,
    disk_full: AtomicBool,
    not_begun: AtomicU64,
}

/// What one step did.
enum Done {
    Written { fresh: Fresh, bytes: u64 },
    Removed,
    Failed(Failed),
}

impl<S: ContentSource> Run<'_, S> {
    fn remove_all(&self, plan: &CheckoutPlan, report: &mut CheckoutReport) {
        let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.action == Action::Remove).collect();
        self.in_parallel(&steps, report, |folder, step| match Node::at(folder, step.path.name()) {
            Ok(Node { kind: NodeKind::Directory, .. }) => Err(Failure::Folder),
            _ => Ok(self.placer.remove(folder, &step.path, step.replaces).map(|()| Done::Removed)?),
        });
        self.remove_emptied(plan, &steps);
    }

    /// Removes folders that the removals left empty, unless something will be written in them.
    fn remove_emptied(&self, plan: &CheckoutPlan, removed: &[&Step]) {
        let needed = folders_needed(plan);
        let mut folders: BTreeSet<AssetPath> =
            removed.iter().flat_map(|step| folders_above(&step.path)).collect();
        // The last in byte order first: what lies in a folder follows it.
        while let Some(folder) = folders.pop_last() {
            if needed.contains(&folder) {
                continue;
            }
            if let Ok(Some(parent)) = self.worktree.open_parent(&folder) {
                // A folder that is not empty stays: that is what the error says.
                let _ = rustix::fs::unlinkat(&parent, folder.name(), AtFlags::REMOVEDIR);
            }
        }
    }

    /// Puts aside folders that stand where files must be, with what is still in them.
    fn clear_folders(&self, plan: &CheckoutPlan, report: &mut CheckoutReport) {
        let replaced = plan.steps.iter().filter(|step| step.replaces == Replaces::Folder);
        for path in replaced.map(|step| &step.path).chain(&plan.ways) {
            let cleared = self.worktree.open_parent(path).and_then(|parent| {
                let Some(parent) = parent else { return Ok(()) };
                match rustix::fs::unlinkat(&parent, path.name(), AtFlags::REMOVEDIR) {
                    // It is gone, or whoever puts something there deals with what came instead.
                    Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
                    Err(_) => self.placer.keep(&parent, path.name(), path),
                }
            });
            if let Err(error) = cleared {
                report.failed.push(Failed { path: path.clone(), failure: Failure::Io(error) });
            }
        }
    }

    fn make_folders(&self, plan: &CheckoutPlan, report: &mut CheckoutReport) {
        for folder in folders_needed(plan) {
            if let Err(error) = self.worktree.make_folders(&folder) {
                let failure = Failure::Io(error);
                // Those who write into it fail as well, each with its own path.
                if !self.note_full(&failure) {
                    report.failed.push(Failed { path: folder, failure });
                }
            }
        }
    }

    fn write_all(&self, plan: &CheckoutPlan, report: &mut CheckoutReport) {
        let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.action != Action::Remove).collect();
        self.in_parallel(&steps, report, |folder, step| match &step.action {
            Action::Write { content: Content::Symlink { id, size } } => {
                self.write_link(folder, step, *id, *size)
            }
            Action::Write { content: Content::File { id, size, executable } } => {
                self.write_file(folder, step, *id, *size, *executable)
            }
            Action::SetMode { id, executable } => set_mode(folder, step, *id, *executable),
            // The planner makes steps of nothing else.
            Action::Write { .. } | Action::Remove => Ok(Done::Removed),
        });
    }

    /// Carries out steps, those of one folder together, each in its open folder.
    fn in_parallel(
        &self,
        steps: &[&Step],
        report: &mut CheckoutReport,
        act: impl Fn(&OwnedFd, &Step) -> Result<Done, Failure> + Sync,
    ) {
        let same_folder = |left: &&Step, right: &&Step| left.path.parent() == right.path.parent();
        let tasks: Vec<&[&Step]> =
            steps.chunk_by(same_folder).flat_map(|group| group.chunks(STEPS_PER_TASK)).collect();
        let done: Vec<Vec<Done>> = tasks.par_iter().map(|task| self.run_task(task, &act)).collect();
        for done in done.into_iter().flatten() {
            match done {
                Done::Written { fresh, bytes } => {
                    report.bytes_written += bytes;
                    report.written.push(fresh);
                }
                Done::Removed => report.removed += 1,
                Done::Failed(failed) => report.failed.push(failed),
            }
        }
    }

    fn run_task(
        &self,
        task: &[&Step],
        act: &(impl Fn(&OwnedFd, &Step) -> Result<Done, Failure> + Sync),
    ) -> Vec<Done> {
        let Some(first) = task.first() else { return Vec::new() };
        let folder = match self.worktree.open_parent(&first.path) {
            Ok(Some(folder)) => folder,
            // Nothing to remove where there is no folder; what is to be written has no place.
            Ok(None) => return task.iter().filter_map(|step| without_folder(step)).collect(),
            Err(error) => {
                let failed = |step: &&Step| fail(step, Failure::Io(io::Error::from(error.kind())));
                return task.iter().map(failed).collect();
            }
        };
        let mut done = Vec::with_capacity(task.len());
        for step in task {
            if self.monitor.is_cancelled() || self.disk_full.load(Ordering::Relaxed) {
                self.not_begun.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let outcome = act(&folder, step);
            let is_stopped = match &outcome {
                Err(Failure::Content(_)) if self.monitor.is_cancelled() => true,
                Err(failure) => self.note_full(failure),
                Ok(_) => false,
            };
            if is_stopped {
                self.not_begun.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            // Whoever gives the content out has told of its bytes.
            self.monitor.advance(Advance { files: 1, bytes: 0, bytes_shared: 0 });
            done.push(outcome.unwrap_or_else(|failure| fail(step, failure)));
        }
        done
    }

    /// Whether something failed because the disk is full; then nothing more is begun.
    fn note_full(&self, failure: &Failure) -> bool {
        let is_full = is_disk_full(failure);
        if is_full {
            self.disk_full.store(true, Ordering::Relaxed);
        }
        is_full
    }

    fn write_file(
        &self,
        folder: &OwnedFd,
        step: &Step,
        id: FileId,
        size: u64,
        executable: bool,
    ) -> Result<Done, Failure> {
        let temporary = temporary_name();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
        let mut file = File::from(rustix::fs::openat(folder, temporary.as_slice(), flags, mode)?);
        let placed = self
            .source
            .write_to(id, size, &mut file)
            .map_err(content_failure)
            .and_then(|()| check_size(&file, size))
            .and_then(|()| Ok(self.placer.put(folder, &temporary, &step.path, step.replaces)?));
        if placed.is_err() {
            drop_own(folder, &temporary, FileStat::of(&file)?.inode);
        }
        placed?;
        // Renaming changed its times.
        let stat = FileStat::of(&file)?;
        Ok(Done::Written { fresh: fresh(step, id, stat), bytes: size })
    }

    fn write_link(&self, folder: &OwnedFd, step: &Step, id: FileId, size: u64) -> Result<Done, Failure> {
        let target = self.source.read(id, size).map_err(content_failure)?;
        let leads_outside = link_leads_outside(step.path.as_bytes(), &target);
        if self.links == LinkPolicy::InsideOnly && leads_outside {
            return Err(Failure::LinkOutside);
        }
        let temporary = temporary_name();
        rustix::fs::symlinkat(target.as_slice(), folder, temporary.as_slice())?;
        let own = Node::at(folder, temporary.as_slice())?.stat.inode;
        let placed = self.placer.put(folder, &temporary, &step.path, step.replaces);
        if placed.is_err() {
            drop_own(folder, &temporary, own);
        }
        placed?;
        let stat = Node::at(folder, step.path.name())?.stat;
        Ok(Done::Written { fresh: fresh(step, id, stat), bytes: size })
    }
}

fn fail(step: &Step, failure: Failure) -> Done {
    Done::Failed(Failed { path: step.path.clone(), failure })
}

/// Whether a full disk or a used-up quota is at the bottom of a failure.
fn is_disk_full(failure: &Failure) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = match failure {
        Failure::Io(error) => Some(error),
        Failure::Content(error) => Some(error.as_ref()),
        _ => None,
    };
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        next = error.source();
    }
    false
}

fn set_mode(folder: &OwnedFd, step: &Step, id: FileId, executable: bool) -> Result<Done, Failure> {
    let Replaces::Committed(expected) = step.replaces else { return Ok(Done::Removed) };
    let file = crate::worktree::root::open_file_at(folder, step.path.name())?;
    let before = rustix::fs::fstat(&file)?;
    if Node::from_system(&before) != expected {
        let changed = io::Error::new(io::ErrorKind::ResourceBusy, "it changed since the plan was made");
        return Err(Failure::Io(changed));
    }
    let mode = before.st_mode & 0o7777;
    // Whoever may read it may run it.
    let mode = if executable { mode | ((mode & 0o444) >> 2) } else { mode & !0o111 };
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    let stat = FileStat::of(&file)?;
    // A write in between would be taken for clean ever after if the index were told of these times.
    if !stat.is_same_but_renamed(&expected.stat) {
        let changed = io::Error::new(io::ErrorKind::ResourceBusy, "a program is writing to it");
        return Err(Failure::Io(changed));
    }
    Ok(Done::Written { fresh: fresh(step, id, stat), bytes: 0 })
}

/// Removes a half-written file, if the name still means the one we wrote: after an exchange it may
/// hold what was replaced.
fn drop_own(folder: &OwnedFd, temporary: &[u8], inode: u64) {
    if Node::at(folder, temporary).is_ok_and(|node| node.stat.inode == inode) {
        // Should it fail, the next scan finds it among the leftovers.
        let _ = rustix::fs::unlinkat(folder, temporary, AtFlags::empty());
    }
}

fn without_folder(step: &Step) -> Option<Done> {
    if step.action == Action::Remove {
        return None;
    }
    let failure = Failure::Io(io::Error::new(io::ErrorKind::NotADirectory, "its folder is not there"));
    Some(Done::Failed(Failed { path: step.path.clone(), failure }))
}

fn fresh(step: &Step, id: FileId, stat: FileStat) -> Fresh {
    Fresh { path: step.path.clone(), id, stat, settled: false }
}

fn content_failure(error: impl Error + Send + Sync + 'static) -> Failure {
    Failure::Content(Box::new(error))
}

fn check_size(file: &File, expected: u64) -> Result<(), Failure> {
    let actual = FileStat::of(file)?.size;
    if actual == expected { Ok(()) } else { Err(Failure::Size { expected, actual }) }
}

/// The folders that files will be written in, the higher ones first.
fn folders_needed(plan: &CheckoutPlan) -> BTreeSet<AssetPath> {
    let written = plan.steps.iter().filter(|step| step.action != Action::Remove);
    written.flat_map(|step| folders_above(&step.path)).collect()
}

/// The folders above a path, without the top.
fn folders_above(path: &AssetPath) -> impl Iterator<Item = AssetPath> {
    std::iter::successors(path.parent(), AssetPath::parent).filter(|folder| !folder.is_root())
}

//! Looks at what is there and says what would be done.

use super::{Action, CheckoutPlan, Replaces, Step, Wanted, check_path};
use crate::base::id::FileId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::object::tree::{Content, ForeignAlgorithm};
use crate::object::tree_walk::tree_order;
use crate::rules::portable::portability;
use crate::worktree::error::{Result, WorktreeError};
use crate::worktree::index::Index;
use crate::worktree::root::Worktree;
use crate::worktree::seen::Seen;
use crate::worktree::stat::{Node, NodeKind};
use rayon::prelude::*;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::collections::HashSet;
use std::io;

/// Paths looked at by one task.
const PATHS_PER_TASK: usize = 256;

/// What a file that stands somewhere is known to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownContent {
    /// The content.
    pub id: FileId,
    /// Whether the repository really has it, so that the file can be given up.
    pub is_held: bool,
}

/// Says what a file holds that stands somewhere, where that is known without the index.
pub type IsStored<'a> = &'a (dyn Fn(&AssetPath, &Node) -> Option<KnownContent> + Sync);

/// Whether the repository really has a content of so many bytes: it was not erased, and nothing that
/// it is made of is lost as far as can be seen.
pub type IsHeld<'a> = &'a (dyn Fn(FileId, u64) -> bool + Sync);

/// What a plan is made from.
pub struct PlanInput<'a> {
    /// The user's folder.
    pub worktree: &'a Worktree,
    /// The remembered state: what it says is unchanged need not be kept if the repository has it.
    pub index: Option<&'a Index>,
    /// Remembered hashes of files that are not as committed.
    pub seen: Option<&'a Seen>,
    /// What else is known to be in the repository, such as files that were just taken in.
    pub stored: IsStored<'a>,
    /// Whether what was committed is still to be had.
    pub is_held: IsHeld<'a>,
    /// What the paths should become.
    pub wanted: &'a [Wanted],
}

/// Makes a plan. Only looks; changes nothing.
///
/// # Errors
/// When the index is damaged or the user asked to stop.
pub fn plan(input: &PlanInput<'_>, monitor: &dyn Monitor) -> Result<CheckoutPlan> {
    let mut wanted: Vec<&Wanted> = input.wanted.iter().collect();
    wanted.sort_by(|left, right| tree_order(&left.path, &right.path));
    wanted.dedup_by(|later, earlier| later.path == earlier.path);
    let removed: HashSet<&AssetPath> =
        wanted.iter().filter(|wanted| wanted.content.is_none()).map(|wanted| &wanted.path).collect();
    let filled: HashSet<&AssetPath> = wanted
        .iter()
        .filter(|wanted| wanted.content.as_ref().is_some_and(|content| !content.is_directory()))
        .map(|wanted| &wanted.path)
        .collect();
    let parts: Result<Vec<CheckoutPlan>> = wanted
        .par_chunks(PATHS_PER_TASK)
        .map(|paths| {
            if monitor.is_cancelled() {
                return Err(WorktreeError::Cancelled);
            }
            let mut planner = Planner {
                input,
                removed: &removed,
                filled: &filled,
                part: CheckoutPlan::default(),
                folder: None,
                ways_checked: false,
                is_below_file: false,
            };
            paths.iter().try_for_each(|wanted| planner.path(wanted))?;
            Ok(planner.part)
        })
        .collect();
    let mut whole = CheckoutPlan::default();
    for part in parts? {
        whole.steps.extend(part.steps);
        whole.unchanged += part.unchanged;
        whole.refused.extend(part.refused);
        whole.unavailable.extend(part.unavailable);
        whole.hazards.extend(part.hazards);
        whole.unreadable.extend(part.unreadable);
        whole.bytes_to_write = whole.bytes_to_write.saturating_add(part.bytes_to_write);
    }
    // Several files below one thing in the way each found it.
    whole.steps.sort_by(|left, right| tree_order(&left.path, &right.path));
    whole.steps.dedup_by(|later, earlier| later.path == earlier.path);
    Ok(whole)
}

/// Plans some of the paths, which come in tree order.
struct Planner<'a> {
    input: &'a PlanInput<'a>,
    removed: &'a HashSet<&'a AssetPath>,
    /// Paths at which files and links shall stand: nothing can stand below them.
    filled: &'a HashSet<&'a AssetPath>,
    part: CheckoutPlan,
    /// The folder of the last path, held open when it exists.
    folder: Option<(AssetPath, Option<OwnedFd>)>,
    /// Whether what stands in the way of that folder was planned for.
    ways_checked: bool,
    /// Whether a file or link is wanted in the place of that folder or of one above it.
    is_below_file: bool,
}

impl Planner<'_> {
    fn path(&mut self, wanted: &Wanted) -> Result<()> {
        let path = &wanted.path;
        if let Err(hazard) = check_path(path) {
            self.part.refused.push((path.clone(), hazard));
            return Ok(());
        }
        let node = match self.look(path) {
            Ok(node) => node,
            Err(error) => {
                self.part.unreadable.push((path.clone(), error.kind()));
                return Ok(());
            }
        };
        match &wanted.content {
            None => return self.removal(path, node),
            Some(Content::Directory { .. }) => return Ok(()),
            // A submodule is a repository of its own: its files are not for this one to bring.
            Some(Content::Foreign { algorithm: ForeignAlgorithm::GitCommitSha1, .. }) => return Ok(()),
            Some(Content::Foreign { .. }) => self.part.unavailable.push(path.clone()),
            Some(_) if self.is_below_file => {
                self.part.unreadable.push((path.clone(), io::ErrorKind::NotADirectory));
            }
            Some(content) => {
                if let Some(hazard) = portability(path.name()) {
                    self.part.hazards.push((path.clone(), hazard));
                }
                if matches!(self.folder, Some((_, None))) && !self.ways_checked {
                    self.what_blocks(&path.parent().unwrap_or_default());
                    self.ways_checked = true;
                }
                return self.write(path, content, node);
            }
        }
        Ok(())
    }

    /// Looks at a path through its folder, which is opened once for all its files.
    fn look(&mut self, path: &AssetPath) -> io::Result<Option<Node>> {
        let parent = path.parent().unwrap_or_default();
        if self.folder.as_ref().is_none_or(|(open, _)| *open != parent) {
            let mut above = std::iter::successors(Some(parent.clone()), AssetPath::parent);
            self.is_below_file = above.any(|folder| self.filled.contains(&folder));
            self.folder = Some((parent, self.input.worktree.open_parent(path)?));
            self.ways_checked = false;
        }
        let Some((_, Some(folder))) = &self.folder else { return Ok(None) };
        match Node::at(folder, path.name()) {
            Ok(node) => Ok(Some(node)),
            Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn removal(&mut self, path: &AssetPath, node: Option<Node>) -> Result<()> {
        match node {
            // A folder in the place of a file that should go is somebody's work: it stays.
            None | Some(Node { kind: NodeKind::Directory, .. }) => self.part.unchanged += 1,
            Some(node) => {
                let replaces = known(self.input, path, &node)?.replaces(self.input, node);
                self.part.steps.push(Step { path: path.clone(), action: Action::Remove, replaces });
            }
        }
        Ok(())
    }

    fn write(&mut self, path: &AssetPath, content: &Content, node: Option<Node>) -> Result<()> {
        let part = &mut self.part;
        let Some(node) = node else {
            part.write(path, content, Replaces::Nothing);
            return Ok(());
        };
        if node.kind == NodeKind::Directory {
            part.write(path, content, Replaces::Folder);
            return Ok(());
        }
        let known = known(self.input, path, &node)?;
        match (content, node.kind) {
            (Content::Symlink { id, .. }, NodeKind::Symlink) if known.id == Some(*id) => part.unchanged += 1,
            (Content::File { id, executable, .. }, NodeKind::File { executable: now })
                if known.id == Some(*id) =>
            {
                if *executable == now {
                    part.unchanged += 1;
                } else {
                    let action = Action::SetMode { id: *id, executable: *executable };
                    part.steps.push(Step { path: path.clone(), action, replaces: Replaces::Committed(node) });
                }
            }
            _ => part.write(path, content, known.replaces(self.input, node)),
        }
        Ok(())
    }

    /// Plans to put aside a file or link that stands where a folder must be, unless it goes anyway.
    fn what_blocks(&mut self, folder: &AssetPath) {
        let mut above = Some(folder.clone());
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            match self.input.worktree.look(&folder) {
                Ok(Some(Node { kind: NodeKind::Directory, .. })) => return,
                Ok(Some(_)) if self.removed.contains(&folder) => return,
                Ok(Some(node)) => {
                    let replaces = Replaces::Kept(node);
                    self.part.steps.push(Step { path: folder, action: Action::Remove, replaces });
                    return;
                }
                Ok(None) => {}
                Err(error) => {
                    self.part.unreadable.push((folder, error.kind()));
                    return;
                }
            }
            above = folder.parent();
        }
    }
}

impl CheckoutPlan {
    fn write(&mut self, path: &AssetPath, content: &Content, replaces: Replaces) {
        if let Content::File { size, .. } = content {
            self.bytes_to_write = self.bytes_to_write.saturating_add(*size);
        }
        let action = Action::Write { content: content.clone() };
        self.steps.push(Step { path: path.clone(), action, replaces });
    }
}

/// What is known about the content of something on disk without reading it.
struct Known {
    id: Option<FileId>,
    /// Whether it was committed, or is kept with uncommitted work.
    is_committed: bool,
    /// Whether the repository really has it, where somebody has looked.
    is_held: Option<bool>,
}

impl Known {
    /// The file may be the only one to have what was committed: bytes are erased, and disks lose packs.
    fn replaces(&self, input: &PlanInput<'_>, node: Node) -> Replaces {
        let is_held = |id| self.is_held.unwrap_or_else(|| (input.is_held)(id, node.stat.size));
        if self.is_committed && self.id.is_some_and(is_held) {
            Replaces::Committed(node)
        } else {
            Replaces::Kept(node)
        }
    }
}

fn known(input: &PlanInput<'_>, path: &AssetPath, node: &Node) -> Result<Known> {
    let record = input.index.map(|index| index.find(path)).transpose()?.flatten();
    let same_kind = record.filter(|record| match node.kind {
        NodeKind::File { .. } => record.is_file(),
        NodeKind::Symlink => record.is_symlink(),
        _ => false,
    });
    let committed = same_kind.and_then(|record| record.file_id());
    let same_mode = match (same_kind.map(|record| record.content()).transpose()?, node.kind) {
        (Some(Content::File { executable, .. }), NodeKind::File { executable: now }) => executable == now,
        _ => true,
    };
    if same_kind.is_some_and(|record| record.stat() == Some(node.stat)) {
        return Ok(Known { id: committed, is_committed: same_mode, is_held: None });
    }
    if let Some(known) = (input.stored)(path, node) {
        return Ok(Known { id: Some(known.id), is_committed: true, is_held: Some(known.is_held) });
    }
    let seen = input.seen.and_then(|seen| seen.find(path, &node.stat)).map(|seen| seen.id);
    let is_committed = same_mode && seen.is_some() && seen == committed;
    Ok(Known { id: seen, is_committed, is_held: None })
}

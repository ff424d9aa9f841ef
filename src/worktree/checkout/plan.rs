//! What a checkout would do.

use crate::base::monitor::{Monitor, Problem};
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::rules::portable::check_entry_name;
use crate::worktree::checkout::{IsStored, Target};
use crate::worktree::error::{During as _, WorktreeError};
use crate::worktree::root::Worktree;
use crate::worktree::stat::{Node, NodeKind};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::collections::{BTreeMap, HashSet};

/// One path of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedItem {
    /// Where.
    pub path: AssetPath,
    /// What to put there; `None` for nothing.
    pub content: Option<Content>,
    /// What stands there now; `None` for nothing.
    pub existing: Option<Node>,
    /// Whether what stands there is set aside, because it is nowhere else.
    pub set_aside: bool,
}

/// What a checkout would do, in the order in which it does it.
#[derive(Debug, Default)]
pub struct CheckoutPlan {
    /// Things that go, deepest first.
    pub removals: Vec<PlannedItem>,
    /// Things that are written, by folder.
    pub writes: Vec<PlannedItem>,
    /// Bytes that are written.
    pub bytes_to_write: u64,
    /// Problems with single paths, which are left as they are.
    pub problems: Vec<Problem>,
}

impl CheckoutPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.removals.is_empty() && self.writes.is_empty()
    }

    /// Everything that will be set aside.
    pub fn set_aside(&self) -> impl Iterator<Item = &PlannedItem> {
        self.removals.iter().chain(&self.writes).filter(|item| item.set_aside)
    }
}

/// Plans to make `targets` true. Each path stands at most once among them; folders are not named,
/// they come and go with what is in them.
pub fn plan(
    root: &Worktree,
    targets: Vec<Target>,
    is_stored: IsStored<'_>,
    monitor: &dyn Monitor,
) -> Result<CheckoutPlan, WorktreeError> {
    let mut planner = Planner { is_stored, plan: CheckoutPlan::default(), cleared: HashSet::new() };
    let (gone, wanted): (Vec<Target>, Vec<Target>) =
        targets.into_iter().partition(|target| target.content.is_none());
    // What goes is planned first: a file that goes may stand where a folder is needed.
    for target in gone {
        planner.removal(root, target.path)?;
    }
    let mut by_folder: BTreeMap<AssetPath, Vec<Target>> = BTreeMap::new();
    for target in wanted {
        let parent = target.path.parent().unwrap_or_default();
        by_folder.entry(parent).or_default().push(target);
    }
    for (folder, targets) in by_folder {
        if monitor.is_cancelled() {
            return Err(WorktreeError::Cancelled);
        }
        planner.writes(root, &folder, targets)?;
    }
    planner.plan.removals.sort_by(|left, right| right.path.cmp(&left.path));
    Ok(planner.plan)
}

struct Planner<'a> {
    is_stored: IsStored<'a>,
    plan: CheckoutPlan,
    /// Paths at which nothing stands once the removals are done.
    cleared: HashSet<AssetPath>,
}

impl Planner<'_> {
    fn removal(&mut self, root: &Worktree, path: AssetPath) -> Result<(), WorktreeError> {
        let Some(existing) = root.look(&path).during("looking at", &root.full_path(&path))? else {
            return Ok(());
        };
        if existing.kind == NodeKind::Directory {
            return Ok(());
        }
        let set_aside = !(self.is_stored)(&path, &existing);
        self.cleared.insert(path.clone());
        self.plan.removals.push(PlannedItem { path, content: None, existing: Some(existing), set_aside });
        Ok(())
    }

    fn writes(
        &mut self,
        root: &Worktree,
        folder: &AssetPath,
        targets: Vec<Target>,
    ) -> Result<(), WorktreeError> {
        if let Some(hazard) = folder.names().find_map(|name| check_entry_name(name).err()) {
            for target in targets {
                let error = WorktreeError::Refused { path: target.path.clone(), hazard };
                self.plan.problems.push(Problem { path: target.path, message: error.to_string() });
            }
            return Ok(());
        }
        if let Some(obstacle) = root.obstacle(folder)? {
            self.clear_obstacle(root, obstacle)?;
        }
        let full_path = root.full_path(folder);
        let inside = targets.first().map(|target| target.path.clone()).unwrap_or_default();
        let open = root.open_parent(&inside).during("opening", &full_path)?;
        for target in targets {
            let existing = match &open {
                Some(open) => look(open, &target.path).during("looking at", &root.full_path(&target.path))?,
                None => None,
            };
            self.write(target, existing);
        }
        Ok(())
    }

    /// A file or link stands where a folder is needed: it goes.
    fn clear_obstacle(&mut self, root: &Worktree, obstacle: AssetPath) -> Result<(), WorktreeError> {
        if self.cleared.contains(&obstacle) { Ok(()) } else { self.removal(root, obstacle) }
    }

    fn write(&mut self, target: Target, existing: Option<Node>) {
        let Some(content) = target.content else { return };
        if let Err(hazard) = check_entry_name(target.path.name()) {
            let error = WorktreeError::Refused { path: target.path.clone(), hazard };
            self.plan.problems.push(Problem { path: target.path, message: error.to_string() });
            return;
        }
        match &content {
            Content::Foreign { .. } => {
                let error = WorktreeError::Foreign { path: target.path.clone() };
                self.plan.problems.push(Problem { path: target.path, message: error.to_string() });
                return;
            }
            Content::Directory { .. } => return,
            Content::File { size, .. } | Content::Symlink { size, .. } => self.plan.bytes_to_write += size,
        }
        let existing = existing.filter(|_| !self.cleared.contains(&target.path));
        let set_aside = existing.is_some_and(|stat| !(self.is_stored)(&target.path, &stat));
        self.plan.writes.push(PlannedItem { path: target.path, content: Some(content), existing, set_aside });
    }
}

fn look(folder: &OwnedFd, path: &AssetPath) -> std::io::Result<Option<Node>> {
    match Node::at(folder, path.name()) {
        Ok(node) => Ok(Some(node)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

//! What a checkout would do.

use crate::base::monitor::{Monitor, Problem};
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::rules::portable::check_entry_name;
use crate::worktree::checkout::{IsStored, Target};
use crate::worktree::error::WorktreeError;
use crate::worktree::folder::Folder;
use crate::worktree::stat::{FileKind, FileStat};
use std::collections::{BTreeMap, HashSet};

/// One path of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedItem {
    /// Where.
    pub path: AssetPath,
    /// What to put there; `None` for nothing.
    pub content: Option<Content>,
    /// What stands there now; `None` for nothing.
    pub existing: Option<FileStat>,
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
    root: &Folder,
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
    fn removal(&mut self, root: &Folder, path: AssetPath) -> Result<(), WorktreeError> {
        let parent = path.parent().unwrap_or_default();
        let folder = match root.open(&parent) {
            Ok(Some(folder)) => folder,
            // Nothing is there, or something else stands in the way, so the path itself is gone already.
            Ok(None) | Err(WorktreeError::Obstructed { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(existing) = look(&folder, &path)? else { return Ok(()) };
        if existing.kind == FileKind::Directory {
            return Ok(());
        }
        let set_aside = !(self.is_stored)(&path, &existing);
        self.cleared.insert(path.clone());
        self.plan.removals.push(PlannedItem { path, content: None, existing: Some(existing), set_aside });
        Ok(())
    }

    fn writes(
        &mut self,
        root: &Folder,
        folder: &AssetPath,
        targets: Vec<Target>,
    ) -> Result<(), WorktreeError> {
        if let Some(hazard) = folder.names().find_map(|name| check_entry_name(name).err()) {
            for target in targets {
                let error = WorktreeError::Hazard { path: target.path.clone(), hazard };
                self.plan.problems.push(Problem { path: target.path, message: error.to_string() });
            }
            return Ok(());
        }
        let open = match root.open(folder) {
            Ok(open) => open,
            Err(WorktreeError::Obstructed { obstacle, .. }) => {
                self.clear_obstacle(root, obstacle)?;
                None
            }
            Err(error) => return Err(error),
        };
        for target in targets {
            let existing = match &open {
                Some(open) => look(open, &target.path)?,
                None => None,
            };
            self.write(target, existing);
        }
        Ok(())
    }

    /// A file or link stands where a folder is needed: it goes.
    fn clear_obstacle(&mut self, root: &Folder, obstacle: AssetPath) -> Result<(), WorktreeError> {
        if self.cleared.contains(&obstacle) { Ok(()) } else { self.removal(root, obstacle) }
    }

    fn write(&mut self, target: Target, existing: Option<FileStat>) {
        let Some(content) = target.content else { return };
        if let Err(hazard) = check_entry_name(target.path.name()) {
            let error = WorktreeError::Hazard { path: target.path.clone(), hazard };
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

fn look(folder: &Folder, path: &AssetPath) -> Result<Option<FileStat>, WorktreeError> {
    FileStat::at(folder, path.name()).map_err(|source| WorktreeError::Io {
        action: "looking at",
        path: path.clone(),
        source,
    })
}

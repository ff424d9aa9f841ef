//! Content that is not here, when a command needs it: it is asked for, or the command says what is missing
//! before it changes anything.

use crate::app::common::keep;
use crate::app::common::remotes::{Reach, open_remote};
use crate::app::error::AppError;
use crate::base::id::{CommitId, FileId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::object::source::ObjectSource as _;
use crate::object::tree::{Content, TreeNode};
use crate::object::tree_walk::{TreeWalk, entry_at};
use crate::repo::at_hand::AtHand;
use crate::repo::history::Walk;
use crate::repo::partial::{ContentSupplier, SupplyError};
use crate::repo::{RepoError, Repository, View};
use crate::sync::fetch::fetch_content;
use crate::sync::tracking::{DEFAULT_REMOTE, remote_records};
use crate::sync::walk::NewFile;
use std::collections::{HashMap, HashSet};

/// A file whose content is wanted, with its size in bytes.
pub type WantedFile = (FileId, u64);

/// Asks the remotes of a repository, `origin` first.
pub struct FromRemotes {
    reach: Reach,
}

impl FromRemotes {
    /// Reaches remotes in this way.
    pub const fn new(reach: Reach) -> Self {
        Self { reach }
    }

    fn ask(
        &self,
        repository: &Repository,
        files: &[WantedFile],
        monitor: &dyn Monitor,
    ) -> Result<(), AppError> {
        let mut names: Vec<String> =
            remote_records(&repository.view()?)?.into_iter().map(|(name, _)| name).collect();
        names.sort_by_key(|name| name != DEFAULT_REMOTE);
        let file = |(id, size): &WantedFile| NewFile { id: *id, size: *size, before: None };
        let mut open: Vec<NewFile> = files.iter().map(file).collect();
        let mut failed = None;
        for name in names {
            match self.ask_one(repository, &name, &open, monitor) {
                Ok(lacking) => open = lacking,
                Err(AppError::Cancelled) => return Err(AppError::Cancelled),
                // Another remote may have it.
                Err(error) => failed = failed.or(Some(error)),
            }
            if open.is_empty() {
                return Ok(());
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn ask_one(
        &self,
        repository: &Repository,
        name: &str,
        files: &[NewFile],
        monitor: &dyn Monitor,
    ) -> Result<Vec<NewFile>, AppError> {
        let opened = open_remote(repository, Some(name), &self.reach)?;
        let (_, lacking) = fetch_content(repository, &*opened.remote, files, monitor)?;
        keep::renew(repository, &opened)?;
        Ok(lacking)
    }
}

impl ContentSupplier for FromRemotes {
    fn supply(
        &self,
        repository: &Repository,
        files: &[WantedFile],
        monitor: &dyn Monitor,
    ) -> Result<(), SupplyError> {
        self.ask(repository, files, monitor).map_err(SupplyError::from)
    }
}

/// Sees to it that the content of files is here. Gives whether any was brought: then it shows in views that
/// are made from now on.
///
/// # Errors
/// [`AppError::NotHere`] when some of it can be had nowhere, or not now.
pub fn have_content(
    repository: &Repository,
    view: &View,
    wanted: impl IntoIterator<Item = WantedFile>,
    monitor: &dyn Monitor,
) -> Result<bool, AppError> {
    if !view.is_partial()? {
        // What is missing in a repository that should have everything is damage, and is told as such.
        return Ok(false);
    }
    let mut seen = HashSet::new();
    let mut absent = Vec::new();
    for (id, size) in wanted {
        if seen.insert(id) && !view.has_content(id, size)? {
            absent.push((id, size));
        }
    }
    if absent.is_empty() {
        return Ok(false);
    }
    // The view may be older than what was stored since.
    let now = repository.view()?;
    let mut still_absent = Vec::new();
    for (id, size) in absent {
        if !now.has_content(id, size)? {
            still_absent.push((id, size));
        }
    }
    let absent = still_absent;
    if absent.is_empty() {
        return Ok(true);
    }
    let asked = match repository.supplier() {
        Some(supplier) => supplier.supply(repository, &absent, monitor),
        None => Ok(()),
    };
    if monitor.is_cancelled() {
        return Err(AppError::Cancelled);
    }
    let now = repository.view()?;
    let mut left = Vec::new();
    for (id, size) in absent {
        // What is said to have been erased elsewhere is told as such by whoever reads it.
        if !now.has_content(id, size)? && !now.is_excused(id)? {
            left.push(size);
        }
    }
    if left.is_empty() {
        return Ok(true);
    }
    let is_withheld = asked.is_ok() && !now.withheld()?.is_empty();
    let (files, bytes) = (left.len() as u64, left.iter().sum());
    Err(AppError::NotHere { files, bytes, is_withheld, source: asked.err() })
}

/// The same, and the view with it.
pub fn view_with(
    repository: &Repository,
    view: View,
    wanted: impl IntoIterator<Item = WantedFile>,
    monitor: &dyn Monitor,
) -> Result<View, AppError> {
    if have_content(repository, &view, wanted, monitor)? { Ok(repository.view()?) } else { Ok(view) }
}

/// The file that content is, if it is one.
pub fn file_of(content: &Content) -> Option<WantedFile> {
    content.file_id().zip(content.size())
}

/// The files of a tree at or below some paths; all of them when no path is given.
///
/// # Errors
/// [`AppError::NotInRevision`] when a path is not in the tree.
pub fn files_below(view: &View, tree: TreeId, paths: &[AssetPath]) -> Result<Vec<WantedFile>, AppError> {
    let source = AtHand(view);
    let everything = [AssetPath::root()];
    let paths = if paths.is_empty() { &everything[..] } else { paths };
    let mut files = Vec::new();
    for path in paths {
        let folder = if path.is_root() {
            tree
        } else {
            let entry = entry_at(&source, tree, path).map_err(RepoError::from)?;
            match entry.ok_or_else(|| AppError::NotInRevision { path: path.clone() })?.content {
                Content::Directory { id } => id,
                content => {
                    files.extend(file_of(&content));
                    continue;
                }
            }
        };
        for item in TreeWalk::new(&source, folder, path.clone()) {
            let (_, entry) = item.map_err(RepoError::from)?;
            files.extend(file_of(&entry.content));
        }
    }
    Ok(files)
}

/// The files that stood at or below some paths in any commit that the tips reach, each once with its size;
/// those of everywhere when no path is given.
pub fn files_of_history(
    view: &View,
    tips: impl IntoIterator<Item = CommitId>,
    paths: &[AssetPath],
    monitor: &dyn Monitor,
) -> Result<HashMap<FileId, u64>, AppError> {
    let source = AtHand(view);
    let (mut seen, mut files) = (HashSet::new(), HashMap::new());
    for item in Walk::from(view, tips)? {
        let (_, commit) = item?;
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        if paths.is_empty() || paths.iter().any(AssetPath::is_root) {
            collect_tree(&source, commit.tree, &mut seen, &mut files)?;
            continue;
        }
        for path in paths {
            match entry_at(&source, commit.tree, path).map_err(RepoError::from)?.map(|entry| entry.content) {
                Some(Content::Directory { id }) => collect_tree(&source, id, &mut seen, &mut files)?,
                Some(content) => files.extend(file_of(&content)),
                None => {}
            }
        }
    }
    Ok(files)
}

/// Collects the files of a tree; nodes that were met before are passed over.
pub fn collect_tree(
    source: &AtHand<'_>,
    root: TreeId,
    seen: &mut HashSet<TreeId>,
    files: &mut HashMap<FileId, u64>,
) -> Result<(), AppError> {
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        match source.tree_node(id)? {
            TreeNode::Inner { children, .. } => waiting.extend(children.iter().map(|child| child.id)),
            TreeNode::Leaf(entries) => {
                for entry in entries {
                    match entry.content {
                        Content::Directory { id } => waiting.push(id),
                        content => files.extend(file_of(&content)),
                    }
                }
            }
        }
    }
    Ok(())
}

//! What every command that touches the worktree begins with: the lock, the state, the base tree,
//! the index.

use crate::app::common::unwritten;
use crate::app::error::AppError;
use crate::base::id::{CommitId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::{entry_at, tree_order};
use crate::repo::at_hand::AtHand;
use crate::repo::erased::ErasedFiles;
use crate::repo::state::WorktreeState;
use crate::repo::{Edit, RepoError, Repository, View};
use crate::rules::ignore::{IGNORE_FILE_BYTES_MAX, IgnoreStack};
use crate::store::WorktreeLock;
use crate::worktree::WorktreeError;
use crate::worktree::index::{
    Fresh, Index, IndexBuild, PathSetId, build_index, build_index_in_memory, empty_path_set,
};
use crate::worktree::probe::ContentProbe;
use crate::worktree::root::Worktree;
use crate::worktree::status::{Change, Measure, Status, StatusInput, What, status};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Folder of what is remembered of the worktree, inside `.pent`.
pub(crate) const STATE_DIR: &str = "worktree";
pub(crate) const INDEX_FILE: &str = "index";
/// File of rules for what is left out that stand in no tree, inside `.pent`.
pub(crate) const IGNORE_RULES: &str = "ignore";
/// Context of the fingerprint of a set of paths.
const PATH_SET_CONTEXT: &str = "pentimento path set v1";

/// The worktree as a command finds it.
pub struct Session<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The user's folder.
    pub worktree: Worktree,
    /// A consistent state of the repository.
    pub view: View,
    /// What the worktree stands on.
    pub state: WorktreeState,
    /// The branch's newest commit; `None` before the first.
    pub head: Option<CommitId>,
    /// What the files are compared with: that commit's tree, or while a merge is under way what it has
    /// made of both sides so far.
    pub base: TreeId,
    /// What is remembered of the base's files.
    pub index: Option<Index>,
    ignore: IgnoreStack,
    /// Whether foreign content was tied to files here.
    has_ties: bool,
    lock: Option<WorktreeLock>,
}

impl<'a> Session<'a> {
    /// Opens the worktree to change it; waits for other commands that do.
    pub fn begin(repository: &'a Repository, monitor: &dyn Monitor) -> Result<Self, AppError> {
        let lock = repository.store().lock_worktree(monitor)?;
        Self::open(repository, Some(lock), monitor)
    }

    /// Opens the worktree to look at it. Works without the right to write.
    pub fn look(repository: &'a Repository, monitor: &dyn Monitor) -> Result<Self, AppError> {
        Self::open(repository, None, monitor)
    }

    fn open(
        repository: &'a Repository,
        lock: Option<WorktreeLock>,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let view = repository.view()?;
        let state = view.state()?;
        let head = view.reference(&state.branch)?.map(|target| target.commit);
        let base = view.ground(&state)?;
        let worktree = Worktree::open(repository.root())?;
        let has_ties = view.has_ties()?;
        let mut session = Self {
            repository,
            worktree,
            view,
            state,
            head,
            base,
            index: None,
            ignore: IgnoreStack::new(&ignore_rules(repository)?),
            has_ties,
            lock,
        };
        if session.lock.is_some() {
            // The clock of the file system is asked through a file in it, even before the first index.
            let folder = session.state_dir();
            std::fs::create_dir_all(&folder).map_err(|source| AppError::Io {
                action: "making",
                path: folder.clone(),
                source,
            })?;
        }
        session.index = session.load_index(monitor)?;
        Ok(session)
    }

    /// Folder of what is remembered of the worktree.
    pub fn state_dir(&self) -> PathBuf {
        self.repository.pent_dir().join(STATE_DIR)
    }

    /// The tree of the branch's newest commit; the empty one before the first.
    pub fn head_tree(&self) -> Result<TreeId, AppError> {
        Ok(match self.head {
            Some(id) => self.view.commit(id)?.tree,
            None => TreeNode::empty_id(),
        })
    }

    /// What the base has at a path. Asks the index, so that a million questions cost little.
    pub fn base_entry(&self, path: &AssetPath) -> Result<Option<EntryValue>, AppError> {
        // The index shows tied foreign content as files; what a tree is made of is the entry itself.
        let Some(index) = self.index.as_ref().filter(|_| !self.has_ties) else {
            let entry = entry_at(&self.view, self.base, path).map_err(RepoError::from)?;
            return Ok(entry.map(EntryValue::from));
        };
        let Some(record) = index.find(path)? else { return Ok(None) };
        let (asset, metadata, content) = (record.asset(), record.metadata(), record.content()?);
        Ok(Some(EntryValue { asset, metadata, content }))
    }

    /// Where the index lies.
    pub(crate) fn index_path(&self) -> PathBuf {
        self.state_dir().join(INDEX_FILE)
    }

    /// Takes the index as it lies there, or builds it for the present base.
    fn load_index(&self, monitor: &dyn Monitor) -> Result<Option<Index>, AppError> {
        let found = Index::open(&self.index_path());
        let wanted = path_set_id(self.state.sparse.as_ref());
        if let Some(index) = &found
            && index.base() == self.base
            && index.path_set() == wanted
        {
            return Ok(found);
        }
        if self.head.is_none() {
            return Ok(None);
        }
        Ok(Some(self.build(self.base, found.as_ref(), &[], monitor)?))
    }

    fn build(
        &self,
        tree: TreeId,
        previous: Option<&Index>,
        fresh: &[Fresh],
        monitor: &dyn Monitor,
    ) -> Result<Index, AppError> {
        let state = &self.state;
        let is_expected = |bytes: &[u8]| {
            state.sparse.is_none() || AssetPath::from_bytes(bytes).is_ok_and(|path| state.shows(&path))
        };
        let build = IndexBuild {
            source: &AtHand(&self.view),
            tree,
            previous,
            fresh,
            path_set: path_set_id(state.sparse.as_ref()),
            is_expected: &is_expected,
        };
        match build_index(&build, &self.index_path(), monitor) {
            // Whoever may only look gets one that lasts as long as the command.
            Err(WorktreeError::Io { source, .. }) if self.lock.is_none() && may_not_write(&source) => {
                Ok(build_index_in_memory(&build, monitor)?)
            }
            built => Ok(built?),
        }
    }

    /// The worktree's state in a transaction, which must be the one that this command began with: what
    /// is written back was made from that.
    pub fn state_in(&self, edit: &Edit) -> Result<WorktreeState, RepoError> {
        let state = edit.state()?;
        if state == self.state { Ok(state) } else { Err(RepoError::StateMoved) }
    }

    /// Remembers what was seen of files, on top of the tree that the worktree stands on now.
    ///
    /// Looks at the repository again, since the branch may just have moved.
    pub fn remember(&mut self, mut fresh: Vec<Fresh>, monitor: &dyn Monitor) -> Result<(), AppError> {
        self.view = self.repository.view()?;
        self.state = self.view.state()?;
        self.head = self.view.reference(&self.state.branch)?.map(|target| target.commit);
        self.base = self.view.ground(&self.state)?;
        fresh.sort_by(|left, right| tree_order(&left.path, &right.path));
        fresh.dedup_by(|later, kept| later.path == kept.path);
        let previous = self.index.take();
        self.index = Some(self.build(self.base, previous.as_ref(), &fresh, monitor)?);
        Ok(())
    }

    /// Compares the files with the base.
    pub fn status<P: ContentProbe>(
        &self,
        within: &[AssetPath],
        probe: &P,
        measure: Measure,
        monitor: &dyn Monitor,
    ) -> Result<Status, AppError> {
        let withheld = self.view.withheld()?;
        let moves: Vec<(AssetPath, AssetPath)> =
            self.state.pending.moves.iter().map(|(to, from)| (from.clone(), to.clone())).collect();
        let input = StatusInput {
            worktree: &self.worktree,
            index: self.index.as_ref(),
            state_dir: &self.state_dir(),
            ignore: &self.ignore,
            within,
            moves: &moves,
            claims: &self.state.pending.assets,
            is_unwritten: &|path, node| {
                let left = self.state.unwritten.get(path);
                left.is_some_and(|left| unwritten::still_is(*left, node))
                    || (node.is_none() && withheld.covers(path))
            },
            probe,
            measure,
        };
        let mut found = status(&input, monitor)?;
        set_erased_apart(&self.view, &mut found.changes)?;
        if !withheld.is_empty() {
            let before = found.changes.len();
            found
                .changes
                .retain(|change| !(matches!(change.what, What::Unwritten) && withheld.covers(&change.path)));
            found.withheld = (before - found.changes.len()) as u64;
        }
        Ok(found)
    }
}

/// Tells files that hold erased content from those that a commit would take. A move of what is in
/// history already says nothing new of it.
fn set_erased_apart(view: &View, changes: &mut [Change]) -> Result<(), RepoError> {
    let erased = ErasedFiles::of(view);
    for change in changes.iter_mut().filter(|change| change.brings_content()) {
        if let Some(id) = change.file_id
            && erased.has(id, change.size())?
        {
            change.what = What::Erased;
        }
    }
    Ok(())
}

fn may_not_write(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// The rules that stand in no tree; none without a file of them.
fn ignore_rules(repository: &Repository) -> Result<Vec<u8>, AppError> {
    let path = repository.pent_dir().join(IGNORE_RULES);
    match std::fs::read(&path) {
        Ok(mut rules) => {
            rules.truncate(IGNORE_FILE_BYTES_MAX);
            Ok(rules)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(AppError::Io { action: "reading", path, source }),
    }
}

/// The fingerprint of a set of paths; all zero for everything.
fn path_set_id(sparse: Option<&BTreeSet<AssetPath>>) -> PathSetId {
    let Some(paths) = sparse else { return empty_path_set() };
    let mut hasher = blake3::Hasher::new_derive_key(PATH_SET_CONTEXT);
    for path in paths {
        hasher.update(&(path.as_bytes().len() as u64).to_le_bytes()).update(path.as_bytes());
    }
    let mut id = PathSetId::default();
    let length = id.len();
    id.copy_from_slice(&hasher.finalize().as_bytes()[..length]);
    id
}

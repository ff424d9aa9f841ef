//! `clone`: makes a repository of one's own from a remote.
//!
//! A clone that is stopped can be made again in the same folder: what has come stays.

use crate::app::common::files_change::FilesLine;
use crate::app::common::forward::Forward;
use crate::app::common::keep;
use crate::app::common::on_demand::FromRemotes;
use crate::app::common::remotes::{Reach, open_address, open_remote, remote_dir};
use crate::app::common::rules::Rules;
use crate::app::common::session::Session;
use crate::app::common::target::refuse_remote_folder;
use crate::app::common::underway::finish_interrupted;
use crate::app::error::AppError;
use crate::app::policy::fingerprint;
use crate::base::id::PolicyId;
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::source::ObjectSource as _;
use crate::object::tree_walk::entry_at;
use crate::repo::refs::{DEFAULT_BRANCH, RefKind, RefName};
use crate::repo::state::WorktreeState;
use crate::repo::{PENT_DIR, RepoError, Repository};
use crate::store::{Access, StoreSettings};
use crate::sync::SyncError;
use crate::sync::address::Address;
use crate::sync::fetch::{Fetch, Fetched};
use crate::sync::remote::Description;
use crate::sync::tracking::{DEFAULT_REMOTE, RemoteRecord, put_remote_record, remote_record};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a clone that relies on the remote looks again, because names there moved while it said so.
const ROUNDS: u32 = 5;

/// What to clone.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where from.
    pub address: Address,
    /// Where to: a folder that is new or empty.
    pub folder: PathBuf,
    /// The branch to go to; the remote's `main`, or its first, when `None`.
    pub branch: Option<String>,
    /// The fingerprint that the first policy must have.
    pub expected: Option<PolicyId>,
    /// Leave content on the remote until it is asked for. Then no file is shown at first.
    pub lazy: bool,
    /// Show these folders and files only, and bring the content of nothing else.
    pub sparse: Vec<AssetPath>,
}

impl Options {
    /// What the worktree is to show; `None` for everything.
    fn shown(&self) -> Option<BTreeSet<AssetPath>> {
        (self.lazy || !self.sparse.is_empty()).then(|| self.sparse.iter().cloned().collect())
    }
}

/// What was cloned.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The worktree's folder.
    pub root: LocalPath,
    /// Where it came from.
    pub address: Address,
    /// The branch that the worktree is on.
    pub branch: String,
    /// The fingerprint of the first policy, which this clone trusts from now on; `None` without one.
    pub root_policy: Option<String>,
    /// Whether that is the one that was insisted on.
    pub expected: bool,
    /// What came.
    pub fetched: Fetched,
    /// What was done to the files.
    pub files: FilesLine,
}

/// Clones.
pub fn run(
    options: &Options,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    if let Address::Folder { path } = &options.address {
        refuse_remote_folder(&options.folder, path)?;
    }
    let cache = remote_dir(&options.folder.join(PENT_DIR), DEFAULT_REMOTE).join("indexes");
    let remote = open_address(&options.address, Some(cache), reach)?;
    let description = remote.describe()?;
    let branch = choose_branch(&description, options.branch.as_deref())?;
    let supplier = Arc::new(FromRemotes::new(reach.clone()));
    let repository = prepare(options, &description, &branch)?.with_supplier(supplier);
    let rules = Rules::of(&repository, clock.now()).beginning().expecting(options.expected);
    let fetch = Fetch {
        repository: &repository,
        remote: &*remote,
        name: DEFAULT_REMOTE,
        content: options.shown().is_none(),
        judge: &rules,
        also: Vec::new(),
        now: clock.now(),
    };
    let mut fetched = fetch.run(monitor)?;
    if let Some(problem) = &fetched.logs.problem {
        return Err(SyncError::LogRefused(problem.clone()).into());
    }
    let opened = open_remote(&repository, Some(DEFAULT_REMOTE), reach)?;
    for _ in 0..ROUNDS {
        if keep::renew(&repository, &opened)? {
            break;
        }
        fetched.add(fetch.run(monitor)?);
    }
    let root = settle_home(&repository)?;
    insist_on_paths(&repository, &branch, &options.sparse)?;
    let files = bring_files(&repository, &branch, clock, monitor)?;
    Ok(Report {
        root: repository.root().into(),
        address: options.address.clone(),
        branch: branch.name().to_owned(),
        root_policy: root,
        expected: options.expected.is_some(),
        fetched,
        files,
    })
}

/// The shared log of a clone is at home where it came from. Gives the first policy, which is pinned now.
fn settle_home(repository: &Repository) -> Result<Option<String>, AppError> {
    let root = repository.view()?.pinned_root()?;
    if root.is_some() {
        let mut edit = repository.edit()?;
        edit.put_home_remote(Some(DEFAULT_REMOTE))?;
        edit.commit()?;
    }
    Ok(root.map(fingerprint))
}

/// Brings the files of the branch into the worktree, or goes on with that.
fn bring_files(
    repository: &Repository,
    branch: &RefName,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<FilesLine, AppError> {
    let upstream = RefName::remote(DEFAULT_REMOTE, branch)?;
    let mut session = Session::begin(repository, monitor)?;
    if session.head.is_some() {
        return Ok(finish_interrupted(&mut session, clock, monitor)?.unwrap_or_default());
    }
    match session.view.reference(&upstream)? {
        Some(target) => {
            let forward = Forward { to: target.commit, name: upstream.name(), verb: "clone", writer: None };
            forward.carry_out(&mut session, clock, monitor)
        }
        None => Ok(FilesLine::default()),
    }
}

/// Insists that the paths which are to be shown are there.
fn insist_on_paths(repository: &Repository, branch: &RefName, paths: &[AssetPath]) -> Result<(), AppError> {
    let view = repository.view()?;
    let Some(target) = view.reference(&RefName::remote(DEFAULT_REMOTE, branch)?)? else { return Ok(()) };
    let tree = view.commit(target.commit)?.tree;
    for path in paths.iter().filter(|path| !path.is_root()) {
        if entry_at(&view, tree, path).map_err(RepoError::from)?.is_none() {
            return Err(AppError::NotInRevision { path: path.clone() });
        }
    }
    Ok(())
}

/// The branch that the clone will be on.
fn choose_branch(description: &Description, wanted: Option<&str>) -> Result<RefName, AppError> {
    let branches = || description.refs.keys().filter(|name| name.kind() == RefKind::Branch);
    if let Some(text) = wanted {
        let candidates = [RefName::branch(text)?, RefName::draft(text)?];
        let found = branches().find(|name| candidates.contains(name)).cloned();
        return found.ok_or_else(|| AppError::NameUnknown { kind: "branch or draft", name: text.to_owned() });
    }
    let main = RefName::branch(DEFAULT_BRANCH)?;
    let first = branches().find(|name| **name == main).or_else(|| branches().find(|name| !name.is_draft()));
    Ok(first.cloned().unwrap_or(main))
}

/// Makes the repository, or goes on with one whose clone was stopped.
fn prepare(options: &Options, description: &Description, branch: &RefName) -> Result<Repository, AppError> {
    let folder = &options.folder;
    fs::create_dir_all(folder).map_err(AppError::io("making", folder))?;
    let root = folder.canonicalize().map_err(AppError::io("finding", folder))?;
    let is_begun = root.join(PENT_DIR).join("format").exists();
    let repository =
        if is_begun { unfinished(options, &root, description)? } else { begin(&root, description)? };
    let mut edit = repository.edit()?;
    let record = RemoteRecord { address: options.address.clone(), mark: None, epoch: 0 };
    put_remote_record(&mut edit, DEFAULT_REMOTE, Some(&record))?;
    let state = match edit.state() {
        // The one before was stopped right after it had made the repository.
        Err(RepoError::Missing { .. }) => WorktreeState::on_branch(branch.clone()),
        state => state?,
    };
    if edit.reference(&state.branch)?.is_none() {
        let sparse = options.shown();
        edit.set_partial(sparse.is_some())?;
        edit.put_state(&WorktreeState { branch: branch.clone(), sparse, ..state })?;
    }
    edit.commit()?;
    Ok(repository)
}

fn begin(root: &Path, description: &Description) -> Result<Repository, AppError> {
    remove_stub(root);
    let occupied = fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(AppError::TargetTaken { path: root.to_owned() });
    }
    let settings = StoreSettings { repository: description.repository, chunker: description.chunker };
    Ok(Repository::create(root, &settings)?)
}

/// Removes what a creation that was cut short left: without its `format` file, which is written last,
/// and without a single pack it is no repository yet.
fn remove_stub(root: &Path) {
    let stub = root.join(PENT_DIR);
    let is_empty = |folder: &Path| fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    let is_stub = stub.is_dir() && !stub.join("format").exists() && is_empty(&stub.join("packs"));
    if is_stub {
        // What cannot be removed is found to be in the way a moment later.
        let _ = fs::remove_dir_all(&stub);
    }
}

/// A clone of the same remote that was stopped before its files were all there.
fn unfinished(options: &Options, root: &Path, description: &Description) -> Result<Repository, AppError> {
    let taken = || AppError::TargetTaken { path: root.to_owned() };
    let repository = Repository::open(root, Access::ReadWrite)?;
    let view = repository.view()?;
    let record = remote_record(&view, DEFAULT_REMOTE)?;
    let is_unfinished = match view.state() {
        Ok(state) => state.underway.is_some() || view.reference(&state.branch)?.is_none(),
        Err(RepoError::Missing { .. }) => true,
        Err(error) => return Err(error.into()),
    };
    let same = record.is_none_or(|record| record.address == options.address)
        && repository.id() == description.repository
        && is_unfinished;
    drop(view);
    if same { Ok(repository) } else { Err(taken()) }
}

//! One repository: its folder, its typed objects, its names, its journal and what its worktree
//! stands on.
//!
//! Reading goes through a [`View`], a consistent state of everything; changing goes through an
//! [`Edit`], which becomes real as a whole or not at all.

pub mod assign;
pub mod at_hand;
pub mod commit_signatures;
pub mod config;
pub mod content;
pub(crate) mod crew;
pub mod date;
pub mod edit;
pub mod erased;
pub mod error;
pub mod extract;
pub mod findings;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod git_ids;
pub mod history;
pub mod holdings;
pub mod imports;
pub mod ingest;
mod ingest_large;
pub mod journal;
pub mod log_memory;
pub mod outlines;
pub mod partial;
pub mod people;
pub mod protected;
pub mod reach;
pub mod refs;
pub mod resolve;
pub mod review_log;
pub mod revision;
pub mod sets;
pub mod shared_log;
pub mod state;
pub mod state_difference;
pub(crate) mod state_rows;
pub mod tombstone;
pub mod versions;
pub mod view;
pub mod withheld;

pub use edit::Edit;
pub use error::RepoError;
pub use view::View;

use crate::base::id::RepositoryId;
use crate::store::disk::{Disk, RealDisk};
use crate::store::{Access, Store, StoreOptions, StoreSettings};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the folder that holds a repository.
pub const PENT_DIR: &str = ".pent";

/// One repository with its worktree.
pub struct Repository {
    store: Store,
    root: PathBuf,
    pent_dir: PathBuf,
    supplier: Option<Arc<dyn partial::ContentSupplier>>,
}

impl Repository {
    /// Makes a repository in `root`, which may hold any amount of work already.
    pub fn create(root: &Path, settings: &StoreSettings) -> Result<Self, RepoError> {
        Self::create_on(Arc::new(RealDisk), root, settings)
    }

    /// Makes a repository whose content and records lie on a disk that need not be the machine's own.
    pub fn create_on(disk: Arc<dyn Disk>, root: &Path, settings: &StoreSettings) -> Result<Self, RepoError> {
        let pent_dir = root.join(PENT_DIR);
        // A creation that was cut short is begun again.
        if let Ok(found) = pent_dir.symlink_metadata()
            && !(found.is_dir() && Store::is_unborn(&pent_dir)?)
        {
            return Err(RepoError::Exists { root: root.to_owned() });
        }
        let branch = refs::RefName::branch(refs::DEFAULT_BRANCH)?;
        let store = Store::create_with(disk, &pent_dir, settings, |store| {
            let mut edit = Edit::over(store.begin()?);
            edit.put_state(&state::WorktreeState::on_branch(branch))?;
            edit.commit()
        })?;
        Ok(Self { store, root: root.to_owned(), pent_dir, supplier: None })
    }

    /// Finds the repository that `start` lies in.
    pub fn discover(start: &Path) -> Result<PathBuf, RepoError> {
        let mut folder = Some(start);
        while let Some(candidate) = folder {
            if candidate.join(PENT_DIR).symlink_metadata().is_ok_and(|found| found.is_dir()) {
                return Ok(candidate.to_owned());
            }
            folder = candidate.parent();
        }
        Err(RepoError::NotFound { start: start.to_owned() })
    }

    /// Opens the repository whose worktree is `root`.
    pub fn open(root: &Path, access: Access) -> Result<Self, RepoError> {
        Self::open_on(Arc::new(RealDisk), root, access)
    }

    /// Opens a repository that was made by [`Self::create_on`].
    pub fn open_on(disk: Arc<dyn Disk>, root: &Path, access: Access) -> Result<Self, RepoError> {
        let pent_dir = root.join(PENT_DIR);
        let store = Store::open_on(disk, &pent_dir, access, StoreOptions::default())?;
        Ok(Self { store, root: root.to_owned(), pent_dir, supplier: None })
    }

    /// The same repository, with somebody to ask for content that is not here.
    pub fn with_supplier(self, supplier: Arc<dyn partial::ContentSupplier>) -> Self {
        Self { supplier: Some(supplier), ..self }
    }

    /// Whom to ask for content that is not here.
    pub fn supplier(&self) -> Option<&dyn partial::ContentSupplier> {
        self.supplier.as_deref()
    }

    /// The folder that people work in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that holds the repository itself.
    pub fn pent_dir(&self) -> &Path {
        &self.pent_dir
    }

    /// Content and records at rest.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The id that all clones share.
    pub fn id(&self) -> RepositoryId {
        self.store.settings().repository
    }

    /// A consistent state to read from.
    pub fn view(&self) -> Result<View, RepoError> {
        Ok(View::over(self.store.snapshot()?))
    }

    /// Begins a change; waits while another process is changing the repository.
    pub fn edit(&self) -> Result<Edit, RepoError> {
        Ok(Edit::over(self.store.begin()?))
    }
}

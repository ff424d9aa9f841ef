//! Brings files to another state: planned first, carried out second, losing nothing.
//!
//! - Nothing is written through a symbolic link or outside the worktree, and no name that some
//!   system takes for `.pent`.
//! - Each file is written whole under a temporary name in its folder, then takes its place in one
//!   step; one that should not exist yet never replaces one that does.
//! - What is replaced or removed is dropped only if it is, at that very moment, the unchanged file
//!   whose content the repository has. Anything else is put aside (see `displaced`), also when it
//!   appeared or changed after the plan was made.
//! - One file that cannot be written does not stop the rest.
//!
//! Written files get the present time as modification time, like those of every other program that
//! writes, so that build tools and editors notice. They are not synced one by one: their content is
//! in the repository, and the journal, written before, tells what to repeat after a power loss.
//! What is put aside is synced.

mod execute;
mod place;
mod plan;

pub use execute::{CheckoutReport, Failed, Failure, execute};
pub use plan::{IsHeld, IsStored, KnownContent, PlanInput, plan};

use super::error::{During, Result, WorktreeError, explain};
use super::root::Worktree;
use super::stat::Node;
use crate::base::id::FileId;
use crate::base::monitor::Problem;
use crate::base::path::AssetPath;
use crate::base::size::count;
use crate::object::tree::Content;
use crate::rules::portable::{Hazard, NameHazard, check_entry_name};
use std::fs::File;
use std::io;

/// Room left free beside what is written, in bytes: folders and the file system's own records.
const SPACE_MARGIN_BYTES: u64 = 16 << 20;

/// Where the bytes of files come from.
///
/// What a method gives out has been checked against the id. Methods are called from several threads
/// at once and may be called again after an error. They tell the monitor of the bytes they give out.
pub trait ContentSource: Sync {
    /// Why content could not be had.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Writes all bytes of a file at the start of `out`, which is empty.
    fn write_to(&self, id: FileId, size: u64, out: &mut File) -> Result<(), Self::Error>;
    /// Gives all bytes of something small: the target of a symbolic link.
    fn read(&self, id: FileId, size: u64) -> Result<Vec<u8>, Self::Error>;
}

/// What a path should become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The path.
    pub path: AssetPath,
    /// What should be there; `None` for nothing. Folders come and go with what is in them.
    pub content: Option<Content>,
}

/// What to do with symbolic links that point out of the worktree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPolicy {
    /// Write them as they are.
    Any,
    /// Do not write them: they come from somebody who is not trusted.
    InsideOnly,
}

/// What becomes of what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaces {
    /// There is nothing.
    Nothing,
    /// A file whose content the repository has: it is dropped if it is still that one.
    Committed(Node),
    /// Something that would be lost: it is put aside.
    Kept(Node),
    /// A folder. What is left in it when the removals are done is put aside.
    Folder,
}

/// What is done at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Content is written.
    Write { content: Content },
    /// What is there goes.
    Remove,
    /// The content stays; whether it may be run changes.
    SetMode { id: FileId, executable: bool },
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The path.
    pub path: AssetPath,
    /// What is done there.
    pub action: Action,
    /// What becomes of what is there.
    pub replaces: Replaces,
}

/// What would be done, and what would not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckoutPlan {
    /// The steps, in tree order.
    pub steps: Vec<Step>,
    /// Paths that are as wanted already.
    pub unchanged: u64,
    /// Paths that may not be written on any system.
    pub refused: Vec<(AssetPath, NameHazard)>,
    /// Paths whose content is known only by a foreign hash and cannot be had.
    pub unavailable: Vec<AssetPath>,
    /// What would write content that is withheld from this clone: left as it is, which is no problem.
    pub withheld: Vec<Step>,
    /// Names that are written here and cannot be on some other system.
    pub hazards: Vec<(AssetPath, Hazard)>,
    /// Paths that could not be looked at.
    pub unreadable: Vec<(AssetPath, io::ErrorKind)>,
    /// Folders that make way for what is put in their places after all steps: what is left in them when the removals
    /// are done is put aside.
    pub ways: Vec<AssetPath>,
    /// Bytes that will be written.
    pub bytes_to_write: u64,
}

impl CheckoutPlan {
    /// What would be put aside, folders not counted: whether they make way shows when it is done.
    pub fn kept(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| matches!(step.replaces, Replaces::Kept(_)))
    }

    /// Paths that are written, in tree order.
    pub fn writes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action != Action::Remove)
    }

    /// Paths that go, in tree order.
    pub fn removals(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action == Action::Remove)
    }

    /// Leaves out what would write content that cannot be had.
    pub fn leave_out(&mut self, is_withheld: &mut dyn FnMut(&AssetPath, &Content) -> bool) {
        let (withheld, bytes) = (&mut self.withheld, &mut self.bytes_to_write);
        self.steps.retain(|step| match &step.action {
            Action::Write { content } if is_withheld(&step.path, content) => {
                withheld.push(step.clone());
                *bytes = bytes.saturating_sub(content.size().unwrap_or(0));
                false
            }
            _ => true,
        });
    }

    /// Paths that will be left as they are, each with its reason.
    pub fn problems(&self) -> Vec<Problem> {
        let refused = self.refused.iter().map(|(path, hazard)| {
            let error = WorktreeError::Refused { path: path.clone(), hazard: *hazard };
            Problem { path: path.clone(), message: error.to_string() }
        });
        let unavailable = self.unavailable.iter().map(|path| {
            let error = WorktreeError::Foreign { path: path.clone() };
            Problem { path: path.clone(), message: error.to_string() }
        });
        let unreadable = self.unreadable.iter().map(|(path, kind)| Problem {
            path: path.clone(),
            message: format!("it could not be looked at: {kind}"),
        });
        refused.chain(unavailable).chain(unreadable).collect()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Fails when the file system has too little room for what will be written.
    ///
    /// Old and new stand side by side for a moment, and what is put aside stays, so nothing that
    /// goes is counted against what comes.
    pub fn check_space(&self, worktree: &Worktree) -> Result<()> {
        if self.bytes_to_write == 0 {
            return Ok(());
        }
        let available = worktree.bytes_available().during("asking for the space of", worktree.root())?;
        let needed = self.bytes_to_write.saturating_add(SPACE_MARGIN_BYTES);
        if needed > available { Err(WorktreeError::DiskFull { needed, available }) } else { Ok(()) }
    }
}

/// Refuses paths with a name that may not be written on any system.
pub fn check_path(path: &AssetPath) -> Result<(), NameHazard> {
    if path.is_root() {
        return Err(NameHazard::NoName);
    }
    path.names().try_for_each(check_entry_name)
}

impl CheckoutReport {
    /// Paths that are not as they should be, each with its reason; one without a path when it stopped.
    pub fn problems(&self) -> Vec<Problem> {
        let failed = self.failed.iter();
        let mut problems: Vec<Problem> = failed
            .map(|failed| Problem { path: failed.path.clone(), message: explain(&failed.failure) })
            .collect();
        if self.not_begun > 0 {
            let reason = if self.disk_full { "the disk is full" } else { "on request" };
            let message = format!(
                "stopped before everything was written ({reason}); {} left",
                count(self.not_begun, "file is", "files are")
            );
            problems.push(Problem { path: AssetPath::root(), message });
        }
        problems
    }
}

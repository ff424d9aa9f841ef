//! Why history could not be brought in or taken out.

use crate::base::escape::terminal;
use crate::base::id::{FileId, GitId};
use crate::base::path::AssetPath;
use crate::repo::RepoError;
use crate::repo::content::ContentError;
use crate::store::StoreError;
use std::path::PathBuf;

/// An error of a library whose type says no more than its text.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Errors of imports and of exports to other systems.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no Git repository and no bundle.
    #[error("{} is no Git repository and no bundle", path.display())]
    NoGit {
        path: PathBuf,
        #[source]
        source: Option<Cause>,
    },
    /// A repository that names its objects by another hash.
    #[error("{} names its objects by {format}, and only SHA-1 repositories can be read", path.display())]
    ObjectFormat { path: PathBuf, format: String },
    /// A repository or bundle that cannot be opened.
    #[error("the Git repository {} cannot be opened", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: Cause,
    },
    /// A file of a repository that is none, or of a size that none has: it is not opened.
    #[error("{} {reason}, so this repository is not read", path.display())]
    NotOrdinary { path: PathBuf, reason: &'static str },
    /// A bundle that rests on commits which are neither in it nor here.
    #[error("the bundle {} rests on commit {commit}, which is neither in it nor here", path.display())]
    Thin { path: PathBuf, commit: GitId },
    /// A bundle whose header cannot be read.
    #[error("the bundle {} cannot be read: {reason}", path.display())]
    Bundle { path: PathBuf, reason: String },
    /// An archive that cannot be read.
    #[error("the archive {} cannot be read: {reason}", path.display())]
    Archive { path: PathBuf, reason: String },
    /// An object that is there and cannot be read, or is another than its id says.
    #[error("Git object {id} cannot be read")]
    Object {
        id: GitId,
        #[source]
        source: Option<Cause>,
    },
    /// An object that must be there and is not.
    #[error("Git object {id} is missing, and it is no object that a shallow or partial clone leaves out")]
    Missing { id: GitId },
    /// An object of a size that none of its kind has.
    #[error(
        "Git object {id} has {size} bytes; commits, tags and folders of more than {limit} are not taken for real"
    )]
    TooLarge { id: GitId, size: u64, limit: u64 },
    /// A commit with more parents than can be kept.
    #[error("commit {commit} has {parents} parents; more than {limit} cannot be kept")]
    TooManyParents { commit: GitId, parents: usize, limit: usize },
    /// A commit that unfolds to more than can be meant.
    #[error("commit {commit} unfolds to more than {limit} files and folders: it is not taken for real")]
    TooManyFiles { commit: GitId, limit: usize },
    /// Nothing was asked for, or nothing is there.
    #[error("there is no branch or tag to import{}", if patterns.is_empty() { String::new() } else { format!(" that fits {}", patterns.join(", ")) })]
    NothingToImport { patterns: Vec<String> },
    /// A pattern or path that cannot be one.
    #[error("{text:?} cannot be used here: {reason}")]
    Argument { text: String, reason: String },
    /// An exported commit came out other than the original.
    #[error(
        "the Git tree of commit {commit} cannot be made again: it should be {expected} and became {found}"
    )]
    Differs { commit: GitId, expected: GitId, found: GitId },
    /// The record of how Git LFS names a file is wrong.
    #[error("the file {file} has another SHA-256 than the import noted for Git LFS")]
    LfsDigest { file: FileId },
    /// Something is where an export is to go.
    #[error("{} is there already and not empty", path.display())]
    TargetTaken { path: PathBuf },
    /// An earlier export is there, and somebody has worked in it since, or it is one of another repository.
    #[error("{} is an earlier export, and {reason}", path.display())]
    TargetChanged { path: PathBuf, reason: &'static str },
    /// The user asked to stop.
    #[error("stopped as you asked")]
    Cancelled,
    /// A plan of versions that does not hold together.
    #[error("line {line} of the plan: {reason}")]
    Plan { line: usize, reason: String },
    /// A plan that names what is not there.
    #[error(
        "the plan names {}: {reason}{}",
        terminal(from.as_bytes()),
        if *more == 0 { String::new() } else { format!(" ({more} more of its places cannot be read either)") }
    )]
    PlanPlace { from: AssetPath, reason: String, more: usize },
    /// Paths at which nothing ever stood in the history that is imported.
    #[error("nothing in that history ever stood at {}", shown(paths))]
    NothingAtPaths { paths: Vec<AssetPath> },
    /// Content could not be taken in or given out.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The repository failed.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// A file operation failed.
    #[error("{action} {} failed", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cancelled => Self::Cancelled,
            error => Self::Repo(error.into()),
        }
    }
}

fn shown(paths: &[AssetPath]) -> String {
    paths.iter().map(|path| terminal(path.as_bytes())).collect::<Vec<_>>().join(", ")
}

/// Says what was being done to which file.
pub(crate) fn io(
    action: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(std::io::Error) -> ImportError + use<> {
    let path = path.to_owned();
    move |source| ImportError::Io { action, path, source }
}

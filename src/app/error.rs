//! What a use case can fail with, in terms that a person can act on.

use crate::app::identity::IdentityError;
use crate::app::lock::LockFailure;
use crate::app::policy::PolicyFailure;
use crate::app::review::ReviewError;
use crate::base::escape::terminal;
use crate::base::path::AssetPath;
use crate::base::size::{count, human_bytes};
use crate::care::CareError;
use crate::catalog::CatalogError;
use crate::catalog::collections::CollectionsError;
use crate::catalog::query::QueryError;
use crate::diff::DiffError;
use crate::import::ImportError;
use crate::import::git::lfs::Hex;
use crate::media::worker::WorkerError;
use crate::object::tree::ForeignAlgorithm;
use crate::repo::RepoError;
use crate::repo::config::ConfigError;
use crate::repo::content::ContentError;
use crate::repo::refs::{RefName, RefNameError};
use crate::repo::revision::RevisionError;
use crate::rules::approval::Refusal;
use crate::rules::schema::SchemaError;
use crate::store::StoreError;
use crate::sync::SyncError;
use crate::trust::TrustError;
use crate::trust::chain::ChainError;
use crate::trust::log_writer::WriteError;
use crate::worktree::WorktreeError;
use std::path::{Path, PathBuf};

/// Errors of floor 5.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The repository failed.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The user asked to stop; nothing that was reported as saved is lost.
    #[error("stopped as you asked")]
    Cancelled,
    /// Commits need a name to stand under.
    #[error("who are you? commits need a name")]
    NoIdentity,
    /// `--author` is no name.
    #[error("{text:?} is no author; write `Name <address>`")]
    Author { text: String },
    /// A path that is in no state that was asked about.
    #[error("{path} is not there")]
    NotInRevision { path: AssetPath },
    /// A word that is no revision, and no path in the worktree or the newest commit.
    #[error("{text:?} is neither a revision nor a file or folder here")]
    NamesNothing { text: String },
    /// A folder where a file was asked for.
    #[error("{path} is a folder")]
    IsFolder { path: AssetPath },
    /// A link or a special file where a file was asked for.
    #[error("{path} is not a file of its own")]
    NoFile { path: AssetPath },
    /// The decoder of a file could not be run at all.
    #[error("{path} cannot be looked into")]
    Decoder {
        path: AssetPath,
        #[source]
        source: WorkerError,
    },
    /// A file of which no picture can be made, and why.
    #[error("there is no picture of {path}: {reason}")]
    NoPicture { path: AssetPath, reason: String },
    /// One picture was asked for of several assets.
    #[error("{count} assets differ, and one picture shows one")]
    SeveralPictures { count: usize },
    /// Sidecars, or fields in copies, were asked for of an archive.
    #[error("fields are written beside files or into them, and an archive has none on disk")]
    SidecarsInArchive,
    /// A picture or a page could not be put together.
    #[error("it cannot be drawn: {reason}")]
    NotDrawn { reason: String },
    /// Content that is known only by another system's hash.
    #[error("the content of {path} is not in this repository: it is known only by another system's hash")]
    Foreign { path: AssetPath },
    /// A submodule: the commit of another Git repository.
    #[error("{path} is a submodule: commit {commit} of another Git repository, and no file of this one")]
    Submodule { path: AssetPath, commit: String },
    /// A commit or tag that did not come from Git, or whose original was erased.
    #[error("there is no Git object of {}: it did not come from Git, or its original was erased", terminal(text.as_bytes()))]
    NoOriginal { text: String },
    /// Content that is not in this clone and could not be brought, now or at all.
    #[error("the content of {} ({}) is not here", count(*files, "file", "files"), human_bytes(*bytes))]
    NotHere {
        files: u64,
        bytes: u64,
        /// Whether remotes withhold content from this clone, so that this may be some of it.
        is_withheld: bool,
        #[source]
        source: Option<crate::repo::partial::SupplyError>,
    },
    /// Something that only a clone which has everything can do.
    #[error("this clone does not have everything: {verb} needs one that does")]
    Partial { verb: &'static str },
    /// Something is where an export is to go.
    #[error("{} is there already and not empty", path.display())]
    TargetTaken { path: PathBuf },
    /// Something was to be written where a repository keeps itself.
    #[error("{} is where a repository keeps itself", path.display())]
    IntoRepository { path: PathBuf },
    /// A remote in the folder that it is a remote of.
    #[error("{} is in the folder that people work in here ({}), and the next commit would take it in", path.display(), root.display())]
    IntoOwnFolder { path: PathBuf, root: PathBuf },
    /// The only place that holds content which is not here was to be forgotten.
    #[error(
        "{} ({}) are not here, and no other remote is known to hold them but {name}",
        count(*files, "file", "files"),
        human_bytes(*bytes)
    )]
    OnlyHolder { name: String, files: u64, bytes: u64 },
    /// An asset that is to go on at another path stands where it stood.
    #[error("{path} is there still, and an asset stands in one place")]
    StillThere { path: AssetPath },
    /// A branch where a draft was asked for.
    #[error("{name} is no draft")]
    NoDraft { name: RefName },
    /// Content could not be taken in or given out.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The worktree failed.
    #[error(transparent)]
    Worktree(#[from] WorktreeError),
    /// States could not be compared or joined.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// Care of the repository failed.
    #[error(transparent)]
    Care(#[from] CareError),
    /// The policy does not permit a move of a branch or tag.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The policy cannot be made, changed or shown.
    #[error(transparent)]
    Policy(#[from] PolicyFailure),
    /// The shared log does not verify.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// An entry of the shared log could not be made.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Nothing can be locked or unlocked.
    #[error(transparent)]
    Lock(#[from] LockFailure),
    /// Something about a submission cannot be done.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// History could not be brought in or taken out.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Moving work between repositories failed.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// A remote of that name exists already.
    #[error("there is a remote called {name} already")]
    RemoteTaken { name: String },
    /// An address of a kind that this program cannot speak to.
    #[error("this program cannot speak to {address}")]
    RemoteKind { address: String },
    /// An address of a kind that was left out when this program was built.
    #[error("this build of the program leaves out what {address} needs")]
    RemoteLeftOut { address: String, feature: &'static str },
    /// A path outside the worktree.
    #[error("{path} is outside this repository ({root})")]
    OutsideWorktree { path: PathBuf, root: PathBuf },
    /// A path that cannot be one.
    #[error("{text:?} cannot be a path here: {reason}")]
    Path { text: String, reason: String },
    /// A branch, draft or tag of that name exists already.
    #[error("{name} exists already")]
    NameTaken { name: RefName },
    /// No branch, draft or tag is called so.
    #[error("there is no {kind} called {name:?}")]
    NameUnknown { kind: &'static str, name: String },
    /// A remote has nothing of that name.
    #[error("{remote} has no branch, draft or tag called {name:?}")]
    NameNotThere { name: String, remote: String },
    /// The branch that the worktree is on cannot be removed.
    #[error("the worktree is on {name}")]
    CurrentBranch { name: RefName },
    /// The worktree is on that branch already.
    #[error("the worktree is on {name} already")]
    AlreadyThere { name: RefName },
    /// A branch that holds commits which nothing else reaches.
    #[error("{name} has {} nowhere else", count(*commits, "commit that is", "commits that are"))]
    NotMerged { name: RefName, commits: u64 },
    /// A branch with which uncommitted work was set aside.
    #[error("{name} has uncommitted work waiting ({})", count(*paths, "path", "paths"))]
    ShelvedWork { name: RefName, paths: u64 },
    /// A merge waits for decisions.
    #[error("{} waiting for a decision", count_paths(paths.len()))]
    Unresolved { paths: Vec<AssetPath> },
    /// Nothing waits for a decision there.
    #[error("nothing waits for a decision at {path}")]
    NoConflict { path: AssetPath },
    /// Uncommitted work stands where a merge would write.
    #[error("uncommitted work is in the way of the merge: {}", first_of(paths))]
    Uncommitted { paths: Vec<AssetPath> },
    /// No merge is under way.
    #[error("no merge is under way")]
    NoMerge,
    /// A merge is under way.
    #[error("a merge of {name} is under way")]
    MergeUnderWay { name: String },
    /// A change of files that was cut off could not be finished now either.
    #[error("a change of files was cut off before, and {left} files of it still wait")]
    Unfinished { left: u64 },
    /// A change of files that was cut off has no room to be finished.
    #[error(
        "a {verb} stands and its files are not all here yet: they need {} and the disk has {} free",
        human_bytes(*needed),
        human_bytes(*available)
    )]
    NoRoomToFinish { verb: String, needed: u64, available: u64 },
    /// Nothing left to undo or redo.
    #[error("there is nothing to {verb}")]
    NothingTo { verb: &'static str },
    /// Something is in the way of a new file.
    #[error("{path} exists already")]
    PathTaken { path: AssetPath },
    /// A text that is no value of a metadata field.
    #[error("{text:?} is no {kind}")]
    FieldValue { kind: &'static str, text: String },
    /// What is kept for searching failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A question that makes no sense.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Smart collections cannot be read or changed.
    #[error(transparent)]
    Collections(#[from] CollectionsError),
    /// A schema that cannot be read.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// There is no schema.
    #[error("there is no schema here")]
    NoSchema,
    /// A picture in which there is too little to recognise it by.
    #[error("{name} has too little in it to say what looks like it")]
    NoLikeness { name: String },
    /// Something that was asked for makes no sense.
    #[error("{text:?} cannot be used: {reason}")]
    Setting { text: String, reason: String },
    /// A mirror at the very place that it is to mirror.
    #[error("{name} is at that address itself")]
    MirrorOfItself { name: String },
    /// A server that would be spoken to in the clear.
    #[error("{address} would be spoken to in the clear, for everybody on the way to read and change")]
    Insecure { address: String, server: String },
    /// A remote that takes care of itself was to be cared for from here.
    #[error("{address} has a program of its own that takes care of it")]
    CaresForItself { address: String },
    /// Keys or signing failed.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The list of identities does not allow it.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file of the worktree could not be read or written.
    #[error("{action} {path} failed")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

fn first_of(paths: &[AssetPath]) -> String {
    match paths {
        [] => String::new(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn count_paths(count: usize) -> String {
    if count == 1 { "1 path is".to_owned() } else { format!("{count} paths are") }
}

impl AppError {
    /// Wraps what the system says about an action on a place outside of the repository.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// What a decoder says against a file, as a reason; that it could not be run, or was stopped by the person,
    /// is an error.
    pub fn of_decoder(path: &AssetPath, error: WorkerError) -> Result<String, Self> {
        match error {
            WorkerError::Start(_) => Err(Self::Decoder { path: path.clone(), source: error }),
            WorkerError::Stopped => Err(Self::Cancelled),
            other => Ok(other.to_string()),
        }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        Self::Repo(error.into())
    }
}

impl From<ConfigError> for AppError {
    fn from(error: ConfigError) -> Self {
        Self::Repo(error.into())
    }
}

impl From<RefNameError> for AppError {
    fn from(error: RefNameError) -> Self {
        Self::Repo(error.into())
    }
}

impl From<RevisionError> for AppError {
    fn from(error: RevisionError) -> Self {
        Self::Repo(error.into())
    }
}

impl AppError {
    /// Why there are no bytes of content that is known only by another system's hash.
    pub(crate) fn foreign(path: AssetPath, algorithm: ForeignAlgorithm, digest: &[u8]) -> Self {
        match algorithm {
            ForeignAlgorithm::GitCommitSha1 => Self::Submodule { path, commit: Hex(digest).to_string() },
            _ => Self::Foreign { path },
        }
    }
}

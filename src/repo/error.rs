//! What can go wrong with a repository as a whole.

use crate::base::codec::DecodeError;
use crate::base::id::CommitId;
use crate::base::path::AssetPath;
use crate::base::size::count;
use crate::object::commit_signature::CommitSignatureError;
use crate::object::log_entry::EntryError;
use crate::repo::config::ConfigError;
use crate::repo::refs::{RefName, RefNameError};
use crate::repo::revision::RevisionError;
use crate::store::StoreError;
use std::path::PathBuf;

/// Errors of floor 3.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// No `.pent` here or in any folder above.
    #[error("{start} is in no repository")]
    NotFound { start: PathBuf },
    /// `init` where a repository is already.
    #[error("{root} is a repository already")]
    Exists { root: PathBuf },
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stored bytes are not what they should be.
    #[error("{kind} {id} is damaged")]
    Damaged {
        kind: &'static str,
        id: String,
        #[source]
        source: DecodeError,
    },
    /// Stored bytes no longer hash to their id.
    #[error("{kind} {id} was altered in storage")]
    Altered { kind: &'static str, id: String },
    /// Objects that do not fit together.
    #[error("the repository's trees do not fit together: {message}")]
    Structure { message: String },
    /// An object that something names is not here.
    #[error("{kind} {id} is missing from the repository")]
    Missing { kind: &'static str, id: String },
    /// A local record cannot be read.
    #[error("the {what} record of this repository cannot be read")]
    Record {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    /// A name moved between being read and being written.
    #[error("{name} moved meanwhile")]
    RefMoved { name: RefName, expected: Option<CommitId>, actual: Option<CommitId> },
    /// The worktree's state is not what it was when the command began.
    #[error("what the worktree stands on changed meanwhile")]
    StateMoved,
    /// The policy protects a name, and nothing permits the move.
    #[error("{name} is protected")]
    Protected { name: RefName },
    /// A move of a protected name is another one than was permitted.
    #[error("this move of a protected name is not the one that was permitted: {what}")]
    NotAuthorised { what: &'static str },
    /// The shared log grew between being read and being written.
    #[error("the shared log grew meanwhile")]
    LogMoved,
    /// An entry of the shared log cannot be read.
    #[error("entry {sequence} of the shared log cannot be read")]
    LogEntry {
        sequence: u64,
        #[source]
        source: EntryError,
    },
    /// A policy link whose policy cannot be read was to enter the shared log.
    #[error("a policy cannot be read: {reason}")]
    PolicyText { reason: String },
    /// Another first policy is trusted here already.
    #[error("this clone trusts another first policy")]
    OtherRoot,
    /// Too many policy links wait for signatures.
    #[error("too many proposed policies wait for signatures")]
    TooManyProposals,
    /// A name that is none.
    #[error(transparent)]
    RefName(#[from] RefNameError),
    /// Text that is no revision expression.
    #[error(transparent)]
    RevisionSyntax(#[from] RevisionError),
    /// A revision expression that names nothing.
    #[error("no revision is called {text:?}")]
    UnknownRevision { text: String },
    /// The start of an id that fits several commits.
    #[error("{text} is the start of {} commit ids", candidates.len())]
    AmbiguousRevision { text: String, candidates: Vec<CommitId> },
    /// An expression that goes back beyond the first commit or before its date.
    #[error("{text:?} goes back further than the history does")]
    BeyondHistory { text: String },
    /// A version number that the asset does not have.
    #[error("{path} has {}, and {version} is none of them", count(*versions, "version", "versions"))]
    UnknownVersion { path: AssetPath, version: u64, versions: u64 },
    /// A date in words that is not understood.
    #[error("{text:?} is no date")]
    Date { text: String },
    /// A repository without commits was asked for one.
    #[error("there is no commit yet")]
    NoCommits,
    /// A signature of a commit that is none, or does not hold.
    #[error("the signature of commit {} does not hold", commit.short())]
    CommitSignature {
        commit: CommitId,
        #[source]
        source: CommitSignatureError,
    },
    /// Settings could not be read or changed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file operation failed.
    #[error("{action} {path} failed")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl RepoError {
    /// What lies behind it, where something does; else the error itself.
    pub fn detail(&self) -> String {
        std::error::Error::source(self).map_or_else(|| self.to_string(), ToString::to_string)
    }
}

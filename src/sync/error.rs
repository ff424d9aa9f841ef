//! What can go wrong between two repositories.

use crate::base::id::{CommitId, PackId, RepositoryId};
use crate::base::size::human_bytes;
use crate::object::tree_walk::WalkError;
use crate::repo::RepoError;
use crate::repo::content::ContentError;
use crate::repo::refs::RefName;
use crate::store::StoreError;
use crate::store::bucket::BucketError;
use crate::store::bucket::head::HeadLimit;
use crate::sync::address::AddressError;

/// Errors of synchronisation.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Text that is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Text that cannot be the name of a remote.
    #[error("{name:?} cannot be the name of a remote")]
    RemoteName { name: String },
    /// There is no repository at that place.
    #[error("there is no repository at {address}")]
    Nothing { address: String },
    /// The place holds something that is no repository.
    #[error("{address} holds something else")]
    NotOurs { address: String },
    /// The remote is another repository.
    #[error("the remote is another repository ({found}, not {expected})")]
    OtherRepository { expected: RepositoryId, found: RepositoryId },
    /// The remote needs something that this program does not know.
    #[error("the remote needs the feature {feature:?}, which this program does not know")]
    UnknownFeature { feature: String },
    /// A name moved on the remote since it was looked at.
    #[error("{name} has moved on the remote")]
    Moved { name: RefName, expected: Option<CommitId>, actual: Option<CommitId> },
    /// A log of the remote grew since it was looked at.
    #[error("{} of the remote has grown", log_words(name))]
    LogMoved { name: String },
    /// The remote's log is not what this clone has seen of it.
    #[error("{0}")]
    LogRefused(String),
    /// Going on would take commits off a name.
    #[error("{name} on the remote has work that is not in yours")]
    NotForward { name: RefName },
    /// The remote dropped objects since it was asked what it has.
    #[error("the remote was tidied up meanwhile")]
    Outdated,
    /// The remote's rules, or ours, do not allow a name to move so.
    #[error("{name} may not be moved so: {}", reasons.join("; "))]
    Refused { name: RefName, reasons: Vec<String> },
    /// Something that was promised or named is not there.
    #[error("the remote lacks {kind} {id}")]
    Missing { kind: &'static str, id: String },
    /// Bytes that came from the remote are not what they have to be.
    #[error("the remote sent {what} that cannot be right: {detail}")]
    Invalid { what: &'static str, detail: String },
    /// A pack or bundle of the remote is damaged.
    #[error("{what} {id} on the remote is damaged")]
    Damaged { what: &'static str, id: PackId },
    /// Content is needed that this clone does not have.
    #[error("{files} files that were to be sent are not in this clone")]
    NotHere { files: u64 },
    /// Others were quicker again and again.
    #[error("the remote is so busy that {attempts} attempts were in vain")]
    Busy { attempts: u32 },
    /// The remote would have to hold more than its form can.
    #[error(transparent)]
    Limit(#[from] HeadLimit),
    /// Whoever asks may not do that.
    #[error("you may not {what}")]
    NotAllowed { what: String },
    /// The other end wants to know first who asks.
    #[error("{address} does not know who you are: {detail}")]
    SignIn { address: String, detail: String },
    /// The other end did not take what was sent.
    #[error("the remote did not take {what}: {detail}")]
    TurnedDown { what: String, detail: String },
    /// The other end has no room for what was sent.
    #[error("the remote has no room for it: {detail}")]
    NoRoom { detail: String },
    /// There is too little room here for what comes.
    #[error("there is too little room on this disk: {} came, and {detail}", human_bytes(*come_bytes))]
    NoRoomHere { come_bytes: u64, detail: String },
    /// Something failed at the other end.
    #[error("{address} failed: {detail}")]
    Failed { address: String, detail: String },
    /// The other end cannot be reached now, or the line broke.
    #[error("{address} cannot be reached: {detail}")]
    Unreachable { address: String, detail: String },
    /// A folder in which a remote was is not there, or empty.
    #[error("nothing is at {address} now, where a remote was")]
    NotMounted { address: String },
    /// A clone was to be made in the folder of a remote.
    #[error("{} is where the remote keeps its own files", path.display())]
    InsideRemote { path: std::path::PathBuf },
    /// There is no way to the other end.
    #[error("there is no way to {address}: {detail}")]
    NoWay { address: String, detail: String },
    /// What answers is another program, or something speaks before it does.
    #[error("what answers at {address} is not pent: {detail}")]
    NotPent { address: String, detail: String },
    /// The other end speaks other versions of the protocol.
    #[error(
        "{address} speaks versions {} to {} of the protocol, and this program {} to {}",
        theirs.0, theirs.1, ours.0, ours.1
    )]
    OtherVersion { address: String, theirs: (u16, u16), ours: (u16, u16) },
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The repository failed.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// Content could not be read.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// A file beside the repository could not be read or written.
    #[error("{action} {} failed", path.display())]
    Io { action: &'static str, path: std::path::PathBuf, source: std::io::Error },
    /// The user asked to stop.
    #[error("stopped as you asked")]
    Cancelled,
}

/// What a log is called in messages.
fn log_words(name: &str) -> &str {
    match name {
        "shared" => "the shared log",
        "review/team" | "review/guests" => "the review log",
        "commit-signatures" => "the set of commit signatures",
        "policy-proposals" => "the list of proposed policies",
        other => other,
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cancelled => Self::Cancelled,
            error => Self::Repo(error.into()),
        }
    }
}

impl From<WalkError<RepoError>> for SyncError {
    fn from(error: WalkError<RepoError>) -> Self {
        Self::Repo(error.into())
    }
}

impl From<crate::repo::refs::RefNameError> for SyncError {
    fn from(error: crate::repo::refs::RefNameError) -> Self {
        Self::Repo(error.into())
    }
}

/// Result of synchronisation.
pub type SyncResult<T> = Result<T, SyncError>;

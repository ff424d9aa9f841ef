//! Why a shared log does not verify.

use crate::base::id::{AssetId, PolicyId};
use crate::object::log_entry::EntryError;
use crate::object::policy_link::LinkError;
use crate::object::signature::Fingerprint;
use crate::object::statement::StatementError;
use crate::repo::RepoError;
use crate::rules::approval::{Missing, Refusal, listed};
use crate::rules::policy::{Handle, PolicyError};

/// Why a log as a whole is not taken for true.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The log could not be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// An entry that may not stand where it stands.
    #[error("entry {sequence} of the shared log does not verify: {fault}")]
    Broken {
        /// Where, from 1.
        sequence: u64,
        /// What is wrong.
        fault: Box<Fault>,
    },
    /// The log ends before what this clone has seen of it.
    #[error("the shared log ends at entry {found}, but this clone has seen entry {seen}: it was rolled back")]
    RolledBack { seen: u64, found: u64 },
    /// The log holds something else than this clone has seen.
    #[error(
        "entry {sequence} of the shared log is another one than this clone has seen: the log was rewritten"
    )]
    Rewritten { sequence: u64 },
    /// The first policy is not the one that this clone trusts.
    #[error("the first policy is {found}, but this clone trusts {pinned}")]
    OtherRoot { pinned: PolicyId, found: String },
    /// The state that an earlier verification left cannot be read.
    #[error("what this clone remembers of the shared log cannot be read")]
    Checkpoint(#[source] serde_json::Error),
    /// The user asked to stop.
    #[error("stopped as asked")]
    Cancelled,
}

/// What is wrong with an entry.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Entry(#[from] EntryError),
    #[error("it is of another repository")]
    OtherRepository,
    #[error("it has number {found} where {expected} comes next: entries are missing or out of order")]
    Number { expected: u64, found: u64 },
    #[error("it does not follow the entry before it")]
    Previous,
    #[error("it was received before the entry before it")]
    Earlier,
    #[error("it says that it was received {ahead} from now: a clock is wrong")]
    FromFuture { ahead: String },
    #[error("it is followed by entries that are not there: the log says that it goes to {head}")]
    Tail { head: u64 },
    #[error("the log does not begin with a policy")]
    NoPolicy,
    #[error("the policy does not know the key {key} that signed it")]
    UnknownSigner { key: Fingerprint },
    #[error("it says that somebody else wrote it than {holder}, whose key signed it")]
    OtherSigner { holder: Handle },
    #[error("the key {key} that signed it was revoked by entry {sequence}")]
    RevokedSigner { key: Fingerprint, sequence: u64 },
    #[error("the key {key} that signed it did not count at that time")]
    InvalidSigner { key: Fingerprint },
    #[error("{holder} may not write into the log")]
    NotKeeper { holder: Handle },
    #[error("policies {} follow the same one; until a link that names them both is signed, nothing else counts", listed(.rivals))]
    Disputed { rivals: Vec<PolicyId> },
    #[error("its policy link is none: {0}")]
    Link(#[from] LinkError),
    #[error("its policy cannot be read: {0}")]
    Policy(#[from] PolicyError),
    #[error("policy {number} was in force before and does not come back by itself: policies only go forward")]
    PolicyRollback { number: u64 },
    #[error("its policy follows policy {number}, which was followed by others long ago")]
    Superseded { number: u64 },
    #[error("its policy follows one that this log does not have")]
    UnknownParent,
    #[error("its policy has number {found} where {expected} comes next")]
    PolicyNumber { expected: u64, found: u64 },
    #[error("a second first policy")]
    SecondRoot,
    #[error("its policy is not signed by those who must: {}", listed(.0))]
    Quorum(Vec<Missing>),
    #[error("it says that {name} starts somewhere else than it stands")]
    Start { name: String },
    #[error("the policy in force has no recovery rule")]
    NoRecovery,
    #[error("its policy was not announced before")]
    NotAnnounced,
    #[error("its policy has not been announced for long enough: {left} to go")]
    TooSoon { left: String },
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("what speaks for its move cannot be found: {0}")]
    Evidence(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the asset {asset} is locked by somebody else")]
    Locked { asset: AssetId },
    #[error("the asset {asset} is not locked by {holder}")]
    NotLocked { asset: AssetId, holder: Handle },
    #[error("{holder} may not do that")]
    MayNot { holder: Handle },
    #[error("its permission to erase is none: {0}")]
    Erasure(#[from] StatementError),
}

impl Fault {
    /// The fault as an error of the log, at an entry.
    pub(crate) fn at(self, sequence: u64) -> ChainError {
        ChainError::Broken { sequence, fault: Box::new(self) }
    }
}

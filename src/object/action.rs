//! Actions: the signed entries of the review log.
//!
//! An action is a small header, signed as exactly these bytes, with its words apart in a salted
//! body: the body can be erased and the header, its signature and every chain through it still
//! verify. The header is a JSON text in the style of an in-toto statement: its subjects are the
//! texts it speaks about - the check list and the list of transitions, so that `b3sum` is enough to
//! check them - and its predicate says who does what. Exact bytes: `docs/format/review-log.md`.
//!
//! A reader takes only what a writer would have written, byte for byte. Kinds that this program does
//! not know are kept and relayed unread.

mod statement;

use crate::base::id::{ActionId, AssetId, BodyId, CommitId, FileId, PersonId, PolicyId, RepositoryId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::signature::Fingerprint;
use crate::object::transition::TransitionList;
use crate::object::{ObjectKind, hash_object};
use serde::{Deserialize, Serialize};

/// Longest header, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 1 << 17;
/// Longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Most heads that one action names.
pub const HEADS_MAX: usize = 256;
/// Most reviewers, paths or assets that one action names.
pub const NAMES_MAX: usize = 256;
/// Longest name of a branch or a reviewer, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Why bytes are no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// It is longer than it may be.
    #[error("it is longer than {limit} bytes")]
    TooLong { limit: usize },
    /// It is no statement of this kind.
    #[error("it is no action: {reason}")]
    NotAnAction { reason: String },
    /// It says something that a writer would have written otherwise.
    #[error("it is not written in its one form")]
    Form,
    /// It names more than it may.
    #[error("it names too many {what}")]
    TooMany { what: &'static str },
}

/// Who may read an action. Logs are kept apart by audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Everybody who works on the repository.
    Team,
    /// The team and its guests.
    Guests,
}

impl Audience {
    /// The name as statements have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Guests => "guests",
        }
    }
}

/// Names a list of transitions and its check list, both by the plain BLAKE3 of their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListRef {
    /// The transitions.
    pub transitions: FileId,
    /// The files that stand after them, as `b3sum --check` reads them.
    pub files: FileId,
    /// How many transitions there are.
    pub count: u64,
}

impl ListRef {
    /// Names a list.
    pub fn of(list: &TransitionList) -> Self {
        Self { transitions: list.id(), files: FileId::of(&list.check_list()), count: list.len() as u64 }
    }
}

/// What stands behind a submission in one round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The branch that it is to land on.
    pub branch: String,
    /// The draft that it comes from.
    pub draft: String,
    /// The branch's newest commit when it was computed.
    pub base: CommitId,
    /// The draft's newest commit.
    pub head: CommitId,
    /// What landing would change.
    pub list: ListRef,
    /// Whom it asks, by handle or name.
    pub reviewers: Vec<String>,
}

/// A verdict on transitions of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The submission.
    pub submission: ActionId,
    /// The branch that it is to land on.
    pub branch: String,
    /// The policy in force where the verdict was given; `None` without one.
    pub policy: Option<PolicyId>,
    /// Exactly the transitions that it is about.
    pub list: ListRef,
    /// The folders and assets that were named; empty for the whole submission.
    pub paths: Vec<AssetPath>,
}

/// A file of an asset that a comment is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The asset.
    pub asset: AssetId,
    /// The version of it; `None` for the asset as such.
    pub file: Option<FileId>,
}

/// Words on a submission or on assets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// The submission; `None` for words on assets alone.
    pub submission: Option<ActionId>,
    /// The action that it answers.
    pub reply: Option<ActionId>,
    /// The folders and assets that were named; empty for the whole submission.
    pub paths: Vec<AssetPath>,
    /// The single assets among them.
    pub about: Vec<About>,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Deed {
    /// Asks for transitions to land. Its id is the submission's.
    Submit(Proposal),
    /// Begins the next round of a submission.
    Update {
        /// The submission.
        submission: ActionId,
        /// What stands behind it now.
        proposal: Proposal,
    },
    /// Approves transitions.
    Approve(Verdict),
    /// Wants transitions changed before they land.
    RequestChanges(Verdict),
    /// Does not want transitions to land.
    Reject(Verdict),
    /// Takes a submission back.
    Withdraw {
        /// The submission.
        submission: ActionId,
    },
    /// Takes a verdict back.
    WithdrawVerdict {
        /// The submission.
        submission: ActionId,
        /// The verdict.
        verdict: ActionId,
    },
    /// Tells that a submission landed. That it did is for the history and the shared log to say.
    Land {
        /// The submission.
        submission: ActionId,
        /// The branch.
        branch: String,
        /// The commit by which the branch has it.
        commit: CommitId,
    },
    /// Says something.
    Comment(Comment),
    /// Something that a later program knows.
    #[serde(skip)]
    Unknown {
        /// What it calls itself.
        kind: String,
    },
}

impl Deed {
    /// The submission that it is about; a submit action is its own and has none here.
    pub const fn submission(&self) -> Option<ActionId> {
        match self {
            Self::Update { submission, .. }
            | Self::Land { submission, .. }
            | Self::Withdraw { submission }
            | Self::WithdrawVerdict { submission, .. } => Some(*submission),
            Self::Approve(verdict) | Self::RequestChanges(verdict) | Self::Reject(verdict) => {
                Some(verdict.submission)
            }
            Self::Comment(comment) => comment.submission,
            Self::Submit(_) | Self::Unknown { .. } => None,
        }
    }

    /// The actions that it speaks of. Whoever speaks of one has seen it.
    pub fn references(&self) -> impl Iterator<Item = ActionId> {
        let second = match self {
            Self::WithdrawVerdict { verdict, .. } => Some(*verdict),
            Self::Comment(comment) => comment.reply,
            _ => None,
        };
        self.submission().into_iter().chain(second)
    }

    /// The transitions that it names.
    pub const fn list(&self) -> Option<ListRef> {
        match self {
            Self::Submit(proposal) | Self::Update { proposal, .. } => Some(proposal.list),
            Self::Approve(verdict) | Self::RequestChanges(verdict) | Self::Reject(verdict) => {
                Some(verdict.list)
            }
            Self::Withdraw { .. }
            | Self::WithdrawVerdict { .. }
            | Self::Land { .. }
            | Self::Comment(_)
            | Self::Unknown { .. } => None,
        }
    }
}

/// The header of one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The repository that it belongs to.
    pub repository: RepositoryId,
    /// Who may read it.
    pub audience: Audience,
    /// Who acts.
    pub actor: PersonId,
    /// The fingerprint of the key that signs.
    pub key: Fingerprint,
    /// The actor's own action before this one.
    pub previous: Option<ActionId>,
    /// The newest actions that the actor had seen, sorted.
    pub heads: Vec<ActionId>,
    /// When, by the actor's clock: for display only.
    pub time: Timestamp,
    /// The body with its words.
    pub body: BodyId,
    /// What it does.
    pub deed: Deed,
}

impl Action {
    /// The exact bytes to be signed.
    pub fn encode(&self) -> Result<Vec<u8>, ActionError> {
        self.check()?;
        let bytes = statement::write(self)?;
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(ActionError::TooLong { limit: STATEMENT_BYTES_MAX });
        }
        Ok(bytes)
    }

    /// Reads signed bytes. Refuses a known kind that is not written as [`encode`](Self::encode)
    /// writes it.
    pub fn decode(bytes: &[u8]) -> Result<Self, ActionError> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(ActionError::TooLong { limit: STATEMENT_BYTES_MAX });
        }
        let action = statement::read(bytes)?;
        action.check()?;
        if !matches!(action.deed, Deed::Unknown { .. }) && statement::write(&action)? != bytes {
            return Err(ActionError::Form);
        }
        Ok(action)
    }

    /// The id of an action with these bytes. A signature is no part of it.
    pub fn id_of(statement: &[u8]) -> ActionId {
        ActionId::from_bytes(hash_object(ObjectKind::Action, statement))
    }

    /// The actions that it comes after, sorted: the heads that it names, the actor's own before it,
    /// and those it speaks of.
    pub fn parents(&self) -> Vec<ActionId> {
        let named = self.heads.iter().copied().chain(self.previous).chain(self.deed.references());
        let mut parents: Vec<ActionId> = named.collect();
        parents.sort_unstable();
        parents.dedup();
        parents
    }

    fn check(&self) -> Result<(), ActionError> {
        let few = |count: usize, limit: usize, what: &'static str| {
            if count > limit { Err(ActionError::TooMany { what }) } else { Ok(()) }
        };
        few(self.heads.len(), HEADS_MAX, "heads")?;
        if self.heads.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(ActionError::Form);
        }
        let mut names: Vec<&str> = Vec::new();
        match &self.deed {
            Deed::Submit(proposal) | Deed::Update { proposal, .. } => {
                few(proposal.reviewers.len(), NAMES_MAX, "reviewers")?;
                names.extend([proposal.branch.as_str(), proposal.draft.as_str()]);
                names.extend(proposal.reviewers.iter().map(String::as_str));
            }
            Deed::Approve(verdict) | Deed::RequestChanges(verdict) | Deed::Reject(verdict) => {
                few(verdict.paths.len(), NAMES_MAX, "paths")?;
                names.push(&verdict.branch);
            }
            Deed::Comment(comment) => {
                few(comment.paths.len(), NAMES_MAX, "paths")?;
                few(comment.about.len(), NAMES_MAX, "assets")?;
            }
            Deed::Land { branch, .. } => names.push(branch),
            Deed::Unknown { kind } => names.push(kind),
            Deed::Withdraw { .. } | Deed::WithdrawVerdict { .. } => {}
        }
        if names.iter().any(|name| name.len() > NAME_BYTES_MAX) {
            return Err(ActionError::TooLong { limit: NAME_BYTES_MAX });
        }
        Ok(())
    }
}

/// The words of an action: whose they are, and a salt that keeps short ones from being guessed by their
/// digest. Since they name their speaker, nobody else's action has them by naming their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Who speaks: the actor of the action.
    pub actor: PersonId,
    /// 16 random bytes in hexadecimal.
    salt: String,
    /// The words; may be empty.
    pub text: String,
}

impl Body {
    /// Words of a person with a salt, which must be random.
    pub fn new(actor: PersonId, salt: [u8; 16], text: impl Into<String>) -> Self {
        let salt = salt.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { actor, salt, text: text.into() }
    }

    /// The exact bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Texts have a form in JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads exact bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ActionError> {
        if bytes.len() > BODY_BYTES_MAX {
            return Err(ActionError::TooLong { limit: BODY_BYTES_MAX });
        }
        let body: Self = serde_json::from_slice(bytes)
            .map_err(|error| ActionError::NotAnAction { reason: error.to_string() })?;
        let is_salt =
            body.salt.len() == 32 && body.salt.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_salt || body.encode() != bytes {
            return Err(ActionError::Form);
        }
        Ok(body)
    }

    /// The id that headers know it by.
    pub fn id(&self) -> BodyId {
        Self::id_of(&self.encode())
    }

    /// The id of a body with these bytes.
    pub fn id_of(bytes: &[u8]) -> BodyId {
        BodyId::from_bytes(hash_object(ObjectKind::ActionBody, bytes))
    }
}

#[cfg(test)]
mod tests;

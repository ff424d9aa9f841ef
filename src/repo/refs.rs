//! Names of branches and tags.
//!
//! A branch is stored as `branch/<name>`, a tag as `tag/<name>`, the last known place of a remote's
//! branch as `remote/<remote>/<name>`. Names follow the rules of Git
//! (checked by `gix`), so that history can move between the two, and are text.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::CommitId;
use crate::base::ref_name;
use crate::object::commit::Signature;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where drafts live among the branches.
pub const DRAFT_PREFIX: &str = "draft/";
/// The branch that a new repository starts on.
pub const DEFAULT_BRANCH: &str = "main";
const BRANCH_PREFIX: &str = "branch/";
const TAG_PREFIX: &str = "tag/";
const REMOTE_PREFIX: &str = "remote/";

/// Why text is no name of a branch or tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot be the name of a branch or tag: {reason}")]
pub struct RefNameError {
    /// The text as given.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Whether a name moves with new commits or stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefKind {
    /// Moves with every commit.
    Branch,
    /// Stays where it was put.
    Tag,
    /// Where a remote's branch was when it was last looked at.
    Remote,
}

/// The checked name of a branch or tag.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName {
    full: String,
}

impl RefName {
    /// A branch; drafts are branches below `draft/`.
    pub fn branch(name: &str) -> Result<Self, RefNameError> {
        Self::new(BRANCH_PREFIX, name)
    }

    /// A draft by its own name, with or without `draft/` in front.
    pub fn draft(name: &str) -> Result<Self, RefNameError> {
        let own = name.strip_prefix(DRAFT_PREFIX).unwrap_or(name);
        Self::new(BRANCH_PREFIX, &format!("{DRAFT_PREFIX}{own}"))
    }

    /// A tag.
    pub fn tag(name: &str) -> Result<Self, RefNameError> {
        Self::new(TAG_PREFIX, name)
    }

    /// Where a branch of a remote was when it was last looked at: `origin/main`.
    pub fn remote(remote: &str, branch: &Self) -> Result<Self, RefNameError> {
        Self::new(REMOTE_PREFIX, &format!("{remote}/{}", branch.name()))
    }

    /// The name of a remote's branch as people say it, `origin/main`.
    pub fn tracked(name: &str) -> Result<Self, RefNameError> {
        if name.contains('/') {
            return Self::new(REMOTE_PREFIX, name);
        }
        Err(RefNameError { name: name.to_owned(), reason: "it has no branch after the remote".into() })
    }

    /// The remote and the name of its branch, of a name made by [`RefName::remote`].
    pub fn remote_parts(&self) -> Option<(&str, &str)> {
        self.full.strip_prefix(REMOTE_PREFIX)?.split_once('/')
    }

    fn new(prefix: &str, name: &str) -> Result<Self, RefNameError> {
        if let Some(reason) = ref_name::fault(name) {
            return Err(RefNameError { name: name.to_owned(), reason });
        }
        Ok(Self { full: format!("{prefix}{name}") })
    }

    /// Reads the stored form, such as `branch/main`.
    pub fn parse(full: &str) -> Result<Self, RefNameError> {
        if let Some(name) = full.strip_prefix(REMOTE_PREFIX) {
            return Self::tracked(name);
        }
        match (full.strip_prefix(BRANCH_PREFIX), full.strip_prefix(TAG_PREFIX)) {
            (Some(name), _) => Self::branch(name),
            (_, Some(name)) => Self::tag(name),
            _ => Err(RefNameError { name: full.to_owned(), reason: "it is of no known kind".into() }),
        }
    }

    /// The stored form, such as `branch/main`.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The name as people say it: `main`, `draft/poster`, `v1`.
    pub fn name(&self) -> &str {
        self.full.split_once('/').map_or(self.full.as_str(), |(_, name)| name)
    }

    /// Whether it is a branch or a tag.
    pub fn kind(&self) -> RefKind {
        if self.full.starts_with(BRANCH_PREFIX) {
            RefKind::Branch
        } else if self.full.starts_with(REMOTE_PREFIX) {
            RefKind::Remote
        } else {
            RefKind::Tag
        }
    }

    /// Whether it is a draft.
    pub fn is_draft(&self) -> bool {
        self.kind() == RefKind::Branch && self.name().starts_with(DRAFT_PREFIX)
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefName({})", self.full)
    }
}

impl Serialize for RefName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.full)
    }
}

impl<'de> Deserialize<'de> for RefName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What a name points to, with the words of whoever set a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefTarget {
    /// The commit.
    pub commit: CommitId,
    /// Who set the tag, when and why; branches have none.
    pub annotation: Option<Annotation>,
}

/// The words that come with a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Who set it and when.
    pub signature: Signature,
    /// Why.
    pub message: String,
}

const TARGET_VERSION: u8 = 1;
const MESSAGE_BYTES_MAX: usize = 1 << 16;

impl RefTarget {
    /// A target without words.
    pub const fn plain(commit: CommitId) -> Self {
        Self { commit, annotation: None }
    }

    /// The stored bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(TARGET_VERSION);
        out.raw(self.commit.as_bytes());
        match &self.annotation {
            None => {
                out.u8(0);
            }
            Some(annotation) => {
                out.u8(1)
                    .raw(annotation.signature.person.as_bytes())
                    .int(annotation.signature.time.unix_ms)
                    .int(i64::from(annotation.signature.time.offset_minutes))
                    .bytes(annotation.message.as_bytes());
            }
        }
        out.finish()
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("ref", bytes);
        input.version(TARGET_VERSION)?;
        let commit = CommitId::from_bytes(input.array()?);
        let annotation = match input.u8()? {
            0 => None,
            1 => {
                let person = crate::base::id::PersonId::from_bytes(input.array()?);
                let unix_ms = input.int()?;
                let offset_minutes =
                    i16::try_from(input.int()?).map_err(|_| input.error(DecodeErrorKind::Value))?;
                let time = crate::base::time::Timestamp { unix_ms, offset_minutes };
                let message = input.text(MESSAGE_BYTES_MAX)?.to_owned();
                Some(Annotation { signature: Signature { person, time }, message })
            }
            _ => return Err(input.error(DecodeErrorKind::Tag)),
        };
        input.finish()?;
        Ok(Self { commit, annotation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_git_or_a_terminal_would_misread_are_refused() {
        for bad in ["", "a..b", "a b", "-x", "@", "a.lock", "a~1", "a:b", "/a", "a/", "x\u{202e}y", "a@{b"] {
            assert!(RefName::branch(bad).is_err(), "{bad:?}");
        }
        assert_eq!(RefName::draft("poster").map(|n| n.as_str().to_owned()), Ok("branch/draft/poster".into()));
        assert_eq!(RefName::draft("draft/poster"), RefName::draft("poster"));
    }

    #[test]
    fn targets_decode_to_themselves() {
        let plain = RefTarget::plain(CommitId::from_bytes([4; 32]));
        assert_eq!(RefTarget::decode(&plain.encode()), Ok(plain));
    }
}

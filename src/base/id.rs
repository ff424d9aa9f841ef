//! Typed identifiers.
//!
//! Each kind of id is a type of its own, so that a tree id can never be passed where a file id is
//! meant. Ids print as lower-case hexadecimal and parse from exactly that.

use std::fmt;
use std::str::FromStr;

/// What was wrong with the text of an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has another number of characters than the kind of id needs.
    #[error("{kind} needs {expected} hexadecimal digits, found {actual} characters")]
    Length { kind: &'static str, expected: usize, actual: usize },
    /// A character is no lower-case hexadecimal digit.
    #[error("{kind} has a character that is no lower-case hexadecimal digit at position {position}")]
    Digit { kind: &'static str, position: usize },
}

/// Writes `bytes` as lower-case hexadecimal.
pub fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut buffer = [0u8; 64];
    for group in bytes.chunks(32) {
        for (pair, byte) in buffer.chunks_exact_mut(2).zip(group) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        let text = std::str::from_utf8(&buffer[..group.len() * 2]).map_err(|_| fmt::Error)?;
        f.write_str(text)?;
    }
    Ok(())
}

/// Reads lower-case hexadecimal of exactly `N` bytes.
fn parse_hex<const N: usize>(kind: &'static str, text: &str) -> Result<[u8; N], IdError> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return Err(IdError::Length { kind, expected: N * 2, actual: text.chars().count() });
    }
    let mut bytes = [0u8; N];
    for (position, digit) in digits.iter().enumerate() {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return Err(IdError::Digit { kind, position }),
        };
        bytes[position / 2] = bytes[position / 2] << 4 | value;
    }
    Ok(bytes)
}

macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident, $size:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $size]);

        impl $name {
            /// Length of the id in bytes.
            pub const SIZE: usize = $size;

            /// Takes the bytes as they are; the caller vouches that they are an id of this kind.
            pub const fn from_bytes(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }

            /// Takes a slice of exactly the right length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }

            /// The first ten digits: enough to tell ids apart in most repositories.
            pub fn short(&self) -> String {
                self.to_string()[..10].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex::<$size>($kind, text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

define_id!(
    /// BLAKE3-256 of a chunk's raw bytes.
    ChunkId, 32, "a chunk id"
);
define_id!(
    /// BLAKE3-256 of all of a file's bytes: what `b3sum` prints.
    FileId, 32, "a file id"
);
define_id!(
    /// Id of one node of a manifest.
    ManifestNodeId, 32, "a manifest node id"
);
define_id!(
    /// Id of a directory, or of one node of a very large one.
    TreeId, 32, "a tree id"
);
define_id!(
    /// Id of one asset's metadata object.
    MetadataId, 32, "a metadata id"
);
define_id!(
    /// Id of a commit.
    CommitId, 32, "a commit id"
);
define_id!(
    /// Names an asset through edits, renames and moves.
    AssetId, 16, "an asset id"
);
define_id!(
    /// Names a person without saying who it is; the name stands in a record that can be erased.
    PersonId, 16, "a person id"
);
define_id!(
    /// Names a repository and all its clones.
    RepositoryId, 16, "a repository id"
);
define_id!(
    /// Id of one link of a repository's chain of policies.
    PolicyId, 32, "a policy id"
);
define_id!(
    /// Id of one entry of a repository's shared log.
    LogEntryId, 32, "a log entry id"
);
define_id!(
    /// Id of one signed action of the review log. That of a submission is its submit action's.
    ActionId, 32, "an action id"
);
define_id!(
    /// Id of one transition: of what stood before and what stands after.
    TransitionId, 32, "a transition id"
);
define_id!(
    /// Id of the salted body of an action.
    BodyId, 32, "a body id"
);
define_id!(
    /// Names a pack file.
    PackId, 16, "a pack id"
);

impl ChunkId {
    /// Hashes a chunk's raw bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl FileId {
    /// Hashes all of a file's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The id of the file with no bytes.
    pub fn empty() -> Self {
        Self(*blake3::hash(b"").as_bytes())
    }
}

/// A file of one chunk *is* its chunk: both are the plain BLAKE3 of the same bytes.
impl From<ChunkId> for FileId {
    fn from(id: ChunkId) -> Self {
        Self(id.0)
    }
}

/// The chunk that a file would be if it were cut nowhere.
impl From<FileId> for ChunkId {
    fn from(id: FileId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse_as_the_same_text() {
        let id = ChunkId::of(b"abc");
        assert_eq!(id.to_string(), "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
        assert_eq!(id.to_string().parse::<ChunkId>(), Ok(id));
    }

    #[test]
    fn ids_refuse_other_lengths_and_upper_case() {
        assert!(matches!("abc".parse::<AssetId>(), Err(IdError::Length { expected: 32, actual: 3, .. })));
        let upper = "A".repeat(32);
        assert!(matches!(upper.parse::<AssetId>(), Err(IdError::Digit { position: 0, .. })));
    }
}

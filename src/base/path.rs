//! Names and paths inside a repository.
//!
//! A path that exists as an [`AssetPath`] is relative, has no empty, `.` or `..` part, no NUL and
//! bounded length. Whether a name may be *checked out* on some system is another question, answered
//! in `rules`.

use crate::base::escape;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Longest name of one entry, in bytes (255 UTF-16 units can take 765 bytes of UTF-8).
pub const NAME_BYTES_MAX: usize = 765;
/// Longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 16 * 1024;
/// Deepest nesting, in names.
pub const PATH_DEPTH_MAX: usize = 512;

/// Why bytes are no name or path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("it is empty")]
    Empty,
    #[error("it has an empty part, `.` or `..`")]
    Component,
    #[error("it has a slash or a NUL in a name")]
    Byte,
    #[error(
        "it is longer than {PATH_BYTES_MAX} bytes, deeper than {PATH_DEPTH_MAX} folders or has a name longer than {NAME_BYTES_MAX} bytes"
    )]
    TooLong,
    #[error("its percent-encoding is broken")]
    Encoding,
}

/// Checks the name of one directory entry.
pub fn check_name(name: &[u8]) -> Result<(), PathError> {
    if name.is_empty() {
        return Err(PathError::Empty);
    }
    if name == b"." || name == b".." {
        return Err(PathError::Component);
    }
    if name.iter().any(|byte| *byte == b'/' || *byte == 0) {
        return Err(PathError::Byte);
    }
    if name.len() > NAME_BYTES_MAX { Err(PathError::TooLong) } else { Ok(()) }
}

/// A path from the repository's top, names separated by `/`. The empty path is the top itself.
///
/// Cheap to clone: lists of a million paths exist several times over while a commit is made.
#[derive(Clone, Default)]
pub struct AssetPath(Option<Arc<[u8]>>);

impl AssetPath {
    /// The repository's top folder.
    pub const fn root() -> Self {
        Self(None)
    }

    /// Checks and takes bytes as a path; empty bytes are the top.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Ok(Self::root());
        }
        if bytes.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        let mut depth = 0;
        for name in bytes.split(|byte| *byte == b'/') {
            check_name(name)
                .map_err(|error| if error == PathError::Empty { PathError::Component } else { error })?;
            depth += 1;
        }
        if depth > PATH_DEPTH_MAX { Err(PathError::TooLong) } else { Ok(Self::of(&bytes)) }
    }

    /// Takes bytes that are known to be a path.
    fn of(bytes: &[u8]) -> Self {
        Self((!bytes.is_empty()).then(|| bytes.into()))
    }

    /// Reads the percent-encoded form used in JSON.
    pub fn from_percent(text: &str) -> Result<Self, PathError> {
        Self::from_bytes(escape::percent_decode(text).ok_or(PathError::Encoding)?)
    }

    /// The path's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether this is the top folder.
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// The path of an entry inside this folder.
    pub fn join(&self, name: &[u8]) -> Result<Self, PathError> {
        check_name(name)?;
        let Some(above) = &self.0 else { return Ok(Self::of(name)) };
        let bytes = [above, b"/".as_slice(), name].concat();
        if bytes.len() > PATH_BYTES_MAX { Err(PathError::TooLong) } else { Ok(Self::of(&bytes)) }
    }

    /// The folder it lies in; `None` for the top.
    pub fn parent(&self) -> Option<Self> {
        let bytes = self.0.as_deref()?;
        let end = bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self::of(&bytes[..end]))
    }

    /// Its last name; empty for the top.
    pub fn name(&self) -> &[u8] {
        let bytes = self.as_bytes();
        let start = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        &bytes[start..]
    }

    /// What follows the last dot of its name, lower-cased; empty when there is none.
    pub fn extension(&self) -> Vec<u8> {
        let name = self.name();
        match name.iter().rposition(|byte| *byte == b'.') {
            Some(dot) if dot > 0 => name[dot + 1..].to_ascii_lowercase(),
            _ => Vec::new(),
        }
    }

    /// Its names from the top down.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// Whether it is `folder` or lies anywhere below it.
    pub fn is_within(&self, folder: &AssetPath) -> bool {
        let below = self.as_bytes().strip_prefix(folder.as_bytes());
        folder.is_root() || below.is_some_and(|below| below.is_empty() || below[0] == b'/')
    }

    /// The part below `folder`; `None` when it does not lie there.
    pub fn below(&self, folder: &AssetPath) -> Option<AssetPath> {
        if !self.is_within(folder) {
            return None;
        }
        let (bytes, above) = (self.as_bytes(), folder.as_bytes().len());
        let start = if folder.is_root() { 0 } else { (above + 1).min(bytes.len()) };
        Some(Self::of(&bytes[start..]))
    }

    /// The percent-encoded form used in JSON.
    pub fn to_percent(&self) -> String {
        escape::percent_encode(self.as_bytes())
    }
}

/// Shows the path safely on a terminal.
impl fmt::Display for AssetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape::terminal(if self.is_root() { b"." } else { self.as_bytes() }))
    }
}

impl fmt::Debug for AssetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssetPath({self})")
    }
}

// Paths compare and hash as their bytes do, which `Borrow` promises.
impl PartialEq for AssetPath {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for AssetPath {}

impl PartialOrd for AssetPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AssetPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for AssetPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Borrow<[u8]> for AssetPath {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl serde::Serialize for AssetPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_percent())
    }
}

impl<'de> serde::Deserialize<'de> for AssetPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_percent(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text).expect("a valid path")
    }

    #[test]
    fn paths_that_could_leave_the_repository_do_not_exist() {
        for bad in ["/etc", "a//b", "a/", "./a", "a/../b", "..", "a\0b"] {
            assert!(AssetPath::from_bytes(bad).is_err(), "{bad:?}");
        }
        assert_eq!(AssetPath::from_bytes(vec![b'a'; 4096]), Err(PathError::TooLong));
    }

    #[test]
    fn a_folder_holds_what_lies_below_it_and_nothing_that_merely_starts_alike() {
        assert!(path("brand/logo.svg").is_within(&path("brand")));
        assert!(!path("branding/logo.svg").is_within(&path("brand")));
        assert_eq!(path("brand/a/b").below(&path("brand")), Some(path("a/b")));
        assert_eq!(path("a/b").below(&AssetPath::root()), Some(path("a/b")));
    }

    #[test]
    fn parents_names_and_extensions() {
        assert_eq!(path("a/b.PSD").parent(), Some(path("a")));
        assert_eq!(path("a").parent(), Some(AssetPath::root()));
        assert_eq!(path("a/b.PSD").extension(), b"psd");
        assert_eq!(path(".hidden").extension(), b"");
    }
}

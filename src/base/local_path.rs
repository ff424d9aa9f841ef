//! Places on the disks of this machine, as reports carry them.

use crate::base::escape;
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A place on a disk of this machine. Its name may be any bytes: programs get it percent-encoded like
/// the paths of assets, people with everything unsafe spelled out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LocalPath(pub PathBuf);

impl Deref for LocalPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl<T: Into<PathBuf>> From<T> for LocalPath {
    fn from(path: T) -> Self {
        Self(path.into())
    }
}

impl AsRef<Path> for LocalPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape::terminal(self.0.as_os_str().as_encoded_bytes()))
    }
}

impl Serialize for LocalPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape::percent_encode(self.0.as_os_str().as_encoded_bytes()))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn a_name_of_any_bytes_reaches_programs_and_people() {
        let path = LocalPath::from(OsStr::from_bytes(b"/m/n\xff\x1b/100%"));
        let json = serde_json::to_string(&path).expect("a string");
        assert_eq!(json, r#""/m/n%FF%1B/100%25""#);
        assert_eq!(path.to_string(), r"/m/n\xff\x1b/100%");
    }
}

//! Paths as people type them, turned into paths of the repository.

use crate::app::error::AppError;
use crate::base::path::AssetPath;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// Turns a typed path into one from the repository's top.
///
/// The path need not exist. Symbolic links on the way to it are followed only as far as needed to
/// see that it lies inside `root`; its last name is never followed, since a link may be the asset.
/// `root` must be canonical.
pub fn asset_path(root: &Path, current_dir: &Path, typed: &Path) -> Result<AssetPath, AppError> {
    let absolute = plain(&current_dir.join(typed));
    let inside = match absolute.strip_prefix(root) {
        Ok(inside) => inside.to_owned(),
        Err(_) => {
            let outside = || AppError::OutsideWorktree { path: typed.to_owned(), root: root.to_owned() };
            let real = canonical_parent(&absolute).ok_or_else(outside)?;
            real.strip_prefix(root).map_err(|_| outside())?.to_owned()
        }
    };
    let refuse = |reason: String| AppError::Path { text: typed.to_string_lossy().into_owned(), reason };
    let mut path = AssetPath::root();
    for component in inside.components() {
        let name = name_bytes(component.as_os_str()).ok_or_else(|| refuse("it is no text".to_owned()))?;
        path = path.join(name).map_err(|error| refuse(error.to_string()))?;
    }
    Ok(path)
}

/// Where a path of the repository lies on disk.
pub fn worktree_path(root: &Path, path: &AssetPath) -> Option<PathBuf> {
    let mut place = root.to_owned();
    for name in path.names() {
        place.push(os_name(name)?);
    }
    Some(place)
}

/// Resolves `.` and `..` by text alone.
fn plain(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

/// Follows links in all but the last name, as far as the folders exist.
fn canonical_parent(path: &Path) -> Option<PathBuf> {
    let mut rest = vec![path.file_name()?.to_owned()];
    let mut folder = path.parent()?;
    loop {
        if let Ok(real) = folder.canonicalize() {
            return Some(rest.iter().rev().fold(real, |path, name| path.join(name)));
        }
        rest.push(folder.file_name()?.to_owned());
        folder = folder.parent()?;
    }
}

#[cfg(unix)]
fn name_bytes(name: &OsStr) -> Option<&[u8]> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(name.as_bytes())
}

#[cfg(not(unix))]
fn name_bytes(name: &OsStr) -> Option<&[u8]> {
    name.to_str().map(str::as_bytes)
}

#[cfg(unix)]
fn os_name(name: &[u8]) -> Option<&OsStr> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(OsStr::from_bytes(name))
}

#[cfg(not(unix))]
fn os_name(name: &[u8]) -> Option<&OsStr> {
    std::str::from_utf8(name).ok().map(OsStr::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(current: &str, typed: &str) -> Result<String, AppError> {
        asset_path(Path::new("/studio"), Path::new(current), Path::new(typed)).map(|path| path.to_string())
    }

    #[test]
    fn typed_paths_are_read_from_where_the_user_stands() {
        assert_eq!(path("/studio/brand", "logo.svg").ok().as_deref(), Some("brand/logo.svg"));
        assert_eq!(path("/studio/brand", "../a.png").ok().as_deref(), Some("a.png"));
        assert_eq!(path("/studio/brand", "/studio/b/./c").ok().as_deref(), Some("b/c"));
        assert_eq!(path("/studio", ".").ok().as_deref(), Some("."));
    }

    #[test]
    fn paths_that_lead_outside_are_refused() {
        assert!(matches!(path("/studio", "../elsewhere"), Err(AppError::OutsideWorktree { .. })));
        assert!(matches!(path("/studio", "/studious/a"), Err(AppError::OutsideWorktree { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_repository_leads_into_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("a real path").join("studio");
        std::fs::create_dir(&root).expect("a folder");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&root, &link).expect("a link");
        let found = asset_path(&root, &link, Path::new("new/logo.svg")).expect("a path inside");
        assert_eq!(found.to_string(), "new/logo.svg");
        assert_eq!(worktree_path(&root, &found), Some(root.join("new/logo.svg")));
    }
}

//! Which of the files that a file needs are not where it looks for them.

use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::path::AssetPath;
use crate::object::tree_walk::entry_at;
use crate::repo::{RepoError, Repository, View};
use crate::worktree::root::Worktree;

/// The names among `needs` at which nothing stands, as seen from a file: in a tree, or in the worktree when
/// there is none. Addresses of a network are nobody's files and not told.
pub fn missing(
    repository: &Repository,
    view: &View,
    (tree, of): (Option<TreeId>, &AssetPath),
    needs: &[String],
) -> Result<Vec<String>, AppError> {
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let worktree = match tree {
        Some(_) => None,
        None => Some(Worktree::open(repository.root())?),
    };
    let is_there = |path: &AssetPath| -> Result<bool, AppError> {
        match (tree, &worktree) {
            (Some(tree), _) => Ok(entry_at(view, tree, path).map_err(RepoError::from)?.is_some()),
            (None, Some(worktree)) => worktree.look(path).map(|node| node.is_some()).map_err(|source| {
                AppError::Io { action: "looking at", path: worktree.full_path(path), source }
            }),
            (None, None) => Ok(false),
        }
    };
    let mut gone = Vec::new();
    for name in needs.iter().filter(|name| !is_elsewhere(name)) {
        let mut found = false;
        for path in places(of, name) {
            found = found || is_there(&path)?;
        }
        if !found {
            gone.push(name.clone());
        }
    }
    gone.sort();
    gone.dedup();
    Ok(gone)
}

/// Whether a name is an address of something that is no file of a folder.
fn is_elsewhere(name: &str) -> bool {
    let scheme = name.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme
        .is_some_and(|scheme| matches!(scheme.as_str(), "http" | "https" | "data" | "ftp" | "urn" | "mailto"))
}

/// Where a file of that name may be meant to stand: as it is written, and with what is escaped spelled out. Of
/// a path that begins at the root of a disk, programs look beside the file, too.
fn places(of: &AssetPath, name: &str) -> Vec<AssetPath> {
    let plain = name.strip_prefix("file://").unwrap_or(name).replace('\\', "/");
    let plain = plain.split(['#', '?']).next().unwrap_or_default();
    let is_absolute = plain.starts_with('/') || plain.get(1..2) == Some(":");
    let last = plain.rsplit('/').next().unwrap_or_default();
    let name = if is_absolute { last } else { plain };
    let folder = of.parent().unwrap_or_else(AssetPath::root);
    let mut places: Vec<AssetPath> = within(&folder, name.as_bytes()).into_iter().collect();
    places.extend(within(&folder, &unescaped(name)));
    places.dedup();
    places
}

/// A relative path from a folder, as far as it stays within the repository.
fn within(folder: &AssetPath, name: &[u8]) -> Option<AssetPath> {
    let mut path = folder.clone();
    for part in name.split(|byte| *byte == b'/') {
        path = match part {
            b"" | b"." => path,
            b".." => path.parent()?,
            part => path.join(part).ok()?,
        };
    }
    Some(path)
}

/// `%20` and the like as the bytes that they stand for.
fn unescaped(name: &str) -> Vec<u8> {
    let bytes = name.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *byte == b'%') {
            Some(value) => {
                plain.push(value);
                at += 3;
            }
            None => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_as_programs_do() {
        let of = AssetPath::from_bytes("models/lamp/lamp.gltf").expect("a path");
        let told =
            |name: &str| -> Vec<String> { places(&of, name).iter().map(ToString::to_string).collect() };
        assert_eq!(told("lamp.bin"), ["models/lamp/lamp.bin"]);
        assert_eq!(told("../wood.png"), ["models/wood.png"]);
        assert_eq!(told("a%20b.png"), ["models/lamp/a%20b.png", "models/lamp/a b.png"]);
        assert_eq!(told("C:\\work\\wood.png"), ["models/lamp/wood.png"]);
        assert_eq!(told("/home/anna/wood.png"), ["models/lamp/wood.png"]);
        assert_eq!(told("../../../secret"), [""; 0]);
        assert!(is_elsewhere("https://example.org/a.png") && !is_elsewhere("C:/a.png"));
    }
}

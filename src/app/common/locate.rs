//! Finds what a person means by a path, with or without a revision or a version number.

use crate::app::error::AppError;
use crate::base::id::{CommitId, TreeId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeEntry;
use crate::object::tree_walk::entry_at;
use crate::repo::revision::{Anchor, Revision};
use crate::repo::versions::{asset_line, find_version, version_count};
use crate::repo::{RepoError, View};

/// An entry found in a commit.
#[derive(Debug, Clone)]
pub struct Located {
    /// The commit.
    pub commit: CommitId,
    /// That commit's tree.
    pub tree: TreeId,
    /// Where it stands there.
    pub path: AssetPath,
    /// What stands there.
    pub entry: TreeEntry,
}

/// Finds `path` in `revision` (the newest commit of the current branch when `None`).
///
/// Without a revision, `logo.psd@40` means version 40 of `logo.psd`, unless a file is called so.
pub fn locate(
    view: &View,
    revision: Option<&str>,
    path: &AssetPath,
    now: Timestamp,
) -> Result<Located, AppError> {
    let commit = view.resolve(revision.unwrap_or("@"), now)?.commit;
    let tree = view.commit(commit)?.tree;
    if let Some(entry) = entry_at(view, tree, path).map_err(RepoError::from)? {
        return Ok(Located { commit, tree, path: path.clone(), entry });
    }
    if let (None, Some((path, version))) = (revision, split_version(path)) {
        return locate_version(view, &path, version);
    }
    Err(AppError::NotInRevision { path: path.clone() })
}

/// Finds version `version` of the asset that stands, or last stood, at `path` of the current branch.
pub fn locate_version(view: &View, path: &AssetPath, version: u64) -> Result<Located, AppError> {
    let head = view.head()?.ok_or(RepoError::NoCommits)?;
    let line = asset_line(view, head, path).map_err(RepoError::from)?;
    let change = find_version(&line, version);
    let found = change.and_then(|change| Some((change.id, change.commit.tree, change.after.clone()?)));
    let Some((commit, tree, placed)) = found else {
        let versions = version_count(&line);
        return Err(RepoError::UnknownVersion { path: path.clone(), version, versions }.into());
    };
    Ok(Located { commit, tree, path: placed.path, entry: placed.entry })
}

/// What a word on a command line names, where revisions and paths may both stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A commit.
    Revision(String),
    /// A version of an asset.
    Version {
        /// Where the asset stands or last stood.
        path: AssetPath,
        /// The number of the version.
        version: u64,
    },
    /// A path.
    Path(AssetPath),
}

/// The commit that a revision expression names, when it names one that is here. `logo.psd@40` alone
/// is more than that - it names an asset - and does not count.
pub fn named_commit(view: &View, text: &str, now: Timestamp) -> Result<Option<CommitId>, AppError> {
    let is_asset =
        |revision: &Revision| matches!(revision.anchor, Anchor::Version { .. }) && revision.steps.is_empty();
    if Revision::parse(text).map_or(true, |revision| is_asset(&revision)) {
        return Ok(None);
    }
    match view.resolve(text, now) {
        Ok(resolved) => Ok(Some(resolved.commit)),
        Err(RepoError::UnknownRevision { .. } | RepoError::UnknownVersion { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Says what a word names that is no commit: what stands at its path in the worktree, in the
/// newest commit or in one of the `revisions` named beside it, else a version of an asset.
///
/// `exists` says what stands in the worktree. A word that names nothing is an error, so that a
/// mistyped one does not pass for a path without differences.
pub fn read_path_word(
    view: &View,
    text: &str,
    path: AssetPath,
    revisions: &[CommitId],
    exists: &dyn Fn(&AssetPath) -> bool,
) -> Result<Word, AppError> {
    let mut is_committed = false;
    for commit in revisions.iter().copied().chain(view.head()?) {
        let tree = view.commit(commit)?.tree;
        is_committed = is_committed || entry_at(view, tree, &path).map_err(RepoError::from)?.is_some();
    }
    if path.is_root() || is_committed || exists(&path) {
        return Ok(Word::Path(path));
    }
    match split_version(&path) {
        Some((path, version)) => Ok(Word::Version { path, version }),
        None => Err(AppError::NamesNothing { text: text.to_owned() }),
    }
}

/// A path and the number of a version, when the path ends in `@` and a number: of `logo.psd@40`
/// `logo.psd` and 40.
pub fn split_version(path: &AssetPath) -> Option<(AssetPath, u64)> {
    let bytes = path.as_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'@')?;
    let digits = &bytes[at + 1..];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let version = std::str::from_utf8(digits).ok()?.parse().ok().filter(|version| *version > 0)?;
    let before = AssetPath::from_bytes(&bytes[..at]).ok().filter(|path| !path.name().is_empty())?;
    Some((before, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_after_an_at_sign_is_a_version() {
        let split = |text: &str| {
            let (path, version) = split_version(&AssetPath::from_bytes(text).expect("a path"))?;
            Some((path.to_string(), version))
        };
        assert_eq!(split("brand/logo.psd@40"), Some(("brand/logo.psd".into(), 40)));
        assert_eq!(split("a@b@7"), Some(("a@b".into(), 7)));
        for none in ["logo@2x", "logo@", "logo@0", "logo", "@4", "a/@4", "logo@99999999999999999999"] {
            assert_eq!(split(none), None, "{none}");
        }
    }
}

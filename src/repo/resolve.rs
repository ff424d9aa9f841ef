//! Finds the commit that a revision expression names.

use crate::base::id::CommitId;
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::source::ObjectSource;
use crate::object::tree_walk::WalkError;
use crate::repo::date::parse_date;
use crate::repo::error::RepoError;
use crate::repo::git_ids::prefix_of;
use crate::repo::history::{first_parent_at, first_parent_back};
use crate::repo::revision::{Anchor, Revision, Step, candidate_names, is_id_prefix};
use crate::repo::versions::{asset_line, find_version, version_count};
use crate::repo::view::View;
use crate::store::Space;

/// Most candidates that an ambiguous id lists.
const CANDIDATES_MAX: usize = 10;

/// A commit found by an expression, and the asset when the expression named one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The commit.
    pub commit: CommitId,
    /// Where the asset of `path@n` stands in that commit.
    pub path: Option<AssetPath>,
}

impl View {
    /// Finds the commit that `text` names. `now` is what dates in words count from.
    ///
    /// Asked again for the same text, as for each path of a command, the view remembers what it named.
    pub fn resolve(&self, text: &str, now: Timestamp) -> Result<Resolved, RepoError> {
        let remembered = self.resolved.lock().ok();
        if let Some((known, resolved)) = remembered.as_deref().and_then(Option::as_ref)
            && known == text
        {
            return Ok(resolved.clone());
        }
        drop(remembered);
        let resolved = self.resolve_anew(text, now)?;
        if let Ok(mut remembered) = self.resolved.lock() {
            *remembered = Some((text.to_owned(), resolved.clone()));
        }
        Ok(resolved)
    }

    fn resolve_anew(&self, text: &str, now: Timestamp) -> Result<Resolved, RepoError> {
        let revision = Revision::parse(text)?;
        let mut resolved = self.resolve_anchor(&revision.anchor)?;
        for step in &revision.steps {
            let next = match step {
                Step::Back(count) => first_parent_back(self, resolved.commit, *count)?,
                Step::Parent(number) => {
                    let index = usize::try_from(*number - 1).unwrap_or(usize::MAX);
                    self.commit(resolved.commit)?.parents.get(index).copied()
                }
                Step::At(date) => first_parent_at(self, resolved.commit, parse_date(date, now)?)?,
            };
            resolved.commit = next.ok_or_else(|| RepoError::BeyondHistory { text: text.to_owned() })?;
        }
        Ok(resolved)
    }

    fn resolve_anchor(&self, anchor: &Anchor) -> Result<Resolved, RepoError> {
        match anchor {
            Anchor::Current => Ok(Resolved { commit: self.head()?.ok_or(RepoError::NoCommits)?, path: None }),
            Anchor::Name(name) => Ok(Resolved { commit: self.resolve_name(name)?, path: None }),
            Anchor::Version { path, version } => self.resolve_version(path, *version),
        }
    }

    fn resolve_name(&self, text: &str) -> Result<CommitId, RepoError> {
        for name in candidate_names(text) {
            if let Some(target) = self.reference(&name)? {
                return Ok(target.commit);
            }
        }
        if !is_id_prefix(text) {
            return Err(RepoError::UnknownRevision { text: text.to_owned() });
        }
        let mut candidates = self.commits_starting_with(text)?;
        let from_git = self.commits_from_git(text, CANDIDATES_MAX)?;
        candidates.extend(from_git.into_iter().filter(|id| !id.to_string().starts_with(text)));
        match candidates.as_slice() {
            [] => Err(RepoError::UnknownRevision { text: text.to_owned() }),
            [one] => Ok(*one),
            _ => Err(RepoError::AmbiguousRevision { text: text.to_owned(), candidates }),
        }
    }

    /// Commits whose id starts with the given digits, at most a few of them.
    fn commits_starting_with(&self, digits: &str) -> Result<Vec<CommitId>, RepoError> {
        // A half byte cannot be scanned for, so the scan is by whole bytes and the digits decide.
        let prefix = prefix_of(digits);
        let mut found = Vec::new();
        for item in self.snapshot().scan_prefix(Space::Commits, &prefix)? {
            let (key, _) = item?;
            let Some(id) = CommitId::from_slice(&key) else { continue };
            if id.to_string().starts_with(digits) {
                found.push(id);
            }
            if found.len() == CANDIDATES_MAX {
                break;
            }
        }
        Ok(found)
    }

    fn resolve_version(&self, path: &AssetPath, version: u64) -> Result<Resolved, RepoError> {
        let head = self.head()?.ok_or(RepoError::NoCommits)?;
        let line = asset_line(self, head, path).map_err(RepoError::from)?;
        let change = find_version(&line, version).ok_or_else(|| RepoError::UnknownVersion {
            path: path.clone(),
            version,
            versions: version_count(&line),
        })?;
        let placed = change.after.as_ref().map(|placed| placed.path.clone());
        Ok(Resolved { commit: change.id, path: placed })
    }
}

impl From<WalkError<RepoError>> for RepoError {
    fn from(error: WalkError<RepoError>) -> Self {
        match error {
            WalkError::Source(error) => error,
            other => Self::Structure { message: other.to_string() },
        }
    }
}

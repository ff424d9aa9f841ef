//! Git ids as names of commits: what stands in old mails, tickets and links of a team that came from Git.

use crate::base::id::{CommitId, GitId};
use crate::object::commit::Commit;
use crate::repo::error::RepoError;
use crate::repo::imports::{GIT_COMMIT, Scope, git_tag_target, key};
use crate::repo::refs::{RefKind, RefName};
use crate::repo::view::View;
use crate::store::Space;

/// Digits of a whole Git id.
const DIGITS: usize = 2 * GitId::SIZE;
/// Fewest digits for which all commits are looked through where no record of an import says more.
const SCAN_DIGITS_MIN: usize = 7;
/// Longest chain of tags that name tags.
const TAG_CHAIN_MAX: usize = 16;

/// The id of the Git commit that a commit was made from, of all of it or of some paths.
pub fn git_id_of(commit: &Commit) -> Option<GitId> {
    let (_, bytes) = commit.extensions.iter().find(|(name, _)| name == GIT_COMMIT)?;
    GitId::from_slice(bytes)
}

/// The whole bytes that digits begin with; a half byte at the end is left to whoever compares the text.
pub(super) fn prefix_of(digits: &str) -> Vec<u8> {
    let whole = &digits[..digits.len() / 2 * 2];
    let byte = |at| u8::from_str_radix(whole.get(at..at + 2)?, 16).ok();
    (0..whole.len()).step_by(2).filter_map(byte).collect()
}

impl View {
    /// The commits that were made from Git commits whose ids begin with `digits`, or that annotated tags with
    /// such an id name, at most `most` of them.
    pub fn commits_from_git(&self, digits: &str, most: usize) -> Result<Vec<CommitId>, RepoError> {
        if digits.len() > DIGITS {
            return Ok(Vec::new());
        }
        let scope = Scope::default();
        let start = key::commits(scope);
        let mut found = Vec::new();
        for row in
            self.snapshot().scan_prefix(Space::Imports, &[start.clone(), prefix_of(digits)].concat())?
        {
            let (key, _) = row?;
            let Some(id) = GitId::from_slice(&key[start.len()..]) else { continue };
            if found.len() < most && id.to_string().starts_with(digits) {
                found.extend(self.git_commit_here(scope, id)?);
            }
        }
        let tags = [key::ORIGINALS, &prefix_of(digits)].concat();
        for row in self.snapshot().scan_prefix(Space::Origins, &tags)? {
            let (key, _) = row?;
            // Commits are kept in the same space, under ids of another length.
            let Some(id) = GitId::from_slice(&key[key::ORIGINALS.len()..]) else { continue };
            if found.len() < most && id.to_string().starts_with(digits) {
                found.extend(self.commit_of_git_tag(id)?);
            }
        }
        if found.is_empty() && digits.len() >= SCAN_DIGITS_MIN {
            found = self.scan_for_git_id(digits, most)?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// A clone has the commits and no records of the import; neither has an import of some paths.
    fn scan_for_git_id(&self, digits: &str, most: usize) -> Result<Vec<CommitId>, RepoError> {
        let mut found = Vec::new();
        for row in self.snapshot().scan_prefix(Space::Commits, b"")? {
            let (key, bytes) = row?;
            let (Some(id), Ok(commit)) = (CommitId::from_slice(&key), Commit::decode(&bytes)) else {
                continue;
            };
            if git_id_of(&commit).is_some_and(|git| git.to_string().starts_with(digits)) {
                found.push(id);
            }
            if found.len() == most {
                break;
            }
        }
        Ok(found)
    }

    /// The commit that an annotated Git tag names in the end.
    fn commit_of_git_tag(&self, tag: GitId) -> Result<Option<CommitId>, RepoError> {
        let mut next = tag;
        for _ in 0..TAG_CHAIN_MAX {
            let target = self.git_object(next)?.as_deref().and_then(git_tag_target);
            match target {
                Some(target) => next = target,
                None if next == tag => return Ok(None),
                None => break,
            }
        }
        match self.git_commit_here(Scope::default(), next)? {
            Some(commit) => Ok(Some(commit)),
            None => Ok(self.scan_for_git_id(&next.to_string(), 1)?.first().copied()),
        }
    }

    /// The Git object that a tag was made from, byte for byte; `None` for one without words, one that was set
    /// here, and one that was erased.
    pub fn git_tag_original(&self, name: &RefName) -> Result<Option<Vec<u8>>, RepoError> {
        let Some(target) = self.reference(name)?.filter(|_| name.kind() == RefKind::Tag) else {
            return Ok(None);
        };
        let full = format!("refs/tags/{}", name.name()).into_bytes();
        let records = self.git_references(Scope::default())?;
        let recorded = records
            .into_iter()
            .find(|(name, record)| *name == full && record.commit == Some(target.commit))
            .map(|(_, record)| record.git);
        let id = match recorded {
            Some(id) => Some(id),
            None => self.git_tags_by_name()?.get(&full).copied(),
        };
        let Some(id) = id else { return Ok(None) };
        if self.commit_of_git_tag(id)? != Some(target.commit) {
            return Ok(None);
        }
        self.git_object(id)
    }
}

//! Which names of a second copy may move: those that lose nothing by it, and those that stand where this clone
//! left them. What somebody else put there stays.

use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::repo::View;
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::store::Space;
use crate::sync::accept::is_forward;
use crate::sync::remote::{Description, RefChange};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file with what was left there, in the folder of what is kept about a copy.
const FILE: &str = "names";

/// A name that stayed as it is at the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The name, such as `branch/main`.
    pub name: String,
    /// The commit that it stays at.
    pub commit: CommitId,
    /// Why.
    pub why: WhyKept,
}

/// Why a name stayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyKept {
    /// It has work that is not in this clone.
    Unseen,
    /// It has commits that would go from it, and this clone did not put it there.
    LosesCommits,
    /// It would go, and this clone did not put it there.
    NotOurs,
}

impl WhyKept {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unseen => "it has work there that is not in this clone",
            Self::LosesCommits => "it has commits there that are not in what would take their place",
            Self::NotOurs => "somebody else put it there",
        }
    }
}

/// Where this clone left the names of a copy. A note that is lost makes it more careful, and nothing else.
#[derive(Debug, Default)]
pub(super) struct Left {
    path: PathBuf,
    names: BTreeMap<RefName, BTreeSet<CommitId>>,
}

impl Left {
    /// Reads the note in a folder.
    pub(super) fn read(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let mut names: BTreeMap<RefName, BTreeSet<CommitId>> = BTreeMap::new();
        for line in fs::read_to_string(&path).unwrap_or_default().lines() {
            if let Some((commit, name)) = line.split_once(' ')
                && let (Ok(commit), Ok(name)) = (commit.parse(), RefName::parse(name))
            {
                names.entry(name).or_default().insert(commit);
            }
        }
        Self { path, names }
    }

    /// Whether anything was ever left there.
    pub(super) fn is_known(&self) -> bool {
        !self.names.is_empty()
    }

    fn has(&self, name: &RefName, commit: CommitId) -> bool {
        self.names.get(name).is_some_and(|commits| commits.contains(&commit))
    }

    /// Notes, before they move, where names are going to be: whoever is stopped after that still knows them.
    pub(super) fn announce(&mut self, changes: &[RefChange]) -> Result<(), AppError> {
        for change in changes {
            if let Some(target) = &change.target {
                self.names.entry(change.name.clone()).or_default().insert(target.commit);
            }
        }
        self.write()
    }

    /// Notes where names are now.
    pub(super) fn settle(
        &mut self,
        names: &BTreeMap<RefName, RefTarget>,
        kept: &[Kept],
    ) -> Result<(), AppError> {
        let kept: BTreeSet<&str> = kept.iter().map(|kept| kept.name.as_str()).collect();
        let ours = names.iter().filter(|(name, _)| !kept.contains(name.as_str()));
        self.names = ours.map(|(name, target)| (name.clone(), BTreeSet::from([target.commit]))).collect();
        self.write()
    }

    fn write(&self) -> Result<(), AppError> {
        let folder = self.path.parent().unwrap_or(&self.path);
        let fresh = self.path.with_extension("new");
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut text = String::new();
            for (name, commits) in &self.names {
                for commit in commits {
                    text.push_str(&format!("{commit} {}\n", name.as_str()));
                }
            }
            let mut file = fs::File::create(&fresh)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&fresh, &self.path)
        };
        write().map_err(AppError::io("writing", &self.path))
    }
}

/// Names that are to be at a copy as they are here, and those that are to go.
pub(super) struct Wanted<'a> {
    /// Where names are to be.
    pub(super) names: &'a BTreeMap<RefName, RefTarget>,
    /// Whether a name that is at the copy only is to go.
    pub(super) goes: &'a dyn Fn(&RefName) -> bool,
    /// Whether names go that this clone did not put there, as long as it knows what they lead to.
    pub(super) removes_others: bool,
    /// Where names may have stood before without that being anybody else's work.
    pub(super) before: &'a [(RefName, CommitId)],
    /// Where the shared log, which goes along, says that protected names are.
    pub(super) recorded: BTreeMap<String, CommitId>,
}

/// What is to move at a copy, and what stays.
#[derive(Default)]
pub(super) struct Moves {
    pub(super) changes: Vec<RefChange>,
    pub(super) removed: u64,
    pub(super) kept: Vec<Kept>,
}

impl Wanted<'_> {
    /// Finds out what moves. `left` has what this clone put there.
    pub(super) fn moves(
        &self,
        view: &View,
        description: &Description,
        left: &Left,
    ) -> Result<Moves, AppError> {
        let mut moves = Moves::default();
        for (name, target) in self.names {
            let there = description.refs.get(name);
            if there == Some(target) {
                continue;
            }
            let expected = there.map(|target| target.commit);
            let why = match expected {
                Some(commit) => self.why_kept(view, left, name, commit, target.commit)?,
                None => None,
            };
            match (why, expected) {
                (Some(why), Some(commit)) => moves.keep(name, commit, why),
                _ => moves.changes.push(RefChange {
                    name: name.clone(),
                    expected,
                    target: Some(target.clone()),
                }),
            }
        }
        for (name, target) in description.refs.iter().filter(|(name, _)| (self.goes)(name)) {
            let commit = target.commit;
            let is_known = view.snapshot().contains(Space::Commits, commit.as_bytes())?;
            if self.is_ours(left, name, commit) || (self.removes_others && is_known) {
                moves.changes.push(RefChange { name: name.clone(), expected: Some(commit), target: None });
                moves.removed += 1;
            } else {
                moves.keep(name, commit, if is_known { WhyKept::NotOurs } else { WhyKept::Unseen });
            }
        }
        Ok(moves)
    }

    fn is_ours(&self, left: &Left, name: &RefName, commit: CommitId) -> bool {
        left.has(name, commit) || self.before.iter().any(|(other, at)| other == name && *at == commit)
    }

    fn why_kept(
        &self,
        view: &View,
        left: &Left,
        name: &RefName,
        there: CommitId,
        to: CommitId,
    ) -> Result<Option<WhyKept>, AppError> {
        if there == to || self.is_ours(left, name, there) || self.recorded.get(name.as_str()) == Some(&to) {
            return Ok(None);
        }
        if !view.snapshot().contains(Space::Commits, there.as_bytes())? {
            return Ok(Some(WhyKept::Unseen));
        }
        if name.kind() == RefKind::Tag {
            // A fixed name does not move forward: there are two of that name.
            return Ok(Some(WhyKept::NotOurs));
        }
        let moves_forward = is_forward(view, Some(there), Some(to))?;
        Ok((!moves_forward).then_some(WhyKept::LosesCommits))
    }
}

impl Moves {
    fn keep(&mut self, name: &RefName, commit: CommitId, why: WhyKept) {
        self.kept.push(Kept { name: name.as_str().to_owned(), commit, why });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_read_again_and_noise_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (main, tag) = (RefName::branch("main").expect("a name"), RefName::tag("v1").expect("a name"));
        let commit = |byte| CommitId::from_bytes([byte; 32]);
        let mut left = Left::read(folder.path());
        assert!(!left.has(&main, commit(1)));
        let change = |target: Option<RefTarget>| RefChange { name: main.clone(), expected: None, target };
        left.announce(&[change(Some(RefTarget::plain(commit(1)))), change(None)]).expect("a note");
        left.announce(&[change(Some(RefTarget::plain(commit(2))))]).expect("a note");
        let left = Left::read(folder.path());
        assert!(left.has(&main, commit(1)) && left.has(&main, commit(2)) && !left.has(&tag, commit(1)));
        let names = [(main.clone(), RefTarget::plain(commit(2))), (tag.clone(), RefTarget::plain(commit(3)))];
        let kept = [Kept { name: "tag/v1".to_owned(), commit: commit(9), why: WhyKept::Unseen }];
        Left::read(folder.path()).settle(&names.into_iter().collect(), &kept).expect("a note");
        let left = Left::read(folder.path());
        assert!(!left.has(&main, commit(1)) && left.has(&main, commit(2)) && !left.has(&tag, commit(3)));
        fs::write(folder.path().join(FILE), "noise\n\u{0} x\nabc branch/main\n").expect("noise");
        assert!(Left::read(folder.path()).names.is_empty());
    }
}

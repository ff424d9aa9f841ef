//! What becomes of branches and tags. A name follows Git for as long as nobody has done anything with it
//! here; whatever else it is, it stays, and what Git has is put beside it.

use crate::app::common::guard::is_protected;
use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::app::import_git::NameLine;
use crate::base::escape::percent_encode;
use crate::base::id::{CommitId, PersonId};
use crate::import::git::build::person_id;
use crate::import::git::run::{Category, Imported, ImportedRef, Wish, asks_for, category, scope_of};
use crate::import::git::source::{Source, SourceId};
use crate::object::commit::Signature;
use crate::repo::history::{common_ancestors, is_ancestor};
use crate::repo::imports::{ReferenceRecord, Scope, key};
use crate::repo::people::Person;
use crate::repo::refs::{Annotation, RefKind, RefName, RefTarget};
use crate::repo::{Edit, View};
use crate::store::Space;
use std::collections::{HashMap, HashSet};

/// Branches under this name hold what Git has for branches that have commits of their own here.
const BESIDE_PREFIX: &str = "git/";
/// Most names that are tried beside one.
const BESIDE_MAX: usize = 1_000;
/// Longest text of a tag that is shown; the original is kept whole.
const TAG_TEXT_MAX: usize = 60_000;

/// A name that is to move, or to go.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub name: RefName,
    pub before: Option<CommitId>,
    pub after: Option<RefTarget>,
    person: Option<(PersonId, Person)>,
    /// Whether it stands beside a name that has work of its own.
    beside: bool,
    /// Whether the name was last imported from this very source.
    is_own: bool,
}

/// What becomes of all names.
pub(super) struct Moves {
    pub moves: Vec<Move>,
    pub lines: Vec<NameLine>,
    scope: Scope,
    /// Where the names come from, when that is a place that can be looked at again.
    source: Option<SourceId>,
    records: Vec<(Vec<u8>, ReferenceRecord)>,
    kept: Vec<(Vec<u8>, ReferenceRecord)>,
    /// Records of names that are no longer followed.
    forgotten: Vec<Vec<u8>>,
    /// Names here that are spoken for.
    taken: HashSet<RefName>,
    /// Whether commits were made anew, so that what was whole before has other ids now.
    regrown: bool,
}

/// What becomes of one name.
enum Fate {
    Stays(&'static str),
    Moves(&'static str),
    Beside(&'static str),
}

/// A place beside a name.
enum Beside {
    /// It is free for what Git has; where it stands now.
    Free(RefName, Option<CommitId>),
    /// It has what Git has and more.
    Newer(RefName),
}

/// What earlier imports noted of one name in Git.
#[derive(Clone, Copy)]
struct Past<'r> {
    /// Where it pointed when it was last imported.
    last: Option<&'r ReferenceRecord>,
    /// Whether that was from this very source. Only such a one says that a name was set back: another may be
    /// a copy that is older than what is here.
    is_own: bool,
}

impl Moves {
    /// Decides about all names that were imported, and about those that are gone.
    pub fn decide(
        session: &Session<'_>,
        source: &Source,
        wish: &Wish,
        imported: &Imported,
    ) -> Result<Self, AppError> {
        let (view, scope) = (&session.view, scope_of(wish));
        let last: HashMap<Vec<u8>, ReferenceRecord> = view.git_references(scope)?.into_iter().collect();
        let mut moves = Self {
            moves: Vec::new(),
            lines: Vec::new(),
            scope,
            source: source.identity,
            records: Vec::new(),
            kept: Vec::new(),
            forgotten: Vec::new(),
            taken: HashSet::new(),
            regrown: imported.regrown,
        };
        let kept: HashMap<Vec<u8>, ReferenceRecord> = view.kept_git_references()?.into_iter().collect();
        for found in &imported.refs {
            let is_own = moves.is_own(view, &found.name)?;
            if name_here(&found.name).is_none() || found.commit.is_none() {
                moves.keep(view, found, Past { last: kept.get(&found.name), is_own })?;
            } else {
                moves.decide_one(view, found, Past { last: last.get(&found.name), is_own })?;
            }
        }
        moves.follow_removals(session, source, wish, &last)?;
        Ok(moves)
    }

    /// Whether a name was last imported from this very source.
    fn is_own(&self, view: &View, git_name: &[u8]) -> Result<bool, AppError> {
        let Some(identity) = &self.source else { return Ok(false) };
        let from: Option<Vec<u8>> =
            view.snapshot().get(Space::Imports, &key::source(self.scope, git_name))?;
        Ok(from.as_deref() == Some(&identity[..]))
    }

    /// Takes note of what has no name here: it is kept for the way back, and what another source has of it
    /// does not take the place of more.
    fn keep(&mut self, view: &View, imported: &ImportedRef, past: Past<'_>) -> Result<(), AppError> {
        let record = ReferenceRecord { git: imported.git, commit: imported.commit };
        let is_unnamed = imported.commit.is_some() && category(&imported.name).0 != Category::Kept;
        let outcome = match imported.whole {
            true if is_unnamed => "unnamed",
            true => "kept",
            false => "left-out",
        };
        let mut line = line_of(imported, outcome);
        let stands = past.last.filter(|last| **last != record && !past.is_own);
        let stays = match stands.map(|last| (last, last.commit, imported.commit)) {
            Some((last, Some(now), Some(commit))) => {
                let goes_on = is_ancestor(view, now, commit)? || self.goes_on_anew(view, last, imported)?;
                let is_older = !goes_on && is_ancestor(view, commit, now)?;
                (!goes_on).then_some(if is_older { "older" } else { "other" })
            }
            Some(_) => Some("other"),
            None => None,
        };
        match stays {
            Some(outcome) => line.outcome = outcome,
            None => self.kept.push((imported.name.clone(), record)),
        }
        self.lines.push(line);
        Ok(())
    }

    fn decide_one(&mut self, view: &View, imported: &ImportedRef, past: Past<'_>) -> Result<(), AppError> {
        let record = ReferenceRecord { git: imported.git, commit: imported.commit };
        let (Some(name), Some(commit)) = (name_here(&imported.name), imported.commit) else { return Ok(()) };
        let mut line = line_of(imported, "kept");
        let now = view.reference(&name)?.map(|target| target.commit);
        let (name, outcome) = match self.fate(view, &name, now, past, imported, commit)? {
            Fate::Stays(outcome) => (name, outcome),
            Fate::Moves(outcome) => {
                self.moves
                    .push(Move { is_own: past.is_own, ..make_move(name.clone(), now, commit, imported) });
                (name, outcome)
            }
            Fate::Beside(outcome) => match self.beside(view, &name, commit, past.is_own)? {
                Beside::Newer(beside) => (beside, "older"),
                Beside::Free(beside, there) => {
                    if there != Some(commit) {
                        let beside = make_move(beside.clone(), there, commit, imported);
                        self.moves.push(Move { beside: true, ..beside });
                    }
                    (beside, outcome)
                }
            },
        };
        self.taken.insert(name.clone());
        line.outcome = outcome;
        line.name = Some(name);
        // What an older copy has says nothing of where the name was last seen in the one that is followed.
        let is_followed = past.is_own || matches!(outcome, "new" | "moved" | "rewritten");
        if is_followed || past.last.is_none_or(|last| *last == record) {
            self.records.push((imported.name.clone(), record));
        }
        self.lines.push(line);
        Ok(())
    }

    /// What becomes of a name that stands at `now`, where Git has `commit`.
    fn fate(
        &self,
        view: &View,
        name: &RefName,
        now: Option<CommitId>,
        past: Past<'_>,
        imported: &ImportedRef,
        commit: CommitId,
    ) -> Result<Fate, AppError> {
        if self.taken.contains(name) {
            return Ok(Fate::Beside("beside"));
        }
        let moves = |outcome| -> Result<Fate, AppError> {
            Ok(if is_protected(view, name)? { Fate::Beside("protected") } else { Fate::Moves(outcome) })
        };
        let last = past.last.and_then(|record| record.commit);
        let Some(now) = now else {
            return if last == Some(commit) { Ok(Fate::Stays("removed-here")) } else { moves("new") };
        };
        if now == commit {
            return Ok(Fate::Stays("unchanged"));
        }
        let goes_on = is_ancestor(view, now, commit)?;
        let is_tag = name.kind() == RefKind::Tag;
        if let Some(record) = past.last.filter(|_| last == Some(now)) {
            if self.goes_on_anew(view, record, imported)? || (goes_on && past.is_own) {
                return moves("moved");
            }
            if past.is_own && (self.regrown || !common_ancestors(view, now, commit)?.is_empty()) {
                return moves("rewritten");
            }
            if !goes_on && is_ancestor(view, commit, now)? {
                return Ok(Fate::Stays("older"));
            }
        }
        // A tag that somebody set here does not move because Git has one of that name.
        if is_tag {
            return Ok(Fate::Beside("beside"));
        }
        if goes_on {
            return moves("moved");
        }
        Ok(if is_ancestor(view, commit, now)? { Fate::Stays("ahead") } else { Fate::Beside("beside") })
    }

    /// Whether Git's history goes on from where a name stood, although the commits that it stood on were made
    /// anew in this import.
    fn goes_on_anew(
        &self,
        view: &View,
        last: &ReferenceRecord,
        imported: &ImportedRef,
    ) -> Result<bool, AppError> {
        if !self.regrown {
            return Ok(false);
        }
        if last.git == imported.git {
            return Ok(true);
        }
        match (view.git_commit_here(self.scope, last.git)?, imported.commit) {
            (Some(again), Some(commit)) => Ok(is_ancestor(view, again, commit)?),
            _ => Ok(false),
        }
    }

    /// A name beside another, and where it stands: one that is free, or that an import put there and nobody
    /// has touched since.
    fn beside(
        &self,
        view: &View,
        name: &RefName,
        commit: CommitId,
        is_own: bool,
    ) -> Result<Beside, AppError> {
        for number in 1..=BESIDE_MAX {
            let text = match number {
                1 => format!("{BESIDE_PREFIX}{}", name.name()),
                number => format!("{BESIDE_PREFIX}{}-{number}", name.name()),
            };
            let candidate = match name.kind() {
                RefKind::Branch | RefKind::Remote => RefName::branch(&text)?,
                RefKind::Tag => RefName::tag(&text)?,
            };
            if self.taken.contains(&candidate) || is_protected(view, &candidate)? {
                continue;
            }
            let there = view.reference(&candidate)?.map(|target| target.commit);
            let Some(stands) = there.filter(|there| *there != commit) else {
                return Ok(Beside::Free(candidate, there));
            };
            let is_untouched = view.put_beside(&candidate)? == Some(stands);
            let goes_on = is_ancestor(view, stands, commit)?;
            if (is_untouched && (is_own || self.regrown)) || (goes_on && candidate.kind() == RefKind::Branch)
            {
                return Ok(Beside::Free(candidate, there));
            }
            if is_untouched && is_ancestor(view, commit, stands)? {
                return Ok(Beside::Newer(candidate));
            }
        }
        Err(AppError::NameTaken { name: name.clone() })
    }

    /// Lets names go that Git has no longer, where nobody has done anything with them here.
    fn follow_removals(
        &mut self,
        session: &Session<'_>,
        source: &Source,
        wish: &Wish,
        last: &HashMap<Vec<u8>, ReferenceRecord>,
    ) -> Result<(), AppError> {
        if source.identity.is_none() {
            return Ok(());
        }
        let there: HashSet<&[u8]> = source.refs.iter().map(|found| found.name.as_slice()).collect();
        let kept =
            if self.scope == Scope::default() { session.view.kept_git_references()? } else { Vec::new() };
        let mut gone: Vec<(&Vec<u8>, &ReferenceRecord, bool)> = Vec::new();
        gone.extend(last.iter().map(|(name, record)| (name, record, false)));
        gone.extend(kept.iter().map(|(name, record)| (name, record, true)));
        gone.retain(|(name, ..)| !there.contains(name.as_slice()));
        gone.sort_by_key(|(name, ..)| *name);
        for (git_name, record, is_kept) in gone {
            if !self.is_own(&session.view, git_name)? || !asks_for(wish, git_name)? {
                continue;
            }
            self.forgotten.push(if is_kept {
                key::kept(git_name)
            } else {
                key::reference(self.scope, git_name)
            });
            self.forgotten.push(key::source(self.scope, git_name));
            let (name, outcome) = match name_here(git_name).filter(|_| !is_kept) {
                Some(name) => {
                    let Some(outcome) = self.remove(session, &name, record)? else { continue };
                    (Some(name), outcome)
                }
                None => (None, "gone"),
            };
            self.lines.push(NameLine {
                git_name: percent_encode(git_name),
                git_id: record.git.to_string(),
                name,
                commit: record.commit,
                outcome,
            });
        }
        Ok(())
    }

    /// Removes a name that Git has no longer, unless somebody has work on it; says which, or nothing when
    /// it is gone here, too.
    fn remove(
        &mut self,
        session: &Session<'_>,
        name: &RefName,
        record: &ReferenceRecord,
    ) -> Result<Option<&'static str>, AppError> {
        let view = &session.view;
        let now = view.reference(name)?.map(|target| target.commit);
        let Some(now) = now.filter(|_| !self.taken.contains(name)) else { return Ok(None) };
        let is_untouched = record.commit == Some(now)
            && session.state.branch != *name
            && view.shelf(name)?.is_none()
            && !is_protected(view, name)?;
        if !is_untouched {
            return Ok(Some("gone-kept"));
        }
        let (name, before) = (name.clone(), Some(now));
        self.moves.push(Move { name, before, after: None, person: None, beside: false, is_own: true });
        Ok(Some("gone"))
    }

    /// Puts what was to move a name beside it instead.
    pub fn put_beside(&mut self, view: &View, name: &RefName) -> Result<(), AppError> {
        let Some(at) = self.moves.iter().position(|moved| moved.name == *name) else { return Ok(()) };
        let Some(commit) = self.moves[at].after.as_ref().map(|after| after.commit) else { return Ok(()) };
        let (beside, there) = match self.beside(view, name, commit, self.moves[at].is_own)? {
            Beside::Free(beside, there) => (beside, there),
            Beside::Newer(beside) => (beside, Some(commit)),
        };
        for line in self.lines.iter_mut().filter(|line| line.name.as_ref() == Some(name)) {
            line.outcome = "beside";
            line.name = Some(beside.clone());
        }
        self.taken.insert(beside.clone());
        if there == Some(commit) {
            self.moves.remove(at);
        } else {
            let moved = &mut self.moves[at];
            (moved.name, moved.before, moved.beside) = (beside, there, true);
        }
        Ok(())
    }

    /// Moves the names, and takes note of what Git had.
    pub fn apply(&self, edit: &mut Edit) -> Result<(), AppError> {
        for moved in &self.moves {
            if let Some((id, person)) = &moved.person {
                edit.put_person(*id, person)?;
            }
            edit.set_reference(&moved.name, moved.before, moved.after.clone())?;
            if let Some(after) = moved.after.as_ref().filter(|_| moved.beside) {
                let key = key::beside(moved.name.as_str().as_bytes());
                edit.transaction().put(Space::Imports, &key, after.commit.as_bytes())?;
            }
        }
        for row in &self.forgotten {
            edit.transaction().delete(Space::Imports, row)?;
        }
        let records =
            self.records.iter().map(|(name, record)| (name, key::reference(self.scope, name), record));
        let kept = self.kept.iter().map(|(name, record)| (name, key::kept(name), record));
        for (name, key, record) in records.chain(kept) {
            edit.transaction().put(Space::Imports, &key, &record.encode())?;
            if let Some(source) = &self.source {
                edit.transaction().put(Space::Imports, &key::source(self.scope, name), source)?;
            }
        }
        Ok(())
    }
}

/// The name under which a reference of Git stands here; `None` for one that has no place or cannot have.
pub(super) fn name_here(full: &[u8]) -> Option<RefName> {
    let (category, short) = category(full);
    let short = std::str::from_utf8(short).ok()?;
    match category {
        Category::Branch | Category::Remote => RefName::branch(short).ok(),
        Category::Tag => RefName::tag(short).ok(),
        Category::Kept | Category::Other => None,
    }
}

fn line_of(imported: &ImportedRef, outcome: &'static str) -> NameLine {
    NameLine {
        git_name: percent_encode(&imported.name),
        git_id: imported.git.to_string(),
        name: None,
        commit: imported.commit,
        outcome,
    }
}

fn make_move(name: RefName, before: Option<CommitId>, commit: CommitId, imported: &ImportedRef) -> Move {
    let mut after = RefTarget::plain(commit);
    let mut person = None;
    if let Some(tag) = &imported.tag {
        let tagger = tag.tagger.clone();
        let (name, email) = tagger.as_ref().map_or(("", ""), |actor| (&actor.name, &actor.email));
        let id = person_id(name, email);
        let time = tagger.as_ref().map_or(crate::base::time::Timestamp::utc(0), |actor| actor.time);
        person = Some((id, Person { name: name.to_owned(), email: email.to_owned() }));
        let mut message = tag.message.clone();
        let end = (0..=TAG_TEXT_MAX.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or(0));
        after.annotation = Some(Annotation { signature: Signature { person: id, time }, message });
    }
    Move { name, before, after: Some(after), person, beside: false, is_own: false }
}

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
}

/// What becomes of one name.
enum Fate {
    Stays(&'static str),
    Moves(&'static str),
    Beside(&'static str),
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
        };
        for found in &imported.refs {
            moves.decide_one(view, found, last.get(&found.name), imported.regrown)?;
        }
        moves.follow_removals(session, source, wish, &last)?;
        Ok(moves)
    }

    fn decide_one(
        &mut self,
        view: &View,
        imported: &ImportedRef,
        last: Option<&ReferenceRecord>,
        regrown: bool,
    ) -> Result<(), AppError> {
        let record = ReferenceRecord { git: imported.git, commit: imported.commit };
        let mut line = NameLine {
            git_name: percent_encode(&imported.name),
            git_id: imported.git.to_string(),
            name: None,
            commit: imported.commit,
            outcome: if imported.whole { "kept" } else { "left-out" },
        };
        let (Some(name), Some(commit)) = (name_here(&imported.name), imported.commit) else {
            self.kept.push((imported.name.clone(), record));
            self.lines.push(line);
            return Ok(());
        };
        let now = view.reference(&name)?.map(|target| target.commit);
        let last = last.and_then(|record| record.commit);
        let (name, outcome) = match self.fate(view, &name, now, last, commit, regrown)? {
            Fate::Stays(outcome) => (name, outcome),
            Fate::Moves(outcome) => {
                self.moves.push(make_move(name.clone(), now, commit, imported));
                (name, outcome)
            }
            Fate::Beside(outcome) => {
                let (beside, there) = self.beside(view, &name, commit)?;
                if there != Some(commit) {
                    let beside = make_move(beside.clone(), there, commit, imported);
                    self.moves.push(Move { beside: true, ..beside });
                }
                (beside, outcome)
            }
        };
        self.taken.insert(name.clone());
        line.outcome = outcome;
        line.name = Some(name);
        self.records.push((imported.name.clone(), record));
        self.lines.push(line);
        Ok(())
    }

    /// `now` is where a name stands, `last` where the last import put it, `commit` what Git has.
    fn fate(
        &self,
        view: &View,
        name: &RefName,
        now: Option<CommitId>,
        last: Option<CommitId>,
        commit: CommitId,
        regrown: bool,
    ) -> Result<Fate, AppError> {
        if self.taken.contains(name) {
            return Ok(Fate::Beside("beside"));
        }
        let moves = |outcome| -> Result<Fate, AppError> {
            Ok(if is_protected(view, name)? { Fate::Beside("protected") } else { Fate::Moves(outcome) })
        };
        let Some(now) = now else {
            return if last == Some(commit) { Ok(Fate::Stays("removed-here")) } else { moves("new") };
        };
        if now == commit {
            return Ok(Fate::Stays("unchanged"));
        }
        let goes_on = is_ancestor(view, now, commit)?;
        if last == Some(now) && (goes_on || regrown || !common_ancestors(view, now, commit)?.is_empty()) {
            return moves("moved");
        }
        // A tag that somebody set here does not move because Git has one of that name.
        if name.kind() == RefKind::Tag {
            return Ok(Fate::Beside("beside"));
        }
        if goes_on {
            return moves("moved");
        }
        Ok(if is_ancestor(view, commit, now)? { Fate::Stays("ahead") } else { Fate::Beside("beside") })
    }

    /// A name beside another, and where it stands: one that is free, or that an import put there and nobody
    /// has touched since.
    fn beside(
        &self,
        view: &View,
        name: &RefName,
        commit: CommitId,
    ) -> Result<(RefName, Option<CommitId>), AppError> {
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
            let is_free = match there {
                None => true,
                Some(there) if there == commit => true,
                Some(there) if view.put_beside(&candidate)? == Some(there) => true,
                Some(there) => candidate.kind() == RefKind::Branch && is_ancestor(view, there, commit)?,
            };
            if is_free {
                return Ok((candidate, there));
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
        let Some(identity) = source.identity else { return Ok(()) };
        let there: HashSet<&[u8]> = source.refs.iter().map(|found| found.name.as_slice()).collect();
        let kept =
            if self.scope == Scope::default() { session.view.kept_git_references()? } else { Vec::new() };
        let mut gone: Vec<(&Vec<u8>, &ReferenceRecord, bool)> = Vec::new();
        gone.extend(last.iter().map(|(name, record)| (name, record, false)));
        gone.extend(kept.iter().map(|(name, record)| (name, record, true)));
        gone.retain(|(name, ..)| !there.contains(name.as_slice()));
        gone.sort_by_key(|(name, ..)| *name);
        for (git_name, record, is_kept) in gone {
            let from: Option<Vec<u8>> =
                session.view.snapshot().get(Space::Imports, &key::source(self.scope, git_name))?;
            if from.as_deref() != Some(&identity[..]) || !asks_for(wish, git_name)? {
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
        self.moves.push(Move { name, before, after: None, person: None, beside: false });
        Ok(Some("gone"))
    }

    /// Puts what was to move a name beside it instead.
    pub fn put_beside(&mut self, view: &View, name: &RefName) -> Result<(), AppError> {
        let Some(at) = self.moves.iter().position(|moved| moved.name == *name) else { return Ok(()) };
        let Some(commit) = self.moves[at].after.as_ref().map(|after| after.commit) else { return Ok(()) };
        let (beside, there) = self.beside(view, name, commit)?;
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
    Move { name, before, after: Some(after), person, beside: false }
}

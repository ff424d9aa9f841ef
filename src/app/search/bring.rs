//! Brings the index up to what the branches are now, at a cost that follows what changed.

use crate::app::common::schema;
use crate::app::error::AppError;
use crate::app::search::authorship::{Made, changed_by, differences, of_all, of_some, stands};
use crate::app::search::comments;
use crate::app::search::describe::{Comments, RecordMaker, mark_of};
use crate::app::search::heads::{Heads, own_of, tree_of};
use crate::base::id::{CommitId, FileId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::catalog::findings::Findings;
use crate::catalog::index::{Catalog, Group, INDEX_VERSION, Standing, State, Writer};
use crate::diff::tree::PathSet;
use crate::object::source::ObjectSource as _;
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::entry_at;
use crate::repo::history::only_in;
use crate::repo::people::Person;
use crate::repo::{RepoError, Repository, View};
use crate::rules::schema::{FieldType, SCHEMA_FILE, Schema};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The state that an index should be about.
pub struct Target {
    /// The branches.
    pub heads: Heads,
    /// A mark of the review log.
    pub comments: String,
    /// The repository.
    pub repository: String,
    /// The content of the main line's schema.
    pub schema: String,
    /// A mark of each person's record.
    pub people: BTreeMap<String, String>,
    /// How many files and words were removed for good.
    pub erased: u64,
}

impl Target {
    /// The repository as it stands.
    pub fn of(repository: &Repository, view: &View, known: Option<&State>) -> Result<Self, AppError> {
        let known = known.map(Heads::of_state);
        let heads = Heads::read(view, known.as_ref())?;
        Ok(Self {
            schema: schema_of(view, &heads)?.map(|file| file.to_string()).unwrap_or_default(),
            heads,
            comments: comments::mark(view)?,
            repository: repository.id().to_string(),
            people: marks_of_people(view)?,
            erased: view.erasures()?,
        })
    }

    /// Whether an index is about this state.
    pub fn is_met_by(&self, state: &State) -> bool {
        State { left: 0, ..state.clone() } == self.state()
    }

    /// Whether an index can be brought there, or has to be made anew.
    pub fn follows(&self, state: &State) -> bool {
        let names = |base: Option<&Group>| base.map(|group| group.names.clone());
        state.repository == self.repository
            // What a change leaves behind in the files of an index must not be there after an erasure.
            && state.erased == self.erased
            // The same of a name that somebody has no longer.
            && state.people.iter().all(|(id, mark)| self.people.get(id) == Some(mark))
            && state.base.is_some()
            && names(state.base.as_ref()) == names(self.heads.base.as_ref())
    }

    fn state(&self) -> State {
        State {
            version: INDEX_VERSION,
            repository: self.repository.clone(),
            base: self.heads.base.clone(),
            groups: self.heads.groups.clone(),
            comments: self.comments.clone(),
            schema: self.schema.clone(),
            people: self.people.clone(),
            erased: self.erased,
            left: 0,
        }
    }
}

/// What bringing needs.
pub struct Bringing<'a> {
    pub repository: &'a Repository,
    pub view: &'a View,
    pub findings: Option<&'a Findings>,
    pub now: Timestamp,
    pub monitor: &'a dyn Monitor,
}

impl Bringing<'_> {
    /// The main line's schema, for the names of terms.
    fn schema(&self, heads: &Heads) -> Option<Schema> {
        self.schema_of(heads.base.as_ref()?.commit)
    }

    /// A commit's schema, for the names of terms. One that cannot be read names none.
    pub fn schema_of(&self, commit: CommitId) -> Option<Schema> {
        let tree = tree_of(self.view, commit).ok()?;
        schema::in_tree(self.repository, self.view, tree, self.monitor).ok().flatten()
    }

    /// Hands out the records of everything on every branch.
    pub fn everything(
        &self,
        heads: &Heads,
        sink: &mut dyn FnMut(crate::catalog::record::Record) -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        let comments = comments::read(self.repository, self.view, self.now, self.monitor)?;
        let schema = self.schema(heads);
        let mut maker = RecordMaker::new(self.view, self.findings, &comments).with_schema(schema.as_ref());
        let Some(base) = &heads.base else { return Ok(()) };
        of_all(self.view, base.commit, self.monitor, &mut |path, value, made| {
            self.monitor.advance(Advance { files: 1, ..Advance::default() });
            sink(maker.make(base, &path, &value, made)?)
        })?;
        for group in &heads.groups {
            let own = own_of(self.view, group, self.monitor)?;
            of_some(self.view, group.commit, own, self.monitor, &mut |path, value, made| {
                sink(maker.make(group, &path, &value, made)?)
            })?;
        }
        Ok(())
    }

    /// Fills an empty index.
    pub fn fill(&self, catalog: &mut Catalog, target: &Target) -> Result<(), AppError> {
        self.monitor.phase(Phase { name: "Indexing", files_total: None, bytes_total: None });
        let mut writer = catalog.write()?;
        self.everything(&target.heads, &mut |record| Ok(writer.add(&record)?))?;
        Ok(writer.commit(target.state())?)
    }

    /// Brings an index of an earlier state to this one.
    pub fn catch_up(&self, catalog: &mut Catalog, target: &Target) -> Result<(), AppError> {
        let before = catalog.state().clone();
        let (Some(old), Some(base)) = (&before.base, &target.heads.base) else { return Ok(()) };
        let comments_moved = before.comments != target.comments;
        let comments = comments::read(self.repository, self.view, self.now, self.monitor)?;
        let schema = self.schema(&target.heads);
        let mut maker = RecordMaker::new(self.view, self.findings, &comments).with_schema(schema.as_ref());
        let changed = self.changes(old, base)?;
        let mut stale = stale_groups(&before, &target.heads);
        let mut again = if comments_moved { spoken_about(catalog, &comments)? } else { Vec::new() };
        if before.schema != target.schema {
            again.extend(with_terms(catalog, schema.as_ref())?);
        }
        // Whose record came along later than their work.
        for id in target.people.keys().filter(|id| !before.people.contains_key(*id)) {
            again.extend(catalog.with_tag("by", id, usize::MAX)?);
        }
        // What changed is made anew in any case.
        again.retain(|standing| !(standing.scope.is_empty() && changed.contains_key(&standing.path)));
        let mut writer = catalog.write()?;
        for (path, value) in &changed {
            if value.is_none() {
                writer.remove("", path);
            }
        }
        let there = changed.into_iter().filter_map(|(path, value)| Some((path, value?))).collect();
        of_some(self.view, base.commit, there, self.monitor, &mut |path, value, made| {
            Ok(writer.put(&maker.make(base, &path, &value, made)?)?)
        })?;
        for scope in &stale {
            writer.remove_scope(scope);
        }
        stale.retain(|scope| target.heads.group(scope).is_some());
        for group in target.heads.groups.iter().filter(|group| stale.contains(&group.scope)) {
            let own = own_of(self.view, group, self.monitor)?;
            of_some(self.view, group.commit, own, self.monitor, &mut |path, value, made| {
                Ok(writer.add(&maker.make(group, &path, &value, made)?)?)
            })?;
        }
        for standing in again.iter().filter(|standing| !stale.contains(&standing.scope)) {
            self.put_again(&mut writer, &mut maker, &target.heads, standing)?;
        }
        Ok(writer.commit(target.state())?)
    }

    /// The paths of the main line about which something else is to be said, with what stands there now: those
    /// that differ, and those that a commit touched which came or went since. What was changed and changed back
    /// looks as before, and somebody else has changed it last.
    fn changes(&self, old: &Group, new: &Group) -> Result<HashMap<AssetPath, Option<EntryValue>>, AppError> {
        let mut changed = HashMap::new();
        if old.commit == new.commit {
            return Ok(changed);
        }
        let (before, after) = (tree_of(self.view, old.commit)?, tree_of(self.view, new.commit)?);
        differences(self.view, Some(before), after, &PathSet::everything(), self.monitor, &mut |one| {
            changed.insert(one.path, one.after);
            Ok(())
        })?;
        let mut touched = HashSet::new();
        for (here, there) in [(new.commit, old.commit), (old.commit, new.commit)] {
            for (_, commit) in only_in(self.view, [here], Some(there))? {
                changed_by(self.view, &commit, &PathSet::everything(), self.monitor, &mut |path, _| {
                    touched.insert(path);
                    Ok(())
                })?;
            }
        }
        for path in touched {
            if let Entry::Vacant(vacant) = changed.entry(path) {
                let now = entry_at(self.view, after, vacant.key()).map_err(RepoError::from)?;
                vacant.insert(now.and_then(|entry| stands(entry.into())));
            }
        }
        Ok(changed)
    }

    /// Makes records anew whose files were read since.
    pub fn refresh(
        &self,
        catalog: &mut Catalog,
        heads: &Heads,
        standings: &[Standing],
    ) -> Result<(), AppError> {
        let comments = comments::read(self.repository, self.view, self.now, self.monitor)?;
        let schema = self.schema(heads);
        let mut maker = RecordMaker::new(self.view, self.findings, &comments).with_schema(schema.as_ref());
        let state = catalog.state().clone();
        let mut writer = catalog.write()?;
        for standing in standings {
            self.put_again(&mut writer, &mut maker, heads, standing)?;
        }
        Ok(writer.commit(state)?)
    }

    fn put_again(
        &self,
        writer: &mut Writer<'_>,
        maker: &mut RecordMaker<'_>,
        heads: &Heads,
        standing: &Standing,
    ) -> Result<(), AppError> {
        let Some(group) = heads.group(&standing.scope) else { return Ok(()) };
        let tree = tree_of(self.view, group.commit)?;
        let entry = entry_at(self.view, tree, &standing.path).map_err(RepoError::from)?;
        let Some(entry) = entry else { return Ok(()) };
        let made = Made::by(standing.commit, &self.view.commit(standing.commit)?);
        writer.put(&maker.make(group, &standing.path, &entry.into(), made)?)?;
        Ok(())
    }
}

/// A mark of what each person's record says; none says it.
fn marks_of_people(view: &View) -> Result<BTreeMap<String, String>, AppError> {
    let mark = |person: &Person| {
        let mut hasher = blake3::Hasher::new_derive_key("pentimento catalog person v1");
        hasher.update(&(person.name.len() as u64).to_le_bytes());
        hasher.update(person.name.as_bytes()).update(person.email.as_bytes());
        hasher.finalize().to_hex()[..16].to_owned()
    };
    Ok(view.people()?.iter().map(|(id, person)| (id.to_string(), mark(person))).collect())
}

/// The content of the main line's schema.
fn schema_of(view: &View, heads: &Heads) -> Result<Option<FileId>, AppError> {
    let Some(base) = &heads.base else { return Ok(None) };
    let path = AssetPath::from_bytes(SCHEMA_FILE).unwrap_or_default();
    let entry = entry_at(view, tree_of(view, base.commit)?, &path).map_err(RepoError::from)?;
    Ok(entry.and_then(|entry| entry.content.file_id()))
}

/// Records that may have terms.
fn with_terms(catalog: &Catalog, schema: Option<&Schema>) -> Result<Vec<Standing>, AppError> {
    let fields = schema.into_iter().flat_map(|schema| &schema.fields);
    let mut found = BTreeSet::new();
    for (name, _) in fields.filter(|(_, field)| field.kind == FieldType::Terms) {
        found.extend(catalog.with_tag("has", name.as_str(), usize::MAX)?);
    }
    Ok(found.into_iter().collect())
}

/// Groups whose records have to be made anew: they moved, are gone or are new.
fn stale_groups(before: &State, heads: &Heads) -> BTreeSet<String> {
    let moved = |groups: &[Group], others: &[Group]| -> Vec<String> {
        groups.iter().filter(|group| !others.contains(group)).map(|group| group.scope.clone()).collect()
    };
    let gone = moved(&before.groups, &heads.groups);
    gone.into_iter().chain(moved(&heads.groups, &before.groups)).collect()
}

/// Records about whose assets something else has been said by now.
fn spoken_about(catalog: &Catalog, comments: &Comments) -> Result<Vec<Standing>, AppError> {
    let mut found = BTreeSet::new();
    for (asset, words) in comments {
        let mark = mark_of(words);
        let records = catalog.with_tag("asset", &asset.to_string(), usize::MAX)?;
        found.extend(records.into_iter().filter(|standing| standing.comments != mark));
    }
    // Comments that were erased.
    for standing in catalog.with_tag("has", "comment", usize::MAX)? {
        if !comments.values().any(|words| mark_of(words) == standing.comments) {
            found.insert(standing);
        }
    }
    Ok(found.into_iter().collect())
}

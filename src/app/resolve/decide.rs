//! What one decision changes of what a merge has made of both sides.

use super::{Decision, Work};
use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId, MetadataId, TreeId};
use crate::base::path::{AssetPath, PathError};
use crate::object::asset::derive_asset_id;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeNode};
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::entry_at;
use crate::repo::RepoError;
use crate::repo::state::{ConflictSide, MergeState, PendingConflict, PendingEdits};
use crate::repo::versions::find_asset;
use std::collections::BTreeMap;

/// Which attribute a conflict is about: it is the one that a decision changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// What the asset is: its bytes, its kind, whether it may be run.
    Content,
    /// Whether it is there.
    Existence,
    /// Where it stands.
    Place,
    /// Who has a path that two assets want.
    TakenPath,
    /// Fields of its metadata.
    Fields,
}

impl About {
    fn of(conflict: &PendingConflict) -> Self {
        match conflict.kind.as_str() {
            "edited-and-removed" => Self::Existence,
            "moved-apart" => Self::Place,
            "path-taken" => Self::TakenPath,
            "metadata" => Self::Fields,
            _ => Self::Content,
        }
    }
}

/// Gathers what decisions change.
pub(super) struct Deciding<'a> {
    session: &'a Session<'a>,
    merge: &'a MergeState,
    /// What the merge has made so far.
    stands: TreeId,
    work: Work,
}

impl<'a> Deciding<'a> {
    pub(super) fn new(session: &'a Session<'a>, merge: &'a MergeState, stands: TreeId) -> Self {
        let work = Work {
            edits: BTreeMap::new(),
            metadata: Vec::new(),
            certain: Vec::new(),
            pending: session.state.pending.clone(),
        };
        Self { session, merge, stands, work }
    }

    pub(super) fn finish(self) -> Work {
        self.work
    }

    /// Decides about one conflict; says where theirs stands, when that is beside its place.
    pub(super) fn decide(
        &mut self,
        conflict: &PendingConflict,
        decision: Decision,
    ) -> Result<Option<AssetPath>, AppError> {
        match decision {
            Decision::AsIs => Ok(None),
            Decision::Ours => self.keep_ours(conflict).map(|()| None),
            Decision::Theirs => self.take_theirs(conflict),
            Decision::Both => self.keep_both(conflict),
        }
    }

    /// Ours is in the files already, except where ours removed it or had it elsewhere.
    fn keep_ours(&mut self, conflict: &PendingConflict) -> Result<(), AppError> {
        match About::of(conflict) {
            About::Existence if conflict.ours.is_none() => self.remove_what_stands(conflict)?,
            About::TakenPath => return self.send_home(conflict),
            _ => {}
        }
        Ok(())
    }

    fn take_theirs(&mut self, conflict: &PendingConflict) -> Result<Option<AssetPath>, AppError> {
        let about = About::of(conflict);
        if let (About::Existence | About::Content, Some(theirs)) = (about, &conflict.theirs) {
            return self.bring_theirs(conflict, theirs, about);
        }
        let place = self.place_of(conflict)?;
        match about {
            About::Fields => self.take_their_fields(conflict, &place)?,
            About::Existence | About::Content => self.remove_what_stands(conflict)?,
            About::Place => return self.move_to_theirs(conflict, &place),
            About::TakenPath => self.give_the_path(conflict, &place)?,
        }
        Ok(None)
    }

    /// Theirs stands in the files: where the asset stands by now, else where they have it, or beside that when something
    /// else has come there since.
    fn bring_theirs(
        &mut self,
        conflict: &PendingConflict,
        theirs: &ConflictSide,
        about: About,
    ) -> Result<Option<AssetPath>, AppError> {
        if let Some(place) = self.standing(conflict)? {
            match about {
                About::Existence => self.work.certain.push(place),
                _ => self.take_their_content(conflict, theirs, place)?,
            }
            return Ok(None);
        }
        let to =
            if self.is_free(&theirs.path)? { theirs.path.clone() } else { self.free_name(&theirs.path)? };
        self.take_their_content(conflict, theirs, to.clone())?;
        Ok((to != theirs.path).then_some(to))
    }

    fn keep_both(&mut self, conflict: &PendingConflict) -> Result<Option<AssetPath>, AppError> {
        if About::of(conflict) == About::TakenPath {
            let place = self.place_of(conflict)?;
            // What else was decided of it may have taken it away.
            return Ok(self.entry(&place)?.map(|_| place));
        }
        self.keep_ours(conflict)?;
        let Some(theirs) = conflict.theirs.as_ref().filter(|_| conflict.fields.is_empty()) else {
            return Ok(None);
        };
        let path = self.free_name(&theirs.path)?;
        let parents: Vec<CommitId> = self.session.head.into_iter().chain(self.merge.theirs).collect();
        let asset = Some(derive_asset_id(&parents, &path));
        let value = EntryValue { asset, metadata: theirs.metadata, content: theirs.content.clone() };
        self.work.edits.insert(path.clone(), Some(value));
        Ok(Some(path))
    }

    /// What stands at a path by now.
    fn entry(&self, path: &AssetPath) -> Result<Option<EntryValue>, AppError> {
        if let Some(value) = self.work.edits.get(path) {
            return Ok(value.clone());
        }
        let entry = entry_at(&self.session.view, self.stands, path).map_err(RepoError::from)?;
        Ok(entry.map(EntryValue::from))
    }

    /// Where the asset stands that a conflict is about, or where it would.
    fn place_of(&self, conflict: &PendingConflict) -> Result<AssetPath, AppError> {
        let standing = self.standing(conflict)?;
        Ok(standing.unwrap_or_else(|| conflict.placed.as_ref().unwrap_or(&conflict.path).clone()))
    }

    /// Where the asset stands that a conflict is about: another conflict may have put it beside its
    /// place, an earlier decision somewhere else, and who works on while it waits anywhere.
    fn standing(&self, conflict: &PendingConflict) -> Result<Option<AssetPath>, AppError> {
        let ours = conflict.ours.as_ref().filter(|_| About::of(conflict) != About::TakenPath);
        let sides = [conflict.theirs.as_ref(), ours, conflict.base.as_ref()];
        let assets: Vec<AssetId> = sides.iter().flatten().filter_map(|side| side.asset).collect();
        let beside = self.merge.conflicts.iter().filter(|other| other.theirs == conflict.theirs);
        let beside = beside.filter_map(|other| other.placed.as_ref());
        let places = conflict.placed.iter().chain([&conflict.path]).chain(beside);
        for path in places.chain(sides.iter().flatten().map(|side| &side.path)) {
            let entry = self.entry(path)?;
            if entry.is_some_and(|entry| entry.asset.is_some_and(|asset| assets.contains(&asset))) {
                return Ok(Some(path.clone()));
            }
        }
        for asset in assets {
            let found = find_asset(&self.session.view, self.stands, None, asset, &AssetPath::root())
                .map_err(RepoError::from)?;
            // What was decided a moment ago may have moved or removed it.
            if let Some(found) = found
                && self.entry(&found.path)?.is_some_and(|entry| entry.asset == Some(asset))
            {
                return Ok(Some(found.path));
            }
        }
        Ok(None)
    }

    /// Removes the asset that a conflict is about, if it is anywhere, and nothing that has come to its place.
    fn remove_what_stands(&mut self, conflict: &PendingConflict) -> Result<(), AppError> {
        if let Some(place) = self.standing(conflict)? {
            self.remove(place);
        }
        Ok(())
    }

    fn remove(&mut self, path: AssetPath) {
        self.work.pending.metadata.remove(&path);
        self.work.pending.assets.remove(&path);
        self.work.edits.insert(path, None);
    }

    /// Their bytes, and whether they may be run where both sides set that; what else the merge made of
    /// the asset stays.
    fn take_their_content(
        &mut self,
        conflict: &PendingConflict,
        theirs: &ConflictSide,
        place: AssetPath,
    ) -> Result<(), AppError> {
        let merged = self.entry(&place)?;
        let mut content = theirs.content.clone();
        if let (Content::File { executable, .. }, Some(merged)) = (&mut content, &merged) {
            let base = conflict.base.as_ref().map(|base| base.content.is_executable());
            let both_set = conflict.ours.as_ref().is_some_and(|ours| {
                let ours = ours.content.is_executable();
                ours != theirs.content.is_executable() && base.is_none()
            });
            if !both_set && matches!(merged.content, Content::File { .. }) {
                *executable = merged.content.is_executable();
            }
        }
        let (asset, metadata) = match merged {
            Some(merged) => (merged.asset, merged.metadata),
            None => (theirs.asset, theirs.metadata),
        };
        self.work.edits.insert(place.clone(), Some(EntryValue { asset, metadata, content }));
        self.work.certain.push(place);
        Ok(())
    }

    /// Takes only the fields that both sides set, from theirs.
    fn take_their_fields(&mut self, conflict: &PendingConflict, place: &AssetPath) -> Result<(), AppError> {
        let theirs = self.read(conflict.theirs.as_ref().and_then(|side| side.metadata))?;
        if let Some(mut entry) = self.entry(place)? {
            entry.metadata = self.with_fields(entry.metadata, &theirs, conflict)?;
            self.work.edits.insert(place.clone(), Some(entry));
        }
        // What was said of it since holds, apart from these fields.
        if let Some(pending) = self.work.pending.metadata.get(place).copied() {
            let metadata = self.with_fields(pending, &theirs, conflict)?;
            self.work.pending.metadata.insert(place.clone(), metadata);
        }
        Ok(())
    }

    fn with_fields(
        &mut self,
        current: Option<MetadataId>,
        theirs: &Metadata,
        conflict: &PendingConflict,
    ) -> Result<Option<MetadataId>, AppError> {
        let mut metadata = self.read(current)?;
        for field in &conflict.fields {
            match theirs.fields.get(field) {
                Some(value) => metadata.fields.insert(field.clone(), value.clone()),
                None => metadata.fields.remove(field),
            };
        }
        let id = (!metadata.is_empty()).then(|| metadata.id());
        self.work.metadata.push(metadata);
        Ok(id)
    }

    fn read(&self, id: Option<MetadataId>) -> Result<Metadata, AppError> {
        let made = self.work.metadata.iter().find(|made| id == Some(made.id()));
        match (made, id) {
            (Some(made), _) => Ok(made.clone()),
            (None, Some(id)) => Ok(self.session.view.metadata(id)?),
            (None, None) => Ok(Metadata::default()),
        }
    }

    /// Gives the asset the place that theirs gave it, or one beside that when something else has it.
    fn move_to_theirs(
        &mut self,
        conflict: &PendingConflict,
        place: &AssetPath,
    ) -> Result<Option<AssetPath>, AppError> {
        let Some(theirs) = &conflict.theirs else { return Ok(None) };
        if theirs.path == *place {
            self.work.certain.push(place.clone());
            return Ok(None);
        }
        let to =
            if self.is_free(&theirs.path)? { theirs.path.clone() } else { self.free_name(&theirs.path)? };
        self.relocate(place, &to)?;
        Ok((to != theirs.path).then_some(to))
    }

    /// Theirs gets the path that both want; what has it makes room.
    fn give_the_path(&mut self, conflict: &PendingConflict, place: &AssetPath) -> Result<(), AppError> {
        let occupant = conflict.ours.as_ref().map_or(&conflict.path, |ours| &ours.path).clone();
        if *place != conflict.path {
            self.remove(occupant);
            self.relocate(place, &conflict.path.clone())?;
        }
        Ok(())
    }

    /// Ours keeps the path. The other asset goes back to where this side has it; what only theirs has
    /// goes.
    fn send_home(&mut self, conflict: &PendingConflict) -> Result<(), AppError> {
        let place = self.place_of(conflict)?;
        let Some(value) = self.entry(&place)? else { return Ok(()) };
        let home = conflict.base.as_ref().map(|base| base.path.clone());
        let Some(home) = home else {
            self.remove(place);
            return Ok(());
        };
        let ours = entry_at(&self.session.view, self.session.head_tree()?, &home).map_err(RepoError::from)?;
        let is_ours = ours.is_some_and(|entry| entry.asset.is_some() && entry.asset == value.asset);
        match is_ours {
            true if self.is_free(&home)? => self.relocate(&place, &home)?,
            // It stays beside: this side has it, and its own place is another's by now.
            true => {}
            false => self.remove(place),
        }
        Ok(())
    }

    /// Moves what stands at one path to another, with what waits to be said of it. Of a folder that is
    /// an asset only that moves: what lies in it is decided about by itself.
    fn relocate(&mut self, from: &AssetPath, to: &AssetPath) -> Result<(), AppError> {
        let Some(value) = self.entry(from)? else { return Ok(()) };
        if let Content::Directory { .. } = value.content {
            let there = self.entry(to)?.map(|there| there.content);
            let content = there
                .filter(Content::is_directory)
                .unwrap_or(Content::Directory { id: TreeNode::empty_id() });
            let left = EntryValue { asset: None, metadata: None, content: value.content.clone() };
            let is_empty = value.content == Content::Directory { id: TreeNode::empty_id() };
            self.work.edits.insert(from.clone(), (!is_empty).then_some(left));
            self.work.edits.insert(to.clone(), Some(EntryValue { content, ..value }));
        } else {
            self.work.edits.insert(from.clone(), None);
            self.work.edits.insert(to.clone(), Some(value));
            self.work.certain.push(to.clone());
        }
        let PendingEdits { metadata, assets, .. } = &mut self.work.pending;
        if let Some(pending) = metadata.remove(from) {
            metadata.insert(to.clone(), pending);
        }
        if let Some(pending) = assets.remove(from) {
            assets.insert(to.clone(), pending);
        }
        Ok(())
    }

    /// Whether nothing stands at a path, and no file where it needs a folder.
    fn is_free(&self, path: &AssetPath) -> Result<bool, AppError> {
        let mut at = Some(path.clone());
        while let Some(here) = at.filter(|here| !here.is_root()) {
            let entry = self.entry(&here)?;
            if entry.is_some_and(|value| here == *path || !value.content.is_directory()) {
                return Ok(false);
            }
            at = here.parent();
        }
        Ok(true)
    }

    /// The file that stands where a path needs a folder.
    fn file_above(&self, path: &AssetPath) -> Result<Option<AssetPath>, AppError> {
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            if self.entry(&folder)?.is_some_and(|value| !value.content.is_directory()) {
                return Ok(Some(folder));
            }
            above = folder.parent();
        }
        Ok(None)
    }

    /// `logo (draft-x).psd`, with a number when that is taken too. Where a file has the place of its folder, the folder
    /// gets such a name: `brand (draft-x)/logo.psd`.
    fn free_name(&self, taken: &AssetPath) -> Result<AssetPath, AppError> {
        let Some(file) = self.file_above(taken)? else { return self.free_name_beside(taken) };
        let folder = self.free_name_beside(&file)?;
        let below = taken.below(&file).unwrap_or_default();
        below
            .names()
            .try_fold(folder, |path, name| path.join(name))
            .map_err(|error| path_error(taken, &error))
    }

    fn free_name_beside(&self, taken: &AssetPath) -> Result<AssetPath, AppError> {
        let folder = taken.parent().unwrap_or_default();
        let name = taken.name();
        let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0).unwrap_or(name.len());
        let label = self.merge.name.replace('/', "-");
        for number in 1u32.. {
            let mark = if number == 1 { format!(" ({label})") } else { format!(" ({label} {number})") };
            let candidate = [&name[..dot], mark.as_bytes(), &name[dot..]].concat();
            let path = folder.join(&candidate).map_err(|error| path_error(taken, &error))?;
            let is_free = self.session.worktree.look(&path).is_ok_and(|found| found.is_none());
            if is_free && self.entry(&path)?.is_none() {
                return Ok(path);
            }
        }
        Err(AppError::PathTaken { path: taken.clone() })
    }
}

fn path_error(taken: &AssetPath, error: &PathError) -> AppError {
    AppError::Path { text: taken.to_string(), reason: error.to_string() }
}

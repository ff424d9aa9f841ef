//! `resolve`: decides what a merge could not.

use crate::app::common::known_files::KnownFiles;
use crate::app::common::session::Session;
use crate::app::common::transition::{FilesLine, prepare};
use crate::app::common::underway::{announce, finish_interrupted, perform};
use crate::app::error::AppError;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::asset::derive_asset_id;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree_edit::{EntryValue, TreeEdit, edit_tree};
use crate::object::tree_walk::tree_order;
use crate::repo::Repository;
use crate::repo::edit::JournalNote;
use crate::repo::journal::{FilesChange, StateChange};
use crate::repo::state::{ConflictSide, PendingConflict, WorktreeState};
use crate::worktree::checkout::Wanted;
use serde::Serialize;

/// How to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// This branch's state stays.
    Ours,
    /// The other branch's state takes its place.
    Theirs,
    /// Ours stays, theirs stands beside it under a name of its own.
    Both,
    /// What stands in the files now is what was decided, by hand.
    AsIs,
}

/// What was decided.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The paths and what became of them.
    pub decided: Vec<DecidedLine>,
    /// Paths that still wait.
    pub undecided: Vec<AssetPath>,
    /// What was done to the files.
    pub files: FilesLine,
}

/// One decided path.
#[derive(Debug, Clone, Serialize)]
pub struct DecidedLine {
    /// The path.
    pub path: AssetPath,
    /// The decision.
    pub decision: Decision,
    /// Where theirs stands, when both are kept.
    pub beside: Option<AssetPath>,
}

/// Decides about the conflicts at or below `paths`; all when empty.
pub fn run(
    repository: &Repository,
    paths: &[AssetPath],
    decision: Decision,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    let merge = session.state.merge.clone().ok_or(AppError::NoMerge)?;
    let wanted = |conflict: &PendingConflict| {
        paths.is_empty() || paths.iter().any(|path| conflict.path.is_within(path))
    };
    if let Some(path) = paths.iter().find(|path| !merge.conflicts.iter().any(|c| c.path.is_within(path))) {
        return Err(AppError::NoConflict { path: path.clone() });
    }
    let (decided, left): (Vec<_>, Vec<_>) = merge.conflicts.iter().cloned().partition(wanted);
    let mut work = Work {
        state: session.state.clone(),
        targets: Vec::new(),
        edits: Vec::new(),
        lines: Vec::new(),
        metadata: Vec::new(),
        name: merge.name.clone(),
    };
    for conflict in &decided {
        work.decide(&session, conflict, decision)?;
    }
    if let Some(merge) = &mut work.state.merge {
        merge.conflicts = left;
    }
    let undecided: Vec<AssetPath> =
        work.state.merge.iter().flat_map(|m| &m.conflicts).map(|c| c.path.clone()).collect();
    let lines = std::mem::take(&mut work.lines);
    let files = work.carry_out(&mut session, clock, monitor)?;
    Ok(Report { decided: lines, undecided, files })
}

struct Work {
    state: WorktreeState,
    targets: Vec<Wanted>,
    edits: Vec<TreeEdit>,
    lines: Vec<DecidedLine>,
    metadata: Vec<Metadata>,
    name: String,
}

impl Work {
    fn decide(
        &mut self,
        session: &Session<'_>,
        conflict: &PendingConflict,
        decision: Decision,
    ) -> Result<(), AppError> {
        let mut beside = None;
        match decision {
            Decision::AsIs => {}
            Decision::Ours => self.keep_ours(conflict),
            Decision::Theirs => self.take_theirs(session, conflict)?,
            Decision::Both => {
                self.keep_ours(conflict);
                if let (Some(theirs), true) = (&conflict.theirs, conflict.fields.is_empty()) {
                    let path = self.free_name(session, conflict, theirs)?;
                    if conflict.placed.is_none() {
                        self.put(&path, theirs, false);
                    }
                    beside = Some(path);
                }
            }
        }
        self.lines.push(DecidedLine { path: conflict.path.clone(), decision, beside });
        Ok(())
    }

    /// Ours is in the files already, except where ours removed it.
    fn keep_ours(&mut self, conflict: &PendingConflict) {
        if conflict.ours.is_none() {
            self.remove(&conflict.path);
        }
        if let Some(placed) = conflict.placed.clone() {
            self.remove(&placed);
        }
    }

    fn take_theirs(&mut self, session: &Session<'_>, conflict: &PendingConflict) -> Result<(), AppError> {
        if !conflict.fields.is_empty() {
            return self.take_their_fields(session, conflict);
        }
        match &conflict.theirs {
            None => self.remove(&conflict.path),
            Some(theirs) => {
                if let Some(placed) = conflict.placed.clone() {
                    self.remove(&placed);
                }
                if theirs.path != conflict.path {
                    self.remove(&conflict.path);
                }
                self.put(&theirs.path.clone(), theirs, true);
            }
        }
        Ok(())
    }

    /// Takes only the fields that both sides set, from theirs.
    fn take_their_fields(
        &mut self,
        session: &Session<'_>,
        conflict: &PendingConflict,
    ) -> Result<(), AppError> {
        let read = |side: Option<&ConflictSide>| -> Result<Metadata, AppError> {
            let id = side.and_then(|side| side.metadata);
            Ok(id.map(|id| session.view.metadata(id)).transpose()?.unwrap_or_default())
        };
        let ours = conflict.ours.as_ref().and_then(|side| side.metadata);
        let current = self.state.pending.metadata.get(&conflict.path).copied().unwrap_or(ours);
        let mut metadata = current.map(|id| session.view.metadata(id)).transpose()?.unwrap_or_default();
        let theirs = read(conflict.theirs.as_ref())?;
        for field in &conflict.fields {
            match theirs.fields.get(field) {
                Some(value) => metadata.fields.insert(field.clone(), value.clone()),
                None => metadata.fields.remove(field),
            };
        }
        let id = (!metadata.is_empty()).then(|| metadata.id());
        self.metadata.push(metadata);
        self.state.pending.metadata.insert(conflict.path.clone(), id);
        Ok(())
    }

    fn remove(&mut self, path: &AssetPath) {
        self.targets.push(Wanted { path: path.clone(), content: None });
        self.edits.push(TreeEdit { path: path.clone(), value: None });
    }

    /// Puts one side at a path, as the asset that it is there or as one of its own.
    fn put(&mut self, path: &AssetPath, side: &ConflictSide, same_asset: bool) {
        let asset = if same_asset { side.asset } else { Some(derive_asset_id(&[], path)) };
        let value = EntryValue { asset, metadata: side.metadata, content: side.content.clone() };
        self.targets.push(Wanted { path: path.clone(), content: Some(side.content.clone()) });
        self.edits.push(TreeEdit { path: path.clone(), value: Some(value) });
        if let (Some(asset), true) = (side.asset, same_asset) {
            self.state.pending.assets.insert(path.clone(), asset);
        }
        self.state.pending.metadata.insert(path.clone(), side.metadata);
    }

    /// `logo (draft-x).psd`, with a number when that is taken too.
    fn free_name(
        &self,
        session: &Session<'_>,
        conflict: &PendingConflict,
        theirs: &ConflictSide,
    ) -> Result<AssetPath, AppError> {
        if let Some(placed) = &conflict.placed {
            return Ok(placed.clone());
        }
        let folder = theirs.path.parent().unwrap_or_default();
        let name = theirs.path.name();
        let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0).unwrap_or(name.len());
        let label = self.name.replace('/', "-");
        for number in 1u32.. {
            let mark = if number == 1 { format!(" ({label})") } else { format!(" ({label} {number})") };
            let candidate = [&name[..dot], mark.as_bytes(), &name[dot..]].concat();
            let path = folder.join(&candidate).map_err(|error| AppError::Path {
                text: conflict.path.to_string(),
                reason: error.to_string(),
            })?;
            let is_free = session.worktree.look(&path).is_ok_and(|found| found.is_none())
                && !self.targets.iter().any(|target| target.path == path);
            if is_free {
                return Ok(path);
            }
        }
        Err(AppError::PathTaken { path: theirs.path.clone() })
    }

    /// Writes state and journal entry, then the files.
    fn carry_out(
        mut self,
        session: &mut Session<'_>,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<FilesLine, AppError> {
        self.edits.sort_by(|left, right| tree_order(&left.path, &right.path));
        self.edits.dedup_by(|later, kept| {
            let same = later.path == kept.path;
            if same && kept.value.is_none() {
                kept.value = later.value.take();
            }
            same
        });
        let wanted = &self.edits;
        self.targets.retain(|target| {
            let keeps = wanted.iter().any(|edit| edit.path == target.path && edit.value.is_some());
            target.content.is_some() || !keeps
        });
        let mut edit = session.repository.edit()?;
        for metadata in &self.metadata {
            edit.put_metadata(metadata)?;
        }
        let after_tree = edit_tree(&session.view, session.base, self.edits, &mut |id, bytes| {
            edit.put_tree_node(id, &bytes)
        })
        .map_err(AppError::from_edit)?;
        let files = FilesChange::between(session.base, after_tree);
        let plan = prepare(session, &self.targets, &KnownFiles::default(), monitor)?;
        let before = edit.state()?;
        let settled = self.state;
        let note = JournalNote {
            verb: "resolve",
            summary: format!("decided about the merge of {}", self.name),
            state: Some(StateChange { before, after: settled.clone() }),
            files: Some(files),
            ..JournalNote::default()
        };
        let underway = announce(&mut edit, note, settled, files, None, clock.now())?;
        edit.commit()?;
        Ok(perform(session, underway, &plan.into(), "resolve", clock, monitor)?.line)
    }
}

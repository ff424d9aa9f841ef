//! `merge`: brings the work of another branch into this one.
//!
//! What fits together is merged. Where two sides cannot both stand, ours stays in the files, both
//! stay at hand, and `resolve` decides; nothing else waits for that.

use crate::app::common::describe::{CommitLine, Describer};
use crate::app::common::drawn::DrawnTrees;
use crate::app::common::files_change::{FilesLine, prepare_with, targets_between};
use crate::app::common::forward::{Forward, refuse_dirty};
use crate::app::common::guard::{Permit, is_protected, recorded_at, set_reference};
use crate::app::common::joining::{Joined, join_commits};
use crate::app::common::known_files::KnownFiles;
use crate::app::common::session::Session;
use crate::app::common::underway::{announce, finish_interrupted, perform};
use crate::app::draft::find_branch;
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId, TreeId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::{Clock, Timestamp};
use crate::diff::merge::{Conflict, ConflictKind, TreeMerge};
use crate::diff::tree::Located;
use crate::object::commit::{AssetNote, Commit, Signature};
use crate::object::source::ObjectSource;
use crate::repo::edit::JournalNote;
use crate::repo::history::is_ancestor;
use crate::repo::journal::{FilesChange, StateChange};
use crate::repo::people::Identity;
use crate::repo::refs::RefTarget;
use crate::repo::state::{ConflictSide, MergeState, PendingConflict, Underway};
use crate::repo::{Edit, RepoError, Repository};
use crate::trust::log_writer::LogWriter;
use serde::Serialize;

/// What to merge.
#[derive(Debug, Clone)]
pub struct Options {
    /// A branch, draft or revision.
    pub name: String,
    /// Who merges.
    pub identity: Option<Identity>,
    /// Why; "Merge NAME" when `None`.
    pub message: Option<String>,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything of theirs was here already.
    UpToDate,
    /// Nothing was done here since theirs began: the branch went forward to it.
    Forward,
    /// A merge commit joins both.
    Merged,
    /// Some paths wait for a decision.
    Undecided,
}

/// What was merged.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How it went.
    pub outcome: Outcome,
    /// The branch.
    pub branch: String,
    /// What was merged in, as it was called.
    pub name: String,
    /// Its commit.
    pub theirs: CommitId,
    /// The branch's newest commit now.
    pub commit: Option<CommitLine>,
    /// Text files that were merged line by line.
    pub texts_merged: Vec<AssetPath>,
    /// What waits for a decision.
    pub conflicts: Vec<PendingConflict>,
    /// What was done to the files.
    pub files: FilesLine,
}

/// Merges into a branch that no policy protects.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    run_as(repository, options, None, clock, monitor)
}

/// Merges, with somebody who can sign the move of a protected branch, should it be one.
pub fn run_as(
    repository: &Repository,
    options: &Options,
    writer: Option<LogWriter<'_>>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let identity = options.identity.clone().ok_or(AppError::NoIdentity)?;
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    if let Some(merge) = &session.state.merge {
        return Err(AppError::MergeUnderWay { name: merge.name.clone() });
    }
    let ours = session.head.ok_or(RepoError::NoCommits)?;
    let (theirs, name) = find(&session, &options.name, clock)?;
    let job = Job { options, identity, name, ours, theirs, writer, now: clock.now() };
    if is_ancestor(&session.view, theirs, ours)? {
        return job.report(&session, Outcome::UpToDate, None, FilesLine::default());
    }
    let may = || may_forward(&session, (ours, theirs), clock.now(), monitor);
    if is_ancestor(&session.view, ours, theirs)? && may()? {
        return job.forward(session, clock, monitor);
    }
    job.join(session, clock, monitor)
}

/// Whether the branch may go straight to a commit that has everything of it: a protected one only by a single
/// step, so that what lies between does not become a state of it that nobody judged; or to where the shared log
/// says that it stands, which was judged step by step.
fn may_forward(
    session: &Session<'_>,
    (ours, theirs): (CommitId, CommitId),
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<bool, AppError> {
    let (view, branch) = (&session.view, &session.state.branch);
    if !is_protected(view, branch)? || view.commit(theirs)?.parents.first() == Some(&ours) {
        return Ok(true);
    }
    Ok(recorded_at(session.repository, view, branch, theirs, now, monitor)?.is_some())
}

/// The commit to merge and the name to call it by.
fn find(session: &Session<'_>, name: &str, clock: &dyn Clock) -> Result<(CommitId, String), AppError> {
    if let Ok(branch) = find_branch(&session.view, name)
        && let Some(target) = session.view.reference(&branch)?
    {
        return Ok((target.commit, branch.name().to_owned()));
    }
    Ok((session.view.resolve(name, clock.now())?.commit, name.to_owned()))
}

struct Job<'o> {
    options: &'o Options,
    identity: Identity,
    name: String,
    ours: CommitId,
    theirs: CommitId,
    writer: Option<LogWriter<'o>>,
    now: Timestamp,
}

impl Job<'_> {
    fn report(
        &self,
        session: &Session<'_>,
        outcome: Outcome,
        merge: Option<TreeMerge>,
        files: FilesLine,
    ) -> Result<Report, AppError> {
        let commit = match session.head {
            Some(id) => Some(Describer::new(&session.view)?.commit(id, &session.view.commit(id)?)?),
            None => None,
        };
        let conflicts = session.state.merge.as_ref().map(|merge| merge.conflicts.clone());
        Ok(Report {
            outcome,
            branch: session.state.branch.name().to_owned(),
            name: self.name.clone(),
            theirs: self.theirs,
            commit,
            texts_merged: merge.map(|merge| merge.texts_merged).unwrap_or_default(),
            conflicts: conflicts.unwrap_or_default(),
            files,
        })
    }

    /// Moves the branch to theirs, which has everything of ours.
    fn forward(
        &self,
        mut session: Session<'_>,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Report, AppError> {
        let forward = Forward { to: self.theirs, name: &self.name, verb: "merge", writer: self.writer };
        let files = forward.carry_out(&mut session, clock, monitor)?;
        self.report(&session, Outcome::Forward, None, files)
    }

    /// Joins two lines of work.
    fn join(
        &self,
        mut session: Session<'_>,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Report, AppError> {
        monitor.phase(Phase { name: "Merging", files_total: None, bytes_total: None });
        let joined = join_commits(session.repository, &session.view, self.ours, self.theirs, monitor)?;
        let Joined { merge, made, staged } = joined;
        let touched: Vec<AssetPath> = merge.edits.iter().map(|edit| edit.path.clone()).collect();
        refuse_dirty(&session, &touched, monitor)?;
        let commit = |tree| self.commit(tree, &merge);
        let (edits, writer) = (merge.edits.iter().cloned(), self.writer);
        let permit = Permit::for_edits(&session, edits, &commit, writer, monitor, self.now)?;
        let view = session.repository.view()?;
        let mut trees = DrawnTrees::over(&view);
        let tree = trees.draw(session.base, merge.edits.clone())?;
        let files = FilesChange::between(session.base, tree);
        let targets = targets_between(&session, &trees, files, tree, monitor)?;
        let plan = prepare_with(&session, &targets, &KnownFiles::default(), &made, monitor)?;
        let mut edit = session.repository.edit()?;
        edit.publish(staged)?;
        trees.put(&mut edit)?;
        let underway = self.announce(&session, &mut edit, &merge, files, permit, clock)?;
        edit.commit()?;
        let done = perform(&mut session, underway, &plan.into(), "merge", clock, monitor)?;
        let outcome = if merge.conflicts.is_empty() { Outcome::Merged } else { Outcome::Undecided };
        self.report(&session, outcome, Some(merge), done.line)
    }

    /// The branch moves if all is decided, else the state says what waits.
    fn announce(
        &self,
        session: &Session<'_>,
        edit: &mut Edit,
        merge: &TreeMerge,
        files: FilesChange,
        permit: Option<Permit>,
        clock: &dyn Clock,
    ) -> Result<Underway, AppError> {
        for metadata in &merge.metadata {
            edit.put_metadata(metadata)?;
        }
        let before = session.state_in(edit)?;
        let mut after = before.clone();
        let summary = if merge.conflicts.is_empty() {
            edit.put_person(self.identity.id, &self.identity.person)?;
            let id = edit.put_commit(&self.commit(files.after, merge))?;
            let target = Some(RefTarget::plain(id));
            set_reference(edit, permit, &session.state.branch, session.head, target)?;
            format!("merged {} into {} as {}", self.name, before.branch, id.short())
        } else {
            after.merge = Some(self.undecided(files.after, merge));
            format!("began to merge {} into {}", self.name, before.branch)
        };
        let state = (before != after).then(|| StateChange { before, after: after.clone() });
        let note =
            JournalNote { verb: "merge", summary, state, files: Some(files), ..JournalNote::default() };
        announce(edit, note, after, files, None, clock.now())
    }

    fn message(&self) -> String {
        self.options.message.clone().unwrap_or_else(|| format!("Merge {}", self.name))
    }

    fn commit(&self, tree: TreeId, merge: &TreeMerge) -> Commit {
        let person = Signature { person: self.identity.id, time: self.now };
        Commit {
            tree,
            parents: vec![self.ours, self.theirs],
            author: person,
            committer: person,
            message: self.message(),
            notes: merge.notes.clone(),
            extensions: Vec::new(),
        }
    }

    /// What the merge commit will need: what both sides made together, of which the worktree may show
    /// a part only, and what waits for a decision.
    fn undecided(&self, merged: TreeId, merge: &TreeMerge) -> MergeState {
        let aliases: Vec<(AssetId, AssetId)> = merge
            .notes
            .iter()
            .filter_map(|note| match note {
                AssetNote::AliasOf { asset, other } => Some((*asset, *other)),
                AssetNote::CopiedFrom { .. } => None,
            })
            .collect();
        MergeState {
            theirs: Some(self.theirs),
            merged: Some(merged),
            name: self.name.clone(),
            message: self.message(),
            conflicts: merge.conflicts.iter().map(pending_conflict).collect(),
            aliases,
        }
    }
}

/// A conflict in the form in which it waits.
pub fn pending_conflict(conflict: &Conflict) -> PendingConflict {
    let side = |located: &Option<Box<Located>>| {
        located.as_ref().map(|located| ConflictSide {
            path: located.path.clone(),
            asset: located.value.asset,
            metadata: located.value.metadata,
            content: located.value.content.clone(),
        })
    };
    let (kind, fields, placed) = match &conflict.kind {
        ConflictKind::BothEdited => ("both-edited", Vec::new(), None),
        ConflictKind::EditedAndRemoved => ("edited-and-removed", Vec::new(), None),
        ConflictKind::BothAdded => ("both-added", Vec::new(), None),
        ConflictKind::MovedApart => ("moved-apart", Vec::new(), None),
        ConflictKind::PathTaken { placed } => ("path-taken", Vec::new(), Some(placed.clone())),
        ConflictKind::TypeChanged => ("type-changed", Vec::new(), None),
        ConflictKind::Metadata { field } => ("metadata", vec![field.clone()], None),
    };
    PendingConflict {
        path: conflict.path.clone(),
        kind: kind.to_owned(),
        base: side(&conflict.base),
        ours: side(&conflict.ours),
        theirs: side(&conflict.theirs),
        fields,
        placed,
    }
}

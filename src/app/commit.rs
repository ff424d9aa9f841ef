//! `commit`: makes the worktree's changes part of the branch.

use crate::app::common::describe::{CommitLine, Describer};
use crate::app::common::guard::{Permit, set_reference};
use crate::app::common::locks::{LockLine, of_others};
use crate::app::common::problem::ProblemLine;
use crate::app::common::read_only::hold_back;
use crate::app::common::schema;
use crate::app::common::session::Session;
use crate::app::common::signing::SigningAs;
use crate::app::common::snapshot::{self, Snapshot};
use crate::app::common::twins::{TwinsLine, new_twins};
use crate::app::common::underway::finish_interrupted;
use crate::app::common::unwritten;
use crate::app::error::AppError;
use crate::app::status::{ChangeLine, Counts, problems_of};
use crate::base::id::{CommitId, FileId, PersonId, TreeId};
use crate::base::memory::{MANY, give_back};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::{Clock, Timestamp};
use crate::diff::tree::{Aliases, MoveMatching, PathSet, TreeDiffOptions, diff_trees};
use crate::object::commit::{AssetNote, Commit, Signature};
use crate::object::signature::Fingerprint;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::tree_edit::edit_tree;
use crate::object::tree_walk::entry_at;
use crate::repo::assign::Assignment;
use crate::repo::edit::JournalNote;
use crate::repo::journal::StateChange;
use crate::repo::people::Identity;
use crate::repo::refs::RefTarget;
use crate::repo::state::{MergeState, PendingEdits};
use crate::repo::{RepoError, Repository};
use crate::rules::schema::Breach;
use crate::store::Staged;
use crate::trust::log_writer::LogWriter;
use crate::worktree::root::Worktree;
use crate::worktree::status::{Change, What};
use serde::Serialize;
use std::collections::HashSet;
use std::sync::Arc;

/// What to commit, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Why. A merge has a message of its own, which holds when this is `None`.
    pub message: Option<String>,
    /// Only what changed at or below these paths; everything when empty.
    pub paths: Vec<AssetPath>,
    /// Who commits.
    pub identity: Option<Identity>,
    /// Who made the change, when that is somebody else.
    pub author: Option<Identity>,
    /// When the change was made, when that is not now.
    pub date: Option<Timestamp>,
    /// Who signs it, if it is to be signed.
    pub signing: Option<Arc<SigningAs>>,
}

/// What was committed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The branch.
    pub branch: String,
    /// The commit; `None` when there was nothing to commit.
    pub commit: Option<CommitLine>,
    /// How many paths changed, by what happened to them.
    pub counts: Counts,
    /// The paths.
    pub changes: Vec<ChangeLine>,
    /// Bytes of new and changed files.
    pub bytes: u64,
    /// Of these, bytes that the repository did not have.
    pub bytes_new: u64,
    /// Bytes by which the repository's packs grew.
    pub bytes_stored: u64,
    /// The key that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<Fingerprint>,
    /// Paths that could not be committed, each with its reason.
    pub problems: Vec<ProblemLine>,
    /// Names that came in and fall together with others on systems that do not tell upper from lower
    /// case, or ways of composing a letter apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub twins: Vec<TwinsLine>,
    /// Assets among them that others have locked, as far as that was fetched: a push of these changes is
    /// refused while the locks last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locked: Vec<LockLine>,
    /// What of the changed files does not fit the schema; it was committed all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<Breach>,
    /// Why the schema could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_fault: Option<String>,
    /// Packs of the repository that are missing or too short and had been counted on: what the commit
    /// needed of them was stored anew.
    #[serde(skip_serializing_if = "is_none_lost")]
    pub lost_packs: u64,
}

/// Whether no pack was found lost, which needs no word.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
pub(crate) const fn is_none_lost(packs: &u64) -> bool {
    *packs == 0
}

/// Refuses paths that are neither in the folder nor in the newest commit: somebody has mistyped them.
pub fn refuse_unknown(repository: &Repository, paths: &[AssetPath]) -> Result<(), AppError> {
    let (view, worktree) = (repository.view()?, Worktree::open(repository.root())?);
    let tree = match view.head()? {
        Some(head) => view.commit(head)?.tree,
        None => TreeNode::empty_id(),
    };
    for path in paths.iter().filter(|path| path.parent().is_some()) {
        let is_here = worktree.look(path).is_ok_and(|found| found.is_some());
        if !is_here && entry_at(&view, tree, path).map_err(RepoError::from)?.is_none() {
            return Err(AppError::NotInRevision { path: path.clone() });
        }
    }
    Ok(())
}

/// Commits to a branch that no policy protects.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    run_as(repository, options, None, clock, monitor)
}

/// Commits, with somebody who can sign the move of a protected branch, should it be one.
pub fn run_as(
    repository: &Repository,
    options: &Options,
    writer: Option<LogWriter<'_>>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let identity = options.identity.clone().ok_or(AppError::NoIdentity)?;
    let committer = identity.id;
    monitor.phase(Phase { name: "Looking for changes", files_total: None, bytes_total: None });
    let mut session = Session::begin(repository, monitor)?;
    // Half of a cut-off change is nothing that anybody meant to commit.
    finish_interrupted(&mut session, clock, monitor)?;
    let merge = session.state.merge.clone();
    check_merge(merge.as_ref(), &options.paths)?;
    let parents: Vec<CommitId> =
        session.head.into_iter().chain(merge.as_ref().and_then(|merge| merge.theirs)).collect();
    let mut snapshot = snapshot::take(&mut session, &options.paths, &parents, monitor)?;
    if snapshot.assignment.edits.is_empty() && merge.is_none() {
        let fresh = snapshot::fresh_files(std::mem::take(&mut snapshot.refreshed), &snapshot.changes);
        if !fresh.is_empty() {
            session.remember(fresh, monitor)?;
        }
        return describe(&session, Told::of(&snapshot), snapshot.changes);
    }
    if monitor.is_cancelled() {
        return Err(AppError::Cancelled);
    }
    let person = Signature { person: identity.id, time: clock.now() };
    let author = options.author.clone().unwrap_or_else(|| identity.clone());
    let author_time = options.date.unwrap_or(person.time);
    let making = Making {
        parents,
        author: Signature { person: author.id, time: author_time },
        committer: person,
        message: message(options, merge.as_ref()),
        people: vec![identity, author],
        merge,
    };
    let signing = options.signing.as_deref();
    // Of a million files only those lists are there at one time that the next step needs.
    let told = Told::of(&snapshot);
    let Snapshot { assignment, staged, refreshed, changes, still_pending, .. } = snapshot;
    let left_alone = changes.iter().filter(|change| change.what == What::Unwritten);
    let left_alone = left_alone.map(|change| change.path.clone()).collect();
    let taken = Taken { assignment, staged, still_pending, within: options.paths.clone(), left_alone };
    let (id, signed) = making.write(&session, taken, (signing, writer), clock, monitor)?;
    if changes.len() >= MANY {
        give_back();
    }
    let mut fresh = snapshot::fresh_files(refreshed, &changes);
    hold_back(&session, &mut fresh)?;
    let before = session.head_tree()?;
    let brought = brought_by_merge(&session, id, monitor)?;
    let mut report = describe(&session, told, changes)?;
    if let Some(lines) = brought {
        report.tell_merge(lines);
    }
    report.signed = signed;
    session.remember(fresh, monitor)?;
    let commit = session.view.commit(id)?;
    let added =
        report.changes.iter().filter(|line| matches!(line.what, "new" | "moved" | "moved-and-changed"));
    report.twins = new_twins(&session.view, before, commit.tree, added.map(|line| &line.path))?;
    report.locked = locked_among(&session, &report.changes, committer, clock.now())?;
    report.commit = Some(Describer::new(&session.view)?.commit(id, &commit)?);
    hold_against_schema(&session, commit.tree, &mut report, monitor)?;
    Ok(report)
}

/// Which of the assets that were changed others have locked.
fn locked_among(
    session: &Session<'_>,
    changes: &[ChangeLine],
    committer: PersonId,
    now: Timestamp,
) -> Result<Vec<LockLine>, AppError> {
    let mut locked = of_others(&session.view, Some(committer), now)?;
    let is_changed = |lock: &LockLine| {
        let is_it = |line: &ChangeLine| {
            line.what != "metadata"
                && (line.asset == Some(lock.asset)
                    || line.path == lock.path
                    || line.from.as_ref() == Some(&lock.path))
        };
        changes.iter().any(is_it)
    };
    locked.retain(is_changed);
    Ok(locked)
}

/// Says what of the changed files does not fit the schema that was committed with them. A schema that
/// cannot be read keeps nobody from committing, least of all from mending it.
fn hold_against_schema(
    session: &Session<'_>,
    tree: TreeId,
    report: &mut Report,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    match schema::in_tree(session.repository, &session.view, tree, monitor) {
        Ok(Some(schema)) => {
            let changed = report.changes.iter().filter(|line| line.what != "removed").map(|line| &line.path);
            report.breaches = schema::breaches_in(&session.view, &schema, tree, changed)?;
        }
        Ok(None) => {}
        Err(AppError::Schema(error)) => report.schema_fault = Some(error.to_string()),
        // Of a clone that has not everything: the schema's content is not here.
        Err(AppError::Content(_) | AppError::Io { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What a merge commit changed of the branch: more than what was done by hand since the merge.
fn brought_by_merge(
    session: &Session<'_>,
    id: CommitId,
    monitor: &dyn Monitor,
) -> Result<Option<Vec<ChangeLine>>, AppError> {
    let before = session.head_tree()?;
    if before == session.base {
        return Ok(None);
    }
    let view = session.repository.view()?;
    let (paths, aliases) = (PathSet::everything(), Aliases::default());
    let options = TreeDiffOptions { paths: &paths, moves: MoveMatching::Asset, aliases: &aliases };
    let changes = diff_trees(&view, before, view.commit(id)?.tree, options, monitor)?;
    Ok(Some(changes.iter().filter_map(ChangeLine::between).collect()))
}

fn check_merge(merge: Option<&MergeState>, paths: &[AssetPath]) -> Result<(), AppError> {
    let Some(merge) = merge else { return Ok(()) };
    if !merge.conflicts.is_empty() {
        let paths = merge.conflicts.iter().map(|conflict| conflict.path.clone()).collect();
        return Err(AppError::Unresolved { paths });
    }
    // A merge commit says that both sides are in it; half of one would not be true.
    if paths.is_empty() { Ok(()) } else { Err(AppError::MergeUnderWay { name: merge.name.clone() }) }
}

fn message(options: &Options, merge: Option<&MergeState>) -> String {
    let given = options.message.clone().or_else(|| merge.map(|merge| merge.message.clone()));
    given.unwrap_or_default().trim_end().to_owned()
}

/// What is told of a snapshot beside its changes.
struct Told {
    /// Paths that have no other change than of their metadata or identity.
    described: Vec<ChangeLine>,
    bytes_stored: u64,
    lost_packs: u64,
}

impl Told {
    fn of(snapshot: &Snapshot) -> Self {
        let (edits, changes) = (&snapshot.assignment.edits, &snapshot.changes);
        let mut described = Vec::new();
        if edits.len() > changes.iter().filter(|change| change.is_committable()).count() {
            let origin = |change: &Change| match &change.what {
                What::Moved { from, .. } => Some(from.clone()),
                _ => None,
            };
            let known: HashSet<AssetPath> = changes
                .iter()
                .flat_map(|change| origin(change).into_iter().chain([change.path.clone()]))
                .collect();
            let extra = edits.iter().filter(|edit| !known.contains(&edit.path));
            described.extend(extra.map(|edit| ChangeLine::metadata(&edit.path, edit.value.as_ref())));
        }
        let lost_packs = snapshot.staged.lost_packs();
        Self { described, bytes_stored: snapshot.bytes_stored, lost_packs }
    }
}

impl Report {
    /// Tells what a merge commit changed of the branch. What the merge brought is in the repository
    /// already; what was done by hand since may be new.
    fn tell_merge(&mut self, lines: Vec<ChangeLine>) {
        self.counts = Counts::of(&lines);
        self.bytes = bytes_of(&lines).0;
        self.changes = lines;
    }
}

/// Bytes of the files whose content is another now, and how many of them the repository did not have.
fn bytes_of(lines: &[ChangeLine]) -> (u64, u64) {
    let is_content =
        |line: &&ChangeLine| matches!(line.what, "new" | "changed" | "kind" | "moved-and-changed");
    let content = lines.iter().filter(is_content);
    content.fold((0, 0), |(bytes, new), line| (bytes + line.size, new + line.bytes_new.unwrap_or(0)))
}

/// Makes the report out of the changes, which nobody needs after it.
fn describe(session: &Session<'_>, told: Told, changes: Vec<Change>) -> Result<Report, AppError> {
    let problems = problems_of(&session.view, &changes)?;
    let mut lines: Vec<ChangeLine> =
        changes.into_iter().filter(Change::is_committable).map(ChangeLine::from).collect();
    if !told.described.is_empty() {
        lines.extend(told.described);
        lines.sort_by(|left, right| left.path.cmp(&right.path));
    }
    let (bytes, bytes_new) = bytes_of(&lines);
    Ok(Report {
        branch: session.state.branch.name().to_owned(),
        commit: None,
        counts: Counts::of(&lines),
        changes: lines,
        bytes,
        bytes_new,
        bytes_stored: told.bytes_stored,
        signed: None,
        problems,
        twins: Vec::new(),
        locked: Vec::new(),
        breaches: Vec::new(),
        schema_fault: None,
        lost_packs: told.lost_packs,
    })
}

/// What was taken in of the worktree.
struct Taken {
    assignment: Assignment,
    staged: Staged,
    /// Edits that are no bytes and were not asked for.
    still_pending: PendingEdits,
    /// What was asked for; everything when empty.
    within: Vec<AssetPath>,
    /// Paths that could not be brought here and are as the branch has them.
    left_alone: Vec<AssetPath>,
}

/// Everything that a commit is made of apart from its tree.
struct Making {
    parents: Vec<CommitId>,
    author: Signature,
    committer: Signature,
    message: String,
    people: Vec<Identity>,
    merge: Option<MergeState>,
}

impl Making {
    /// Writes tree, commit, branch, state and journal entry in one transaction. Gives the commit and the key that
    /// signed it.
    fn write(
        self,
        session: &Session<'_>,
        taken: Taken,
        (signing, writer): (Option<&SigningAs>, Option<LogWriter<'_>>),
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<(CommitId, Option<Fingerprint>), AppError> {
        let Taken { assignment, staged, still_pending, within, left_alone } = taken;
        let Assignment { edits, notes, .. } = assignment;
        let notes = self.notes(notes);
        let commit = |tree| self.commit(tree, &notes);
        let now = self.committer.time;
        let permit = Permit::for_edits(session, edits.iter().cloned(), &commit, writer, monitor, now)?;
        // A person may have to touch a key for this: nobody else waits for the transaction then,
        // and nothing is there yet if they do not.
        let signed_by = permit.as_ref().and_then(Permit::signed_by);
        let signature = match signing.filter(|_| signed_by.is_none()) {
            Some(signing) => {
                let edits = edits.iter().cloned();
                let tree = edit_tree(&session.view, session.base, edits, &mut |_, _| Ok(()));
                let commit = self.commit(tree.map_err(AppError::from_edit)?, &notes);
                let repository = session.repository.id();
                Some(signing.sign_commit(repository, commit.id(), self.committer.time)?)
            }
            None => None,
        };
        let files: Vec<FileId> =
            edits.iter().filter_map(|edit| edit.value.as_ref()?.content.file_id()).collect();
        let mut edit = session.repository.edit()?;
        edit.publish(staged)?;
        edit.drop_excuses(&files)?;
        let tree =
            edit_tree(&session.view, session.base, edits, &mut |id, bytes| edit.put_tree_node(id, &bytes))
                .map_err(AppError::from_edit)?;
        let commit = self.commit(tree, &notes);
        let id = edit.put_commit(&commit)?;
        if let Some(signature) = &signature {
            edit.put_commit_signature(session.repository.id(), id, signature)?;
        }
        for identity in &self.people {
            edit.put_person(identity.id, &identity.person)?;
        }
        let (branch, target) = (&session.state.branch, Some(RefTarget::plain(id)));
        set_reference(&mut edit, permit, branch, session.head, target)?;
        let mut note = JournalNote {
            verb: "commit",
            summary: format!("committed {} to {}: {}", id.short(), session.state.branch, commit.subject()),
            ..JournalNote::default()
        };
        let before = session.state_in(&edit)?;
        let mut after = before.clone();
        after.pending = still_pending;
        after.merge = None;
        unwritten::after_commit(&mut after.unwritten, &within, &left_alone);
        if before != after {
            edit.put_state(&after)?;
            note.state = Some(StateChange { before, after });
        }
        edit.record(note, clock.now())?;
        edit.commit()?;
        Ok((id, signature.map(|signature| signature.fingerprint()).or(signed_by)))
    }

    /// What is known of the descent of assets, with the aliases that the merge decided on.
    fn notes(&self, mut notes: Vec<AssetNote>) -> Vec<AssetNote> {
        let aliases = self.merge.iter().flat_map(|merge| &merge.aliases);
        notes.extend(aliases.map(|(asset, other)| AssetNote::AliasOf { asset: *asset, other: *other }));
        notes.sort_unstable();
        notes.dedup();
        notes
    }

    fn commit(&self, tree: TreeId, notes: &[AssetNote]) -> Commit {
        Commit {
            tree,
            parents: self.parents.clone(),
            author: self.author,
            committer: self.committer,
            message: self.message.clone(),
            notes: notes.to_vec(),
            extensions: Vec::new(),
        }
    }
}

impl AppError {
    /// Takes apart why a tree could not be edited.
    pub fn from_edit(error: crate::object::tree_edit::EditError<RepoError, RepoError>) -> Self {
        use crate::object::tree_edit::EditError;
        match error {
            EditError::Walk(error) => Self::Repo(error.into()),
            EditError::Emit(error) => Self::Repo(error),
            other => Self::Repo(RepoError::Structure { message: other.to_string() }),
        }
    }
}

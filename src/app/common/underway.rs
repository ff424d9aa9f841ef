//! Carries out a planned change of files: what restore, switch, merge, resolve, undo and sparse do.
//!
//! The order makes every stop harmless. First one transaction makes everything real that the change
//! rests on: the journal entry, the name under which what is replaced will be kept, and a note that
//! a change of files is under way. Then the files change, each whole. Then what an `undo` brings back
//! returns to its place. Then the note goes. A command that finds the note goes on where it stopped:
//! after a crash, after a request to stop, after the disk was full.

use crate::app::common::content::{CheckoutContent, StoredContent};
use crate::app::common::files_change::{FilesLine, prepare, targets_between, told};
use crate::app::common::known_files::KnownFiles;
use crate::app::common::problem::ProblemLine;
use crate::app::common::read_only::hold_back;
use crate::app::common::renaming::finish_renaming;
use crate::app::common::session::Session;
use crate::app::common::unsynced;
use crate::app::common::unwritten::Outcome;
use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::monitor::{Monitor, Phase, SilentMonitor};
use crate::base::path::AssetPath;
use crate::base::time::{Clock, Timestamp};
use crate::object::tree::Content;
use crate::object::tree_walk::entry_at;
use crate::repo::Edit;
use crate::repo::edit::JournalNote;
use crate::repo::journal::FilesChange;
use crate::repo::state::{Underway, WorktreeState};
use crate::worktree::WorktreeError;
use crate::worktree::checkout::{CheckoutPlan, LinkPolicy, Wanted, execute};
use crate::worktree::clock::FsClock;
use crate::worktree::displaced::{self, DisplacedSet, Displacer};
use crate::worktree::index::Fresh;
use crate::worktree::probe::{ContentProbe as _, HashProbe};
use crate::worktree::root::Worktree;
use crate::worktree::stat::{Node, NodeKind};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// Writes down that the files are about to change: the journal entry and the state that holds when
/// they have. Nothing is real before the edit is committed.
pub fn announce(
    edit: &mut Edit,
    mut note: JournalNote,
    mut state: WorktreeState,
    files: FilesChange,
    brings_back: Option<String>,
    now: Timestamp,
) -> Result<Underway, AppError> {
    let set_aside = displaced::new_set_id(now);
    note.displaced = Some(set_aside.clone());
    let sequence = edit.record(note, now)?;
    let underway = Underway {
        files,
        sequence,
        set_aside: Some(set_aside),
        brings_back,
        is_cleared: false,
        renaming: None,
    };
    state.underway = Some(underway.clone());
    edit.put_state(&state)?;
    Ok(underway)
}

/// What is to be done to the files.
pub struct Task {
    /// What to write and to remove.
    pub plan: CheckoutPlan,
    /// What comes back to its place after that.
    pub back: Option<DisplacedSet>,
    /// Files below folders that come back: written last, where the folder does not bring them.
    beneath: Vec<Wanted>,
}

impl From<CheckoutPlan> for Task {
    fn from(plan: CheckoutPlan) -> Self {
        Self { plan, back: None, beneath: Vec::new() }
    }
}

/// What was done to the files.
#[derive(Debug, Default)]
pub struct Performed {
    /// For reports.
    pub line: FilesLine,
    /// Files that were set aside and stand in their place again.
    pub brought_back: Vec<AssetPath>,
}

/// Does what was announced. `verb` names what is set aside.
pub fn perform(
    session: &mut Session<'_>,
    mut underway: Underway,
    task: &Task,
    verb: &str,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Performed, AppError> {
    let mut done = Performed::default();
    let (mut fresh, mut outcome) = (Vec::new(), Outcome::default());
    if !underway.is_cleared {
        let set = underway.set_aside.clone();
        let carried = carry_out(session, set, &task.plan, verb, clock, monitor)?;
        (done.line, fresh, outcome) = (carried.line, carried.fresh, carried.outcome);
    }
    if let (0, Some(set)) = (done.line.left, &task.back) {
        if !underway.is_cleared {
            underway.is_cleared = true;
            note_cleared(session, &underway)?;
        }
        bring_back(session, set, &mut done)?;
    }
    let lacking = if done.line.left == 0 { lacking(&session.worktree, &task.beneath) } else { Vec::new() };
    if !lacking.is_empty() {
        let known = KnownFiles::by_reading(session, &lacking, &|target| vec![target.content.clone()]);
        let plan = prepare(session, &lacking, &known, monitor)?;
        let more = carry_out(session, underway.set_aside.clone(), &plan, verb, clock, monitor)?;
        done.line.add(more.line);
        fresh.extend(more.fresh);
        outcome.add(more.outcome);
    }
    settle(session, &underway, outcome, &mut done.line, monitor)?;
    if done.line.left > 0 {
        // Whoever asked to stop wants to hear how far it came, and on a full disk nothing can be
        // remembered: then the files are read again.
        let _ = session.remember(fresh, &SilentMonitor);
    } else {
        session.remember(fresh, monitor)?;
    }
    Ok(done)
}

/// What a plan came to.
pub struct Carried {
    /// For reports.
    pub line: FilesLine,
    /// What to tell the index.
    pub fresh: Vec<Fresh>,
    /// What was not brought to its state.
    pub outcome: Outcome,
}

/// Changes the files by a plan, without any note: for what the next run of the same command would do
/// just the same. What makes room is set aside under the name `set`, or a new one.
pub fn carry_out(
    session: &Session<'_>,
    set: Option<String>,
    plan: &CheckoutPlan,
    verb: &str,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Carried, AppError> {
    // What the change rests on was stored a moment ago.
    let view = session.repository.view()?;
    let stored = StoredContent::new(session.repository, &view, monitor)?;
    let source = CheckoutContent(stored.extractor());
    let pent_dir = session.repository.pent_dir();
    let now = clock.now();
    let set = set.unwrap_or_else(|| displaced::new_set_id(now));
    let displacer = Displacer::in_set(pent_dir, set, verb, now);
    let fs_clock = FsClock::new(&session.state_dir());
    let worktree = &session.worktree;
    let mut done = execute(plan, worktree, &source, &displacer, LinkPolicy::Any, Some(&fs_clock), monitor)?;
    hold_back(session, &mut done.written)?;
    let outcome = Outcome::of(session, plan, &done);
    Ok(Carried { line: told(plan, &done, pent_dir, monitor)?, fresh: done.written, outcome })
}

/// From here on a stop must not make anyone clear the places again to which things come back.
fn note_cleared(session: &Session<'_>, underway: &Underway) -> Result<(), AppError> {
    let mut edit = session.repository.edit()?;
    let mut state = edit.state()?;
    state.underway = Some(underway.clone());
    edit.put_state(&state)?;
    Ok(edit.commit()?)
}

fn bring_back(session: &Session<'_>, set: &DisplacedSet, done: &mut Performed) -> Result<(), AppError> {
    let back = displaced::restore_all(session.repository.pent_dir(), set, &session.worktree)?;
    done.brought_back = back.paths;
    for (path, error) in back.failed {
        // Something has taken its place since: it stays where it is kept.
        let message = format!("{error}; what stood there stays set aside as {}", set.id);
        done.line.problems.push(ProblemLine { path, message });
    }
    Ok(())
}

/// The files that are to stand somewhere and where nothing stands.
fn lacking(worktree: &Worktree, wanted: &[Wanted]) -> Vec<Wanted> {
    let is_free = |target: &&Wanted| matches!(worktree.look(&target.path), Ok(None));
    wanted.iter().filter(is_free).cloned().collect()
}

/// Takes note that the files are as the state says, and of what was set aside on the way. While
/// something is left to do, the note stays that a change is under way.
fn settle(
    session: &Session<'_>,
    underway: &Underway,
    outcome: Outcome,
    line: &mut FilesLine,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    if line.left > 0 {
        return Ok(());
    }
    let pent_dir = session.repository.pent_dir();
    let kept = underway.set_aside.as_deref().filter(|id| displaced::exists(pent_dir, id));
    line.set_aside_as = kept.map(str::to_owned);
    let mut edit = session.repository.edit()?;
    let before = edit.state()?;
    let mut state = WorktreeState { underway: None, ..before.clone() };
    outcome.note(&session.repository.view()?, &mut state, underway)?;
    if line.written + line.removed > 0 {
        unsynced::note(session, &mut state, underway.files, monitor)?;
    }
    if state != before {
        edit.put_state(&state)?;
    }
    edit.correct_displaced(underway.sequence, kept)?;
    Ok(edit.commit()?)
}

/// Goes on with a change of files that was cut off. Whatever stands at the paths concerned and is
/// neither as it was before nor as it shall be is set aside with the rest.
///
/// # Errors
/// [`AppError::Unfinished`] when it could not be seen to its end this time either.
pub fn finish_interrupted(
    session: &mut Session<'_>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Option<FilesLine>, AppError> {
    let Some(underway) = session.state.underway.clone() else {
        unsynced::make_sure(session, clock, monitor)?;
        return Ok(None);
    };
    if underway.renaming.is_some() {
        finish_renaming(session, &underway, monitor)?;
        return Ok(None);
    }
    monitor.phase(Phase { name: "Finishing what was cut off", files_total: None, bytes_total: None });
    let back = set_to_bring_back(session, underway.brings_back.as_deref());
    let Targets { wanted, beneath, ways } =
        targets(session, (underway.files, session.base), back.as_ref(), monitor)?;
    let written = wanted.iter().chain(&beneath);
    let folders: BTreeSet<AssetPath> = written.filter_map(|target| target.path.parent()).collect();
    let task = if underway.is_cleared {
        // The folders that come back may have done so already: then what is below them is like the rest.
        let rest = wanted.into_iter().filter(|target| target.content.is_some());
        Task { plan: CheckoutPlan::default(), back, beneath: beneath.into_iter().chain(rest).collect() }
    } else {
        // What was written before the stop is there already.
        let there: Vec<bool> = wanted.par_iter().map(|target| is_there(&session.worktree, target)).collect();
        let open = wanted.into_iter().zip(there).filter(|(_, is_there)| !is_there);
        let wanted = open.map(|(target, _)| target).collect();
        task(session, underway.files, Targets { wanted, beneath, ways }, back, monitor)
            .map_err(|error| no_room(session, &underway, error))?
    };
    let done = perform(session, underway, &task, "recovery", clock, monitor)?;
    // Half-written files are of no use to anybody, and yet are kept for a while like all that goes.
    let leftovers = displaced::leftovers_in(&session.worktree, &folders);
    let displacer = Displacer::new(session.repository.pent_dir(), "leftovers", clock.now());
    displaced::sweep_leftovers(&session.worktree, &leftovers, &displacer)?;
    match done.line.left {
        0 => Ok(Some(done.line)),
        _ if monitor.is_cancelled() => Err(AppError::Cancelled),
        left => Err(AppError::Unfinished { left }),
    }
}

/// Says of a disk that is full that what was cut off stands, and what it is.
fn no_room(session: &Session<'_>, underway: &Underway, error: AppError) -> AppError {
    match error {
        AppError::Worktree(WorktreeError::DiskFull { needed, available }) => {
            let entry = session.view.journal_entry(underway.sequence).ok().flatten();
            let verb = entry.map_or_else(|| "change of files".to_owned(), |entry| entry.verb);
            AppError::NoRoomToFinish { verb, needed, available }
        }
        other => other,
    }
}

/// What lies under a name, when it is still there.
fn set_to_bring_back(session: &Session<'_>, id: Option<&str>) -> Option<DisplacedSet> {
    id.and_then(|id| displaced::find(session.repository.pent_dir(), id).ok())
}

/// Plans to come from one tree to another and to bring a set back. `ground` is what the files will be
/// compared with then.
pub fn plan_return(
    session: &Session<'_>,
    (files, ground): (FilesChange, TreeId),
    brings_back: Option<&str>,
    monitor: &dyn Monitor,
) -> Result<Task, AppError> {
    let back = set_to_bring_back(session, brings_back);
    let targets = targets(session, (files, ground), back.as_ref(), monitor)?;
    task(session, files, targets, back, monitor)
}

/// What is to be made true.
#[derive(Default)]
pub struct Targets {
    pub wanted: Vec<Wanted>,
    /// Files below folders that come back.
    beneath: Vec<Wanted>,
    /// Where something comes back to the place of a file: a folder that stands there makes way.
    ways: Vec<AssetPath>,
}

impl From<Vec<Wanted>> for Targets {
    fn from(wanted: Vec<Wanted>) -> Self {
        Self { wanted, ..Self::default() }
    }
}

fn targets(
    session: &Session<'_>,
    (files, ground): (FilesChange, TreeId),
    back: Option<&DisplacedSet>,
    monitor: &dyn Monitor,
) -> Result<Targets, AppError> {
    let coming = ComingBack::of(back);
    let all = targets_between(session, &session.view, files, ground, monitor)?;
    let (mut beneath, mut wanted): (Vec<Wanted>, Vec<Wanted>) =
        all.into_iter().partition(|target| coming.settles(target));
    beneath.retain(|target| target.content.is_some());
    let ways = beneath.iter().filter(|target| coming.is_file(&target.path));
    let ways = ways.map(|target| target.path.clone()).collect();
    beneath.retain(|target| coming.is_in_folder(target));
    // The place of what comes back is cleared like any other: what stands there may be new.
    wanted.extend(coming.places.keys().map(|path| Wanted { path: (*path).clone(), content: None }));
    Ok(Targets { wanted, beneath, ways })
}

/// Plans to make targets true, knowing what a command had put at their places before.
pub fn task(
    session: &Session<'_>,
    files: FilesChange,
    Targets { wanted, beneath, ways }: Targets,
    back: Option<DisplacedSet>,
    monitor: &dyn Monitor,
) -> Result<Task, AppError> {
    // Files that still are what the command had put there that is taken back or gone on with, or that
    // are as they shall be: replacing them loses nothing.
    let put = |path: &AssetPath| entry_at(&session.view, files.before, path).ok().flatten();
    let known = KnownFiles::by_reading(session, &wanted, &|target| {
        vec![put(&target.path).map(|entry| entry.content), target.content.clone()]
    });
    let plan = CheckoutPlan { ways, ..prepare(session, &wanted, &known, monitor)? };
    Ok(Task { plan, back, beneath })
}

/// Whether a target is true already, by reading the file.
pub fn is_there(worktree: &Worktree, target: &Wanted) -> bool {
    let found = worktree.look(&target.path).ok().flatten();
    match (&target.content, found) {
        (None, found) => found.is_none(),
        (Some(content), Some(node)) => is_content(worktree, &target.path, content, &node),
        (Some(_), None) => false,
    }
}

pub fn is_content(worktree: &Worktree, path: &AssetPath, content: &Content, node: &Node) -> bool {
    if !is_kind(content, node.kind) || content.size() != Some(node.stat.size) {
        return false;
    }
    let found = if node.kind == NodeKind::Symlink {
        worktree.read_link(path).ok().and_then(|target| HashProbe.probe_link(&target, path).ok())
    } else {
        worktree.open_file(path).ok().and_then(|file| HashProbe.probe(&file, path, false).ok())
    };
    found.is_some_and(|probed| content.file_id() == Some(probed.id))
}

/// Whether something on disk is of the kind of a content, down to whether it may be run.
fn is_kind(content: &Content, kind: NodeKind) -> bool {
    match (content, kind) {
        (Content::File { executable, .. }, NodeKind::File { executable: now }) => *executable == now,
        (Content::Symlink { .. }, NodeKind::Symlink) => true,
        _ => false,
    }
}

/// Places to which something comes back, and whether that is a folder.
struct ComingBack<'a> {
    places: HashMap<&'a AssetPath, bool>,
}

impl<'a> ComingBack<'a> {
    fn of(set: Option<&'a DisplacedSet>) -> Self {
        let items = set.into_iter().flat_map(|set| &set.items);
        Self { places: items.filter_map(|item| Some((item.path.as_ref()?, item.is_folder))).collect() }
    }

    /// Whether a file or link comes back to a path.
    fn is_file(&self, path: &AssetPath) -> bool {
        self.places.get(path) == Some(&false)
    }

    /// Whether what comes back settles what becomes of a target: it is that path, or a folder that
    /// brings what was in it, or no folder, so that nothing can stand below it.
    fn settles(&self, target: &Wanted) -> bool {
        self.places.contains_key(&target.path)
            || self.above(target).any(|is_folder| is_folder || target.content.is_some())
    }

    /// Whether all that comes back above a target is folders. What was a file of the repository may
    /// have gone before its folder was set aside, and does not come back with it.
    fn is_in_folder(&self, target: &Wanted) -> bool {
        !self.places.contains_key(&target.path) && self.above(target).all(|is_folder| is_folder)
    }

    /// What comes back above a target: whether each is a folder.
    fn above(&self, target: &Wanted) -> impl Iterator<Item = bool> {
        std::iter::successors(target.path.parent(), AssetPath::parent)
            .filter_map(|folder| self.places.get(&folder).copied())
    }
}

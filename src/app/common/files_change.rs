//! Brings the files of the worktree from one state to another: what restore, switch, merge, undo
//! and sparse have in common.
//!
//! It begins with a plan, so that what cannot be done is refused before anything is changed; see
//! `underway` for how the plan is carried out.

use crate::app::common::known_files::KnownFiles;
use crate::app::common::on_demand::{WantedFile, file_of, have_content};
use crate::app::common::problem::ProblemLine;
use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::id::{FileId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::diff::tree::{PathSet, compare_trees};
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::repo::holdings::Holdings;
use crate::repo::journal::FilesChange;
use crate::worktree::checkout::{Action, CheckoutPlan, CheckoutReport, PlanInput, Wanted, plan};
use crate::worktree::displaced;
use crate::worktree::seen::Seen;
use crate::worktree::stat::{Node, NodeKind};
use crate::worktree::status::SEEN_FILE;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// What a change of files did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FilesLine {
    /// Files and links that were written.
    pub written: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files and links that were removed.
    pub removed: u64,
    /// Files that were not committed and made room: they are kept.
    pub set_aside: Vec<AssetPath>,
    /// The name under which these are kept.
    pub set_aside_as: Option<String>,
    /// Files that were not written because their content is withheld from you.
    pub withheld: u64,
    /// Paths that were left as they are, each with its reason.
    pub problems: Vec<ProblemLine>,
    /// How many files it did not come to because it was stopped or the disk was full. The next
    /// command that changes files does them first.
    pub left: u64,
}

impl FilesLine {
    /// Adds what was done after it.
    pub fn add(&mut self, more: Self) {
        self.written += more.written;
        self.bytes += more.bytes;
        self.removed += more.removed;
        self.set_aside.extend(more.set_aside);
        self.set_aside_as = more.set_aside_as.or(self.set_aside_as.take());
        self.withheld += more.withheld;
        self.problems.extend(more.problems);
        self.left += more.left;
    }
}

/// What must be written and removed to come from one tree to another, as far as the worktree shows it.
///
/// What is hidden counts where it stands on disk all the same, brought back to be looked at or left since
/// it had uncommitted work: it goes along like anything else, or it would be taken for work of the next
/// branch. And where it is uncommitted work itself: differs from `ground`, the tree that the files are
/// compared with once they have changed.
pub fn targets_between<S: ObjectSource>(
    session: &Session<'_>,
    source: &S,
    files: FilesChange,
    ground: TreeId,
    monitor: &dyn Monitor,
) -> Result<Vec<Wanted>, AppError> {
    let mut targets = Vec::new();
    let mut hidden = Hidden::of(session, source, (ground, files), monitor)?;
    let FilesChange { before, after, beyond_shown } = files;
    compare_trees(source, before, after, &PathSet::everything(), monitor, &mut |difference| {
        let wanted = difference.after.as_ref().map(|value| value.content.clone());
        let is_folder = |content: &Content| content.is_directory();
        let only_folders = wanted.as_ref().is_none_or(is_folder)
            && difference.before.as_ref().is_none_or(|value| is_folder(&value.content));
        let same_bytes = match (&difference.before, &wanted) {
            (Some(before), Some(after)) => before.content == *after,
            _ => false,
        };
        let is_target = !only_folders && !same_bytes;
        if is_target && (beyond_shown || hidden.counts(&difference.path)) {
            let content = wanted.filter(|content| !content.is_directory());
            targets.push(Wanted { path: difference.path, content });
        }
        Ok(())
    })?;
    // What is known only by another system's hash may have been tied to its content.
    for target in &mut targets {
        if let Some(content) = target.content.take() {
            target.content = Some(session.view.at_hand(content)?);
        }
    }
    Ok(targets)
}

/// Which of the paths that the worktree does not show matter.
struct Hidden<'a> {
    session: &'a Session<'a>,
    /// Hidden paths that are uncommitted work.
    work: HashSet<AssetPath>,
    /// Whether folders that were asked for are there.
    folders: HashMap<AssetPath, bool>,
}

impl<'a> Hidden<'a> {
    fn of<S: ObjectSource>(
        session: &'a Session<'_>,
        source: &S,
        (ground, files): (TreeId, FilesChange),
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let mut work = HashSet::new();
        if session.state.sparse.is_some() && !files.beyond_shown {
            compare_trees(source, ground, files.after, &PathSet::everything(), monitor, &mut |difference| {
                if !session.state.shows(&difference.path) {
                    work.insert(difference.path);
                }
                Ok(())
            })?;
        }
        Ok(Self { session, work, folders: HashMap::new() })
    }

    /// Whether a path is shown, or hidden and of matter.
    fn counts(&mut self, path: &AssetPath) -> bool {
        self.session.state.shows(path)
            || self.work.contains(path)
            || (self.is_there(&path.parent().unwrap_or_default()) && self.stands(path))
    }

    /// Whether there is such a folder. Of a folder that is not there nothing is looked at.
    fn is_there(&mut self, folder: &AssetPath) -> bool {
        if folder.is_root() {
            return true;
        }
        if let Some(known) = self.folders.get(folder) {
            return *known;
        }
        let above = folder.parent().unwrap_or_default();
        let found =
            self.is_there(&above) && self.look(folder).is_some_and(|node| node.kind == NodeKind::Directory);
        self.folders.insert(folder.clone(), found);
        found
    }

    fn stands(&self, path: &AssetPath) -> bool {
        self.look(path).is_some_and(|node| node.kind != NodeKind::Directory)
    }

    fn look(&self, path: &AssetPath) -> Option<Node> {
        self.session.worktree.look(path).ok().flatten()
    }
}

/// Plans to make `targets` true and makes sure that there is room for it, and that the content is here.
pub fn prepare(
    session: &Session<'_>,
    targets: &[Wanted],
    known: &KnownFiles,
    monitor: &dyn Monitor,
) -> Result<CheckoutPlan, AppError> {
    prepare_with(session, targets, known, &HashSet::new(), monitor)
}

/// The same; the content of the files in `made` is staged and will be here when the plan is carried out.
pub fn prepare_with(
    session: &Session<'_>,
    targets: &[Wanted],
    known: &KnownFiles,
    made: &HashSet<FileId>,
    monitor: &dyn Monitor,
) -> Result<CheckoutPlan, AppError> {
    let seen = Seen::open(&session.state_dir().join(SEEN_FILE));
    let holdings = Holdings::of(session.repository, &session.view)?;
    // What cannot be looked up is not known to be there.
    let is_held = |id: FileId, size: u64| holdings.has(id, size).unwrap_or(false);
    let input = PlanInput {
        worktree: &session.worktree,
        index: session.index.as_ref(),
        seen: seen.as_ref(),
        stored: &|path, node| known.find(path, node, is_held),
        is_held: &is_held,
        wanted: targets,
    };
    let mut plan = plan(&input, monitor)?;
    leave_withheld(session, made, &mut plan)?;
    plan.check_space(&session.worktree)?;
    // What can be brought is brought now; what cannot is said before anything is changed.
    let wanted = written_by(&plan).filter(|(id, _)| !made.contains(id));
    have_content(session.repository, &session.view, wanted, monitor)?;
    Ok(plan)
}

/// Leaves out what is withheld from this clone and not here all the same.
fn leave_withheld(
    session: &Session<'_>,
    made: &HashSet<FileId>,
    plan: &mut CheckoutPlan,
) -> Result<(), AppError> {
    let withheld = session.view.withheld()?;
    if withheld.is_empty() {
        return Ok(());
    }
    let mut failed = None;
    plan.leave_out(&mut |path, content| {
        let Some((id, size)) = file_of(content).filter(|(id, _)| withheld.covers(path) && !made.contains(id))
        else {
            return false;
        };
        session.view.has_content(id, size).map_or_else(
            |error| {
                failed = Some(error);
                false
            },
            |is_here| !is_here,
        )
    });
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// The files whose content a plan writes.
pub fn written_by(plan: &CheckoutPlan) -> impl Iterator<Item = WantedFile> + '_ {
    plan.writes().filter_map(|step| match &step.action {
        Action::Write { content } => file_of(content),
        Action::Remove | Action::SetMode { .. } => None,
    })
}

/// What a checkout did, for reports; the monitor hears of the problems.
pub fn told(
    plan: &CheckoutPlan,
    done: &CheckoutReport,
    pent_dir: &Path,
    monitor: &dyn Monitor,
) -> Result<FilesLine, AppError> {
    let set_aside = match &done.displaced {
        Some(id) => displaced::find(pent_dir, id)?.items.into_iter().filter_map(|item| item.path).collect(),
        None => Vec::new(),
    };
    let mut problems = plan.problems();
    problems.extend(done.problems());
    problems.iter().for_each(|problem| monitor.problem(problem.clone()));
    Ok(FilesLine {
        written: done.written.len() as u64,
        bytes: done.bytes_written,
        removed: done.removed,
        set_aside,
        set_aside_as: done.displaced.clone(),
        withheld: plan.withheld.len() as u64,
        problems: problems.into_iter().map(ProblemLine::from).collect(),
        left: done.not_begun,
    })
}

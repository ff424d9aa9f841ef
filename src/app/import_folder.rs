//! `import folder`: makes commits of the versions that somebody kept by name. The plan comes first and
//! writes nothing.

use crate::app::common::files_change::{FilesLine, prepare, targets_between};
use crate::app::common::guard::is_protected;
use crate::app::common::known_files::KnownFiles;
use crate::app::common::problem::ProblemLine;
use crate::app::common::session::Session;
use crate::app::common::underway::{announce, finish_interrupted, perform};
use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::import::folder::pattern::Pattern;
use crate::import::folder::plan::Plan;
use crate::import::folder::run::{Made, check, run as carry_plan_out};
use crate::import::folder::scan::plan as make_plan;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::repo::edit::JournalNote;
use crate::repo::journal::FilesChange;
use crate::repo::people::Identity;
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::{RepoError, Repository};
use crate::worktree::probe::HashProbe;
use crate::worktree::status::Measure;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder with the versions.
    pub folder: PathBuf,
    /// The plan.
    pub plan: Plan,
    /// The branch that gets the commits; it must not have any. Without one the present branch, when
    /// it has no commits yet, else a draft with the folder's name.
    pub branch: Option<String>,
    /// Who imports.
    pub identity: Option<Identity>,
}

/// What was imported.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where from.
    pub folder: LocalPath,
    /// The branch.
    pub branch: RefName,
    /// Its newest commit; `None` when the plan changed nothing.
    pub commit: Option<CommitId>,
    /// Commits made.
    pub commits: u64,
    /// Files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, bytes that the repository did not have.
    pub bytes_new: u64,
    /// Bytes by which the repository's packs grew.
    pub bytes_stored: u64,
    /// Files that could not be taken, each with its reason.
    pub problems: Vec<ProblemLine>,
    /// What was done to the worktree's files.
    pub worktree: Option<FilesLine>,
}

/// Makes the plan for a folder. Writes nothing.
pub fn plan(folder: &Path, pattern: Option<&str>, monitor: &dyn Monitor) -> Result<Plan, AppError> {
    let pattern = pattern.map(Pattern::parse).transpose()?;
    Ok(make_plan(folder, pattern.as_ref(), monitor)?)
}

/// Reads a plan that was saved and perhaps edited.
pub fn read_plan(path: &Path) -> Result<Plan, AppError> {
    let bytes = std::fs::read(path).map_err(io("reading", path))?;
    // Editors on Windows write UTF-16, with a mark that says so.
    let text = match encoding_rs::Encoding::for_bom(&bytes) {
        Some((encoding, _)) => encoding.decode(&bytes).0.into_owned(),
        None => String::from_utf8(bytes).map_err(|error| {
            io("reading", path)(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
        })?,
    };
    Ok(Plan::parse(&text)?)
}

/// Looks whether everything is there that a plan names, as ordinary files and folders below the folder.
pub fn check_plan(folder: &Path, plan: &Plan) -> Result<(), AppError> {
    Ok(check(folder, plan)?)
}

/// Keeps a plan in a file that is not there yet.
pub fn save_plan(plan: &Plan, path: &Path) -> Result<(), AppError> {
    use std::io::Write as _;
    let mut file = std::fs::File::create_new(path).map_err(io("making", path))?;
    file.write_all(plan.to_text().as_bytes()).map_err(io("writing", path))
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> AppError + use<> {
    let path = path.to_owned();
    move |source| AppError::Io { action, path, source }
}

/// Carries a plan out.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let identity = options.identity.clone().ok_or(AppError::NoIdentity)?;
    let branch = branch_for(repository, options)?;
    let now = clock.now();
    let Made { staged, tip, commits, files, bytes, new_bytes, problems } =
        carry_plan_out(repository, &options.folder, &options.plan, &identity, now, monitor)?;
    let mut report = Report {
        folder: options.folder.as_path().into(),
        branch: branch.clone(),
        commit: tip,
        commits,
        files,
        bytes,
        bytes_new: new_bytes,
        bytes_stored: staged.totals().stored_bytes,
        problems: problems.into_iter().map(ProblemLine::from).collect(),
        worktree: None,
    };
    let mut edit = repository.edit()?;
    edit.publish(staged)?;
    edit.put_person(identity.id, &identity.person)?;
    // Until a name is moved nothing of it shows; content that nothing names does no harm.
    edit.commit()?;
    if let Some(tip) = tip {
        report.worktree = name(repository, &branch, tip, &report, clock, monitor)?;
    }
    Ok(report)
}

/// The branch that gets the commits.
fn branch_for(repository: &Repository, options: &Options) -> Result<RefName, AppError> {
    let view = repository.view()?;
    let branch = match &options.branch {
        Some(name) => RefName::branch(name)?,
        None if view.head()?.is_none() => view.branch()?.clone(),
        None => {
            let name = options.folder.file_name().map(|name| name.to_string_lossy().into_owned());
            let plain: String = name
                .unwrap_or_default()
                .chars()
                .map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '-' })
                .collect();
            RefName::draft(plain.trim_matches('-'))?
        }
    };
    // Said before anything is read.
    if is_protected(&view, &branch)? {
        return Err(RepoError::Protected { name: branch }.into());
    }
    match view.reference(&branch)? {
        Some(_) => Err(AppError::NameTaken { name: branch }),
        None => Ok(branch),
    }
}

/// Gives the newest commit its name; the files follow when the worktree is on that branch and empty.
fn name(
    repository: &Repository,
    branch: &RefName,
    tip: CommitId,
    report: &Report,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Option<FilesLine>, AppError> {
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    let tree = session.view.commit(tip)?.tree;
    let is_here = session.state.branch == *branch;
    let is_empty = is_here && session.status(&[], &HashProbe, Measure::Needed, monitor)?.changes.is_empty();
    let files = is_here.then(|| {
        let before = if is_empty { TreeNode::empty_id() } else { tree };
        FilesChange::between(before, tree)
    });
    // What cannot be done is refused while the name has not moved.
    let plan = match files {
        Some(files) => {
            let targets = targets_between(&session, &session.view, files, tree, monitor)?;
            Some(prepare(&session, &targets, &KnownFiles::default(), monitor)?)
        }
        None => None,
    };
    let mut edit = repository.edit()?;
    edit.set_reference(branch, None, Some(RefTarget::plain(tip)))?;
    let note = JournalNote {
        verb: "import folder",
        summary: format!("imported {} versions from {} to {branch}", report.commits, report.folder.display()),
        files,
        ..JournalNote::default()
    };
    let (Some(files), Some(plan)) = (files, plan) else {
        edit.record(note, clock.now())?;
        edit.commit()?;
        return Ok(None);
    };
    let state = session.state_in(&edit)?;
    let underway = announce(&mut edit, note, state, files, None, clock.now())?;
    edit.commit()?;
    let done = perform(&mut session, underway, &plan.into(), "import", clock, monitor)?;
    Ok(Some(done.line))
}

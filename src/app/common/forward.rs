//! Brings the branch that the worktree is on forward to a commit that has everything of it.

use crate::app::common::files_change::{FilesLine, prepare, targets_between};
use crate::app::common::guard::{Permit, recorded_at, set_reference};
use crate::app::common::known_files::KnownFiles;
use crate::app::common::probe::IngestProbe;
use crate::app::common::session::Session;
use crate::app::common::underway::{announce, perform};
use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::source::ObjectSource;
use crate::repo::edit::JournalNote;
use crate::repo::ingest::Ingester;
use crate::repo::journal::FilesChange;
use crate::repo::refs::RefTarget;
use crate::sync::accept::move_name;
use crate::trust::log_writer::LogWriter;
use crate::worktree::status::Measure;
use std::collections::HashSet;

/// Where the branch is to go.
pub struct Forward<'a> {
    /// The commit.
    pub to: CommitId,
    /// What it is called in the journal.
    pub name: &'a str,
    /// The verb that does it.
    pub verb: &'static str,
    /// Who can sign the move, should the branch be protected.
    pub writer: Option<LogWriter<'a>>,
}

impl Forward<'_> {
    /// Moves the branch and brings the files along. Uncommitted work in the way is refused.
    pub fn carry_out(
        &self,
        session: &mut Session<'_>,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<FilesLine, AppError> {
        let tree = session.view.commit(self.to)?.tree;
        let files = FilesChange::between(session.base, tree);
        let targets = targets_between(session, &session.view, files, tree, monitor)?;
        refuse_dirty(
            session,
            &targets.iter().map(|target| target.path.clone()).collect::<Vec<_>>(),
            monitor,
        )?;
        let plan = prepare(session, &targets, &KnownFiles::default(), monitor)?;
        let branch = session.state.branch.clone();
        let (repository, wish) = (session.repository, (&branch, session.head, self.to));
        let (view, now) = (&session.view, clock.now());
        let recorded = recorded_at(repository, view, &branch, self.to, now, monitor)?;
        let target = Some(RefTarget::plain(self.to));
        let mut edit = if let Some(recorded) = recorded {
            // The shared log says that the branch stands there: nobody has to be asked again.
            let mut edit = repository.edit()?;
            move_name(&mut edit, Some(&recorded), &branch, session.head, target)?;
            edit
        } else {
            let permit = Permit::for_commit(repository, view, wish, self.writer, now, monitor)?;
            let mut edit = repository.edit()?;
            set_reference(&mut edit, permit, &branch, session.head, target)?;
            edit
        };
        let state = session.state_in(&edit)?;
        let note = JournalNote {
            verb: self.verb,
            summary: format!("brought {branch} forward to {} ({})", self.name, self.to.short()),
            files: Some(files),
            ..JournalNote::default()
        };
        let underway = announce(&mut edit, note, state, files, None, clock.now())?;
        edit.commit()?;
        Ok(perform(session, underway, &plan.into(), self.verb, clock, monitor)?.line)
    }
}

/// Refuses to merge over uncommitted work.
pub fn refuse_dirty(
    session: &Session<'_>,
    touched: &[AssetPath],
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    if touched.is_empty() {
        return Ok(());
    }
    let parameters = session.repository.store().settings().chunker;
    let measuring = Ingester::measuring(&session.view, &parameters, monitor);
    let probe = IngestProbe::looking(measuring, Ingester::hashing(monitor));
    let status = session.status(touched, &probe, Measure::Needed, monitor)?;
    let touched: HashSet<&AssetPath> = touched.iter().collect();
    let pending = session.state.pending.metadata.keys().filter(|path| touched.contains(path));
    let mut paths: Vec<AssetPath> = status
        .changes
        .iter()
        .filter(|change| change.is_committable())
        .map(|change| change.path.clone())
        .chain(pending.cloned())
        .collect();
    paths.sort();
    paths.dedup();
    if paths.is_empty() { Ok(()) } else { Err(AppError::Uncommitted { paths }) }
}

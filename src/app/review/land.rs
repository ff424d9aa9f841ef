//! `land`: moves a branch by a submission.
//!
//! What lands is exactly what was submitted: the difference between the branch as it stands and the
//! state that would land must be the submitted transitions, with their befores unchanged. On a
//! protected branch the policy is asked; elsewhere whoever lands decides.

use crate::app::common::describe::CommitLine;
use crate::app::common::files_change::{FilesLine, prepare, targets_between};
use crate::app::common::forward::refuse_dirty;
use crate::app::common::guard::{Permit, Wish, set_reference};
use crate::app::common::known_files::KnownFiles;
use crate::app::common::on_demand::have_content;
use crate::app::common::session::Session;
use crate::app::common::signing::sign_commit;
use crate::app::common::underway::{announce, finish_interrupted, perform};
use crate::app::error::AppError;
use crate::app::review::act::{Acting, Actor};
use crate::app::review::candidate::Candidate;
use crate::app::review::counting::Counting;
use crate::app::review::describe::{SubmissionLine, line_of};
use crate::app::review::log::{Reading, ReviewLog, draft_of};
use crate::app::review::prospect::Prospect;
use crate::app::review::submit::refuse_breaches;
use crate::app::review::verdict::draft_went_on;
use crate::base::id::{ActionId, CommitId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::{Clock, Timestamp};
use crate::object::action::{Audience, Deed};
use crate::object::commit::{Commit, Signature};
use crate::object::transition::{Transition, TransitionList};
use crate::repo::edit::JournalNote;
use crate::repo::journal::FilesChange;
use crate::repo::refs::RefTarget;
use crate::repo::{Repository, View};
use crate::trust::log_writer::LogWriter;
use serde::Serialize;

/// Under which name the commit of a landing says which submission it consumed.
pub const SUBMISSION_FIELD: &str = "submission";

/// What to land.
#[derive(Debug, Clone)]
pub struct Options {
    /// The submission, by its draft or the beginning of its id; the only open one when `None`.
    pub submission: Option<String>,
    /// What the landing's commit says; "Land DRAFT" when `None`.
    pub message: Option<String>,
    /// Whether the landing's commit is signed, beside the entry that records the move.
    pub sign: bool,
    /// Only say whether it could land.
    pub dry_run: bool,
}

/// How it went.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The submission.
    pub submission: SubmissionLine,
    /// The commit by which the branch has it; `None` for a dry run.
    pub commit: Option<CommitLine>,
    /// Whether a policy was asked.
    pub protected: bool,
    /// The newest actions of the review log when it was judged.
    pub heads: Vec<ActionId>,
    /// Whether the draft has work that was not submitted; it stays there.
    pub draft_went_on: bool,
    /// What was done to the files.
    pub files: FilesLine,
}

/// Lands a submission.
pub fn run(acting: &Acting<'_>, options: &Options) -> Result<Report, AppError> {
    let Acting { repository, actor, clock, monitor, .. } = *acting;
    monitor.phase(Phase { name: "Landing", files_total: None, bytes_total: None });
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    repository.settle_outlines(Audience::Team)?;
    let reading = acting.read()?;
    let Reading { view, log } = &reading;
    let submission = log.find(view, options.submission.as_deref())?;
    let lists = log.lists(view, submission)?;
    let candidate = Candidate::of(view, log, submission, &lists)?;
    let mut prospect = candidate.prospect(repository, monitor)?;
    candidate.refuse_other(&prospect, &lists)?;
    bring_content(acting, view, &prospect.list)?;
    // The branch may have got another schema since it was submitted.
    refuse_breaches(acting, &prospect, draft_of(submission), &candidate.branch)?;
    let message = options.message.clone().unwrap_or_else(|| format!("Land {}", draft_of(submission)));
    let job = Job { candidate, log, actor, message, sign: options.sign };
    let commit = job.commit(&prospect, clock);
    let permit = job.permit(repository, view, &prospect, commit.id(), clock.now(), monitor)?;
    let protected = permit.is_some();
    let went_on = draft_went_on(view, submission)?;
    let files = if options.dry_run {
        FilesLine::default()
    } else {
        job.carry_out(&mut session, &mut prospect, &commit, permit, clock, monitor)?
    };
    let after = acting.read_after(&reading)?;
    let (submission, lists) = after.again(submission.id)?;
    let mut describer = after.log.describer(&after.view)?;
    let counting = Counting::of(repository, &after.view, clock.now(), monitor)?;
    let counted = counting.counted(&after.log, submission, &lists)?;
    Ok(Report {
        submission: line_of(&after, (submission, &lists), &counted, &mut describer)?,
        commit: if options.dry_run { None } else { Some(describer.commit(commit.id(), &commit)?) },
        protected,
        heads: job.candidate.heads,
        draft_went_on: went_on,
        files,
    })
}

/// What lands is content that was checked, and no claim: brings what is not here. What is withheld from whoever lands
/// nobody gives them; for that others vouch, who approved it.
fn bring_content(acting: &Acting<'_>, view: &View, list: &TransitionList) -> Result<(), AppError> {
    let withheld = view.withheld()?;
    let after = list.as_slice().iter().filter_map(|transition| transition.after.as_ref());
    let seen = after.filter(|placed| !withheld.covers(&placed.path));
    let files = seen.filter_map(|placed| placed.content.file().zip(placed.content.size()));
    have_content(acting.repository, view, files, acting.monitor).map(drop)
}

struct Job<'a> {
    candidate: Candidate<'a>,
    log: &'a ReviewLog,
    actor: Actor<'a>,
    message: String,
    sign: bool,
}

impl Job<'_> {
    fn commit(&self, prospect: &Prospect<'_>, clock: &dyn Clock) -> Commit {
        let person = Signature { person: self.actor.identity.id, time: clock.now() };
        Commit {
            tree: prospect.tree,
            parents: vec![self.candidate.tip, self.candidate.round.proposal.head],
            author: person,
            committer: person,
            message: self.message.clone(),
            notes: prospect.merge.notes.clone(),
            extensions: vec![(SUBMISSION_FIELD.to_owned(), self.candidate.submission.id.as_bytes().to_vec())],
        }
    }

    /// Asks the policy, where one protects the branch.
    fn permit(
        &self,
        repository: &Repository,
        view: &View,
        prospect: &Prospect<'_>,
        to: CommitId,
        now: Timestamp,
        monitor: &dyn Monitor,
    ) -> Result<Option<Permit>, AppError> {
        let candidate = &self.candidate;
        let Some(evidence) = candidate.evidence(repository, prospect, now, monitor)? else {
            return Ok(None);
        };
        let wish = Wish {
            name: &candidate.branch,
            from: Some(candidate.tip),
            to: Some(to),
            evidence,
            brings: Vec::new(),
            makes: true,
            landing: Some((candidate.submission.id, candidate.heads.clone())),
        };
        Permit::ask(repository, view, wish, Some(self.writer()), now, monitor).map(Some)
    }

    fn writer(&self) -> LogWriter<'_> {
        LogWriter { person: self.actor.identity.id, signer: self.actor.signer }
    }

    /// One transaction for everything that the landing is; then the files, if the branch is the
    /// worktree's.
    fn carry_out(
        &self,
        session: &mut Session<'_>,
        prospect: &mut Prospect<'_>,
        commit: &Commit,
        permit: Option<Permit>,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<FilesLine, AppError> {
        let is_here = session.state.branch == self.candidate.branch;
        let files = FilesChange::between(prospect.before, prospect.tree);
        // What cannot be done is refused while nothing has changed.
        let plan = if is_here {
            refuse_in_the_way(session, prospect, monitor)?;
            let targets = targets_between(session, &*prospect, files, prospect.tree, monitor)?;
            Some(prepare(session, &targets, &KnownFiles::default(), monitor)?)
        } else {
            None
        };
        let (repository, id) = (session.repository, commit.id());
        let branch = self.candidate.branch.name().to_owned();
        let deed = Deed::Land { submission: self.candidate.submission.id, branch, commit: id };
        let signed = self.actor.sign(repository.id(), self.log, deed, "", clock)?;
        // Where a rule of the branch asks for it, the commit is signed already.
        let is_signed = permit.as_ref().is_some_and(|permit| permit.signed_by().is_some());
        let wanted =
            (self.sign && !is_signed).then(|| sign_commit(self.writer(), repository.id(), id, clock.now()));
        let signature = wanted.transpose()?;
        let mut edit = repository.edit()?;
        prospect.keep(&mut edit)?;
        edit.put_commit(commit)?;
        if let Some(signature) = &signature {
            edit.put_commit_signature(repository.id(), id, signature)?;
        }
        signed.keep(&mut edit, self.actor.identity, &[])?;
        set_reference(
            &mut edit,
            permit,
            &self.candidate.branch,
            Some(self.candidate.tip),
            Some(RefTarget::plain(id)),
        )?;
        let (draft, branch) = self.candidate.names();
        let note = JournalNote {
            verb: "land",
            summary: format!("landed {draft} on {branch} as {}", id.short()),
            files: is_here.then_some(files),
            ..JournalNote::default()
        };
        let Some(plan) = plan else {
            edit.record(note, clock.now())?;
            edit.commit()?;
            return Ok(FilesLine::default());
        };
        let state = session.state_in(&edit)?;
        let underway = announce(&mut edit, note, state, files, None, clock.now())?;
        edit.commit()?;
        Ok(perform(session, underway, &plan.into(), "land", clock, monitor)?.line)
    }
}

/// Refuses to land over a merge under way or uncommitted work.
fn refuse_in_the_way(
    session: &Session<'_>,
    prospect: &Prospect<'_>,
    monitor: &dyn Monitor,
) -> Result<(), AppError> {
    if let Some(merge) = &session.state.merge {
        return Err(AppError::MergeUnderWay { name: merge.name.clone() });
    }
    let touched = prospect.list.as_slice().iter().flat_map(Transition::paths);
    let mut touched: Vec<AssetPath> = touched.cloned().collect();
    touched.sort();
    touched.dedup();
    refuse_dirty(session, &touched, monitor)
}

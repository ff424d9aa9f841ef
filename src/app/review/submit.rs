//! `submit`: asks for the work of a draft to land on a branch, and begins the next round when it asked
//! before.

use crate::app::common::guard::verified_log;
use crate::app::common::schema;
use crate::app::draft::find_branch;
use crate::app::error::AppError;
use crate::app::review::act::{Acting, Actor};
use crate::app::review::counting::Counting;
use crate::app::review::describe::{AssetLine, SubmissionLine, asset_lines, line_of};
use crate::app::review::error::ReviewError;
use crate::app::review::log::{Reading, ReviewLog, Standing, draft_of};
use crate::app::review::prospect::Prospect;
use crate::base::id::{ActionId, CommitId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::object::action::{Deed, ListRef, Proposal};
use crate::repo::View;
use crate::repo::edit::JournalNote;
use crate::repo::history::is_ancestor;
use crate::repo::refs::RefName;
use crate::review::submission::Submission;
use serde::Serialize;

/// What to submit.
#[derive(Debug, Clone)]
pub struct Options {
    /// The draft; the branch that the worktree is on when `None`.
    pub draft: Option<String>,
    /// The branch to land on.
    pub branch: String,
    /// Whom to ask, by handle or name.
    pub reviewers: Vec<String>,
    /// What it is about.
    pub message: String,
}

/// What was submitted.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The submission.
    pub submission: SubmissionLine,
    /// What would change.
    pub assets: Vec<AssetLine>,
    /// Approvals of the round before that still hold, by asset.
    pub kept: u64,
    /// Assets whose approvals the new round voids.
    pub voided: u64,
}

/// Submits.
pub fn run(acting: &Acting<'_>, options: &Options) -> Result<Report, AppError> {
    let Acting { repository, actor, clock, monitor, .. } = *acting;
    monitor.phase(Phase { name: "Comparing", files_total: None, bytes_total: None });
    let reading = acting.read()?;
    let Reading { view, log } = &reading;
    let (draft, branch) = names(view, options)?;
    let (base, head) = tips(view, &draft, &branch)?;
    let prospect = Prospect::of(repository, view, base, head, monitor)?;
    refuse_unseen(&prospect, &draft, &branch)?;
    refuse_breaches(acting, &prospect, draft.name(), &branch)?;
    refuse_unknown(acting, &options.reviewers)?;
    let before = open_of(view, log, actor, &draft, &branch)?;
    let list = ListRef::of(&prospect.list);
    if let Some(round) = before.and_then(Submission::current)
        && round.proposal.list == list
        && round.proposal.head == head
        && (options.reviewers.is_empty() || options.reviewers == round.proposal.reviewers)
    {
        return Err(ReviewError::NothingNew { draft: draft.name().to_owned() }.into());
    }
    let reviewers = match before.and_then(Submission::current) {
        Some(round) if options.reviewers.is_empty() => round.proposal.reviewers.clone(),
        _ => options.reviewers.clone(),
    };
    let (branch, draft) = (branch.name().to_owned(), draft.name().to_owned());
    let proposal = Proposal { branch: branch.clone(), draft: draft.clone(), base, head, list, reviewers };
    let deed = match before {
        Some(submission) => Deed::Update { submission: submission.id, proposal },
        None => Deed::Submit(proposal),
    };
    let signed = actor.sign(repository.id(), log, deed, &options.message, clock)?;
    let mut edit = repository.edit()?;
    prospect.keep_metadata(&mut edit)?;
    let action = signed.keep(&mut edit, actor.identity, &[&prospect.list])?;
    let id = before.map_or(action, |submission| submission.id);
    let summary = format!("submitted {draft} to {branch}");
    edit.record(JournalNote { verb: "submit", summary, ..JournalNote::default() }, clock.now())?;
    edit.commit()?;
    report(acting, &reading, id)
}

fn report(acting: &Acting<'_>, before: &Reading, id: ActionId) -> Result<Report, AppError> {
    let after = acting.read_after(before)?;
    let (submission, lists) = after.again(id)?;
    let mut describer = after.log.describer(&after.view)?;
    let Acting { repository, clock, monitor, .. } = *acting;
    let counting = Counting::of(repository, &after.view, clock.now(), monitor)?;
    let counted = counting.counted(&after.log, submission, &lists)?;
    let subject = (submission, &lists);
    let assets = asset_lines(repository, &after.view, subject, &counted, &mut describer, monitor)?;
    let kept = assets.iter().filter(|asset| !asset.approved_by.is_empty()).count() as u64;
    let voided = assets.iter().filter(|asset| !asset.changed_since.is_empty()).count() as u64;
    let submission = line_of(&after, subject, &counted, &mut describer)?;
    Ok(Report { submission, assets, kept, voided })
}

fn names(view: &View, options: &Options) -> Result<(RefName, RefName), AppError> {
    let draft = match &options.draft {
        Some(name) => find_branch(view, name)?,
        None => view.branch()?.clone(),
    };
    let branch = find_branch(view, &options.branch)?;
    if draft == branch {
        return Err(ReviewError::SameBranch { branch: branch.name().to_owned() }.into());
    }
    Ok((draft, branch))
}

/// The newest commits of a branch and of a draft that has something which the branch has not.
pub fn tips(view: &View, draft: &RefName, branch: &RefName) -> Result<(CommitId, CommitId), AppError> {
    let tip = |name: &RefName| -> Result<CommitId, AppError> {
        let unknown = || AppError::NameUnknown { kind: "branch or draft", name: name.name().to_owned() };
        Ok(view.reference(name)?.ok_or_else(unknown)?.commit)
    };
    let (base, head) = (tip(branch)?, tip(draft)?);
    if is_ancestor(view, head, base)? {
        let (draft, branch) = (draft.name().to_owned(), branch.name().to_owned());
        return Err(ReviewError::NothingToSubmit { draft, branch }.into());
    }
    Ok((base, head))
}

/// Refuses what cannot be judged: conflicts, and texts that would come together unseen.
fn refuse_unseen(prospect: &Prospect<'_>, draft: &RefName, branch: &RefName) -> Result<(), AppError> {
    let (draft, branch) = (draft.name().to_owned(), branch.name().to_owned());
    let merge = &prospect.merge;
    if !merge.conflicts.is_empty() {
        let mut paths: Vec<AssetPath> =
            merge.conflicts.iter().map(|conflict| conflict.path.clone()).collect();
        paths.dedup();
        return Err(ReviewError::BothChanged { draft, branch, paths }.into());
    }
    if !merge.texts_merged.is_empty() {
        return Err(ReviewError::Unseen { draft, branch, paths: merge.texts_merged.clone() }.into());
    }
    if prospect.list.is_empty() {
        return Err(ReviewError::NothingToSubmit { draft, branch }.into());
    }
    Ok(())
}

/// Refuses to ask people whom nobody knows: a mistyped name would wait for ever. Where there is no policy, people are
/// called as whoever submits calls them.
fn refuse_unknown(acting: &Acting<'_>, reviewers: &[String]) -> Result<(), AppError> {
    let log =
        verified_log(acting.repository, &acting.repository.view()?, acting.clock.now(), acting.monitor)?;
    let Some(in_force) = log.in_force() else { return Ok(()) };
    let policy = &in_force.policy;
    let is_known = |asked: &str| {
        let person = policy.people.iter().any(|(handle, member)| {
            let name = member.name.as_deref().unwrap_or_default();
            handle.as_str() == asked || name.to_lowercase() == asked.to_lowercase()
        });
        person || policy.roles.keys().any(|role| role.as_str() == asked)
    };
    match reviewers.iter().find(|asked| !is_known(asked)) {
        Some(name) => Err(ReviewError::UnknownReviewer { name: name.clone() }.into()),
        None => Ok(()),
    }
}

/// Refuses what does not fit the schema of the branch, where its policy asks for that: by what is in the files,
/// whatever they are called.
pub(super) fn refuse_breaches(
    acting: &Acting<'_>,
    prospect: &Prospect<'_>,
    draft: &str,
    branch: &RefName,
) -> Result<(), AppError> {
    let Acting { repository, clock, monitor, .. } = *acting;
    let view = repository.view()?;
    let log = verified_log(repository, &view, clock.now(), monitor)?;
    let Some(in_force) = log.in_force() else { return Ok(()) };
    let rules: Vec<_> = in_force.policy.branch_rules(branch.name()).filter(|(rule, _)| rule.schema).collect();
    if rules.is_empty() {
        return Ok(());
    }
    let before = schema::in_tree(repository, &view, prospect.before, monitor);
    // Nobody could submit anything any more to a branch whose schema cannot be read, so none gets there.
    let after = schema::in_tree_of(repository, (&view, prospect), prospect.tree, monitor)?;
    let schema = match before {
        // One that is there all the same is mended by whoever brings one that can be read.
        Err(AppError::Schema(_)) => after,
        before => before?,
    };
    let Some(schema) = schema else { return Ok(()) };
    let after = prospect.list.as_slice().iter().filter_map(|transition| transition.after.as_ref());
    let paths = after.map(|placed| &placed.path);
    let covered = paths.filter(|path| rules.iter().any(|(_, paths)| paths.matches_path(path)));
    let reading: (&_, &_, &dyn Monitor) = (repository, &view, monitor);
    let breaches = schema::breaches_by_content(reading, prospect, &schema, prospect.tree, covered)?;
    if breaches.is_empty() {
        return Ok(());
    }
    let (draft, branch) = (draft.to_owned(), branch.name().to_owned());
    Err(ReviewError::Breaches { draft, branch, breaches }.into())
}

/// The open submission of this draft to this branch by this person.
fn open_of<'l>(
    view: &View,
    log: &'l ReviewLog,
    actor: Actor<'_>,
    draft: &RefName,
    branch: &RefName,
) -> Result<Option<&'l Submission>, AppError> {
    for submission in log.state.submissions.values() {
        let fits = submission.by == actor.identity.id
            && submission.branch() == branch.name()
            && draft_of(submission) == draft.name();
        if fits && log.standing(view, submission)? == Standing::Open {
            return Ok(Some(submission));
        }
    }
    Ok(None)
}

//! `review`: which submissions there are, and where one stands and what it waits for, from whom.

use crate::app::common::describe::TimeLine;
use crate::app::error::AppError;
use crate::app::review::candidate::Candidate;
use crate::app::review::comment::CommentLine;
use crate::app::review::counting::Counting;
use crate::app::review::describe::{
    AssetLine, StateLine, SubmissionLine, VerdictLine, Words, asset_lines, line_of,
};
use crate::app::review::log::{Lists, Reading, ReviewLog};
use crate::app::review::verdict::draft_went_on;
use crate::base::id::{ActionId, CommitId};
use crate::base::monitor::Monitor;
use crate::base::time::{Clock, Timestamp};
use crate::repo::{Repository, View};
use crate::review::fold::Keys;
use crate::review::submission::Submission;
use crate::rules::approval::Missing;
use serde::Serialize;
use std::collections::BTreeSet;

/// All submissions.
#[derive(Debug, Clone, Serialize)]
pub struct ListReport {
    /// Those that wait, the oldest first; then, when all were asked for, those that are over.
    pub submissions: Vec<ListLine>,
}

/// One submission of the list.
#[derive(Debug, Clone, Serialize)]
pub struct ListLine {
    /// The submission.
    #[serde(flatten)]
    pub submission: SubmissionLine,
    /// What it waits for.
    pub waiting: Waiting,
}

/// What a submission waits for.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Waiting {
    /// Whether it can land.
    pub ready: bool,
    /// What is missing, each thing a sentence without its full stop.
    pub missing: Vec<String>,
    /// Who could give it, by handle or name.
    pub from: Vec<String>,
}

/// One submission.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The submission.
    pub submission: SubmissionLine,
    /// What it waits for.
    pub waiting: Waiting,
    /// Its rounds.
    pub rounds: Vec<RoundLine>,
    /// What it changes, asset by asset.
    pub assets: Vec<AssetLine>,
    /// Everything that was said for and against it.
    pub verdicts: Vec<VerdictLine>,
    /// What was said besides.
    pub comments: Vec<CommentLine>,
    /// Whether the draft has work that was not submitted.
    pub draft_went_on: bool,
    /// Actions about it that are missing here.
    pub gaps: Vec<ActionId>,
    /// Actions of the log that do nothing, with the reason.
    pub refused: Vec<RefusedLine>,
}

/// One round of a submission.
#[derive(Debug, Clone, Serialize)]
pub struct RoundLine {
    /// The action that began it.
    pub action: ActionId,
    /// When.
    pub time: TimeLine,
    /// The draft's newest commit.
    pub head: CommitId,
    /// How many assets it changes.
    pub assets: u64,
    /// What was said with it.
    pub words: Words,
}

/// An action that does nothing.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedLine {
    /// The action.
    pub action: ActionId,
    /// Why.
    pub reason: String,
}

/// Lists submissions: those that wait, or all.
pub fn list(
    repository: &Repository,
    all: bool,
    keys: &dyn Keys,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<ListReport, AppError> {
    let reading = Reading::of(repository, keys, monitor)?;
    let Reading { view, log } = &reading;
    let mut describer = log.describer(view)?;
    let counting = Counting::of(repository, view, clock.now(), monitor)?;
    let mut submissions = Vec::new();
    for submission in log.state.submissions.values() {
        let open = log.standing(view, submission)?.over().is_none();
        if !open && !all {
            continue;
        }
        let lists = log.lists(view, submission)?;
        let waiting = if open {
            waiting(repository, view, log, submission, &lists, clock.now(), monitor)?
        } else {
            Waiting::default()
        };
        let counted = counting.counted(log, submission, &lists)?;
        let submission = line_of(&reading, (submission, &lists), &counted, &mut describer)?;
        submissions.push(ListLine { submission, waiting });
    }
    submissions.sort_by_key(|line| (line.submission.state != StateLine::Open, line.submission.time.unix_ms));
    Ok(ListReport { submissions })
}

/// Tells everything about one submission.
pub fn one(
    repository: &Repository,
    name: &str,
    keys: &dyn Keys,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let reading = Reading::of(repository, keys, monitor)?;
    let Reading { view, log } = &reading;
    let submission = log.find(view, Some(name))?;
    let lists = log.lists(view, submission)?;
    let mut describer = log.describer(view)?;
    let rounds = submission.rounds.iter().map(|round| {
        Ok(RoundLine {
            action: round.action,
            time: round.time.into(),
            head: round.proposal.head,
            assets: round.proposal.list.count,
            words: Words::of(view, round.body, submission.by)?,
        })
    });
    let rounds = rounds.collect::<Result<_, AppError>>()?;
    let counting = Counting::of(repository, view, clock.now(), monitor)?;
    let counted = counting.counted(log, submission, &lists)?;
    let verdicts = submission.verdicts.iter();
    let verdicts = verdicts.map(|given| VerdictLine::of(view, given, &counted, &mut describer));
    let verdicts = verdicts.collect::<Result<_, AppError>>()?;
    let comments = submission.comments.iter().map(|said| CommentLine::of(view, said, &mut describer));
    let comments = comments.collect::<Result<_, AppError>>()?;
    let waiting = if log.standing(view, submission)?.over().is_none() {
        waiting(repository, view, log, submission, &lists, clock.now(), monitor)?
    } else {
        Waiting::default()
    };
    Ok(Report {
        submission: line_of(&reading, (submission, &lists), &counted, &mut describer)?,
        waiting,
        rounds,
        assets: asset_lines(repository, view, (submission, &lists), &counted, &mut describer, monitor)?,
        verdicts,
        comments,
        draft_went_on: draft_went_on(view, submission)?,
        gaps: submission.gaps.iter().copied().collect(),
        refused: refused(log),
    })
}

fn refused(log: &ReviewLog) -> Vec<RefusedLine> {
    let folded = log.state.refused.iter().map(|(action, reason)| (*action, reason.to_string()));
    let spoilt = log.spoilt.iter().map(|spoilt| (spoilt.id, spoilt.reason.clone()));
    folded.chain(spoilt).map(|(action, reason)| RefusedLine { action, reason }).collect()
}

/// What an open submission waits for. Where the policy asks for nothing more, whoever was asked and
/// has not answered is named all the same: one decides oneself whether to wait.
fn waiting(
    repository: &Repository,
    view: &View,
    log: &ReviewLog,
    submission: &Submission,
    lists: &Lists,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<Waiting, AppError> {
    let judged = Candidate::of(view, log, submission, lists).and_then(|candidate| {
        let prospect = candidate.prospect(repository, monitor)?;
        candidate.refuse_other(&prospect, lists)?;
        candidate.missing(repository, &prospect, now, monitor)
    });
    match judged {
        Ok(missing) => Ok(Waiting {
            ready: missing.is_empty(),
            from: people(&missing),
            missing: missing.iter().map(ToString::to_string).collect(),
        }),
        // What keeps it from landing, whatever the policy says.
        Err(AppError::Review(error)) => {
            Ok(Waiting { ready: false, missing: vec![error.to_string()], from: Vec::new() })
        }
        Err(error) => Err(error),
    }
}

fn people(missing: &[Missing]) -> Vec<String> {
    let mut people: BTreeSet<String> = BTreeSet::new();
    for missing in missing {
        match missing {
            Missing::Approvals { could, .. } => people.extend(could.iter().map(ToString::to_string)),
            Missing::Objection { by, .. } => {
                people.insert(by.to_string());
            }
            _ => {}
        }
    }
    people.into_iter().collect()
}

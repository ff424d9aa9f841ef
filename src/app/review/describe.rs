//! Submissions in the form in which reports show them.

use crate::app::common::content::StoredContent;
use crate::app::common::describe::{Describer, PersonLine, TimeLine};
use crate::app::diff::access::StoredAccess;
use crate::app::error::AppError;
use crate::app::review::counting::{Counted, NOT_ASKED};
use crate::app::review::log::{Lists, Reading, Standing, draft_of};
use crate::base::id::{ActionId, AssetId, BodyId, CommitId, FileId, MetadataId, PersonId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::diff::bytes::diff_bytes;
use crate::diff::model::ContentAccess as _;
use crate::object::approval::{Approval, Judgement, MetadataRule, TransitionIds};
use crate::object::signature::Verified;
use crate::object::transition::{Held, Placed, Transition, TransitionList};
use crate::repo::review_log::BodyState;
use crate::repo::{Repository, View};
use crate::review::submission::{Given, Submission};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Words that came with an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// The words; `None` when they are not here.
    pub text: Option<String>,
    /// Whether they were erased.
    pub erased: bool,
}

impl Words {
    /// Reads the words with this id, as far as they are those of whoever is said to have spoken them.
    pub fn of(view: &View, id: BodyId, by: PersonId) -> Result<Self, AppError> {
        Ok(match view.review_body(id)? {
            BodyState::Here(body) if body.actor == by => Self { text: Some(body.text), erased: false },
            BodyState::Erased => Self { text: None, erased: true },
            BodyState::Here(_) | BodyState::Missing => Self { text: None, erased: false },
        })
    }
}

/// Where a submission stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateLine {
    /// It waits.
    Open,
    /// It was taken back.
    Withdrawn,
    /// It landed.
    Landed,
}

/// A submission as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct SubmissionLine {
    /// Its id.
    pub id: ActionId,
    /// The draft.
    pub draft: String,
    /// The branch that it is to land on.
    pub branch: String,
    /// Who asks.
    pub by: PersonLine,
    /// When they asked first.
    pub time: TimeLine,
    /// How many rounds there were.
    pub round: u64,
    /// When the last began.
    pub round_time: TimeLine,
    /// What was said with the last.
    pub words: Words,
    /// Whom they ask.
    pub reviewers: Vec<String>,
    /// Where it stands.
    pub state: StateLine,
    /// The commit by which the branch has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landed: Option<CommitId>,
    /// How many assets it changes.
    pub assets: u64,
    /// Of these, how many somebody approves and nobody objects to.
    pub approved: u64,
    /// Of these, how many somebody objects to.
    pub objected: u64,
}

/// One asset of a submission.
#[derive(Debug, Clone, Serialize)]
pub struct AssetLine {
    /// Where it stands after, or stood when it is removed.
    pub path: AssetPath,
    /// Where it stood, when it moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<AssetPath>,
    /// Which asset.
    pub asset: Option<AssetId>,
    /// What happens.
    pub kinds: Vec<&'static str>,
    /// The file after.
    pub file: Option<FileId>,
    /// Its length in bytes.
    pub bytes: Option<u64>,
    /// Who approves, so that it counts.
    pub approved_by: Vec<PersonLine>,
    /// Who approves, and it does not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_counted: Vec<NotCounted>,
    /// Who objects.
    pub objections: Vec<Objection>,
    /// Who judged it before it became what it is now.
    pub changed_since: Vec<ChangedSince>,
}

/// Somebody whose approval does not count.
#[derive(Debug, Clone, Serialize)]
pub struct NotCounted {
    /// Who.
    pub by: PersonLine,
    /// Why, as a clause: `it was given under another policy`.
    pub why: String,
}

/// Somebody who does not want it so.
#[derive(Debug, Clone, Serialize)]
pub struct Objection {
    /// Who.
    pub by: PersonLine,
    /// Whether they want it changed or not at all.
    pub judgement: Judgement,
}

/// A verdict on an earlier state of an asset, and how much it has changed since.
#[derive(Debug, Clone, Serialize)]
pub struct ChangedSince {
    /// Who judged.
    pub by: PersonLine,
    /// Which way.
    pub judgement: Judgement,
    /// When.
    pub time: TimeLine,
    /// What is another: `content`, `metadata`, `mode`, `place` or `before` (the branch's state).
    pub what: Vec<&'static str>,
    /// Length of the file that they judged, in bytes.
    pub bytes_before: Option<u64>,
    /// Length of the file now, in bytes.
    pub bytes_after: Option<u64>,
    /// Bytes that both have; `None` when one is not here.
    pub bytes_shared: Option<u64>,
}

/// A verdict as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct VerdictLine {
    /// The action.
    pub action: ActionId,
    /// Who.
    pub by: PersonLine,
    /// When.
    pub time: TimeLine,
    /// Which way.
    pub judgement: Judgement,
    /// How many assets it is about.
    pub assets: u64,
    /// The folders and assets that were named; empty for the whole submission.
    pub paths: Vec<AssetPath>,
    /// What was said.
    pub words: Words,
    /// Whether it was taken back.
    pub taken_back: bool,
    /// Why it counts for nothing, as a clause, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
    /// Whether the policy does not know whoever gave it: then it counts for nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stranger: bool,
}

impl VerdictLine {
    /// Describes a verdict.
    pub fn of(
        view: &View,
        given: &Given,
        counted: &Counted,
        describer: &mut Describer<'_>,
    ) -> Result<Self, AppError> {
        Ok(Self {
            action: given.action,
            by: describer.person(given.by)?,
            time: given.time.into(),
            judgement: given.judgement,
            assets: given.verdict.value().list.count,
            paths: given.verdict.value().paths.clone(),
            words: Words::of(view, given.body, given.by)?,
            taken_back: !given.taken_back.is_empty(),
            ignored: counted.ignored(given.action).map(str::to_owned),
            stranger: given.stranger,
        })
    }
}

/// Describes a submission.
pub fn line_of(
    reading: &Reading,
    (submission, lists): (&Submission, &Lists),
    counted: &Counted,
    describer: &mut Describer<'_>,
) -> Result<SubmissionLine, AppError> {
    let view = &reading.view;
    let standing = reading.log.standing(view, submission)?;
    let first = submission.rounds.first().map_or(Timestamp::utc(0), |round| round.time);
    let current = submission.current();
    let approvals = submission.approvals(lists);
    let (mut approved, mut objected) = (0, 0);
    for transition in transitions_of(submission, lists) {
        match judge(submission, &approvals, transition, counted)
            .into_iter()
            .filter_map(|(_, word)| match word {
                Word::Approves => Some(true),
                Word::Objects => Some(false),
                Word::ApprovesInVain => None,
            })
            .reduce(|left, right| left && right)
        {
            Some(true) => approved += 1,
            Some(false) => objected += 1,
            None => {}
        }
    }
    Ok(SubmissionLine {
        id: submission.id,
        draft: draft_of(submission).to_owned(),
        branch: submission.branch().to_owned(),
        by: describer.person(submission.by)?,
        time: first.into(),
        round: submission.rounds.len() as u64,
        round_time: current.map_or(first, |round| round.time).into(),
        words: match current {
            Some(round) => Words::of(view, round.body, submission.by)?,
            None => Words { text: None, erased: false },
        },
        reviewers: current.map(|round| round.proposal.reviewers.clone()).unwrap_or_default(),
        state: match &standing {
            Standing::Open => StateLine::Open,
            Standing::Withdrawn => StateLine::Withdrawn,
            Standing::Landed(_) => StateLine::Landed,
        },
        landed: match standing {
            Standing::Landed(landed) => Some(landed.commit),
            Standing::Open | Standing::Withdrawn => None,
        },
        assets: current.map_or(0, |round| round.proposal.list.count),
        approved,
        objected,
    })
}

/// The transitions of the current round.
pub fn transitions_of<'l>(submission: &Submission, lists: &'l Lists) -> &'l [Transition] {
    let list = submission.current().and_then(|round| lists.get(&round.proposal.list));
    list.map(TransitionList::as_slice).unwrap_or_default()
}

/// What somebody says of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Approves,
    /// They approve, and it does not count.
    ApprovesInVain,
    Objects,
}

/// Who speaks of a transition, and what they say. Where somebody said both without having seen the other, the
/// objection counts. Which approvals count says the policy where it has a rule about the transition; elsewhere one
/// that is about exactly this does.
fn judge<'a>(
    submission: &Submission,
    approvals: &'a [Verified<Approval>],
    transition: &Transition,
    counted: &Counted,
) -> Vec<(&'a Approval, Word)> {
    let ids = TransitionIds::of(transition);
    let counting = counted.of(transition);
    let mut judged: BTreeMap<PersonId, (&Approval, Word)> = BTreeMap::new();
    for approval in submission.standing(approvals, &ids, false) {
        let is_exact = approval.coverage.covers(&ids, MetadataRule::Voids);
        let counts = counting.map(|counting| counting.contains(&approval.action));
        let word = match (approval.judgement.objects(), counts) {
            (true, _) if is_exact => Word::Objects,
            (false, Some(true)) => Word::Approves,
            (false, None) if is_exact => Word::Approves,
            (false, Some(false)) if is_exact => Word::ApprovesInVain,
            _ => continue,
        };
        let entry = judged.entry(approval.person).or_insert((approval, word));
        let is_worth_more = match (entry.1, word) {
            (_, Word::Objects) => true,
            (earlier, Word::Approves) => earlier == Word::ApprovesInVain,
            (_, Word::ApprovesInVain) => false,
        };
        if is_worth_more {
            *entry = (approval, word);
        }
    }
    judged.into_values().collect()
}

/// Describes what a submission changes, asset by asset.
pub fn asset_lines(
    repository: &Repository,
    view: &View,
    (submission, lists): (&Submission, &Lists),
    counted: &Counted,
    describer: &mut Describer<'_>,
    monitor: &dyn Monitor,
) -> Result<Vec<AssetLine>, AppError> {
    let approvals = submission.approvals(lists);
    let content = StoredContent::new(repository, view, monitor)?;
    let mut lines = Vec::new();
    for transition in transitions_of(submission, lists) {
        let (mut approved_by, mut not_counted, mut objections) = (Vec::new(), Vec::new(), Vec::new());
        let judged = judge(submission, &approvals, transition, counted);
        let spoke: BTreeSet<PersonId> = judged.iter().map(|(approval, _)| approval.person).collect();
        for (approval, word) in judged {
            let by = describer.person(approval.person)?;
            match word {
                Word::Approves => approved_by.push(by),
                Word::Objects => objections.push(Objection { by, judgement: approval.judgement }),
                Word::ApprovesInVain => {
                    let why = counted.ignored(approval.action).unwrap_or(NOT_ASKED).to_owned();
                    not_counted.push(NotCounted { by, why });
                }
            }
        }
        let mut changed_since = Vec::new();
        for person in judges_of(submission) {
            if spoke.contains(&person) {
                continue;
            }
            if let Some((given, seen)) = submission.judged_before(person, transition, lists) {
                changed_since.push(changed(view, &content, given, seen, transition, describer)?);
            }
        }
        let after = transition.after.as_ref();
        let from = transition.before.as_ref().map(|placed| placed.path.clone());
        lines.push(AssetLine {
            path: transition.path().clone(),
            from: from.filter(|from| from != transition.path()),
            asset: transition.asset(),
            kinds: transition.kinds(),
            file: after.and_then(|placed| placed.content.file()),
            bytes: after.and_then(|placed| placed.content.size()),
            approved_by,
            not_counted,
            objections,
            changed_since,
        });
    }
    Ok(lines)
}

fn judges_of(submission: &Submission) -> BTreeSet<PersonId> {
    submission.verdicts.iter().filter(|given| !given.stranger).map(|given| given.by).collect()
}

fn changed(
    view: &View,
    content: &StoredContent<'_>,
    given: &Given,
    seen: &Transition,
    now: &Transition,
    describer: &mut Describer<'_>,
) -> Result<ChangedSince, AppError> {
    let (old, new) = (seen.after.as_ref(), now.after.as_ref());
    let sides = |pick: fn(&Placed) -> Facet<'_>| old.map(pick) != new.map(pick);
    let what = [
        (sides(|placed| Facet::File(placed.content.file())), "content"),
        (sides(|placed| Facet::Metadata(placed.metadata)), "metadata"),
        (sides(|placed| Facet::Mode(is_executable(placed))), "mode"),
        (sides(|placed| Facet::Place(&placed.path)), "place"),
        (seen.before != now.before, "before"),
    ];
    let file = |placed: Option<&Placed>| {
        placed.and_then(|placed| Some((placed.content.file()?, placed.content.size()?)))
    };
    let (old, new) = (file(old), file(new));
    Ok(ChangedSince {
        by: describer.person(given.by)?,
        judgement: given.judgement,
        time: given.time.into(),
        what: what.into_iter().filter_map(|(differs, name)| differs.then_some(name)).collect(),
        bytes_before: old.map(|(_, size)| size),
        bytes_after: new.map(|(_, size)| size),
        bytes_shared: old.zip(new).and_then(|(old, new)| shared(view, content, old, new)),
    })
}

/// One thing that can be another.
#[derive(PartialEq)]
enum Facet<'a> {
    File(Option<FileId>),
    Metadata(Option<MetadataId>),
    Mode(bool),
    Place(&'a AssetPath),
}

const fn is_executable(placed: &Placed) -> bool {
    matches!(placed.content, Held::File { executable: true, .. } | Held::Foreign { executable: true, .. })
}

/// How many bytes two files share; `None` when one of them is not at hand.
fn shared(view: &View, content: &StoredContent<'_>, old: (FileId, u64), new: (FileId, u64)) -> Option<u64> {
    if old == new {
        return Some(new.1);
    }
    let extractor = content.extractor();
    let (old, new) = (
        StoredAccess::new(view, &extractor, old.0, old.1),
        StoredAccess::new(view, &extractor, new.0, new.1),
    );
    if old.size() == 0 || new.size() == 0 {
        return Some(0);
    }
    diff_bytes(&old, &new).ok().map(|diff| diff.bytes_shared)
}

//! What another policy would have meant for the past: nothing is changed by asking.

use crate::app::common::brought::brought;
use crate::app::common::describe::{CommitLine, Describer};
use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::{direct_evidence, verified_log};
use crate::app::error::AppError;
use crate::app::policy::PolicyFailure;
use crate::base::id::{CommitId, LogEntryId, PersonId, PolicyId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::time::Clock;
use crate::object::log_entry::{LogDeed, LogEntry, RefMoved};
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::repo::refs::{RefKind, RefName};
use crate::repo::{Repository, View};
use crate::rules::approval::{Actor, Case, Missing, Received, Revocations, judge};
use crate::rules::policy::{MemberKey, Policy};
use crate::trust::chain::{Evidence, VerifiedLog};
use crate::trust::judge::MoveEvidence;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// How far back to look on each branch, unless told otherwise.
pub const MOVES_MAX: usize = 200;

/// What no verdict was given under.
const NO_POLICY: PolicyId = PolicyId::from_bytes([0; 32]);

/// What to check.
#[derive(Debug, Clone)]
pub struct Options {
    /// The policy; the one in force when `None`.
    pub text: Option<String>,
    /// How many moves of each branch to look at, newest first.
    pub limit: usize,
}

/// What the policy would have meant.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How many past moves were judged.
    pub moves: usize,
    /// Those that would have been refused, newest first.
    pub refused: Vec<RefusedLine>,
    /// Those of which this clone cannot tell, because what was said of them is not all here; newest first.
    pub unknown: Vec<RefusedLine>,
    /// Branches that the policy protects, with how many moves of them were judged.
    pub branches: BTreeMap<String, usize>,
    /// Whether the text is that of the policy in force.
    pub in_force: bool,
}

/// A past move that would have been refused.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedLine {
    /// The branch.
    pub branch: String,
    /// The commit that it moved to.
    pub commit: CommitLine,
    /// Why, one sentence for each thing that is missing.
    pub because: Vec<String>,
}

/// Judges past moves by a policy.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let view = repository.view()?;
    let log = verified_log(repository, &view, clock.now(), monitor)?;
    let current = log.in_force().map(|current| current.text.clone());
    let text = options.text.clone().or_else(|| current.clone()).ok_or(PolicyFailure::None)?;
    let policy = Policy::parse(&text).map_err(PolicyFailure::from)?;
    let names: Vec<(RefName, CommitId)> = view
        .references()?
        .into_iter()
        .filter(|(name, _)| name.kind() == RefKind::Branch && policy.protects_branch(name.name()))
        .map(|(name, target)| (name, target.commit))
        .collect();
    let recorded = recorded(&view)?;
    let evidence = RepositoryEvidence::new(&view, repository.id());
    let now_ms = clock.now().unix_ms;
    let checker = Checker { view: &view, log: &log, policy: &policy, recorded, evidence, now_ms, monitor };
    let mut describer = Describer::new(&view)?;
    let mut report = Report {
        moves: 0,
        refused: Vec::new(),
        unknown: Vec::new(),
        branches: BTreeMap::new(),
        in_force: current == Some(text),
    };
    monitor.phase(Phase { name: "Judging past moves", files_total: None, bytes_total: None });
    for (name, tip) in names {
        let moves = moves(&view, tip, options.limit)?;
        report.branches.insert(name.name().to_owned(), moves.len());
        for (from, to) in moves {
            if monitor.is_cancelled() {
                return Err(AppError::Cancelled);
            }
            report.moves += 1;
            let judged = checker.judge(&name, from, to)?;
            let (list, because) = match judged {
                Judged::Permitted => continue,
                Judged::Refused(because) => (&mut report.refused, because),
                Judged::Unknown(why) => (&mut report.unknown, vec![why]),
            };
            let commit = describer.commit(to, &view.commit(to)?)?;
            list.push(RefusedLine { branch: name.name().to_owned(), commit, because });
        }
    }
    Ok(report)
}

/// A move as the shared log has it.
struct Recorded {
    received: Received,
    by: PersonId,
    moved: RefMoved,
}

/// The moves that the shared log knows, by the name that moved and by where it went.
fn recorded(view: &View) -> Result<HashMap<(String, CommitId), Recorded>, AppError> {
    let mut found = HashMap::new();
    for signed in view.log_entries(1)? {
        let Ok(entry) = LogEntry::decode(&signed?.statement) else { continue };
        let received = Received { sequence: entry.sequence, unix_ms: entry.received_ms };
        if let LogDeed::Move(moved) = entry.deed
            && let Some(to) = moved.to
        {
            found.insert((moved.reference.clone(), to), Recorded { received, by: entry.actor, moved });
        }
    }
    Ok(found)
}

/// The branch's own line, newest first: each commit and its first parent.
fn moves(view: &View, tip: CommitId, limit: usize) -> Result<Vec<(Option<CommitId>, CommitId)>, AppError> {
    let mut found = Vec::new();
    let mut next = Some(tip);
    while let Some(to) = next.filter(|_| found.len() < limit) {
        let from = view.commit(to)?.parents.first().copied();
        found.push((from, to));
        next = from;
    }
    Ok(found)
}

/// What a policy would have said to a past move.
enum Judged {
    Permitted,
    /// Why not, one sentence for each thing that is missing.
    Refused(Vec<String>),
    /// Why that cannot be told here.
    Unknown(String),
}

/// What speaks for a past move, and by what it was judged then.
struct Past {
    evidence: MoveEvidence,
    /// Verdicts are bound to the policy that was in force when the log received the move.
    policy: PolicyId,
    /// Keys that had been revoked by then.
    revoked: Revocations,
    at_ms: i64,
    by: PersonId,
}

struct Checker<'a> {
    view: &'a View,
    log: &'a VerifiedLog,
    policy: &'a Policy,
    recorded: HashMap<(String, CommitId), Recorded>,
    evidence: RepositoryEvidence<'a>,
    now_ms: i64,
    monitor: &'a dyn Monitor,
}

impl Checker<'_> {
    /// Whether the policy would have refused a move, and why.
    fn judge(&self, name: &RefName, from: Option<CommitId>, to: CommitId) -> Result<Judged, AppError> {
        let past = match self.past(name, from, to)? {
            Ok(past) => past,
            Err(why) => return Ok(Judged::Unknown(why)),
        };
        let (policy, repository) = (Some(self.policy), self.log.repository());
        let commits = brought(self.view, repository, policy, name.as_str(), from, &[to])?;
        let actor = self.actor(&past);
        let found = &past.evidence;
        let judged = judge(&Case {
            policy: self.policy,
            policy_id: past.policy,
            revoked: &past.revoked,
            log_head: LogEntryId::from_bytes([0; 32]),
            reference: name.as_str(),
            from,
            to: Some(to),
            actor: actor.as_ref(),
            at_ms: past.at_ms,
            submission: None,
            changes: &found.changes,
            votes: &found.votes,
            authors: &found.authors,
            commits: &commits,
            goes_back: found.goes_back,
            faults: &found.faults,
        });
        let Err(refusal) = judged else { return Ok(Judged::Permitted) };
        let told = refusal.missing.iter().filter(|missing| **missing != Missing::Unsigned);
        let mut because: Vec<String> = told.map(ToString::to_string).collect();
        if actor.is_none() {
            because.push("whoever made it is not in this policy, or has no key".to_owned());
        }
        Ok(Judged::Refused(because))
    }

    /// What spoke for a move when it happened, by the people and keys of the policy of that time; or why that
    /// cannot be told.
    fn past(
        &self,
        name: &RefName,
        from: Option<CommitId>,
        to: CommitId,
    ) -> Result<Result<Past, String>, AppError> {
        if let Some(Recorded { received, by, moved }) = self.recorded.get(&(name.as_str().to_owned(), to)) {
            let Some(before) = self.log.before(self.view, received.sequence)? else {
                return Ok(Err(format!("entry {} of the shared log cannot be read", received.sequence)));
            };
            let evidence = match self.evidence.of_move(&before, *received, moved) {
                Ok(evidence) => evidence,
                Err(error) => return Ok(Err(error.to_string())),
            };
            let policy = before.in_force().map_or(NO_POLICY, |in_force| in_force.id);
            let (revoked, at_ms) = (before.revoked().clone(), received.unix_ms);
            return Ok(Ok(Past { evidence, policy, revoked, at_ms, by: *by }));
        }
        let commit = self.view.commit(to)?;
        let before = match from {
            Some(from) => self.view.commit(from)?.tree,
            None => TreeNode::empty_id(),
        };
        let evidence = direct_evidence(self.view, before, commit.tree, self.monitor)?;
        let revoked = self.log.revoked().clone();
        let by = commit.committer.person;
        Ok(Ok(Past { evidence, policy: NO_POLICY, revoked, at_ms: self.now_ms, by }))
    }

    /// Whoever moved it then, with a key that they have in this policy: one that counted, if there is any.
    fn actor(&self, past: &Past) -> Option<Actor> {
        let (_, member) = self.policy.person(past.by)?;
        let counts = |held: &&MemberKey| {
            held.is_valid_at(past.at_ms) && !past.revoked.contains_key(&held.key.fingerprint())
        };
        let held = member.keys.iter().find(counts).or(member.keys.first())?;
        Some(Actor { person: past.by, key: held.key.clone() })
    }
}

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
use crate::rules::approval::{Actor, Case, Missing, Received, judge};
use crate::rules::policy::Policy;
use crate::trust::chain::{Evidence, VerifiedLog};
use crate::trust::judge::MoveEvidence;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// How far back to look on each branch, unless told otherwise.
pub const MOVES_MAX: usize = 200;

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
    let landings = landings(&view)?;
    let checker = Checker { view: &view, log: &log, policy: &policy, landings: &landings, monitor };
    let evidence = RepositoryEvidence::new(&view, repository.id());
    let mut describer = Describer::new(&view)?;
    let mut report =
        Report { moves: 0, refused: Vec::new(), branches: BTreeMap::new(), in_force: current == Some(text) };
    monitor.phase(Phase { name: "Judging past moves", files_total: None, bytes_total: None });
    for (name, tip) in names {
        let moves = moves(&view, tip, options.limit)?;
        report.branches.insert(name.name().to_owned(), moves.len());
        for (from, to) in moves {
            if monitor.is_cancelled() {
                return Err(AppError::Cancelled);
            }
            report.moves += 1;
            let because = checker.judge(&name, from, to, &evidence, clock.now().unix_ms)?;
            if !because.is_empty() {
                let commit = describer.commit(to, &view.commit(to)?)?;
                report.refused.push(RefusedLine { branch: name.name().to_owned(), commit, because });
            }
        }
    }
    Ok(report)
}

/// Landings that the shared log knows, by where they went.
fn landings(view: &View) -> Result<HashMap<CommitId, (Received, RefMoved)>, AppError> {
    let mut found = HashMap::new();
    for signed in view.log_entries(1)? {
        let Ok(entry) = LogEntry::decode(&signed?.statement) else { continue };
        let received = Received { sequence: entry.sequence, unix_ms: entry.received_ms };
        if let LogDeed::Move(moved) = entry.deed
            && let Some(to) = moved.to
        {
            found.insert(to, (received, moved));
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

struct Checker<'a> {
    view: &'a View,
    log: &'a VerifiedLog,
    policy: &'a Policy,
    landings: &'a HashMap<CommitId, (Received, RefMoved)>,
    monitor: &'a dyn Monitor,
}

impl Checker<'_> {
    /// Why the policy would have refused a move; nothing when it would not.
    fn judge(
        &self,
        name: &RefName,
        from: Option<CommitId>,
        to: CommitId,
        evidence: &RepositoryEvidence<'_>,
        now_ms: i64,
    ) -> Result<Vec<String>, AppError> {
        let commit = self.view.commit(to)?;
        let before = match from {
            Some(from) => self.view.commit(from)?.tree,
            None => TreeNode::empty_id(),
        };
        let landing = self.landings.get(&to).filter(|(_, moved)| moved.reference == name.as_str());
        let found: MoveEvidence = match landing {
            Some((received, moved)) => evidence.of_move(self.log, *received, moved).unwrap_or_default(),
            None => direct_evidence(self.view, before, commit.tree, self.monitor)?,
        };
        let (policy, repository) = (Some(self.policy), self.log.repository());
        let commits = brought(self.view, repository, policy, name.as_str(), from, &[to])?;
        // Of a landing it is known which keys were revoked by then.
        let mut revoked = self.log.revoked().clone();
        if let Some((landed, _)) = landing {
            revoked.retain(|_, revoked| revoked.sequence < landed.sequence);
        }
        let actor = self.actor(commit.committer.person);
        // Verdicts are bound to the policy under which they were given; here only the rules are new.
        let given = found.votes.iter().find_map(|vote| vote.approval.value().policy);
        let judged = judge(&Case {
            policy: self.policy,
            policy_id: given.unwrap_or(PolicyId::from_bytes([0; 32])),
            revoked: &revoked,
            log_head: LogEntryId::from_bytes([0; 32]),
            reference: name.as_str(),
            from,
            to: Some(to),
            actor: actor.as_ref(),
            at_ms: landing.map_or(now_ms, |(received, _)| received.unix_ms),
            submission: None,
            changes: &found.changes,
            votes: &found.votes,
            authors: &found.authors,
            commits: &commits,
            goes_back: found.goes_back,
            faults: &found.faults,
        });
        let Err(refusal) = judged else { return Ok(Vec::new()) };
        let told = refusal.missing.iter().filter(|missing| **missing != Missing::Unsigned);
        let mut because: Vec<String> = told.map(ToString::to_string).collect();
        if actor.is_none() {
            because.push("whoever made it is not in this policy, or has no key".to_owned());
        }
        Ok(because)
    }

    /// Whoever moved it then, with a key that they have in this policy.
    fn actor(&self, person: PersonId) -> Option<Actor> {
        let (_, member) = self.policy.person(person)?;
        Some(Actor { person, key: member.keys.first()?.key.clone() })
    }
}

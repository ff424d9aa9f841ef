//! The one place where moves of protected names are permitted or refused.
//!
//! Local commands, landings, verification of a history and whoever receives one all come here. What
//! is judged by is a [`VerifiedLog`]: its policy, where it says that names stand, which keys it knows
//! to be revoked and which submissions have landed. The decision itself is pure
//! ([`rules::approval`](crate::rules::approval)); what it is given here is verified.

use crate::base::id::{ActionId, CommitId, LogEntryId, PersonId};
use crate::rules::approval::{
    self, Actor, Authorised, Brought, Case, Change, Ignored, Missing, Refusal, Vote,
};
use crate::trust::chain::{InForce, VerifiedLog};
use std::collections::{BTreeMap, BTreeSet};

/// What speaks for a move: everything that would change, and everybody who said something about it.
#[derive(Debug, Clone, Default)]
pub struct MoveEvidence {
    /// Everything that differs between the two commits.
    pub changes: Vec<Change>,
    /// Verdicts, each under its signer's seal.
    pub votes: Vec<Vote>,
    /// Whoever made what is in it, or submitted it.
    pub authors: BTreeSet<PersonId>,
    /// All commits that the branch would take, with their signatures, where a rule of it asks for these.
    pub commits: Vec<Brought>,
    /// Whether the move would leave commits behind: it does not go on from where the branch stands.
    pub goes_back: bool,
    /// What else is wrong with it: a landing that is not what was submitted, for one.
    pub faults: Vec<Missing>,
}

/// A move that somebody wants to make.
#[derive(Debug, Clone)]
pub struct Proposal<'a> {
    /// The name, as it is stored: `branch/main`.
    pub reference: &'a str,
    /// Where it stands.
    pub from: Option<CommitId>,
    /// Where it is to stand.
    pub to: Option<CommitId>,
    /// Who moves it, and signs that.
    pub actor: Option<&'a Actor>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The submission that lands.
    pub submission: Option<ActionId>,
    /// What speaks for it.
    pub evidence: &'a MoveEvidence,
}

/// Permits a move, or says what is missing.
///
/// A name that no policy protects needs nobody's permission; asked about one all the same, this
/// refuses, so that no such move enters the log.
pub fn judge(log: &VerifiedLog, proposal: &Proposal<'_>) -> Result<Authorised, Refusal> {
    let refuse = |missing| {
        let name = proposal.reference.split_once('/').map_or(proposal.reference, |(_, name)| name);
        Err(Refusal { name: name.to_owned(), landing: proposal.submission.is_some(), missing })
    };
    let (Some(in_force), Some(head)) = (log.in_force(), log.head()) else {
        return refuse(vec![Missing::Unprotected]);
    };
    if let Some(dispute) = log.dispute() {
        return refuse(vec![Missing::Disputed { rivals: dispute.rivals.clone() }]);
    }
    if !log.protects(proposal.reference) {
        return refuse(vec![Missing::Unprotected]);
    }
    let stands = log.reference(proposal.reference);
    if stands != proposal.from {
        return refuse(vec![Missing::Elsewhere { log: stands, from: proposal.from }]);
    }
    if let Some(submission) = proposal.submission.filter(|id| log.has_landed(*id)) {
        return refuse(vec![Missing::Landed { submission }]);
    }
    approval::judge(&case_of(log, in_force, head.id, proposal))
}

/// The approvals that counted for a move which the log has, by their places among the verdicts; for each
/// change, in order. `log` is the log before that move.
pub fn approvals(log: &VerifiedLog, proposal: &Proposal<'_>) -> Vec<BTreeSet<usize>> {
    match (log.in_force(), log.head()) {
        (Some(in_force), Some(head)) => approval::approvals(&case_of(log, in_force, head.id, proposal)),
        _ => vec![BTreeSet::new(); proposal.evidence.changes.len()],
    }
}

/// The verdicts that would count for no rule of the name, by their places among them, and why.
pub fn ignored(log: &VerifiedLog, proposal: &Proposal<'_>) -> BTreeMap<usize, Ignored> {
    match (log.in_force(), log.head()) {
        (Some(in_force), Some(head)) => approval::ignored(&case_of(log, in_force, head.id, proposal)),
        _ => BTreeMap::new(),
    }
}

fn case_of<'a>(
    log: &'a VerifiedLog,
    in_force: &'a InForce,
    log_head: LogEntryId,
    proposal: &'a Proposal<'_>,
) -> Case<'a> {
    Case {
        policy: &in_force.policy,
        policy_id: in_force.id,
        revoked: log.revoked(),
        log_head,
        reference: proposal.reference,
        from: proposal.from,
        to: proposal.to,
        actor: proposal.actor,
        at_ms: proposal.at_ms.max(log.received_ms()),
        submission: proposal.submission,
        changes: &proposal.evidence.changes,
        votes: &proposal.evidence.votes,
        authors: &proposal.evidence.authors,
        commits: &proposal.evidence.commits,
        goes_back: proposal.evidence.goes_back,
        faults: &proposal.evidence.faults,
    }
}

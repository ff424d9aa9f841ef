//! Lists the chain of policies, and the proposals that wait for signatures.

use crate::app::common::describe::TimeLine;
use crate::app::error::AppError;
use crate::app::policy::{in_force, verified};
use crate::base::id::PolicyId;
use crate::base::monitor::Monitor;
use crate::base::time::{Clock, Timestamp};
use crate::object::log_entry::{LogDeed, LogEntry};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::{Namespace, PublicKey};
use crate::repo::Repository;
use crate::rules::approval::check_quorum;
use crate::rules::policy::{Handle, Policy};
use crate::trust::chain::VerifiedLog;
use serde::Serialize;

/// The chain, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Links that took effect.
    pub links: Vec<LinkLine>,
    /// Links that wait for signatures.
    pub proposals: Vec<ProposalLine>,
}

/// A link that took effect.
#[derive(Debug, Clone, Serialize)]
pub struct LinkLine {
    /// Its id.
    pub id: PolicyId,
    /// Its number.
    pub number: u64,
    /// The entry of the shared log that carries it.
    pub entry: u64,
    /// When the log received it.
    pub time: TimeLine,
    /// Who signed it, as it calls them itself or the policy before it does.
    pub signed: Vec<String>,
    /// Why, in words.
    pub reason: String,
    /// Whether it took effect by the recovery rule.
    pub recovery: bool,
    /// Whether it is in force.
    pub in_force: bool,
    /// Whether another link follows the same one.
    pub disputed: bool,
}

/// A link that waits.
#[derive(Debug, Clone, Serialize)]
pub struct ProposalLine {
    /// Its id.
    pub id: PolicyId,
    /// Its number.
    pub number: u64,
    /// When it was written.
    pub made: TimeLine,
    /// Why, in words.
    pub reason: String,
    /// Who signed it.
    pub signed: Vec<String>,
    /// What is missing, as sentences.
    pub missing: Vec<String>,
    /// Whether it follows the policy in force; else it is too late for it.
    pub current: bool,
    /// Its text.
    pub policy: String,
}

/// Lists the chain.
pub fn run(repository: &Repository, clock: &dyn Clock, monitor: &dyn Monitor) -> Result<Report, AppError> {
    let (view, log) = verified(repository, clock, monitor)?;
    let current = in_force(&log)?;
    let mut links = Vec::new();
    let mut before: Option<Policy> = None;
    for signed in view.log_entries(1)? {
        let signed = signed?;
        // The log was verified just now, so whatever does not read is of no kind that matters here.
        let Ok(entry) = LogEntry::decode(&signed.statement) else { continue };
        let LogDeed::Policy(taken) = &entry.deed else { continue };
        let Ok(link) = PolicyLink::decode(&taken.link.statement) else { continue };
        let policy = Policy::parse(&link.policy).ok();
        let id = PolicyLink::id_of(&taken.link.statement);
        let by = signers(&taken.link, [before.as_ref(), policy.as_ref()]);
        links.push(LinkLine {
            id,
            number: link.number,
            entry: entry.sequence,
            time: Timestamp::utc(entry.received_ms).into(),
            signed: by,
            reason: link.reason,
            recovery: taken.recovery,
            in_force: id == current.id,
            disputed: log.dispute().is_some_and(|dispute| dispute.rivals.contains(&id)),
        });
        before = policy;
    }
    links.reverse();
    let mut proposals = Vec::new();
    for (id, signed) in view.policy_proposals()? {
        proposals.extend(proposal(&log, id, &signed, clock.now().unix_ms));
    }
    Ok(Report { links, proposals })
}

fn proposal(log: &VerifiedLog, id: PolicyId, signed: &Signed, now_ms: i64) -> Option<ProposalLine> {
    let link = PolicyLink::decode(&signed.statement).ok()?;
    let policy = &log.in_force()?.policy;
    let keys: Vec<PublicKey> =
        signed.verified(Namespace::Policy).ok()?.iter().map(|sealed| sealed.key().clone()).collect();
    let missing =
        check_quorum(policy, &policy.change, &keys, now_ms, log.revoked()).err().unwrap_or_default();
    let current = match log.dispute() {
        Some(dispute) => link.parents == dispute.rivals,
        None => link.parents == [log.in_force()?.id],
    };
    Some(ProposalLine {
        id,
        number: link.number,
        made: Timestamp::utc(link.made_ms).into(),
        signed: signers(signed, [Some(policy), None]),
        missing: missing.iter().map(ToString::to_string).collect(),
        reason: link.reason,
        current,
        policy: link.policy,
    })
}

/// Who signed, by the first policy that knows the key; else the key's fingerprint.
fn signers(signed: &Signed, policies: [Option<&Policy>; 2]) -> Vec<String> {
    let keys = signed.parsed().unwrap_or_default();
    let named = |key: &PublicKey| -> String {
        let mut known = policies.iter().flatten();
        let holder = known.find_map(|policy| policy.holder(key));
        holder.map_or_else(
            || key.fingerprint().to_string(),
            |(handle, _, _): (&Handle, _, _)| handle.to_string(),
        )
    };
    keys.iter().map(|signature| named(signature.public_key())).collect()
}

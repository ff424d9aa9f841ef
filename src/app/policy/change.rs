//! Changes the policy: one proposes a text, those whom the policy in force names sign it, and with
//! the last signature that is needed it takes effect.

use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::{remember, trust};
use crate::app::common::members::{has_place, is_timely};
use crate::app::error::AppError;
use crate::app::policy::init::starts;
use crate::app::policy::{Acting, PolicyFailure, in_force, not_permitted};
use crate::base::id::PolicyId;
use crate::base::time::Timestamp;
use crate::object::log_entry::{LogDeed, PolicyTaken, RecoveryAnnounced};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::{Namespace, PublicKey};
use crate::repo::edit::JournalNote;
use crate::repo::{RepoError, View};
use crate::rules::approval::check_quorum;
use crate::rules::policy::{Handle, Policy, Requirement};
use crate::trust::chain::VerifiedLog;
use serde::Serialize;

/// What the policy is to become.
#[derive(Debug, Clone)]
pub struct Options {
    /// The text.
    pub text: String,
    /// Why, in words.
    pub reason: String,
    /// Whether it is proposed by the recovery rule.
    pub recovery: bool,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is in force.
    InForce,
    /// It waits for signatures.
    Waits,
    /// It was announced by the recovery rule, and waits for its time.
    Announced,
}

/// A proposal after the deed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its link.
    pub id: PolicyId,
    /// Its number in the chain.
    pub number: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Who signed it, as far as they count.
    pub signed: Vec<Handle>,
    /// What is missing, as sentences.
    pub missing: Vec<String>,
}

/// A proposal that is no more.
#[derive(Debug, Clone, Serialize)]
pub struct WithdrawReport {
    /// Its link.
    pub id: PolicyId,
}

/// Proposes a policy and signs it.
pub fn propose(acting: &Acting<'_>, options: &Options) -> Result<Report, AppError> {
    let view = acting.repository.view()?;
    let log = acting.log(&view)?;
    let current = in_force(&log)?;
    if log.dispute().is_none() && current.text == options.text {
        return Err(PolicyFailure::Same.into());
    }
    let policy = Policy::parse(&options.text).map_err(PolicyFailure::from)?;
    let (number, parents) = match log.dispute() {
        Some(dispute) => (dispute.number + 1, dispute.rivals.clone()),
        None => (current.number + 1, vec![current.id]),
    };
    let mut starts = starts(&view, &policy)?;
    // What is protected already stands where the log says, and the link need not say it again.
    starts.retain(|name, _| !log.protects(name));
    let link = PolicyLink {
        repository: acting.repository.id(),
        number,
        parents,
        starts,
        made_ms: acting.clock.now().unix_ms,
        reason: options.reason.clone(),
        policy: options.text.clone(),
    };
    let signed = Signed::unsigned(link.encode().map_err(PolicyFailure::from)?);
    put_forward(acting, &view, &log, &link, signed, options.recovery)
}

/// Signs a proposal that somebody made.
pub fn sign(acting: &Acting<'_>, name: Option<&str>) -> Result<Report, AppError> {
    sign_by(acting, name, false)
}

/// Signs a proposal that somebody made, by the recovery rule where `recovery` says so or it was announced.
pub fn sign_by(acting: &Acting<'_>, name: Option<&str>, recovery: bool) -> Result<Report, AppError> {
    let view = acting.repository.view()?;
    let log = acting.log(&view)?;
    let (id, signed) = find(&view, name)?;
    let link = PolicyLink::decode(&signed.statement).map_err(PolicyFailure::from)?;
    in_force(&log)?;
    if !is_timely(&log, &link) {
        return Err(PolicyFailure::Outdated { number: link.number }.into());
    }
    let recovery = recovery || log.announced().is_some_and(|announced| announced.link == id);
    put_forward(acting, &view, &log, &link, signed, recovery)
}

/// Forgets a proposal.
pub fn withdraw(acting: &Acting<'_>, name: Option<&str>) -> Result<WithdrawReport, AppError> {
    let (id, _) = find(&acting.repository.view()?, name)?;
    let mut edit = acting.repository.edit()?;
    edit.refuse_proposal(id)?;
    edit.commit()?;
    Ok(WithdrawReport { id })
}

/// The proposal of an id's beginning, or the only one.
fn find(view: &View, name: Option<&str>) -> Result<(PolicyId, Signed), AppError> {
    let mut all = view.policy_proposals()?;
    all.retain(|(id, _)| name.is_none_or(|name| id.to_string().starts_with(name)));
    let name = name.unwrap_or_default().to_owned();
    match (all.pop(), all.len()) {
        (Some(found), 0) => Ok(found),
        (None, _) => Err(PolicyFailure::NoProposal { name }.into()),
        (Some((last, _)), _) => {
            let ids = all.iter().map(|(id, _)| id.short()).chain([last.short()]).collect();
            Err(PolicyFailure::Ambiguous { ids }.into())
        }
    }
}

/// Adds a signature, and lets the link take effect if that was the last one needed.
fn put_forward(
    acting: &Acting<'_>,
    view: &View,
    log: &VerifiedLog,
    link: &PolicyLink,
    mut signed: Signed,
    recovery: bool,
) -> Result<Report, AppError> {
    let policy = log.dispute().map_or(&in_force(log)?.policy, |dispute| &dispute.parent.policy);
    let requirements: &[Requirement] = if recovery {
        &policy.recovery.as_ref().ok_or(PolicyFailure::NoRecovery)?.by
    } else {
        &policy.change
    };
    let id = PolicyLink::id_of(&signed.statement);
    let at_ms = acting.clock.now().unix_ms.max(log.received_ms());
    check_signer(acting, policy, log, at_ms)?;
    refuse_too_soon(log, id, at_ms)?;
    acting.writer.sign_link(&mut signed)?;
    let keys: Vec<PublicKey> = signed
        .verified(Namespace::Policy)
        .map_err(PolicyFailure::from)?
        .iter()
        .map(|sealed| sealed.key().clone())
        .collect();
    let mut report =
        Report { id, number: link.number, outcome: Outcome::Waits, signed: Vec::new(), missing: Vec::new() };
    match check_quorum(policy, requirements, &keys, at_ms, log.revoked()) {
        Ok(people) => {
            report.signed = people.into_iter().collect();
            report.outcome = take(acting, view, log, id, signed, recovery)?;
        }
        Err(missing) => {
            report.signed = keys.iter().filter_map(|key| Some(policy.holder(key)?.0.clone())).collect();
            report.missing = missing.iter().map(ToString::to_string).collect();
            let (now, waiting) = ((log.revoked(), at_ms), view.policy_proposals()?);
            if !has_place(&in_force(log)?.policy, now, (id, &signed), &waiting) {
                return Err(RepoError::TooManyProposals.into());
            }
            let mut edit = acting.repository.edit()?;
            edit.put_proposal(&signed)?;
            edit.commit()?;
        }
    }
    Ok(report)
}

/// Refuses a signature that would count for nothing.
fn check_signer(
    acting: &Acting<'_>,
    policy: &Policy,
    log: &VerifiedLog,
    at_ms: i64,
) -> Result<(), PolicyFailure> {
    let key = acting.writer.signer.public_key();
    let print = key.fingerprint();
    let held = policy.holder(key).filter(|(_, member, _)| member.id == acting.writer.person);
    let reason = match (held, log.revocation(&print)) {
        (None, _) => format!("the policy in force does not know your key {print}"),
        (_, Some(revoked)) => {
            format!("your key {print} was revoked by entry {} of the shared log", revoked.sequence)
        }
        (Some((_, _, held)), None) if !held.is_valid_at(at_ms) => {
            format!("your key {print} does not count at this time")
        }
        _ => return Ok(()),
    };
    Err(PolicyFailure::Signer { reason })
}

/// Refuses to let a policy take effect that was announced and whose time has not come.
fn refuse_too_soon(log: &VerifiedLog, id: PolicyId, at_ms: i64) -> Result<(), PolicyFailure> {
    let announced = log.announced().filter(|announced| announced.link == id);
    let recovery = log.in_force().and_then(|in_force| in_force.policy.recovery.as_ref());
    let (Some(announced), Some(recovery)) = (announced, recovery) else { return Ok(()) };
    let ripe = announced.received.unix_ms.saturating_add(recovery.after_ms);
    if at_ms >= ripe {
        return Ok(());
    }
    Err(PolicyFailure::TooSoon { from: Timestamp::utc(ripe).rfc3339() })
}

/// Writes the entry by which a link is announced or takes effect.
fn take(
    acting: &Acting<'_>,
    view: &View,
    log: &VerifiedLog,
    id: PolicyId,
    signed: Signed,
    recovery: bool,
) -> Result<Outcome, AppError> {
    let now = acting.clock.now();
    let announced = log.announced().is_some_and(|announced| announced.link == id);
    let announces = recovery && !announced;
    let deed = if announces {
        LogDeed::Recovery(RecoveryAnnounced { link: signed.clone() })
    } else {
        LogDeed::Policy(PolicyTaken { link: signed.clone(), recovery })
    };
    let entry = acting.writer.entry(log, deed, now.unix_ms)?;
    let evidence = RepositoryEvidence::new(view, acting.repository.id());
    let after = log
        .clone()
        .extended(&entry, &trust(acting.repository, view, now)?, &evidence)
        .map_err(not_permitted)?;
    let mut edit = acting.repository.edit()?;
    edit.append_log(&entry)?;
    if announces {
        // It is signed again when its time has come.
        edit.put_proposal(&signed)?;
    }
    remember(&mut edit, &after)?;
    let (verb, what) =
        if announces { ("policy propose", "announced") } else { ("policy propose", "put in force") };
    let summary = format!("{what} policy {}", id.short());
    edit.record(JournalNote { verb, summary, ..JournalNote::default() }, now)?;
    edit.commit()?;
    Ok(if announces { Outcome::Announced } else { Outcome::InForce })
}

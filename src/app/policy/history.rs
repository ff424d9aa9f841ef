//! Lists the chain of policies, and the proposals that wait for signatures.

use crate::app::common::describe::TimeLine;
use crate::app::error::AppError;
use crate::app::policy::links::{self, Link, LinkState};
use crate::app::policy::{in_force, verified};
use crate::base::id::PolicyId;
use crate::base::monitor::Monitor;
use crate::base::time::{Clock, Timestamp};
use crate::diff::text::TextDiff;
use crate::repo::Repository;
use crate::trust::chain::VerifiedLog;
use serde::Serialize;

/// The chain, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Links that took effect.
    pub links: Vec<LinkLine>,
    /// Links that wait for signatures, or came too late.
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
    /// Who signed it, as the policy before it calls them or it does itself.
    pub signed: Vec<String>,
    /// Why, in words.
    pub reason: String,
    /// Whether it took effect by the recovery rule.
    pub recovery: bool,
    /// Whether it is in force.
    pub in_force: bool,
    /// Whether another link follows the same one.
    pub disputed: bool,
    /// What it changes of the one before it, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<TextDiff>,
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
    /// From when on it may take effect, when it was announced by the recovery rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced_until: Option<TimeLine>,
    /// Its text.
    pub policy: String,
    /// What it changes of the one before it, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<TextDiff>,
}

/// Lists the chain; `with_changes` says of each link what it changes.
pub fn run(
    repository: &Repository,
    with_changes: bool,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let (view, log) = verified(repository, clock, monitor)?;
    in_force(&log)?;
    let all = links::all(&view, &log)?;
    let mut report = Report { links: Vec::new(), proposals: Vec::new() };
    for link in &all {
        let changes = with_changes.then(|| link.changes(&all));
        match link.received {
            Some(received) => {
                let state = link.state(&log);
                report.links.push(LinkLine {
                    id: link.id,
                    number: link.link.number,
                    entry: received.sequence,
                    time: Timestamp::utc(received.unix_ms).into(),
                    signed: link.signers(&all),
                    reason: link.link.reason.clone(),
                    recovery: link.recovery,
                    in_force: log.in_force().is_some_and(|in_force| in_force.id == link.id),
                    disputed: state == LinkState::Disputed,
                    changes,
                });
            }
            None => report.proposals.push(proposal(&all, link, &log, clock.now().unix_ms, changes)),
        }
    }
    report.links.reverse();
    Ok(report)
}

fn proposal(
    all: &[Link],
    link: &Link,
    log: &VerifiedLog,
    now_ms: i64,
    changes: Option<TextDiff>,
) -> ProposalLine {
    ProposalLine {
        id: link.id,
        number: link.link.number,
        made: Timestamp::utc(link.link.made_ms).into(),
        reason: link.link.reason.clone(),
        signed: link.signers(all),
        missing: link.missing(log, now_ms),
        current: link.state(log) != LinkState::Late,
        announced_until: link.ripe_ms(log).map(|ripe| Timestamp::utc(ripe).into()),
        policy: link.link.policy.clone(),
        changes,
    }
}

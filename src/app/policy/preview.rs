//! Shows a policy that somebody proposed, before it is signed: what it changes, and what it would have meant.

use crate::app::error::AppError;
use crate::app::policy::links::{self, Link, LinkState};
use crate::app::policy::{PolicyFailure, check, in_force, verified};
use crate::base::id::PolicyId;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::diff::text::TextDiff;
use crate::repo::Repository;
use serde::Serialize;

/// A proposed policy.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its link.
    pub id: PolicyId,
    /// Its number in the chain.
    pub number: u64,
    /// Why, in words.
    pub reason: String,
    /// Who signed it.
    pub signed: Vec<String>,
    /// What is missing, as sentences.
    pub missing: Vec<String>,
    /// What it changes of the one before it.
    pub changes: TextDiff,
    /// What it would have meant for the past.
    pub check: check::Report,
}

/// Shows a proposal: by number or the beginning of its id, or the only one that can still take effect.
pub fn run(
    repository: &Repository,
    name: Option<&str>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let (view, log) = verified(repository, clock, monitor)?;
    in_force(&log)?;
    let all = links::all(&view, &log)?;
    let (proposals, taken): (Vec<Link>, Vec<Link>) =
        all.into_iter().partition(|link| link.received.is_none());
    let found = match name {
        Some(name) => links::find(&proposals, name),
        None => only(&proposals, |link| link.state(&log) != LinkState::Late),
    };
    let unknown = |failure| match failure {
        PolicyFailure::NoPolicy { name } => PolicyFailure::NoProposal { name },
        other => other,
    };
    let link = found.map_err(unknown)?;
    if link.state(&log) == LinkState::Late {
        return Err(PolicyFailure::Outdated { number: link.link.number }.into());
    }
    let options = check::Options { text: Some(link.link.policy.clone()), limit: check::MOVES_MAX };
    Ok(Report {
        id: link.id,
        number: link.link.number,
        reason: link.link.reason.clone(),
        signed: link.signers(&taken),
        missing: link.missing(&log, clock.now().unix_ms),
        changes: link.changes(&taken),
        check: check::run(repository, &options, clock, monitor)?,
    })
}

/// The only proposal that fits.
fn only(proposals: &[Link], fits: impl Fn(&Link) -> bool) -> Result<&Link, PolicyFailure> {
    let fitting: Vec<&Link> = proposals.iter().filter(|link| fits(link)).collect();
    match fitting.as_slice() {
        [one] => Ok(one),
        [] => Err(PolicyFailure::NoProposal { name: String::new() }),
        several => {
            let ids = several.iter().map(|link| link.id.short()).collect();
            Err(PolicyFailure::Ambiguous { ids })
        }
    }
}

//! The review log and the shared log: every row against its key, its form and its signature, and the
//! chain of entries. Whether the signers may do what they signed is not asked here.

use crate::care::error::CareError;
use crate::care::fsck::Outcome;
use crate::care::fsck::findings::{Finding, FindingKind};
use crate::repo::{Repository, View, review_log, shared_log};
use crate::store::Space;

/// Says what is wrong with a row, and what it is.
type Rule = (Space, fn(&[u8], &[u8]) -> Option<String>, fn(&[u8]) -> String);

/// The rules of both logs.
pub(in crate::care) const RULES: [Rule; 2] = [
    (Space::ReviewLog, review_log::fault, review_log::describe),
    (Space::SharedLog, shared_log::fault, shared_log::describe),
];

/// Checks both.
pub(super) fn check(repository: &Repository, view: &View, outcome: &mut Outcome) -> Result<(), CareError> {
    for (space, fault, describe) in RULES {
        for row in view.snapshot().scan_prefix(space, b"")? {
            let (key, value) = row?;
            outcome.checked.objects += 1;
            if let Some(fault) = fault(&key, &value) {
                let message = format!("the {} is damaged: {fault}", describe(&key));
                outcome.findings.add(Finding::of(FindingKind::Record, message));
            }
        }
    }
    for gap in view.log_gaps(repository.id())? {
        outcome.findings.add(Finding::of(FindingKind::Record, gap));
    }
    Ok(())
}

//! Advice on refusals, on policies, on the shared log and on locks.

use super::{Advice, repo};
use crate::app::lock::LockFailure;
use crate::app::policy::PolicyFailure;
use crate::cli::failure::ExitStatus;
use crate::rules::approval::{Missing, Refusal};
use crate::trust::chain::ChainError;
use crate::trust::log_writer::WriteError;

/// The way out of a refusal: what somebody can do about what is missing.
pub(super) fn refused(refusal: &Refusal) -> Advice {
    let mut hints = Vec::new();
    let needs_approval = |missing: &Missing| matches!(missing, Missing::Approvals { .. });
    if refusal.missing.iter().any(needs_approval) {
        hints.push(if refusal.landing {
            "`pent review` shows where the submission stands and whom it waits for"
        } else {
            "`pent draft new`, then `pent submit`: once it is approved, `pent land` moves the branch"
        });
    }
    for missing in &refusal.missing {
        hints.push(match missing {
            Missing::Removal | Missing::GoesBack => {
                "`pent draft new` begins a draft that undoes it; submit that like any other work"
            }
            Missing::NotSigned { .. } => {
                "`pent sign` puts your signature under commits that exist: `pent sign main..draft/NAME` under all of a draft"
            }
            Missing::Unsigned => "`pent identity add` says which key is yours",
            Missing::UnknownKey { .. } | Missing::KeyNotValid { .. } | Missing::KeyRevoked { .. } => {
                "`pent policy show` lists who has which key; an administrator can add yours"
            }
            Missing::Disputed { .. } => {
                "`pent policy log` shows both; those who may change the policy settle it"
            }
            Missing::Elsewhere { .. } => "`pent audit` shows every move that the shared log knows",
            _ => continue,
        });
    }
    hints.dedup();
    Advice::of(ExitStatus::Refused, &hints)
}

/// Advice on errors of policies.
pub(super) fn policy(failure: &PolicyFailure) -> Advice {
    match failure {
        PolicyFailure::Text(error) => {
            let hints = error.problem.proposal().into_iter().collect();
            Advice { status: ExitStatus::Usage, hints }
        }
        PolicyFailure::Link(_) => Advice::none(ExitStatus::Refused),
        PolicyFailure::None => Advice::not_found("`pent policy init` gives it one"),
        PolicyFailure::Exists => Advice::refused(&["`pent policy edit` changes it"]),
        PolicyFailure::Same => Advice::refused(&["`pent policy show` shows it"]),
        PolicyFailure::NoProposal { .. } => {
            Advice::not_found("`pent policy log` lists what waits for signatures")
        }
        PolicyFailure::NoPolicy { .. } => Advice::not_found("`pent policy log` lists all of them"),
        PolicyFailure::Ambiguous { .. } => {
            Advice::of(ExitStatus::Usage, &["name one by the beginning of its id"])
        }
        PolicyFailure::TooSoon { .. } => Advice::refused(&[
            "whoever may change the policy in the usual way can still do so until then: `pent policy edit`",
        ]),
        PolicyFailure::Outdated { .. } => Advice::refused(&["propose it again on top of the one in force"]),
        PolicyFailure::Signer { .. } => Advice::refused(&["`pent policy show` lists who has which key"]),
        PolicyFailure::NotPermitted { .. } => {
            Advice::refused(&["`pent policy show` says who may do what, and who could do this"])
        }
        PolicyFailure::NoRecovery => {
            Advice::refused(&["only those whom `change` names can change this policy"])
        }
        PolicyFailure::Fingerprint { .. } => Advice {
            status: ExitStatus::Usage,
            hints: vec!["`pent policy show` of a colleague shows it".into()],
        },
        PolicyFailure::NoKey { .. } => Advice::not_found(
            "`pent policy show` lists the keys; name the fingerprint when somebody has several",
        ),
    }
}

/// Advice on what is wrong with the shared log.
pub(super) fn chain(error: &ChainError) -> Advice {
    match error {
        ChainError::Repo(error) => repo(error),
        ChainError::Cancelled => Advice::none(ExitStatus::Interrupted),
        ChainError::Checkpoint(_) => Advice::damaged(),
        ChainError::Broken { .. } | ChainError::RolledBack { .. } | ChainError::Rewritten { .. } => {
            Advice::of(
                ExitStatus::Damaged,
                &[
                    "nothing of it was taken over: what you have is what was verified before",
                    "compare with a colleague's copy, and ask whoever keeps the repository",
                ],
            )
        }
        ChainError::OtherRoot { .. } => Advice::refused(&[
            "compare the fingerprint with whoever invited you, by another way than this repository",
        ]),
    }
}

/// Advice on entries that cannot be written.
pub(super) fn write(error: &WriteError) -> Advice {
    match error {
        WriteError::Trust(_) => {
            Advice::of(ExitStatus::Unavailable, &["`pent identity list` shows your keys"])
        }
        WriteError::Entry(_) | WriteError::Link(_) => Advice::none(ExitStatus::Refused),
    }
}

/// Advice on locks.
pub(super) fn lock(failure: &LockFailure) -> Advice {
    match failure {
        LockFailure::NoPolicy => {
            Advice::refused(&["`pent policy init` makes one: it says who is who, and may protect nothing"])
        }
        LockFailure::NotCommitted { .. } => {
            Advice::not_found("pent commit it first: a lock is on an asset with a history")
        }
        LockFailure::Held { .. } => Advice::refused(&[
            "ask whoever holds it; a push of this is refused while the lock lasts",
            "`pent commit --no-lock` keeps your work here all the same",
        ]),
        LockFailure::TooMany { .. } => Advice::usage("lock the folders in it one by one"),
    }
}

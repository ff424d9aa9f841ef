//! What to try next when something about a submission cannot be done.

use super::Advice;
use crate::app::review::ReviewError;
use crate::cli::failure::ExitStatus;
use crate::cli::output::safe;
use crate::rules::schema::Breach;

/// Advice on errors of submissions and verdicts.
pub(super) fn advice(error: &ReviewError) -> Advice {
    let refused = |hint: String| Advice { status: ExitStatus::Refused, hints: vec![hint] };
    match error {
        ReviewError::NothingToSubmit { .. } => refused("commit something to the draft first".into()),
        ReviewError::NothingNew { draft } => {
            refused(format!("`pent review {}` says where it stands", safe(draft)))
        }
        ReviewError::SameBranch { .. } => refused("`pent draft new NAME` begins a draft; submit that".into()),
        ReviewError::BothChanged { draft, branch, .. } | ReviewError::Unseen { draft, branch, .. } => {
            bring_in(draft, branch)
        }
        ReviewError::Breaches { breaches, draft, .. } => misfits(breaches, draft),
        ReviewError::NoSubmission { .. } | ReviewError::NothingOpen => Advice {
            status: ExitStatus::NotFound,
            hints: vec!["`pent review --all` lists submissions, `pent submit` makes one".into()],
        },
        ReviewError::Ambiguous { .. } => Advice {
            status: ExitStatus::Usage,
            hints: vec!["name the one that you mean by the beginning of its id".into()],
        },
        ReviewError::Over { .. } => refused("`pent submit` begins anew".into()),
        ReviewError::NotInIt { draft, .. } => {
            refused(format!("`pent review {}` lists what it changes", safe(draft)))
        }
        ReviewError::NotYours { .. } => {
            refused("`pent reject` says that it shall not land; whoever submitted can take it back".into())
        }
        ReviewError::NotYourWords => refused("`pent policy show` says who may erase".into()),
        ReviewError::NoVerdict { draft } => {
            refused(format!("`pent review {}` lists the verdicts", safe(draft)))
        }
        ReviewError::WholeOnly { draft } | ReviewError::TooManyLeft { draft, .. } => {
            in_parts(draft, matches!(error, ReviewError::WholeOnly { .. }))
        }
        ReviewError::UnknownReviewer { .. } => Advice::not_found("`pent policy show` lists people and roles"),
        ReviewError::NoList { .. } | ReviewError::Gaps { .. } => Advice {
            status: ExitStatus::Unavailable,
            hints: vec!["fetch again: something is being kept from you, or is on its way".into()],
        },
        ReviewError::LooseEnds { draft, .. } => refused(format!(
            "a comment joins them, 256 at a time: pent comment {} -m \"joined\"",
            safe(draft)
        )),
        ReviewError::Different { draft, branch, .. } => refused(format!(
            "bring {} into the draft and submit again; approvals of everything else stay",
            safe(branch)
        ))
        .and(format!(
            "pent switch {0}; pent merge {1}; pent submit {0} --to {1}",
            safe(draft),
            safe(branch)
        )),
        ReviewError::NotCertified { .. } => Advice {
            status: ExitStatus::NotFound,
            hints: vec!["a certificate needs a landed submission: `pent review --all` lists them".into()],
        },
        ReviewError::NoWords => {
            Advice { status: ExitStatus::Usage, hints: vec!["-m \"The logo is too dark\"".into()] }
        }
        ReviewError::Action(_) => Advice { status: ExitStatus::Usage, hints: Vec::new() },
        ReviewError::Unsigned { .. } | ReviewError::Trust(_) => {
            refused("`pent identity list` shows the keys that are known".into())
        }
    }
}

/// How a part is left out: of a submission, or of what somebody said of it.
fn in_parts(draft: &str, submission: bool) -> Advice {
    let draft = safe(draft);
    let hint = if submission {
        format!(
            "bring it back in the draft and submit again: pent restore PATH --from main; pent commit; pent submit {draft}"
        )
    } else {
        format!(
            "take all of it back, then approve folders: pent withdraw {draft} --verdict; pent approve {draft} FOLDER"
        )
    };
    Advice { status: ExitStatus::Refused, hints: vec![hint] }
}

/// How what the branch has becomes part of what is submitted.
fn bring_in(draft: &str, branch: &str) -> Advice {
    let (draft, branch) = (safe(draft), safe(branch));
    let look = format!("bring {branch} into the draft and look: pent switch {draft}; pent merge {branch}");
    let submit = format!("then submit what came of it: pent submit {draft} --to {branch}");
    Advice { status: ExitStatus::Refused, hints: vec![look, submit] }
}

/// What would make a submission fit the schema of its branch.
fn misfits(breaches: &[Breach], draft: &str) -> Advice {
    let proposals = breaches.iter().filter_map(|breach| match (&breach.field, &breach.proposal) {
        (None, Some(name)) => Some(format!("call it {}", safe(name))),
        (Some(_), Some(command)) => Some(safe(command)),
        (_, None) => None,
    });
    let mut hints: Vec<String> = proposals.take(3).collect();
    hints.push(format!("`pent schema check -r {}` lists all of it", safe(draft)));
    Advice { status: ExitStatus::Refused, hints }
}

//! Advice on errors of finding.

use super::Advice;
use crate::app::error::AppError;
use crate::catalog::CatalogError;
use crate::catalog::collections::CollectionsError;
use crate::catalog::query::QueryError;
use crate::cli::failure::ExitStatus;

/// Advice on errors of finding and describing.
pub(super) fn advice(error: &AppError) -> Advice {
    match error {
        AppError::Catalog(error) => catalog(error),
        AppError::Query(error) => query(error),
        AppError::Collections(error) => collections(error),
        AppError::NoLikeness { .. } => no_likeness(),
        AppError::NoSchema => Advice::not_found("`pent schema init` begins one"),
        _ => schema(),
    }
}

/// What is kept for searching can always be made again.
fn catalog(error: &CatalogError) -> Advice {
    match error {
        CatalogError::Damaged { .. } | CatalogError::Index { .. } => Advice::of(
            ExitStatus::Disk,
            &["pent index --rebuild makes it anew; your work is not touched by this"],
        ),
        CatalogError::NoWrite { .. } => {
            Advice::unavailable("ask for the right to write there, or search a clone")
        }
        CatalogError::Io { .. } => Advice::of(
            ExitStatus::Disk,
            &["make room on the disk; what is kept for searching may be removed at any time: .pent/catalog"],
        ),
    }
}

/// Where a question goes wrong is shown under it.
fn query(error: &QueryError) -> Advice {
    let mut advice = Advice::none(ExitStatus::Usage);
    if let Some(proposal) = error.problem.proposal() {
        advice = advice.and(proposal);
    }
    if error.text.is_empty() || error.text.chars().count() > 70 {
        return advice;
    }
    let marked = crate::cli::output::safe_lines(&error.marked());
    advice.and(format!("look at the mark:\n    {}", marked.replace('\n', "\n    ")))
}

fn collections(error: &CollectionsError) -> Advice {
    match error {
        CollectionsError::Syntax(_) | CollectionsError::TooLong => Advice::refused(&[
            "mend that file in an editor, or bring back an earlier version with pent restore",
        ]),
        CollectionsError::Name { .. } => {
            Advice::usage("choose a short name without signs that cannot be seen")
        }
        CollectionsError::Unknown { .. } => Advice::not_found("`pent search --list` lists the collections"),
    }
}

fn schema() -> Advice {
    Advice::of(
        ExitStatus::Usage,
        &[
            "`pent schema edit` mends it; docs/schema.md has every key",
            "`pent schema init FILE` begins with another",
        ],
    )
}

fn no_likeness() -> Advice {
    Advice::refused(&[
        "plain areas and very small pictures look like many others; `pent search` finds by words",
    ])
}

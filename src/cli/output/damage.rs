//! What is damaged, and whom it concerns.

use crate::base::size::human_bytes;
use crate::care::fsck::{AffectedLine, Finding};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{ACCENT, BOLD, DIM, Page, count, safe};
use std::io;

/// Lines that are shown without `-v`.
const SHOWN_MAX: usize = 20;

/// Writes what is wrong.
pub fn write_findings(page: &mut Page<'_>, findings: &[Finding], total: u64) -> io::Result<()> {
    let heading = page.styles.paint(ACCENT, "Damaged");
    page.line(format_args!("{heading} {}", page.styles.paint(DIM, total)))?;
    let shown = if page.verbose > 0 { findings.len() } else { findings.len().min(SHOWN_MAX) };
    for finding in &findings[..shown] {
        page.line(format_args!("  {}", safe(&finding.message)))?;
    }
    write_rest(page, total - shown as u64)
}

/// Writes which paths of which commits are concerned.
pub fn write_affected(page: &mut Page<'_>, heading: &str, affected: &[AffectedLine]) -> io::Result<()> {
    if affected.is_empty() {
        return Ok(());
    }
    let heading = page.styles.paint(BOLD, heading);
    page.line(format_args!("{heading} {}", page.styles.paint(DIM, affected.len())))?;
    let shown = if page.verbose > 0 { affected.len() } else { affected.len().min(SHOWN_MAX) };
    let mut columns = Columns::indented(2);
    for line in &affected[..shown] {
        let size = if line.file.is_some() { human_bytes(line.size) } else { line.what.to_owned() };
        columns.row([
            Cell::new(line.path.to_string()),
            Cell::right(size).styled(DIM),
            Cell::new(commits_text(line)).styled(DIM),
        ]);
    }
    columns.write(page)?;
    write_rest(page, (affected.len() - shown) as u64)
}

fn commits_text(line: &AffectedLine) -> String {
    match (line.newest, line.oldest) {
        (Some(newest), Some(oldest)) if newest == oldest => format!("in commit {}", newest.short()),
        (Some(newest), Some(oldest)) => {
            let commits = count(line.commits, "commit", "commits");
            format!("in {commits}, from {} to {}", oldest.short(), newest.short())
        }
        _ => "in work that is not committed".to_owned(),
    }
}

fn write_rest(page: &mut Page<'_>, rest: u64) -> io::Result<()> {
    if rest == 0 {
        return Ok(());
    }
    page.remark(format_args!("  and {} more; -v shows them all", crate::base::size::human_count(rest)))
}

/// Writes that packs were found to have lost their bytes, if any were.
pub fn write_lost_packs(page: &mut Page<'_>, packs: u64) -> io::Result<()> {
    if packs == 0 {
        return Ok(());
    }
    let heading = page.styles.paint(ACCENT, "Warning:");
    let packs = count(packs, "pack of this repository is", "packs of this repository are");
    page.line(format_args!(
        "{heading} {packs} missing or cut short. What was needed of it was stored anew; `pent fsck` says what else is lost."
    ))
}

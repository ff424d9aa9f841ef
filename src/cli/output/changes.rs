//! Changed paths, grouped as a person thinks of them.

use crate::app::common::problem::ProblemLine;
use crate::app::status::{ChangeLine, Counts};
use crate::base::path::AssetPath;
use crate::base::size::human_bytes;
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{ACCENT, BOLD, DIM, Page, count};
use std::io;

/// Most paths of one group that are shown without `-v`.
const SHOWN_MAX: usize = 20;

/// Headings, and what the paths below them are.
const GROUPS: &[(&str, &[&str])] = &[
    ("New", &["new"]),
    ("Changed", &["changed", "kind"]),
    ("Moved", &["moved", "moved-and-changed"]),
    ("Removed", &["removed"]),
    ("Same bytes, described anew", &["metadata", "mode"]),
];

/// Writes the changes by group.
pub fn write_changes(page: &mut Page<'_>, changes: &[ChangeLine]) -> io::Result<()> {
    for (heading, kinds) in GROUPS {
        let members: Vec<&ChangeLine> = changes.iter().filter(|line| kinds.contains(&line.what)).collect();
        if members.is_empty() {
            continue;
        }
        let (style, dim) = (page.styles.paint(BOLD, heading), page.styles.paint(DIM, members.len()));
        page.line(format_args!("{style} {dim}"))?;
        let shown = shown(page, members.len());
        let mut columns = Columns::indented(2);
        for line in &members[..shown] {
            let size = if line.what == "removed" { String::new() } else { human_bytes(line.size) };
            columns.row([Cell::new(path_text(page, line)), Cell::right(size).styled(DIM), remark(line)]);
        }
        columns.write(page)?;
        write_rest(page, members.len() - shown)?;
    }
    Ok(())
}

/// Writes paths that have problems, with reasons.
pub fn write_problems(page: &mut Page<'_>, problems: &[ProblemLine]) -> io::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let heading = page.styles.paint(ACCENT, "Cannot be committed");
    page.line(format_args!("{heading} {}", page.styles.paint(DIM, problems.len())))?;
    let shown = shown(page, problems.len());
    for problem in &problems[..shown] {
        page.line(format_args!("  {}: {}", problem.path, super::safe(&problem.message)))?;
    }
    write_rest(page, problems.len() - shown)
}

/// Writes paths that wait for a decision.
pub fn write_undecided(page: &mut Page<'_>, paths: &[AssetPath]) -> io::Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let heading = page.styles.paint(ACCENT, "Waiting for your decision");
    page.line(format_args!("{heading} {}", page.styles.paint(DIM, paths.len())))?;
    for path in paths {
        page.line(format_args!("  {path}"))?;
    }
    Ok(())
}

/// The numbers in a sentence: `2 new, 1 changed`.
pub fn counts_text(counts: &Counts) -> String {
    let parts = [
        (counts.new, "new"),
        (counts.changed, "changed"),
        (counts.moved, "moved"),
        (counts.removed, "removed"),
        (counts.described, "described anew"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|part| part.0 > 0).map(|part| count(part.0, part.1, part.1)).collect();
    parts.join(", ")
}

fn shown(page: &Page<'_>, total: usize) -> usize {
    // A list that is cut short should at least save some lines.
    if page.verbose > 0 || total <= SHOWN_MAX + 2 { total } else { SHOWN_MAX }
}

pub(super) fn write_rest(page: &mut Page<'_>, hidden: usize) -> io::Result<()> {
    if hidden == 0 {
        return Ok(());
    }
    page.remark(format_args!(
        "  ... and {} more; -v lists all",
        crate::base::size::human_count(hidden as u64)
    ))
}

fn path_text(page: &Page<'_>, line: &ChangeLine) -> String {
    match &line.from {
        Some(from) => format!("{from} {} {}", page.arrow(), line.path),
        None => line.path.to_string(),
    }
}

fn remark(line: &ChangeLine) -> Cell {
    let mut remarks = Vec::new();
    let before = line.size_before.filter(|_| line.what != "removed").map(human_bytes);
    if let Some(before) = before.filter(|before| *before != human_bytes(line.size)) {
        remarks.push(format!("was {before}"));
    }
    match line.what {
        "moved-and-changed" => remarks.push("edited too".to_owned()),
        "kind" => remarks.push("another kind of thing".to_owned()),
        "mode" => remarks.push("whether it may be run".to_owned()),
        _ => {}
    }
    if let Some(new) = line.bytes_new.filter(|new| *new < line.size && line.what != "moved") {
        remarks.push(format!("{} new", human_bytes(new)));
    }
    if line.metadata_pending && line.what != "metadata" {
        remarks.push("described anew".to_owned());
    }
    Cell::new(remarks.join(", ")).styled(DIM)
}

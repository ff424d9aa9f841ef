//! What a command did to the user's files.

use crate::app::common::files_change::FilesLine;
use crate::base::path::AssetPath;
use crate::base::size::human_bytes;
use crate::cli::failure::ExitStatus;
use crate::cli::interrupt;
use crate::cli::output::{ACCENT, Page, count, safe};
use std::io;

/// Most paths that are shown without `-v`.
const SHOWN_MAX: usize = 20;

/// Writes what was written, removed, set aside and left alone, after a command that `undo` takes back.
pub fn write_files(page: &mut Page<'_>, files: &FilesLine) -> io::Result<()> {
    write_files_with(page, files, "`pent undo` brings it back")
}

/// The same, with what brings back what was set aside.
pub fn write_files_with(page: &mut Page<'_>, files: &FilesLine, way_back: &str) -> io::Result<()> {
    let mut parts = Vec::new();
    if files.written > 0 {
        parts.push(format!(
            "{} written, {}",
            count(files.written, "file", "files"),
            human_bytes(files.bytes)
        ));
    }
    if files.removed > 0 {
        parts.push(format!("{} removed", count(files.removed, "file", "files")));
    }
    if !parts.is_empty() {
        page.line(format_args!("{}.", parts.join("; ")))?;
    }
    if !files.set_aside.is_empty() {
        page.line(format_args!("Set aside for 30 days, since it was not committed ({way_back}):"))?;
        write_paths(page, &files.set_aside)?;
    }
    if files.withheld > 0 {
        let withheld = count(files.withheld, "file is", "files are");
        page.line(format_args!("{withheld} withheld from you and not here."))?;
    }
    if files.left > 0 {
        let left = count(files.left, "file is", "files are");
        page.line(format_args!("{left} left: the next command that changes files goes on with it."))?;
    }
    if !files.problems.is_empty() {
        let heading = page.styles.paint(ACCENT, "Left as it is:");
        page.line(heading)?;
        for problem in &files.problems {
            page.line(format_args!("  {}: {}", problem.path, safe(&problem.message)))?;
        }
    }
    Ok(())
}

/// Writes paths, one a line; a long list is cut short without `-v`.
pub fn write_paths(page: &mut Page<'_>, paths: &[AssetPath]) -> io::Result<()> {
    let shown = if page.verbose > 0 || paths.len() <= SHOWN_MAX + 2 { paths.len() } else { SHOWN_MAX };
    for path in &paths[..shown] {
        page.line(format_args!("  {path}"))?;
    }
    super::changes::write_rest(page, paths.len() - shown)
}

/// How a command ended that changed files.
pub fn status_of(files: &FilesLine) -> ExitStatus {
    match (files.left, files.problems.len()) {
        (0, 0) => ExitStatus::Done,
        (1.., _) if interrupt::is_requested() => ExitStatus::Interrupted,
        _ => ExitStatus::Problems,
    }
}

//! Differences as people read them: a headline for each file, below it lines of text with their
//! changed words, ranges of bytes, fields.
//!
//! Signs carry the meaning; colour only repeats it.

mod text;

pub use text::write_text;

use crate::app::common::field_value;
use crate::app::common::problem::ProblemLine;
use crate::app::diff::{FileDiff, Limit, Summary};
use crate::base::size::{human_bytes, human_count, human_share};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{ACCENT, BOLD, DIM, Page, count, safe};
use crate::diff::bytes::ChangedRange;
use crate::diff::metadata::{FieldChange, FieldChangeKind};
use crate::diff::model::ContentDiff;
use crate::diff::text::TEXT_BYTES_MAX;
use crate::object::metadata::FieldValue;
use std::collections::BTreeSet;
use std::io;

/// How many lines line up with each other: lists may have a million.
const ALIGNED_MAX: usize = 500;

/// Whether ranges of bytes are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranges {
    /// Only how many there are; `-v` lists them.
    Counted,
    /// Each.
    Listed,
}

/// Writes what differs in full.
pub fn write_files(page: &mut Page<'_>, files: &[FileDiff], ranges: Ranges) -> io::Result<()> {
    let listed = ranges == Ranges::Listed || page.verbose > 0;
    for file in files {
        page.gap()?;
        write_file(page, file, listed)?;
    }
    Ok(())
}

/// Writes one line for each file.
pub fn write_lines(page: &mut Page<'_>, files: &[FileDiff]) -> io::Result<()> {
    for files in files.chunks(ALIGNED_MAX) {
        let mut columns = Columns::indented(2);
        for file in files {
            let mut facts = facts(file);
            facts.extend(file.fields.iter().map(|change| field_text(page, change)));
            columns.row([
                Cell::new(what(file)),
                Cell::new(path_text(page, file)),
                Cell::new(version_text(file)).styled(DIM),
                Cell::new(facts.join(", ")).styled(DIM),
            ]);
        }
        columns.write(page)?;
    }
    Ok(())
}

/// Writes paths that could not be compared, with reasons.
pub fn write_problems(page: &mut Page<'_>, problems: &[ProblemLine]) -> io::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    page.gap()?;
    page.line(page.styles.paint(ACCENT, "Could not be compared"))?;
    for problem in problems {
        page.line(format_args!("  {}: {}", problem.path, safe(&problem.message)))?;
    }
    Ok(())
}

fn write_file(page: &mut Page<'_>, file: &FileDiff, ranges: bool) -> io::Result<()> {
    let mut remarks = vec![what(file)];
    if let Some(before) = file.before.as_ref().filter(|before| before.path != file.path) {
        remarks = vec![format!("moved from {}", before.path)];
        if file.kinds.content {
            remarks.push("changed".to_owned());
        }
    }
    let path = page.styles.paint(BOLD, &file.path).to_string();
    let groups = [path, remarks.join(", "), version_text(file), facts(file).join(", ")];
    let groups: Vec<String> = groups.into_iter().filter(|group| !group.is_empty()).collect();
    page.line(groups.join("  "))?;
    for change in &file.fields {
        let text = field_text(page, change);
        page.line(format_args!("    {text}"))?;
    }
    match &file.content {
        Some(ContentDiff::Text(diff)) => write_text(page, diff)?,
        Some(ContentDiff::Bytes(diff)) if ranges => {
            for range in &diff.ranges {
                page.line(format_args!("    {}", range_text(range)))?;
            }
        }
        Some(ContentDiff::Bytes(_)) | None => {}
    }
    if let Some(diff) = &file.text {
        page.remark("    its text:")?;
        text::write_text(page, diff)?;
    }
    for limit in &file.limits {
        page.remark(format_args!("    {}", limit_text(*limit, file)))?;
    }
    Ok(())
}

/// What happened, in a word or two.
fn what(file: &FileDiff) -> String {
    let kinds = file.kinds;
    let word = match (&file.before, &file.after) {
        (None, _) => "new",
        (_, None) => "removed",
        (Some(_), Some(_)) if kinds.moved && kinds.content => "moved, changed",
        (Some(_), Some(_)) if kinds.moved => "moved",
        (Some(_), Some(_)) if kinds.replaced => "replaced",
        (Some(_), Some(_)) if kinds.content || kinds.kind => "changed",
        (Some(_), Some(_)) => "described anew",
    };
    word.to_owned()
}

fn path_text(page: &Page<'_>, file: &FileDiff) -> String {
    match file.before.as_ref().filter(|before| before.path != file.path) {
        Some(before) => format!("{} {} {}", before.path, page.arrow(), file.path),
        None => file.path.to_string(),
    }
}

fn version_text(file: &FileDiff) -> String {
    match (file.version_before, file.version_after) {
        (Some(before), Some(after)) if before != after => format!("version {after}, was {before}"),
        (_, Some(version)) => format!("version {version}"),
        (Some(version), None) => format!("was version {version}"),
        (None, None) => String::new(),
    }
}

/// Sizes and counts.
fn facts(file: &FileDiff) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(source) = file.copied_from.as_ref().and_then(|copied| copied.path.as_ref()) {
        facts.push(format!("copy of {source}"));
    }
    match file.summary {
        Some(Summary::Text { lines_added, lines_removed }) => {
            facts.push(format!("+{} -{}", human_count(lines_added), human_count(lines_removed)));
        }
        Some(Summary::Bytes { bytes_shared, bytes_new, bytes_changed, ranges }) => {
            facts.extend(size_text(file));
            let (places, changed) = (count(ranges, "place", "places"), human_bytes(bytes_changed));
            facts.push(match &file.content {
                _ if ranges == 0 => "no byte differs".to_owned(),
                Some(ContentDiff::Bytes(diff)) if ranges == 1 && diff.ranges.len() == 1 => {
                    format!("{changed} differ, from byte {} on", human_count(diff.ranges[0].after.start))
                }
                _ => format!("{changed} differ, in {places}"),
            });
            facts.push(format!("{} new", human_bytes(bytes_new)));
            facts.push(format!("{} shared", human_share(bytes_shared, bytes_shared + bytes_new)));
        }
        None => facts.extend(size_text(file)),
    }
    if let (Some(before), Some(after)) = (&file.before, &file.after) {
        if file.kinds.mode {
            facts.push(if after.executable { "may be run now" } else { "may no longer be run" }.to_owned());
        }
        if file.kinds.kind {
            facts.push(format!("was a {}, is a {} now", kind_text(before.kind), kind_text(after.kind)));
        }
    }
    facts
}

fn kind_text(kind: &str) -> &str {
    match kind {
        "directory" => "folder",
        "symlink" => "link",
        "foreign" => "file that is elsewhere",
        other => other,
    }
}

/// The size, and what it was when that is another.
fn size_text(file: &FileDiff) -> Option<String> {
    let commit = |entry: Option<&crate::app::common::describe::EntryLine>| {
        let entry = entry.filter(|entry| entry.kind == "submodule")?;
        Some(format!("commit {}", entry.foreign.as_ref()?.get(..12)?))
    };
    match (commit(file.before.as_ref()), commit(file.after.as_ref())) {
        (Some(before), Some(after)) if before != after => return Some(format!("{after}, was {before}")),
        (before, after) if before.is_some() || after.is_some() => return after.or(before),
        _ => {}
    }
    let size = |entry: Option<&crate::app::common::describe::EntryLine>| entry?.size.map(human_bytes);
    match (size(file.before.as_ref()), size(file.after.as_ref())) {
        (Some(before), Some(after)) if before != after => Some(format!("{after}, was {before}")),
        (before, after) => after.or(before),
    }
}

fn range_text(range: &ChangedRange) -> String {
    let (before, after) = (range.before.bytes, range.after.bytes);
    let change = match (before, after) {
        (0, _) => format!("{} inserted", human_bytes(after)),
        (_, 0) => format!("{} removed", human_bytes(before)),
        _ if before == after => format!("{} changed", human_bytes(after)),
        _ => format!("{} in the place of {}", human_bytes(after), human_bytes(before)),
    };
    format!("at byte {}: {change}", human_count(range.after.start))
}

fn limit_text(limit: Limit, file: &FileDiff) -> String {
    match (limit, &file.content) {
        (Limit::TooLargeForText, _) => {
            format!("too large to be compared by line: that is done up to {}", human_bytes(TEXT_BYTES_MAX))
        }
        (Limit::LinesOmitted, Some(ContentDiff::Text(text))) => {
            format!("{} not shown", count(text.lines_omitted, "changed line is", "changed lines are"))
        }
        (Limit::LinesOmitted, _) => "some changed lines are not shown".to_owned(),
        (Limit::RangesOmitted, _) => "more ranges than are listed".to_owned(),
    }
}

/// `label +approved -draft`, `title: Sea -> Harbour`.
fn field_text(page: &Page<'_>, change: &FieldChange) -> String {
    let name = if change.field.as_str() == "labels" { "label" } else { change.field.as_str() };
    let value = |value: &FieldValue| safe(&field_value::show(value));
    match &change.change {
        FieldChangeKind::Set { after } => format!("{name}: {}", value(after)),
        FieldChangeKind::Unset { before } => format!("{name}: {} removed", value(before)),
        FieldChangeKind::Changed { before, after } => {
            format!("{name}: {} {} {}", value(before), page.arrow(), value(after))
        }
        FieldChangeKind::Members { added, removed } => {
            let signed = |sign: &str, texts: &BTreeSet<String>| {
                texts.iter().map(|text| format!(" {sign}{}", safe(text))).collect::<String>()
            };
            format!("{name}{}{}", signed("+", added), signed("-", removed))
        }
        FieldChangeKind::Terms { added, removed } => {
            let terms = |terms: &BTreeSet<_>| value(&FieldValue::Terms(terms.clone()));
            let signs = [("+", added), ("-", removed)].into_iter().filter(|(_, set)| !set.is_empty());
            let signed: String = signs.map(|(sign, set)| format!(" {sign}{}", terms(set))).collect();
            format!("{name}{signed}")
        }
    }
}

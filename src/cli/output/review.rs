//! How submissions look.

use crate::app::common::describe::PersonLine;
use crate::app::review::describe::{AssetLine, ChangedSince, Words};
use crate::base::size::human_bytes;
use crate::cli::output::{ACCENT, DIM, Page, count, safe, safe_lines};
use crate::object::approval::Judgement;
use std::io;

/// Most assets that are listed one by one.
const ASSETS_MAX: usize = 40;

/// A number of assets: `1 asset`, `12 assets`.
pub fn assets_text(number: u64) -> String {
    count(number, "asset", "assets")
}

/// A person as sentences have them.
pub fn who(person: &PersonLine) -> String {
    person.name.as_deref().map_or_else(|| person.id.short(), safe)
}

/// People as sentences have them: `Anna, Ben and Cleo`.
pub fn names(people: &[String]) -> String {
    match people {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What somebody said, indented; nothing when they said nothing.
pub fn write_words(page: &mut Page<'_>, words: &Words, indent: &str) -> io::Result<()> {
    match words {
        Words { text: Some(text), .. } if text.is_empty() => Ok(()),
        Words { text: Some(text), .. } => {
            safe_lines(text).lines().try_for_each(|line| page.line(format_args!("{indent}{line}")))
        }
        Words { erased: true, .. } => page.remark(format_args!("{indent}(these words were erased)")),
        Words { .. } => page.remark(format_args!("{indent}(these words are not here)")),
    }
}

/// What a submission changes, asset by asset: who approves it, who objects, what changed since.
pub fn write_assets(page: &mut Page<'_>, assets: &[AssetLine]) -> io::Result<()> {
    for asset in assets.iter().take(ASSETS_MAX) {
        let what = page.styles.paint(DIM, asset.kinds.join(", "));
        let from = asset.from.as_ref().map(|from| format!(" (was {from})")).unwrap_or_default();
        let mark = if !asset.objections.is_empty() {
            "x"
        } else if !asset.approved_by.is_empty() {
            "+"
        } else {
            "-"
        };
        page.line(format_args!("  {mark} {}{from}  {what}", asset.path))?;
        if !asset.approved_by.is_empty() {
            let people: Vec<String> = asset.approved_by.iter().map(who).collect();
            page.line(format_args!("      approved by {}", names(&people)))?;
        }
        for other in &asset.not_counted {
            let (by, why) = (who(&other.by), &other.why);
            page.line(format_args!("      {by} approved, which does not count: {why}"))?;
        }
        for objection in &asset.objections {
            let by = page.styles.paint(ACCENT, who(&objection.by));
            page.line(format_args!("      {by} {}", judged(objection.judgement)))?;
        }
        for changed in &asset.changed_since {
            let when = page.dates.show(crate::cli::output::words::moment(&changed.time));
            let (by, verdict) = (who(&changed.by), past(changed.judgement));
            page.line(format_args!("      changed since {by} {verdict}, {when}: {}", how_much(changed)))?;
        }
    }
    if assets.len() > ASSETS_MAX {
        let more = assets_text((assets.len() - ASSETS_MAX) as u64);
        page.remark(format_args!("  and {more} more; --json has them all"))?;
    }
    Ok(())
}

/// What somebody thinks of it, after their name.
pub const fn judged(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Approve => "approves it",
        Judgement::RequestChanges => "wants it changed",
        Judgement::Reject => "does not want it",
    }
}

const fn past(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Approve => "approved it",
        Judgement::RequestChanges => "sent it back",
        Judgement::Reject => "rejected it",
    }
}

/// What is another, and how much of it: `content (1.2 MB of 40 MB new)`.
fn how_much(changed: &ChangedSince) -> String {
    let parts = changed.what.iter().map(|what| match *what {
        "content" => match (changed.bytes_after, changed.bytes_shared) {
            (Some(after), Some(shared)) => {
                let new = human_bytes(after.saturating_sub(shared));
                format!("{new} of {} is new", human_bytes(after))
            }
            _ => "its content".to_owned(),
        },
        "metadata" => "its labels or fields".to_owned(),
        "mode" => "whether it may be run".to_owned(),
        "place" => "where it stands".to_owned(),
        _ => "what it replaces on the branch".to_owned(),
    });
    parts.collect::<Vec<_>>().join(", ")
}

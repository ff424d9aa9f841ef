//! `pent search`.

use crate::app::collection;
use crate::app::search::{self, FacetLine, HitLine, IndexLine, Options, Report, Sort};
use crate::base::size::human_bytes;
use crate::catalog::query::KEYS;
use crate::catalog::visibility::Visibility;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::words::{moment, person};
use crate::cli::output::{BOLD, DIM, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use clap::builder::PossibleValuesParser;
use std::io;

/// Branches that are named of one find; the rest is counted.
const BRANCHES_SHOWN: usize = 3;

/// Find assets on every branch, by words and by what they are
///
/// Words are looked for in names, folders, labels, fields, comments and in the files themselves. Keys narrow it down:
/// label:approved, type:psd, width:>3000, by:anna, since:2026-01, text:"spring sale", in:brand/**, and every field of
/// your own. OR, NOT, - and brackets combine them. The first search makes an index, which follows what changes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = keys_text())]
pub struct Arguments {
    /// What to look for; several words are looked for together
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    /// In this revision instead of at the heads of all branches; slower
    #[arg(long, value_name = "REVISION")]
    at: Option<String>,
    /// List at most so many
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
    /// In this order instead of the best first: newest, oldest, largest, smallest or widest
    #[arg(long, value_name = "ORDER", value_parser = PossibleValuesParser::new(Sort::ALL.map(|(name, _)| name)), hide_possible_values = true)]
    sort: Option<String>,
    /// Count finds by type, label, person, branch and folder
    #[arg(long)]
    facets: bool,
    /// Look for what this collection says, and for the query in it
    #[arg(short, long, value_name = "COLLECTION", conflicts_with_all = ["save", "remove", "list"])]
    collection: Option<String>,
    /// Keep the query as a collection that fills itself
    #[arg(long, value_name = "NAME", conflicts_with_all = ["at", "remove", "list"])]
    save: Option<String>,
    /// List the collections
    #[arg(long, conflicts_with_all = ["query", "at", "remove"])]
    list: bool,
    /// Forget a collection; what it finds stays
    #[arg(long, value_name = "COLLECTION", conflicts_with_all = ["query", "at"])]
    remove: Option<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "search";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent search logo label:approved type:psd", what: "by words, label and type" },
        Example { line: "pent search width:>3000 by:anna since:2026-01", what: "by size, person and time" },
        Example { line: "pent search poster --at print-2026-03", what: "as it was when that was sent" },
        Example { line: "pent search label:spring --save Spring", what: "keep it as a collection" },
        Example { line: "pent search --collection Spring --facets", what: "what is in it now, counted" },
    ];
}

fn keys_text() -> String {
    let mut text = String::from("Keys:");
    for key in KEYS {
        text.push_str(&format!("\n  {:<22} {}", key.example, key.about));
    }
    text + "\n\nA field of metadata is a key too: title:harbour, rights.until:<2027-01-01, price:10..20."
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let typed = joined(&self.query);
        if self.list {
            let report = collection::list(&repository, context.monitor())?;
            context.print("search-collections", &report, show_collections)?;
            return Ok(ExitStatus::Done);
        }
        if let Some(name) = &self.remove {
            let report = collection::remove(&repository, name, context.monitor())?;
            context.print("search-collections", &report, show_collections)?;
            return Ok(ExitStatus::Done);
        }
        if let Some(name) = &self.save {
            let now = context.clock().now();
            let report = collection::keep(&repository, name, &typed, now, context.monitor())?;
            context.print("search-collections", &report, show_collections)?;
            context.hint("it is kept in .pentcollections.toml; commit it so that others have it too");
            return Ok(ExitStatus::Done);
        }
        let query = match &self.collection {
            Some(name) => {
                let kept = collection::query(&repository, name, context.monitor())?;
                if typed.is_empty() { kept } else { format!("({kept}) ({typed})") }
            }
            None => typed,
        };
        let sort = self.sort.and_then(|word| Sort::ALL.into_iter().find(|(name, _)| *name == word));
        let options = Options {
            query,
            at: self.at,
            limit: self.limit,
            sort: sort.map(|(_, sort)| sort),
            facets: self.facets,
            visibility: Visibility::everything(),
        };
        let report =
            search::run(&repository, &options, &context.workers()?, context.clock(), context.monitor())?;
        context.print("search", &report, show)?;
        tell(context, &report.index);
        Ok(ExitStatus::Done)
    }
}

/// Puts words together that the shell has taken apart: quotation marks that it ate are put back.
fn joined(words: &[String]) -> String {
    let [one] = words else {
        let again = words.iter().map(|word| {
            if !word.contains(char::is_whitespace) || word.contains('"') {
                return word.clone();
            }
            match word.split_once(':') {
                Some((key, value)) if !key.contains(char::is_whitespace) => format!("{key}:\"{value}\""),
                _ => format!("\"{word}\""),
            }
        });
        return again.collect::<Vec<_>>().join(" ");
    };
    one.clone()
}

/// Says what of an answer is not whole.
pub(super) fn tell(context: &mut Context, index: &IndexLine) {
    if let Some(reason) = &index.reason {
        context.hint(reason);
    }
    if index.rebuilt {
        context.hint(
            "what is kept for searching was damaged and was made anew; your work is not touched by this",
        );
    }
    if index.unread > 0 {
        let files = count(index.unread, "asset has", "assets have");
        context.hint(&format!(
            "{files} not been looked into yet, so words and sizes in them are not found: pent index"
        ));
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.hits.is_empty() {
        page.line("Nothing found.")?;
    }
    for hit in &report.hits {
        show_hit(page, hit)?;
    }
    let shown = report.hits.len() as u64;
    if report.total > shown && shown > 0 {
        page.remark(format_args!("{shown} of {}; -n lists more", count(report.total, "find", "finds")))?;
    }
    report.facets.iter().try_for_each(|facet| show_facet(page, facet))
}

/// Names of branches for a line: a few, and how many more there are.
pub(super) fn branches(on: &[String]) -> String {
    let shown = on.len().min(BRANCHES_SHOWN);
    let names = on[..shown].iter().map(|name| safe(name)).collect::<Vec<_>>().join(", ");
    if on.len() > shown { format!("{names} and {} more", on.len() - shown) } else { names }
}

fn show_hit(page: &mut Page<'_>, hit: &HitLine) -> io::Result<()> {
    let mut facts: Vec<String> = Vec::new();
    facts.extend(hit.format.as_deref().map(safe));
    facts.extend(hit.pixels.map(|(width, height)| format!("{width} × {height}")));
    facts.extend(hit.size.map(human_bytes));
    let labels = hit.labels.iter().map(|label| format!("[{}]", safe(label))).collect::<Vec<_>>().join(" ");
    let title = hit.title.as_deref().map(|title| format!("  {}", safe(title))).unwrap_or_default();
    let labels = if labels.is_empty() { labels } else { format!("  {labels}") };
    page.line(format_args!("{}{title}{labels}", page.styles.paint(BOLD, &hit.path)))?;
    let when = page.dates.show(moment(&hit.changed));
    let facts = if facts.is_empty() { String::new() } else { format!("{}, ", facts.join(", ")) };
    page.remark(format_args!("    {facts}{}, {when}, on {}", person(&hit.by), branches(&hit.on)))?;
    match &hit.excerpt {
        Some(excerpt) => page.line(format_args!("    \"{}\"", safe(excerpt))),
        None => Ok(()),
    }
}

fn show_facet(page: &mut Page<'_>, facet: &FacetLine) -> io::Result<()> {
    page.gap()?;
    page.heading(facet.key)?;
    let mut columns = Columns::indented(2);
    for value in &facet.values {
        columns.row([Cell::right(value.count.to_string()), Cell::new(safe(&value.value))]);
    }
    columns.write(page)?;
    if facet.more > 0 { page.remark(format_args!("  and {} more", facet.more)) } else { Ok(()) }
}

fn show_collections(page: &mut Page<'_>, report: &collection::Report) -> io::Result<()> {
    match (&report.name, report.done) {
        (Some(name), "kept") => return page.line(format_args!("{} is kept.", safe(name))),
        (Some(name), "removed") => {
            return page.line(format_args!("{} is gone; what it found stays.", safe(name)));
        }
        _ if report.collections.is_empty() => return page.line("No collections."),
        _ => {}
    }
    let mut columns = Columns::default();
    for collection in &report.collections {
        columns.row([
            Cell::new(safe(&collection.name)).styled(BOLD),
            Cell::new(safe(&collection.query)).styled(DIM),
        ]);
    }
    columns.write(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotation_marks_that_the_shell_ate_are_put_back() {
        let join = |words: &[&str]| joined(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(join(&["logo", "text:spring sale"]), "logo text:\"spring sale\"");
        assert_eq!(join(&["logo", "two words"]), "logo \"two words\"");
        assert_eq!(join(&["logo text:\"spring sale\" OR x"]), "logo text:\"spring sale\" OR x");
        assert_eq!(join(&[]), "");
    }
}

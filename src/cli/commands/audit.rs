//! `pent audit`.

use crate::app::audit::{self, EventLine, Options, Range, Report, Source};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::words::moment;
use crate::cli::output::{ACCENT, BOLD, DIM, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::repo::date::parse_date;
use std::io::{self, Write as _};

/// List every move of every branch and tag: who, when and why
///
/// Moves of what the policy protects come from the shared log, which is signed and verified entry by entry; the others
/// from this clone's own journal, which is not. Exits with 4 when the chain does not verify, or when something stands
/// elsewhere than it says.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this branch or tag; or a part: `12..40` for entries of the shared log, `v1..main` for moves to commits
    /// that main has and v1 has not
    #[arg(value_name = "NAME|RANGE")]
    what: Option<String>,
    /// Only from this day or moment on
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
    /// Only up to this day or moment
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Verify everything again, from the first entry
    #[arg(long)]
    anew: bool,
    /// Comma-separated values, for spreadsheets
    #[arg(long, conflicts_with = "lines")]
    csv: bool,
    /// One JSON object a line, for programs
    #[arg(long)]
    lines: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "audit";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent audit main", what: "everything that happened to main" },
        Example {
            line: "pent audit --since 2026-01-01 --csv > audit.csv",
            what: "this year, for a spreadsheet",
        },
        Example { line: "pent audit v1..main", what: "what happened since a tag" },
        Example { line: "pent audit --anew", what: "verify the whole history again" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let now = context.clock().now();
        let date = |text: Option<&String>| text.map(|text| parse_date(text, now)).transpose();
        let range = self.what.as_deref().and_then(range_of);
        let options = Options {
            name: self.what.clone().filter(|_| range.is_none()),
            range,
            since: date(self.since.as_ref())?,
            until: date(self.until.as_ref())?,
            anew: self.anew,
        };
        let report = audit::run(&repository, &options, context.clock(), context.monitor())?;
        if self.csv {
            context.raw_output().write_all(report.csv().as_bytes())?;
        } else if self.lines {
            let mut out = io::BufWriter::new(context.raw_output());
            for event in &report.events {
                serde_json::to_writer(&mut out, event).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            out.flush()?;
        } else {
            context.print("audit", &report, show)?;
        }
        if let Some(problem) = report.chain.problem.as_ref().filter(|_| self.csv || self.lines) {
            context.warn(&safe(problem));
        }
        let sound = report.chain.problem.is_none() && report.strays.is_empty();
        Ok(if sound { ExitStatus::Done } else { ExitStatus::Damaged })
    }
}

/// `12..40` are entries, `a..b` are revisions; an end that is left out is the first or last there is.
fn range_of(text: &str) -> Option<Range> {
    let (from, to) = text.split_once("..")?;
    let number = |text: &str, otherwise: u64| match text {
        "" => Some(otherwise),
        text => text.parse::<u64>().ok(),
    };
    if let (Some(from), Some(to)) = (number(from, 1), number(to, u64::MAX)) {
        return Some(Range::Entries { from, to });
    }
    let until = if to.is_empty() { "@" } else { to };
    Some(Range::Commits { except: from.to_owned(), until: until.to_owned() })
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let mut columns = Columns::default();
    for event in &report.events {
        let moved = place(page, event);
        columns.row([
            Cell::new(page.dates.show(moment(&event.time))).styled(DIM),
            Cell::new(safe(&event.kind)),
            Cell::new(safe(&event.name)).styled(BOLD),
            Cell::new(moved),
            Cell::new(safe(&event.who)),
            Cell::new(safe(&short_ids(&event.why))),
            Cell::new(match (event.source, event.verified) {
                (Source::Journal, _) => "journal",
                (Source::SharedLog, true) => "verified",
                (Source::SharedLog, false) => "NOT VERIFIED",
            }),
        ]);
    }
    columns.write(page)?;
    if !report.events.is_empty() {
        page.gap()?;
    }
    if report.events.iter().any(|event| event.source == Source::Journal) {
        page.remark("Lines of the journal are what this clone did, by its own word; nobody signs them.")?;
    }
    for stray in &report.strays {
        let here = stray.here.map_or_else(|| "nowhere".to_owned(), |id| id.short());
        let log = stray.log.map_or_else(|| "nowhere".to_owned(), |id| id.short());
        let text = format!("{} is at {here}, but by the shared log it is at {log}.", stray.name);
        page.line(page.styles.paint(ACCENT, text))?;
    }
    let chain = &report.chain;
    match &chain.problem {
        Some(problem) => {
            let text = format!("{} of {} entries verify: {}.", chain.verified, chain.entries, safe(problem));
            page.line(page.styles.paint(ACCENT, text))
        }
        None if chain.entries == 0 => page.line("There is no shared log: this repository has no policy."),
        None => {
            page.line(format_args!("The shared log verifies: {}.", count(chain.entries, "entry", "entries")))
        }
    }
}

/// A sentence with its ids as short as everywhere on terminals.
fn short_ids(text: &str) -> String {
    let short = |word: &str| match word.get(..10) {
        Some(start) if word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            start.to_owned()
        }
        _ => word.to_owned(),
    };
    let words: Vec<String> = text.split(' ').map(short).collect();
    words.join(" ")
}

fn place(page: &Page<'_>, event: &EventLine) -> String {
    match (event.from, event.to) {
        (None, None) => String::new(),
        (from, to) => {
            let side =
                |id: Option<crate::base::id::CommitId>| id.map_or_else(|| "-".to_owned(), |id| id.short());
            format!("{} {} {}", side(from), page.arrow(), side(to))
        }
    }
}

//! `pent review`.

use crate::app::review::describe::{StateLine, SubmissionLine};
use crate::app::review::show::{self, ListReport, Report, Waiting};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::review::{assets_text, judged, names, who, write_assets, write_words};
use crate::cli::output::words::moment;
use crate::cli::output::{ACCENT, BOLD, DIM, Page, count, safe};
use crate::cli::reviewing;
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// See what waits for a review, and where one submission stands
///
/// Without a name it lists what waits. With one it tells what the submission changes, who approved which asset, what
/// changed since, what it waits for and from whom.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which submission: its draft, or the beginning of its id
    #[arg(value_name = "SUBMISSION")]
    submission: Option<String>,
    /// List those too that have landed or were taken back
    #[arg(short, long)]
    all: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "review";
    const GROUP: Group = Group::Review;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent review", what: "what waits" },
        Example { line: "pent review draft/poster", what: "where one stands, and what it waits for" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let keys = reviewing::keys(context, &repository)?;
        let (clock, monitor) = (context.clock(), context.monitor());
        match self.submission {
            Some(name) => {
                let report = show::one(&repository, &name, &keys, clock, monitor)?;
                context.print("review", &report, show_one)?;
            }
            None => {
                let report = show::list(&repository, self.all, &keys, clock, monitor)?;
                context.print("review-list", &report, show_list)?;
            }
        }
        Ok(ExitStatus::Done)
    }
}

fn show_list(page: &mut Page<'_>, report: &ListReport) -> io::Result<()> {
    if report.submissions.is_empty() {
        return page.line("Nothing waits for a review. `pent submit` asks for one.");
    }
    let mut columns = Columns::default();
    for line in &report.submissions {
        let submission = &line.submission;
        columns.row([
            Cell::new(safe(&submission.draft)).styled(BOLD),
            Cell::new(format!("to {}", safe(&submission.branch))),
            Cell::new(format!("by {}", who(&submission.by))),
            Cell::new(standing(submission, &line.waiting)),
            Cell::new(page.dates.show(moment(&submission.round_time))).styled(DIM),
        ]);
    }
    columns.write(page)
}

fn standing(submission: &SubmissionLine, waiting: &Waiting) -> String {
    match submission.state {
        StateLine::Landed => "landed".to_owned(),
        StateLine::Withdrawn => "taken back".to_owned(),
        StateLine::Open if waiting.ready => "can land".to_owned(),
        StateLine::Open if waiting.from.is_empty() => {
            format!("{} of {} approved", submission.approved, submission.assets)
        }
        StateLine::Open => {
            let people: Vec<String> = waiting.from.iter().map(|name| safe(name)).collect();
            format!("waits for {}", names(&people))
        }
    }
}

fn show_one(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let line = &report.submission;
    let title = page.styles.paint(BOLD, format!("{} to {}", safe(&line.draft), safe(&line.branch)));
    let id = page.styles.paint(DIM, line.id.short());
    page.line(format_args!("{title}  {id}"))?;
    let when = page.dates.show(moment(&line.round_time));
    let rounds = if line.round > 1 { format!(", round {}", line.round) } else { String::new() };
    page.line(format_args!("{} submitted it, {when}{rounds}", who(&line.by)))?;
    write_words(page, &line.words, "  ")?;
    if !line.reviewers.is_empty() {
        let people: Vec<String> = line.reviewers.iter().map(|name| safe(name)).collect();
        page.line(format_args!("Asked: {}", names(&people)))?;
    }
    page.gap()?;
    page.line(format_args!("{}, {} approved:", assets_text(line.assets), line.approved))?;
    write_assets(page, &report.assets)?;
    show_said(page, report)?;
    page.gap()?;
    show_waiting(page, report)
}

fn show_said(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.verdicts.is_empty() && report.comments.is_empty() {
        return Ok(());
    }
    page.gap()?;
    for verdict in &report.verdicts {
        let when = page.dates.show(moment(&verdict.time));
        let back = if verdict.taken_back { ", and took it back" } else { "" };
        let (by, assets) = (who(&verdict.by), assets_text(verdict.assets));
        page.line(format_args!("{by} {} ({assets}), {when}{back}", judged(verdict.judgement)))?;
        if let (Some(why), false) = (&verdict.ignored, verdict.taken_back) {
            page.line(format_args!("  It does not count: {why}."))?;
        }
        write_words(page, &verdict.words, "  ")?;
    }
    for comment in &report.comments {
        let when = page.dates.show(moment(&comment.time));
        let paths: Vec<String> = comment.paths.iter().map(ToString::to_string).collect();
        let about = if paths.is_empty() { String::new() } else { format!(" on {}", names(&paths)) };
        page.line(format_args!("{} said{about}, {when}", who(&comment.by)))?;
        write_words(page, &comment.words, "  ")?;
    }
    Ok(())
}

fn show_waiting(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let line = &report.submission;
    match line.state {
        StateLine::Landed => page.line("It has landed.")?,
        StateLine::Withdrawn => page.line("It was taken back.")?,
        StateLine::Open if report.waiting.ready => {
            page.line(format_args!("It can land: pent land {}", safe(&line.draft)))?;
        }
        StateLine::Open => {
            page.line(format_args!("{}", page.styles.paint(ACCENT, "It cannot land yet:")))?;
            for missing in &report.waiting.missing {
                page.line(format_args!("  {missing}"))?;
            }
            if !report.waiting.from.is_empty() {
                let people: Vec<String> = report.waiting.from.iter().map(|name| safe(name)).collect();
                page.line(format_args!("It waits for {}.", names(&people)))?;
            }
        }
    }
    if report.draft_went_on && line.state == StateLine::Open {
        page.remark(format_args!("{} has more than was submitted.", safe(&line.draft)))?;
    }
    if !report.refused.is_empty() {
        let actions = count(report.refused.len() as u64, "action", "actions");
        page.remark(format_args!("{actions} of the log count for nothing; --json says why."))?;
    }
    Ok(())
}

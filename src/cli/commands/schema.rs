//! `pent schema`.

use crate::app::error::AppError;
use crate::app::schema::{self, ApplyReport, CheckReport, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{BOLD, DIM, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::rules::schema::{Breach, SCHEMA_FILE, Schema};
use std::io;
use std::path::PathBuf;

/// Say which fields assets have, and how files are named
///
/// The schema is a text in your folder, .pentschema.toml, and is committed like all work. Every commit tells what of it
/// does not fit; a policy can refuse to take such work on a protected branch.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Begin with a schema to go on from
    Init {
        /// A file with the schema instead
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Show fields and vocabularies
    Show {
        /// As of this revision instead of your folder
        #[arg(short, long, value_name = "REVISION")]
        revision: Option<String>,
        /// Only its text
        #[arg(long)]
        text: bool,
    },
    /// Change it in your editor
    Edit,
    /// List what does not fit
    Check {
        /// Only at or below these; everything when you name none
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// As of this revision, by its own schema
        #[arg(short, long, value_name = "REVISION")]
        revision: Option<String>,
    },
    /// Fill in what the schema says for assets that say nothing else
    Apply {
        /// Only at or below these; everything when you name none
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
}

impl Describe for Arguments {
    const NAME: &'static str = "schema";
    const GROUP: Group = Group::Describe;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent schema init", what: "begin with one to go on from" },
        Example { line: "pent schema check brand", what: "what in a folder does not fit" },
        Example { line: "pent schema apply brand", what: "fill in what holds for all of it" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        match self.command {
            Command::Init { file } => {
                let text = file.map(|file| read(context, &file)).transpose()?;
                let report = schema::init(&context.repository_to_read()?, text)?;
                context.print("schema-init", &report, show)?;
                context.hint(&format!("change it with pent schema edit, and commit {SCHEMA_FILE}"));
            }
            Command::Show { revision, text } => {
                let repository = context.repository_to_read()?;
                let report =
                    schema::show(&repository, revision.as_deref(), context.clock(), context.monitor())?;
                if text {
                    io::Write::write_all(&mut context.raw_output(), report.text.as_bytes())?;
                } else {
                    context.print("schema-show", &report, show)?;
                }
            }
            Command::Edit => edit(context)?,
            Command::Check { paths, revision } => {
                let repository = context.repository_to_read()?;
                let paths = context.asset_paths(&repository, &paths)?;
                let (clock, monitor) = (context.clock(), context.monitor());
                let report = schema::check(&repository, &paths, revision.as_deref(), clock, monitor)?;
                context.print("schema-check", &report, show_check)?;
                return Ok(if report.breaches.is_empty() { ExitStatus::Done } else { ExitStatus::Problems });
            }
            Command::Apply { paths } => {
                let repository = context.repository()?;
                let paths = context.asset_paths(&repository, &paths)?;
                let report = schema::apply(&repository, &paths, context.clock(), context.monitor())?;
                context.print("schema-apply", &report, show_applied)?;
            }
        }
        Ok(ExitStatus::Done)
    }
}

fn read(context: &Context, file: &std::path::Path) -> Result<String, Failure> {
    let path = context.folder().join(file);
    Ok(std::fs::read_to_string(&path).map_err(AppError::io("reading", &path))?)
}

fn edit(context: &mut Context) -> Result<(), Failure> {
    let repository = context.repository_to_read()?;
    let before = schema::show(&repository, None, context.clock(), context.monitor())?;
    let Some(text) = context.edit_text(&before.text, "schema.toml")? else {
        context.print("schema-show", &before, show)?;
        return Ok(());
    };
    // What was typed is not lost when it is no schema yet.
    if let Err(error) = Schema::parse(&text) {
        let kept = repository.pent_dir().join("schema-draft.toml");
        std::fs::write(&kept, &text).map_err(AppError::io("writing", &kept))?;
        context.hint(&format!("what you wrote is kept in {}", crate::cli::output::place(&kept)));
        return Err(AppError::from(error).into());
    }
    let report = schema::replace(&repository, &text)?;
    context.print("schema-show", &report, show)
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let mut columns = Columns::default();
    for field in &report.fields {
        let mut kind = field.kind.to_owned();
        if let Some(vocabulary) = &field.vocabulary {
            kind = format!("{kind} of {}", safe(vocabulary));
        }
        if !field.choices.is_empty() {
            kind = format!("{kind}: {}", safe(&field.choices.join(", ")));
        }
        columns.row([
            Cell::new(field.name.to_string()).styled(BOLD),
            Cell::new(kind),
            Cell::new(field.about.as_deref().map(safe).unwrap_or_default()).styled(DIM),
        ]);
    }
    columns.write(page)?;
    for (name, terms) in &report.vocabularies {
        page.gap()?;
        page.heading(safe(name))?;
        terms.iter().try_for_each(|term| page.line(format_args!("  {}", safe(term))))?;
    }
    let rules = [
        (report.required, "rule on what must be filled in", "rules on what must be filled in"),
        (report.names, "rule on names", "rules on names"),
    ];
    for (number, one, many) in rules.into_iter().filter(|(number, ..)| *number > 0) {
        page.remark(count(number, one, many))?;
    }
    Ok(())
}

fn show_check(page: &mut Page<'_>, report: &CheckReport) -> io::Result<()> {
    if report.breaches.is_empty() {
        return page.line(format_args!("{} fit.", count(report.files, "file", "files")));
    }
    write_breaches(page, &report.breaches, usize::MAX)?;
    if report.more { page.remark("and more") } else { Ok(()) }
}

/// Writes what does not fit, at most so many lines.
pub(super) fn write_breaches(page: &mut Page<'_>, breaches: &[Breach], most: usize) -> io::Result<()> {
    for breach in breaches.iter().take(most) {
        page.line(format_args!("{}: {}", page.styles.paint(BOLD, &breach.path), safe(&breach.message)))?;
        match (&breach.field, &breach.proposal) {
            (None, Some(name)) => page.remark(format_args!("    better: {}", safe(name)))?,
            (Some(_), Some(command)) => page.remark(format_args!("    try: {}", safe(command)))?,
            (_, None) => {}
        }
    }
    match breaches.len().checked_sub(most) {
        Some(more @ 1..) => page.remark(format_args!("and {more} more: pent schema check")),
        _ => Ok(()),
    }
}

fn show_applied(page: &mut Page<'_>, report: &ApplyReport) -> io::Result<()> {
    if report.assets.is_empty() {
        return page.line("Everything that the schema fills in is filled in.");
    }
    for line in &report.assets {
        let set: Vec<String> =
            line.set.iter().map(|(name, value)| format!("{name} = {}", safe(value))).collect();
        page.line(format_args!("{}  {}", page.styles.paint(BOLD, &line.path), set.join(", ")))?;
    }
    page.remark("It waits for the next commit.")
}

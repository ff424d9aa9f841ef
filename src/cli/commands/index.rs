//! `pent index`.

use crate::app::index::{self, Options, Report};
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{Page, count};
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use std::io;

/// Look into all files, so that searches find what is in them
///
/// A search brings the index up to date by itself and looks into some new files on the way. This looks into all of
/// them: sizes, colours, layers, fonts, text and what pictures look like. It can be stopped and goes on where it was.
/// What is kept for searching can always be made again and holds nothing else.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Make it anew, and look into every file again
    #[arg(long, conflicts_with_all = ["check", "remove"])]
    rebuild: bool,
    /// Only check that what is kept is as it was written
    #[arg(long, conflicts_with = "remove")]
    check: bool,
    /// Remove what is kept; the next search makes it anew
    #[arg(long)]
    remove: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "index";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent index", what: "look into what is new" },
        Example { line: "pent index --check", what: "is what is kept for searching sound?" },
        Example { line: "pent index --rebuild", what: "begin again" },
    ];
    const WHEN_STOPPED: Stopped =
        Stopped::of("what was looked into is noted", "`pent index` goes on where it was");
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let options = match (self.rebuild, self.check, self.remove) {
            (true, ..) => Options::Rebuild,
            (_, true, _) => Options::Check,
            (.., true) => Options::Remove,
            _ => Options::Update,
        };
        let repository = context.repository_to_read()?;
        let report =
            index::run(&repository, options, &context.workers()?, context.clock(), context.monitor())?;
        context.print("index", &report, |page, report| show(page, report, options))?;
        if let Some(reason) = &report.reason {
            context.warn(reason);
        }
        if report.damaged && options == Options::Check {
            context.hint("pent index --rebuild makes it anew");
            return Ok(ExitStatus::Damaged);
        }
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report, options: Options) -> io::Result<()> {
    if options == Options::Remove {
        return page.line("What was kept for searching is gone; the next search makes it anew.");
    }
    if options == Options::Check && report.damaged {
        return page.line("What is kept for searching is damaged.");
    }
    let read = match report.read {
        0 => String::new(),
        read => format!(", {} looked into now", count(read, "file", "files")),
    };
    let records = count(report.records, "asset", "assets");
    page.line(format_args!("{records} can be found{read} ({}).", human_bytes(report.bytes)))?;
    if report.prints > 0 {
        page.remark(format_args!("  {} known by their look", count(report.prints, "picture", "pictures")))?;
    }
    if report.faulty > 0 {
        page.remark(format_args!(
            "  {} could not be read by a decoder",
            count(report.faulty, "file", "files")
        ))?;
    }
    if report.unread > 0 {
        let unread = count(report.unread, "asset", "assets");
        page.remark(format_args!("  {unread} not looked into: the content is not here, or is damaged"))?;
    }
    Ok(())
}

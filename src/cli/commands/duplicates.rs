//! `pent duplicates`.

use crate::app::duplicates::{self, GroupLine, Options, Report};
use crate::base::size::human_bytes;
use crate::catalog::visibility::Visibility;
use crate::cli::commands::search::tell;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{Page, count};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// List what is there more than once
///
/// Files with the same bytes cost nothing twice, for content is stored once; but which of them is the one that counts?
/// With --near also pictures and films that only look the same.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Also pictures and films that look the same in another size, format or compression
    #[arg(long)]
    near: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "duplicates";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent duplicates", what: "files with the same bytes" },
        Example { line: "pent duplicates --near", what: "and pictures and films that look the same" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let options = Options { near: self.near, visibility: Visibility::everything() };
        let report =
            duplicates::run(&repository, &options, &context.workers()?, context.clock(), context.monitor())?;
        context.print("duplicates", &report, show)?;
        if let Some(index) = &report.index {
            tell(context, index);
        }
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.exact.is_empty() && report.near.is_empty() {
        return page.line("Nothing is there twice.");
    }
    write_groups(page, "The same bytes", &report.exact)?;
    if !report.exact.is_empty() && !report.near.is_empty() {
        page.gap()?;
    }
    write_groups(page, "The same look", &report.near)?;
    if report.more > 0 {
        page.remark(format_args!("and {} more", count(report.more, "group", "groups")))?;
    }
    Ok(())
}

fn write_groups(page: &mut Page<'_>, heading: &str, groups: &[GroupLine]) -> io::Result<()> {
    if !groups.is_empty() {
        page.heading(heading)?;
    }
    for group in groups {
        let times = count(group.assets.len() as u64, "time", "times");
        page.remark(format_args!("  {times}, {}", human_bytes(group.size)))?;
        for asset in &group.assets {
            page.line(format_args!("    {}", asset.path))?;
        }
    }
    Ok(())
}

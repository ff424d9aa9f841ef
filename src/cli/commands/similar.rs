//! `pent similar`.

use crate::app::similar::{self, Options, Report, Subject};
use crate::base::size::human_bytes;
use crate::catalog::likeness::{ALIKE_BITS, likeness};
use crate::catalog::visibility::Visibility;
use crate::cli::commands::info::Which;
use crate::cli::commands::search::{branches, tell};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{BOLD, DIM, Page, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use clap::value_parser;
use std::io;

/// Find pictures that look like one
///
/// The same picture in another size, format or compression is found, and one that somebody has worked on. The picture
/// may be an asset, a version of one, or any file outside of the repository.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// How much must be alike, in hundredths; unrelated pictures have 0 to 20
    #[arg(long, value_name = "HUNDREDTHS", default_value_t = likeness(ALIKE_BITS), value_parser = value_parser!(u32).range(1..=100))]
    likeness: u32,
    /// List at most so many
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
}

impl Describe for Arguments {
    const NAME: &'static str = "similar";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent similar poster.psd", what: "what looks like it" },
        Example { line: "pent similar ~/Downloads/logo.png", what: "do we have this already?" },
        Example { line: "pent similar poster.psd@3 --likeness 90", what: "nearly the same as version 3" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let outside = self.which.outside(context, &repository);
        let subject = match outside {
            Some(path) => Subject::File(path),
            None => Subject::Asset(self.which.options(context, &repository)?),
        };
        let visibility = Visibility::everything();
        let options = Options { subject, likeness: self.likeness, limit: self.limit, visibility };
        let report =
            similar::run(&repository, &options, &context.workers()?, context.clock(), context.monitor())?;
        context.print("similar", &report, show)?;
        tell(context, &report.index);
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.hits.is_empty() {
        return page.line(format_args!("Nothing here looks like {}.", safe(&report.subject)));
    }
    let mut columns = Columns::default();
    for hit in &report.hits {
        let how = if hit.same { "the same".to_owned() } else { format!("{}%", hit.likeness) };
        columns.row([
            Cell::right(how),
            Cell::new(hit.entry.path.to_string()).styled(BOLD),
            Cell::right(hit.entry.size.map(human_bytes).unwrap_or_default()),
            Cell::new(format!("on {}", branches(&hit.on))).styled(DIM),
        ]);
    }
    columns.write(page)
}

//! `pent mirror`.

use crate::app::second_copy::{self, MirrorOptions, MirrorReport};
use crate::base::size::human_bytes;
use crate::cli::commands::backup::{hint_kept, write_kept};
use crate::cli::commands::fsck::percent;
use crate::cli::commands::remote::write_verified;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use std::io;

/// Keep a second remote exactly like the first
///
/// Takes in what the first remote has, makes the second have the same branches, drafts, tags, reviews and rules, and reads
/// that back. Only what is new is sent. What came to the mirror this way and the first remote does not have any more goes
/// from it too. What somebody else put there stays and is named; what the policy does not allow the first remote is not
/// copied. `pent clone` makes a repository of the mirror, with nothing else.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the mirror is: any place that a remote can be at
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// The remote that is mirrored; `origin`, or the only one, when you name none
    #[arg(long, value_name = "REMOTE")]
    from: Option<String>,
    /// Of what was there before read back only about so much, chosen anew each time; what is new is always read where no
    /// program keeps it
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "100%")]
    sample: f64,
}

impl Describe for Arguments {
    const NAME: &'static str = "mirror";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent mirror s3://second-site/brand", what: "bring the mirror of origin up to date" },
        Example {
            line: "pent mirror /mnt/second/brand --sample 5%",
            what: "every hour; the whole now and then",
        },
        Example {
            line: "pent mirror --from studio az://safe/brand",
            what: "mirror another remote than origin",
        },
    ];
    const WHEN_STOPPED: Stopped =
        Stopped::of("what was sent so far is kept there", "the same command again goes on from there");
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let address = context.address(&self.address)?;
        let repository = context.repository()?;
        let options = MirrorOptions { from: self.from, address, percent: self.sample };
        let (reach, clock, monitor) = (context.reach(), context.clock(), context.monitor());
        let report = second_copy::mirror(&repository, &options, &reach, clock, monitor)?;
        context.print("mirror", &report, show)?;
        if !report.verified.is_sound() {
            return Ok(ExitStatus::Damaged);
        }
        if report.refused.is_empty() && report.problem.is_none() && report.kept.is_empty() {
            return Ok(ExitStatus::Done);
        }
        if !report.kept.is_empty() {
            hint_kept(context, &report.address.to_string());
        }
        if !report.refused.is_empty() || report.problem.is_some() {
            context.hint(
                "`pent fetch` says the same of the first remote; what is refused stays as the mirror had it",
            );
        }
        Ok(ExitStatus::Problems)
    }
}

fn show(page: &mut Page<'_>, report: &MirrorReport) -> io::Result<()> {
    let address = safe(&report.address.to_string());
    let names = count(report.names, "branch or tag", "branches and tags");
    let sent = human_bytes(report.moved.bytes_sent);
    page.line(format_args!("{names} at {address} as at {}; {sent} sent.", safe(&report.remote)))?;
    if report.removed > 0 {
        let removed = count(report.removed, "branch or tag", "branches and tags");
        page.line(format_args!("{removed} went, as there."))?;
    }
    if let Some(problem) = &report.problem {
        page.line(format_args!(
            "The shared log of {} was not taken over: {}",
            safe(&report.remote),
            safe(problem)
        ))?;
    }
    for refused in &report.refused {
        let reasons = refused.reasons.join("; ");
        page.line(format_args!("{} was not copied: {}", safe(refused.name.name()), safe(&reasons)))?;
    }
    write_kept(page, &address, &report.kept)?;
    write_verified(page, &address, &report.verified)
}

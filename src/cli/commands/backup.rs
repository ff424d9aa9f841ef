//! `pent backup`.

use crate::app::second_copy::{self, BackupOptions, BackupReport, Kept};
use crate::base::size::human_bytes;
use crate::cli::commands::fsck::percent;
use crate::cli::commands::remote::write_verified;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use std::io;

/// Keep a verified second copy of everything elsewhere
///
/// All branches, drafts and tags of this repository with all history, wherever a remote can be. The first time sends
/// everything, later ones what is new. All of it is read back and compared. `pent clone` makes a repository of it again,
/// with nothing else. A branch that has work there which is not here, or which would lose commits, stays there as it
/// is and is named. `pent mirror` keeps a second copy of a remote.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to: a folder such as /mnt/backup/brand
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Also remove branches, drafts and tags there that are gone here, unless they have work that was never here
    #[arg(long)]
    exact: bool,
    /// Of what was there before read back only about so much, chosen anew each time; what is new is always read
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "100%")]
    sample: f64,
}

impl Describe for Arguments {
    const NAME: &'static str = "backup";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent backup /mnt/backup/brand", what: "bring the copy up to date and check it" },
        Example {
            line: "pent backup s3://safe/brand --sample 5%",
            what: "every night; the whole copy now and then",
        },
        Example { line: "pent clone /mnt/backup/brand", what: "have everything back" },
    ];
    const WHEN_STOPPED: Stopped =
        Stopped::of("what was sent so far is kept there", "the same command again goes on from there");
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let address = context.address(&self.address)?;
        let repository = context.repository()?;
        let options = BackupOptions { address, exact: self.exact, percent: self.sample };
        let (reach, clock, monitor) = (context.reach(), context.clock(), context.monitor());
        let report = second_copy::backup(&repository, &options, &reach, clock, monitor)?;
        context.print("backup", &report, show)?;
        if !report.verified.is_sound() {
            return Ok(ExitStatus::Damaged);
        }
        if report.kept.is_empty() {
            return Ok(ExitStatus::Done);
        }
        hint_kept(context, &report.address.to_string());
        Ok(ExitStatus::Problems)
    }
}

/// Says how to get on where names stayed.
pub(super) fn hint_kept(context: &mut Context, address: &str) {
    let address = safe(address);
    context.hint(&format!(
        "`pent remote add copy {address}` and `pent fetch copy` bring that work here; then `pent push --to copy` moves \
         or removes names there; or name another, empty place"
    ));
}

/// The names that stayed as they are at a copy.
pub(super) fn write_kept(page: &mut Page<'_>, address: &str, kept: &[Kept]) -> io::Result<()> {
    for kept in kept {
        let name = safe(kept.name.split_once('/').map_or(kept.name.as_str(), |(_, name)| name));
        let (at, why) = (kept.commit.short(), kept.why.words());
        page.line(format_args!("{name} stays at {at} at {address}: {why}."))?;
    }
    Ok(())
}

fn show(page: &mut Page<'_>, report: &BackupReport) -> io::Result<()> {
    let address = safe(&report.address.to_string());
    let names = count(report.names, "branch or tag", "branches and tags");
    let sent = human_bytes(report.moved.bytes_sent);
    page.line(format_args!("{names} at {address}; {sent} sent."))?;
    write_kept(page, &address, &report.kept)?;
    write_verified(page, &address, &report.verified)
}

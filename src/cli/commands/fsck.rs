//! `pent fsck`.

use crate::app::fsck::{self, Options, Report};
use crate::base::size::human_bytes;
use crate::base::time::Timestamp;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::damage::{write_affected, write_findings};
use crate::cli::output::{Page, count};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// Read everything again and see whether it is sound
///
/// Disks forget. This reads every byte that the repository keeps, compares it with what it was when you
/// committed it, and names every file and version that is concerned if something is not as it was.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Read only about so much of the content, chosen anew each time
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    sample: Option<f64>,
    /// Read only content that was not checked before
    #[arg(long)]
    since_last: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "fsck";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent fsck", what: "check everything" },
        Example { line: "pent fsck --sample 5%", what: "check a twentieth, for every day" },
        Example { line: "pent fsck --since-last", what: "check what is new since the last time" },
    ];
}

/// Reads a share: a number above 0, up to 100, with or without its sign.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>().ok();
    let number = number.filter(|number| *number > 0.0 && *number <= 100.0);
    number.ok_or_else(|| "a number above 0, up to 100".to_owned())
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let options = Options { sample_percent: self.sample, since_last: self.since_last };
        let report = fsck::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("fsck", &report, show)?;
        if report.sound {
            return Ok(ExitStatus::Done);
        }
        context.hint("pent repair, to mend what can be mended; your own files are not touched");
        Ok(ExitStatus::Damaged)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let checked = report.checked;
    let content = format!("{} of content", human_bytes(checked.bytes));
    let records = count(checked.objects, "record", "records");
    if report.sound {
        page.line(format_args!("Everything is sound: {content} and {records} are as they were written."))?;
    } else {
        page.line(format_args!("Read {content} and {records}. Not everything is as it was written."))?;
        page.gap()?;
        write_findings(page, &report.findings, report.findings_total)?;
        write_affected(page, "Files that need it", &report.affected)?;
    }
    if checked.chunks_left_out > 0 {
        let left_out = count(checked.chunks_left_out, "chunk was", "chunks were");
        page.remark(format_args!("{left_out} not read this time."))?;
    }
    if checked.files_elsewhere > 0 {
        let files = count(checked.files_elsewhere, "file", "files");
        page.remark(format_args!(
            "Of {files} the content is not here but on a remote, where `pent remote verify` or whoever runs it checks it."
        ))?;
    }
    if let Some(unix_ms) = report.last_sound_ms.filter(|_| !report.sound) {
        let then = page.dates.show(Timestamp::utc(unix_ms));
        page.remark(format_args!("The last time everything was sound: {then}."))?;
    }
    Ok(())
}

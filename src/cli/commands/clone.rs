//! `pent clone`.

use crate::app::clone::{self, Options, Report};
use crate::app::policy::parse_fingerprint;
use crate::base::id::PolicyId;
use crate::cli::commands::fetch;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::files::{status_of, write_files};
use crate::cli::output::logs::write_fetched;
use crate::cli::output::{Page, place, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::sync::address::Address;
use std::io;
use std::path::PathBuf;

/// Make a copy of your own of what a remote has
///
/// With all history, every byte checked when it arrives. When something stops it, the same command goes on from there.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where it is: a folder such as /mnt/nas/brand
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Where to put it; a folder of the same name here when you name none
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The branch or draft to go to
    #[arg(short, long, value_name = "NAME")]
    branch: Option<String>,
    /// The fingerprint of the first policy, as `pent policy show` has it: refuse anything else
    #[arg(long, value_name = "FINGERPRINT")]
    expect: Option<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "clone";
    const GROUP: Group = Group::Start;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent clone /mnt/nas/brand", what: "into a folder called brand" },
        Example { line: "pent clone /mnt/nas/brand ~/studio/brand", what: "into a folder of your choice" },
        Example {
            line: "pent clone /mnt/nas/brand --expect 5f3a...",
            what: "refuse another first policy than that one",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let address = context.address(&self.address)?;
        let folder = match self.folder {
            Some(folder) => context.folder().join(folder),
            None => context.folder().join(folder_name(&address)?),
        };
        let expected = self.expect.as_deref().map(expectation).transpose()?;
        let options = Options { address, folder, branch: self.branch, expected };
        let report = clone::run(&options, &context.reach(), context.clock(), context.monitor())?;
        context.print("clone", &report, show)?;
        if report.root_policy.is_some() && !report.expected {
            context.hint("compare that fingerprint with a colleague's: pent policy show");
        }
        Ok(status_of(&report.files))
    }
}

fn expectation(text: &str) -> Result<PolicyId, Failure> {
    parse_fingerprint(text).ok_or_else(|| {
        Failure::usage(format!("{} is no fingerprint", safe(text)))
            .hint("64 hexadecimal digits, with or without blanks: `pent policy show` prints them")
    })
}

/// The last part of an address, which names the folder.
fn folder_name(address: &Address) -> Result<String, Failure> {
    let text = address.to_string();
    let last = text.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    if last.is_empty() || last == "." || last == ".." {
        return Err(Failure::usage("the address does not say what to call the folder")
            .hint("name a folder after the address"));
    }
    Ok(last.to_owned())
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    page.line(fetch::sentence(&report.fetched))?;
    write_files(page, &report.files)?;
    write_fetched(page, &report.fetched.logs, "there")?;
    if let Some(root) = &report.root_policy {
        let first = if report.expected {
            "Its first policy is the one you expect"
        } else {
            "Its first policy, trusted here from now on"
        };
        page.line(format_args!("{first}: {root}"))?;
    }
    page.line(format_args!("{} is yours, on {}.", place(&report.root), safe(&report.branch)))
}

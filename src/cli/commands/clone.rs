//! `pent clone`.

use crate::app::clone::{self, Options, Report};
use crate::app::common::files_change::FilesLine;
use crate::app::policy::parse_fingerprint;
use crate::base::id::PolicyId;
use crate::base::path::AssetPath;
use crate::cli::commands::fetch;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::files::{status_of, write_files};
use crate::cli::output::logs::write_fetched;
use crate::cli::output::{Page, place, safe};
use crate::cli::paths;
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use crate::sync::address::Address;
use std::io;
use std::path::{Path, PathBuf};

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
    /// Take history, folders and metadata only; content comes when you ask for it
    #[arg(long)]
    lazy: bool,
    /// Show these folders and files only, and bring the content of nothing else
    #[arg(long, value_name = "PATH", num_args = 1..)]
    sparse: Vec<PathBuf>,
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
            line: "pent clone --lazy s3://studio/brand",
            what: "history now, content when you need it",
        },
        Example {
            line: "pent clone s3://studio/brand --sparse logos print/2026",
            what: "only two folders of it",
        },
        Example {
            line: "pent clone /mnt/nas/brand --expect 5f3a...",
            what: "refuse another first policy than that one",
        },
    ];
    const WHEN_STOPPED: Stopped =
        Stopped::of("what came so far is kept in that folder", "the same command again goes on from there");
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let address = context.address(&self.address)?;
        let folder = match self.folder {
            Some(folder) => context.folder().join(folder),
            None => context.folder().join(folder_name(&address)?),
        };
        let sparse: Result<Vec<AssetPath>, Failure> = self.sparse.iter().map(|path| inside(path)).collect();
        let expected = self.expect.as_deref().map(expectation).transpose()?;
        let (lazy, sparse) = (self.lazy, sparse?);
        let options = Options { address, folder, branch: self.branch, expected, lazy, sparse };
        let report = clone::run(&options, &context.reach(), context.clock(), context.monitor())?;
        context.print("clone", &report, show)?;
        if options.lazy && options.sparse.is_empty() {
            context.hint("show a folder: pent sparse add <folder>; `pent cat` and `pent export` need none");
        }
        if report.root_policy.is_some() && !report.expected {
            context.hint("compare that fingerprint with a colleague's: pent policy show");
        }
        Ok(status_of(&report.files))
    }
}

/// A path of the repository that is not here yet.
fn inside(typed: &Path) -> Result<AssetPath, Failure> {
    let root = Path::new("/");
    let relative = typed.strip_prefix(root).unwrap_or(typed);
    Ok(paths::asset_path(root, root, relative)?)
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
    // The sentence before says what is withheld.
    write_files(page, &FilesLine { withheld: 0, ..report.files.clone() })?;
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

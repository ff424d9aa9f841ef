//! `pent erase`.

use crate::app::erase::{self, Options, Report, Which};
use crate::app::erase_for_all::{self, CarriedOut};
use crate::app::erase_words;
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::damage::write_affected;
use crate::cli::output::{Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::repo::Repository;
use std::io;
use std::path::PathBuf;

/// Remove bytes of a version, or what somebody said, for good
///
/// For when a law or a contract demands it. History stays: that the file was there, when, and who made it. Only
/// its bytes go, everywhere in this repository, and whoever asks for them is told when, by whom and why. Nothing
/// brings them back. Under a policy, --everywhere also permits it for everybody, as an entry of the shared log: when
/// that is pushed, `pent remote gc --erased` removes the bytes from a remote, and `pent erase --permitted` from other
/// clones. Words of reviews go with --words: from every clone, once the signed permission gets there; the
/// verdict or comment itself stays, and its signature still verifies.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file, with its version as in portrait.jpg@3, or its id as b3sum says it
    #[arg(value_name = "PATH", required_unless_present_any = ["words", "permitted"])]
    path: Option<PathBuf>,
    /// Erase the words of this action of a review instead: the beginning of its id
    #[arg(long, value_name = "ACTION", conflicts_with_all = ["path", "revision"])]
    words: Option<String>,
    /// Why; shown to whoever asks for the bytes
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["dry_run", "permitted"])]
    reason: Option<String>,
    /// As of this revision instead of the newest
    #[arg(short, long, value_name = "REVISION")]
    revision: Option<String>,
    /// Also permit it for everybody: as many sign as the policy asks for
    #[arg(long, conflicts_with_all = ["words", "dry_run"])]
    everywhere: bool,
    /// Where several have to sign: the file that collects their signatures, and goes from one to the next
    #[arg(long, value_name = "FILE", requires = "everywhere")]
    permission: Option<PathBuf>,
    /// Remove here what the shared log permits to remove
    #[arg(long, conflicts_with_all = ["path", "words", "revision", "everywhere", "dry_run"])]
    permitted: bool,
    /// Only say what would go
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "erase";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent erase portrait.jpg@3 --dry-run", what: "see what would go and what stays" },
        Example {
            line: "pent erase portrait.jpg@3 --reason \"The model withdrew consent\"",
            what: "remove that version's bytes",
        },
        Example {
            line: "pent erase portrait.jpg@3 --everywhere --reason \"The model withdrew consent\"",
            what: "and permit it for everybody",
        },
        Example { line: "pent erase --permitted", what: "do here what others permitted" },
        Example {
            line: "pent erase --words 3f9c2a7b10 --reason \"Names a third person\"",
            what: "remove what was said there",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        if self.permitted {
            return carry_out(context, &repository);
        }
        let Some(path) = self.path else {
            let (action, reason) = (self.words.unwrap_or_default(), self.reason.unwrap_or_default());
            return erase_words(context, &repository, action, reason, self.dry_run);
        };
        let by_id = path.to_str().and_then(|text| text.parse().ok());
        let which = match by_id {
            Some(file) => Which::File(file),
            None => Which::Path { path: context.asset_path(&repository, &path)?, revision: self.revision },
        };
        let reason = self.reason.unwrap_or_default();
        let mut options = Options { which, identity: None, reason, dry_run: true };
        let planned = erase::run(&repository, &options, context.clock(), context.monitor())?;
        if self.dry_run {
            context.print("erase", &planned, show)?;
            return Ok(ExitStatus::Done);
        }
        let bytes = human_bytes(planned.erasure.bytes_erased);
        context.confirm(&format!("{bytes} of this file go for good. Let them go?"))?;
        options.identity = Some(context.require_identity()?);
        options.dry_run = false;
        if self.everywhere && !permit(context, &repository, &options, self.permission)? {
            return Ok(ExitStatus::Done);
        }
        let report = erase::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("erase", &report, show)?;
        Ok(ExitStatus::Done)
    }
}

/// Permits it for everybody. Tells whether it is permitted now.
fn permit(
    context: &mut Context,
    repository: &Repository,
    options: &Options,
    permission: Option<PathBuf>,
) -> Result<bool, Failure> {
    let (which, reason) = (options.which.clone(), options.reason.clone());
    let wanted = erase_for_all::Options { which, reason, permission };
    let identity = context.identity_or_ask()?;
    let report = {
        let signing = context.signing_when_needed(identity.as_ref());
        erase_for_all::permit(repository, &wanted, &signing, context.clock(), context.monitor())?
    };
    if report.missing.is_empty() {
        context
            .hint("pent push hands the permission on; then pent remote gc --erased removes the bytes there");
        return Ok(true);
    }
    context.print("erase-everywhere", &report, show_permission)?;
    context.hint("the next to sign does the same with that file; nothing is erased before enough did");
    Ok(false)
}

fn show_permission(page: &mut Page<'_>, report: &erase_for_all::Report) -> io::Result<()> {
    if let Some(path) = &report.permission {
        page.line(format_args!("Your signature is in {path}."))?;
    }
    for missing in &report.missing {
        page.line(format_args!("Missing yet: {}", safe(missing)))?;
    }
    Ok(())
}

fn carry_out(context: &mut Context, repository: &Repository) -> Result<ExitStatus, Failure> {
    context.confirm("What the shared log permits to erase goes here too, for good. Let it go?")?;
    let identity = context.require_identity()?;
    let done = erase_for_all::carry_out(repository, &identity, context.clock(), context.monitor())?;
    context.print("erase-permitted", &done, show_carried_out)?;
    Ok(ExitStatus::Done)
}

fn show_carried_out(page: &mut Page<'_>, done: &CarriedOut) -> io::Result<()> {
    if done.files.is_empty() {
        return page.line("Nothing is left here that the shared log permits to erase.");
    }
    let files = count(done.files.len() as u64, "file", "files");
    page.line(format_args!("{} of {files} are gone for good.", human_bytes(done.bytes_erased)))
}

fn erase_words(
    context: &mut Context,
    repository: &Repository,
    action: String,
    reason: String,
    dry_run: bool,
) -> Result<ExitStatus, Failure> {
    let identity = context.identity()?;
    let mut options = erase_words::Options { action, reason, dry_run: true };
    let erase = |context: &Context, options: &erase_words::Options| {
        let signing = context.signing_when_needed(identity.as_ref());
        erase_words::run(repository, options, &signing, context.clock())
    };
    let mut report = erase(context, &options)?;
    if !dry_run && !report.already {
        context.confirm("These words go for good, from every clone that hears of it. Let them go?")?;
        options.dry_run = false;
        report = erase(context, &options)?;
    }
    context.print("erase-words", &report, show_words)?;
    if !report.dry_run && !report.already {
        context.hint("pent push hands the permission on");
    }
    Ok(ExitStatus::Done)
}

fn show_words(page: &mut Page<'_>, report: &erase_words::Report) -> io::Result<()> {
    let id = report.action.short();
    match (report.already, report.dry_run, &report.text) {
        (true, ..) => page.line(format_args!("The words of {id} were erased before, and are gone.")),
        (false, true, Some(text)) => page.line(format_args!("These would go: {}", safe(text))),
        (false, true, None) => {
            page.line(format_args!("The words of {id} are not here; they would never come."))
        }
        (false, false, _) => page.line(format_args!("The words of {id} are gone; what was done stays.")),
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let erasure = &report.erasure;
    let (size, erased) = (human_bytes(erasure.size), human_bytes(erasure.bytes_erased));
    match (report.dry_run, erasure.already) {
        (_, true) => page.line("These bytes were erased before, and are gone.")?,
        (true, false) => page.line(format_args!("{erased} of {size} would go for good."))?,
        (false, false) => page.line(format_args!("{erased} of {size} are gone for good."))?,
    }
    if erasure.bytes_shared > 0 {
        let shared = human_bytes(erasure.bytes_shared);
        page.line(format_args!("{shared} stay, because other versions or files have the same bytes."))?;
    }
    if report.set_aside > 0 {
        let copies = count(report.set_aside, "copy", "copies");
        let verb = if report.dry_run { "would go" } else { "went" };
        page.line(format_args!("{copies} among the files set aside {verb} too."))?;
    }
    write_affected(page, "History keeps the name, not the bytes, of", &erasure.paths)?;
    for path in &report.in_worktree {
        page.line(format_args!("{path} in your folder still has these bytes; remove it yourself."))?;
    }
    Ok(())
}

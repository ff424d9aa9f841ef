//! `pent remote`.

use crate::app::common::remotes::Reach;
use crate::app::remote::{self, ChangeReport, CheckReport, ListReport};
use crate::app::remote_care::{self, GcOptions, GcReport, VerifyReport};
use crate::base::size::human_bytes;
use crate::cli::commands::fsck::percent;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{BOLD, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::sync::bucket::Verified;
use std::io;

/// The places that work is shared through
///
/// A remote is a folder, perhaps on a shared disk (/mnt/nas/brand), or a place in an object store: s3://bucket/brand,
/// az://container/brand, with the credentials of the cloud's own tools. Where nothing is yet, `add` begins one; no program
/// has to run there. Without a command it lists the remotes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Add a remote
    Add {
        /// What to call it; `origin` is what push and pull use when none is named
        #[arg(value_name = "NAME")]
        name: String,
        /// Where it is
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
    /// List the remotes
    List,
    /// Give a remote another address
    Set {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
        /// Where it is now
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// Also when content that is not here is not there either
        #[arg(long)]
        force: bool,
    },
    /// Call a remote otherwise
    Rename {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
        /// What it is called from now on
        #[arg(value_name = "NEW-NAME")]
        new_name: String,
    },
    /// Forget a remote; what is there stays as it is
    Remove {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
        /// Also when it alone is known to hold content that is not here
        #[arg(long)]
        force: bool,
    },
    /// Say at which remote the shared log is at home: policies, landings and locks hold once they are there
    Home {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Read everything that a remote has, and compare all hashes: where a program is at the other end, everything that
    /// its branches and tags need
    Verify {
        /// Which; `origin`, or the only one, when you name none
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Read only about so much of it, chosen anew each time
        #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "100%")]
        sample: f64,
    },
    /// Give back to a remote what it lost, as far as this clone has it
    Repair {
        /// Which; `origin`, or the only one, when you name none
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Remove what nothing on a remote needs any more; safe while others push
    Gc {
        /// Which; `origin`, or the only one, when you name none
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Say what would go, and remove nothing
        #[arg(long, short = 'n')]
        dry_run: bool,
        /// Also remove, for everybody, the bytes of files that were erased in this clone; under a policy, those
        /// whose removal the shared log permits
        #[arg(long)]
        erased: bool,
    },
    /// Look whether a remote can be reached, is this repository's, and can be used by several people
    Check {
        /// Which; `origin`, or the only one, when you name none
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

impl Describe for Arguments {
    const NAME: &'static str = "remote";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent remote add origin /mnt/nas/brand", what: "share through a folder" },
        Example { line: "pent remote", what: "see all remotes" },
        Example { line: "pent remote check origin", what: "try one" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let reach = context.reach();
        match self.action.unwrap_or(Action::List) {
            Action::List => {
                let report = remote::list(&context.repository_to_read()?)?;
                context.print("remote-list", &report, show_list)?;
                if report.remotes.is_empty() {
                    context.hint("add one: pent remote add origin /mnt/nas/brand");
                }
            }
            Action::Add { name, address } => {
                let address = context.address(&address)?;
                let report = remote::add(&context.repository()?, &name, &address, &reach)?;
                context.print("remote-add", &report, show_added)?;
                if report.begun {
                    context.hint("give it your work: pent push");
                } else {
                    context.hint("take in what is there: pent fetch");
                }
            }
            Action::Set { name, address, force } => {
                let address = context.address(&address)?;
                let (repository, monitor) = (context.repository()?, context.monitor());
                let report = remote::set(&repository, (&name, &address), force, &reach, monitor)?;
                context.print("remote-set", &report, show_added)?;
            }
            Action::Rename { name, new_name } => {
                let report = remote::rename(&context.repository()?, &name, &new_name)?;
                context.print("remote-rename", &report, |page, report| {
                    page.line(format_args!("{} is called {} now.", safe(&name), safe(&report.remote.name)))
                })?;
            }
            Action::Remove { name, force } => {
                let (repository, monitor) = (context.repository()?, context.monitor());
                let report = remote::remove(&repository, &name, force, monitor)?;
                context.print("remote-remove", &report, |page, report| {
                    page.line(format_args!("{} is forgotten here.", safe(&report.remote.name)))
                })?;
            }
            Action::Home { name } => {
                let report = remote::set_home(&context.repository()?, &name)?;
                context.print("remote-home", &report, |page, report| {
                    page.line(format_args!("The shared log is at home at {}.", safe(&report.remote.name)))
                })?;
            }
            care => return take_care(context, care, &reach),
        }
        Ok(ExitStatus::Done)
    }
}

/// The verbs that look after what is at a remote.
fn take_care(context: &mut Context, action: Action, reach: &Reach) -> Result<ExitStatus, Failure> {
    match action {
        Action::Verify { name, sample } => {
            let (repository, monitor) = (context.repository_to_read()?, context.monitor());
            let report = remote_care::verify(&repository, name.as_deref(), sample, reach, monitor)?;
            context.print("remote-verify", &report, show_verified)?;
            if !report.verified.is_sound() {
                context.hint("give it back from this clone: pent remote repair");
                return Ok(ExitStatus::Damaged);
            }
        }
        Action::Repair { name } => {
            let repository = context.repository()?;
            let report = remote_care::repair(&repository, name.as_deref(), reach, context.monitor())?;
            context.print("remote-repair", &report, show_verified)?;
            if report.verified.repaired < report.verified.objects {
                context.hint("try it in other clones: one of them may have the rest");
                return Ok(ExitStatus::Damaged);
            }
        }
        Action::Gc { name, dry_run, erased } => {
            let (repository, clock, monitor) = (context.repository()?, context.clock(), context.monitor());
            let options = GcOptions { remote: name, dry_run, erased };
            let report = remote_care::gc(&repository, &options, reach, clock, monitor)?;
            context.print("remote-gc", &report, show_gc)?;
        }
        Action::Check { name } => {
            let report = remote::check(&context.repository()?, name.as_deref(), reach)?;
            context.print("remote-check", &report, show_check)?;
        }
        _ => {}
    }
    Ok(ExitStatus::Done)
}

fn show_list(page: &mut Page<'_>, report: &ListReport) -> io::Result<()> {
    let mut columns = Columns::default();
    for remote in &report.remotes {
        let home = if report.home.as_deref() == Some(remote.name.as_str()) { "home" } else { "" };
        columns.row([
            Cell::new(safe(&remote.name)).styled(BOLD),
            Cell::new(safe(&remote.address.to_string())),
            Cell::new(home),
        ]);
    }
    columns.write(page)
}

fn show_added(page: &mut Page<'_>, report: &ChangeReport) -> io::Result<()> {
    let (name, address) = (safe(&report.remote.name), safe(&report.remote.address.to_string()));
    if report.begun {
        page.line(format_args!("{name} begins at {address}."))
    } else {
        page.line(format_args!("{name} is at {address}."))
    }
}

fn show_check(page: &mut Page<'_>, report: &CheckReport) -> io::Result<()> {
    let (name, address) = (safe(&report.remote.name), safe(&report.remote.address.to_string()));
    page.line(format_args!("{name} at {address} is all right; several people can use it at once."))?;
    let names = count(report.names.len() as u64, "branch or tag", "branches and tags");
    page.remark(format_args!("{names}, {}", count(report.publications, "publication", "publications")))
}

fn show_verified(page: &mut Page<'_>, report: &VerifyReport) -> io::Result<()> {
    write_verified(page, &safe(&report.remote), &report.verified)
}

/// Writes what reading a remote found.
pub(super) fn write_verified(page: &mut Page<'_>, name: &str, verified: &Verified) -> io::Result<()> {
    let parcels = count(verified.parcels, "pack or bundle", "packs and bundles");
    let bytes = human_bytes(verified.bytes);
    if verified.parcels_left_out > 0 {
        let left_out = count(verified.parcels_left_out, "pack or bundle was", "packs and bundles were");
        page.remark(format_args!("{left_out} not read this time."))?;
    }
    if verified.objects_left_out > 0 {
        let left_out = count(verified.objects_left_out, "object was", "objects were");
        page.remark(format_args!("{left_out} not asked for this time."))?;
    }
    if verified.head_restored {
        page.line(format_args!(
            "The head of {name} could not be read. An older one, or the names as this clone saw them last, stand in its \
             place: whoever pushed since then pushes again."
        ))?;
    }
    let indexes = verified.indexes_damaged.len() as u64;
    if indexes > 0 {
        let verb = if indexes == 1 { "is" } else { "are" };
        let files = count(indexes, "index file", "index files");
        page.line(format_args!("{files} on {name} {verb} damaged or lost."))?;
    }
    if verified.missing > 0 {
        let verb = if verified.missing == 1 { "is" } else { "are" };
        let objects = count(verified.missing, "object", "objects");
        page.line(format_args!("{objects} that its branches and tags need {verb} not on {name}."))?;
    }
    if !verified.complete && verified.parcels_left_out + verified.objects_left_out == 0 {
        page.remark("Whether everything is there that its branches and tags need is known to a clone that has it all.")?;
    }
    if verified.damaged.is_empty() && !verified.is_sound() {
        return write_repaired(page, verified);
    }
    let has_read = verified.parcels + verified.objects_read > 0;
    if verified.is_sound() && !has_read && verified.left_out() == 0 {
        return page.line(format_args!("There is nothing on {name} yet."));
    }
    if verified.damaged.is_empty() && !has_read && verified.left_out() > 0 {
        return page.line(format_args!("Nothing on {name} was read: a larger sample says more."));
    }
    if verified.damaged.is_empty() && verified.objects_read > 0 {
        let what = if verified.objects_left_out > 0 { "What was asked for" } else { "Everything" };
        let objects = count(verified.objects_read, "object", "objects");
        return page.line(format_args!("{what} on {name} came and is sound: {objects}, {bytes}."));
    }
    if verified.damaged.is_empty() {
        let what = if verified.parcels_left_out > 0 { "What was read" } else { "Everything" };
        return page.line(format_args!("{what} on {name} is sound: {parcels}, {bytes}."));
    }
    let damaged = verified.damaged.len() as u64;
    page.line(format_args!(
        "{} of {parcels} on {name} {} damaged or lost, with {}.",
        damaged,
        if damaged == 1 { "is" } else { "are" },
        count(verified.objects, "object", "objects")
    ))?;
    write_repaired(page, verified)
}

fn write_repaired(page: &mut Page<'_>, verified: &Verified) -> io::Result<()> {
    if verified.repaired > 0 {
        page.line(format_args!("{} given back.", count(verified.repaired, "object", "objects")))?;
    }
    Ok(())
}

fn show_gc(page: &mut Page<'_>, report: &GcReport) -> io::Result<()> {
    let collected = &report.collected;
    let objects = count(collected.objects, "object", "objects");
    if report.erased_here_only > 0 {
        let files = count(report.erased_here_only, "file that was", "files that were");
        page.remark(format_args!(
            "{files} erased here stay there: no entry of the shared log permits it for all."
        ))?;
    }
    if report.dry_run {
        return page.line(format_args!("{objects} on {} would go.", safe(&report.remote)));
    }
    page.line(format_args!("{objects} that nothing needs left the index of {}.", safe(&report.remote)))?;
    let blobs = |number| count(number, "file", "files");
    if collected.removed > 0 {
        let bytes = human_bytes(collected.removed_bytes);
        page.line(format_args!("{} removed, {bytes}.", blobs(collected.removed)))?;
    }
    if collected.condemned > 0 {
        page.remark(format_args!("{} will be removed in two weeks.", blobs(collected.condemned)))?;
    }
    Ok(())
}

//! `pent import`.

use crate::app::import_folder;
use crate::app::import_git::{self, NameLine, Options, Report};
use crate::base::escape::terminal;
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{Page, count, place, safe};
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use crate::import::folder::plan::{Action, Plan};
use crate::import::git::blobs::MissingContent;
use crate::import::git::run::Wish;
use crate::object::tree::ForeignAlgorithm;
use std::io;
use std::path::{Path, PathBuf};

/// Most lines of a list that are shown at once.
const LINES_SHOWN: usize = 20;

/// Bring the history along that you have elsewhere
///
/// Your Git repository, or the folder where you kept versions by name, stays as it is. Import from Git again
/// whenever there is more: only what is new is read.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, clap::Subcommand)]
enum From {
    /// From a Git repository with its Git LFS files, or from a bundle
    ///
    /// Every commit, branch and tag comes along, with signatures and messages byte for byte. Git LFS pointers
    /// become the files that they stand for, where those are at hand.
    Git {
        /// The folder of a Git repository, or a file made by `git bundle`
        #[arg(value_name = "SOURCE")]
        source: PathBuf,
        /// Only branches and tags with this name; * stands for any part. May be given several times
        #[arg(long, value_name = "NAME")]
        branches: Vec<String>,
        /// Only this file or folder. May be given several times
        #[arg(long, value_name = "PATH")]
        paths: Vec<String>,
        /// Also the branches of other repositories that it remembers, such as origin/main
        #[arg(long)]
        remotes: bool,
        /// A folder in which more Git LFS files lie
        #[arg(long, value_name = "FOLDER")]
        lfs_storage: Vec<PathBuf>,
    },
    /// From a folder where versions were kept by name, such as logo_v1.psd and logo_v2_FINAL.psd
    ///
    /// The plan is shown first: which versions become commits, in which order. Nothing is written before you
    /// say yes. Dated folders and .zip archives of old states count as states of everything. The commits go to a
    /// branch that has none yet: importing the same folder again makes them all anew, on another branch.
    Folder {
        /// The folder with the versions
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// How names tell versions apart: {name}, {number}, {date}, {word} and * stand for parts of a name
        #[arg(long, value_name = "PATTERN")]
        as_versions: Option<String>,
        /// Only show the plan
        #[arg(short = 'n', long)]
        dry_run: bool,
        /// Put the plan into a new file, to be edited there, and stop
        #[arg(long, value_name = "FILE", conflicts_with = "plan")]
        save_plan: Option<PathBuf>,
        /// Go by a plan that was saved
        #[arg(long, value_name = "FILE", conflicts_with = "as_versions")]
        plan: Option<PathBuf>,
        /// The branch that gets the commits
        #[arg(long, value_name = "NAME")]
        branch: Option<String>,
    },
}

impl Describe for Arguments {
    const NAME: &'static str = "import";
    const GROUP: Group = Group::Start;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent import git ../harbour-git", what: "all history of a Git repository" },
        Example {
            line: "pent import git harbour.bundle --branches main",
            what: "one branch out of a bundle",
        },
        Example {
            line: "pent import folder ~/logos --as-versions {name}_v{number}.psd",
            what: "logo_v1.psd, logo_v2.psd ... as versions of logo.psd",
        },
    ];
    const WHEN_STOPPED: Stopped =
        Stopped::of("what was read from Git so far is kept", "the same command again goes on from there");
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        match self.from {
            From::Git { source, branches, paths, remotes, lfs_storage } => {
                let paths =
                    paths.iter().map(|path| import_git::parse_path(path)).collect::<Result<_, _>>()?;
                let wish = Wish { names: branches, remotes, paths };
                let folder = context.folder().to_owned();
                let lfs_storage = lfs_storage.iter().map(|path| folder.join(path)).collect();
                from_git(context, &Options { source: folder.join(source), wish, lfs_storage })
            }
            From::Folder { folder, as_versions, dry_run, save_plan, plan, branch } => {
                let here = context.folder().to_owned();
                let folder = here.join(folder);
                let plan = match plan {
                    Some(file) => import_folder::read_plan(&here.join(file))?,
                    None => import_folder::plan(&folder, as_versions.as_deref(), context.monitor())?,
                };
                import_folder::check_plan(&folder, &plan)?;
                if plan.steps.is_empty() {
                    return Err(Failure::not_found("no versions were found there"));
                }
                if let Some(file) = save_plan {
                    return keep_plan(context, &plan, &here.join(file));
                }
                from_folder(context, folder, plan, branch, dry_run)
            }
        }
    }
}

fn from_git(context: &mut Context, options: &Options) -> Result<ExitStatus, Failure> {
    let repository = context.repository()?;
    let report = import_git::run(&repository, options, context.clock(), context.monitor())?;
    context.print("import-git", &report, show_git)?;
    advise(context, &report);
    let whole = report.missing.is_empty() && report.still_missing.is_empty() && report.skipped.is_empty();
    let written = report.worktree.as_ref().is_none_or(|files| files.problems.is_empty());
    Ok(if whole && written { ExitStatus::Done } else { ExitStatus::Problems })
}

fn keep_plan(context: &mut Context, plan: &Plan, file: &Path) -> Result<ExitStatus, Failure> {
    import_folder::save_plan(plan, file)?;
    context.print("import-folder-plan", plan, |page, plan| {
        let commits = count(plan.steps.len() as u64, "commit", "commits");
        page.line(format_args!("The plan of {commits} is in {}.", place(file)))
    })?;
    context.hint("edit it as you like, then run this again with --plan in place of --save-plan");
    Ok(ExitStatus::Done)
}

fn from_folder(
    context: &mut Context,
    folder: PathBuf,
    plan: Plan,
    branch: Option<String>,
    dry_run: bool,
) -> Result<ExitStatus, Failure> {
    if dry_run {
        context.print("import-folder-plan", &plan, show_plan)?;
        return Ok(ExitStatus::Done);
    }
    let repository = context.repository()?;
    let identity = context.identity_or_ask()?;
    if !context.json() {
        context.print("import-folder-plan", &plan, show_plan)?;
    }
    let commits = match plan.steps.len() {
        1 => "this commit".to_owned(),
        number => format!("these {number} commits"),
    };
    context.confirm(&format!("Make {commits}?"))?;
    let options = import_folder::Options { folder, plan, branch, identity };
    let report = import_folder::run(&repository, &options, context.clock(), context.monitor())?;
    context.print("import-folder", &report, show_folder)?;
    Ok(if report.problems.is_empty() { ExitStatus::Done } else { ExitStatus::Problems })
}

fn show_plan(page: &mut Page<'_>, plan: &Plan) -> io::Result<()> {
    for step in &plan.steps {
        page.line(format_args!("{}  {}", step.time.rfc3339(), safe(&step.message)))?;
        for action in &step.actions {
            match action {
                Action::Put { path, from } => page.line(format_args!("    {path}  from {from}"))?,
                Action::All { into, from } if into.is_root() => {
                    page.line(format_args!("    everything from {from}"))?;
                }
                Action::All { into, from } => {
                    page.line(format_args!("    {into}  everything from {from}"))?;
                }
            }
        }
    }
    for note in &plan.notes {
        page.line(format_args!("{}.", safe(note)))?;
    }
    for left in &plan.left_out {
        page.line(format_args!("left out: {}: {}", left.path, safe(&left.reason)))?;
    }
    Ok(())
}

fn show_folder(page: &mut Page<'_>, report: &import_folder::Report) -> io::Result<()> {
    let commits = count(report.commits, "version is", "versions are");
    page.line(format_args!("{commits} on {} now.", safe(report.branch.name())))?;
    page.line(format_args!(
        "{} in {}; {} of that was new, and it takes {} here.",
        human_bytes(report.bytes),
        count(report.files, "file", "files"),
        human_bytes(report.bytes_new),
        human_bytes(report.bytes_stored),
    ))
}

fn show_git(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let commits = count(report.commits, "commit is", "commits are");
    if report.commits == 0 && report.found_again == 0 {
        let all = if report.still_missing.is_empty() { "Everything" } else { "Every commit" };
        page.line(format_args!("{all} in {} is here already.", place(&report.source)))?;
    } else {
        page.line(format_args!("{commits} new, from {}.", place(&report.source)))?;
    }
    if report.files > 0 {
        let shared = report.bytes - report.bytes_new.min(report.bytes);
        page.line(format_args!(
            "{} in {}; {} of that was there already, and it takes {} here.",
            human_bytes(report.bytes),
            count(report.files, "file", "files"),
            human_bytes(shared),
            human_bytes(report.bytes_stored),
        ))?;
    }
    if report.bytes_lfs > 0 {
        let (lfs, here) = (human_bytes(report.bytes_lfs), human_bytes(report.bytes_stored));
        page.line(format_args!("Git LFS holds {lfs} of it; here all of it is {here}."))?;
    }
    let settings = &report.settings;
    if report.commits > 0 && !settings.is_empty() {
        match settings.ignore.len() {
            0 => {}
            1 => page.line(format_args!("1 rule of .gitignore holds here, too (.pent/ignore)."))?,
            rules => page.line(format_args!("{rules} rules of .gitignore hold here, too (.pent/ignore)."))?,
        }
        for (what, patterns) in [("In Git LFS", &settings.lfs), ("To be locked", &settings.lockable)] {
            if !patterns.is_empty() {
                page.line(format_args!("{what}: {} (see `pent config`).", safe(&patterns.join(" "))))?;
            }
        }
    }
    show_names(page, report)?;
    show_gaps(page, report)
}

fn show_names(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let told = |line: &&NameLine| {
        !matches!(line.outcome, "unchanged" | "kept") && (line.outcome != "gone" || line.name.is_some())
    };
    for line in report.names.iter().filter(told).take(LINES_SHOWN) {
        let name = line.name.as_ref().map_or_else(|| safe(&line.git_name), |name| safe(name.name()));
        let what = match line.outcome {
            "new" => "new",
            "moved" => "has new commits",
            "rewritten" => "was set to other commits in Git, and so here",
            "ahead" => "has commits of its own here; nothing new in Git",
            "older" => "is older there than here, and stays as it is here",
            "other" => "is another there than what came from elsewhere, and stays as it is here",
            "beside" => "holds what Git has there: the name itself goes another way here",
            "protected" => "holds Git's side: the policy protects the name itself",
            "gone" => "is gone in Git, and so here",
            "gone-kept" => {
                "is gone in Git, and stays here: somebody has work on it, or the policy protects it"
            }
            "unnamed" => "cannot be called so here; it is kept for the way back to Git",
            "left-out" => "names a tree or a large blob in Git, and nothing here",
            _ => "was removed here and stays removed",
        };
        page.line(format_args!("  {name}  {what}"))?;
    }
    let more = report.names.iter().filter(told).count().saturating_sub(LINES_SHOWN);
    if more > 0 {
        page.line(format_args!("  ... and {more} more"))?;
    }
    Ok(())
}

fn show_gaps(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.found_again > 0 {
        let found = count(report.found_again, "file", "files");
        let were = if report.found_again == 1 { "was" } else { "were" };
        page.line(format_args!("{found} that earlier imports missed {were} found."))?;
    }
    show_missing(page, &report.missing, "not at hand; a later import can bring it")?;
    show_missing(page, &report.still_missing, "still not at hand")?;
    if !report.skipped.is_empty() {
        page.line(format_args!(
            "{} left out of the files here (the way back to Git keeps them):",
            count(report.skipped.len() as u64, "entry was", "entries were")
        ))?;
        for skipped in report.skipped.iter().take(LINES_SHOWN) {
            page.line(format_args!("  {}: {}", terminal(skipped.path.as_bytes()), skipped.reason))?;
        }
        more(page, report.skipped.len())?;
    }
    Ok(())
}

fn show_missing(page: &mut Page<'_>, missing: &[MissingContent], how: &str) -> io::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let files = count(missing.len() as u64, "file is", "files are");
    page.line(format_args!("The content of {files} {how}:"))?;
    for missing in missing.iter().take(LINES_SHOWN) {
        page.line(format_args!("  {}: {}", safe(&missing.path), missing.reason))?;
        if let Some(expected) = &missing.expected {
            page.line(format_args!("    expected at {}", place(expected)))?;
        }
    }
    more(page, missing.len())
}

fn more(page: &mut Page<'_>, count: usize) -> io::Result<()> {
    match count.saturating_sub(LINES_SHOWN) {
        0 => Ok(()),
        more => page.line(format_args!("  ... and {more} more; --json lists all")),
    }
}

/// Says where content may be had that is not at hand.
fn advise_on_missing(context: &mut Context, report: &Report) {
    let lacks = |algorithm| {
        report.missing.iter().chain(&report.still_missing).any(|missing| missing.algorithm == algorithm)
    };
    if lacks(ForeignAlgorithm::Sha256) {
        context
            .hint("`git lfs fetch --all` in that repository may bring the Git LFS files; then import again");
        context.hint(
            "where Git LFS keeps them elsewhere - `git lfs env` there says LocalMediaDir - name that folder with --lfs-storage",
        );
    }
    if lacks(ForeignAlgorithm::GitBlobSha1) {
        context.hint("a clone made without --filter may have the other files: import that one, too");
    }
}

fn advise(context: &mut Context, report: &Report) {
    advise_on_missing(context, report);
    if report.remote_branches_left_out > 0 {
        let branches = count(report.remote_branches_left_out, "branch", "branches");
        let were = if report.remote_branches_left_out == 1 { "was" } else { "were" };
        context.hint(&format!("{branches} of other repositories {were} left out; --remotes brings them"));
    }
    if !report.names_left_out.is_empty() {
        let first = safe(report.names_left_out.first().map_or("", String::as_str));
        context.hint(&match report.names_left_out.len() {
            1 => format!("{first} is neither branch nor tag and was left alone"),
            names => {
                format!("{names} names that are neither branch nor tag, such as {first}, were left alone")
            }
        });
    }
    if let Some(first) = report.names_for_names.first() {
        let number = report.names_for_names.len();
        let more = if number > 1 { format!(" and {} more", number - 1) } else { String::new() };
        context.hint(&format!("{}{more}: only another word for a branch or tag, and left out", safe(first)));
    }
    if let Some(name) = &report.settings_kept_from {
        let name = name.strip_prefix("refs/heads/").unwrap_or(name);
        context.hint(&format!(
            "rules and settings stay as {} had them; an import without --branches and --paths takes them anew",
            safe(name)
        ));
    }
    if let Some(line) = report.names.iter().find(|line| line.outcome == "older") {
        let name = line.name.as_ref().map_or_else(|| safe(&line.git_name), |name| safe(name.name()));
        context.hint(&format!(
            "that source may be an old copy; if {name} was set back on purpose, remove it here and import again"
        ));
    }
    if report.regrown {
        context.hint("history that had been cut off is whole now, so commits behind it were made anew");
    }
    if report.absent_parents > 0 {
        context.hint("the source is a shallow clone: its history begins where it was cut");
    }
    if report.broken_names > 0 {
        let names = count(report.broken_names, "name", "names");
        context.warn(&format!("{names} in that repository could not be read"));
    }
    let protected = report.names.iter().find(|line| line.outcome == "protected");
    if let Some(name) = protected.and_then(|line| line.name.as_ref()) {
        context.hint(&format!(
            "to bring it to a protected branch: pent draft new from-git {}, then pent submit",
            safe(name.name())
        ));
    }
    if let Some(branch) = &report.waiting {
        let name = safe(branch.name());
        let beside =
            report.names.iter().find(|line| line.outcome == "beside").and_then(|line| line.name.as_ref());
        let beside = beside.map_or_else(|| format!("git/{name}"), |beside| safe(beside.name()));
        context.hint(&format!("{name} has uncommitted work: commit it, then pent merge {beside}"));
    } else if let Some(line) = report.names.iter().find(|line| line.outcome == "beside")
        && let Some(name) = &line.name
    {
        context.hint(&format!("bring both together: pent merge {}", safe(name.name())));
    }
}

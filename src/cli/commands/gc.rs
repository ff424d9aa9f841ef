//! `pent gc`.

use crate::app::gc::{self, Options, Report};
use crate::base::size::human_bytes;
use crate::base::time::Timestamp;
use crate::care::gc::{GRACE_DAYS, KeptLine, PackAction};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use std::io;

/// Free the space of what nothing needs any more
///
/// What a branch, draft, tag, the journal of the last 90 days or work that was set aside needs always stays.
/// Anything else stays for two more weeks before it goes, so that whatever you drop by mistake can come back.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only say what would go, what stays, and why
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// How long things stay after nothing needed them any more
    #[arg(long, value_name = "DAYS", default_value_t = GRACE_DAYS as u32)]
    grace: u32,
    /// Let everything go now that nothing needs; the same as --grace 0
    #[arg(long, conflicts_with = "grace")]
    now: bool,
    /// Go on although records are missing; what only they lead to is then lost for good
    #[arg(long)]
    accept_losses: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "gc";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent gc --dry-run", what: "see what would go" },
        Example { line: "pent gc", what: "free the space of what nothing needed for two weeks" },
        Example { line: "pent gc --now", what: "and of what nothing needs since today" },
    ];
    const WHEN_STOPPED: Stopped =
        Stopped::of("nothing that anybody needs was removed", "the same command again goes on");
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let grace_days = if self.now { 0 } else { self.grace };
        let options = Options { grace_days, dry_run: self.dry_run, accept_losses: self.accept_losses };
        if self.dry_run {
            let repository = context.repository_to_read()?;
            let report = gc::run(&repository, &options, context.clock(), context.monitor())?;
            context.print("gc", &report, show_plan)?;
            return Ok(ExitStatus::Done);
        }
        let repository = context.repository()?;
        if grace_days == 0 || self.accept_losses {
            context.confirm("What goes now cannot come back. Let it go?")?;
        }
        let report = gc::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("gc", &report, show_done)?;
        let problems = report.done.as_ref().is_some_and(|done| !done.problems.is_empty());
        Ok(if problems { ExitStatus::Damaged } else { ExitStatus::Done })
    }
}

fn show_plan(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let plan = &report.plan;
    let freed = plan.bytes_freed + report.set_aside.bytes;
    if freed == 0 && plan.due.objects + plan.due.chunks == 0 {
        page.line("Everything here is needed; there is nothing to free now.")?;
    } else {
        page.line(format_args!("About {} would be free.", human_bytes(freed)))?;
        if plan.due.objects + plan.due.chunks > 0 {
            let due = plan.due.objects + plan.due.chunks;
            page.line(format_args!("  {} that nothing needs", count(due, "record", "records")))?;
        }
        show_packs(page, report)?;
        show_set_aside(page, report, "would go")?;
    }
    show_rest(page, report)?;
    let reasons: Vec<String> = plan.kept_because.iter().map(reason).collect();
    if !reasons.is_empty() {
        page.remark(format_args!(
            "Kept: {}, because of {}.",
            human_bytes(plan.kept.bytes),
            reasons.join(", ")
        ))?;
    }
    if plan.missing > 0 {
        let missing = count(plan.missing, "record is", "records are");
        page.line(format_args!("But {missing} missing: `pent repair` first, then gc."))?;
    }
    Ok(())
}

fn show_packs(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let plan = &report.plan;
    let with = |action: PackAction| plan.packs.iter().filter(|pack| pack.action == action).count() as u64;
    let (removed, rewritten) = (with(PackAction::Remove), with(PackAction::Rewrite));
    if removed > 0 {
        page.line(format_args!("  {} would go", count(removed, "pack", "packs")))?;
    }
    if rewritten > 0 {
        page.line(format_args!("  {} would be written anew", count(rewritten, "pack", "packs")))?;
    }
    if page.verbose > 0 {
        for pack in &plan.packs {
            let (bytes, freed) = (human_bytes(pack.bytes), human_bytes(pack.bytes_freed));
            page.remark(format_args!("    {}  {bytes}, {freed} free", pack.pack))?;
        }
    }
    Ok(())
}

fn show_set_aside(page: &mut Page<'_>, report: &Report, verb: &str) -> io::Result<()> {
    let line = report.set_aside;
    if line.sets == 0 {
        return Ok(());
    }
    let (files, bytes) = (count(line.files, "file", "files"), human_bytes(line.bytes));
    page.line(format_args!("  {files} set aside more than 30 days ago {verb} ({bytes})"))
}

/// What waits for its grace to end.
fn show_rest(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let plan = &report.plan;
    if plan.waiting.objects + plan.waiting.chunks == 0 {
        return Ok(());
    }
    let bytes = human_bytes(plan.waiting.bytes);
    let from = plan.waiting_until_ms.map_or_else(String::new, |unix_ms| {
        format!(", from {} on", &Timestamp::utc(unix_ms).rfc3339()[..10])
    });
    page.remark(format_args!("{bytes} that nothing needs stay for now and may go later{from}."))
}

fn reason(line: &KeptLine) -> String {
    match line.what {
        "branches" => count(line.count, "branch", "branches"),
        "drafts" => count(line.count, "draft", "drafts"),
        "tags" => count(line.count, "tag", "tags"),
        "journal" => count(line.count, "journal entry", "journal entries"),
        "remotes" => count(line.count, "remembered place on remotes", "remembered places on remotes"),
        "set-aside" => format!("work set aside with {}", count(line.count, "draft", "drafts")),
        "merge" => "a merge under way".to_owned(),
        _ => "what is not committed yet".to_owned(),
    }
}

fn show_done(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let Some(done) = &report.done else { return show_plan(page, report) };
    let freed = done.bytes_freed + report.set_aside.bytes;
    if freed == 0 && done.objects + done.chunks == 0 {
        page.line("There was nothing to free now.")?;
    } else {
        page.line(format_args!("{} are free again.", human_bytes(freed)))?;
        let gone = done.objects + done.chunks;
        if gone > 0 {
            page.line(format_args!("  {} that nothing needed went", count(gone, "record", "records")))?;
        }
        show_set_aside(page, report, "went")?;
    }
    show_rest(page, report)?;
    for problem in &done.problems {
        page.line(format_args!("Left as it is: {}. `pent fsck` tells more.", safe(problem)))?;
    }
    Ok(())
}

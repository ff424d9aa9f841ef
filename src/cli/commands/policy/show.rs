//! How policies look.

use crate::app::common::describe::TimeLine;
use crate::app::policy::links::LinkState;
use crate::app::policy::{change, check, history, init, keys, preview, show};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::difference::write_text;
use crate::cli::output::words::{moment, subject};
use crate::cli::output::{ACCENT, BOLD, DIM, Page, count, safe, safe_lines};
use crate::rules::approval::listed;
use std::io;

pub(super) fn begun(page: &mut Page<'_>, report: &init::Report) -> io::Result<()> {
    page.line("This repository has its first policy. Its fingerprint:")?;
    page.gap()?;
    page.line(format_args!("  {}", page.styles.paint(BOLD, &report.fingerprint)))?;
    page.gap()?;
    if report.protects.is_empty() {
        return page.line("Nothing that exists is protected by it yet.");
    }
    for (name, commit) in &report.protects {
        let name = name.split_once('/').map_or(name.as_str(), |(_, name)| name);
        page.line(format_args!("{} is protected from {} on.", safe(name), commit.short()))?;
    }
    Ok(())
}

pub(super) fn policy(page: &mut Page<'_>, report: &show::Report) -> io::Result<()> {
    let (number, id, since) = (report.number, report.id.short(), page.dates.show(moment(&report.since)));
    match report.state {
        LinkState::InForce | LinkState::Disputed => {
            page.heading(format_args!("Policy {number} ({id}), since {since}"))?;
        }
        LinkState::Past => {
            page.heading(format_args!("Policy {number} ({id}), from {since}, not in force"))?;
        }
        LinkState::Proposed => page.heading(format_args!("Policy {number} ({id}), proposed {since}"))?,
        LinkState::Announced => page.heading(format_args!("Policy {number} ({id}), announced"))?,
        LinkState::Late => page.heading(format_args!("Policy {number} ({id}), proposed too late"))?,
    }
    page.remark(format_args!("First policy: {}", report.root))?;
    page.remark(format_args!("Signed by {}", safe(&listed(&report.signed))))?;
    if !report.reason.is_empty() {
        page.line(format_args!("  {}", safe_lines(&report.reason)))?;
    }
    announced(page, report.announced_until.as_ref())?;
    for missing in &report.missing {
        page.line(format_args!("  {}", safe(missing)))?;
    }
    page.gap()?;
    for line in report.policy.lines() {
        page.line(format_args!("  {}", safe(line)))?;
    }
    page.gap()?;
    let mut columns = Columns::default();
    for person in &report.people {
        let roles = if person.roles.is_empty() { "no role".to_owned() } else { listed(&person.roles) };
        let keys: Vec<String> = person.keys.iter().map(key_words).collect();
        columns.row([
            Cell::new(person.handle.to_string()).styled(BOLD),
            Cell::new(safe(person.name.as_deref().unwrap_or_default())),
            Cell::new(roles),
            Cell::new(if keys.is_empty() { "no key".to_owned() } else { keys.join(", ") }).styled(DIM),
        ]);
    }
    columns.write(page)?;
    if let Some(changes) = &report.changes {
        page.gap()?;
        page.line("What it changes:")?;
        write_text(page, changes)?;
    }
    for id in report.waiting.iter().filter(|id| **id != report.id) {
        let id = id.short();
        page.line(format_args!("Policy {id} waits for signatures: pent policy show {id}"))?;
    }
    for stray in &report.strays {
        let place = |commit: Option<crate::base::id::CommitId>| {
            commit.map_or_else(|| "nowhere".to_owned(), |commit| commit.short())
        };
        let (here, log) = (place(stray.here), place(stray.log));
        let text = format!("{} is at {here}, but by the shared log it is at {log}.", stray.name);
        page.line(page.styles.paint(ACCENT, text))?;
    }
    if !report.rivals.is_empty() {
        let rivals: Vec<String> = report.rivals.iter().map(crate::base::id::PolicyId::short).collect();
        let text =
            format!("Policies {} follow the same one: nothing moves until that is settled.", listed(&rivals));
        page.line(page.styles.paint(ACCENT, text))?;
    }
    Ok(())
}

/// Says when an announced policy may take effect.
fn announced(page: &mut Page<'_>, until: Option<&TimeLine>) -> io::Result<()> {
    match until {
        Some(until) => {
            let when = page.dates.show(moment(until));
            page.line(format_args!(
                "  announced by the recovery rule: it may take effect from {when} on, by pent policy sign"
            ))
        }
        None => Ok(()),
    }
}

/// A proposal, as whoever is to sign it has to see it.
pub(super) fn preview(page: &mut Page<'_>, report: &preview::Report) -> io::Result<()> {
    page.heading(format_args!("Policy {} ({})", report.number, report.id.short()))?;
    page.line(format_args!("  signed by {}", safe(&listed(&report.signed))))?;
    if !report.reason.is_empty() {
        page.line(format_args!("  {}", safe_lines(&report.reason)))?;
    }
    for missing in &report.missing {
        page.line(format_args!("  {}", safe(missing)))?;
    }
    page.gap()?;
    write_text(page, &report.changes)?;
    page.gap()?;
    check(page, &report.check)
}

/// A key, what it is and how far it counts: `SHA256:... (laptop, until 2026-12-31)`.
fn key_words(key: &show::KeyLine) -> String {
    let mut remarks: Vec<String> = key.note.iter().map(|note| safe(note)).collect();
    // As policies have it: a day, which begins in UTC, or a moment.
    let written = |time: &TimeLine| match time.text.split_once("T00:00:00") {
        Some((day, _)) => day.to_owned(),
        None => time.text.clone(),
    };
    remarks.extend(key.from.as_ref().map(|from| format!("from {}", written(from))));
    remarks.extend(key.until.as_ref().map(|until| format!("until {}", written(until))));
    match key.revoked_by {
        Some(entry) => remarks.push(format!("revoked by entry {entry}")),
        None if !key.counts => remarks.push("does not count now".to_owned()),
        None => {}
    }
    let print = key.fingerprint.to_string();
    if remarks.is_empty() { print } else { format!("{print} ({})", remarks.join(", ")) }
}

pub(super) fn change(page: &mut Page<'_>, report: &change::Report) -> io::Result<()> {
    let (number, id) = (report.number, report.id.short());
    match report.outcome {
        change::Outcome::InForce => page
            .line(format_args!("Policy {number} ({id}) is in force, signed by {}.", listed(&report.signed))),
        change::Outcome::Announced => page.line(format_args!(
            "Policy {number} ({id}) is announced; `pent policy log` says when its time has come. Then: pent policy sign {id}"
        )),
        change::Outcome::Waits => {
            page.line(format_args!(
                "Policy {number} ({id}) is proposed, signed by {}.",
                listed(&report.signed)
            ))?;
            for missing in &report.missing {
                page.line(format_args!("  {}", safe(missing)))?;
            }
            Ok(())
        }
    }
}

pub(super) fn trusted(page: &mut Page<'_>, report: &crate::app::policy::TrustReport) -> io::Result<()> {
    page.line(format_args!("The first policy {} is trusted here:", report.root.short()))?;
    page.line(format_args!("  {}", report.fingerprint))?;
    page.line("The next fetch takes it over.")
}

pub(super) fn withdrawn(page: &mut Page<'_>, report: &change::WithdrawReport) -> io::Result<()> {
    page.line(format_args!("The proposal {} is forgotten.", report.id.short()))
}

pub(super) fn history(page: &mut Page<'_>, report: &history::Report) -> io::Result<()> {
    for proposal in &report.proposals {
        let state = match (proposal.current, &proposal.announced_until) {
            (false, _) => "came too late",
            (true, Some(_)) => "is announced",
            (true, None) => "waits for signatures",
        };
        let (number, id) = (proposal.number, proposal.id.short());
        page.heading(format_args!("Policy {number} ({id}) {state}"))?;
        page.line(format_args!("  signed by {}", safe(&listed(&proposal.signed))))?;
        for missing in &proposal.missing {
            page.line(format_args!("  {}", safe(missing)))?;
        }
        announced(page, proposal.announced_until.as_ref())?;
        if !proposal.reason.is_empty() {
            page.line(format_args!("  {}", safe_lines(&proposal.reason)))?;
        }
        if let Some(changes) = &proposal.changes {
            write_text(page, changes)?;
        }
    }
    let mut columns = Columns::default();
    for link in &report.links {
        if let Some(changes) = &link.changes {
            let when = page.dates.show(moment(&link.time));
            page.heading(format_args!("Policy {} ({}), {when}", link.number, link.id.short()))?;
            page.line(format_args!("  signed by {}", safe(&listed(&link.signed))))?;
            if !link.reason.is_empty() {
                page.line(format_args!("  {}", safe_lines(&link.reason)))?;
            }
            write_text(page, changes)?;
            continue;
        }
        let state = match (link.disputed, link.in_force, link.recovery) {
            (true, _, _) => "disputed",
            (_, true, _) => "in force",
            (_, _, true) => "by recovery",
            _ => "",
        };
        columns.row([
            Cell::right(link.number.to_string()).styled(BOLD),
            Cell::new(link.id.short()).styled(DIM),
            Cell::new(page.dates.show(moment(&link.time))).styled(DIM),
            Cell::new(safe(&listed(&link.signed))),
            Cell::new(if link.reason.is_empty() { String::new() } else { subject(&link.reason) }),
            Cell::new(state),
        ]);
    }
    columns.write(page)
}

pub(super) fn check(page: &mut Page<'_>, report: &check::Report) -> io::Result<()> {
    if report.branches.is_empty() {
        return page.line("It protects no branch that exists.");
    }
    let moves = count(report.moves as u64, "past move", "past moves");
    let names: Vec<String> = report.branches.keys().map(|name| safe(name)).collect();
    unknown(page, report)?;
    if report.refused.is_empty() {
        let moves = count((report.moves - report.unknown.len()) as u64, "past move", "past moves");
        return page.line(format_args!(
            "With this policy all {moves} of {} would have been permitted.",
            listed(&names)
        ));
    }
    page.line(format_args!(
        "With this policy {} of {moves} of {} would have been refused:",
        report.refused.len(),
        listed(&names)
    ))?;
    for line in &report.refused {
        let what = subject(&line.commit.message);
        page.gap()?;
        page.line(format_args!(
            "{} {} {what}",
            page.styles.paint(BOLD, safe(&line.branch)),
            page.styles.paint(DIM, line.commit.id.short()),
        ))?;
        for reason in &line.because {
            page.line(format_args!("  because {}", safe(reason)))?;
        }
    }
    Ok(())
}

/// Names moves of which this clone cannot tell.
fn unknown(page: &mut Page<'_>, report: &check::Report) -> io::Result<()> {
    for line in &report.unknown {
        let (branch, commit) = (safe(&line.branch), line.commit.id.short());
        page.line(format_args!("Of the move of {branch} to {commit} this clone cannot tell:"))?;
        for reason in &line.because {
            page.line(format_args!("  {}", safe(reason)))?;
        }
    }
    Ok(())
}

pub(super) fn revoked(page: &mut Page<'_>, report: &keys::Report) -> io::Result<()> {
    page.line(format_args!(
        "The key {} of {} is revoked: nothing counts that arrives from it after entry {}.",
        report.key, report.person, report.entry
    ))
}

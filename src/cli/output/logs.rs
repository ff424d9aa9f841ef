//! What came and went of logs, for people.

use crate::app::common::anew::Anew;
use crate::app::push::LogsPushed;
use crate::cli::output::{ACCENT, Page, count, safe};
use crate::sync::logs::LogsFetched;
use std::io;

/// Whether there is anything to be said.
pub fn is_quiet(logs: &LogsFetched) -> bool {
    *logs == LogsFetched::default()
}

/// Says what came of reviews, policies and signatures, and what could not be trusted.
pub fn write_fetched(page: &mut Page<'_>, logs: &LogsFetched, remote: &str) -> io::Result<()> {
    let came = [
        (logs.actions, "action in reviews", "actions in reviews"),
        (logs.entries, "entry of the shared log", "entries of the shared log"),
        (logs.signatures, "signature of a commit", "signatures of commits"),
        (logs.proposals, "proposed policy", "proposed policies"),
        (logs.erased, "erasure of words", "erasures of words"),
    ];
    if let Some(sentence) = sentence(&came) {
        page.line(format_args!("{sentence} came from {remote}."))?;
    }
    if logs.refused > 0 {
        let things = count(logs.refused, "signed thing", "signed things");
        page.line(format_args!("{things} of {remote} did not hold or counts for nothing: not kept."))?;
    }
    if let Some(first) = logs.withheld.first() {
        let heading = page.styles.paint(ACCENT, "Withheld:");
        let things = count(logs.withheld.len() as u64, "thing", "things");
        page.line(format_args!(
            "{heading} {remote} names {things} that it does not give, {} first.",
            safe(first)
        ))?;
    }
    if let Some(problem) = &logs.problem {
        let heading = page.styles.paint(ACCENT, "Not taken over:");
        page.line(format_args!("{heading} the shared log of {remote}"))?;
        page.line(format_args!("  {}", safe(problem)))?;
    }
    if let Some(note) = &logs.note {
        let heading = page.styles.paint(ACCENT, "Look at this:");
        page.line(format_args!("{heading} {}", safe(note)))?;
    }
    Ok(())
}

/// Says what of the logs went along with a push.
pub fn write_pushed(page: &mut Page<'_>, logs: &LogsPushed, remote: &str, dry_run: bool) -> io::Result<()> {
    write_fetched(page, &logs.fetched, remote)?;
    let went = [
        (logs.actions, "action in reviews", "actions in reviews"),
        (logs.entries, "entry of the shared log", "entries of the shared log"),
        (logs.signatures, "signature of a commit", "signatures of commits"),
        (logs.proposals, "proposed policy", "proposed policies"),
    ];
    match sentence(&went) {
        Some(sentence) if dry_run => page.line(format_args!("{sentence} would go to {remote}.")),
        Some(sentence) => page.line(format_args!("{sentence} went to {remote}.")),
        None => Ok(()),
    }
}

/// Says what became of entries that others were quicker than.
pub fn write_anew(page: &mut Page<'_>, anew: &Anew) -> io::Result<()> {
    if anew.written > 0 {
        let entries = count(anew.written, "entry", "entries");
        page.line(format_args!(
            "Others were quicker: {entries} of yours stand behind theirs now, signed anew."
        ))?;
    }
    for given_up in &anew.given_up {
        let heading = page.styles.paint(ACCENT, "Taken back:");
        page.line(format_args!("{heading} {}: {}.", safe(&given_up.what), safe(&given_up.why)))?;
        page.line(format_args!("  Now: {}", safe(&given_up.next)))?;
    }
    Ok(())
}

fn sentence(counts: &[(u64, &str, &str)]) -> Option<String> {
    let some: Vec<String> =
        counts.iter().filter(|(n, _, _)| *n > 0).map(|(n, one, many)| count(*n, one, many)).collect();
    if some.is_empty() { None } else { Some(some.join(", ")) }
}

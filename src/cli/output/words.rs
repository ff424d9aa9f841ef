//! The things of reports in words: people, moments, commits, assets.

use crate::app::common::describe::{CommitLine, PersonLine, TimeLine};
use crate::app::common::signatures::{SignatureLine, SignatureState};
use crate::base::time::Timestamp;
use crate::cli::output::{BOLD, Page, safe};
use crate::repo::refs::RefName;
use std::io;

/// A person's name, or that it was erased.
pub fn person(line: &PersonLine) -> String {
    line.name.as_deref().map_or_else(|| "somebody whose name was erased".to_owned(), safe)
}

/// A moment of a report.
pub fn moment(line: &TimeLine) -> Timestamp {
    Timestamp { unix_ms: line.unix_ms, offset_minutes: line.offset_minutes }
}

/// The first line of a message, or that there is none.
pub fn subject(message: &str) -> String {
    let first = message.lines().next().unwrap_or("").trim();
    if first.is_empty() { "(no message)".to_owned() } else { safe(first) }
}

/// Whether a signature counts, and whose it is: `by Anna Lind, SHA256:...`.
pub fn signature_words(line: &SignatureLine) -> String {
    let sentence = safe(&line.sentence);
    let words = sentence.strip_prefix("signed ").unwrap_or(&sentence);
    let who = words.to_owned();
    match line.state {
        SignatureState::Good => who,
        SignatureState::Unknown | SignatureState::Expired | SignatureState::Revoked => {
            format!("{who}: does not count")
        }
        SignatureState::Bad => format!("{who}: WRONG"),
    }
}

/// A remark of a list on who signed; empty when nobody did.
pub fn signed_remark(commit: &CommitLine) -> String {
    let Some(best) = commit.signatures.first() else { return String::new() };
    match best.state {
        SignatureState::Good => {
            let mut names: Vec<String> = commit
                .signatures
                .iter()
                .filter(|line| line.state == SignatureState::Good)
                .filter_map(|line| line.name.as_deref().or(line.handle.as_deref()).map(safe))
                .collect();
            names.sort();
            names.dedup();
            format!(", signed by {}", names.join(" and "))
        }
        SignatureState::Unknown => ", signed with an unknown key".to_owned(),
        SignatureState::Expired => ", signed with an expired key".to_owned(),
        SignatureState::Revoked => ", signed with a revoked key".to_owned(),
        SignatureState::Bad => ", with a WRONG signature".to_owned(),
    }
}

/// Names of branches and tags that point at a commit, in brackets.
pub fn names(names: &[RefName]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    if names.is_empty() { String::new() } else { format!("  [{}]", names.join(", ")) }
}

/// Writes a commit on two lines: what was done; who, when, which.
///
/// `before` goes before the subject and `facts` between the date and the id.
pub fn write_commit(page: &mut Page<'_>, commit: &CommitLine, before: &str, facts: &str) -> io::Result<()> {
    let styles = page.styles;
    let title = styles.paint(BOLD, format!("{before}{}", subject(&commit.message)));
    page.line(format_args!("{title}{}", names(&commit.names)))?;
    let when = page.dates.show(moment(&commit.time));
    let id = commit.id.short();
    let signed = signed_remark(commit);
    page.remark(format_args!("    {}, {when}{facts}{signed}, {id}", person(&commit.author)))?;
    if page.verbose > 0 {
        for line in commit.message.trim_end().lines().skip(1) {
            page.line(format_args!("    {}", safe(line)).to_string().trim_end())?;
        }
    }
    Ok(())
}

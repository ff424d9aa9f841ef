//! `audit`: every move of every branch and tag, with who, when, from, to and why, and how far the
//! shared log verifies.

use crate::app::common::describe::TimeLine;
use crate::app::common::guard::{Stray, strays, verified_anew, verified_log};
use crate::app::error::AppError;
use crate::base::csv;
use crate::base::id::{CommitId, PersonId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::time::{Clock, Timestamp};
use crate::object::log_entry::{LockDeed, LogDeed, LogEntry, Why};
use crate::object::policy_link::PolicyLink;
use crate::repo::journal::JournalHead;
use crate::repo::{Repository, View};
use crate::trust::chain::{ChainError, VerifiedLog};
use serde::Serialize;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only this branch or tag, as people say it.
    pub name: Option<String>,
    /// Only from this moment on.
    pub since: Option<Timestamp>,
    /// Only up to this moment.
    pub until: Option<Timestamp>,
    /// Verify from the first entry, whatever was verified before.
    pub anew: bool,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How far the shared log verifies.
    pub chain: ChainLine,
    /// Names that do not stand where the shared log says.
    pub strays: Vec<Stray>,
    /// What happened, oldest first.
    pub events: Vec<EventLine>,
}

/// How far the shared log verifies.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ChainLine {
    /// Its entries.
    pub entries: u64,
    /// How many of them, from the first on, verify.
    pub verified: u64,
    /// Why it goes no further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Where it is written that something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The shared log: signed.
    SharedLog,
    /// This clone's own journal: unsigned.
    Journal,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
pub struct EventLine {
    /// When.
    pub time: TimeLine,
    /// Where it is written.
    pub source: Source,
    /// Its number there.
    pub sequence: u64,
    /// What happened: `move`, `policy`, `revoke`...
    pub kind: String,
    /// The branch or tag, in its stored form; empty for what moves none.
    pub name: String,
    /// Where it stood.
    pub from: Option<CommitId>,
    /// Where it went.
    pub to: Option<CommitId>,
    /// Who: the handle in the policy, the name, or the id.
    pub who: String,
    /// The person's id.
    pub person: Option<PersonId>,
    /// The key that signed.
    pub key: Option<String>,
    /// Why.
    pub why: String,
    /// Whether the chain verifies up to here; the journal never does.
    pub verified: bool,
}

/// Lists what happened.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    monitor.phase(Phase { name: "Verifying the shared log", files_total: None, bytes_total: None });
    let view = repository.view()?;
    let now = clock.now();
    let verified = if options.anew {
        verified_anew(repository, &view, now, monitor)
    } else {
        verified_log(repository, &view, now, monitor)
    };
    let entries = view.log_head()?.map_or(0, |head| head.sequence);
    let (log, chain) = match verified {
        Ok(log) => (Some(log), ChainLine { entries, verified: entries, problem: None }),
        Err(AppError::Chain(ChainError::Cancelled)) => return Err(AppError::Cancelled),
        Err(AppError::Chain(error)) => (None, broken(entries, &error)),
        Err(error) => return Err(error),
    };
    let strays = match &log {
        Some(log) => strays(&view, log)?,
        None => Vec::new(),
    };
    let mut events = Vec::new();
    logged(&view, log.as_ref(), &chain, &mut events)?;
    journalled(&view, &mut events)?;
    events.retain(|event| fits(event, options));
    events.sort_by_key(|event| (event.time.unix_ms, event.source, event.sequence));
    Ok(Report { chain, strays, events })
}

fn broken(entries: u64, error: &ChainError) -> ChainLine {
    let verified = match error {
        ChainError::Broken { sequence, .. } => sequence.saturating_sub(1),
        _ => 0,
    };
    ChainLine { entries, verified, problem: Some(error.to_string()) }
}

fn fits(event: &EventLine, options: &Options) -> bool {
    let named = options.name.as_ref().is_none_or(|name| {
        event.name == *name || event.name.split_once('/').is_some_and(|(_, short)| short == name)
    });
    let at = event.time.unix_ms;
    named
        && options.since.is_none_or(|since| since.unix_ms <= at)
        && options.until.is_none_or(|until| at <= until.unix_ms)
}

/// Everything that the shared log records.
fn logged(
    view: &View,
    log: Option<&VerifiedLog>,
    chain: &ChainLine,
    events: &mut Vec<EventLine>,
) -> Result<(), AppError> {
    for (index, signed) in view.log_entries(1)?.enumerate() {
        let sequence = index as u64 + 1;
        // What cannot be read is told by the verification, which ends there.
        let Ok(signed) = signed else { continue };
        let Ok(entry) = LogEntry::decode(&signed.statement) else { continue };
        let (name, from, to) = match &entry.deed {
            LogDeed::Move(moved) => (moved.reference.clone(), moved.from, moved.to),
            _ => (String::new(), None, None),
        };
        let (kind, why) = told(&entry.deed);
        events.push(EventLine {
            time: Timestamp::utc(entry.received_ms).into(),
            source: Source::SharedLog,
            sequence,
            kind,
            name,
            from,
            to,
            who: who(view, log, entry.actor)?,
            person: Some(entry.actor),
            key: Some(entry.key.to_string()),
            why,
            verified: sequence <= chain.verified,
        });
    }
    Ok(())
}

fn who(view: &View, log: Option<&VerifiedLog>, person: PersonId) -> Result<String, AppError> {
    if let Some(handle) = log.and_then(|log| log.handle(person)) {
        return Ok(handle.to_string());
    }
    Ok(view.person(person)?.map_or_else(|| person.to_string(), |person| person.name))
}

/// The kind of an entry, and why, in words.
fn told(deed: &LogDeed) -> (String, String) {
    let (kind, why) = match deed {
        LogDeed::Policy(taken) => ("policy", link_words(&taken.link.statement)),
        LogDeed::Recovery(announced) => ("recovery", link_words(&announced.link.statement)),
        LogDeed::Move(moved) => match moved.why {
            Why::Landing { submission } => ("move", format!("submission {submission}")),
            Why::Direct {} => ("move", "needed no approval".to_owned()),
        },
        LogDeed::Lock(lock) => {
            let deed = match lock.deed {
                LockDeed::Grant => "locked",
                LockDeed::Release => "unlocked",
                LockDeed::Break => "broke the lock of",
            };
            ("lock", format!("{deed} {}: {}", lock.asset, lock.reason))
        }
        LogDeed::Erase(_) => ("erase", "permitted to remove a file's bytes".to_owned()),
        LogDeed::Revoke(revoked) => ("revoke", format!("{}: {}", revoked.key, revoked.reason)),
        LogDeed::Received(arrived) => {
            ("received", format!("{} heads of the review log", arrived.heads.len()))
        }
        LogDeed::Unknown { kind } => (kind.as_str(), "a kind that this program does not know".to_owned()),
    };
    (kind.to_owned(), why)
}

fn link_words(statement: &str) -> String {
    match PolicyLink::decode(statement) {
        Ok(link) if link.reason.is_empty() => format!("policy {}", link.number),
        Ok(link) => format!("policy {}: {}", link.number, link.reason),
        Err(_) => "a policy that cannot be read".to_owned(),
    }
}

/// What this clone did to names, whether they are protected or not.
fn journalled(view: &View, events: &mut Vec<EventLine>) -> Result<(), AppError> {
    for entry in view.journal_heads()? {
        let JournalHead { sequence, time, verb, summary, refs, .. } = entry?;
        for moved in refs {
            let committer = match moved.after {
                Some(commit) => crate::object::source::ObjectSource::commit(view, commit).ok(),
                None => None,
            };
            let person = committer.map(|commit| commit.committer.person);
            let known = person.map(|person| who(view, None, person)).transpose()?;
            events.push(EventLine {
                time: time.into(),
                source: Source::Journal,
                sequence,
                kind: verb.clone(),
                name: moved.name.as_str().to_owned(),
                from: moved.before,
                to: moved.after,
                who: known.unwrap_or_else(|| "this clone".to_owned()),
                person,
                key: None,
                why: summary.clone(),
                verified: false,
            });
        }
    }
    Ok(())
}

impl Report {
    /// The events as comma-separated values, with a heading.
    pub fn csv(&self) -> String {
        let mut text = csv::row([
            "time", "source", "number", "kind", "name", "from", "to", "who", "person", "key", "why",
            "verified",
        ]);
        for event in &self.events {
            let commit = |id: &Option<CommitId>| id.map(|id| id.to_string()).unwrap_or_default();
            let source = match event.source {
                Source::SharedLog => "shared-log",
                Source::Journal => "journal",
            };
            text.push_str(&csv::row([
                event.time.text.clone(),
                source.to_owned(),
                event.sequence.to_string(),
                event.kind.clone(),
                event.name.clone(),
                commit(&event.from),
                commit(&event.to),
                event.who.clone(),
                event.person.map(|person| person.to_string()).unwrap_or_default(),
                event.key.clone().unwrap_or_default(),
                event.why.clone(),
                event.verified.to_string(),
            ]));
        }
        text
    }
}

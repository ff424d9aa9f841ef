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
use crate::repo::history::only_in;
use crate::repo::journal::JournalHead;
use crate::repo::{Repository, View};
use crate::rules::policy::Policy;
use crate::trust::chain::ChainError;
use serde::Serialize;
use std::collections::HashSet;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only this branch or tag, as people say it.
    pub name: Option<String>,
    /// Only this part.
    pub range: Option<Range>,
    /// Only from this moment on.
    pub since: Option<Timestamp>,
    /// Only up to this moment.
    pub until: Option<Timestamp>,
    /// Verify from the first entry, whatever was verified before.
    pub anew: bool,
}

/// A part of what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// The entries of the shared log with these numbers, both included.
    Entries {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Moves to commits that the second revision has and the first has not.
    Commits {
        /// Leave out what this one has.
        except: String,
        /// Up to this one.
        until: String,
    },
}

/// The same, looked up.
enum Part {
    All,
    Entries(std::ops::RangeInclusive<u64>),
    Commits(HashSet<CommitId>),
}

impl Part {
    fn of(view: &View, range: Option<&Range>, now: Timestamp) -> Result<Self, AppError> {
        Ok(match range {
            None => Self::All,
            Some(Range::Entries { from, to }) => Self::Entries(*from..=*to),
            Some(Range::Commits { except, until }) => {
                let except = view.resolve(except, now)?.commit;
                let until = view.resolve(until, now)?.commit;
                let new = only_in(view, [until], Some(except))?;
                Self::Commits(new.into_iter().map(|(id, _)| id).collect())
            }
        })
    }

    fn has(&self, event: &EventLine) -> bool {
        match self {
            Self::All => true,
            Self::Entries(range) => event.source == Source::SharedLog && range.contains(&event.sequence),
            Self::Commits(commits) => event.to.is_some_and(|to| commits.contains(&to)),
        }
    }
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
    /// Who: as the policy of that time calls them, else by their key; `this clone` for its journal, which does not
    /// say who sat before it.
    pub who: String,
    /// The person's id; none for the journal.
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
    logged(&view, &chain, &mut events)?;
    journalled(&view, &mut events)?;
    if let Some(name) = &options.name {
        refuse_unknown(&view, &events, name)?;
    }
    let part = Part::of(&view, options.range.as_ref(), now)?;
    events.retain(|event| fits(event, options) && part.has(event));
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

/// A mistyped name must not pass for one to which nothing happened.
fn refuse_unknown(view: &View, events: &[EventLine], name: &str) -> Result<(), AppError> {
    let is_known = events.iter().any(|event| is_called(&event.name, name))
        || view.references()?.iter().any(|(known, _)| is_called(known.as_str(), name));
    if is_known {
        return Ok(());
    }
    Err(AppError::NameUnknown { kind: "branch or tag", name: name.to_owned() })
}

fn is_called(stored: &str, name: &str) -> bool {
    stored == name || stored.split_once('/').is_some_and(|(_, short)| short == name)
}

fn fits(event: &EventLine, options: &Options) -> bool {
    let named = options.name.as_ref().is_none_or(|name| is_called(&event.name, name));
    let at = event.time.unix_ms;
    named
        && options.since.is_none_or(|since| since.unix_ms <= at)
        && options.until.is_none_or(|until| at <= until.unix_ms)
}

/// Everything that the shared log records. People are called as the policy of that time calls them.
fn logged(view: &View, chain: &ChainLine, events: &mut Vec<EventLine>) -> Result<(), AppError> {
    let mut policy: Option<Policy> = None;
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
        let brought = match &entry.deed {
            LogDeed::Policy(taken) => policy_of(&taken.link.statement),
            _ => None,
        };
        let handle = |policy: &Policy| policy.person(entry.actor).map(|(handle, _)| handle.to_string());
        let who = policy.as_ref().or(brought.as_ref()).and_then(handle);
        events.push(EventLine {
            time: Timestamp::utc(entry.received_ms).into(),
            source: Source::SharedLog,
            sequence,
            kind,
            name,
            from,
            to,
            who: who.unwrap_or_else(|| entry.key.to_string()),
            person: Some(entry.actor),
            key: Some(entry.key.to_string()),
            why,
            verified: sequence <= chain.verified,
        });
        policy = brought.or(policy);
    }
    Ok(())
}

fn policy_of(statement: &str) -> Option<Policy> {
    Policy::parse(&PolicyLink::decode(statement).ok()?.policy).ok()
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
            events.push(EventLine {
                time: time.into(),
                source: Source::Journal,
                sequence,
                kind: verb.clone(),
                name: moved.name.as_str().to_owned(),
                from: moved.before,
                to: moved.after,
                // Whoever made the commit need not be who moved the name: a fetch brings the work of others.
                who: "this clone".to_owned(),
                person: None,
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

//! Entries of the shared log that this clone wrote while the log went on without them at its home: each
//! is judged again on the log as it is now, signed anew and written, or given up.

use crate::app::common::evidence::{JustJudged, RepositoryEvidence};
use crate::app::common::forward::Forward;
use crate::app::common::guard::{remember, trust, verified_log};
use crate::app::common::members::is_timely;
use crate::app::common::session::Session;
use crate::app::common::signing::SigningAs;
use crate::app::common::underway::finish_interrupted;
use crate::app::error::AppError;
use crate::base::monitor::Monitor;
use crate::base::time::{Clock, Timestamp};
use crate::object::log_entry::{
    LogDeed, LogEntry, PolicyTaken, RecoveryAnnounced, RefMoved, SignedEntry, Why,
};
use crate::object::policy_link::PolicyLink;
use crate::repo::edit::JournalNote;
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::{Edit, RepoError, Repository, View};
use crate::rules::approval::Received;
use crate::trust::chain::{CLOCK_SKEW_MS_MAX, Evidence as _, VerifiedLog};
use crate::trust::judge::{Proposal, judge};
use crate::trust::log_writer::LogWriter;
use serde::Serialize;

/// How old an entry of one's own may be when it is given away, in milliseconds: half of what others put up
/// with ([`CLOCK_SKEW_MS_MAX`](crate::trust::chain::CLOCK_SKEW_MS_MAX)).
const RENEWED_AFTER_MS: i64 = CLOCK_SKEW_MS_MAX / 2;

/// Makes ready whoever works here to sign, when that turns out to be needed.
pub type OpenSigning<'a> = dyn Fn() -> Result<SigningAs, AppError> + 'a;

/// What became of entries that waited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Anew {
    /// How many were written anew.
    pub written: u64,
    /// Those that were given up, and why.
    pub given_up: Vec<GivenUp>,
}

/// Something that has to be done again by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GivenUp {
    /// What it was, in words.
    pub what: String,
    /// Why it does not hold any more.
    pub why: String,
    /// What to do.
    pub next: String,
}

/// Writes entries of this clone's own anew that are so old that others would have to take them for backdated.
pub fn renew_old(
    repository: &Repository,
    signing: &OpenSigning<'_>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Anew, AppError> {
    let view = repository.view()?;
    let Some(checkpoint) = view.confirmed_log()? else { return Ok(Anew::default()) };
    let confirmed = VerifiedLog::restore(&checkpoint)?.and_then(|log| log.head());
    let Some(confirmed) = confirmed.map(|head| head.sequence) else { return Ok(Anew::default()) };
    let Some(first) = view.log_entry(confirmed + 1)? else { return Ok(Anew::default()) };
    let age = LogEntry::decode(&first.statement).map_or(0, |entry| clock.now().unix_ms - entry.received_ms);
    if age <= RENEWED_AFTER_MS {
        return Ok(Anew::default());
    }
    let mut edit = repository.edit()?;
    let taken_back = edit.take_back_log(confirmed)?;
    edit.put_waiting(&taken_back)?;
    edit.put_log_checkpoint(&checkpoint)?;
    edit.commit()?;
    write_anew(repository, signing, clock, monitor)
}

/// Writes the entries that wait anew.
pub fn write_anew(
    repository: &Repository,
    signing: &OpenSigning<'_>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Anew, AppError> {
    let view = repository.view()?;
    let waiting = view.waiting_entries()?;
    if waiting.is_empty() {
        return Ok(Anew::default());
    }
    let signing = signing()?;
    let now = clock.now();
    let log = verified_log(repository, &view, now, monitor)?;
    let mut job = Job { repository, view: &view, writer: signing.writer(), now, log, anew: Anew::default() };
    let mut edit = repository.edit()?;
    let mut left = Vec::new();
    for signed in &waiting {
        if let Some(name) = job.write(&mut edit, signed)? {
            left.push(name);
        }
    }
    edit.clear_waiting()?;
    remember(&mut edit, &job.log)?;
    let current = edit.state()?.branch;
    if let Some(recorded) = job.log.recorded() {
        for name in left.iter().filter(|name| **name != current) {
            let target = recorded.reference(name.as_str()).map(RefTarget::plain);
            edit.follow_log(&recorded, name, target)?;
        }
    }
    let summary = format!("wrote {} entries of the shared log anew", job.anew.written);
    edit.record(JournalNote { verb: "push", summary, ..JournalNote::default() }, now)?;
    edit.commit()?;
    let (anew, stands) = (job.anew, job.log.reference(current.as_str()));
    if let Some(to) = stands.filter(|_| left.contains(&current)) {
        let mut session = Session::begin(repository, monitor)?;
        finish_interrupted(&mut session, clock, monitor)?;
        let forward = Forward { to, name: "the shared log", verb: "push", writer: None };
        forward.carry_out(&mut session, clock, monitor)?;
    }
    Ok(anew)
}

struct Job<'a> {
    repository: &'a Repository,
    view: &'a View,
    writer: LogWriter<'a>,
    now: Timestamp,
    log: VerifiedLog,
    anew: Anew,
}

impl Job<'_> {
    /// Writes one entry anew, or gives it up. Gives the name that a move that was given up had moved.
    fn write(&mut self, edit: &mut Edit, signed: &SignedEntry) -> Result<Option<RefName>, AppError> {
        let Ok(entry) = LogEntry::decode(&signed.statement) else { return Ok(None) };
        let moved = match &entry.deed {
            LogDeed::Move(moved) => Some(RefName::parse(&moved.reference)?),
            _ => None,
        };
        let outcome = if entry.actor == self.writer.person {
            match &entry.deed {
                LogDeed::Move(moved) => self.write_move(edit, moved)?,
                LogDeed::Unknown { .. } => Err("this program does not know what it is".to_owned()),
                deed => self.write_deed(edit, deed)?,
            }
        } else {
            Err("somebody else wrote it, and has to do it again".to_owned())
        };
        match outcome {
            Ok(()) => {
                self.anew.written += 1;
                Ok(None)
            }
            Err(why) => {
                let (what, next) = words(&entry.deed);
                self.anew.given_up.push(GivenUp { what, why, next });
                Ok(moved)
            }
        }
    }

    fn write_move(&mut self, edit: &mut Edit, moved: &RefMoved) -> Result<Result<(), String>, AppError> {
        if self.log.reference(&moved.reference) != moved.from {
            return Ok(Err("the branch moved on meanwhile".to_owned()));
        }
        let received = Received { sequence: u64::MAX, unix_ms: self.now.unix_ms };
        let evidence = RepositoryEvidence::new(self.view, self.repository.id());
        let found = match evidence.of_move(&self.log, received, moved) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if let Err(refusal) = self.judged_by_all(received, moved) {
            return Ok(Err(refusal));
        }
        let submission = match moved.why {
            Why::Landing { submission } => Some(submission),
            Why::Direct {} => None,
        };
        let actor = self.writer.actor();
        let judged = judge(
            &self.log,
            &Proposal {
                reference: &moved.reference,
                from: moved.from,
                to: moved.to,
                actor: Some(&actor),
                at_ms: self.now.unix_ms,
                submission,
                evidence: &found,
            },
        );
        let authorised = match judged {
            Ok(authorised) => authorised,
            Err(refusal) => return Ok(Err(refusal.to_string())),
        };
        let entry = self.writer.entry(&self.log, LogDeed::Move(moved.clone()), self.now.unix_ms)?;
        let trust = trust(self.repository, self.view, self.now)?;
        let after = self.log.clone().extended(&entry, &trust, &JustJudged(&found))?;
        let name = RefName::parse(&moved.reference)?;
        let target = edit.reference(&name)?.filter(|target| Some(target.commit) == moved.to);
        let target = target.or_else(|| moved.to.map(RefTarget::plain));
        // It moved here already, by the entry that does not count any more.
        if let Some(recorded) = self.log.recorded() {
            edit.follow_log(&recorded, &name, moved.from.map(RefTarget::plain))?;
        }
        edit.move_protected(&authorised, target, &entry)?;
        self.log = after;
        Ok(Ok(()))
    }

    /// Judges a move with everything that is here by now, whether or not its entry names it.
    fn judged_by_all(&self, received: Received, moved: &RefMoved) -> Result<(), String> {
        let evidence = RepositoryEvidence::of_all_here(self.view, self.repository.id());
        let found = evidence.of_move(&self.log, received, moved).map_err(|error| error.to_string())?;
        let actor = self.writer.actor();
        let proposal = Proposal {
            reference: &moved.reference,
            from: moved.from,
            to: moved.to,
            actor: Some(&actor),
            at_ms: self.now.unix_ms,
            submission: match moved.why {
                Why::Landing { submission } => Some(submission),
                Why::Direct {} => None,
            },
            evidence: &found,
        };
        judge(&self.log, &proposal).map(drop).map_err(|refusal| refusal.to_string())
    }

    fn write_deed(&mut self, edit: &mut Edit, deed: &LogDeed) -> Result<Result<(), String>, AppError> {
        if let LogDeed::Policy(PolicyTaken { link, .. }) | LogDeed::Recovery(RecoveryAnnounced { link }) =
            deed
            && !PolicyLink::decode(&link.statement).is_ok_and(|link| is_timely(&self.log, &link))
        {
            // Written all the same it would stand beside the other, and stop everybody until that is settled. It
            // stays here as a proposal that came too late, so that its text can be had again.
            match edit.put_proposal(link) {
                Ok(_) | Err(RepoError::TooManyProposals) => {}
                Err(error) => return Err(error.into()),
            }
            return Ok(Err("another policy took effect meanwhile".to_owned()));
        }
        let entry = self.writer.entry(&self.log, deed.clone(), self.now.unix_ms)?;
        let evidence = RepositoryEvidence::new(self.view, self.repository.id());
        let trust = trust(self.repository, self.view, self.now)?;
        match self.log.clone().extended(&entry, &trust, &evidence) {
            Ok(after) => {
                edit.append_log(&entry)?;
                self.log = after;
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

/// What an entry was, and what to do when it does not hold any more.
fn words(deed: &LogDeed) -> (String, String) {
    let (what, next) = match deed {
        LogDeed::Move(moved) => {
            let name = moved.reference.split_once('/').map_or(moved.reference.as_str(), |(_, name)| name);
            match moved.why {
                Why::Landing { submission } => (
                    format!("the landing of submission {} on {name}", submission.short()),
                    format!("pent land {}, then pent push", submission.short()),
                ),
                Why::Direct {} => (format!("a move of {name}"), "do it again".to_owned()),
            }
        }
        LogDeed::Policy(PolicyTaken { link, .. }) | LogDeed::Recovery(RecoveryAnnounced { link }) => {
            let id = PolicyLink::id_of(&link.statement).short();
            let next =
                format!("pent policy show {id} has what it said; pent policy edit puts it into the new one");
            ("a change of the policy".to_owned(), next)
        }
        LogDeed::Lock(_) => ("a change of a lock".to_owned(), "pent locks".to_owned()),
        LogDeed::Erase(_) => ("a permission to erase".to_owned(), "ask for it again".to_owned()),
        LogDeed::Revoke(_) => ("the end of a key".to_owned(), "pent policy show".to_owned()),
        LogDeed::Received(_) | LogDeed::Unknown { .. } => ("a note".to_owned(), "nothing".to_owned()),
    };
    (what, next)
}

//! What the shared log says of how a commit came to a protected branch, and who approved what came with it.
//!
//! People are called as the policy calls them under which they spoke: the records of names that come along
//! with commits are signed by nobody.

use crate::app::common::evidence::{LogKeys, RepositoryEvidence, called};
use crate::app::common::guard::verified_log;
use crate::app::error::AppError;
use crate::app::review::log::{recorded_landing, submission_of};
use crate::app::verify::{Outcome, Part};
use crate::base::id::{CommitId, PersonId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::commit::Commit;
use crate::object::log_entry::{LogDeed, LogEntry, RefMoved, Why};
use crate::object::policy_link::PolicyLink;
use crate::repo::history::is_ancestor;
use crate::repo::{Repository, View};
use crate::review::fold::Keys as _;
use crate::rules::approval::{Received, listed};
use crate::trust::chain::{Evidence as _, VerifiedLog};
use crate::trust::judge::{Proposal, approvals};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};

/// Landings of which it is told who approved them.
const APPROVERS_MAX: usize = 200;

/// What the shared log says of landings.
pub(super) struct Landings<'a> {
    view: &'a View,
    log: VerifiedLog,
    evidence: RepositoryEvidence<'a>,
    told: Cell<usize>,
}

/// A move of a branch that the shared log records.
struct Recorded {
    sequence: u64,
    received: Received,
    moved: RefMoved,
}

impl<'a> Landings<'a> {
    pub(super) fn of(
        repository: &Repository,
        view: &'a View,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let log = verified_log(repository, view, clock.now(), monitor)?;
        let evidence = RepositoryEvidence::new(view, repository.id());
        Ok(Self { view, log, evidence, told: Cell::new(0) })
    }

    /// What to call the people of the policy in force; `None` without one.
    pub(super) fn roll(&self) -> Option<HashMap<PersonId, String>> {
        LogKeys(&self.log).roll()
    }

    /// Whether a commit that says which submission it brought did so by an entry of the log, and by whose word.
    pub(super) fn part(&self, id: CommitId, commit: &Commit) -> Result<Option<Part>, AppError> {
        let Some(submission) = submission_of(commit).filter(|_| self.log.head().is_some()) else {
            return Ok(None);
        };
        let recorded = self.log.landing(submission);
        let landed = recorded.map(|sequence| recorded_landing(self.view, sequence)).transpose()?.flatten();
        let (outcome, entry, sentence) = match (recorded, landed) {
            (Some(sequence), Some(landed)) if landed.commit == id => {
                (Outcome::Good, Some(sequence), self.sentence(sequence)?)
            }
            (Some(sequence), _) => {
                let submission = submission.short();
                let sentence =
                    format!("it says that it landed submission {submission}, which entry {sequence} landed");
                (Outcome::Wrong, None, sentence)
            }
            (None, _) => {
                let submission = submission.short();
                let sentence =
                    format!("it landed submission {submission} where no policy asked for approvals");
                (Outcome::Good, None, sentence)
            }
        };
        Ok(Some(Part { topic: "landing", outcome, sentence, entry }))
    }

    /// By which entry a protected branch has a commit, and who approved what that brought: of one asset, or all
    /// of it. `None` when no protected branch has it by an entry.
    pub(super) fn arrival(
        &self,
        commit: CommitId,
        asset: Option<&AssetPath>,
    ) -> Result<Option<Part>, AppError> {
        let current = self.view.branch()?.as_str().to_owned();
        let others = self.log.references().keys().filter(|name| name.starts_with("branch/"));
        let mut names: Vec<&str> = others.map(String::as_str).collect();
        names.sort_by_key(|name| *name != current);
        for name in names {
            let branch = name.strip_prefix("branch/").unwrap_or(name);
            let Some(found) = self.first_with(name, commit)? else {
                let Some(sequence) = self.protected_with(name, commit)? else { continue };
                let sentence = format!(
                    "{branch} had it before entry {sequence} of the shared log began to protect it, so nobody judged it"
                );
                return Ok(Some(Part { topic: "landing", outcome: Outcome::Missing, sentence, entry: None }));
            };
            let by = match (&found.moved.why, self.approvers(&found, asset)?) {
                (Why::Direct {}, _) => "directly, as the policy permits".to_owned(),
                (Why::Landing { .. }, None) => "with the approvals that the policy asked for".to_owned(),
                (Why::Landing { .. }, Some(people)) if people.is_empty() => {
                    "for which the policy asked nobody".to_owned()
                }
                (Why::Landing { .. }, Some(people)) => format!("approved by {}", listed(&people)),
            };
            let proof = if matches!(found.moved.why, Why::Landing { .. }) {
                "; `pent certificate` proves it"
            } else {
                ""
            };
            let sentence =
                format!("entry {} of the shared log brought it to {branch}, {by}{proof}", found.sequence);
            let entry = Some(found.sequence);
            return Ok(Some(Part { topic: "landing", outcome: Outcome::Good, sentence, entry }));
        }
        Ok(None)
    }

    /// The first move by which a branch has a commit; `None` when it does not have it, or had it before the log
    /// speaks of it.
    fn first_with(&self, name: &str, commit: CommitId) -> Result<Option<Recorded>, AppError> {
        let mut moves = Vec::new();
        for signed in self.view.log_entries(1)? {
            let Ok(entry) = LogEntry::decode(&signed?.statement) else { continue };
            let received = Received { sequence: entry.sequence, unix_ms: entry.received_ms };
            if let LogDeed::Move(moved) = entry.deed
                && moved.reference == name
            {
                moves.push(Recorded { sequence: received.sequence, received, moved });
            }
        }
        let has = |at: Option<CommitId>| match at {
            Some(at) => is_ancestor(self.view, commit, at),
            None => Ok(false),
        };
        if !has(moves.last().and_then(|last| last.moved.to))? {
            return Ok(None);
        }
        // A protected branch only goes forward: once it has a commit, it keeps it.
        let (mut without, mut with) = (0, moves.len() - 1);
        while without < with {
            let middle = without + (with - without) / 2;
            if has(moves[middle].moved.to)? {
                with = middle;
            } else {
                without = middle + 1;
            }
        }
        let found = moves.swap_remove(with);
        Ok(if has(found.moved.from)? { None } else { Some(found) })
    }

    /// The entry whose policy began to protect a branch that had a commit already.
    fn protected_with(&self, name: &str, commit: CommitId) -> Result<Option<u64>, AppError> {
        for signed in self.view.log_entries(1)? {
            let Ok(entry) = LogEntry::decode(&signed?.statement) else { continue };
            let LogDeed::Policy(taken) = entry.deed else { continue };
            let Ok(link) = PolicyLink::decode(&taken.link.statement) else { continue };
            if let Some(start) = link.starts.get(name)
                && is_ancestor(self.view, commit, *start)?
            {
                return Ok(Some(entry.sequence));
            }
        }
        Ok(None)
    }

    /// Says who approved what an entry landed, as far as it counted then.
    fn sentence(&self, sequence: u64) -> Result<String, AppError> {
        let told = self.told.replace(self.told.get() + 1);
        let approvers = match self.recorded(sequence)?.filter(|_| told < APPROVERS_MAX) {
            Some(recorded) => self.approvers(&recorded, None)?,
            None => None,
        };
        let by = match approvers {
            None => "with the approvals that the policy asked for".to_owned(),
            Some(people) if people.is_empty() => "for which the policy asked nobody".to_owned(),
            Some(people) => format!("approved by {}", listed(&people)),
        };
        Ok(format!("entry {sequence} of the shared log has it, {by}; `pent certificate` proves it"))
    }

    fn recorded(&self, sequence: u64) -> Result<Option<Recorded>, AppError> {
        let Some(signed) = self.view.log_entry(sequence)? else { return Ok(None) };
        let Ok(entry) = LogEntry::decode(&signed.statement) else { return Ok(None) };
        let received = Received { sequence, unix_ms: entry.received_ms };
        let LogDeed::Move(moved) = entry.deed else { return Ok(None) };
        Ok(Some(Recorded { sequence, received, moved }))
    }

    /// The people whose approvals counted for what an entry landed, of one asset or of all, as the policy called
    /// them then; `None` when that cannot be told.
    fn approvers(
        &self,
        recorded: &Recorded,
        asset: Option<&AssetPath>,
    ) -> Result<Option<Vec<String>>, AppError> {
        let Recorded { sequence, received, moved } = recorded;
        let Some(before) = self.log.before(self.view, *sequence)? else { return Ok(None) };
        let Why::Landing { submission } = moved.why else { return Ok(None) };
        let Ok(found) = self.evidence.of_move(&before, *received, moved) else { return Ok(None) };
        let counted = approvals(
            &before,
            &Proposal {
                reference: &moved.reference,
                from: moved.from,
                to: moved.to,
                actor: None,
                at_ms: received.unix_ms,
                submission: Some(submission),
                evidence: &found,
            },
        );
        let concerns = |place: usize| {
            let transition = &found.changes[place].transition;
            asset.is_none_or(|path| transition.touches(path))
        };
        let counting = counted.into_iter().enumerate().filter(|(place, _)| concerns(*place));
        let people: BTreeSet<PersonId> = counting
            .flat_map(|(_, votes)| votes)
            .map(|vote| found.votes[vote].approval.value().person)
            .collect();
        let policy = before.in_force().map(|in_force| &in_force.policy);
        let name = |person: PersonId| {
            let known = policy.and_then(|policy| policy.person(person));
            known.map_or_else(|| person.short(), |(handle, member)| called(handle, member))
        };
        Ok(Some(people.into_iter().map(name).collect()))
    }
}

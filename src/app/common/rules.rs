//! The rules of a repository for what comes from elsewhere: the same judgement that local commands go
//! through ([`trust::judge`](crate::trust::judge)), asked by fetches, by pushes, and by servers for what
//! they are sent.
//!
//! The shared log that comes is verified from the pinned first policy, every move under the policy in
//! force at its entry. A protected name is where the log says, or it is not taken over.

use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::verified_of;
use crate::app::common::locks::{LockNotes, broken_by};
use crate::app::common::log_arriving::{Joined, told, told_of_left_out};
use crate::app::common::members::{has_place, is_timely, known_people};
use crate::app::common::proof;
use crate::app::error::AppError;
use crate::app::policy::fingerprint;
use crate::base::id::{ActionId, CommitId, PolicyId, RepositoryId};
use crate::base::monitor::{Monitor, SilentMonitor};
use crate::base::time::Timestamp;
use crate::object::log_entry::{LogEntry, RefMoved, SignedEntry, Why};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::signature::{Namespace, PublicKey, Signature};
use crate::object::source::ObjectSource;
use crate::repo::history::is_ancestor;
use crate::repo::refs::{RefKind, RefName};
use crate::repo::shared_log::LogHead;
use crate::repo::{Edit, RepoError, Repository, View};
use crate::rules::approval::{Missing, Received, Recorded, check_quorum};
use crate::rules::policy::Policy;
use crate::sync::SyncError;
use crate::sync::accept::{Case, Decision, Judge, Known, Said};
use crate::sync::error::SyncResult;
use crate::sync::logs::{LogArrival, LogFound};
use crate::sync::remote::RefChange;
use crate::trust::chain::{CLOCK_SKEW_MS_MAX, ChainError, Evidence, LogSource, Trust, VerifiedLog, verify};
use crate::trust::judge::{Proposal, judge};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The rules that hold in a repository.
pub struct Rules {
    repository: RepositoryId,
    expected: Option<PolicyId>,
    begins: bool,
    now: Timestamp,
    /// The moment by which locks are judged.
    locks: Timestamp,
    proof: PathBuf,
    /// Our own log as it was verified last: many things are asked about one.
    known: Mutex<Option<(Option<LogHead>, Arc<VerifiedLog>)>>,
}

impl Rules {
    /// The rules of a repository, at a moment.
    pub fn of(repository: &Repository, now: Timestamp) -> Self {
        let proof = repository.pent_dir().join(proof::FOLDER);
        Self {
            repository: repository.id(),
            expected: None,
            begins: false,
            now,
            locks: now,
            proof,
            known: Mutex::default(),
        }
    }

    /// The same, judging locks by another clock than this computer's.
    #[must_use]
    pub fn judging_locks_at(self, moment: Timestamp) -> Self {
        Self { locks: moment, ..self }
    }

    /// The same for a clone that is being made: it takes over the first policy that it is shown.
    #[must_use]
    pub fn beginning(self) -> Self {
        Self { begins: true, ..self }
    }

    /// The same, insisting that the first policy is this one.
    #[must_use]
    pub fn expecting(self, expected: Option<PolicyId>) -> Self {
        Self { expected, ..self }
    }
}

/// What is to be remembered with what was decided.
#[derive(Default)]
struct Taking {
    /// The newest entry here when it was judged.
    judged: Option<LogHead>,
    entries: Option<(Recorded, u64, Vec<SignedEntry>)>,
    checkpoint: Option<Vec<u8>>,
    confirmed: Option<Vec<u8>>,
    root: Option<PolicyId>,
    locks: Option<Option<Vec<u8>>>,
    seen: Option<(String, LogHead, i64)>,
}

impl Taking {
    fn apply(self, edit: &mut Edit) -> Result<(), RepoError> {
        if let Some((recorded, common, entries)) = self.entries {
            // What others published, or another fetch took over, since this was judged stays.
            if edit.log_head()? != self.judged {
                return Err(RepoError::LogMoved);
            }
            if edit.log_head()?.is_some_and(|head| head.sequence > common) {
                let taken_back = edit.take_back_log(common)?;
                edit.put_waiting(&taken_back)?;
            }
            edit.take_log(&recorded, &entries)?;
        }
        if let Some(root) = self.root {
            edit.pin_root(root)?;
        }
        if let Some(checkpoint) = &self.checkpoint {
            edit.put_log_checkpoint(checkpoint)?;
        }
        if let Some(locks) = &self.locks {
            edit.put_lock_notes(locks.as_deref())?;
        }
        if let Some(confirmed) = &self.confirmed {
            edit.put_confirmed_log(confirmed)?;
        }
        match self.seen {
            Some((remote, head, now_ms)) => edit.put_seen_log(&remote, head, now_ms),
            None => Ok(()),
        }
    }
}

/// The shared log by which names are judged.
struct Standing {
    /// The log, verified; `None` when what came cannot be trusted.
    log: Option<VerifiedLog>,
    /// Whether the remote has less of the log than is here.
    is_behind: bool,
    taking: Taking,
    entries: u64,
    problem: Option<String>,
    note: Option<String>,
}

impl Standing {
    const fn problem(problem: String) -> Self {
        Self {
            log: None,
            is_behind: false,
            taking: Taking {
                judged: None,
                entries: None,
                checkpoint: None,
                confirmed: None,
                root: None,
                locks: None,
                seen: None,
            },
            entries: 0,
            problem: Some(problem),
            note: None,
        }
    }

    /// The remote has a policy, and this clone none: names move as they did, and the owner is told.
    fn unknown_root(ours: VerifiedLog, root: PolicyId) -> Self {
        let text = fingerprint(root);
        let problem = format!(
            "it begins with a first policy that this clone was not told to trust: {text}. Compare that with a colleague, \
             by another way than this remote; then `pent policy trust {}` takes it over",
            text.replace(' ', "")
        );
        Self { log: Some(ours), problem: Some(problem), ..Self::problem(String::new()) }
    }
}

impl Rules {
    fn trust(&self, view: &View) -> SyncResult<Trust> {
        let pinned = self.expected.or(view.pinned_root()?);
        Ok(Trust { repository: self.repository, pinned, now_ms: self.now.unix_ms })
    }

    fn verify<S: LogSource + ?Sized>(
        &self,
        view: &View,
        source: &S,
        earlier: Option<VerifiedLog>,
    ) -> SyncResult<Result<VerifiedLog, ChainError>> {
        self.verify_by(view, source, earlier, &RepositoryEvidence::new(view, self.repository))
    }

    fn verify_by<S: LogSource + ?Sized>(
        &self,
        view: &View,
        source: &S,
        earlier: Option<VerifiedLog>,
        evidence: &RepositoryEvidence<'_>,
    ) -> SyncResult<Result<VerifiedLog, ChainError>> {
        match verify(source, &self.trust(view)?, earlier, evidence, &SilentMonitor) {
            Err(ChainError::Repo(error)) => Err(error.into()),
            Err(ChainError::Cancelled) => Err(SyncError::Cancelled),
            outcome => Ok(outcome),
        }
    }

    /// Our own log, verified.
    fn ours(&self, view: &View, monitor: &dyn Monitor) -> SyncResult<Arc<VerifiedLog>> {
        let head = view.log_head()?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, log)) = known.as_ref().filter(|(at, _)| *at == head) {
            return Ok(log.clone());
        }
        let trust = self.trust(view)?;
        let verified =
            verified_of(view, &Trust { pinned: view.pinned_root()?, ..trust }, monitor).map_err(|error| {
                match error {
                    AppError::Repo(error) => error.into(),
                    AppError::Chain(ChainError::Cancelled) => SyncError::Cancelled,
                    error => SyncError::LogRefused(format!(
                        "the shared log of this clone does not verify: {error}"
                    )),
                }
            })?;
        let verified = Arc::new(verified);
        *known = Some((head, verified.clone()));
        Ok(verified)
    }

    fn standing(&self, view: &View, case: &Case<'_>) -> SyncResult<Standing> {
        let ours = VerifiedLog::clone(&*self.ours(view, &SilentMonitor)?);
        let seen = match case.remote {
            Some(remote) => view.seen_log(remote)?,
            None => None,
        };
        match case.log {
            LogFound::Broken(reason) => Ok(Standing::problem(reason.clone())),
            LogFound::Nothing if seen.is_some() => {
                self.gone_back(view, seen.map_or(0, |seen| seen.sequence), None)
            }
            LogFound::Nothing => match (self.expected, case.remote) {
                (Some(expected), Some(_)) if ours.root() != Some(expected) => Ok(Standing::problem(format!(
                    "the first policy is missing there, but you expect {expected}"
                ))),
                _ => Ok(Standing {
                    log: Some(ours),
                    is_behind: true,
                    taking: Taking::default(),
                    entries: 0,
                    problem: None,
                    note: None,
                }),
            },
            LogFound::Log(arrival) => self.arrived(view, ours, seen, arrival, case.remote),
        }
    }

    fn arrived(
        &self,
        view: &View,
        ours: VerifiedLog,
        seen: Option<LogHead>,
        arrival: &LogArrival,
        remote: Option<&str>,
    ) -> SyncResult<Standing> {
        let confirmed = restored(view.confirmed_log()?);
        let sequence = |log: &Option<VerifiedLog>| {
            log.as_ref().and_then(VerifiedLog::head).map_or(0, |head| head.sequence)
        };
        let (seen_to, held_to) = (seen.map_or(0, |seen| seen.sequence), sequence(&confirmed));
        if arrival.entries.is_empty() {
            if arrival.common < seen_to {
                return self.gone_back(view, seen_to, Some(arrival.head));
            }
            return self.same_or_less(view, ours, confirmed, arrival, remote);
        }
        if arrival.common < seen_to.max(held_to) {
            return self.forked(view, arrival);
        }
        let ours_to = ours.head().map_or(0, |head| head.sequence);
        let nothing = ours.clone();
        if remote.is_none() && arrival.common < ours_to {
            return Ok(Standing::problem("the shared log here has gone on meanwhile".to_owned()));
        }
        if let Some(problem) = self.backdated(view, arrival, remote)? {
            return Ok(Standing::problem(problem));
        }
        let earlier = if arrival.common >= ours_to { Some(ours) } else { confirmed };
        let earlier = earlier.filter(|log| log.head().is_some_and(|head| head.sequence <= arrival.common));
        let LogArrival { head, common, entries } = arrival;
        let joined = Joined { view, head: *head, common: *common, entries };
        let evidence = RepositoryEvidence::new(view, self.repository);
        let log = match self.verify_by(view, &joined, earlier.clone(), &evidence)? {
            Ok(log) => log,
            Err(error) => return Ok(Standing::problem(told(view, &error, entries)?)),
        };
        // What an entry leaves out of the review log, whoever lands may not have known; but it is known here. Of a
        // whole log that comes at once nobody can say what was known when.
        let everything = evidence.with_all_here();
        let left_out = match arrival.common {
            0 => None,
            _ => self.verify_by(view, &joined, earlier, &everything)?.err(),
        };
        if let (Some(error), None) = (&left_out, remote) {
            return Ok(Standing::problem(format!("with everything that is said of it here: {error}")));
        }
        if let Some(root) = log.root().filter(|_| ours_to == 0)
            && remote.is_some()
            && !self.may_begin_with(view, root)?
        {
            return Ok(Standing::unknown_root(nothing, root));
        }
        let checkpoint = log.checkpoint().map_err(|error| SyncError::LogRefused(error.to_string()))?;
        let taken = log.recorded().map(|recorded| (recorded, *common, entries.clone()));
        let taking = Taking {
            judged: view.log_head()?,
            entries: taken,
            root: log.root(),
            locks: Some(LockNotes::of(&log)),
            confirmed: remote.is_some().then(|| checkpoint.clone()),
            checkpoint: Some(checkpoint),
            seen: remote.map(|remote| (remote.to_owned(), *head, self.now.unix_ms)),
        };
        let entries = entries.len() as u64;
        let note = left_out.map(|error| told_of_left_out(&error));
        Ok(Standing { log: Some(log), is_behind: false, taking, entries, problem: None, note })
    }

    /// Whether a first policy may be taken over that this clone has not seen before: when the clone is being
    /// made, and when its owner said so.
    fn may_begin_with(&self, view: &View, root: PolicyId) -> SyncResult<bool> {
        Ok(self.begins || self.expected == Some(root) || view.expected_root()? == Some(root))
    }

    /// Why new entries cannot have been received when they say so: somebody was looking then, and they were not
    /// there. Whoever keeps the log looks now; a mirror of it gets what its home took in long ago.
    fn backdated(
        &self,
        view: &View,
        arrival: &LogArrival,
        remote: Option<&str>,
    ) -> SyncResult<Option<String>> {
        let looked = match remote {
            Some(remote) => view.seen_log_at(remote)?,
            None if view.home_remote()?.is_some() => None,
            None => (arrival.common > 0).then_some(self.now.unix_ms),
        };
        let (Some(looked), Some(first)) = (looked, arrival.entries.first()) else { return Ok(None) };
        let Ok(entry) = LogEntry::decode(&first.statement) else { return Ok(None) };
        if entry.received_ms >= looked.saturating_sub(CLOCK_SKEW_MS_MAX) {
            return Ok(None);
        }
        let (said, looked) = (Timestamp::utc(entry.received_ms).rfc3339(), Timestamp::utc(looked).rfc3339());
        Ok(Some(format!(
            "entry {} of the shared log says that it was received at {said}, but it was not there yet at {looked}: it \
             was put back in time. Whoever wrote it has to do it again",
            entry.sequence
        )))
    }

    /// The remote has nothing of the log that is not here.
    fn same_or_less(
        &self,
        view: &View,
        ours: VerifiedLog,
        confirmed: Option<VerifiedLog>,
        arrival: &LogArrival,
        remote: Option<&str>,
    ) -> SyncResult<Standing> {
        let mut taking = Taking::default();
        if let Some(expected) = self.expected.filter(|expected| ours.root() != Some(*expected)) {
            let found = ours.root().map_or_else(|| "missing".to_owned(), |root| root.to_string());
            return Ok(Standing::problem(ChainError::OtherRoot { pinned: expected, found }.to_string()));
        }
        let held = confirmed.as_ref().and_then(VerifiedLog::head).map_or(0, |head| head.sequence);
        if let Some(remote) = remote {
            taking.seen = Some((remote.to_owned(), arrival.head, self.now.unix_ms));
            if arrival.head.sequence > held {
                let joined = Joined { view, head: arrival.head, common: arrival.common, entries: &[] };
                if let Ok(log) = self.verify(view, &joined, confirmed)? {
                    taking.confirmed = log.checkpoint().ok();
                }
            }
        }
        let is_behind = ours.head() != Some(arrival.head);
        Ok(Standing { log: Some(ours), is_behind, taking, entries: 0, problem: None, note: None })
    }

    /// The remote had more of the log before.
    fn gone_back(&self, view: &View, seen: u64, found: Option<LogHead>) -> SyncResult<Standing> {
        let found = found.map_or(0, |head| head.sequence);
        let (mine, theirs) = (view.log_entry(seen)?, view.log_entry(found)?);
        let kept = proof::keep(&self.proof, seen, mine.as_ref(), theirs.as_ref());
        let error = ChainError::RolledBack { seen, found };
        Ok(Standing::problem(format!("{error}{}", kept.words())))
    }

    /// The remote's log is another one than this clone has seen at some remote.
    fn forked(&self, view: &View, arrival: &LogArrival) -> SyncResult<Standing> {
        let sequence = arrival.common + 1;
        let (mine, theirs) = (view.log_entry(sequence)?, arrival.entries.first());
        let kept = proof::keep(&self.proof, sequence, mine.as_ref(), theirs);
        let (mine, theirs) = (proof::describe(mine.as_ref()), proof::describe(theirs));
        Ok(Standing::problem(format!(
            "entry {sequence} of the shared log is another one there than here: whoever keeps it shows different \
             people different histories, or rewrote it. Here it is {mine}; there it is {theirs}{}",
            kept.words()
        )))
    }
}

fn restored(checkpoint: Option<Vec<u8>>) -> Option<VerifiedLog> {
    // What cannot be read any more is verified anew.
    checkpoint.and_then(|bytes| VerifiedLog::restore(&bytes).ok().flatten())
}

impl Rules {
    /// Why a name may not move so.
    fn reasons(&self, view: &View, standing: &Standing, change: &RefChange) -> SyncResult<Vec<String>> {
        let name = &change.name;
        let target = change.target.as_ref().map(|target| target.commit);
        let Some(log) = &standing.log else {
            // Nobody can say what is protected when the first policy was never seen.
            let may_be = view.protected_names()?.covers(name) || view.log_head()?.is_none();
            let problem = standing.problem.clone().unwrap_or_default();
            return Ok(if may_be { vec![problem] } else { Vec::new() });
        };
        if !log.protects(name.as_str()) {
            return Ok(Vec::new());
        }
        let stands = log.reference(name.as_str());
        if target == stands {
            return Ok(Vec::new());
        }
        let is_older = match (target, stands) {
            (Some(target), Some(stands)) => is_ancestor(view, target, stands)?,
            _ => false,
        };
        if is_older && standing.is_behind {
            return Ok(Vec::new());
        }
        let place = |commit: Option<CommitId>| {
            commit.map_or_else(|| "nowhere".to_owned(), |commit| format!("at {}", commit.short()))
        };
        if is_older {
            return Ok(vec![format!(
                "the shared log says that it stands {}, and it was put back to {}",
                place(stands),
                place(target)
            )]);
        }
        let mut reasons = vec![format!(
            "no entry of the shared log says that it stands {}; by the log it stands {}",
            place(target),
            place(stands)
        )];
        reasons.extend(self.lacking(view, log, name, stands, target)?);
        Ok(reasons)
    }

    /// What the policy asks for before a name may move so.
    fn lacking(
        &self,
        view: &View,
        log: &VerifiedLog,
        name: &RefName,
        from: Option<CommitId>,
        to: Option<CommitId>,
    ) -> SyncResult<Vec<String>> {
        let submission = match to {
            Some(to) => submission_of(view, to)?,
            None => None,
        };
        let evidence = RepositoryEvidence::of_all_here(view, self.repository);
        let heads = Vec::new();
        let why = submission.map_or(Why::Direct {}, |submission| Why::Landing { submission });
        let moved = RefMoved { reference: name.as_str().to_owned(), from, to, why, heads };
        let received = Received { sequence: u64::MAX, unix_ms: self.now.unix_ms };
        let Ok(found) = evidence.of_move(log, received, &moved) else { return Ok(Vec::new()) };
        let proposal = Proposal {
            reference: name.as_str(),
            from,
            to,
            actor: None,
            at_ms: self.now.unix_ms,
            submission,
            evidence: &found,
        };
        Ok(match judge(log, &proposal) {
            Ok(_) => Vec::new(),
            Err(refusal) => {
                let missing = refusal.missing.into_iter();
                let missing = missing.filter(|missing| !matches!(missing, Missing::Unsigned));
                missing.map(|missing| missing.to_string()).collect()
            }
        })
    }
}

fn of_app(error: AppError) -> SyncError {
    match error {
        AppError::Repo(error) => error.into(),
        AppError::Sync(error) => error,
        error => SyncError::LogRefused(error.to_string()),
    }
}

/// The submission that a commit says it consumed.
fn submission_of(view: &View, commit: CommitId) -> SyncResult<Option<ActionId>> {
    Ok(crate::app::review::log::submission_of(&view.commit(commit)?))
}

impl Judge for Rules {
    fn judge(&self, view: &View, case: &Case<'_>) -> SyncResult<Decision> {
        let standing = self.standing(view, case)?;
        let mut decision = Decision::default();
        for change in case.changes {
            let mut reasons = self.reasons(view, &standing, change)?;
            if let Some(log) = standing.log.as_ref().filter(|_| change.name.kind() == RefKind::Branch) {
                let target = change.target.as_ref().map(|target| target.commit);
                let moved = (change.expected, target);
                reasons.extend(broken_by(view, log, moved, self.locks).map_err(of_app)?);
            }
            if !reasons.is_empty() {
                decision.refused.insert(change.name.clone(), reasons);
            }
        }
        let Standing { log, taking, entries, problem, note, .. } = standing;
        decision.note = note;
        decision.recorded = log.as_ref().and_then(VerifiedLog::recorded);
        (decision.entries, decision.problem) = (entries, problem);
        decision.keep = Some(Box::new(move |edit: &mut Edit| taking.apply(edit)));
        Ok(decision)
    }

    fn trim(&self, view: &View, signed: &mut Signed) -> SyncResult<()> {
        let log = self.ours(view, &SilentMonitor)?;
        let Ok(all) = signed.parsed() else { return Ok(()) };
        let policies = log.in_force().into_iter().map(|in_force| &in_force.policy);
        let policies: Vec<&Policy> =
            policies.chain(log.dispute().map(|dispute| &dispute.parent.policy)).collect();
        let known = |key: &PublicKey| policies.iter().any(|policy| policy.holder(key).is_some());
        let kept = all.iter().filter(|signature| known(signature.public_key()));
        signed.signatures = kept.map(Signature::armored).collect();
        Ok(())
    }

    fn known(&self, view: &View, log: &LogFound) -> SyncResult<Option<Known>> {
        let ours = self.ours(view, &SilentMonitor)?;
        let arriving = match log {
            LogFound::Log(arrival) => arrival.entries.as_slice(),
            LogFound::Nothing | LogFound::Broken(_) => &[],
        };
        let begins = |root| self.may_begin_with(view, root).unwrap_or(false);
        Ok(known_people(&ours, arriving, &begins))
    }

    fn accepts(&self, view: &View, said: &Said<'_>) -> SyncResult<bool> {
        let log = self.ours(view, &SilentMonitor)?;
        Ok(match said {
            Said::Erasure { action, keys } => {
                let own = keys.iter().any(|key| {
                    let print = key.fingerprint();
                    let owner = log.owner(&print);
                    let is_theirs = owner.map_or(print == action.key, |owner| owner == action.actor);
                    is_theirs && log.revocation(&print).is_none()
                });
                let permitted = log.in_force().is_some_and(|in_force| {
                    let policy = &in_force.policy;
                    check_quorum(policy, &policy.erase, keys, self.now.unix_ms, log.revoked()).is_ok()
                });
                own || permitted
            }
            Said::Proposal { link, signed, waiting } => {
                let id = PolicyLink::id_of(&signed.statement);
                let now = (log.revoked(), self.now.unix_ms);
                let has_place = |policy: &Policy| has_place(policy, now, (id, signed), waiting);
                is_timely(&log, link)
                    && signed.verified(Namespace::Policy).is_ok()
                    && log.in_force().is_some_and(|in_force| has_place(&in_force.policy))
            }
        })
    }
}

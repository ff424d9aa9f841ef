//! The shared log at rest: signed entries by number, the head, and policy links that wait for
//! signatures.
//!
//! What lies here has been read, not judged: `trust::chain` verifies it. Only one thing is insisted
//! on when an entry is added: that it is the next.

use crate::base::codec::{DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{CommitId, LogEntryId, PolicyId, RepositoryId};
use crate::object::log_entry::{EntryError, LogDeed, LogEntry, RefMoved, SignedEntry};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::set_node::Member;
use crate::repo::error::RepoError;
use crate::repo::protected::ProtectedNames;
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::sets::{self, LogSet, member_kind, member_of};
use crate::repo::{Edit, View};
use crate::rules::approval::{Authorised, Recorded};
use crate::rules::policy::Policy;
use crate::store::Space;
use std::collections::BTreeSet;
use std::ops::Bound;

const ENTRY_PREFIX: &[u8] = b"e/";
const PROPOSAL_PREFIX: &[u8] = b"p/";
const HEAD_KEY: &[u8] = b"head";
/// Key of the names that the policy protects.
pub(crate) const PROTECTED_KEY: &[u8] = b"protected";
/// Keys, among the settings, of what this clone remembers of the log.
const CHECKPOINT_KEY: &[u8] = b"trust/log";
const ROOT_KEY: &[u8] = b"trust/root";
const HEAD_VERSION: u8 = 1;
/// Most policy links that wait for signatures at one time. How many of one person may is for the rules to say.
pub const PROPOSALS_MAX: usize = 128;

/// What is wrong with a row of the shared log by itself; `None` when it is what its key says it is.
pub fn fault(row: &[u8], value: &[u8]) -> Option<String> {
    if let Some(number) = row.strip_prefix(ENTRY_PREFIX) {
        let number = number.try_into().map(u64::from_be_bytes);
        return match (number, SignedEntry::decode(value).and_then(|signed| entry_of(&signed))) {
            (Err(_), _) => Some("its key is no number".to_owned()),
            (_, Err(error)) => Some(error.to_string()),
            (Ok(number), Ok(entry)) if entry.sequence != number => {
                Some(format!("it is entry {}", entry.sequence))
            }
            _ => None,
        };
    }
    if let Some(id) = row.strip_prefix(PROPOSAL_PREFIX) {
        return match read_proposal(value) {
            Err(error) => Some(error.to_string()),
            Ok(signed) if PolicyLink::id_of(&signed.statement).as_bytes().as_slice() != id => {
                Some("it was altered in storage".to_owned())
            }
            Ok(signed) => signed.parsed().err().map(|error| error.to_string()),
        };
    }
    match row {
        HEAD_KEY => LogHead::decode(value).err().map(|error| error.to_string()),
        PROTECTED_KEY => read_protected(Some(value.to_vec())).err().map(|error| error.to_string()),
        _ => Some("its key is of no known kind".to_owned()),
    }
}

fn entry_of(signed: &SignedEntry) -> Result<LogEntry, EntryError> {
    Ok(signed.verified()?.value().clone())
}

/// What a row of the shared log is, for people.
pub fn describe(row: &[u8]) -> String {
    if let Some(number) = row.strip_prefix(ENTRY_PREFIX) {
        let number = number.try_into().map(u64::from_be_bytes).unwrap_or_default();
        return format!("entry {number} of the shared log");
    }
    match row {
        HEAD_KEY => "head of the shared log".to_owned(),
        PROTECTED_KEY => "list of protected names".to_owned(),
        _ => "policy link that waits for signatures".to_owned(),
    }
}

/// The newest entry of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogHead {
    /// Its number.
    pub sequence: u64,
    /// Its id.
    pub id: LogEntryId,
}

impl LogHead {
    /// The stored bytes, which also stand for the log as its head.
    pub fn encode(self) -> Vec<u8> {
        let mut out = Encoder::with_version(HEAD_VERSION);
        out.uint(self.sequence).raw(self.id.as_bytes());
        out.finish()
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RepoError> {
        let read = || {
            let mut input = Decoder::new("head of the shared log", bytes);
            input.version(HEAD_VERSION)?;
            let head = Self { sequence: input.uint()?, id: LogEntryId::from_bytes(input.array()?) };
            if head.sequence == 0 {
                return Err(input.error(DecodeErrorKind::Value));
            }
            input.finish()?;
            Ok(head)
        };
        read().map_err(|source| RepoError::Damaged { kind: "shared log", id: "head".into(), source })
    }
}

/// The commits that are looked at when entries are judged: where branches stood, and where they went.
pub fn commits_judged_by(entries: &[SignedEntry]) -> Vec<CommitId> {
    let mut commits = Vec::new();
    for signed in entries {
        let Ok(entry) = LogEntry::decode(&signed.statement) else { continue };
        if let LogDeed::Move(moved) = entry.deed
            && moved.reference.starts_with("branch/")
        {
            commits.extend(moved.from.into_iter().chain(moved.to));
        }
    }
    commits
}

fn entry_key(sequence: u64) -> Vec<u8> {
    [ENTRY_PREFIX, &sequence.to_be_bytes()].concat()
}

fn proposal_key(id: PolicyId) -> Vec<u8> {
    [PROPOSAL_PREFIX, id.as_bytes()].concat()
}

fn read_entry(sequence: u64, bytes: &[u8]) -> Result<SignedEntry, RepoError> {
    SignedEntry::decode(bytes).map_err(|source| RepoError::LogEntry { sequence, source })
}

fn read_protected(bytes: Option<Vec<u8>>) -> Result<ProtectedNames, RepoError> {
    let Some(bytes) = bytes else { return Ok(ProtectedNames::default()) };
    serde_json::from_slice(&bytes).map_err(|source| RepoError::Record { what: "protected names", source })
}

fn read_proposal(bytes: &[u8]) -> Result<Signed, RepoError> {
    serde_json::from_slice(bytes).map_err(|source| RepoError::Record { what: "proposed policy", source })
}

impl View {
    /// The newest entry of the shared log; `None` before the first.
    pub fn log_head(&self) -> Result<Option<LogHead>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::SharedLog, HEAD_KEY)?;
        bytes.map(|bytes| LogHead::decode(&bytes)).transpose()
    }

    /// An entry of the shared log.
    pub fn log_entry(&self, sequence: u64) -> Result<Option<SignedEntry>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::SharedLog, &entry_key(sequence))?;
        bytes.map(|bytes| read_entry(sequence, &bytes)).transpose()
    }

    /// Entries of the shared log from a number on, as they lie there.
    pub fn log_entries(
        &self,
        from: u64,
    ) -> Result<impl Iterator<Item = Result<SignedEntry, RepoError>> + use<>, RepoError> {
        let (first, after) = (entry_key(from), [ENTRY_PREFIX, &[0xff; 9]].concat());
        let range = (Bound::Included(first.as_slice()), Bound::Excluded(after.as_slice()));
        let rows = self.snapshot().scan(Space::SharedLog, range)?;
        Ok(rows.map(|row| {
            let (key, bytes) = row?;
            let number = key.get(ENTRY_PREFIX.len()..).and_then(|key| key.try_into().ok());
            read_entry(number.map_or(0, u64::from_be_bytes), &bytes)
        }))
    }

    /// Policy links that wait for signatures, by id.
    pub fn policy_proposals(&self) -> Result<Vec<(PolicyId, Signed)>, RepoError> {
        let mut found = Vec::new();
        for row in self.snapshot().scan_prefix(Space::SharedLog, PROPOSAL_PREFIX)? {
            let signed = read_proposal(&row?.1)?;
            found.push((PolicyLink::id_of(&signed.statement), signed));
        }
        Ok(found)
    }

    /// Policy links that wait for signatures, as other clones want to know of them.
    pub(super) fn proposal_members(&self) -> Result<Vec<(Member, Vec<u8>)>, RepoError> {
        let mut members = Vec::new();
        for row in self.snapshot().scan_prefix(Space::SharedLog, PROPOSAL_PREFIX)? {
            let (key, value) = row?;
            members.push((member_of(member_kind::POLICY_PROPOSAL, &value), key));
        }
        Ok(members)
    }

    /// The commits that moves in the log speak of and that are here: without them nobody could judge these
    /// moves again, so gc must spare them even when no name reaches them any more.
    pub fn log_commits(&self) -> Result<Vec<CommitId>, RepoError> {
        let mut commits = BTreeSet::new();
        for signed in self.log_entries(1)? {
            commits.extend(commits_judged_by(&[signed?]));
        }
        let mut here = Vec::with_capacity(commits.len());
        for commit in commits {
            if self.snapshot().contains(Space::Commits, commit.as_bytes())? {
                here.push(commit);
            }
        }
        Ok(here)
    }

    /// What the last verification of the log left, if there was one.
    pub fn log_checkpoint(&self) -> Result<Option<Vec<u8>>, RepoError> {
        Ok(self.snapshot().get(Space::Settings, CHECKPOINT_KEY)?)
    }

    /// The first policy that this clone trusts.
    pub fn pinned_root(&self) -> Result<Option<PolicyId>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Settings, ROOT_KEY)?;
        let read = |bytes: Vec<u8>| {
            let missing = || RepoError::Missing { kind: "record", id: "pinned policy".into() };
            PolicyId::from_slice(&bytes).ok_or_else(missing)
        };
        bytes.map(read).transpose()
    }

    /// The names that move only with authority.
    pub fn protected_names(&self) -> Result<ProtectedNames, RepoError> {
        read_protected(self.snapshot().get(Space::SharedLog, PROTECTED_KEY)?)
    }

    /// What does not fit together in the shared log of a repository: entries that are missing or do not
    /// follow each other, a head or protected names that are not theirs. Rows that are at fault by
    /// themselves are for [`fault`] to say, and end the look at the chain.
    pub fn log_gaps(&self, repository: RepositoryId) -> Result<Vec<String>, RepoError> {
        let (mut last, mut protected) = (None::<LogHead>, ProtectedNames::default());
        for signed in self.log_entries(1)? {
            let Ok((signed, entry)) = signed.map_err(|_| ()).and_then(|signed| {
                let entry = LogEntry::decode(&signed.statement).map_err(|_| ())?;
                Ok::<_, ()>((signed, entry))
            }) else {
                return Ok(Vec::new());
            };
            let wanted = last.map_or(1, |head| head.sequence + 1);
            if entry.sequence != wanted {
                return Ok(vec![format!("entry {wanted} of the shared log is missing")]);
            }
            if entry.previous != last.map(|head| head.id) || entry.repository != repository {
                return Ok(vec![format!("entry {wanted} of the shared log does not follow the one before")]);
            }
            if let LogDeed::Policy(taken) = &entry.deed {
                match names_protected_by(&taken.link.statement) {
                    Ok(names) => protected = names,
                    Err(_) => return Ok(Vec::new()),
                }
            }
            last = Some(LogHead { sequence: entry.sequence, id: signed.id() });
        }
        let mut gaps = Vec::new();
        if self.log_head().is_ok_and(|head| head != last) {
            gaps.push("the head of the shared log is not its last entry".to_owned());
        }
        if self.protected_names().is_ok_and(|names| names != protected) {
            gaps.push("the protected names are not those of the newest policy".to_owned());
        }
        Ok(gaps)
    }
}

fn names_protected_by(statement: &str) -> Result<ProtectedNames, RepoError> {
    let refuse = |reason: String| RepoError::PolicyText { reason };
    let link = PolicyLink::decode(statement).map_err(|error| refuse(error.to_string()))?;
    let policy = Policy::parse(&link.policy).map_err(|error| refuse(error.to_string()))?;
    Ok(ProtectedNames::of(&policy))
}

impl Edit {
    /// The newest entry of the shared log, entries of this edit included.
    pub fn log_head(&mut self) -> Result<Option<LogHead>, RepoError> {
        let bytes: Option<Vec<u8>> = self.transaction().get(Space::SharedLog, HEAD_KEY)?;
        bytes.map(|bytes| LogHead::decode(&bytes)).transpose()
    }

    /// Adds an entry that moves nothing. It must be the next.
    ///
    /// A policy link takes the names under protection that it protects, from this moment on.
    pub fn append_log(&mut self, signed: &SignedEntry) -> Result<LogHead, RepoError> {
        let entry = self.next_entry(signed)?;
        if let LogDeed::Move(moved) = &entry.deed {
            let name = RefName::parse(&moved.reference)?;
            return Err(RepoError::Protected { name });
        }
        if let LogDeed::Policy(taken) = &entry.deed {
            self.protect_by(&taken.link.statement)?;
            self.withdraw_untimely(PolicyLink::id_of(&taken.link.statement))?;
        }
        self.put_entry(&entry, signed)
    }

    /// Moves a protected name, together with the entry of the shared log that says so.
    ///
    /// The entry must be the next, and say exactly what was authorised.
    pub fn move_protected(
        &mut self,
        authorised: &Authorised,
        target: Option<RefTarget>,
        signed: &SignedEntry,
    ) -> Result<LogHead, RepoError> {
        let entry = self.next_entry(signed)?;
        let LogDeed::Move(moved) = &entry.deed else {
            return Err(RepoError::NotAuthorised { what: "the entry is no move" });
        };
        check_authorised(authorised, &entry, moved)?;
        if target.as_ref().map(|target| target.commit) != authorised.to() {
            return Err(RepoError::NotAuthorised { what: "it would go elsewhere" });
        }
        let name = RefName::parse(&moved.reference)?;
        self.put_reference(&name, authorised.from(), target)?;
        self.put_entry(&entry, signed)
    }

    /// Keeps a policy link until enough people have signed it.
    pub fn put_proposal(&mut self, signed: &Signed) -> Result<PolicyId, RepoError> {
        let id = PolicyLink::id_of(&signed.statement);
        let known = self.transaction().scan_prefix(Space::SharedLog, PROPOSAL_PREFIX)?;
        let key = proposal_key(id);
        let before = known.iter().find(|(other, _)| *other == key);
        if before.is_none() && known.len() >= PROPOSALS_MAX {
            return Err(RepoError::TooManyProposals);
        }
        let bytes = serde_json::to_vec(signed)
            .map_err(|source| RepoError::Record { what: "proposed policy", source })?;
        if let Some((_, before)) = before {
            self.note_member(LogSet::Proposals, member_of(member_kind::POLICY_PROPOSAL, before), None);
        }
        let member = member_of(member_kind::POLICY_PROPOSAL, &bytes);
        self.note_member(LogSet::Proposals, member, Some(key.clone()));
        self.transaction().put(Space::SharedLog, &key, &bytes)?;
        Ok(id)
    }

    /// Forgets a policy link that waited for signatures.
    pub fn withdraw_proposal(&mut self, id: PolicyId) -> Result<bool, RepoError> {
        let key = proposal_key(id);
        let Some(bytes) = self.transaction().get(Space::SharedLog, &key)? else { return Ok(false) };
        self.note_member(LogSet::Proposals, member_of(member_kind::POLICY_PROPOSAL, &bytes), None);
        Ok(self.transaction().delete(Space::SharedLog, &key)?)
    }

    /// Forgets the policy link that took effect, and all that waited and do not follow it: nobody can put them
    /// in force any more.
    fn withdraw_untimely(&mut self, taken: PolicyId) -> Result<(), RepoError> {
        for (_, bytes) in self.transaction().scan_prefix(Space::SharedLog, PROPOSAL_PREFIX)? {
            let signed = read_proposal(&bytes)?;
            let follows =
                PolicyLink::decode(&signed.statement).is_ok_and(|link| link.parents.contains(&taken));
            if !follows {
                self.withdraw_proposal(PolicyLink::id_of(&signed.statement))?;
            }
        }
        Ok(())
    }

    /// Takes over entries from elsewhere, which were verified up to the last of them.
    ///
    /// No name moves by this: [`follow_log`](Self::follow_log) does that, when its time has come.
    pub fn take_log(&mut self, recorded: &Recorded, entries: &[SignedEntry]) -> Result<LogHead, RepoError> {
        let mut head = None;
        for signed in entries {
            let entry = self.next_entry(signed)?;
            if let LogDeed::Policy(taken) = &entry.deed {
                self.protect_by(&taken.link.statement)?;
                self.withdraw_untimely(PolicyLink::id_of(&taken.link.statement))?;
            }
            head = Some(self.put_entry(&entry, signed)?);
        }
        let verified = LogHead { sequence: recorded.sequence(), id: recorded.log_head() };
        if head == Some(verified) { Ok(verified) } else { Err(RepoError::LogMoved) }
    }

    /// Points a protected name where the shared log says that it stands. Says where it stood.
    pub fn follow_log(
        &mut self,
        recorded: &Recorded,
        name: &RefName,
        target: Option<RefTarget>,
    ) -> Result<Option<CommitId>, RepoError> {
        if self.log_head()?.map(|head| head.id) != Some(recorded.log_head()) {
            return Err(RepoError::LogMoved);
        }
        let is_so = target.as_ref().map(|target| target.commit) == recorded.reference(name.as_str());
        if !is_so || !self.protected_names()?.covers(name) {
            return Err(RepoError::NotAuthorised { what: "the log says otherwise" });
        }
        let before = self.reference(name)?.map(|target| target.commit);
        self.put_reference(name, before, target)?;
        Ok(before)
    }

    /// Takes back entries that this clone wrote and nobody has taken over: all after number `kept`.
    /// Gives them, oldest first.
    pub fn take_back_log(&mut self, kept: u64) -> Result<Vec<SignedEntry>, RepoError> {
        let (first, after) = (entry_key(kept + 1), [ENTRY_PREFIX, &[0xff; 9]].concat());
        let range = (Bound::Included(first.as_slice()), Bound::Excluded(after.as_slice()));
        let mut taken = Vec::new();
        for (key, bytes) in self.transaction().scan(Space::SharedLog, range)? {
            taken.push(read_entry(kept + 1 + taken.len() as u64, &bytes)?);
            self.transaction().delete(Space::SharedLog, &key)?;
        }
        let ids: Vec<LogEntryId> = taken.iter().map(SignedEntry::id).collect();
        sets::forget_entries(self.transaction(), &ids, kept)?;
        let last = match kept {
            0 => None,
            kept => self.transaction().get(Space::SharedLog, &entry_key(kept))?,
        };
        match last {
            Some(bytes) => {
                let head = LogHead { sequence: kept, id: read_entry(kept, &bytes)?.id() };
                self.transaction().put(Space::SharedLog, HEAD_KEY, &head.encode())?;
            }
            None => drop(self.transaction().delete(Space::SharedLog, HEAD_KEY)?),
        }
        self.protect_by_log(kept)?;
        Ok(taken)
    }

    /// Protects what the newest policy up to an entry protects.
    fn protect_by_log(&mut self, newest: u64) -> Result<(), RepoError> {
        for sequence in (1..=newest).rev() {
            let Some(bytes) = self.transaction().get(Space::SharedLog, &entry_key(sequence))? else {
                continue;
            };
            let signed = read_entry(sequence, &bytes)?;
            let entry = LogEntry::decode(&signed.statement)
                .map_err(|source| RepoError::LogEntry { sequence, source })?;
            if let LogDeed::Policy(taken) = &entry.deed {
                return self.protect_by(&taken.link.statement);
            }
        }
        self.transaction().delete(Space::SharedLog, PROTECTED_KEY)?;
        Ok(())
    }

    /// The names that move only with authority, entries of this edit included.
    pub fn protected_names(&mut self) -> Result<ProtectedNames, RepoError> {
        read_protected(self.transaction().get(Space::SharedLog, PROTECTED_KEY)?)
    }

    /// Keeps what a verification of the log found, so that the next goes on from there.
    pub fn put_log_checkpoint(&mut self, bytes: &[u8]) -> Result<(), RepoError> {
        Ok(self.transaction().put(Space::Settings, CHECKPOINT_KEY, bytes)?)
    }

    /// Trusts this first policy from now on. Refuses when another is trusted already.
    pub fn pin_root(&mut self, root: PolicyId) -> Result<(), RepoError> {
        match self.transaction().get(Space::Settings, ROOT_KEY)? {
            Some(bytes) if bytes != root.as_bytes() => Err(RepoError::OtherRoot),
            Some(_) => Ok(()),
            None => Ok(self.transaction().put(Space::Settings, ROOT_KEY, root.as_bytes())?),
        }
    }

    /// Makes the head and the protected names those of the entries that are here, for a repair.
    pub(crate) fn mend_log(&mut self) -> Result<(), RepoError> {
        let (mut head, mut policy) = (None, None);
        for (key, bytes) in self.transaction().scan_prefix(Space::SharedLog, ENTRY_PREFIX)? {
            let Ok(signed) = SignedEntry::decode(&bytes) else { break };
            let Ok(entry) = LogEntry::decode(&signed.statement) else { break };
            let follows = entry.previous == head.map(|head: LogHead| head.id);
            if key != entry_key(entry.sequence) || !follows {
                break;
            }
            if let LogDeed::Policy(taken) = entry.deed {
                policy = Some(taken.link.statement);
            }
            head = Some(LogHead { sequence: entry.sequence, id: signed.id() });
        }
        if let Some(head) = head {
            self.transaction().put(Space::SharedLog, HEAD_KEY, &head.encode())?;
        }
        if let Some(statement) = policy {
            self.protect_by(&statement)?;
        }
        Ok(())
    }

    fn protect_by(&mut self, statement: &str) -> Result<(), RepoError> {
        let bytes = serde_json::to_vec(&names_protected_by(statement)?)
            .map_err(|source| RepoError::Record { what: "protected names", source })?;
        Ok(self.transaction().put(Space::SharedLog, PROTECTED_KEY, &bytes)?)
    }

    /// Reads an entry and insists that it is the next.
    fn next_entry(&mut self, signed: &SignedEntry) -> Result<LogEntry, RepoError> {
        let head = self.log_head()?;
        let sequence = head.map_or(1, |head| head.sequence + 1);
        let entry =
            LogEntry::decode(&signed.statement).map_err(|source| RepoError::LogEntry { sequence, source })?;
        if entry.sequence != sequence || entry.previous != head.map(|head| head.id) {
            return Err(RepoError::LogMoved);
        }
        Ok(entry)
    }

    fn put_entry(&mut self, entry: &LogEntry, signed: &SignedEntry) -> Result<LogHead, RepoError> {
        let head = LogHead { sequence: entry.sequence, id: signed.id() };
        let transaction = self.transaction();
        transaction.put(Space::SharedLog, &entry_key(entry.sequence), &signed.encode())?;
        transaction.put(Space::SharedLog, HEAD_KEY, &head.encode())?;
        sets::find_entry(transaction, head.id, head.sequence)?;
        Ok(head)
    }
}

fn check_authorised(authorised: &Authorised, entry: &LogEntry, moved: &RefMoved) -> Result<(), RepoError> {
    let refuse = |what| Err(RepoError::NotAuthorised { what });
    if entry.previous != Some(authorised.log_head()) {
        return Err(RepoError::LogMoved);
    }
    let submission = match moved.why {
        crate::object::log_entry::Why::Landing { submission } => Some(submission),
        crate::object::log_entry::Why::Direct {} => None,
    };
    if moved.reference != authorised.reference() {
        return refuse("it is another name");
    }
    if (moved.from, moved.to) != (authorised.from(), authorised.to()) {
        return refuse("it would go elsewhere");
    }
    if submission != authorised.submission() || entry.actor != authorised.actor() {
        return refuse("somebody else would move it, or for another reason");
    }
    Ok(())
}

//! The review log at rest: signed headers, their bodies, and the lists of transitions they name.
//!
//! Rows are only ever added, but for bodies, which can be erased; a body that was stays erased when
//! somebody offers it again. What the actions add up to is computed by `review`. Exact bytes:
//! `docs/format/review-log.md`.

use crate::base::codec::{DecodeError, Decoder, Encoder};
use crate::base::id::{ActionId, BodyId, CommitId, FileId, PersonId};
use crate::object::action::{Action, ActionError, Audience, BODY_BYTES_MAX, Body, Deed, STATEMENT_BYTES_MAX};
use crate::object::policy_link::Signed;
use crate::object::set_node::Member;
use crate::object::signature::{Namespace, SIGNATURE_BYTES_MAX, Signature, SignatureError, Verified, verify};
use crate::object::transition::{LIST_BYTES_MAX, TransitionList};
use crate::object::words_erasure;
use crate::repo::error::RepoError;
use crate::repo::findings::action_basis;
use crate::repo::sets::{LogSet, member_kind, member_of};
use crate::repo::{Edit, View};
use crate::store::Space;
use std::collections::BTreeSet;

/// Version of the records.
const VERSION: u8 = 1;

const ACTION_PREFIX: u8 = b'a';
const BODY_PREFIX: u8 = b'b';
const ERASED_PREFIX: u8 = b'e';
const LIST_PREFIX: u8 = b'l';

/// Why a record of the log is no action that counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionRecordError {
    /// The signature is none, or not one over this header for this purpose.
    #[error("its signature does not hold: {0}")]
    Signature(#[from] SignatureError),
    /// The header cannot be read.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// The header names another key than the one that signed it.
    #[error("it names another key than the one that signed it")]
    OtherKey,
}

/// A signed header as it is kept and handed on. That it is here says nothing about its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    /// The exact bytes that were signed.
    pub statement: Vec<u8>,
    /// The SSHSIG blob.
    pub signature: Vec<u8>,
}

impl ActionRecord {
    /// The id of the action.
    pub fn id(&self) -> ActionId {
        Action::id_of(&self.statement)
    }

    /// Checks the signature and reads the header; insists that it names the key that signed.
    pub fn verified(&self) -> Result<Verified<Action>, ActionRecordError> {
        let signature = Signature::from_bytes(&self.signature)?;
        let action = verify(&self.statement, &signature, Namespace::Action)?.try_map(Action::decode)?;
        if action.value().key == action.key().fingerprint() {
            Ok(action)
        } else {
            Err(ActionRecordError::OtherKey)
        }
    }

    /// Reads the header of an action of which this clone remembers that it verified it: `basis` is what it kept of
    /// that, and must fit this very record. `None` when it does not: then it is to be verified.
    pub(crate) fn remembered(&self, basis: &[u8; 32]) -> Option<Verified<Action>> {
        if self.basis() != *basis {
            return None;
        }
        let signature = Signature::from_bytes(&self.signature).ok()?;
        let action = Action::decode(&self.statement).ok()?;
        let key = signature.public_key().clone();
        (action.key == key.fingerprint()).then(|| Verified::remembered(action, key, Namespace::Action))
    }

    /// What is kept of the verification of this very record.
    pub fn basis(&self) -> [u8; 32] {
        action_basis(&self.encode())
    }

    /// The stored bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.bytes(&self.statement).bytes(&self.signature);
        out.finish()
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("action", bytes);
        input.version(VERSION)?;
        let statement = input.bytes(STATEMENT_BYTES_MAX)?.to_vec();
        let signature = input.bytes(SIGNATURE_BYTES_MAX)?.to_vec();
        input.finish()?;
        Ok(Self { statement, signature })
    }
}

/// What an action names beside its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewBytes {
    /// Its words.
    Body(BodyId),
    /// A list of transitions.
    List(FileId),
}

/// What is known of the words of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyState {
    /// They are here.
    Here(Body),
    /// They were erased.
    Erased,
    /// They never came along.
    Missing,
}

fn key(prefix: u8, audience: Option<Audience>, id: &[u8; 32]) -> Vec<u8> {
    let mut key = vec![prefix];
    key.extend(audience.map(audience_tag));
    key.extend_from_slice(id);
    key
}

const fn audience_tag(audience: Audience) -> u8 {
    match audience {
        Audience::Team => b't',
        Audience::Guests => b'g',
    }
}

impl View {
    /// How many files and words were removed for good: what is derived from them has to go too.
    pub fn erasures(&self) -> Result<u64, RepoError> {
        let mut count = 0;
        for row in self.snapshot().scan_prefix(Space::Tombstones, b"")? {
            // Longer keys are pages of a tombstone.
            count += u64::from(row?.0.len() == FileId::SIZE);
        }
        for row in self.snapshot().scan_prefix(Space::ReviewLog, &[ERASED_PREFIX])? {
            row?;
            count += 1;
        }
        Ok(count)
    }

    /// All headers of an audience's log, by id.
    pub fn review_actions(&self, audience: Audience) -> Result<Vec<ActionRecord>, RepoError> {
        let mut all = Vec::new();
        let prefix = [ACTION_PREFIX, audience_tag(audience)];
        for row in self.snapshot().scan_prefix(Space::ReviewLog, &prefix)? {
            let (key, bytes) = row?;
            let id = ActionId::from_slice(&key[prefix.len()..]);
            let id = id.ok_or_else(|| RepoError::Altered { kind: "action", id: "with such a key".into() })?;
            let record = ActionRecord::decode(&bytes).map_err(|source| RepoError::Damaged {
                kind: "action",
                id: id.to_string(),
                source,
            })?;
            if record.id() != id {
                return Err(RepoError::Altered { kind: "action", id: id.to_string() });
            }
            all.push(record);
        }
        Ok(all)
    }

    /// One header of an audience's log.
    pub fn review_action(&self, audience: Audience, id: ActionId) -> Result<Option<ActionRecord>, RepoError> {
        let bytes: Option<Vec<u8>> =
            self.snapshot().get(Space::ReviewLog, &key(ACTION_PREFIX, Some(audience), id.as_bytes()))?;
        let damaged = |source| RepoError::Damaged { kind: "action", id: id.to_string(), source };
        bytes.map(|bytes| ActionRecord::decode(&bytes).map_err(damaged)).transpose()
    }

    /// The signed permission by which the words of an action were erased, if that is known.
    pub fn review_erasure(&self, id: BodyId) -> Result<Option<Vec<u8>>, RepoError> {
        let bytes: Option<Vec<u8>> =
            self.snapshot().get(Space::ReviewLog, &key(ERASED_PREFIX, None, id.as_bytes()))?;
        Ok(bytes.filter(|bytes| !bytes.is_empty()))
    }

    /// What of an audience's log other clones want to know of.
    pub fn review_members(&self, set: LogSet) -> Result<Vec<(Member, Vec<u8>)>, RepoError> {
        let Some(audience) = set.audience() else { return Ok(Vec::new()) };
        let mut members = Vec::new();
        let prefix = [ACTION_PREFIX, audience_tag(audience)];
        for row in self.snapshot().scan_prefix(Space::ReviewLog, &prefix)? {
            let (row, _) = row?;
            if let Ok(id) = <[u8; 32]>::try_from(&row[prefix.len()..]) {
                members.push((Member { id, kind: member_kind::ACTION }, Vec::new()));
            }
        }
        for row in self.snapshot().scan_prefix(Space::ReviewLog, &[ERASED_PREFIX])? {
            let (row, record) = row?;
            if words_erasure::decode_record(&record).is_ok_and(|(said, _)| said.audience == audience) {
                members.push((member_of(member_kind::WORDS_ERASURE, &record), row));
            }
        }
        Ok(members)
    }

    /// The words of an action.
    pub fn review_body(&self, id: BodyId) -> Result<BodyState, RepoError> {
        if let Some(bytes) = self.snapshot().get(Space::ReviewLog, &key(BODY_PREFIX, None, id.as_bytes()))? {
            let altered = || RepoError::Altered { kind: "body of an action", id: id.to_string() };
            if Body::id_of(&bytes) != id {
                return Err(altered());
            }
            return Body::decode(&bytes).map(BodyState::Here).map_err(|_| altered());
        }
        let erased = self.snapshot().contains(Space::ReviewLog, &key(ERASED_PREFIX, None, id.as_bytes()))?;
        Ok(if erased { BodyState::Erased } else { BodyState::Missing })
    }

    /// The bytes of the words of an action, or of a list of transitions, by id.
    pub fn review_bytes(&self, what: ReviewBytes) -> Result<Option<Vec<u8>>, RepoError> {
        let row = match what {
            ReviewBytes::Body(id) => key(BODY_PREFIX, None, id.as_bytes()),
            ReviewBytes::List(id) => key(LIST_PREFIX, None, id.as_bytes()),
        };
        Ok(self.snapshot().get(Space::ReviewLog, &row)?)
    }

    /// A list of transitions; `None` when it is not here.
    pub fn review_list(&self, id: FileId) -> Result<Option<TransitionList>, RepoError> {
        let Some(bytes) = self.snapshot().get(Space::ReviewLog, &key(LIST_PREFIX, None, id.as_bytes()))?
        else {
            return Ok(None);
        };
        let altered = || RepoError::Altered { kind: "list of transitions", id: id.to_string() };
        if FileId::of(&bytes) != id {
            return Err(altered());
        }
        TransitionList::decode(&bytes).map(Some).map_err(|_| altered())
    }

    /// The actors of an audience's actions that name these words.
    pub fn speakers_of(&self, audience: Audience, id: BodyId) -> Result<BTreeSet<PersonId>, RepoError> {
        let actions = self.review_actions(audience)?;
        let actions = actions.iter().filter_map(|record| Action::decode(&record.statement).ok());
        Ok(actions.filter(|action| action.body == id).map(|action| action.actor).collect())
    }

    /// The commits that submissions rest on and that are here: what gc must spare.
    pub fn review_commits(&self) -> Result<Vec<CommitId>, RepoError> {
        let mut commits = Vec::new();
        for audience in [Audience::Team, Audience::Guests] {
            for record in self.review_actions(audience)? {
                let Ok(action) = Action::decode(&record.statement) else { continue };
                if let Deed::Submit(proposal) | Deed::Update { proposal, .. } = action.deed {
                    commits.extend([proposal.base, proposal.head]);
                }
            }
        }
        commits.sort_unstable();
        commits.dedup();
        let mut here = Vec::with_capacity(commits.len());
        for commit in commits {
            if self.snapshot().contains(Space::Commits, commit.as_bytes())? {
                here.push(commit);
            }
        }
        Ok(here)
    }
}

impl Edit {
    /// Adds a signed header to an audience's log. Whoever adds it has verified the signature, or
    /// only hands it on.
    pub fn put_review_action(
        &mut self,
        audience: Audience,
        record: &ActionRecord,
    ) -> Result<ActionId, RepoError> {
        let verified = record.verified().ok();
        self.put_action(audience, record, verified.as_ref())
    }

    /// The same for one that was verified.
    pub fn put_verified_action(
        &mut self,
        audience: Audience,
        record: &ActionRecord,
        verified: &Verified<Action>,
    ) -> Result<ActionId, RepoError> {
        self.put_action(audience, record, Some(verified))
    }

    fn put_action(
        &mut self,
        audience: Audience,
        record: &ActionRecord,
        verified: Option<&Verified<Action>>,
    ) -> Result<ActionId, RepoError> {
        let id = record.id();
        let key = key(ACTION_PREFIX, Some(audience), id.as_bytes());
        self.transaction().put(Space::ReviewLog, &key, &record.encode())?;
        if let Some(verified) = verified {
            self.put_outline(audience, id, verified)?;
        }
        let member = Member { id: *id.as_bytes(), kind: member_kind::ACTION };
        self.note_member(LogSet::of_audience(audience), member, Some(Vec::new()));
        Ok(id)
    }

    /// Keeps the words of an action, unless they were erased. Says whether they are kept.
    pub fn put_review_body(&mut self, body: &Body) -> Result<bool, RepoError> {
        let (id, bytes) = (body.id(), body.encode());
        if bytes.len() > BODY_BYTES_MAX {
            return Err(RepoError::Structure { message: "the message is longer than 1 MiB".into() });
        }
        let erased = key(ERASED_PREFIX, None, id.as_bytes());
        if let Some(record) = self.transaction().get(Space::ReviewLog, &erased)? {
            if self.erases(&record, body)? {
                return Ok(false);
            }
            // Somebody had these words erased as their own before they came, and they are not.
            if let Ok((said, _)) = words_erasure::decode_record(&record) {
                let member = member_of(member_kind::WORDS_ERASURE, &record);
                self.note_member(LogSet::of_audience(said.audience), member, None);
            }
            self.transaction().delete(Space::ReviewLog, &erased)?;
        }
        self.transaction().put(Space::ReviewLog, &key(BODY_PREFIX, None, id.as_bytes()), &bytes)?;
        self.note_missing_words(id, false)?;
        Ok(true)
    }

    /// Words that are here, those of this edit included.
    pub fn review_body(&mut self, id: BodyId) -> Result<Option<Body>, RepoError> {
        let bytes: Option<Vec<u8>> =
            self.transaction().get(Space::ReviewLog, &key(BODY_PREFIX, None, id.as_bytes()))?;
        let altered = |_| RepoError::Altered { kind: "body of an action", id: id.to_string() };
        bytes.map(|bytes| Body::decode(&bytes).map_err(altered)).transpose()
    }

    /// Whether a permission to erase is about words of whoever spoke these. One that only this clone noted
    /// always is.
    fn erases(&mut self, record: &[u8], body: &Body) -> Result<bool, RepoError> {
        let Ok((said, _)) = words_erasure::decode_record(record) else { return Ok(true) };
        let row = key(ACTION_PREFIX, Some(said.audience), said.action.as_bytes());
        let bytes = self.transaction().get(Space::ReviewLog, &row)?;
        let action =
            bytes.and_then(|bytes| Action::decode(&ActionRecord::decode(&bytes).ok()?.statement).ok());
        Ok(action.is_none_or(|action| action.actor == body.actor))
    }

    /// Keeps a list of transitions.
    pub fn put_review_list(&mut self, list: &TransitionList) -> Result<(), RepoError> {
        let bytes = list.encode();
        if bytes.len() > LIST_BYTES_MAX {
            let message =
                "it changes so many assets at once that nobody else could be told: submit a part of it";
            return Err(RepoError::Structure { message: message.into() });
        }
        let key = key(LIST_PREFIX, None, FileId::of(&bytes).as_bytes());
        Ok(self.transaction().put(Space::ReviewLog, &key, &bytes)?)
    }

    /// Erases the words of an action for good. The header stays, and every signature still verifies.
    ///
    /// The signed permission travels to other clones; without one, only this clone forgets the words.
    /// Whether it counts is for the caller to judge.
    pub fn erase_review_body(&mut self, id: BodyId, permission: Option<&Signed>) -> Result<(), RepoError> {
        self.transaction().delete(Space::ReviewLog, &key(BODY_PREFIX, None, id.as_bytes()))?;
        let row = key(ERASED_PREFIX, None, id.as_bytes());
        let before = self.transaction().get(Space::ReviewLog, &row)?.unwrap_or_default();
        let record = permission.map(words_erasure::encode_record).unwrap_or_default();
        // Of several permissions the one with the smaller bytes stays, as it does in every clone.
        if !before.is_empty() && (record.is_empty() || before <= record) {
            return Ok(());
        }
        for (record, row) in [(&before, None), (&record, Some(row.clone()))] {
            if let Ok((said, _)) = words_erasure::decode_record(record) {
                let member = member_of(member_kind::WORDS_ERASURE, record);
                self.note_member(LogSet::of_audience(said.audience), member, row);
            }
        }
        self.note_missing_words(id, false)?;
        self.transaction().put(Space::ReviewLog, &row, &record)?;
        // The words are in the transaction log too.
        Ok(self.transaction().renew_log()?)
    }
}

/// What is wrong with a row of the review log; `None` when it is what its key says it is. Such a row
/// proves itself; that a signer may act is for others to judge.
pub fn fault(row: &[u8], value: &[u8]) -> Option<String> {
    let (prefix, id) = row.split_first()?;
    let altered = |is_right: bool| (!is_right).then(|| "it was altered in storage".to_owned());
    match *prefix {
        ACTION_PREFIX => action_fault(id, value),
        BODY_PREFIX => altered(Body::id_of(value).as_bytes().as_slice() == id)
            .or_else(|| Body::decode(value).err().map(|error| error.to_string())),
        LIST_PREFIX => altered(FileId::of(value).as_bytes().as_slice() == id)
            .or_else(|| TransitionList::decode(value).err().map(|error| error.to_string())),
        ERASED_PREFIX => (id.len() != BodyId::SIZE).then(|| "its key is no id".to_owned()),
        _ => Some("its key is of no known kind".to_owned()),
    }
}

fn action_fault(key: &[u8], value: &[u8]) -> Option<String> {
    let check = || {
        let record = ActionRecord::decode(value).map_err(|error| error.to_string())?;
        if key.get(1..) != Some(record.id().as_bytes().as_slice()) {
            return Err("it was altered in storage".to_owned());
        }
        let action = Action::decode(&record.statement).map_err(|error| error.to_string())?;
        if key.first() != Some(&audience_tag(action.audience)) {
            return Err("it stands in the log of another audience".to_owned());
        }
        let signature = Signature::from_bytes(&record.signature).map_err(|error| error.to_string())?;
        verify(&record.statement, &signature, Namespace::Action).map_err(|error| error.to_string())?;
        Ok(())
    };
    check().err()
}

/// What a row of the review log is, for people.
pub fn describe(row: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match row.split_first() {
        Some((&ACTION_PREFIX, id)) => format!("action {}", hex(id.get(1..).unwrap_or_default())),
        Some((&BODY_PREFIX, id)) => format!("words {} of an action", hex(id)),
        Some((&LIST_PREFIX, id)) => format!("list of transitions {}", hex(id)),
        Some((&ERASED_PREFIX, id)) => format!("note that words {} were erased", hex(id)),
        _ => format!("row {}", hex(row)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{PersonId, RepositoryId};
    use crate::repo::Repository;
    use crate::store::StoreSettings;

    #[test]
    fn records_have_pinned_bytes_and_a_cut_one_is_refused() {
        let record = ActionRecord { statement: b"{}".to_vec(), signature: vec![7; 3] };
        let bytes = record.encode();
        assert_eq!(bytes, [1, 2, b'{', b'}', 3, 7, 7, 7]);
        assert_eq!(ActionRecord::decode(&bytes), Ok(record));
        for length in 0..bytes.len() {
            assert!(ActionRecord::decode(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn erased_words_stay_erased_when_they_are_offered_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
        let repository = Repository::create(folder.path(), &settings).expect("a new repository");
        let body = Body::new(PersonId::from_bytes([2; 16]), [1; 16], "Not for everybody");
        let state = || repository.view().expect("a view").review_body(body.id()).expect("readable");
        assert_eq!(state(), BodyState::Missing);
        let mut edit = repository.edit().expect("an edit");
        assert!(edit.put_review_body(&body).expect("a kept body"));
        edit.commit().expect("a commit");
        assert_eq!(state(), BodyState::Here(body.clone()));
        let mut edit = repository.edit().expect("an edit");
        edit.erase_review_body(body.id(), None).expect("erased");
        assert!(!edit.put_review_body(&body).expect("an answer"));
        edit.commit().expect("a commit");
        assert_eq!(state(), BodyState::Erased);
    }
}

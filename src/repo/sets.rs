//! Sets of signed things that only grow and travel between clones: actions of the review log, commit
//! signatures, policies that wait for signatures.
//!
//! Each is also kept as a tree ([`SetNode`]), so that two clones find out what they do not share at a
//! cost that follows the difference. The tree follows from the things themselves: rows of the table
//! `sets` can be dropped at any time and are then made again. `docs/format/sets.md` has the rows.

use crate::base::codec::DecodeError;
use crate::base::id::{BodyId, LogEntryId};
use crate::object::action::Audience;
use crate::object::set_node::{DEPTH_MAX, LEAF_MEMBERS_MAX, Member, SetNode, SetRoot};
use crate::object::{ObjectKind, hash_object};
use crate::repo::error::RepoError;
use crate::repo::outlines;
use crate::repo::{Edit, Repository, View};
use crate::store::{Space, StoreError, Transaction};
use std::collections::BTreeMap;

/// What the head of the shared log is called among the heads of logs.
pub const SHARED_LOG: &str = "shared";

const NODE_ROW: u8 = b'n';
const ROOT_ROW: u8 = b'r';
const PLACE_ROW: u8 = b'p';
const OBJECT_ROW: u8 = b'o';
const ENTRY_ROW: u8 = b'e';
const WORDS_ROW: u8 = b'w';
/// Words that are asked for again at a time.
const MISSING_WORDS_MAX: usize = 4096;
/// Key of the number up to which entries of the shared log are found by id.
const ENTRIES_ROW: &[u8] = b"E";

/// One of the sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogSet {
    /// What the team said in reviews.
    Team,
    /// What guests may read too.
    Guests,
    /// Signatures of commits.
    Signatures,
    /// Policies that wait for signatures.
    Proposals,
}

impl LogSet {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Team, Self::Guests, Self::Signatures, Self::Proposals];

    /// What it is called among the heads of logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Team => "review/team",
            Self::Guests => "review/guests",
            Self::Signatures => "commit-signatures",
            Self::Proposals => "policy-proposals",
        }
    }

    /// The set of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// The set of an audience's review log.
    pub const fn of_audience(audience: Audience) -> Self {
        match audience {
            Audience::Team => Self::Team,
            Audience::Guests => Self::Guests,
        }
    }

    /// The audience whose review log it is.
    pub const fn audience(self) -> Option<Audience> {
        match self {
            Self::Team => Some(Audience::Team),
            Self::Guests => Some(Audience::Guests),
            Self::Signatures | Self::Proposals => None,
        }
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Team => b't',
            Self::Guests => b'g',
            Self::Signatures => b's',
            Self::Proposals => b'q',
        }
    }
}

/// Kinds of members, by the numbers that `docs/protocol.md` gives them.
pub mod member_kind {
    /// A signed header of the review log.
    pub const ACTION: u8 = 9;
    /// A signed permission to erase words.
    pub const WORDS_ERASURE: u8 = 12;
    /// A signature of a commit.
    pub const COMMIT_SIGNATURE: u8 = 13;
    /// A policy link that waits for signatures.
    pub const POLICY_PROPOSAL: u8 = 14;
}

/// The member that stands for a record of a kind.
pub fn member_of(kind: u8, record: &[u8]) -> Member {
    let object = match kind {
        member_kind::COMMIT_SIGNATURE => ObjectKind::CommitSignature,
        member_kind::POLICY_PROPOSAL => ObjectKind::PolicyProposal,
        _ => ObjectKind::WordsErasure,
    };
    Member { id: hash_object(object, record), kind }
}

/// Members that a change adds and takes away.
pub(super) type MemberChanges = BTreeMap<(LogSet, Member), Option<Vec<u8>>>;

fn node_key(set: LogSet, place: &[u8]) -> Vec<u8> {
    [&[NODE_ROW, set.tag()], place].concat()
}

const fn root_key(set: LogSet) -> [u8; 2] {
    [ROOT_ROW, set.tag()]
}

fn place_key(node: &[u8; 32]) -> Vec<u8> {
    [[PLACE_ROW].as_slice(), node].concat()
}

fn object_key(member: &Member) -> Vec<u8> {
    [[OBJECT_ROW, member.kind].as_slice(), &member.id].concat()
}

fn entry_key(id: LogEntryId) -> Vec<u8> {
    [[ENTRY_ROW].as_slice(), id.as_bytes()].concat()
}

fn damaged(source: DecodeError) -> RepoError {
    RepoError::Damaged { kind: "set of a log", id: "node".into(), source }
}

/// A root row: empty for a set without members.
fn read_root(bytes: &[u8]) -> Result<Option<SetRoot>, RepoError> {
    if bytes.is_empty() { Ok(None) } else { SetRoot::decode(bytes).map(Some).map_err(damaged) }
}

impl View {
    /// The head of a set; `None` when it has no members.
    pub fn set_root(&self, set: LogSet) -> Result<Option<SetRoot>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Sets, &root_key(set))?;
        bytes.map_or(Ok(None), |bytes| read_root(&bytes))
    }

    /// The node of a set at a place.
    pub fn set_node(&self, set: LogSet, place: &[u8]) -> Result<Option<SetNode>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot().get(Space::Sets, &node_key(set, place))?;
        bytes.map(|bytes| SetNode::decode(&bytes).map_err(damaged)).transpose()
    }

    /// The bytes of the node of that id.
    pub fn set_node_bytes(&self, id: &[u8; 32]) -> Result<Option<Vec<u8>>, RepoError> {
        let Some(place) = self.snapshot().get(Space::Sets, &place_key(id))? else { return Ok(None) };
        Ok(self.snapshot().get(Space::Sets, &[&[NODE_ROW], place.as_slice()].concat())?)
    }

    /// The key, in its own space, of a member that is not an action.
    pub fn member_row(&self, member: &Member) -> Result<Option<Vec<u8>>, RepoError> {
        Ok(self.snapshot().get(Space::Sets, &object_key(member))?)
    }

    /// Whether a set has a member.
    pub fn has_member(&self, member: &Member) -> Result<bool, RepoError> {
        Ok(self.snapshot().contains(Space::Sets, &object_key(member))?)
    }

    /// Words of actions that did not come along with them, the first of many.
    ///
    /// Of very many some, from those on whose ids begin with `first`: whoever asks with another one each time
    /// comes to all of them, however many there are that nobody has.
    pub fn missing_words(&self, first: u8) -> Result<Vec<BodyId>, RepoError> {
        let mut missing = Vec::new();
        for offset in 0..=u8::MAX {
            let rows = self.snapshot().scan_prefix(Space::Sets, &[WORDS_ROW, first.wrapping_add(offset)])?;
            for row in rows.take(MISSING_WORDS_MAX - missing.len()) {
                missing.extend(BodyId::from_slice(&row?.0[1..]));
            }
            if missing.len() >= MISSING_WORDS_MAX {
                break;
            }
        }
        Ok(missing)
    }

    /// The number of the entry of the shared log with this id.
    pub fn log_sequence(&self, id: LogEntryId) -> Result<Option<u64>, RepoError> {
        let bytes = self.snapshot().get(Space::Sets, &entry_key(id))?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes))
    }

    /// The heads of all logs that have anything in them, by name, as remotes know them.
    pub fn log_heads(&self) -> Result<BTreeMap<String, Vec<u8>>, RepoError> {
        let mut heads = BTreeMap::new();
        if let Some(head) = self.log_head()? {
            heads.insert(SHARED_LOG.to_owned(), head.encode());
        }
        for set in LogSet::ALL {
            if let Some(root) = self.set_root(set)? {
                heads.insert(set.name().to_owned(), root.encode());
            }
        }
        Ok(heads)
    }

    fn sets_are_made(&self) -> Result<bool, RepoError> {
        for set in LogSet::ALL {
            if !self.snapshot().contains(Space::Sets, &root_key(set))? {
                return Ok(false);
            }
        }
        let head = self.log_head()?.map_or(0, |head| head.sequence);
        Ok(self.entries_found()? == head)
    }

    fn entries_found(&self) -> Result<u64, RepoError> {
        let bytes = self.snapshot().get(Space::Sets, ENTRIES_ROW)?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
    }
}

impl Repository {
    /// Makes the trees of the sets where there are none, and has entries of the shared log found by
    /// their ids. What is made already costs a look.
    pub fn settle_sets(&self) -> Result<(), RepoError> {
        for audience in [Audience::Team, Audience::Guests] {
            self.settle_outlines(audience)?;
        }
        let view = self.view()?;
        if view.sets_are_made()? {
            return Ok(());
        }
        let mut edit = self.edit()?;
        let view = self.view()?;
        for set in LogSet::ALL {
            if !view.snapshot().contains(Space::Sets, &root_key(set))? {
                make(edit.transaction(), &view, set)?;
            }
        }
        let (found, head) = (view.entries_found()?, view.log_head()?.map_or(0, |head| head.sequence));
        for sequence in (found + 1).min(head + 1)..=head {
            if let Some(entry) = view.log_entry(sequence)? {
                edit.transaction().put(Space::Sets, &entry_key(entry.id()), &sequence.to_be_bytes())?;
            }
        }
        edit.transaction().put(Space::Sets, ENTRIES_ROW, &head.to_be_bytes())?;
        edit.commit()
    }
}

/// Makes the tree of a set out of the things that are here.
fn make(transaction: &mut Transaction, view: &View, set: LogSet) -> Result<(), RepoError> {
    let members = match set {
        LogSet::Team | LogSet::Guests => view.review_members(set)?,
        LogSet::Signatures => view.signature_members()?,
        LogSet::Proposals => view.proposal_members()?,
    };
    forget(transaction, set)?;
    transaction.put(Space::Sets, &root_key(set), &[])?;
    let changes = members.into_iter().map(|(member, row)| ((set, member), Some(row))).collect();
    apply(transaction, changes)
}

/// Forgets the tree of a set, because the things in it were changed in other ways. It is made again
/// when it is needed next.
pub fn forget(transaction: &mut Transaction, set: LogSet) -> Result<(), StoreError> {
    outlines::forget_of(transaction, set)?;
    transaction.delete(Space::Sets, &root_key(set))?;
    let prefix = [NODE_ROW, set.tag()];
    for (key, bytes) in transaction.scan_prefix(Space::Sets, &prefix)? {
        transaction.delete(Space::Sets, &place_key(&SetNode::id_of(&bytes)))?;
        transaction.delete(Space::Sets, &key)?;
    }
    Ok(())
}

/// Adds members to the trees of their sets, each with the key of its row, and takes others away.
/// Trees that are not made yet are left alone.
pub(super) fn apply(transaction: &mut Transaction, changes: MemberChanges) -> Result<(), RepoError> {
    let mut by_set: BTreeMap<LogSet, Vec<(Member, bool)>> = BTreeMap::new();
    for ((set, member), row) in changes {
        if transaction.get(Space::Sets, &root_key(set))?.is_none() {
            continue;
        }
        match &row {
            Some(row) => transaction.put(Space::Sets, &object_key(&member), row)?,
            None => drop(transaction.delete(Space::Sets, &object_key(&member))?),
        }
        by_set.entry(set).or_default().push((member, row.is_some()));
    }
    for (set, changes) in by_set {
        let root = Builder { transaction: &mut *transaction, set }.change(&mut Vec::new(), &changes)?;
        let bytes = root.map(|root| root.encode()).unwrap_or_default();
        transaction.put(Space::Sets, &root_key(set), &bytes)?;
    }
    Ok(())
}

/// Has an entry of the shared log found by its id, if all before it are.
pub(super) fn find_entry(
    transaction: &mut Transaction,
    id: LogEntryId,
    sequence: u64,
) -> Result<(), RepoError> {
    let found = transaction.get(Space::Sets, ENTRIES_ROW)?;
    let found = found.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    if found + 1 == sequence {
        transaction.put(Space::Sets, &entry_key(id), &sequence.to_be_bytes())?;
        transaction.put(Space::Sets, ENTRIES_ROW, &sequence.to_be_bytes())?;
    }
    Ok(())
}

/// Forgets where entries of the shared log stand that are taken back.
pub(super) fn forget_entries(
    transaction: &mut Transaction,
    entries: &[LogEntryId],
    left: u64,
) -> Result<(), RepoError> {
    for id in entries {
        transaction.delete(Space::Sets, &entry_key(*id))?;
    }
    let found = transaction.get(Space::Sets, ENTRIES_ROW)?;
    let found = found.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    Ok(transaction.put(Space::Sets, ENTRIES_ROW, &found.min(left).to_be_bytes())?)
}

struct Builder<'t> {
    transaction: &'t mut Transaction,
    set: LogSet,
}

impl Builder<'_> {
    fn node(&self, place: &[u8]) -> Result<Option<SetNode>, RepoError> {
        let bytes = self.transaction.get(Space::Sets, &node_key(self.set, place))?;
        bytes.map(|bytes: Vec<u8>| SetNode::decode(&bytes).map_err(damaged)).transpose()
    }

    /// Changes what is below a place. The changes are sorted and all belong there.
    fn change(
        &mut self,
        place: &mut Vec<u8>,
        changes: &[(Member, bool)],
    ) -> Result<Option<SetRoot>, RepoError> {
        let mut children = match self.node(place)? {
            None => return self.write_members(place, merged(&[], changes)),
            Some(SetNode::Leaf(members)) => return self.write_members(place, merged(&members, changes)),
            Some(SetNode::Inner(children)) => children,
        };
        let depth = place.len();
        for group in changes.chunk_by(|a, b| a.0.digit(depth) == b.0.digit(depth)) {
            let digit = group[0].0.digit(depth);
            place.push(digit);
            let child = self.change(place, group)?;
            place.pop();
            match child {
                Some(child) => children.insert(digit, child),
                None => children.remove(&digit),
            };
        }
        let count: u64 = children.values().map(|child| child.count).sum();
        if count > LEAF_MEMBERS_MAX as u64 {
            return self.put(place, &SetNode::Inner(children)).map(Some);
        }
        // What is left fits into a leaf again.
        let mut members = Vec::new();
        self.take_down(place, &mut members)?;
        self.write_members(place, members)
    }

    fn write_members(
        &mut self,
        place: &mut Vec<u8>,
        members: Vec<Member>,
    ) -> Result<Option<SetRoot>, RepoError> {
        let depth = place.len();
        if members.is_empty() {
            self.remove(place)?;
            return Ok(None);
        }
        if members.len() <= LEAF_MEMBERS_MAX || depth == DEPTH_MAX {
            return self.put(place, &SetNode::Leaf(members)).map(Some);
        }
        let mut children = BTreeMap::new();
        for group in members.chunk_by(|a, b| a.digit(depth) == b.digit(depth)) {
            let digit = group[0].digit(depth);
            place.push(digit);
            let child = self.write_members(place, group.to_vec())?;
            place.pop();
            children.extend(child.map(|child| (digit, child)));
        }
        self.put(place, &SetNode::Inner(children)).map(Some)
    }

    /// Collects all members below a place and removes the nodes below it.
    fn take_down(&mut self, place: &mut Vec<u8>, members: &mut Vec<Member>) -> Result<(), RepoError> {
        match self.node(place)? {
            None => {}
            Some(SetNode::Leaf(found)) => members.extend(found),
            Some(SetNode::Inner(children)) => {
                for digit in children.into_keys() {
                    place.push(digit);
                    self.take_down(place, members)?;
                    self.remove(place)?;
                    place.pop();
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, place: &[u8], node: &SetNode) -> Result<SetRoot, RepoError> {
        self.remove(place)?;
        let (bytes, key) = (node.encode(), node_key(self.set, place));
        let root = SetRoot { node: SetNode::id_of(&bytes), count: node.count() };
        self.transaction.put(Space::Sets, &key, &bytes)?;
        self.transaction.put(Space::Sets, &place_key(&root.node), &key[1..])?;
        Ok(root)
    }

    fn remove(&mut self, place: &[u8]) -> Result<(), RepoError> {
        let key = node_key(self.set, place);
        if let Some(bytes) = self.transaction.get(Space::Sets, &key)? {
            self.transaction.delete(Space::Sets, &place_key(&SetNode::id_of(&bytes)))?;
            self.transaction.delete(Space::Sets, &key)?;
        }
        Ok(())
    }
}

/// Sorted members with sorted changes; what is added twice is there once.
fn merged(members: &[Member], changes: &[(Member, bool)]) -> Vec<Member> {
    let mut all: BTreeMap<Member, bool> = members.iter().map(|member| (*member, true)).collect();
    all.extend(changes.iter().copied());
    all.into_iter().filter_map(|(member, stays)| stays.then_some(member)).collect()
}

impl Edit {
    /// Notes that a thing was added to a set, or is there no more, for when the change becomes real.
    pub(super) fn note_member(&mut self, set: LogSet, member: Member, row: Option<Vec<u8>>) {
        self.members.insert((set, member), row);
    }

    /// Notes that the words of an action did not come along, so that they are asked for again; or that
    /// nobody needs to any more.
    pub fn note_missing_words(&mut self, id: BodyId, missing: bool) -> Result<(), RepoError> {
        let row = [[WORDS_ROW].as_slice(), id.as_bytes()].concat();
        if missing {
            self.transaction().put(Space::Sets, &row, &[])?;
        } else {
            self.transaction().delete(Space::Sets, &row)?;
        }
        Ok(())
    }

    /// The head of a set with what this change does to it.
    pub fn set_root(&mut self, set: LogSet) -> Result<Option<SetRoot>, RepoError> {
        let changes = std::mem::take(&mut self.members);
        apply(self.transaction(), changes)?;
        let bytes = self.transaction().get(Space::Sets, &root_key(set))?;
        bytes.map_or(Ok(None), |bytes| read_root(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RepositoryId;
    use crate::store::StoreSettings;
    use proptest::prelude::*;

    fn repository() -> (tempfile::TempDir, Repository) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
        let repository = Repository::create(folder.path(), &settings).expect("a new repository");
        repository.settle_sets().expect("empty sets");
        (folder, repository)
    }

    fn member(number: u32) -> Member {
        Member { id: *blake3::hash(&number.to_le_bytes()).as_bytes(), kind: member_kind::ACTION }
    }

    fn change(edit: &mut Edit, numbers: impl Iterator<Item = u32>, add: bool) {
        for number in numbers {
            edit.note_member(LogSet::Team, member(number), add.then(Vec::new));
        }
    }

    fn root_of(numbers: &[u32]) -> Option<SetRoot> {
        let (_folder, repository) = repository();
        let mut edit = repository.edit().expect("an edit");
        change(&mut edit, numbers.iter().copied(), true);
        edit.set_root(LogSet::Team).expect("a root")
    }

    fn rows(repository: &Repository) -> usize {
        repository.view().expect("a view").snapshot().scan_prefix(Space::Sets, b"").expect("rows").count()
    }

    #[test]
    fn a_set_that_loses_what_it_got_is_what_it_was_and_leaves_nothing_behind() {
        let (_folder, repository) = repository();
        let before = rows(&repository);
        let mut edit = repository.edit().expect("an edit");
        change(&mut edit, 0..5_000, true);
        edit.commit().expect("a commit");
        let full = repository.view().expect("a view").set_root(LogSet::Team).expect("a root");
        assert_eq!(full.map(|root| root.count), Some(5_000));
        let mut edit = repository.edit().expect("an edit");
        change(&mut edit, 20..5_000, false);
        edit.commit().expect("a commit");
        let few: Vec<u32> = (0..20).collect();
        assert_eq!(repository.view().expect("a view").set_root(LogSet::Team).expect("a root"), root_of(&few));
        let mut edit = repository.edit().expect("an edit");
        change(&mut edit, 0..20, false);
        edit.commit().expect("a commit");
        assert_eq!(rows(&repository), before);
    }

    #[test]
    fn every_node_is_found_by_its_id() {
        let (_folder, repository) = repository();
        let mut edit = repository.edit().expect("an edit");
        change(&mut edit, 0..3_000, true);
        edit.commit().expect("a commit");
        let view = repository.view().expect("a view");
        let mut waiting = vec![view.set_root(LogSet::Team).expect("a root").expect("members")];
        let mut members = 0;
        while let Some(root) = waiting.pop() {
            let bytes = view.set_node_bytes(&root.node).expect("readable").expect("a node");
            let node = SetNode::decode(&bytes).expect("a sound node");
            assert_eq!(node.root(), root);
            match node {
                SetNode::Leaf(found) => members += found.len(),
                SetNode::Inner(children) => waiting.extend(children.into_values()),
            }
        }
        assert_eq!(members, 3_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn the_same_members_make_the_same_tree(
            numbers in proptest::collection::btree_set(0u32..100_000, 1..300),
            others in proptest::collection::btree_set(0u32..100_000, 0..200),
            steps in 1usize..9,
        ) {
            let (_folder, repository) = repository();
            let wanted: Vec<u32> = numbers.iter().copied().collect();
            for group in wanted.chunks(wanted.len().div_ceil(steps)) {
                let mut edit = repository.edit().expect("an edit");
                change(&mut edit, group.iter().rev().copied(), true);
                change(&mut edit, others.iter().filter(|n| !numbers.contains(n)).copied(), true);
                edit.commit().expect("a commit");
            }
            let mut edit = repository.edit().expect("an edit");
            change(&mut edit, others.iter().filter(|n| !numbers.contains(n)).copied(), false);
            prop_assert_eq!(edit.set_root(LogSet::Team).expect("a root"), root_of(&wanted));
        }
    }
}

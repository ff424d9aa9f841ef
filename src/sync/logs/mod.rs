//! Moving logs between repositories: the shared log, which is a chain, and the sets of signed things
//! that only grow.
//!
//! ```text
//! shared log:  head -> the entry before it -> ... -> an entry that is here
//! a set:       root -> nodes that differ -> members that are not here -> verified, kept
//! ```
//!
//! What comes is kept apart ([`Inbox`]) until it was verified as what it is. Sets are joined: nobody
//! takes anything out of one by handing out a smaller one.

mod absorb;
mod inbox;
mod sets;
mod shared;
pub mod strangers;

pub use inbox::Inbox;
pub(in crate::sync) use sets::person_key;
pub(in crate::sync) use shared::find as find_log;
pub use shared::{LogArrival, LogFound};

use crate::base::id::{ActionId, BodyId, FileId, LogEntryId};
use crate::base::monitor::Monitor;
use crate::object::action::Audience;
use crate::object::set_node::{Member, SetNode, SetRoot};
use crate::repo::review_log::ReviewBytes;
use crate::repo::sets::{LogSet, SHARED_LOG};
use crate::repo::{Repository, View};
use crate::store::Space;
use crate::sync::accept::{Judge, Known};
use crate::sync::bundle::open_bundle;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::remote::{Description, Kind, LogChange, ObjectKey, Remote};
use absorb::Absorbing;
use serde::Serialize;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use strangers::Strangers;

/// Members that are asked for and kept at a time.
const MEMBERS_AT_A_TIME: usize = 1024;

/// What came of logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogsFetched {
    /// Entries of the shared log that were taken over.
    pub entries: u64,
    /// Actions of the review log.
    pub actions: u64,
    /// Signatures of commits.
    pub signatures: u64,
    /// Proposed policies.
    pub proposals: u64,
    /// Permissions to erase words that were followed.
    pub erased: u64,
    /// Signed things that did not hold, or that nobody had the right to: not kept.
    pub refused: u64,
    /// Of these, what holds and does not count, or does not any more, by the policy in force.
    #[serde(skip)]
    pub uncounted: u64,
    /// What the remote names and does not give.
    pub withheld: Vec<String>,
    /// Why the remote's shared log was not taken over, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What people should know of a log that was taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl LogsFetched {
    /// Adds what came right after.
    pub fn add(&mut self, more: Self) {
        self.entries += more.entries;
        self.actions += more.actions;
        self.signatures += more.signatures;
        self.proposals += more.proposals;
        self.erased += more.erased;
        self.refused += more.refused;
        self.uncounted += more.uncounted;
        for what in more.withheld {
            if !self.withheld.contains(&what) {
                self.withheld.push(what);
            }
        }
        self.problem = more.problem.or(self.problem.take());
        self.note = more.note.or(self.note.take());
    }
}

/// Where objects of logs can be had that have not come yet.
pub(in crate::sync) trait Objects {
    /// Asks for objects; what is not there does not come.
    fn ask(&self, keys: &[ObjectKey], inbox: &mut Inbox) -> SyncResult<()>;
}

/// Nowhere: what has come is all there is.
pub(in crate::sync) struct Nowhere;

impl Objects for Nowhere {
    fn ask(&self, _: &[ObjectKey], _: &mut Inbox) -> SyncResult<()> {
        Ok(())
    }
}

struct FromRemote<'a> {
    remote: &'a dyn Remote,
    keys_max: usize,
    received: Cell<u64>,
}

impl Objects for FromRemote<'_> {
    fn ask(&self, keys: &[ObjectKey], inbox: &mut Inbox) -> SyncResult<()> {
        let open: Vec<ObjectKey> = keys.iter().filter(|key| !inbox.has(key)).copied().collect();
        for keys in open.chunks(self.keys_max.max(1)) {
            inbox.expect(keys);
            self.remote.fetch_objects(keys, &mut |bundle| {
                self.received.set(self.received.get() + bundle.len() as u64);
                open_bundle(bundle, &mut |received, _, _| inbox.put(received.key, received.bytes))
            })?;
        }
        Ok(())
    }
}

/// What a remote has in its sets, as far as it differed from what was here.
#[derive(Debug, Default)]
pub struct Theirs {
    roots: BTreeMap<LogSet, SetRoot>,
    nodes: HashMap<[u8; 32], SetNode>,
    later: Vec<(LogSet, Member)>,
}

/// The logs of this repository and of a remote.
pub struct LogExchange<'a> {
    /// This repository.
    pub repository: &'a Repository,
    /// The remote.
    pub remote: &'a dyn Remote,
    /// What it said of itself.
    pub description: &'a Description,
    /// The rules that hold here.
    pub judge: &'a dyn Judge,
    /// Who is told, and may stop it.
    pub monitor: &'a dyn Monitor,
}

impl LogExchange<'_> {
    fn source(&self) -> FromRemote<'_> {
        let keys_max = self.description.limits.keys();
        FromRemote { remote: self.remote, keys_max, received: Cell::new(0) }
    }

    /// Whether the remote has logs that are not exactly those that are here.
    pub fn differ(&self) -> SyncResult<bool> {
        self.repository.settle_sets()?;
        Ok(self.repository.view()?.log_heads()? != self.description.logs)
    }

    /// Brings actions and commit signatures here, and what the remote's shared log has beyond ours.
    /// `inbox` has what came along with the history. Gives also how many bytes were asked for.
    pub fn receive(
        &self,
        inbox: &mut Inbox,
        fetched: &mut LogsFetched,
    ) -> SyncResult<(Theirs, LogFound, u64)> {
        self.repository.settle_sets()?;
        let source = self.source();
        let mut theirs = Theirs::default();
        let view = self.repository.view()?;
        let found = match self.description.logs.get(SHARED_LOG) {
            None => LogFound::Nothing,
            Some(bytes) => shared::find(&view, self.repository.id(), bytes, &source, inbox)?,
        };
        // Whoever the policies name that come along is no stranger any more.
        let known = self.judge.known(&view, &found)?;
        for set in LogSet::ALL {
            let Some(bytes) = self.description.logs.get(set.name()) else { continue };
            let invalid = |error: &dyn std::fmt::Display| SyncError::Invalid {
                what: "a set",
                detail: error.to_string(),
            };
            let root = SetRoot::decode(bytes).map_err(|error| invalid(&error))?;
            theirs.roots.insert(set, root);
            let strangers = Strangers { known: known.as_ref() };
            let taking = Absorbing { repository: self.repository, judge: self.judge, set, strangers };
            self.receive_set(&taking, root, &source, inbox, &mut theirs, fetched)?;
        }
        self.receive_words(&source, inbox)?;
        Ok((theirs, found, source.received.get()))
    }

    fn receive_set(
        &self,
        taking: &Absorbing<'_>,
        root: SetRoot,
        source: &dyn Objects,
        inbox: &mut Inbox,
        theirs: &mut Theirs,
        fetched: &mut LogsFetched,
    ) -> SyncResult<()> {
        let (view, set) = (self.repository.view()?, taking.set);
        let found = sets::compare(&view, set, root, source, inbox)?;
        theirs.nodes.extend(found.nodes);
        note_withheld(fetched, &found.missing);
        let (later, now): (Vec<Member>, Vec<Member>) =
            found.lacking.into_iter().partition(|member| needs_policy(*member));
        theirs.later.extend(later.into_iter().map(|member| (set, member)));
        for members in now.chunks(MEMBERS_AT_A_TIME) {
            if self.monitor.is_cancelled() {
                return Err(SyncError::Cancelled);
            }
            taking.run(members, source, inbox, fetched)?;
        }
        Ok(())
    }

    /// Brings what can only be judged by the policy that is in force now: permissions to erase words,
    /// and proposed policies.
    pub fn receive_later(
        &self,
        theirs: &Theirs,
        inbox: &mut Inbox,
        fetched: &mut LogsFetched,
    ) -> SyncResult<()> {
        let source = self.source();
        for set in LogSet::ALL {
            let of_set = theirs.later.iter().filter(|(of, _)| *of == set);
            let members: Vec<Member> = of_set.map(|(_, member)| *member).collect();
            let strangers = Strangers { known: None };
            let taking = Absorbing { repository: self.repository, judge: self.judge, set, strangers };
            for members in members.chunks(MEMBERS_AT_A_TIME) {
                taking.run(members, &source, inbox, fetched)?;
            }
        }
        Ok(())
    }

    /// Asks again for words that did not come along with their actions.
    fn receive_words(&self, source: &dyn Objects, inbox: &mut Inbox) -> SyncResult<()> {
        let mut first = [0];
        // Where to begin only has to differ from time to time.
        let _ = getrandom::fill(&mut first);
        let missing = self.repository.view()?.missing_words(first[0])?;
        if missing.is_empty() {
            return Ok(());
        }
        let keys: Vec<ObjectKey> =
            missing.iter().map(|id| ObjectKey::new(Kind::ActionBody, *id.as_bytes())).collect();
        source.ask(&keys, inbox)?;
        let mut edit = self.repository.edit()?;
        for key in &keys {
            if let Some(bytes) = inbox.take(key)? {
                absorb::keep_body(&mut edit, &bytes)?;
            }
        }
        Ok(edit.commit()?)
    }

    /// What of the sets the remote lacks: the heads that are to move, and the objects to send.
    pub fn outgoing(&self, theirs: &Theirs) -> SyncResult<(Vec<LogChange>, Vec<ObjectKey>)> {
        let view = self.repository.view()?;
        let (mut changes, mut keys) = (Vec::new(), Vec::new());
        for set in LogSet::ALL {
            let ours = view.set_root(set)?;
            let root = theirs.roots.get(&set).copied();
            let Some(target) = ours.filter(|ours| Some(*ours) != root) else { continue };
            sets::outgoing(&view, set, root, &theirs.nodes, &mut keys)?;
            let expected = self.description.logs.get(set.name()).cloned();
            changes.push(LogChange { name: set.name().to_owned(), expected, target: target.encode() });
        }
        Ok((changes, keys))
    }
}

/// Takes in what was sent for the sets that are to move, and insists that it is all there and holds. Gives
/// what the policy has a say in: that is for [`take_later`], once the shared log is here. What does not
/// count by it, or does not any more, is left out, and so is what strangers say beyond what is kept of them: whoever
/// sent it could not know.
pub(in crate::sync) fn take_sets(
    repository: &Repository,
    judge: &dyn Judge,
    (changes, known): (&[LogChange], Option<&Known>),
    inbox: &mut Inbox,
) -> SyncResult<Vec<(LogSet, Vec<Member>)>> {
    let mut later = Vec::new();
    let mut fetched = LogsFetched::default();
    for change in changes {
        let Some(set) = LogSet::named(&change.name) else { continue };
        let broken = |detail: String| SyncError::Invalid { what: "a set", detail };
        let root = SetRoot::decode(&change.target).map_err(|error| broken(error.to_string()))?;
        let found = sets::compare(&repository.view()?, set, root, &Nowhere, inbox)?;
        if let Some(key) = found.missing.first() {
            return Err(SyncError::Missing { kind: key.kind.name(), id: key.id_text() });
        }
        let absorbing = Absorbing { repository, judge, set, strangers: Strangers { known } };
        let (of_policy, now): (Vec<Member>, Vec<Member>) =
            found.lacking.into_iter().partition(|member| needs_policy(*member));
        later.push((set, of_policy));
        for members in now.chunks(MEMBERS_AT_A_TIME) {
            absorbing.run(members, &Nowhere, inbox, &mut fetched)?;
        }
        if let Some(what) = fetched.withheld.first() {
            return Err(broken(format!("{what} did not come")));
        }
        insist_that_it_holds(&fetched)?;
    }
    Ok(later)
}

/// Takes in what counts by the policy that is in force now, with the shared log that came along.
pub(in crate::sync) fn take_later(
    repository: &Repository,
    judge: &dyn Judge,
    later: &[(LogSet, Vec<Member>)],
    inbox: &mut Inbox,
) -> SyncResult<()> {
    let mut fetched = LogsFetched::default();
    for (set, members) in later {
        let strangers = Strangers { known: None };
        let absorbing = Absorbing { repository, judge, set: *set, strangers };
        for members in members.chunks(MEMBERS_AT_A_TIME) {
            absorbing.run(members, &Nowhere, inbox, &mut fetched)?;
        }
    }
    insist_that_it_holds(&fetched)
}

fn insist_that_it_holds(fetched: &LogsFetched) -> SyncResult<()> {
    let bad = fetched.refused - fetched.uncounted;
    if bad == 0 {
        return Ok(());
    }
    let detail = format!("{bad} of what is in it do not hold");
    Err(SyncError::Invalid { what: "a set", detail })
}

const fn needs_policy(member: Member) -> bool {
    member.kind == Kind::WordsErasure.number() || member.kind == Kind::PolicyProposal.number()
}

fn note_withheld(fetched: &mut LogsFetched, keys: &[ObjectKey]) {
    /// How many are named.
    const NAMED_MAX: usize = 100;
    for key in keys {
        if fetched.withheld.len() < NAMED_MAX {
            fetched.withheld.push(format!("{} {}", key.kind.name(), key.id_text()));
        }
    }
}

/// Everything that a set has: nodes, members, and what these name.
pub(in crate::sync) fn all_of_set(view: &View, set: LogSet) -> SyncResult<Vec<ObjectKey>> {
    let mut keys = Vec::new();
    sets::outgoing(view, set, None, &HashMap::new(), &mut keys)?;
    Ok(keys)
}

/// The bytes of an object of a log as they travel; `None` when it is not here.
pub(in crate::sync) fn log_object_bytes(view: &View, key: ObjectKey) -> SyncResult<Option<Vec<u8>>> {
    let member = Member { id: key.id, kind: key.kind.number() };
    let row_of = |space: Space| -> SyncResult<Option<Vec<u8>>> {
        let Some(row) = view.member_row(&member)? else { return Ok(None) };
        Ok(view.snapshot().get(space, &row)?)
    };
    Ok(match key.kind {
        Kind::LogEntry => {
            let Some(sequence) = view.log_sequence(LogEntryId::from_bytes(key.id))? else { return Ok(None) };
            view.log_entry(sequence)?.map(|entry| entry.encode())
        }
        Kind::SetNode => view.set_node_bytes(&key.id)?,
        Kind::Action => {
            let id = ActionId::from_bytes(key.id);
            let record = match view.review_action(Audience::Team, id)? {
                Some(record) => Some(record),
                None => view.review_action(Audience::Guests, id)?,
            };
            record.map(|record| record.encode())
        }
        Kind::ActionBody => view.review_bytes(ReviewBytes::Body(BodyId::from_bytes(key.id)))?,
        Kind::TransitionList => view.review_bytes(ReviewBytes::List(FileId::from_bytes(key.id)))?,
        Kind::WordsErasure => row_of(Space::ReviewLog)?,
        Kind::CommitSignature => row_of(Space::CommitSignatures)?,
        Kind::PolicyProposal => row_of(Space::SharedLog)?,
        _ => None,
    })
}

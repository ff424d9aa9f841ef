//! People with keys, a log in memory, and changes that some of them approved.

use pentimento::base::id::{
    ActionId, AssetId, CommitId, FileId, LogEntryId, MetadataId, PersonId, PolicyId, RepositoryId,
};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::object::approval::{Approval, Coverage, Judgement};
use pentimento::object::log_entry::{LogDeed, LogEntry, PolicyTaken, RefMoved, SignedEntry, Why};
use pentimento::object::metadata::FieldName;
use pentimento::object::policy_link::{PolicyLink, Signed};
use pentimento::object::signature::{Namespace, verify as verify_signature};
use pentimento::object::transition::{Held, Placed, Transition, TransitionList};
use pentimento::rules::approval::{Change, Received, Vote};
use pentimento::trust::chain::{ChainError, Evidence, Trust, VerifiedLog, verify};
use pentimento::trust::judge::MoveEvidence;
use pentimento::trust::log_writer::LogWriter;
use pentimento::trust::{LocalKey, Signer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

pub const REPOSITORY: RepositoryId = RepositoryId::from_bytes([7; 16]);
/// 1 March 2026, 16:00 UTC.
pub const START_MS: i64 = 1_772_380_800_000;
pub const DAY_MS: i64 = 86_400_000;
pub const MAIN: &str = "branch/main";

/// Somebody with a key.
pub struct Somebody {
    pub id: PersonId,
    pub key: LocalKey,
}

/// The person of a number: the same in every test.
pub fn somebody(number: u8) -> Somebody {
    let key = LocalKey::from_seed(&[number; 32]).expect("a key");
    Somebody { id: PersonId::from_bytes([number; 16]), key }
}

impl Somebody {
    pub fn writer(&self) -> LogWriter<'_> {
        LogWriter { person: self.id, signer: &self.key }
    }

    /// The section of a policy that names this person with these keys.
    pub fn section(&self, handle: &str, keys: &[&LocalKey]) -> String {
        let keys: Vec<String> =
            keys.iter().map(|key| format!("{{ key = \"{}\" }}", key.public_key().to_openssh())).collect();
        format!("[people.{handle}]\nid = \"{}\"\nkeys = [{}]\n\n", self.id, keys.join(", "))
    }
}

pub const ANNA: u8 = 1;
pub const BEN: u8 = 2;
pub const CLEO: u8 = 3;
pub const DORA: u8 = 4;
pub const STRANGER: u8 = 9;

/// Anna administrates, Ben and Cleo are editors, Dora designs; `rules` says the rest.
pub fn policy(rules: &str) -> String {
    let people: String = [("anna", ANNA), ("ben", BEN), ("cleo", CLEO), ("dora", DORA)]
        .iter()
        .map(|(handle, number)| {
            let person = somebody(*number);
            person.section(handle, &[&person.key])
        })
        .collect();
    let roles = "[roles]\nadministrator = [\"anna\"]\neditor = [\"ben\", \"cleo\"]\ndesigner = [\"dora\"]\nlegal = [\"cleo\"]\n";
    let change = if rules.contains("[policy]") { "" } else { "\n[policy]\nchange = [\"1 administrator\"]\n" };
    format!("version = 1\n\n{people}{roles}\n{rules}{change}")
}

pub const TWO_EDITORS: &str = "[[protect]]\nbranch = \"main\"\napprovals = [\"2 editor\"]\n";
pub const ONE_EDITOR: &str = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\"]\n";

pub fn commit(number: u8) -> CommitId {
    CommitId::from_bytes([number; 32])
}

pub fn path(text: &str) -> AssetPath {
    AssetPath::from_bytes(text).expect("a path")
}

fn placed(path: &AssetPath, content: u8, metadata: Option<u8>) -> Placed {
    Placed {
        path: path.clone(),
        asset: Some(AssetId::from_bytes([5; 16])),
        metadata: metadata.map(|number| MetadataId::from_bytes([number; 32])),
        content: Held::File { id: FileId::from_bytes([content; 32]), size: 3, executable: false },
    }
}

/// Bytes `from` become bytes `to` at a path.
pub fn edited(at: &str, from: u8, to: u8) -> Change {
    let at = path(at);
    let transition = Transition { before: Some(placed(&at, from, None)), after: Some(placed(&at, to, None)) };
    Change { transition, fields: Vec::new() }
}

/// Only metadata changes, in these fields.
pub fn relabelled(at: &str, fields: &[&str]) -> Change {
    let at = path(at);
    let transition =
        Transition { before: Some(placed(&at, 1, Some(1))), after: Some(placed(&at, 1, Some(2))) };
    let fields = fields.iter().map(|name| FieldName::new(name).expect("a name")).collect();
    Change { transition, fields }
}

pub fn submission(number: u8) -> ActionId {
    ActionId::from_bytes([number; 32])
}

/// A verdict as its signer gave it.
pub struct Ballot<'a> {
    pub by: &'a Somebody,
    pub key: &'a LocalKey,
    pub branch: &'a str,
    pub submission: ActionId,
    pub policy: Option<PolicyId>,
    pub given_ms: i64,
    pub judgement: Judgement,
    pub received: Option<Received>,
}

impl<'a> Ballot<'a> {
    pub fn approve(by: &'a Somebody, policy: PolicyId) -> Self {
        Self {
            by,
            key: &by.key,
            branch: "main",
            submission: submission(1),
            policy: Some(policy),
            given_ms: START_MS,
            judgement: Judgement::Approve,
            received: None,
        }
    }

    /// The verdict on these changes, under the seal of its key.
    pub fn on(&self, changes: &[Change]) -> Vote {
        let list = TransitionList::new(changes.iter().map(|change| change.transition.clone()));
        let statement = b"a verdict".as_slice();
        let signature = self.key.sign(Namespace::Action, statement).expect("a signature");
        let sealed = verify_signature(statement, &signature, Namespace::Action).expect("it holds");
        let approval = sealed.map(|_| Approval {
            action: ActionId::from_bytes([0xaa; 32]),
            submission: self.submission,
            branch: self.branch.to_owned(),
            person: self.by.id,
            policy: self.policy,
            unix_ms: self.given_ms,
            judgement: self.judgement,
            coverage: Coverage::of(&list).into(),
            before: Vec::new(),
        });
        Vote { approval, received: self.received, taken_back: Vec::new() }
    }
}

type MoveKey = (String, Option<CommitId>, Option<CommitId>);

/// What speaks for moves, as a test has it.
#[derive(Default)]
pub struct Told {
    moves: Mutex<BTreeMap<MoveKey, MoveEvidence>>,
}

impl Told {
    pub fn tell(&self, from: Option<CommitId>, to: Option<CommitId>, evidence: MoveEvidence) {
        self.moves.lock().expect("no panic").insert((MAIN.to_owned(), from, to), evidence);
    }
}

impl Evidence for Told {
    fn of_move(
        &self,
        _: &VerifiedLog,
        _: Received,
        moved: &RefMoved,
    ) -> Result<MoveEvidence, Box<dyn std::error::Error + Send + Sync>> {
        let key = (moved.reference.clone(), moved.from, moved.to);
        Ok(self.moves.lock().expect("no panic").get(&key).cloned().unwrap_or_default())
    }
}

/// A log in memory that grows by what is true or is forced upon it.
pub struct Studio {
    pub entries: Vec<SignedEntry>,
    pub told: Told,
    pub now_ms: i64,
}

impl Studio {
    /// A log whose first policy Anna signed; `main` starts at commit 1.
    pub fn new(first: &str) -> Self {
        let mut studio = Self { entries: Vec::new(), told: Told::default(), now_ms: START_MS };
        let link = studio.link(first, &[ANNA]);
        studio.force(ANNA, LogDeed::Policy(PolicyTaken { link, recovery: false }));
        studio
    }

    pub fn trust(&self) -> Trust {
        Trust { repository: REPOSITORY, pinned: None, now_ms: self.now_ms }
    }

    pub fn verify(&self) -> Result<VerifiedLog, ChainError> {
        self.verify_entries(&self.entries)
    }

    pub fn verify_entries(&self, entries: &[SignedEntry]) -> Result<VerifiedLog, ChainError> {
        verify(entries, &self.trust(), None, &self.told, &SilentMonitor)
    }

    pub fn log(&self) -> VerifiedLog {
        self.verify().expect("a log that verifies")
    }

    /// Why the log does not verify.
    pub fn broken(&self) -> String {
        self.verify().expect_err("a log that does not verify").to_string()
    }

    /// The next link, signed by some.
    pub fn link(&self, text: &str, signers: &[u8]) -> Signed {
        let (number, parents, starts) = if self.entries.is_empty() {
            (1, Vec::new(), BTreeMap::from([(MAIN.to_owned(), commit(1))]))
        } else {
            let log = self.log();
            let in_force = log.in_force().expect("a policy");
            (in_force.number + 1, vec![in_force.id], BTreeMap::new())
        };
        signed_link(&unsigned(text, number, parents, starts), signers)
    }

    /// Writes an entry after those that are there, true or not.
    pub fn force(&mut self, by: u8, deed: LogDeed) {
        let entry = self.entry(by, deed);
        self.entries.push(entry);
    }

    /// The entry that would come next.
    pub fn entry(&self, by: u8, deed: LogDeed) -> SignedEntry {
        let last = self.entries.last();
        let sequence = self.entries.len() as u64 + 1;
        signed_entry(by, sequence, last.map(SignedEntry::id), self.now_ms, deed)
    }

    /// Changes the policy as it must be done.
    pub fn change_policy(&mut self, text: &str) -> PolicyId {
        let link = self.link(text, &[ANNA]);
        let id = PolicyLink::id_of(&link.statement);
        self.force(ANNA, LogDeed::Policy(PolicyTaken { link, recovery: false }));
        id
    }

    /// Lets `main` land submission `number`, with what speaks for it.
    pub fn land(&mut self, by: u8, from: u8, to: u8, number: u8, evidence: MoveEvidence) {
        let (from, to) = (Some(commit(from)), Some(commit(to)));
        self.told.tell(from, to, evidence);
        let why = Why::Landing { submission: submission(number) };
        self.force(by, LogDeed::Move(RefMoved { reference: MAIN.into(), from, to, why, heads: Vec::new() }));
    }

    pub fn policy_id(&self) -> PolicyId {
        self.log().in_force().expect("a policy").id
    }
}

pub fn unsigned(
    text: &str,
    number: u64,
    parents: Vec<PolicyId>,
    starts: BTreeMap<String, CommitId>,
) -> PolicyLink {
    let (reason, policy) = (String::new(), text.to_owned());
    PolicyLink { repository: REPOSITORY, number, parents, starts, made_ms: START_MS, reason, policy }
}

pub fn signed_link(link: &PolicyLink, signers: &[u8]) -> Signed {
    let mut signed = Signed::unsigned(link.encode().expect("a link"));
    for signer in signers {
        somebody(*signer).writer().sign_link(&mut signed).expect("a signature");
    }
    signed
}

/// An entry as `by` would write it at that place.
pub fn signed_entry(
    by: u8,
    sequence: u64,
    previous: Option<LogEntryId>,
    received_ms: i64,
    deed: LogDeed,
) -> SignedEntry {
    let person = somebody(by);
    let key = person.key.public_key().fingerprint();
    let entry =
        LogEntry { repository: REPOSITORY, sequence, previous, received_ms, actor: person.id, key, deed };
    let statement = entry.encode().expect("an entry");
    let signature = person.key.sign(Namespace::Log, &statement).expect("a signature");
    SignedEntry { statement, signature }
}

/// Changes that Dora made, with verdicts on them.
pub fn evidence(changes: Vec<Change>, votes: Vec<Vote>) -> MoveEvidence {
    MoveEvidence { changes, votes, authors: BTreeSet::from([somebody(DORA).id]), ..MoveEvidence::default() }
}

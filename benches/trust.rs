//! How long it takes to verify a shared log of 100,000 moves, 10,000 of them landings with an
//! approval each, from its first entry and from where an earlier verification ended.
//!
//! `cargo bench --bench trust`. The log is in memory; every signature is made and checked for real.

// A benchmark that cannot go on has failed.
#![allow(clippy::expect_used)]

use divan::{Bencher, black_box};
use pentimento::base::id::{ActionId, CommitId, FileId, PersonId, RepositoryId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::object::approval::{Approval, Coverage, Judgement};
use pentimento::object::log_entry::{LogDeed, LogEntry, PolicyTaken, RefMoved, SignedEntry, Why};
use pentimento::object::policy_link::{PolicyLink, Signed};
use pentimento::object::signature::{Namespace, verify as verify_signature};
use pentimento::object::transition::{Held, Placed, Transition, TransitionList};
use pentimento::rules::approval::{Change, Received, Vote};
use pentimento::trust::chain::{Evidence, Trust, VerifiedLog, verify};
use pentimento::trust::judge::MoveEvidence;
use pentimento::trust::log_writer::LogWriter;
use pentimento::trust::{LocalKey, Signer};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::LazyLock;

const MOVES: u32 = 100_000;
/// Every tenth move lands a submission.
const LANDING_EVERY: u32 = 10;
const REPOSITORY: RepositoryId = RepositoryId::from_bytes([7; 16]);
const PERSON: PersonId = PersonId::from_bytes([1; 16]);
const NOW_MS: i64 = 1_772_380_800_000;

static LOG: LazyLock<Log> = LazyLock::new(Log::make);

fn main() {
    divan::main();
}

fn commit(number: u32) -> CommitId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    CommitId::from_bytes(bytes)
}

fn placed(path: &AssetPath, content: u8) -> Placed {
    let content = Held::File { id: FileId::from_bytes([content; 32]), size: 3, executable: false };
    Placed { path: path.clone(), asset: None, metadata: None, content }
}

/// A log and a key that wrote it and approved what is in it.
struct Log {
    entries: Vec<SignedEntry>,
    told: Told,
}

/// What speaks for the moves: a verdict is verified when it is asked for, as it is in a repository.
struct Told {
    key: LocalKey,
    link: Signed,
    free: Change,
    guarded: Change,
}

impl Log {
    fn make() -> Self {
        let key = LocalKey::from_seed(&[1; 32]).expect("a key");
        let text = format!(
            "version = 1\n[people.anna]\nid = \"{PERSON}\"\nkeys = [{{ key = \"{}\" }}]\n\
             [[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"1 of anna\"]\n\
             [policy]\nchange = [\"1 of anna\"]\n",
            key.public_key().to_openssh()
        );
        let starts = BTreeMap::from([("branch/main".to_owned(), commit(0))]);
        let (parents, reason) = (Vec::new(), String::new());
        let link = PolicyLink {
            repository: REPOSITORY,
            number: 1,
            parents,
            starts,
            made_ms: 0,
            reason,
            policy: text,
        };
        let mut signed = Signed::unsigned(link.encode().expect("a link"));
        LogWriter { person: PERSON, signer: &key }.sign_link(&mut signed).expect("a signature");
        let change = |path: &str| {
            let path = AssetPath::from_bytes(path).expect("a path");
            let (before, after) = (Some(placed(&path, 1)), Some(placed(&path, 2)));
            Change { transition: Transition { before, after }, fields: Vec::new() }
        };
        let told = Told { key, link: signed.clone(), free: change("web/a"), guarded: change("brand/a") };
        let mut entries = Vec::with_capacity(MOVES as usize + 1);
        let mut add = |deed| {
            let entry = LogEntry {
                repository: REPOSITORY,
                sequence: entries.len() as u64 + 1,
                previous: entries.last().map(SignedEntry::id),
                received_ms: NOW_MS,
                actor: PERSON,
                key: told.key.public_key().fingerprint(),
                deed,
            };
            let statement = entry.encode().expect("an entry");
            let signature = told.key.sign(Namespace::Log, &statement).expect("a signature");
            entries.push(SignedEntry { statement, signature });
        };
        add(LogDeed::Policy(PolicyTaken { link: signed, recovery: false }));
        for number in 0..MOVES {
            add(LogDeed::Move(RefMoved {
                reference: "branch/main".into(),
                from: Some(commit(number)),
                to: Some(commit(number + 1)),
                why: why(number),
                heads: Vec::new(),
            }));
        }
        Self { entries, told }
    }

    fn verify(&self, entries: &[SignedEntry], earlier: Option<VerifiedLog>) -> VerifiedLog {
        let trust = Trust { repository: REPOSITORY, pinned: None, now_ms: NOW_MS };
        verify(entries, &trust, earlier, &self.told, &SilentMonitor).expect("a log that verifies")
    }
}

fn why(number: u32) -> Why {
    if number.is_multiple_of(LANDING_EVERY) {
        Why::Landing { submission: ActionId::from_bytes(*commit(number).as_bytes()) }
    } else {
        Why::Direct {}
    }
}

impl Evidence for Told {
    fn of_move(
        &self,
        _: &VerifiedLog,
        received: Received,
        moved: &RefMoved,
    ) -> Result<MoveEvidence, Box<dyn Error + Send + Sync>> {
        let Why::Landing { submission } = moved.why else {
            return Ok(MoveEvidence { changes: vec![self.free.clone()], ..MoveEvidence::default() });
        };
        let statement = submission.to_string();
        let signature = self.key.sign(Namespace::Action, statement.as_bytes())?;
        let sealed = verify_signature(statement.as_bytes(), &signature, Namespace::Action)?;
        let list = TransitionList::new([self.guarded.transition.clone()]);
        let approval = sealed.map(|_| Approval {
            action: submission,
            submission,
            branch: "main".into(),
            person: PERSON,
            policy: Some(PolicyLink::id_of(&self.link.statement)),
            unix_ms: NOW_MS,
            judgement: Judgement::Approve,
            coverage: Coverage::of(&list).into(),
            before: Vec::new(),
        });
        let votes = vec![Vote { approval, received: Some(received), taken_back: Vec::new() }];
        let changes = vec![self.guarded.clone()];
        Ok(MoveEvidence { changes, votes, ..MoveEvidence::default() })
    }
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn verify_100_000_entries_from_the_first(bencher: Bencher<'_, '_>) {
    let log = &*LOG;
    bencher.bench_local(|| log.verify(black_box(&log.entries), None));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn verify_one_more_entry(bencher: Bencher<'_, '_>) {
    let log = &*LOG;
    let earlier = log.verify(&log.entries[..log.entries.len() - 1], None);
    let checkpoint = earlier.checkpoint().expect("bytes");
    bencher.bench_local(|| {
        let earlier = VerifiedLog::restore(&checkpoint).expect("readable");
        log.verify(black_box(&log.entries), earlier)
    });
}

//! How long it takes to verify a history: 100,000 commits, each signed, 10,000 submissions with an approval each
//! that landed on a protected branch, and nine thousand moves besides, as `pent verify` and a fetch do it.
//!
//! `cargo bench --bench trust`; `PENT_BENCH_COMMITS` sets another number. The figures and what they were measured on
//! are in `docs/benchmarks.md`. The history is a repository on disk, made by the tests' kit and by rows as a fetch
//! leaves them; all its signatures are made and checked for real. The smaller histories show what grows with the
//! history and what with the change.

// A benchmark says what it measured, and ends when it cannot.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, dead_code)]

#[path = "../tests/suite/review_kit.rs"]
mod review_kit;
#[path = "../tests/suite/trust_kit.rs"]
mod trust_kit;

use pentimento::app::common::guard::{remember, verified_log};
use pentimento::app::common::remotes::Reach;
use pentimento::app::common::signatures::known_keys;
use pentimento::app::common::signing::SigningAs;
use pentimento::app::error::AppError;
use pentimento::app::{clone, fetch, push, remote, verify};
use pentimento::base::id::{ActionId, BodyId, CommitId, TreeId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::base::time::{Clock as _, Timestamp};
use pentimento::object::action::{Action, Audience, Deed, ListRef, Proposal, Verdict};
use pentimento::object::commit::{Commit, Signature};
use pentimento::object::commit_signature::{CommitSignature, CommitStatement};
use pentimento::object::log_entry::{LogDeed, RefMoved, SignedEntry, Why};
use pentimento::object::signature::Namespace;
use pentimento::object::source::ObjectSource as _;
use pentimento::object::transition::{Placed, Transition, TransitionList};
use pentimento::object::tree_edit::EntryValue;
use pentimento::object::tree_walk::entry_at;
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::repo::review_log::ActionRecord;
use pentimento::repo::shared_log::LogHead;
use pentimento::repo::{Edit, Repository};
use pentimento::rules::keyring::Keyring;
use pentimento::store::{Access, Space};
use pentimento::sync::address::Address;
use pentimento::trust::Signer as _;
use review_kit::{House, Seconds};
use std::time::{Duration, Instant};
use trust_kit::{ANNA, BEN, DORA, MAIN, REPOSITORY, Somebody, signed_entry, somebody};

/// Of ten commits two are of a submission: the draft's, and the one by which it lands.
const COMMITS_PER_LANDING: u32 = 10;
/// Steps that are written in one transaction.
const STEPS_AT_A_TIME: u32 = 1000;
const RULES: &str = "[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"1 editor\"]\n";
const LOGO: &str = "brand/logo.svg";

fn main() {
    let asked = std::env::var("PENT_BENCH_COMMITS").ok().and_then(|text| text.parse().ok());
    let largest: u32 = asked.unwrap_or(100_000);
    println!("{:>46} | {:>12} {:>12} {:>12}", "commits", largest / 100, largest / 10, largest);
    let columns: Vec<Vec<(&str, Duration)>> =
        [largest / 100, largest / 10, largest].into_iter().map(measured).collect();
    for row in 0..columns[0].len() {
        let cells: Vec<String> =
            columns.iter().map(|column| format!("{:>12}", shown(column[row].1))).collect();
        println!("{:>46} | {}", columns[0][row].0, cells.join(" "));
    }
}

fn shown(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

fn timed<T>(deed: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = deed();
    (done, begun.elapsed())
}

/// Everything that is measured of one history.
fn measured(commits: u32) -> Vec<(&'static str, Duration)> {
    let (house, made) = timed(|| history(commits));
    let mut rows = vec![("made", made)];
    let view = house.repository.view().expect("a view");
    let now = house.clock.now();
    let log = || verified_log(&house.repository, &view, now, &SilentMonitor).expect("a good log");
    let (verified, took) = timed(log);
    rows.push(("the shared log, from its first entry", took));
    follow(&house, &verified);
    rows.push(("pent verify --all, the first time", timed(|| verified_all(&house, commits)).1));
    rows.push(("pent verify --all, again", timed(|| verified_all(&house, commits)).1));
    rows.push(("pent verify, of one commit", timed(|| verified_one(&house)).1));
    let place = tempfile::tempdir().expect("a folder");
    let address = Address::Folder { path: place.path().join("nas") };
    rows.push(("push of all to an empty folder", timed(|| pushed(&house, Some(&address))).1));
    let (mate, took) = timed(|| cloned(&address));
    rows.push(("clone, which verifies all of it", took));
    land_one(&house, 1);
    pushed(&house, None);
    let ((), took) = timed(|| fetched(&mate));
    rows.push(("fetch of one landing more", took));
    rows.push(("pent verify after it, of one commit", timed(|| verified_one(&mate)).1));
    rows.push(("fetch of nothing new", timed(|| fetched(&mate)).1));
    rows
}

/// What every step needs and what the next one goes on from.
struct Maker {
    trees: [[TreeId; 2]; 2],
    lists: [TransitionList; 2],
    logo: usize,
    poster: usize,
    tip: CommitId,
    entry: SignedEntry,
    sequence: u64,
    policy: pentimento::base::id::PolicyId,
    head: Option<ActionId>,
    last: [Option<ActionId>; 10],
    clock_ms: i64,
}

/// A house whose `main` has so many commits.
fn history(commits: u32) -> House {
    let house = House::with_policy(RULES);
    let mut maker = Maker::of(&house);
    let steps = commits / COMMITS_PER_LANDING;
    for from in (0..steps).step_by(STEPS_AT_A_TIME as usize) {
        let mut edit = house.repository.edit().expect("an edit");
        for step in from..steps.min(from + STEPS_AT_A_TIME) {
            maker.land(&mut edit, step);
            for _ in 2..COMMITS_PER_LANDING {
                maker.step(&mut edit);
            }
        }
        edit.commit().expect("a commit");
    }
    house
}

/// Points `main` where the log says, and keeps what was verified, as a command does that moves it.
fn follow(house: &House, log: &pentimento::trust::chain::VerifiedLog) {
    let (main, recorded) = (RefName::branch("main").expect("a name"), log.recorded().expect("entries"));
    let target = recorded.reference(MAIN).map(RefTarget::plain);
    let mut edit = house.repository.edit().expect("an edit");
    edit.follow_log(&recorded, &main, target).expect("where the log says");
    remember(&mut edit, log).expect("kept");
    edit.commit().expect("a commit");
    house.go("main");
}

impl Maker {
    fn of(house: &House) -> Self {
        let start = house.tip("main");
        house.begin("states");
        let mut trees = [[TreeId::from_bytes([0; 32]); 2]; 2];
        for (logo, row) in trees.iter_mut().enumerate() {
            for (poster, tree) in row.iter_mut().enumerate() {
                house.write(LOGO, ["<svg>old</svg>", "<svg>new</svg>"][logo]);
                house.write("poster.txt", ["Harbour, spring\n", "Harbour, summer\n"][poster]);
                let tip = match house.try_commit(DORA, "a state").expect("a commit").commit {
                    Some(commit) => commit.id,
                    None => house.tip("draft/states"),
                };
                *tree = house.repository.view().expect("a view").commit(tip).expect("a commit").tree;
            }
        }
        house.write(LOGO, "<svg>old</svg>");
        house.write("poster.txt", "Harbour, spring\n");
        house.commit(DORA, "as it was");
        let view = house.repository.view().expect("a view");
        let path = AssetPath::from_bytes(LOGO).expect("a path");
        let placed = |logo: usize| {
            let entry = entry_at(&view, trees[logo][0], &path).expect("readable").expect("a logo");
            Some(Placed::new(&path, &EntryValue::from(entry)))
        };
        let list = |from, to| TransitionList::new([Transition { before: placed(from), after: placed(to) }]);
        let lists = [list(0, 1), list(1, 0)];
        let head = view.log_head().expect("readable").expect("a policy");
        let entry = view.log_entry(head.sequence).expect("readable").expect("an entry");
        let mut edit = house.repository.edit().expect("an edit");
        for list in &lists {
            edit.put_review_list(list).expect("a list");
        }
        edit.commit().expect("a commit");
        Self {
            trees,
            lists,
            logo: 0,
            poster: 0,
            tip: start,
            entry,
            sequence: head.sequence,
            policy: house.keys().policy().expect("a policy"),
            head: None,
            last: [None; 10],
            clock_ms: house.clock.now().unix_ms,
        }
    }

    fn now(&mut self) -> Timestamp {
        self.clock_ms += 1;
        Timestamp { unix_ms: self.clock_ms, offset_minutes: 60 }
    }

    /// Writes and signs a commit.
    fn commit(
        &mut self,
        edit: &mut Edit,
        by: u8,
        parents: Vec<CommitId>,
        landed: Option<ActionId>,
    ) -> CommitId {
        let (Somebody { id, key }, time) = (somebody(by), self.now());
        let person = Signature { person: id, time };
        let extensions = landed.map(|submission| ("submission".to_owned(), submission.as_bytes().to_vec()));
        let commit = Commit {
            tree: self.trees[self.logo][self.poster],
            parents,
            author: person,
            committer: person,
            message: "A step".into(),
            notes: Vec::new(),
            extensions: extensions.into_iter().collect(),
        };
        let commit = edit.put_commit(&commit).expect("a commit");
        let statement = CommitStatement { commit, repository: REPOSITORY, signer: id, time };
        let signature = key.sign(Namespace::Commit, &statement.encode()).expect("a signature");
        let record = CommitSignature::new(&statement, signature);
        edit.put_commit_signature(REPOSITORY, commit, &record).expect("a signature");
        commit
    }

    /// Writes the entry by which `main` goes on.
    fn moved(&mut self, edit: &mut Edit, to: CommitId, why: Why, heads: Vec<ActionId>) {
        let from = Some(std::mem::replace(&mut self.tip, to));
        let deed = LogDeed::Move(RefMoved { reference: MAIN.into(), from, to: Some(to), why, heads });
        self.sequence += 1;
        let entry = signed_entry(DORA, self.sequence, Some(self.entry.id()), self.clock_ms, deed);
        let key = [b"e/".as_slice(), &self.sequence.to_be_bytes()].concat();
        let head = LogHead { sequence: self.sequence, id: entry.id() };
        edit.transaction().put(Space::SharedLog, &key, &entry.encode()).expect("a row");
        edit.transaction().put(Space::SharedLog, b"head", &head.encode()).expect("a row");
        self.entry = entry;
    }

    /// A move that no rule asks about.
    fn step(&mut self, edit: &mut Edit) {
        self.poster = 1 - self.poster;
        let commit = self.commit(edit, DORA, vec![self.tip], None);
        self.moved(edit, commit, Why::Direct {}, Vec::new());
    }

    fn act(&mut self, edit: &mut Edit, by: u8, deed: Deed) -> ActionId {
        let (Somebody { id, key }, time) = (somebody(by), self.now());
        let action = Action {
            repository: REPOSITORY,
            audience: Audience::Team,
            actor: id,
            key: key.public_key().fingerprint(),
            previous: self.last[usize::from(by)],
            heads: self.head.into_iter().collect(),
            time,
            body: BodyId::from_bytes([7; 32]),
            deed,
        };
        let statement = action.encode().expect("bytes");
        let signature = key.sign(Namespace::Action, &statement).expect("a signature").as_bytes().to_vec();
        let record = ActionRecord { statement, signature };
        let id = edit.put_review_action(Audience::Team, &record).expect("a record");
        (self.head, self.last[usize::from(by)]) = (Some(id), Some(id));
        id
    }

    /// Dora submits a logo, Ben approves, Dora lands.
    fn land(&mut self, edit: &mut Edit, number: u32) {
        let (base, list) = (self.tip, ListRef::of(&self.lists[self.logo]));
        self.logo = 1 - self.logo;
        let head = self.commit(edit, DORA, vec![base], None);
        let (branch, draft) = ("main".to_owned(), format!("draft/logo-{number}"));
        let proposal = Proposal { branch: branch.clone(), draft, base, head, list, reviewers: Vec::new() };
        let submission = self.act(edit, DORA, Deed::Submit(proposal));
        let (policy, paths) = (Some(self.policy), Vec::new());
        let verdict = Verdict { submission, branch: branch.clone(), policy, list, paths };
        let approval = self.act(edit, BEN, Deed::Approve(verdict));
        let commit = self.commit(edit, DORA, vec![base, head], Some(submission));
        self.moved(edit, commit, Why::Landing { submission }, vec![approval]);
        self.act(edit, DORA, Deed::Land { submission, branch, commit });
    }
}

fn check(house: &House, subject: verify::Subject) -> verify::Report {
    let now = house.clock.now();
    let keyring = known_keys(&house.repository, Keyring::default(), now, &SilentMonitor).expect("keys");
    let options = verify::Options { subject, keyring, export: None };
    verify::run(&house.repository, &options, &house.clock, &SilentMonitor).expect("a verification")
}

fn verified_all(house: &House, commits: u32) {
    let totals = check(house, verify::Subject::All).totals;
    assert!(totals.good >= u64::from(commits) && totals.wrong == 0, "{totals:?}");
}

fn verified_one(house: &House) {
    let report = check(house, verify::Subject::Commit(None));
    assert_eq!(report.commits.len(), 1);
}

fn signing(by: u8) -> Result<SigningAs, AppError> {
    let person = somebody(by);
    Ok(SigningAs { person: person.id, signer: Box::new(person.key) })
}

fn pushed(house: &House, address: Option<&Address>) {
    if let Some(address) = address {
        remote::add(&house.repository, "origin", address, &Reach::default()).expect("a remote");
    }
    let options = push::Options { all: true, ..Default::default() };
    let report = push::run(
        &house.repository,
        &options,
        &|| signing(ANNA),
        &Reach::default(),
        &mut |_| {},
        &house.clock,
        &SilentMonitor,
    );
    report.expect("a push");
}

fn cloned(address: &Address) -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Seconds::from(1_772_382_000_000);
    let options = clone::Options {
        address: address.clone(),
        folder: folder.path().to_owned(),
        branch: None,
        expected: None,
        lazy: false,
        sparse: Vec::new(),
    };
    clone::run(&options, &Reach::default(), &clock, &SilentMonitor).expect("a clone");
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a clone");
    House { folder, repository, clock, signs: std::sync::atomic::AtomicBool::default() }
}

fn fetched(house: &House) {
    let report = fetch::run(&house.repository, None, &Reach::default(), &house.clock, &SilentMonitor);
    let report = report.expect("a fetch");
    assert_eq!(report.fetched.logs.problem, None);
}

/// One landing more, made as people make it.
fn land_one(house: &House, number: u32) {
    house.begin("more");
    house.write(LOGO, format!("<svg>{number}</svg>"));
    house.commit(DORA, "One more");
    house.submit(DORA, "more");
    house.approve(BEN, "more");
    house.land(DORA, "more").expect("a landing");
}

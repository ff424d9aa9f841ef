//! The contract of logs, on every form of a remote.

use super::{heads, says};
use crate::remote_contract::Place as _;
use crate::remote_contract::http::TestServer;
use crate::remote_contract::pipe::PipePlace;
use crate::review_kit::House;
use crate::trust_kit::{ANNA, BEN, DORA, ONE_EDITOR, REPOSITORY};
use pentimento::app::common::logs_out::{Compared, Comparing, LogsOut};
use pentimento::app::common::rules::Rules;
use pentimento::base::id::FileId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::{Clock as _, Timestamp};
use pentimento::object::chunker::ChunkerParameters;
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::repo::sets::LogSet;
use pentimento::repo::shared_log::LogHead;
use pentimento::rules::access::Permission;
use pentimento::store::bucket::MemoryBucket;
use pentimento::sync::SyncError;
use pentimento::sync::bucket::BucketRemote;
use pentimento::sync::fetch::{Fetch, Fetched};
use pentimento::sync::push::Push;
use pentimento::sync::remote::{Kind, LogChange, ObjectKey, RefChange, Remote};
use pentimento::sync::served::ServedRemote;
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn rules(house: &House) -> Rules {
    Rules::of(&house.repository, house.clock.now()).beginning()
}

fn logs_of(house: &House, remote: &dyn Remote) -> LogsOut {
    let description = remote.describe().expect("a description");
    let comparing = Comparing {
        repository: &house.repository,
        remote,
        description: &description,
        name: Some("origin"),
        up_to: None,
    };
    match comparing.run(&rules(house), &SilentMonitor).expect("a comparison") {
        Compared::Ready(logs) => *logs,
        Compared::FetchFirst => panic!("the remote has more of the shared log"),
    }
}

fn branch(name: &str) -> RefName {
    RefName::branch(name).expect("a name")
}

/// Publishes logs and where `main` stands.
fn publish(house: &House, remote: &dyn Remote, logs: LogsOut, main: bool) -> Result<(), SyncError> {
    let description = remote.describe().expect("a description");
    let expected = description.refs.get(&branch("main")).map(|target| target.commit);
    let target = main.then(|| house.tip("main")).filter(|target| expected != Some(*target));
    let change =
        |target| RefChange { name: branch("main"), expected, target: Some(RefTarget::plain(target)) };
    let changes = target.map(change).into_iter().collect();
    let push = Push {
        repository: &house.repository,
        remote,
        known: Vec::new(),
        changes,
        logs: logs.changes,
        also: Vec::new(),
        log_objects: logs.objects,
        notes: house.repository.pent_dir().join(format!("remotes/{}", house.clock.now().unix_ms)),
        token: crate::remote_contract::token(),
    };
    push.run(description, &SilentMonitor).map(drop)
}

fn push(house: &House, remote: &dyn Remote) -> Result<(), SyncError> {
    publish(house, remote, logs_of(house, remote), true)
}

fn fetch(house: &House, remote: &dyn Remote) -> Fetched {
    let rules = rules(house);
    let fetch = Fetch {
        repository: &house.repository,
        remote,
        name: "origin",
        content: true,
        judge: &rules,
        also: Vec::new(),
        now: Timestamp { unix_ms: 1_772_382_000_000, offset_minutes: 0 },
    };
    fetch.run(&SilentMonitor).expect("a fetch")
}

/// A house with a landing.
fn landed() -> House {
    let house = House::with_policy(ONE_EDITOR);
    house.begin("one");
    house.write("one.txt", "one");
    house.commit(ANNA, "one");
    house.submit(ANNA, "one");
    house.approve(BEN, "one");
    house.land(DORA, "one").expect("a landing");
    house.comment(DORA, "one", &[], "Good");
    house
}

/// What every form must do.
fn logs_come_back_whole(remote: &dyn Remote) {
    let house = landed();
    push(&house, remote).expect("a push");
    let said = remote.describe().expect("a description").logs;
    assert_eq!(said, heads(&house));
    let clone = House::empty();
    let fetched = fetch(&clone, remote);
    assert_eq!(fetched.logs.problem, None);
    assert_eq!((fetched.logs.actions, fetched.logs.entries), (4, 2), "{fetched:?}");
    assert_eq!(heads(&clone), heads(&house));
    // Every object is to be had by its key, and only that one.
    let view = house.repository.view().expect("a view");
    let root = view.set_root(LogSet::Team).expect("readable").expect("a set");
    let keys = [
        ObjectKey::new(Kind::SetNode, root.node),
        ObjectKey::new(Kind::Action, *house.landing_of("one").as_bytes()),
        ObjectKey::new(Kind::Action, [9; 32]),
    ];
    assert_eq!(remote.have(&keys).expect("an answer"), [true, true, false]);
    // A head that others moved does not move again from where it was.
    clone.comment(BEN, "one", &[], "Mine");
    let stale = logs_of(&house, remote);
    assert!(stale.changes.is_empty(), "{stale:?}");
    house.comment(ANNA, "one", &[], "Ours");
    let stale = logs_of(&house, remote);
    publish(&clone, remote, logs_of(&clone, remote), false).expect("a push");
    let error = publish(&house, remote, stale, true).expect_err("a conflict");
    assert!(matches!(error, SyncError::LogMoved { .. }), "{error}");
    push(&house, remote).expect("both together");
    fetch(&clone, remote);
    assert_eq!(heads(&clone), heads(&house));
}

#[test]
fn logs_come_back_whole_from_memory() {
    logs_come_back_whole(&memory());
}

/// A repository behind a server of ours, and a credential for everything.
fn with_server(test: impl FnOnce(&dyn Remote)) {
    let server = TestServer::start();
    server.clock.0.store(1_772_386_000_000, Ordering::Relaxed);
    let token = server.token("brand", &[Permission::Read, Permission::Push, Permission::Begin], None);
    let remote = server.with_token("brand", &token);
    remote.begin(REPOSITORY, ChunkerParameters::default()).expect("a new repository");
    test(&remote);
}

#[test]
fn logs_come_back_whole_over_http() {
    with_server(logs_come_back_whole);
}

#[test]
fn logs_come_back_whole_over_pipes() {
    logs_come_back_whole(&*PipePlace::of(served()).open());
}

/// A repository that shows nothing.
fn served() -> House {
    let house = House::empty();
    let mut edit = house.repository.edit().expect("an edit");
    let mut state = edit.state().expect("a state");
    state.sparse = Some(std::collections::BTreeSet::new());
    edit.put_state(&state).expect("a state");
    edit.commit().expect("kept");
    house
}

fn memory() -> BucketRemote {
    let remote = BucketRemote::new(Arc::new(MemoryBucket::new()), "memory".into(), None);
    remote.create(REPOSITORY, ChunkerParameters::default(), "nonce").expect("a new remote");
    remote
}

#[test]
fn logs_come_back_whole_from_a_served_repository() {
    let server = served();
    let rules = rules(&server);
    logs_come_back_whole(&ServedRemote::new(&server.repository, &rules, server.clock.now()));
}

#[test]
fn a_server_moves_a_protected_branch_only_with_the_entry_that_says_so() {
    let server = served();
    let server_rules = rules(&server);
    only_with_an_entry(&ServedRemote::new(&server.repository, &server_rules, server.clock.now()));
}

#[test]
fn a_server_over_http_moves_a_protected_branch_only_with_the_entry_that_says_so() {
    with_server(only_with_an_entry);
}

#[test]
fn a_server_over_pipes_moves_a_protected_branch_only_with_the_entry_that_says_so() {
    only_with_an_entry(&*PipePlace::of(served()).open());
}

fn only_with_an_entry(remote: &dyn Remote) {
    let house = House::with_policy(ONE_EDITOR);
    push(&house, remote).expect("a push");
    let start = house.tip("main");
    house.begin("one");
    house.write("one.txt", "one");
    let commit = house.commit(ANNA, "one");
    // Without any entry.
    let change =
        RefChange { name: branch("main"), expected: Some(start), target: Some(RefTarget::plain(commit)) };
    let push_change = |logs: LogsOut| {
        let description = remote.describe().expect("a description");
        Push {
            repository: &house.repository,
            remote,
            known: Vec::new(),
            changes: vec![change.clone()],
            logs: logs.changes,
            also: Vec::new(),
            log_objects: logs.objects,
            notes: house.repository.pent_dir().join("remotes/test"),
            token: crate::remote_contract::token(),
        }
        .run(description, &SilentMonitor)
        .expect_err("a refusal")
        .to_string()
    };
    says(&push_change(LogsOut::default()), "no entry of the shared log");
    says(&push_change(LogsOut::default()), "1 editor");
    // With an entry that nobody approved.
    let entry = crate::trust_kit::signed_entry(
        DORA,
        2,
        super::log_of(&house).head().map(|head| head.id),
        house.clock.now().unix_ms,
        pentimento::object::log_entry::LogDeed::Move(pentimento::object::log_entry::RefMoved {
            reference: "branch/main".into(),
            from: Some(start),
            to: Some(commit),
            why: pentimento::object::log_entry::Why::Direct {},
            heads: Vec::new(),
        }),
    );
    forge(&house, &entry);
    house.repository.settle_sets().expect("sets");
    let head = LogHead { sequence: 2, id: entry.id() };
    let logs = LogsOut {
        changes: vec![LogChange {
            name: "shared".into(),
            expected: remote.describe().expect("a description").logs.get("shared").cloned(),
            target: head.encode(),
        }],
        objects: vec![ObjectKey::new(Kind::LogEntry, *entry.id().as_bytes())],
        ..LogsOut::default()
    };
    says(&push_change(logs), "1 editor");
    let said = remote.describe().expect("a description");
    assert_eq!(said.refs.get(&branch("main")).map(|target| target.commit), Some(start));
    let head = said.logs.get("shared").map(|bytes| LogHead::decode(bytes).expect("a head"));
    assert_eq!(head.map(|head| head.sequence), Some(1));
}

/// Puts an entry into a log as somebody could who writes the storage.
fn forge(house: &House, entry: &pentimento::object::log_entry::SignedEntry) {
    let mut key = b"e/".to_vec();
    key.extend_from_slice(&2u64.to_be_bytes());
    let head = pentimento::repo::shared_log::LogHead { sequence: 2, id: entry.id() };
    let mut edit = house.repository.edit().expect("an edit");
    let space = pentimento::store::Space::SharedLog;
    edit.transaction().put(space, &key, &entry.encode()).expect("a row");
    edit.transaction().put(space, b"head", &head.encode()).expect("a row");
    edit.commit().expect("a commit");
}

#[test]
fn a_server_takes_no_action_without_the_list_that_it_names() {
    let server = served();
    let server_rules = rules(&server);
    let remote = ServedRemote::new(&server.repository, &server_rules, server.clock.now());
    let house = landed();
    let mut logs = logs_of(&house, &remote);
    logs.objects.retain(|key| key.kind != Kind::TransitionList);
    let error = publish(&house, &remote, logs, true).expect_err("a refusal").to_string();
    says(&error, "list of transitions");
    let mut logs = logs_of(&house, &remote);
    logs.objects.retain(|key| key.kind != Kind::SetNode);
    let error = publish(&house, &remote, logs, true).expect_err("a refusal").to_string();
    says(&error, "node of a set");
    push(&house, &remote).expect("a push of everything");
    assert_eq!(heads(&server), heads(&house));
}

#[test]
fn one_action_more_costs_in_proportion_to_it_and_not_to_the_log() {
    let house = landed();
    for number in 0..120 {
        house.comment(BEN, "one", &[], &format!("comment {number}"));
    }
    let remote = memory();
    push(&house, &remote).expect("a push");
    house.comment(BEN, "one", &[], "one more");
    let logs = logs_of(&house, &remote);
    let count = |kind| logs.objects.iter().filter(|key| key.kind == kind).count();
    assert_eq!((count(Kind::Action), count(Kind::ActionBody)), (1, 1));
    assert!(count(Kind::SetNode) <= 4, "{}", count(Kind::SetNode));
    let _ = FileId::empty();
}

/// Rules that let somebody else publish first, once, while it is asked to judge.
struct Overtaken<'a> {
    inner: Rules,
    first: std::sync::Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
}

impl pentimento::sync::accept::Judge for Overtaken<'_> {
    fn judge(
        &self,
        view: &pentimento::repo::View,
        case: &pentimento::sync::accept::Case<'_>,
    ) -> Result<pentimento::sync::accept::Decision, SyncError> {
        let first = self.first.lock().expect("a lock").take();
        let decision = self.inner.judge(view, case);
        if let Some(first) = first {
            first();
        }
        decision
    }

    fn accepts(
        &self,
        view: &pentimento::repo::View,
        said: &pentimento::sync::accept::Said<'_>,
    ) -> Result<bool, SyncError> {
        self.inner.accepts(view, said)
    }
}

#[test]
fn a_server_never_takes_back_what_it_has_accepted() {
    let server = served();
    let house = House::with_policy(ONE_EDITOR);
    let server_rules = rules(&server);
    let remote = ServedRemote::new(&server.repository, &server_rules, server.clock.now());
    push(&house, &remote).expect("a push");
    let (anna, ben) = (House::empty(), House::empty());
    for clone in [&anna, &ben] {
        fetch(clone, &remote);
    }
    anna.set_policy(crate::trust_kit::TWO_EDITORS, 2);
    ben.set_policy(&format!("{ONE_EDITOR}\n# another\n"), 2);
    let (annas, bens) = (logs_of(&anna, &remote), logs_of(&ben, &remote));
    // Both were compared with the same head. Anna's publication comes through while Ben's is judged.
    let first = || publish(&anna, &remote, annas, false).expect("a push");
    let overtaken = Overtaken { inner: rules(&server), first: std::sync::Mutex::new(Some(Box::new(first))) };
    let late = ServedRemote::new(&server.repository, &overtaken, server.clock.now());
    let error = publish(&ben, &late, bens, false).expect_err("somebody was quicker");
    assert!(matches!(error, SyncError::LogMoved { .. }), "{error}");
    assert_eq!(heads(&server).get("shared"), heads(&anna).get("shared"));
    let waiting = server.repository.view().expect("a view").waiting_entries().expect("a list");
    assert_eq!(waiting, []);
}

#[test]
fn a_proposal_that_others_were_quicker_than_keeps_nobody_from_pushing() {
    use pentimento::app::policy::Acting;
    use pentimento::app::policy::change;
    let server = served();
    let server_rules = rules(&server);
    let remote = ServedRemote::new(&server.repository, &server_rules, server.clock.now());
    let house = House::with_policy(ONE_EDITOR);
    let two = "\n[policy]\nchange = [\"1 administrator\", \"1 editor\"]\n";
    house.set_policy(&format!("{ONE_EDITOR}{two}"), 2);
    push(&house, &remote).expect("a push");
    let other = House::empty();
    fetch(&other, &remote);
    let act = |house: &House, by: u8, deed: &dyn Fn(&Acting<'_>)| {
        let person = crate::trust_kit::somebody(by);
        deed(&Acting {
            repository: &house.repository,
            writer: person.writer(),
            clock: &house.clock,
            monitor: &SilentMonitor,
        });
    };
    let propose = |text: &str| change::Options {
        text: crate::trust_kit::policy(text),
        reason: "for a reason".into(),
        recovery: false,
    };
    let stale = propose(&format!("{ONE_EDITOR}{two}# mine\n"));
    act(&house, ANNA, &|acting| drop(change::propose(acting, &stale).expect("a proposal")));
    let quicker = propose(&format!("{}{two}", crate::trust_kit::TWO_EDITORS));
    act(&other, ANNA, &|acting| drop(change::propose(acting, &quicker).expect("a proposal")));
    act(&other, BEN, &|acting| drop(change::sign(acting, None).expect("a signature")));
    publish(&other, &remote, logs_of(&other, &remote), false).expect("a push");
    fetch(&house, &remote);
    push(&house, &remote).expect("what does not count any more is left out");
    assert!(server.repository.view().expect("a view").policy_proposals().expect("a list").is_empty());
}

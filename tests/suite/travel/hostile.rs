//! A remote that lies about logs, or that strangers write into: nothing false is taken over, and what is
//! withheld is named.

use super::{Form, Nas, clone_of, fetch, heads, log_of, problem, push, push_all, refusal, says, seen, share};
use crate::review_kit::House;
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, ONE_EDITOR, STRANGER, TWO_EDITORS, somebody};
use pentimento::base::id::{ActionId, BodyId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::{Clock as _, Timestamp};
use pentimento::object::action::{Action, Audience, Body};
use pentimento::object::log_entry::{ActionsReceived, LogDeed};
use pentimento::object::policy_link::Signed;
use pentimento::object::words_erasure::WordsErasure;
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::repo::review_log::BodyState;
use pentimento::repo::sets::{LogSet, SHARED_LOG};
use pentimento::sync::bundle::BundleBuilder;
use pentimento::sync::push::Push;
use pentimento::sync::remote::{Kind, LogChange, ObjectKey, Parcel, Proposal, RefChange, Remote as _};

untrusted! {
    attack_a_branch_moved_with_no_entry_in_the_log
    attack_a_branch_put_back_behind_what_the_log_says
    attack_a_protected_branch_that_is_left_out
    attack_verdicts_that_a_landing_rests_on_are_withheld
    attack_entries_of_the_log_are_dropped
    attack_the_log_is_taken_away
    attack_two_people_are_shown_two_histories
    attack_a_strangers_tombstone_of_words
    words_that_their_author_or_the_policy_erases_are_gone_everywhere_and_stay_so
    an_action_that_its_signer_did_not_sign_is_not_kept
}

/// Anna's house with a submission that both editors approved, all of it shared; and Ben's clone from
/// before that.
fn approved(form: Form) -> (Nas, House, House) {
    let nas = Nas::of(form);
    let anna = House::with_policy(TWO_EDITORS);
    share(&anna, ANNA, &nas);
    let ben = clone_of(&nas);
    anna.begin("one");
    anna.write("one.txt", "one");
    anna.commit(ANNA, "one");
    anna.submit(ANNA, "one");
    push_all(&anna, ANNA);
    (nas, anna, ben)
}

fn branch(name: &str) -> RefName {
    RefName::branch(name).expect("a name")
}

/// Writes into the shared folder what no client of ours would.
pub(super) fn force(nas: &Nas, changes: Vec<RefChange>, logs: Vec<LogChange>, parcels: Vec<Parcel>) {
    let remote = nas.bucket();
    let epoch = remote.describe().expect("a description").epoch;
    let records = parcels.iter().map(|parcel| parcel.record.clone()).collect();
    for parcel in &parcels {
        remote.put(parcel).expect("a parcel");
    }
    let token = crate::remote_contract::token();
    let proposal = Proposal { epoch, token, parcels: records, changes, logs };
    remote.publish(&proposal).expect("a publication");
}

pub(super) fn log_head(nas: &Nas, name: &str) -> Option<Vec<u8>> {
    nas.bucket().describe().expect("a description").logs.get(name).cloned()
}

fn attack_a_branch_moved_with_no_entry_in_the_log(form: Form) {
    let (nas, anna, ben) = approved(form);
    let (start, commit) = (ben.tip("main"), anna.tip("draft/one"));
    let change =
        RefChange { name: branch("main"), expected: Some(start), target: Some(RefTarget::plain(commit)) };
    force(&nas, vec![change], Vec::new(), Vec::new());
    let report = fetch(&ben);
    let reason = refusal(&report, "main");
    says(&reason, "no entry of the shared log says that it stands at");
    says(&reason, "2 editor");
    assert_eq!((seen(&ben, "main"), ben.tip("main")), (Some(start), start));
    assert!(report.fetched.moved.iter().any(|moved| moved.name == branch("draft/one")), "the rest comes");
    assert!(super::try_clone(&nas, None).is_ok_and(|(house, _)| seen(&house, "main").is_none()));
}

#[test]
fn attack_a_branch_moved_past_a_push_of_ours() {
    let (_nas, anna, _) = approved(Form::Folder);
    let change = RefChange {
        name: branch("main"),
        expected: Some(anna.tip("main")),
        target: Some(RefTarget::plain(anna.tip("draft/one"))),
    };
    use pentimento::sync::accept::{Case, Judge as _, insist};
    let rules = pentimento::app::common::rules::Rules::of(&anna.repository, anna.clock.now());
    let log = pentimento::sync::logs::LogFound::Nothing;
    let case = Case { remote: None, changes: &[change], log: &log };
    let decision = rules.judge(&anna.repository.view().expect("a view"), &case).expect("a judgement");
    says(&insist(&decision).expect_err("a refusal").to_string(), "no entry of the shared log");
}

fn attack_a_branch_put_back_behind_what_the_log_says(form: Form) {
    let (nas, anna, ben) = approved(form);
    let start = ben.tip("main");
    anna.approve(BEN, "one");
    anna.approve(CLEO, "one");
    anna.land(DORA, "one").expect("a landing");
    push_all(&anna, ANNA);
    fetch(&ben);
    let change = RefChange {
        name: branch("main"),
        expected: Some(anna.tip("main")),
        target: Some(RefTarget::plain(start)),
    };
    force(&nas, vec![change], Vec::new(), Vec::new());
    says(&refusal(&super::fetch(&ben), "main"), "put back");
    assert_eq!(seen(&ben, "main"), Some(anna.tip("main")));
    // Whoever never saw it asks for what the log speaks of, and hears the same.
    let carla = House::empty();
    let remote = nas.bucket();
    let rules = pentimento::app::common::rules::Rules::of(&carla.repository, carla.clock.now()).beginning();
    let fetch = pentimento::sync::fetch::Fetch {
        repository: &carla.repository,
        remote: &remote,
        name: "origin",
        content: true,
        judge: &rules,
        also: Vec::new(),
        now: Timestamp { unix_ms: 1_772_382_000_000, offset_minutes: 0 },
    };
    let fetched = fetch.run(&SilentMonitor).expect("a fetch");
    let refused = fetched.refused.iter().find(|refused| refused.name == branch("main")).expect("a refusal");
    says(&refused.reasons.join(" "), "put back");
}

fn attack_a_protected_branch_that_is_left_out(form: Form) {
    let (nas, anna, ben) = approved(form);
    let tip = anna.tip("main");
    force(
        &nas,
        vec![RefChange { name: branch("main"), expected: Some(tip), target: None }],
        Vec::new(),
        Vec::new(),
    );
    for _ in 0..2 {
        says(&refusal(&fetch(&ben), "main"), "by the log it stands");
        assert_eq!(seen(&ben, "main"), Some(tip));
    }
}

fn attack_verdicts_that_a_landing_rests_on_are_withheld(form: Form) {
    let (nas, anna, ben) = approved(form);
    let before = log_head(&nas, LogSet::Team.name());
    anna.approve(BEN, "one");
    anna.approve(CLEO, "one");
    anna.land(DORA, "one").expect("a landing");
    push_all(&anna, ANNA);
    let change = LogChange {
        name: LogSet::Team.name().into(),
        expected: log_head(&nas, LogSet::Team.name()),
        target: before.expect("a set"),
    };
    force(&nas, Vec::new(), vec![change], Vec::new());
    let report = fetch(&ben);
    let text = report.fetched.logs.problem.clone().expect("a problem");
    says(&text, "did not come, action");
    says(&refusal(&report, "main"), "did not come");
    assert_eq!(log_of(&ben).head().map(|head| head.sequence), Some(1), "the log stays as it was");
    // Whoever has them gives them back, and all is well.
    push_all(&anna, ANNA);
    assert_eq!(fetch(&ben).fetched.logs.problem, None);
    assert_eq!(heads(&ben), heads(&anna));
}

fn attack_entries_of_the_log_are_dropped(form: Form) {
    let (nas, anna, ben) = approved(form);
    let head = log_of(&anna).head().expect("a log");
    let entry = |sequence, previous| {
        let deed = LogDeed::Received(ActionsReceived { heads: Vec::new() });
        crate::trust_kit::signed_entry(ANNA, sequence, Some(previous), anna.clock.now().unix_ms, deed)
    };
    let second = entry(2, head.id);
    let third = entry(3, second.id());
    // The third comes, the second does not.
    let mut bundle = BundleBuilder::default();
    bundle.push(ObjectKey::new(Kind::LogEntry, *third.id().as_bytes()), &third.encode()).expect("room");
    let target = pentimento::repo::shared_log::LogHead { sequence: 3, id: third.id() }.encode();
    let change = LogChange { name: SHARED_LOG.into(), expected: log_head(&nas, SHARED_LOG), target };
    force(&nas, Vec::new(), vec![change], vec![bundle.finish(&[1; 16]).expect("a bundle")]);
    says(&problem(&ben), "withholds entry 2");
    assert_eq!(log_of(&ben).head(), Some(head));
    // Another number than it has.
    let wrong = entry(7, head.id);
    let mut bundle = BundleBuilder::default();
    bundle.push(ObjectKey::new(Kind::LogEntry, *wrong.id().as_bytes()), &wrong.encode()).expect("room");
    let target = pentimento::repo::shared_log::LogHead { sequence: 4, id: wrong.id() }.encode();
    let change = LogChange { name: SHARED_LOG.into(), expected: log_head(&nas, SHARED_LOG), target };
    force(&nas, Vec::new(), vec![change], vec![bundle.finish(&[2; 16]).expect("a bundle")]);
    says(&problem(&ben), "another number");
}

fn attack_the_log_is_taken_away(form: Form) {
    let (nas, _anna, ben) = approved(form);
    fetch(&ben);
    let empty = Nas::of(form);
    let other = House::empty();
    share_plain(&other, &empty);
    std::fs::remove_dir_all(nas.path()).expect("removed");
    super::copy_folder(&empty.path(), &nas.path());
    says(&problem(&ben), "rolled back");
    assert_eq!(log_of(&ben).head().map(|head| head.sequence), Some(1));
}

/// A remote of the same repository, with nothing but a branch in it.
fn share_plain(house: &House, nas: &Nas) {
    house.write("a.txt", "a");
    house.commit(ANNA, "a");
    share(house, ANNA, nas);
}

fn attack_two_people_are_shown_two_histories(form: Form) {
    let nas = Nas::of(form);
    let anna = House::with_policy(ONE_EDITOR);
    share(&anna, ANNA, &nas);
    let (ben, cleo) = (clone_of(&nas), clone_of(&nas));
    let other = nas.copy();
    // Whoever keeps the log has Anna write two entries of one number, and shows each to one person.
    let note = |house: &House, heads: Vec<ActionId>| {
        let person = somebody(ANNA);
        let deed = LogDeed::Received(ActionsReceived { heads });
        let entry = person.writer().entry(&log_of(house), deed, house.clock.now().unix_ms).expect("an entry");
        let mut edit = house.repository.edit().expect("an edit");
        edit.append_log(&entry).expect("the next entry");
        edit.commit().expect("a commit");
    };
    let twin = clone_of(&other);
    note(&anna, Vec::new());
    push_all(&anna, ANNA);
    note(&twin, vec![ActionId::from_bytes([5; 32])]);
    push_all(&twin, ANNA);
    fetch(&ben);
    let (folder, theirs) = (nas.path(), other.path());
    std::fs::remove_dir_all(&folder).expect("removed");
    super::copy_folder(&theirs, &folder);
    fetch(&cleo);
    let text = problem(&ben);
    says(&text, "entry 2 of the shared log is another one there than here");
    says(&text, "signed with the key SHA256:");
    let proof = ben.repository.pent_dir().join("proof");
    for file in ["entry-2-here.json", "entry-2-here.json.sig", "entry-2-there.json", "entry-2-there.json.sig"]
    {
        assert!(proof.join(file).is_file(), "{file}");
    }
    assert_eq!(log_of(&ben), log_of(&anna), "the state before stays");
    assert_eq!(fetch(&cleo).fetched.logs.problem, None);
}

#[test]
fn attack_words_and_lists_under_a_wrong_id() {
    let (nas, anna, _ben) = approved(Form::Folder);
    let submit = anna.review("one").submission.id;
    let action = Action::decode(&anna.record(submit).statement).expect("an action");
    let other = Body::new(somebody(ANNA).id, [3; 16], "Something else").encode();
    let list = action.deed.list().expect("a list").transitions;
    let view = anna.repository.view().expect("a view");
    let mut transitions: Vec<_> =
        view.review_list(list).expect("readable").expect("a list").as_slice().to_vec();
    transitions.push(anna.removal_of("poster.txt"));
    let swapped = pentimento::object::transition::TransitionList::new(transitions).encode();
    let lies = vec![(Kind::ActionBody, other), (Kind::TransitionList, swapped)];
    let (house, fetched) = fetch_from(ByKey { inner: nas.bucket(), lies });
    assert!(fetched.logs.withheld.iter().any(|what| what.contains(&list.to_string())), "{fetched:?}");
    assert_eq!(fetched.logs.actions, 0, "an action without its list is not kept");
    let view = house.repository.view().expect("a view");
    assert!(view.review_action(Audience::Team, submit).expect("readable").is_none());
    assert!(view.review_list(list).expect("readable").is_none());
    assert_eq!(words(&house, action.body), BodyState::Missing);
    // An honest remote mends it.
    let remote = ByKey { inner: nas.bucket(), lies: Vec::new() };
    assert_eq!(fetch_into(&house, &remote).logs.actions, 1);
    assert!(matches!(words(&house, action.body), BodyState::Here(_)));
}

/// A fetch that gets no bundles along with the history: everything is asked for by key.
fn fetch_from(remote: ByKey) -> (House, pentimento::sync::fetch::Fetched) {
    let house = House::empty();
    let fetched = fetch_into(&house, &remote);
    (house, fetched)
}

fn fetch_into(house: &House, remote: &ByKey) -> pentimento::sync::fetch::Fetched {
    let rules = pentimento::app::common::rules::Rules::of(&house.repository, house.clock.now()).beginning();
    let fetch = pentimento::sync::fetch::Fetch {
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

/// A remote whose history has nothing in it, and which gives other things than it is asked for.
struct ByKey {
    inner: pentimento::sync::bucket::BucketRemote,
    /// What it gives in place of objects of these kinds.
    lies: Vec<(Kind, Vec<u8>)>,
}

impl ByKey {
    /// The bundle with lies in it.
    fn changed(&self, bundle: &[u8]) -> Vec<u8> {
        let mut builder = BundleBuilder::default();
        pentimento::sync::bundle::open_bundle(bundle, &mut |received, _, _| {
            if self.lies.iter().any(|(kind, _)| *kind == received.key.kind) {
                return Ok(());
            }
            builder.push(received.key, received.bytes)
        })
        .expect("a sound bundle");
        for (kind, bytes) in &self.lies {
            let key = pentimento::sync::bundle::identify(*kind, bytes).expect("an object");
            builder.push(key, bytes).expect("room");
        }
        builder.finish(&[0; 16]).expect("a bundle").bytes
    }
}

impl pentimento::sync::Remote for ByKey {
    fn describe(&self) -> Result<pentimento::sync::remote::Description, pentimento::sync::SyncError> {
        self.inner.describe()
    }
    fn have(&self, keys: &[ObjectKey]) -> Result<Vec<bool>, pentimento::sync::SyncError> {
        self.inner.have(keys)
    }
    fn fetch_history(
        &self,
        _: &pentimento::sync::remote::HistoryWants,
        _: &mut pentimento::sync::remote::BundleSink<'_>,
    ) -> Result<(), pentimento::sync::SyncError> {
        Ok(())
    }
    fn fetch_objects(
        &self,
        keys: &[ObjectKey],
        sink: &mut pentimento::sync::remote::BundleSink<'_>,
    ) -> Result<(), pentimento::sync::SyncError> {
        self.inner.fetch_objects(keys, &mut |bundle| sink(&self.changed(bundle)))
    }
    fn fetch_chunks(
        &self,
        chunks: &[pentimento::base::id::ChunkId],
        sink: &pentimento::sync::remote::BlockSink<'_>,
    ) -> Result<(), pentimento::sync::SyncError> {
        self.inner.fetch_chunks(chunks, sink)
    }
    fn put(&self, parcel: &Parcel) -> Result<(), pentimento::sync::SyncError> {
        self.inner.put(parcel)
    }
    fn holds(
        &self,
        parcels: &[(pentimento::base::id::PackId, pentimento::sync::remote::ParcelKind)],
    ) -> Result<Vec<bool>, pentimento::sync::SyncError> {
        self.inner.holds(parcels)
    }
    fn publish(
        &self,
        proposal: &Proposal,
    ) -> Result<pentimento::sync::remote::Published, pentimento::sync::SyncError> {
        self.inner.publish(proposal)
    }
}

#[test]
fn a_clone_that_asks_for_everything_by_key_gets_everything() {
    let (nas, anna, _) = approved(Form::Folder);
    let (house, fetched) = fetch_from(ByKey { inner: nas.bucket(), lies: Vec::new() });
    assert!(fetched.logs.withheld.is_empty() && fetched.logs.problem.is_none(), "{fetched:?}");
    assert_eq!(heads(&house), heads(&anna));
}

/// Erases the words of an action by a permission that somebody signs.
fn erase(house: &House, by: u8, action: ActionId) -> BodyId {
    let body = Action::decode(&house.record(action).statement).expect("an action").body;
    let said = WordsErasure {
        repository: house.repository.id(),
        audience: Audience::Team,
        action,
        body,
        made_ms: house.clock.now().unix_ms,
        reason: "not for everybody".into(),
    };
    let mut signed = Signed::unsigned(said.encode().expect("a statement"));
    somebody(by).writer().sign_erasure(&mut signed).expect("a signature");
    let mut edit = house.repository.edit().expect("an edit");
    edit.erase_review_body(body, Some(&signed)).expect("erased");
    edit.commit().expect("a commit");
    body
}

fn words(house: &House, body: BodyId) -> BodyState {
    house.repository.view().expect("a view").review_body(body).expect("readable")
}

fn attack_a_strangers_tombstone_of_words(form: Form) {
    let (nas, anna, ben) = approved(form);
    fetch(&ben);
    let action = anna.review("one").submission.id;
    for stranger in [STRANGER, DORA] {
        let thief = clone_of(&nas);
        let body = erase(&thief, stranger, action);
        push(&thief, stranger);
        let report = fetch(&ben);
        assert_eq!((report.fetched.logs.erased, report.fetched.logs.refused), (0, 1), "{report:?}");
        assert!(matches!(words(&ben, body), BodyState::Here(_)));
        // It is not handed on either.
        ben.comment(BEN, "one", &[], "Still here");
        push(&ben, BEN);
        let late = clone_of(&nas);
        assert_eq!(heads(&late), heads(&ben));
        assert!(matches!(words(&late, body), BodyState::Here(_)));
    }
}

#[test]
fn attack_words_erased_by_an_action_that_names_them() {
    let (nas, anna, ben) = approved(Form::Folder);
    fetch(&ben);
    let submit = anna.review("one").submission.id;
    let body = Action::decode(&anna.record(submit).statement).expect("an action").body;
    // A stranger's action names Anna's words as its own, and has them erased.
    let thief = clone_of(&nas);
    let stranger = somebody(STRANGER);
    let namespace = pentimento::object::signature::Namespace::Action;
    let record = thief.forged(submit, &stranger.key, namespace, |action| {
        action.actor = stranger.id;
        action.body = body;
    });
    let own = thief.plant(&record, &[]);
    assert_eq!(erase(&thief, STRANGER, own), body);
    push(&thief, STRANGER);
    let report = fetch(&ben);
    assert_eq!(report.fetched.logs.erased, 0, "{report:?}");
    assert!(matches!(words(&ben, body), BodyState::Here(_)));
    let late = clone_of(&nas);
    assert!(matches!(words(&late, body), BodyState::Here(_)));
    // Where the words were not there yet when the lie came, they are kept when they come.
    let shown = late.review("one").submission.words.text;
    assert_eq!(shown.as_deref(), Some("Please look"));
    let body = match words(&thief, body) {
        BodyState::Erased => match words(&ben, body) {
            BodyState::Here(body) => body,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let mut edit = thief.repository.edit().expect("an edit");
    assert!(edit.put_review_body(&body).expect("an answer"), "they are not the stranger's");
}

fn words_that_their_author_or_the_policy_erases_are_gone_everywhere_and_stay_so(form: Form) {
    let (nas, anna, ben) = approved(form);
    fetch(&ben);
    let said = ben.comment(BEN, "one", &[], "In anger");
    push(&ben, BEN);
    fetch(&anna);
    let submit = anna.review("one").submission.id;
    // Anna administrates, and erases Ben's words too.
    let comment = said.comment.action;
    for (house, by, action) in [(&anna, ANNA, submit), (&anna, ANNA, comment)] {
        let body = erase(house, by, action);
        push(house, by);
        assert_eq!(fetch(&ben).fetched.logs.erased, 1);
        assert_eq!(words(&ben, body), BodyState::Erased);
        let late = clone_of(&nas);
        assert_ne!(words(&late, body), BodyState::Missing);
        assert_eq!(words(&late, body), BodyState::Erased);
        assert_eq!(heads(&late), heads(house));
        assert_eq!(late.review("one").submission.id, submit, "the header stays");
    }
}

fn an_action_that_its_signer_did_not_sign_is_not_kept(form: Form) {
    let (nas, anna, ben) = approved(form);
    let submit = anna.review("one").submission.id;
    let mut record = anna.record(submit);
    let other = somebody(STRANGER).key;
    let forged = anna.forged(submit, &other, pentimento::object::signature::Namespace::Commit, |_| {});
    record.signature = forged.signature.clone();
    let thief = clone_of(&nas);
    thief.plant(&forged, &[]);
    push(&thief, STRANGER);
    let report = fetch(&ben);
    assert_eq!((report.fetched.logs.actions, report.fetched.logs.refused), (1, 1), "{report:?}");
    let view = ben.repository.view().expect("a view");
    assert!(view.review_action(Audience::Team, forged.id()).expect("readable").is_none());
    let _ = Push::is_empty;
}

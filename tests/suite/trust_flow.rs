//! Policies at work in a whole repository: what a protected branch refuses and how, who may change
//! what, and what an audit finds.

use crate::support::World;
use crate::trust_kit::{self, somebody};
use pentimento::app::commit::{self, Options as CommitOptions};
use pentimento::app::common::guard::{strays, verified_log};
use pentimento::app::policy::{self, Acting, change, init};
use pentimento::app::{audit, draft, merge, switch, tag, undo};
use pentimento::base::id::RepositoryId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::{Clock, FixedClock, Timestamp};
use pentimento::repo::people::{Identity, Person};
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::repo::{RepoError, Repository};
use pentimento::rules::policy::Handle;
use pentimento::store::{Space, StoreSettings};
use pentimento::trust::log_writer::LogWriter;
use std::fs;
use std::path::Path;

const NOW: FixedClock = FixedClock(Timestamp::utc(trust_kit::START_MS));

/// A repository in a folder of its own, with Anna at work.
struct Desk {
    folder: tempfile::TempDir,
    repository: Repository,
}

fn identity(number: u8, name: &str) -> Identity {
    let person = Person { name: name.into(), email: String::new() };
    Identity { id: somebody(number).id, person }
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = StoreSettings::new(RepositoryId::from_bytes([7; 16]));
        let repository = Repository::create(folder.path(), &settings).expect("a new repository");
        Self { folder, repository }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    fn commit(&self, message: &str, by: u8) -> Result<commit::Report, String> {
        let person = somebody(by);
        self.commit_as(message, by, Some(person.writer()))
    }

    fn commit_as(
        &self,
        message: &str,
        by: u8,
        writer: Option<LogWriter<'_>>,
    ) -> Result<commit::Report, String> {
        let options = CommitOptions {
            message: Some(message.into()),
            paths: Vec::new(),
            identity: Some(identity(by, "Somebody")),
            author: None,
            date: None,
            signing: None,
        };
        commit::run_as(&self.repository, &options, writer, &NOW, &SilentMonitor)
            .map_err(|error| error.to_string())
    }

    fn policy(&self, rules: &str) -> init::Report {
        let anna = somebody(trust_kit::ANNA);
        let acting = Acting {
            repository: &self.repository,
            writer: anna.writer(),
            clock: &NOW,
            monitor: &SilentMonitor,
        };
        let handle = Handle::new("anna").expect("a name");
        let options = init::Options { handle, name: "Anna".into(), text: Some(trust_kit::policy(rules)) };
        init::run(&acting, &options).expect("a first policy")
    }

    fn tip(&self, branch: &str) -> Option<pentimento::base::id::CommitId> {
        let name = RefName::branch(branch).expect("a name");
        self.repository
            .view()
            .expect("a view")
            .reference(&name)
            .expect("readable")
            .map(|target| target.commit)
    }

    fn log(&self) -> pentimento::trust::chain::VerifiedLog {
        let view = self.repository.view().expect("a view");
        verified_log(&self.repository, &view, NOW.now(), &SilentMonitor).expect("a log that verifies")
    }
}

#[track_caller]
fn says(message: &str, part: &str) {
    assert!(message.contains(part), "{message:?} does not say {part:?}");
}

/// A desk with a first commit and a policy.
fn protected(rules: &str) -> Desk {
    let desk = Desk::new();
    desk.write("brand/logo.svg", "one");
    desk.write("web/index.html", "one");
    desk.commit("First", trust_kit::ANNA).expect("a commit");
    let report = desk.policy(rules);
    assert_eq!(report.protects.get("branch/main").copied(), desk.tip("main"));
    desk
}

#[test]
fn a_commit_to_a_protected_branch_is_refused_with_who_must_approve() {
    let desk = protected(trust_kit::TWO_EDITORS);
    let tip = desk.tip("main");
    desk.write("brand/logo.svg", "two");
    let refused = desk.commit("Second", trust_kit::DORA).expect_err("a refusal");
    says(
        &refused,
        "main is protected: 2 editors must approve brand/logo.svg: nobody has yet, ben and cleo could",
    );
    let unsigned = desk.commit_as("Second", trust_kit::DORA, None).expect_err("a refusal");
    says(&unsigned, "whoever moves it must sign that");
    assert_eq!(desk.tip("main"), tip);
    assert_eq!(fs::read_to_string(desk.folder.path().join("brand/logo.svg")).expect("readable"), "two");
    // On a draft the same work goes on.
    switch::begin_draft(&desk.repository, "night", &NOW, &SilentMonitor).expect("a draft");
    desk.commit("Second", trust_kit::DORA).expect("a commit");
    assert_eq!(desk.tip("main"), tip);
}

#[test]
fn what_no_rule_speaks_of_is_committed_directly_and_recorded() {
    let desk =
        protected("[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"2 editor\"]\n");
    desk.write("web/index.html", "two");
    desk.commit("The web page", trust_kit::DORA).expect("a commit");
    let log = desk.log();
    assert_eq!(log.reference("branch/main"), desk.tip("main"));
    assert_eq!(log.head().map(|head| head.sequence), Some(2));
    let stranger = desk.write_and_commit("web/index.html", "three", trust_kit::STRANGER);
    says(&stranger, "the policy does not know the key");
}

impl Desk {
    fn write_and_commit(&self, path: &str, text: &str, by: u8) -> String {
        self.write(path, text);
        self.commit("A change", by).expect_err("a refusal")
    }
}

#[test]
fn merge_undo_rename_and_removal_of_a_protected_branch_are_refused() {
    let desk = protected(trust_kit::TWO_EDITORS);
    let tip = desk.tip("main");
    switch::begin_draft(&desk.repository, "night", &NOW, &SilentMonitor).expect("a draft");
    desk.write("brand/logo.svg", "night");
    desk.commit("Night", trust_kit::DORA).expect("a commit");
    let remove = draft::delete(&desk.repository, "main", true, &NOW, &SilentMonitor)
        .expect_err("a refusal")
        .to_string();
    says(&remove, "main is no draft");
    let rename = draft::rename(&desk.repository, "main", "other", &NOW, &SilentMonitor)
        .expect_err("a refusal")
        .to_string();
    says(&rename, "main is no draft");
    switch::run(&desk.repository, "main", &NOW, &SilentMonitor).expect("on main");
    let dora = somebody(trust_kit::DORA);
    let options = merge::Options {
        name: "night".into(),
        identity: Some(identity(trust_kit::DORA, "Dora")),
        message: None,
    };
    let merged = merge::run_as(&desk.repository, &options, Some(dora.writer()), &NOW, &SilentMonitor);
    says(&merged.expect_err("a refusal").to_string(), "2 editors must approve brand/logo.svg");
    assert_eq!(desk.tip("main"), tip);
}

#[test]
fn undo_does_not_move_a_protected_branch_back() {
    let desk = Desk::new();
    desk.write("a.txt", "one");
    desk.commit("First", trust_kit::ANNA).expect("a commit");
    desk.write("a.txt", "two");
    desk.commit("Second", trust_kit::ANNA).expect("a commit");
    desk.policy(trust_kit::TWO_EDITORS);
    let tip = desk.tip("main");
    let undone = undo::run(&desk.repository, undo::Direction::Undo, &NOW, &SilentMonitor);
    says(&undone.expect_err("a refusal").to_string(), "main is protected");
    assert_eq!(desk.tip("main"), tip);
    assert_eq!(fs::read_to_string(desk.folder.path().join("a.txt")).expect("readable"), "two");
}

#[test]
fn a_protected_tag_is_set_by_those_whom_the_rule_names() {
    let desk = protected(
        "[[protect]]\ntag = \"print-*\"\nset = [\"anna\"]\n\n[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\"]\n",
    );
    let set = |by: u8, name: &str| {
        let person = somebody(by);
        let options = tag::Options::Set { name: name.into(), revision: None, message: None, identity: None };
        tag::run_as(&desk.repository, options, Some(person.writer()), &NOW)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    says(&set(trust_kit::DORA, "print-1").expect_err("a refusal"), "only anna may set and remove it");
    assert_eq!(set(trust_kit::ANNA, "print-1"), Ok(()));
    assert_eq!(set(trust_kit::DORA, "idea"), Ok(()));
    let dora = somebody(trust_kit::DORA);
    let gone = tag::Options::Delete { name: "print-1".into() };
    let refused = tag::run_as(&desk.repository, gone, Some(dora.writer()), &NOW).expect_err("a refusal");
    says(&refused.to_string(), "print-1 is protected: only anna may set and remove it");
    assert_eq!(desk.log().references().len(), 2);
}

#[test]
fn no_way_through_the_library_moves_a_protected_branch_without_an_authorisation() {
    let desk = protected(trust_kit::ONE_EDITOR);
    let (main, tip) = (RefName::branch("main").expect("a name"), desk.tip("main"));
    let mut edit = desk.repository.edit().expect("an edit");
    let moved = edit.set_reference(&main, tip, None);
    assert!(matches!(moved, Err(RepoError::Protected { .. })), "{moved:?}");
    // An entry that nobody authorised does not enter the log either.
    let log = desk.log();
    let anna = somebody(trust_kit::ANNA);
    let deed = pentimento::object::log_entry::LogDeed::Move(pentimento::object::log_entry::RefMoved {
        reference: "branch/main".into(),
        from: tip,
        to: None,
        why: pentimento::object::log_entry::Why::Direct {},
        heads: vec![],
    });
    let entry = anna.writer().entry(&log, deed, NOW.now().unix_ms).expect("an entry");
    assert!(matches!(edit.append_log(&entry), Err(RepoError::Protected { .. })));
}

#[test]
fn a_branch_that_was_moved_behind_the_logs_back_is_found() {
    let desk = Desk::new();
    desk.write("a.txt", "one");
    let first = desk.commit("First", trust_kit::ANNA).expect("a commit").commit.expect("made").id;
    desk.write("a.txt", "two");
    desk.commit("Second", trust_kit::ANNA).expect("a commit");
    desk.policy(trust_kit::TWO_EDITORS);
    let main = RefName::branch("main").expect("a name");
    // Somebody writes into the storage itself.
    let mut edit = desk.repository.edit().expect("an edit");
    let target = RefTarget::plain(first).encode();
    edit.transaction().put(Space::Refs, main.as_str().as_bytes(), &target).expect("written");
    edit.commit().expect("a commit");
    let view = desk.repository.view().expect("a view");
    let found = strays(&view, &desk.log()).expect("readable");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.name(), found[0].here), ("main", Some(first)));
    let report =
        audit::run(&desk.repository, &audit::Options::default(), &NOW, &SilentMonitor).expect("an audit");
    assert_eq!(report.strays, found);
    // And nothing goes on from there.
    desk.write("b.txt", "three");
    says(&desk.commit("Third", trust_kit::ANNA).expect_err("a refusal"), "by the shared log it is at");
}

#[test]
fn a_policy_changes_when_enough_people_have_signed() {
    let both = format!("{}\n[policy]\nchange = [\"2 of anna, ben, cleo\"]\n", trust_kit::ONE_EDITOR);
    let desk = Desk::new();
    desk.write("a.txt", "one");
    desk.commit("First", trust_kit::ANNA).expect("a commit");
    desk.policy(trust_kit::ONE_EDITOR);
    let people = [trust_kit::ANNA, trust_kit::BEN, trust_kit::DORA].map(somebody);
    let acting = |index: usize| Acting {
        repository: &desk.repository,
        writer: people[index].writer(),
        clock: &NOW,
        monitor: &SilentMonitor,
    };
    let options = |text: String| change::Options { text, reason: "why not".into(), recovery: false };
    let first = change::propose(&acting(0), &options(trust_kit::policy(&both))).expect("a proposal");
    assert_eq!(first.outcome, change::Outcome::InForce);
    let second =
        change::propose(&acting(0), &options(trust_kit::policy(trust_kit::TWO_EDITORS))).expect("a proposal");
    assert_eq!(second.outcome, change::Outcome::Waits);
    says(&second.missing[0], "2 of anna, ben, cleo must sign: anna did, ben and cleo could");
    let waiting = policy::history::run(&desk.repository, false, &NOW, &SilentMonitor).expect("a list");
    assert_eq!((waiting.links.len(), waiting.proposals.len()), (2, 1));
    let stranger = somebody(trust_kit::STRANGER);
    let strange = Acting { writer: stranger.writer(), ..acting(0) };
    says(&change::sign(&strange, None).expect_err("a refusal").to_string(), "does not know your key");
    // Dora is known and may sign, but is none of those who count.
    assert_eq!(change::sign(&acting(2), None).expect("a signature").outcome, change::Outcome::Waits);
    assert_eq!(change::sign(&acting(1), None).expect("a signature").outcome, change::Outcome::InForce);
    let list = policy::history::run(&desk.repository, false, &NOW, &SilentMonitor).expect("a list");
    assert_eq!((list.links.len(), list.proposals.len()), (3, 0));
    assert!(list.links[0].in_force && list.links[0].number == 3);
}

#[test]
fn a_dry_run_says_which_past_moves_would_have_been_refused_and_changes_nothing() {
    let desk = Desk::new();
    for (index, by) in [trust_kit::ANNA, trust_kit::DORA, trust_kit::STRANGER].into_iter().enumerate() {
        desk.write("web/index.html", &format!("{index}"));
        desk.commit(&format!("Web {index}"), by).expect("a commit");
    }
    desk.write("brand/logo.svg", "one");
    desk.commit("Logo", trust_kit::DORA).expect("a commit");
    let rules = "[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"1 editor\"]\n";
    let options = policy::check::Options { text: Some(trust_kit::policy(rules)), limit: 100 };
    let report = policy::check::run(&desk.repository, &options, &NOW, &SilentMonitor).expect("a dry run");
    assert_eq!((report.moves, report.refused.len()), (4, 2));
    says(&report.refused[0].because[0], "1 editor must approve brand/logo.svg");
    says(&report.refused[1].because[0], "whoever made it is not in this policy");
    assert!(desk.repository.view().expect("a view").log_head().expect("readable").is_none());
    let bad = policy::check::Options { text: Some("version = 1\n[polcy]".into()), limit: 1 };
    let error = policy::check::run(&desk.repository, &bad, &NOW, &SilentMonitor).expect_err("a refusal");
    says(&error.to_string(), "line 2 of the policy");
}

#[test]
fn an_audit_lists_every_move_and_its_table_is_safe_to_open() {
    let desk =
        protected("[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"2 editor\"]\n");
    desk.write("web/index.html", "two");
    desk.commit("=HYPERLINK(\"http://evil\")", trust_kit::DORA).expect("a commit");
    let report =
        audit::run(&desk.repository, &audit::Options::default(), &NOW, &SilentMonitor).expect("an audit");
    let moves: Vec<_> = report.events.iter().filter(|event| event.kind == "move").collect();
    assert_eq!((moves.len(), moves[0].who.as_str(), moves[0].verified), (1, "dora", true));
    assert_eq!(moves[0].to, desk.tip("main"));
    assert!(
        report
            .events
            .iter()
            .any(|event| event.source == audit::Source::Journal && event.name == "branch/main")
    );
    let table = report.csv();
    for line in table.lines() {
        assert!(!line.contains("\"=") && !line.contains("\"@") && !line.contains("\"+"), "{line}");
    }
    let only = audit::Options { name: Some("elsewhere".into()), ..audit::Options::default() };
    let unknown = audit::run(&desk.repository, &only, &NOW, &SilentMonitor).expect_err("a refusal");
    says(&unknown.to_string(), "elsewhere");
}

#[test]
fn an_audit_says_up_to_where_a_damaged_log_verifies() {
    let desk =
        protected("[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"2 editor\"]\n");
    for number in 0..3 {
        desk.write("web/index.html", &format!("{number}"));
        desk.commit("Web", trust_kit::DORA).expect("a commit");
    }
    let mut edit = desk.repository.edit().expect("an edit");
    let transaction = edit.transaction();
    let key = [b"e/".as_slice(), &3u64.to_be_bytes()].concat();
    let mut bytes = transaction.get(Space::SharedLog, &key).expect("readable").expect("an entry");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    transaction.put(Space::SharedLog, &key, &bytes).expect("written");
    edit.commit().expect("a commit");
    let anew = audit::Options { anew: true, ..audit::Options::default() };
    let report = audit::run(&desk.repository, &anew, &NOW, &SilentMonitor).expect("an audit");
    assert_eq!((report.chain.verified, report.chain.entries), (2, 4));
    says(report.chain.problem.as_deref().expect("a problem"), "entry 3 of the shared log");
    let verified: Vec<bool> = report
        .events
        .iter()
        .filter(|event| event.source == audit::Source::SharedLog)
        .map(|event| event.verified)
        .collect();
    assert_eq!(verified[..2], [true, true]);
    assert!(verified[2..].iter().all(|verified| !verified));
}

#[test]
fn a_clone_insists_on_the_fingerprint_that_it_was_given() {
    let desk = protected(trust_kit::ONE_EDITOR);
    let log = desk.log();
    let root = log.root().expect("a root");
    let shown = policy::fingerprint(root);
    assert_eq!(policy::parse_fingerprint(&shown), Some(root));
    assert_eq!(policy::pin(&desk.repository, &log, Some(root)).expect("pinned"), Some(root));
    let other = policy::parse_fingerprint(&"0".repeat(64));
    let refused = policy::pin(&desk.repository, &log, other).expect_err("a refusal").to_string();
    says(&refused, "but this clone trusts");
}

fn key_of_anna(world: &World) {
    let run = world.pent(&["config", "user.name", "Anna Lind"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = world.pent(&["identity", "new", "anna", "--no-passphrase"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn the_program_says_how_to_go_on_when_a_branch_is_protected() {
    let world = World::new();
    key_of_anna(&world);
    assert_eq!(world.pent(&["init"]).code, 0);
    fs::write(world.studio().join("a.txt"), "one").expect("written");
    assert_eq!(world.pent(&["commit", "-m", "First"]).code, 0);
    let begun = world.pent(&["policy", "init"]);
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    says(&begun.stdout, "main is protected from");
    fs::write(world.studio().join("a.txt"), "two").expect("written");
    let refused = world.pent(&["commit", "-m", "Second"]);
    assert_ne!(refused.code, 0);
    says(&refused.stderr, "main is protected: 1 editor must approve a.txt");
    says(&refused.stderr, "`pent draft new`, then `pent submit`");
    let shown = world.pent(&["policy", "show"]);
    says(&shown.stdout, "approvals = [\"1 editor\"]");
    let log = world.pent(&["policy", "log"]);
    says(&log.stdout, "in force");
    let audit = world.pent(&["audit"]);
    assert_eq!(audit.code, 0, "{}", audit.stderr);
    says(&audit.stdout, "The shared log verifies: 1 entry.");
    let lines = world.pent(&["audit", "--lines"]);
    for line in lines.stdout.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    let check = world.pent(&["policy", "check"]);
    says(&check.stdout, "would have been refused");
}

#[test]
fn the_editor_changes_the_policy_and_what_is_no_policy_is_kept() {
    let world = World::new();
    key_of_anna(&world);
    assert_eq!(world.pent(&["init"]).code, 0);
    fs::write(world.studio().join("a.txt"), "one").expect("written");
    assert_eq!(world.pent(&["commit", "-m", "First"]).code, 0);
    assert_eq!(world.pent(&["policy", "init"]).code, 0);
    let editor = |world: World, script: &str| {
        world.with("EDITOR", &format!("{script} #")).with("PATH", "/usr/bin:/bin")
    };
    let world = editor(world, "sed -i s/own/onw/ \"$1\"");
    let spoilt = world.pent(&["policy", "edit"]);
    assert_ne!(spoilt.code, 0);
    says(&spoilt.stderr, "has no \"onw\"");
    says(&spoilt.stderr, "did you mean \"own\"?");
    assert!(Path::new(&world.studio().join(".pent/policy-draft.toml")).exists());
    let world = editor(world, "sed -i s/1\\ editor/1\\ administrator/ \"$1\"");
    let changed = world.pent(&["policy", "edit", "-m", "Only administrators"]);
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    says(&changed.stdout, "is in force, signed by anna");
    let world = editor(world, "true");
    says(&world.pent(&["policy", "edit"]).stderr, "this is the policy in force already");
}

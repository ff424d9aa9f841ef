//! A real repository in which several people work on one submission after another, with or without a
//! policy.

use crate::trust_kit::{ANNA, MAIN, REPOSITORY, policy, signed_entry, signed_link, somebody, unsigned};
use pentimento::app::common::evidence::RepositoryEvidence;
use pentimento::app::common::guard::verified_log;
use pentimento::app::error::AppError;
use pentimento::app::review::act::{Acting, Actor, Subject};
use pentimento::app::review::candidate::Candidate;
use pentimento::app::review::keys::ReviewKeys;
use pentimento::app::review::log::ReviewLog;
use pentimento::app::review::{comment, land, show, submit, verdict, withdraw};
use pentimento::app::{commit, merge, resolve, switch};
use pentimento::base::id::{ActionId, CommitId, PolicyId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::base::time::{Clock, Timestamp};
use pentimento::object::action::{Action, Audience, Body, Deed};
use pentimento::object::approval::Judgement;
use pentimento::object::commit::{Commit, Signature};
use pentimento::object::log_entry::{LogDeed, PolicyTaken, RefMoved, SignedEntry, Why};
use pentimento::object::metadata::Metadata;
use pentimento::object::policy_link::PolicyLink;
use pentimento::object::signature::Namespace;
use pentimento::object::source::ObjectSource as _;
use pentimento::object::transition::{Placed, Transition, TransitionList};
use pentimento::object::tree_edit::EntryValue;
use pentimento::object::tree_walk::entry_at;
use pentimento::repo::Repository;
use pentimento::repo::people::{Identity, Person};
use pentimento::repo::refs::RefName;
use pentimento::repo::review_log::ActionRecord;
use pentimento::repo::sets::LogSet;
use pentimento::rules::approval::Change;
use pentimento::rules::keyring::Keyring;
use pentimento::store::StoreSettings;
use pentimento::trust::chain::{Trust, VerifiedLog, verify};
use pentimento::trust::judge::{Proposal, judge};
use pentimento::trust::{LocalKey, Signer};
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that goes on by a second each time it is asked.
pub struct Seconds(AtomicI64);

impl Seconds {
    pub fn from(unix_ms: i64) -> Self {
        Self(AtomicI64::new(unix_ms))
    }
}

impl Clock for Seconds {
    fn now(&self) -> Timestamp {
        Timestamp { unix_ms: self.0.fetch_add(1000, Ordering::Relaxed), offset_minutes: 60 }
    }
}

/// The repository.
pub struct House {
    pub folder: tempfile::TempDir,
    pub repository: Repository,
    pub clock: Seconds,
    /// Whether landings sign their commits.
    pub signs: std::sync::atomic::AtomicBool,
}

pub fn path(text: &str) -> AssetPath {
    AssetPath::from_bytes(text).expect("a path")
}

pub fn identity(number: u8) -> Identity {
    let names = ["", "Anna Lind", "Ben Okri", "Cleo Marsh", "Dora Weiss"];
    let name = names.get(usize::from(number)).copied().unwrap_or("A stranger").to_owned();
    Identity { id: somebody(number).id, person: Person { name, email: String::new() } }
}

fn subject(draft: &str, paths: &[&str]) -> Subject {
    Subject { submission: Some(draft.to_owned()), paths: paths.iter().map(|text| path(text)).collect() }
}

impl House {
    /// `main` has a brand folder and a poster; nobody protects anything yet.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repository =
            Repository::create(folder.path(), &StoreSettings::new(REPOSITORY)).expect("a new repository");
        let house = Self {
            folder,
            repository,
            clock: Seconds(AtomicI64::new(1_772_381_000_000)),
            signs: std::sync::atomic::AtomicBool::default(),
        };
        house.write("brand/logo.svg", "<svg>old</svg>");
        house.write("brand/type.txt", "Grotesk\n");
        house.write("poster.txt", "Harbour, spring\n");
        house.commit(ANNA, "First state");
        house
    }

    /// A repository with nothing in it, of the same id.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repository =
            Repository::create(folder.path(), &StoreSettings::new(REPOSITORY)).expect("a new repository");
        Self {
            folder,
            repository,
            clock: Seconds::from(1_772_382_000_000),
            signs: std::sync::atomic::AtomicBool::default(),
        }
    }

    /// The same with a policy whose rules are these.
    pub fn with_policy(rules: &str) -> Self {
        let house = Self::new();
        house.set_policy(rules, 1);
        house
    }

    pub fn tip(&self, branch: &str) -> CommitId {
        let name = RefName::branch(branch).expect("a name");
        let view = self.repository.view().expect("a view");
        view.reference(&name).expect("readable").expect("a branch").commit
    }

    /// Lets a policy take effect.
    pub fn set_policy(&self, rules: &str, number: u64) -> PolicyId {
        self.set_policy_text(&policy(rules), number)
    }

    /// Lets a policy of this whole text take effect.
    pub fn set_policy_text(&self, text: &str, number: u64) -> PolicyId {
        let view = self.repository.view().expect("a view");
        let now = self.clock.now();
        let log = verified_log(&self.repository, &view, now, &SilentMonitor).expect("a good log");
        let (parents, starts) = match log.in_force() {
            None => {
                let starts = [(MAIN.to_owned(), self.tip("main"))];
                let protects = text.contains("branch = \"main\"");
                (vec![], starts.into_iter().filter(|_| protects).collect())
            }
            Some(in_force) => (vec![in_force.id], BTreeMap::new()),
        };
        let link = signed_link(&unsigned(text, number, parents, starts), &[ANNA]);
        let id = PolicyLink::id_of(&link.statement);
        let head = log.head();
        let entry = signed_entry(
            ANNA,
            head.map_or(1, |head| head.sequence + 1),
            head.map(|head| head.id),
            now.unix_ms,
            LogDeed::Policy(PolicyTaken { link, recovery: false }),
        );
        let mut edit = self.repository.edit().expect("an edit");
        edit.append_log(&entry).expect("an entry that fits");
        edit.commit().expect("a commit");
        id
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let at = self.folder.path().join(name);
        fs::create_dir_all(at.parent().expect("a parent")).expect("folders");
        fs::write(at, bytes).expect("a written file");
    }

    pub fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join(name)).ok()
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).expect("a removed file");
    }

    pub fn try_commit(&self, by: u8, message: &str) -> Result<commit::Report, AppError> {
        let options = commit::Options {
            message: Some(message.to_owned()),
            paths: vec![],
            identity: Some(identity(by)),
            author: None,
            date: None,
            signing: None,
        };
        commit::run(&self.repository, &options, &self.clock, &SilentMonitor)
    }

    /// Commits as somebody who can sign.
    pub fn try_commit_as(&self, by: u8, message: &str) -> Result<commit::Report, AppError> {
        let options = commit::Options {
            message: Some(message.to_owned()),
            paths: vec![],
            identity: Some(identity(by)),
            author: None,
            date: None,
            signing: None,
        };
        let person = somebody(by);
        let writer = Some(person.writer());
        commit::run_as(&self.repository, &options, writer, &self.clock, &SilentMonitor)
    }

    pub fn commit(&self, by: u8, message: &str) -> CommitId {
        let report = self.try_commit(by, message).expect("a commit");
        report.commit.expect("something to commit").id
    }

    pub fn begin(&self, draft: &str) {
        switch::begin_draft(&self.repository, draft, &self.clock, &SilentMonitor).expect("a new draft");
    }

    pub fn go(&self, branch: &str) {
        switch::run(&self.repository, branch, &self.clock, &SilentMonitor).expect("a switch");
    }

    /// Merges into the branch that the worktree is on; where both changed something, ours stays.
    pub fn merge_ours(&self, by: u8, name: &str) {
        let options = merge::Options { name: name.to_owned(), identity: Some(identity(by)), message: None };
        let report = merge::run(&self.repository, &options, &self.clock, &SilentMonitor).expect("a merge");
        for conflict in report.conflicts {
            let (paths, ours) = ([conflict.path], resolve::Decision::Ours);
            resolve::run(&self.repository, &paths, ours, &self.clock, &SilentMonitor).expect("a decision");
        }
        self.commit(by, "Bring main in");
    }

    /// Merges into the branch that the worktree is on, as somebody who can sign.
    pub fn merge_as(&self, by: u8, name: &str) -> Result<merge::Report, AppError> {
        let options = merge::Options { name: name.to_owned(), identity: Some(identity(by)), message: None };
        let person = somebody(by);
        let writer = Some(person.writer());
        merge::run_as(&self.repository, &options, writer, &self.clock, &SilentMonitor)
    }

    /// All submissions that wait.
    pub fn list_ids(&self) -> Vec<ActionId> {
        let list = show::list(&self.repository, true, &self.keys(), &self.clock, &SilentMonitor);
        list.expect("a list").submissions.iter().map(|line| line.submission.id).collect()
    }

    pub fn keys(&self) -> ReviewKeys {
        let now = self.clock.now();
        ReviewKeys::of(&self.repository, Keyring::default(), now, &SilentMonitor).expect("a good log")
    }

    fn act<T>(&self, by: u8, deed: impl FnOnce(&Acting<'_>) -> Result<T, AppError>) -> Result<T, AppError> {
        let (identity, key, keys) = (identity(by), somebody(by).key, self.keys());
        deed(&Acting {
            repository: &self.repository,
            actor: Actor { identity: &identity, signer: &key },
            keys: &keys,
            clock: &self.clock,
            monitor: &SilentMonitor,
        })
    }

    pub fn try_submit(&self, by: u8, draft: &str) -> Result<submit::Report, AppError> {
        self.try_submit_to(by, draft, "main")
    }

    pub fn submit_to(&self, by: u8, draft: &str, branch: &str) -> submit::Report {
        self.try_submit_to(by, draft, branch).expect("a submission")
    }

    /// Submits, and asks these people.
    pub fn submit_asking(&self, by: u8, draft: &str, reviewers: &[&str]) -> Result<submit::Report, AppError> {
        let options = submit::Options {
            draft: Some(draft.to_owned()),
            branch: "main".into(),
            reviewers: reviewers.iter().map(|name| (*name).to_owned()).collect(),
            message: "Please look".into(),
        };
        self.act(by, |acting| submit::run(acting, &options))
    }

    fn try_submit_to(&self, by: u8, draft: &str, branch: &str) -> Result<submit::Report, AppError> {
        let options = submit::Options {
            draft: Some(draft.to_owned()),
            branch: branch.to_owned(),
            reviewers: vec!["ben".into()],
            message: "Please look".into(),
        };
        self.act(by, |acting| submit::run(acting, &options))
    }

    pub fn submit(&self, by: u8, draft: &str) -> submit::Report {
        self.try_submit(by, draft).expect("a submission")
    }

    pub fn judge(
        &self,
        by: u8,
        draft: &str,
        judgement: Judgement,
        paths: &[&str],
    ) -> Result<verdict::Report, AppError> {
        let (message, policy) = ("My word".into(), self.keys().policy());
        let options = verdict::Options { subject: subject(draft, paths), judgement, message, policy };
        self.act(by, |acting| verdict::run(acting, &options))
    }

    pub fn approve(&self, by: u8, draft: &str) -> ActionId {
        self.judge(by, draft, Judgement::Approve, &[]).expect("an approval").verdict.action
    }

    pub fn withdraw(&self, by: u8, draft: &str, verdict: bool) -> Result<withdraw::Report, AppError> {
        self.withdraw_of(by, draft, verdict, &[])
    }

    /// Takes back what somebody said of some paths.
    pub fn withdraw_of(
        &self,
        by: u8,
        draft: &str,
        verdict: bool,
        paths: &[&str],
    ) -> Result<withdraw::Report, AppError> {
        let Subject { submission, paths } = subject(draft, paths);
        let options = withdraw::Options { submission, paths, verdict, message: String::new() };
        self.act(by, |acting| withdraw::run(acting, &options))
    }

    pub fn comment(&self, by: u8, draft: &str, paths: &[&str], message: &str) -> comment::Report {
        let options = comment::Options { subject: subject(draft, paths), message: message.to_owned() };
        self.act(by, |acting| comment::run(acting, &options)).expect("a comment")
    }

    pub fn review(&self, draft: &str) -> show::Report {
        show::one(&self.repository, draft, &self.keys(), &self.clock, &SilentMonitor).expect("a review")
    }

    pub fn land(&self, by: u8, draft: &str) -> Result<land::Report, AppError> {
        let options = land::Options {
            submission: Some(draft.to_owned()),
            message: None,
            sign: self.signs.load(Ordering::Relaxed),
            dry_run: false,
        };
        self.act(by, |acting| land::run(acting, &options))
    }

    /// Why a landing is refused.
    pub fn refused(&self, by: u8, draft: &str) -> String {
        self.land(by, draft).expect_err("a refusal").to_string()
    }

    /// The action that tells of the landing of a draft's submission.
    pub fn landing_of(&self, draft: &str) -> ActionId {
        let submission = self.review(draft).submission.id;
        let view = self.repository.view().expect("a view");
        let all = view.review_actions(Audience::Team).expect("a log");
        let told = all.iter().find(|record| {
            let action = Action::decode(&record.statement).expect("an action");
            matches!(action.deed, Deed::Land { submission: landed, .. } if landed == submission)
        });
        told.expect("a landing").id()
    }

    /// Gives a file of the worktree one label.
    pub fn label(&self, file: &str, label: &str) {
        let mut metadata = Metadata::default();
        metadata.set_labels(std::collections::BTreeSet::from([label.to_owned()]));
        let mut edit = self.repository.edit().expect("an edit");
        let id = edit.put_metadata(&metadata).expect("metadata");
        let mut state = edit.state().expect("a state");
        state.pending.metadata.insert(path(file), Some(id));
        edit.put_state(&state).expect("a state");
        edit.commit().expect("a commit");
    }

    /// The removal of a file of `main`.
    pub fn removal_of(&self, file: &str) -> Transition {
        let view = self.repository.view().expect("a view");
        let tree = view.commit(self.tip("main")).expect("a commit").tree;
        let entry = entry_at(&view, tree, &path(file)).expect("readable").expect("a file");
        Transition { before: Some(Placed::new(&path(file), &EntryValue::from(entry))), after: None }
    }

    /// What the policy says when whoever lands puts another difference forward than the submitted one,
    /// with all verdicts on the submission.
    pub fn judged_with(&self, draft: &str, change: impl FnOnce(&TransitionList) -> TransitionList) -> String {
        let view = self.repository.view().expect("a view");
        let (keys, now) = (self.keys(), self.clock.now());
        let log = ReviewLog::read(&view, self.repository.id(), &keys, &SilentMonitor).expect("a log");
        let submission = log.find(&view, Some(draft)).expect("a submission");
        let lists = log.lists(&view, submission).expect("lists");
        let candidate = Candidate::of(&view, &log, submission, &lists).expect("an open submission");
        let prospect = candidate.prospect(&self.repository, &SilentMonitor).expect("a prospect");
        let evidence = candidate.evidence(&self.repository, &prospect, now, &SilentMonitor);
        let mut evidence = evidence.expect("evidence").expect("a protected branch");
        let list = change(&prospect.list);
        evidence.changes = list
            .as_slice()
            .iter()
            .map(|transition| Change { transition: transition.clone(), fields: Vec::new() })
            .collect();
        let verified = verified_log(&self.repository, &view, now, &SilentMonitor).expect("a good log");
        let dora = somebody(crate::trust_kit::DORA);
        let actor = dora.writer().actor();
        let proposal = Proposal {
            reference: MAIN,
            from: Some(candidate.tip),
            to: Some(candidate.round.proposal.head),
            actor: Some(&actor),
            at_ms: now.unix_ms,
            submission: Some(submission.id),
            evidence: &evidence,
        };
        judge(&verified, &proposal).expect_err("a refusal").to_string()
    }

    /// A commit that goes on from `main` and brings in another, as somebody's own client could make it.
    pub fn merge_commit(&self, by: u8, parents: &[CommitId], tree_of: CommitId) -> CommitId {
        let view = self.repository.view().expect("a view");
        let person = Signature { person: somebody(by).id, time: self.clock.now() };
        let commit = Commit {
            tree: view.commit(tree_of).expect("a commit").tree,
            parents: parents.to_vec(),
            author: person,
            committer: person,
            message: "Made by hand".into(),
            notes: Vec::new(),
            extensions: Vec::new(),
        };
        let mut edit = self.repository.edit().expect("an edit");
        let id = edit.put_commit(&commit).expect("a commit");
        edit.commit().expect("a commit");
        id
    }

    /// The entry of the shared log by which `main` would go to a commit.
    pub fn landing_entry(
        &self,
        by: u8,
        to: CommitId,
        submission: Option<ActionId>,
        heads: &[ActionId],
    ) -> SignedEntry {
        let mut heads = heads.to_vec();
        heads.sort_unstable();
        let why = submission.map_or(Why::Direct {}, |submission| Why::Landing { submission });
        let from = Some(self.tip("main"));
        self.next_entry(
            by,
            LogDeed::Move(RefMoved { reference: MAIN.into(), from, to: Some(to), why, heads }),
        )
    }

    /// The entry that somebody would write next.
    pub fn next_entry(&self, by: u8, deed: LogDeed) -> SignedEntry {
        let head = self.repository.view().expect("a view").log_head().expect("readable");
        let sequence = head.map_or(1, |head| head.sequence + 1);
        signed_entry(by, sequence, head.map(|head| head.id), self.clock.now().unix_ms, deed)
    }

    /// Writes an entry that moves nothing.
    pub fn append(&self, entry: &SignedEntry) {
        let mut edit = self.repository.edit().expect("an edit");
        edit.append_log(entry).expect("an entry that fits");
        edit.commit().expect("a commit");
    }

    /// What every clone would say of the log with one entry more.
    pub fn verified_with(&self, entry: &SignedEntry) -> Result<VerifiedLog, String> {
        let view = self.repository.view().expect("a view");
        self.verified_by(entry, &RepositoryEvidence::new(&view, REPOSITORY))
    }

    /// What a clone says that knows of everything that is here.
    pub fn verified_with_all(&self, entry: &SignedEntry) -> Result<VerifiedLog, String> {
        let view = self.repository.view().expect("a view");
        self.verified_by(entry, &RepositoryEvidence::of_all_here(&view, REPOSITORY))
    }

    fn verified_by(
        &self,
        entry: &SignedEntry,
        evidence: &RepositoryEvidence<'_>,
    ) -> Result<VerifiedLog, String> {
        let view = self.repository.view().expect("a view");
        let entries = view.log_entries(1).expect("entries");
        let mut entries: Vec<SignedEntry> = entries.collect::<Result<_, _>>().expect("readable");
        entries.push(entry.clone());
        let trust = Trust { repository: REPOSITORY, pinned: None, now_ms: self.clock.now().unix_ms };
        let verified = verify(entries.as_slice(), &trust, None, evidence, &SilentMonitor);
        verified.map_err(|error| error.to_string())
    }

    /// An action as it lies in the log.
    pub fn record(&self, id: ActionId) -> ActionRecord {
        let view = self.repository.view().expect("a view");
        let all = view.review_actions(Audience::Team).expect("a log");
        all.into_iter().find(|record| record.id() == id).expect("the action")
    }

    /// Puts a record into the log as somebody could who writes the storage.
    pub fn plant(&self, record: &ActionRecord, lists: &[&TransitionList]) -> ActionId {
        let mut edit = self.repository.edit().expect("an edit");
        for list in lists {
            edit.put_review_list(list).expect("a list");
        }
        let id = edit.put_review_action(Audience::Team, record).expect("a record");
        edit.commit().expect("a commit");
        id
    }

    /// Takes a record out of the log, as a remote could that withholds it.
    pub fn withhold(&self, id: ActionId) {
        let mut key = b"at".to_vec();
        key.extend_from_slice(id.as_bytes());
        let mut edit = self.repository.edit().expect("an edit");
        let space = pentimento::store::Space::ReviewLog;
        assert!(edit.transaction().delete(space, &key).expect("a deletion"), "it was there");
        pentimento::repo::sets::forget(edit.transaction(), LogSet::Team).expect("forgotten");
        edit.commit().expect("a commit");
    }

    /// Signs an action that differs from another in what `change` does to it.
    pub fn forged(
        &self,
        from: ActionId,
        key: &LocalKey,
        namespace: Namespace,
        change: impl FnOnce(&mut Action),
    ) -> ActionRecord {
        let mut action = Action::decode(&self.record(from).statement).expect("an action");
        action.key = key.public_key().fingerprint();
        action.body = Body::new(action.actor, [9; 16], "forged").id();
        change(&mut action);
        let statement = action.encode().expect("bytes");
        let signature = key.sign(namespace, &statement).expect("a signature").as_bytes().to_vec();
        ActionRecord { statement, signature }
    }
}

/// The verdict of an action, to be changed.
pub fn verdict_of(action: &mut Action) -> &mut pentimento::object::action::Verdict {
    match &mut action.deed {
        Deed::Approve(verdict) | Deed::RequestChanges(verdict) | Deed::Reject(verdict) => verdict,
        other => panic!("no verdict: {other:?}"),
    }
}

//! What is told of reviews and of who approved: it is what counts, by the policy, and in the policy's names.

use crate::review_kit::{House, path};
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, ONE_EDITOR, TWO_EDITORS, policy, somebody};
use pentimento::app::policy::keys;
use pentimento::app::review::certificate;
use pentimento::app::review::show::Report as Review;
use pentimento::app::verify::{self, Options, Outcome, Subject};
use pentimento::app::{audit, policy as policies};
use pentimento::base::monitor::SilentMonitor;
use pentimento::object::action::Audience;
use pentimento::object::approval::Judgement;
use pentimento::object::log_entry::LogDeed;
use pentimento::object::signature::Namespace;
use pentimento::repo::people::Person;
use pentimento::repo::review_log::ActionRecord;
use pentimento::store::Space;

#[track_caller]
fn says(text: &str, part: &str) {
    assert!(text.contains(part), "{text:?} does not say {part:?}");
}

/// A draft with two files of the brand, submitted by Dora.
fn submitted(rules: &str) -> House {
    let house = House::with_policy(rules);
    house.begin("poster");
    house.write("brand/logo.svg", "<svg>new</svg>");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(DORA, "Summer");
    house.submit(DORA, "poster");
    house
}

fn verified(house: &House, subject: Subject) -> verify::CommitCheck {
    let options = Options { subject, keyring: house.keys().keyring(), export: None };
    let report = verify::run(&house.repository, &options, &house.clock, &SilentMonitor);
    report.expect("a verification").commits.remove(0)
}

fn landing_words(check: &verify::CommitCheck) -> String {
    let part = check.parts.iter().find(|part| part.topic == "landing").expect("what the log says");
    assert_eq!(part.outcome, Outcome::Good);
    part.sentence.clone()
}

fn rename(house: &House, who: u8, name: &str) {
    let mut edit = house.repository.edit().expect("an edit");
    let person = Person { name: name.into(), email: String::new() };
    edit.put_person(somebody(who).id, &person).expect("a record");
    edit.commit().expect("a commit");
}

#[test]
fn attack_a_record_of_a_name_says_that_somebody_else_approved() {
    let house = submitted(TWO_EDITORS);
    house.approve(BEN, "poster");
    house.approve(CLEO, "poster");
    house.land(DORA, "poster").expect("a landing");
    // Nobody signs records of names: anybody who is fetched from may say this.
    rename(&house, BEN, "Anna Lind, head of legal");
    rename(&house, CLEO, "anna");
    rename(&house, DORA, "ben");
    let check = verified(&house, Subject::Commit(Some("main".into())));
    says(&landing_words(&check), "approved by ben and cleo");
    let said = serde_json::to_string(&check).expect("JSON");
    assert!(!said.contains("head of legal") && !said.contains("\"anna\""), "{said}");
    assert_eq!(check.commit.author.name.as_deref(), Some("dora"));
    let signed = check.parts.iter().find(|part| part.topic == "author");
    assert!(signed.is_none_or(|part| part.sentence.starts_with("dora")), "{:?}", check.parts);
    // Whoever the policy does not know is told apart, whatever they call themselves.
    house.begin("strange");
    house.write("strange.txt", "x");
    house.commit(crate::trust_kit::STRANGER, "Strange");
    rename(&house, crate::trust_kit::STRANGER, "ben");
    let check = verified(&house, Subject::Commit(Some("draft/strange".into())));
    assert_eq!(check.commit.author.name.as_deref(), Some("ben (not in the policy)"));
    // In audits too.
    let report = audit::run(&house.repository, &audit::Options::default(), &house.clock, &SilentMonitor);
    let report = report.expect("an audit");
    for event in report.events.iter().filter(|event| event.source == audit::Source::SharedLog) {
        assert!(event.who == "anna" && event.kind == "policy" || event.who == "dora", "{event:?}");
    }
}

#[test]
fn verifying_an_asset_says_who_approved_it_and_by_which_entry_the_branch_has_it() {
    let rules =
        "[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"1 editor\"]\n".to_owned();
    let house = submitted(&rules);
    house.judge(CLEO, "poster", Judgement::Approve, &["brand"]).expect("an approval");
    house.land(DORA, "poster").expect("a landing");
    let logo = verified(&house, Subject::Asset(path("brand/logo.svg")));
    says(&landing_words(&logo), "entry 2 of the shared log brought it to main, approved by cleo");
    assert!(logo.is_landed(), "the policy took it, though nobody signed the commit");
    assert_eq!(logo.outcome, Outcome::Missing);
    let poster = verified(&house, Subject::Asset(path("poster.txt")));
    says(&landing_words(&poster), "for which the policy asked nobody");
    // The commit of the draft, which says nothing of a submission itself.
    let work = verified(&house, Subject::Commit(Some("draft/poster".into())));
    says(&landing_words(&work), "approved by cleo");
    // What was there before the policy no entry brought, and nobody judged.
    let old = verified(&house, Subject::Asset(path("brand/type.txt")));
    let before = old.parts.iter().find(|part| part.topic == "landing").expect("a word on it");
    says(&before.sentence, "main had it before entry 1 of the shared log began to protect it");
    assert!(!old.is_landed() && before.outcome == Outcome::Missing, "{:?}", old.parts);
}

fn asset<'r>(review: &'r Review, name: &str) -> &'r pentimento::app::review::describe::AssetLine {
    review.assets.iter().find(|asset| asset.path == path(name)).expect("an asset")
}

#[test]
fn a_review_counts_what_the_policy_counts_and_says_why_it_does_not() {
    let house = submitted(ONE_EDITOR);
    // Anna is no editor, Dora approves her own work.
    house.approve(ANNA, "poster");
    let own = house.judge(DORA, "poster", Judgement::Approve, &[]).expect("an approval");
    assert_eq!(own.verdict.ignored.as_deref(), Some("they made part of it themselves"));
    assert_eq!(own.submission.approved, 0, "no rule asks anna");
    let review = house.review("poster");
    assert!(!review.waiting.ready);
    let logo = asset(&review, "brand/logo.svg");
    let vain: Vec<_> = logo.not_counted.iter().map(|other| other.by.name.clone()).collect();
    assert_eq!(vain, [Some("anna".to_owned()), Some("dora".to_owned())]);
    assert_eq!(logo.not_counted[0].why, "no rule of the branch asks them");
    house.approve(BEN, "poster");
    assert!(house.review("poster").waiting.ready);
    // Another policy: what was approved under the one before counts no more, and that is said.
    house.set_policy(TWO_EDITORS, 2);
    let review = house.review("poster");
    assert_eq!((review.submission.approved, review.waiting.ready), (0, false));
    let logo = asset(&review, "brand/logo.svg");
    assert!(logo.approved_by.is_empty());
    assert!(logo.not_counted.iter().any(|other| other.why == "it was given under another policy"));
    assert!(review.verdicts.iter().all(|verdict| verdict.ignored.is_some()));
    let again = house.judge(BEN, "poster", Judgement::Approve, &[]).expect("an approval");
    assert_eq!((again.verdict.ignored, again.submission.approved), (None, 2), "one of two is there");
}

#[test]
fn labels_that_the_policy_lets_pass_are_told_as_kept_and_certified_as_not_approved() {
    let rules = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\"]\nmetadata = \"keeps\"\n";
    let house = submitted(rules);
    house.approve(BEN, "poster");
    house.label("brand/logo.svg", "spring");
    house.commit(DORA, "Labels");
    let report = house.submit(DORA, "poster");
    assert_eq!((report.kept, report.voided), (2, 0), "the policy keeps what was approved");
    assert!(house.review("poster").waiting.ready);
    house.land(DORA, "poster").expect("a landing");
    let folder = tempfile::tempdir().expect("a folder");
    let options = certificate::Options {
        subject: certificate::Subject::Revision("main".into()),
        folder: folder.path().join("proof"),
        files: false,
    };
    let report = certificate::run(&house.repository, &options, &house.keys(), &house.clock, &SilentMonitor);
    let assets = report.expect("a certificate").certificate.assets;
    let told: Vec<(String, bool, bool)> = assets
        .iter()
        .map(|line| (line.path.to_string(), line.metadata_approved, line.kinds.contains(&"metadata")))
        .collect();
    assert_eq!(told, [("brand/logo.svg".into(), false, false), ("poster.txt".into(), true, false)]);
    let page = std::fs::read_to_string(folder.path().join("proof/certificate.html")).expect("a page");
    says(&page, "not its labels and fields, which changed after that");
    // The same by a policy that voids.
    let house = submitted(&rules.replace("keeps", "voids"));
    house.approve(BEN, "poster");
    house.label("brand/logo.svg", "spring");
    house.commit(DORA, "Labels");
    let report = house.submit(DORA, "poster");
    assert_eq!((report.kept, report.voided), (1, 1));
}

#[test]
fn nobody_whose_key_was_revoked_is_waited_for() {
    let house = submitted(ONE_EDITOR);
    let person = somebody(ANNA);
    let acting = policies::Acting {
        repository: &house.repository,
        writer: person.writer(),
        clock: &house.clock,
        monitor: &SilentMonitor,
    };
    keys::revoke(&acting, "cleo", "left").expect("a revocation");
    let review = house.review("poster");
    assert_eq!(review.waiting.from, ["ben"]);
    keys::revoke(&acting, "ben", "left too").expect("a revocation");
    let review = house.review("poster");
    assert!(review.waiting.from.is_empty(), "{:?}", review.waiting);
    says(&review.waiting.missing.join("; "), "nobody has, and nobody can");
}

#[test]
fn a_word_is_taken_back_for_one_folder_and_stands_for_the_rest() {
    let house = submitted(ONE_EDITOR);
    house.approve(BEN, "poster");
    let report = house.withdraw_of(BEN, "poster", false, &["brand"]).expect("taken back");
    assert_eq!((report.verdicts.len(), report.renewed, report.submission.approved), (1, 1, 1));
    let review = house.review("poster");
    assert!(asset(&review, "brand/logo.svg").approved_by.is_empty());
    assert!(!asset(&review, "poster.txt").approved_by.is_empty());
    says(&house.refused(DORA, "poster"), "1 editor must approve brand/logo.svg");
    // One that counted for nothing is worth no more afterwards.
    house.set_policy(TWO_EDITORS, 2);
    house.judge(BEN, "poster", Judgement::Approve, &["brand"]).expect("an approval");
    house.withdraw_of(BEN, "poster", false, &["poster.txt"]).expect("taken back");
    says(&house.refused(DORA, "poster"), "2 editors must approve poster.txt: nobody has yet");
    let refused = |by: u8, paths: &[&str]| {
        house.withdraw_of(by, "poster", false, paths).expect_err("a refusal").to_string()
    };
    says(&refused(CLEO, &["brand"]), "you have given no verdict on draft/poster");
    says(&refused(DORA, &["brand"]), "taken back as a whole");
    says(&refused(BEN, &["nothing.txt"]), "changes nothing at nothing.txt");
}

#[test]
fn reviewers_are_people_or_roles_of_the_policy_and_can_be_others_later() {
    let house = submitted(ONE_EDITOR);
    let nobody = house.submit_asking(DORA, "poster", &["bne"]).expect_err("a refusal").to_string();
    assert_eq!(nobody, "the policy names nobody who is called \"bne\"");
    let report = house.submit_asking(DORA, "poster", &["cleo", "editor"]).expect("a submission");
    assert_eq!(report.submission.reviewers, ["cleo", "editor"]);
    let same = house.submit_asking(DORA, "poster", &["cleo", "editor"]).expect_err("a refusal").to_string();
    says(&same, "is submitted as it is already");
    house.approve(CLEO, "poster");
    house.submit_asking(DORA, "poster", &["ben"]).expect("a submission");
    assert!(house.review("poster").waiting.ready, "whom one asks voids nothing");
}

#[test]
fn an_audit_knows_its_names_and_lists_a_part() {
    let house = submitted(ONE_EDITOR);
    house.approve(BEN, "poster");
    house.land(DORA, "poster").expect("a landing");
    let audited = |options: audit::Options| {
        audit::run(&house.repository, &options, &house.clock, &SilentMonitor)
            .map_err(|error| error.to_string())
    };
    let named = |name: &str| audited(audit::Options { name: Some(name.into()), ..audit::Options::default() });
    says(&named("mian").expect_err("a refusal"), "mian");
    let main = named("main").expect("an audit");
    let journal: Vec<_> = main.events.iter().filter(|event| event.source == audit::Source::Journal).collect();
    assert!(!journal.is_empty());
    for event in journal {
        assert_eq!((event.who.as_str(), event.person), ("this clone", None), "{event:?}");
    }
    let part = |range: audit::Range| {
        let options = audit::Options { range: Some(range), ..audit::Options::default() };
        audited(options).expect("an audit").events
    };
    let second = part(audit::Range::Entries { from: 2, to: 2 });
    assert_eq!(second.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["move"]);
    let (except, until) = ("main~".to_owned(), "main".to_owned());
    let moves = part(audit::Range::Commits { except, until });
    let landed = house.tip("main");
    assert!(moves.iter().any(|event| event.to == Some(landed) && event.name == "branch/main"));
    assert!(moves.iter().all(|event| event.kind != "policy"), "{moves:?}");
}

#[test]
fn a_certificate_leads_from_the_first_policy_to_the_one_in_force() {
    let house = House::with_policy(ONE_EDITOR);
    let two = format!("{ONE_EDITOR}\n[policy]\nchange = [\"1 of anna, ben\"]\n");
    house.set_policy_text(&policy(&two), 2);
    house.set_policy_text(&policy(TWO_EDITORS), 3);
    house.begin("poster");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(DORA, "Summer");
    house.submit(DORA, "poster");
    house.approve(BEN, "poster");
    house.approve(CLEO, "poster");
    house.land(DORA, "poster").expect("a landing");
    house.set_policy_text(&policy(ONE_EDITOR), 4);
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("proof");
    let options = certificate::Options {
        subject: certificate::Subject::Revision("main".into()),
        folder: at.clone(),
        files: true,
    };
    let report = certificate::run(&house.repository, &options, &house.keys(), &house.clock, &SilentMonitor);
    let report = report.expect("a certificate").certificate;
    let chain: Vec<(u64, Vec<String>)> =
        report.chain.iter().map(|line| (line.number, line.signed_by.clone())).collect();
    let anna = || vec!["anna".to_owned()];
    assert_eq!(chain, [(1, anna()), (2, anna()), (3, anna())], "and not what came later");
    assert_eq!(report.chain.last().map(|line| line.id), report.policy.as_ref().map(|line| line.id));
    let log = house.keys();
    assert_eq!(report.chain.first().map(|line| line.id), log.log().root());
    assert!(crate::review_certificate::check_as_a_stranger(&at).is_ok());
    // Each step is in the statement of the next, and a step that somebody else signed is noticed.
    for pair in report.chain.windows(2) {
        let next = std::fs::read_to_string(at.join(&pair[1].file)).expect("a link");
        says(&next, &pair[0].id.to_string());
    }
    let middle = at.join(&report.chain[1].file);
    let text = std::fs::read_to_string(&middle).expect("a link");
    std::fs::write(&middle, text.replace("1 of anna, ben", "1 of cleo, ben")).expect("written");
    assert!(crate::review_certificate::check_as_a_stranger(&at).is_err());
    let page = std::fs::read_to_string(at.join("certificate.html")).expect("a page");
    says(&page, &format!("its first policy has the fingerprint <code>{}</code>", report.chain[0].id));
}

/// Entries of other kinds than moves say who wrote them by the policy of that time, even when that person is gone.
#[test]
fn an_audit_calls_people_as_the_policy_did_then() {
    let house = House::with_policy(ONE_EDITOR);
    let entry = house.next_entry(
        DORA,
        LogDeed::Received(pentimento::object::log_entry::ActionsReceived { heads: Vec::new() }),
    );
    house.append(&entry);
    let without =
        policy(ONE_EDITOR).replace("[people.dora]", "[people.nadia]").replace("\"dora\"", "\"nadia\"");
    house.set_policy_text(&without, 2);
    let report = audit::run(&house.repository, &audit::Options::default(), &house.clock, &SilentMonitor);
    let report = report.expect("an audit");
    let received = report.events.iter().find(|event| event.kind == "received").expect("the entry");
    assert_eq!(received.who, "dora");
}

#[test]
fn what_was_verified_is_remembered_of_the_very_record_only() {
    let house = submitted(ONE_EDITOR);
    let action = house.approve(BEN, "poster");
    let before = serde_json::to_string(&house.review("poster")).expect("JSON");
    let remembered = || {
        let view = house.repository.view().expect("a view");
        view.verified_actions(Audience::Team).expect("readable")
    };
    let all = house.repository.view().expect("a view").review_actions(Audience::Team).expect("a log");
    assert_eq!(all.len(), 2);
    for record in &all {
        assert_eq!(remembered().get(&record.id()), Some(&record.basis()));
    }
    assert_eq!(serde_json::to_string(&house.review("poster")).expect("JSON"), before, "and says the same");
    // Another signature under the same words is not what was verified.
    let record = house.record(action);
    let forged = house.forged(action, &somebody(DORA).key, Namespace::Action, |_| {});
    let swapped = ActionRecord { statement: record.statement.clone(), signature: forged.signature };
    assert_eq!(swapped.id(), action);
    assert_ne!(swapped.basis(), remembered()[&action]);
    let mut key = b"at".to_vec();
    key.extend_from_slice(action.as_bytes());
    let mut edit = house.repository.edit().expect("an edit");
    edit.transaction().put(Space::ReviewLog, &key, &swapped.encode()).expect("written");
    edit.commit().expect("a commit");
    let review = house.review("poster");
    assert!(review.verdicts.is_empty() && !review.waiting.ready);
    assert!(review.refused.iter().any(|refused| refused.action == action), "{:?}", review.refused);
}

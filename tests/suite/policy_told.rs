//! What is told of policies before and after they are signed: what they change, what they would have meant, and
//! what nobody could do any more.

use crate::review_kit::House;
use crate::support::World;
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, ONE_EDITOR, TWO_EDITORS, policy, somebody};
use pentimento::app::common::guard::verified_log;
use pentimento::app::error::AppError;
use pentimento::app::policy::links::LinkState;
use pentimento::app::policy::{Acting, PolicyFailure, change, check, history, keys, preview, show};
use pentimento::app::tag;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::{Clock as _, FixedClock, Timestamp};
use pentimento::diff::text::LineKind;
use pentimento::object::action::Audience;
use std::fs;

#[track_caller]
fn says(text: &str, part: &str) {
    assert!(text.contains(part), "{text:?} does not say {part:?}");
}

fn act<T>(house: &House, by: u8, deed: impl FnOnce(&Acting<'_>) -> T) -> T {
    let person = somebody(by);
    deed(&Acting {
        repository: &house.repository,
        writer: person.writer(),
        clock: &house.clock,
        monitor: &SilentMonitor,
    })
}

fn propose(house: &House, by: u8, text: &str, recovery: bool) -> Result<change::Report, AppError> {
    let options = change::Options { text: text.to_owned(), reason: "for a reason".into(), recovery };
    act(house, by, |acting| change::propose(acting, &options))
}

fn checked(house: &House, text: Option<&str>) -> check::Report {
    let options = check::Options { text: text.map(str::to_owned), limit: 100 };
    check::run(&house.repository, &options, &house.clock, &SilentMonitor).expect("a dry run")
}

/// Lands a draft that these approved.
fn land(house: &House, draft: &str, by: &[u8]) {
    house.begin(draft);
    house.write(&format!("{draft}.txt"), draft);
    house.commit(DORA, draft);
    house.submit(DORA, draft);
    for editor in by {
        house.approve(*editor, draft);
    }
    house.land(DORA, draft).expect("a landing");
    house.go("main");
}

/// The messages of the moves that would have been refused.
fn refused(report: &check::Report) -> Vec<&str> {
    report.refused.iter().map(|line| line.commit.message.as_str()).collect()
}

const TWO_CHANGE: &str = "\n[policy]\nchange = [\"2 of anna, ben, cleo\"]\n";

#[test]
fn a_dry_run_of_the_policy_in_force_permits_what_it_permitted() {
    let house = House::with_policy(ONE_EDITOR);
    land(&house, "one", &[BEN]);
    // A tag on the commit that landed is a move of the tag, and none of the branch.
    let options = tag::Options::Set { name: "v1".into(), revision: None, message: None, identity: None };
    let rules = format!("{ONE_EDITOR}\n[[protect]]\ntag = \"v*\"\nset = [\"anna\"]\n");
    house.set_policy_text(&policy(&rules), 2);
    let anna = somebody(ANNA);
    tag::run_as(&house.repository, options, Some(anna.writer()), &house.clock).expect("a tag");
    // Verdicts of two policies on one submission: those of the policy in force at its landing count.
    house.begin("two");
    house.write("two.txt", "two");
    house.commit(DORA, "two");
    house.submit(DORA, "two");
    house.approve(CLEO, "two");
    house.set_policy_text(&policy(&format!("{rules}# more\n")), 3);
    house.approve(BEN, "two");
    house.land(DORA, "two").expect("a landing");
    house.go("main");
    let report = checked(&house, None);
    // Only what was there before there was a policy, which nobody approved.
    assert_eq!((refused(&report), report.moves, report.unknown.len()), (vec!["First state"], 3, 0));
    // With two editors neither would have passed: one had one, of the other one came under an earlier policy.
    let report = checked(&house, Some(&policy(TWO_EDITORS)));
    assert_eq!(refused(&report), ["Land draft/two", "Land draft/one", "First state"]);
    says(&report.refused[0].because.join("; "), "2 editors must approve two.txt: ben did");
}

#[test]
fn a_dry_run_judges_by_the_people_and_the_keys_of_that_time() {
    let house = House::with_policy(ONE_EDITOR);
    land(&house, "one", &[BEN]);
    act(&house, ANNA, |acting| keys::revoke(acting, "ben", "left")).expect("a revocation");
    assert_eq!(refused(&checked(&house, None)), ["First state"], "it counted when it landed");
    // Whoever lands is judged, and not whoever made the commit that lands.
    let without_dora = format!("{ONE_EDITOR}\n[access]\npush = [\"anna\", \"ben\", \"cleo\"]\n");
    let report = checked(&house, Some(&policy(&without_dora)));
    says(&report.refused[0].because.join("; "), "dora may not send changes");
}

#[test]
fn a_dry_run_says_of_what_it_cannot_tell() {
    let house = House::with_policy(ONE_EDITOR);
    land(&house, "one", &[BEN]);
    let view = house.repository.view().expect("a view");
    let all = view.review_actions(Audience::Team).expect("a log");
    let verdict = house.review("one").verdicts[0].action;
    assert!(all.iter().any(|record| record.id() == verdict));
    house.withhold(verdict);
    let report = checked(&house, None);
    let told: Vec<&str> = report.unknown.iter().map(|line| line.commit.message.as_str()).collect();
    assert_eq!(told, ["Land draft/one"]);
    says(&report.unknown[0].because[0], "missing here");
    assert_eq!(refused(&report), ["First state"]);
}

#[test]
fn a_policy_is_seen_before_it_is_signed_and_afterwards() {
    let house = House::with_policy(ONE_EDITOR);
    house.set_policy(&format!("{ONE_EDITOR}{TWO_CHANGE}"), 2);
    land(&house, "one", &[BEN]);
    let proposed = propose(&house, ANNA, &policy(TWO_EDITORS), false).expect("a proposal");
    assert_eq!(proposed.outcome, change::Outcome::Waits);
    let seen = |name: Option<&str>| preview::run(&house.repository, name, &house.clock, &SilentMonitor);
    let report = seen(None).expect("the proposal");
    assert_eq!(
        (report.id, report.number, report.signed.as_slice()),
        (proposed.id, 3, &["anna".to_owned()][..])
    );
    let lines = |kind: LineKind| -> String {
        let all = report.changes.hunks.iter().flat_map(|hunk| &hunk.lines);
        all.filter(|line| line.kind == kind).map(|line| line.text.as_str()).collect()
    };
    says(&lines(LineKind::Added), "2 editor");
    says(&lines(LineKind::Removed), "1 editor");
    assert_eq!(refused(&report.check), ["Land draft/one", "First state"]);
    assert_eq!(seen(Some("3")).expect("by number").id, proposed.id);
    says(&seen(Some("2")).expect_err("a refusal").to_string(), "no proposed policy is called \"2\"");
    // Showing: by number, by id, and the one in force names what waits.
    let shown = |name: Option<&str>| show::run(&house.repository, name, &house.clock, &SilentMonitor);
    let current = shown(None).expect("the one in force");
    assert_eq!(
        (current.number, current.state, current.waiting.as_slice()),
        (2, LinkState::InForce, &[proposed.id][..])
    );
    let first = shown(Some("1")).expect("the first");
    assert_eq!((first.state, first.policy.as_str()), (LinkState::Past, policy(ONE_EDITOR).as_str()));
    let third = shown(Some(&proposed.id.short())).expect("the proposal");
    assert_eq!((third.state, third.missing.len()), (LinkState::Proposed, 1));
    says(&shown(Some("9")).expect_err("a refusal").to_string(), "no policy has the number or id \"9\"");
    act(&house, BEN, |acting| change::sign(acting, Some(&proposed.id.to_string()))).expect("a signature");
    let list = history::run(&house.repository, true, &house.clock, &SilentMonitor).expect("a list");
    let changed: Vec<(u64, bool)> = list
        .links
        .iter()
        .map(|link| (link.number, link.changes.as_ref().is_some_and(|changes| changes.lines_added > 0)))
        .collect();
    assert_eq!(changed, [(3, true), (2, true), (1, true)]);
    says(&seen(None).expect_err("nothing waits").to_string(), "no proposed policy waits");
}

#[test]
fn whoever_ends_the_last_key_that_can_change_the_policy_is_told() {
    let house = House::with_policy(ONE_EDITOR);
    let foreseen = |who: &str| act(&house, ANNA, |acting| keys::foresee(acting, who)).expect("a look ahead");
    assert!(foreseen("ben").lost.is_empty());
    // Whoever may not do it is refused, and nothing is said to be damaged.
    let error = act(&house, BEN, |acting| keys::revoke(acting, "anna", "lost")).expect_err("a refusal");
    let permitted = matches!(&error, AppError::Policy(PolicyFailure::NotPermitted { .. }));
    assert!(permitted && error.to_string() == "ben may not do that", "{error:?}");
    let lost = foreseen("anna").lost.join("; ");
    says(&lost, "nobody could change the policy any more: that takes 1 administrator");
    says(&lost, "the policy has no recovery rule");
    act(&house, ANNA, |acting| keys::revoke(acting, "anna", "lost")).expect("a revocation");
    // And why is said, not that there were too many of something.
    let error = propose(&house, ANNA, &policy(TWO_EDITORS), false).expect_err("a refusal").to_string();
    says(&error, "was revoked by entry 2 of the shared log");
    // With a recovery rule the way out stays.
    let recovery = "\n[policy]\nchange = [\"1 administrator\"]\nrecovery = { by = [\"2 editor\"], after = \"3 days\" }\n";
    let house = House::with_policy(&format!("{ONE_EDITOR}{recovery}"));
    let lost = act(&house, ANNA, |acting| keys::foresee(acting, "anna")).expect("a look ahead").lost;
    assert_eq!(lost.len(), 1, "{lost:?}");
    act(&house, ANNA, |acting| keys::revoke(acting, "anna", "lost")).expect("a revocation");
    let lost = act(&house, BEN, |acting| keys::foresee(acting, "cleo")).expect("a look ahead").lost;
    says(&lost.join("; "), "the policy could not be recovered either: that takes 2 editors");
}

#[test]
fn two_people_recover_a_policy_that_nobody_else_can_change() {
    let recovery = "\n[policy]\nchange = [\"1 administrator\"]\nrecovery = { by = [\"2 editor\"], after = \"3 days\" }\n";
    let house = House::with_policy(&format!("{ONE_EDITOR}{recovery}"));
    let text = policy(TWO_EDITORS);
    let first = propose(&house, BEN, &text, true).expect("a proposal");
    assert_eq!(first.outcome, change::Outcome::Waits);
    says(&first.missing.join("; "), "2 editors must sign: ben did, cleo could");
    let id = first.id.to_string();
    let second = act(&house, CLEO, |acting| change::sign_by(acting, Some(&id), true)).expect("a signature");
    assert_eq!(second.outcome, change::Outcome::Announced);
    let list = history::run(&house.repository, false, &house.clock, &SilentMonitor).expect("a list");
    let waiting = &list.proposals[0];
    assert!(waiting.current && waiting.missing.is_empty(), "{waiting:?}");
    let until = waiting.announced_until.as_ref().expect("its time");
    let announced = show::run(&house.repository, Some(&id), &house.clock, &SilentMonitor).expect("shown");
    assert_eq!((announced.state, announced.announced_until.as_ref()), (LinkState::Announced, Some(until)));
    let early = act(&house, BEN, |acting| change::sign(acting, Some(&id))).expect_err("too soon").to_string();
    says(&early, "may take effect from");
    let later = FixedClock(Timestamp::utc(until.unix_ms));
    let person = somebody(BEN);
    let acting = Acting {
        repository: &house.repository,
        writer: person.writer(),
        clock: &later,
        monitor: &SilentMonitor,
    };
    let report = change::sign(&acting, Some(&id)).expect("its time has come");
    assert_eq!(report.outcome, change::Outcome::InForce);
    let view = house.repository.view().expect("a view");
    let log = verified_log(&house.repository, &view, later.now(), &SilentMonitor).expect("a log");
    assert_eq!(log.in_force().map(|in_force| in_force.text.clone()), Some(text));
}

#[test]
fn the_program_shows_a_policy_and_asks_before_it_is_signed_or_a_last_key_ends() {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    fs::write(world.studio().join("a.txt"), "one").expect("written");
    world.ok(&["commit", "-m", "First"]);
    world.ok(&["policy", "init"]);
    let text = world.ok(&["policy", "show", "--text"]);
    let ben = somebody(BEN);
    let two = text
        .replace("change = [\"1 administrator\"]", "change = [\"2 of anna, ben\"]")
        .replace("[roles]", &format!("{}[roles]", ben.section("ben", &[&ben.key])));
    fs::write(world.studio().join("../two.toml"), &two).expect("written");
    says(&world.ok(&["policy", "propose", "../two.toml", "-m", "Two of us"]), "is in force, signed by anna");
    fs::write(world.studio().join("../one.toml"), &text).expect("written");
    let waits = world.ok(&["policy", "propose", "../one.toml", "-m", "Alone again"]);
    says(&waits, "is proposed, signed by anna");
    let run = world.pent(&["policy", "sign"]);
    assert_ne!(run.code, 0);
    says(&run.stdout, "-change = [\"2 of anna, ben\"]");
    says(&run.stdout, "+change = [\"1 administrator\"]");
    says(&run.stdout, "Alone again");
    says(&run.stdout, "would have been refused");
    says(&run.stderr, "this needs a yes: Sign policy 3");
    let seen = world.json(&["policy", "sign", "--dry-run"]);
    assert_eq!((&seen["schema"], &seen["number"]), (&"pent.policy-preview/1".into(), &3.into()));
    says(&world.ok(&["policy", "sign", "--yes"]), "2 of anna, ben must sign: anna did, ben could");
    says(&world.ok(&["policy", "log", "--diff"]), "+change = [\"2 of anna, ben\"]");
    says(&world.ok(&["policy", "show", "1"]), "not in force");
    let run = world.pent(&["policy", "revoke", "ben", "-m", "lost"]);
    assert_ne!(run.code, 0);
    says(&run.stderr, "nobody could change the policy any more");
    says(&run.stderr, "this needs a yes");
    says(&world.ok(&["policy", "revoke", "ben", "-m", "lost", "--yes"]), "is revoked");
}

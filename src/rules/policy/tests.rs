use super::*;
use proptest::prelude::*;

/// Three keys made with `ssh-keygen -t ed25519` for tests; nobody has their private halves.
const KEYS: [&str; 3] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHuwVVqILg6Yuji+LGGsSUWSnatdn/Jl3thuE3mEmLED",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjT+IOA+yRJoUob8zaay4CxVyfYDJniUtdw9owmf+5X",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMgd8of/kZydK2DZpHAgHKRHA5EPFUy6sXW8plGq1r/R",
];

fn text() -> String {
    format!(
        r#"version = 1

[people.anna]
id = "{anna}"
name = "Anna Lind"
keys = [
    {{ key = "{}", from = "2026-01-01", until = 2027-01-01T00:00:00Z, note = "laptop" }},
]

[people.ben]
id = "{ben}"
[[people.ben.keys]]
key = "{}"

[people.cleo]
id = "{cleo}"
keys = [{{ key = "{}" }}]

[roles]
administrator = ["anna"]
editor = ["ben", "cleo"]
legal = ["cleo"]

[[protect]]
branch = "main"
paths = "brand/**"
approvals = ["2 editor", "1 of anna, legal"]
valid = "90 days"
metadata = "keeps"
direct = {{ labels = ["editor"], rights = ["legal"] }}
browser-keys = false

[[protect]]
branch = "release/*"
approvals = ["1 editor"]

[[protect]]
branch = "release/*"
paths = "film/**"
signed = true

[[protect]]
tag = "print-*"
set = ["anna"]

[access]
read = ["editor", "anna"]
administer = ["administrator"]
[[access.paths]]
paths = "contracts/**"
read = ["legal"]

[policy]
change = ["1 administrator"]
recovery = {{ by = ["2 editor"], after = "30 days" }}
"#,
        KEYS[0],
        KEYS[1],
        KEYS[2],
        anna = "0a".repeat(16),
        ben = "0b".repeat(16),
        cleo = "0c".repeat(16),
    )
}

fn refused(text: &str) -> (usize, String, String) {
    let error = Policy::parse(text).expect_err("a refusal");
    (error.line, error.problem.to_string(), error.problem.proposal().unwrap_or_default())
}

/// The line at which something first stands in the sample.
fn line_of(needle: &str) -> usize {
    let text = text();
    let start = text.find(needle).expect("it is in the text");
    text[..start].matches('\n').count() + 1
}

fn handle(name: &str) -> Handle {
    Handle::new(name).expect("a name")
}

#[test]
fn a_policy_is_read_as_it_is_written() {
    let policy = Policy::parse(&text()).expect("a policy");
    let rule = &policy.protect[0];
    assert_eq!(rule.line, line_of("[[protect]]"));
    assert_eq!(
        rule.approvals.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["2 editor", "1 of anna, legal"]
    );
    assert_eq!(
        (rule.valid_ms, rule.metadata, rule.browser_keys),
        (Some(90 * 86_400_000), MetadataRule::Keeps, false)
    );
    assert!(!rule.own && !rule.share && !rule.signed);
    assert!(
        policy.protect[2].signed && policy.protect[2].approvals.is_empty(),
        "a rule may ask for that alone"
    );
    assert!(policy.asks_for_signed_commits("release/1") && !policy.asks_for_signed_commits("main"));
    assert!(policy.protects_branch("main") && policy.protects_branch("release/1"));
    assert!(!policy.protects_branch("draft/main") && !policy.protects_tag("main"));
    assert!(policy.protects_tag("print-2026"));
    let key = PublicKey::parse_openssh(KEYS[0]).expect("a key");
    let (holder, _, held) = policy.holder(&key).expect("somebody");
    assert_eq!(holder.as_str(), "anna");
    assert!(!held.is_valid_at(0) && held.is_valid_at(1_772_381_999_000));
    assert!(!held.is_valid_at(held.until.expect("an end")), "the end is not part of it");
    assert!(policy.may_administer(&handle("anna")) && !policy.may_administer(&handle("ben")));
    assert_eq!(policy.erase, policy.change, "without a word, erasing needs what the policy needs");
    let people = policy.people_of(&rule.approvals[1].of);
    assert_eq!(people.iter().map(Handle::as_str).collect::<Vec<_>>(), ["anna", "cleo"]);
}

#[test]
fn every_refusal_names_the_line_and_proposes_something() {
    let good = text();
    let cases = [
        (
            "approvals = [\"1 editor\"]",
            "aprovals = [\"1 editor\"]",
            "approvals = [\"1 editor\"]",
            "approvals",
        ),
        ("\"2 editor\"", "\"2 editors\"", "approvals", "did you mean \"editor\"?"),
        ("\"2 editor\", \"1 of anna, legal\"", "\"0 editor\"", "approvals", "2 editor"),
        ("\"2 editor\", \"1 of anna, legal\"", "\"3 editor\"", "approvals", "name more people"),
        ("\"2 editor\", \"1 of anna, legal\"", "\"editor\"", "approvals", "2 editor"),
        ("valid = \"90 days\"", "valid = \"soon\"", "valid", "90 days"),
        ("branch = \"main\"", "branch = \"main\"\ntag = \"x\"", "[[protect]]", "tag = "),
        ("set = [\"anna\"]", "set = [\"anna\"]\nown = true", "[[protect]]\ntag", "for tags"),
        ("change = [\"1 administrator\"]", "change = []", "[policy]", "[\"1 administrator\"]"),
        ("version = 1", "version = 2", "version", "newer"),
        ("2027-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "{ key", ""),
    ];
    for (from, to, stands, proposal) in cases {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from} is in the text");
        let (at, problem, said) = refused(&changed);
        assert_eq!(at, line_of(stands), "{from} -> {to}: {problem}");
        assert!(said.contains(proposal), "{problem}: {said}");
    }
}

#[test]
fn a_key_speaks_for_one_person_and_a_requirement_can_be_met() {
    let good = text();
    let twice = good.replacen(KEYS[1], KEYS[0], 1);
    assert!(refused(&twice).1.contains("anna's already"));
    let in_another_spelling = good.replacen(KEYS[1], &format!("{} comment", KEYS[0]), 1);
    assert!(refused(&in_another_spelling).1.contains("anna's already"));
    let same_person = good.replacen(&"0b".repeat(16), &"0a".repeat(16), 1);
    assert!(refused(&same_person).1.contains("anna has this id already"));
    let keyless = good.replacen(&format!("[[people.ben.keys]]\nkey = \"{}\"\n", KEYS[1]), "", 1);
    let (_, problem, _) = refused(&keyless.replacen("[\"1 administrator\"]", "[\"2 editor\"]", 1));
    assert!(problem.contains("1 people with a key"), "{problem}");
}

#[test]
fn nobody_can_lock_everybody_out() {
    let locked = text().replacen("change = [\"1 administrator\"]", "change = [\"2 administrator\"]", 1);
    assert!(refused(&locked).1.contains("can never be met"));
    assert!(refused("version = 1").1.contains("needs \"change\""));
    assert!(refused("").1.contains("needs \"version\""));
}

#[test]
fn the_first_policy_that_is_proposed_is_one() {
    let key = PublicKey::parse_openssh(KEYS[0]).expect("a key");
    let founder = Founder {
        handle: &handle("anna"),
        id: PersonId::from_bytes([1; 16]),
        name: "An\"na\n\u{202e}",
        key: &key,
    };
    let policy = Policy::parse(&first_policy(&founder)).expect("a policy");
    assert_eq!(policy.people[&handle("anna")].name.as_deref(), Some("An\"na"));
    assert!(policy.protects_branch("main"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_the_reader_panic(noise in "[a-z\\[\\]{}=\"., \n0-9]{0,200}") {
        let _ = Policy::parse(&noise);
        let _ = Policy::parse(&format!("version = 1\n{noise}"));
    }

    #[test]
    fn a_policy_with_pieces_cut_out_or_put_in_is_read_or_refused(at in 0usize..1600, length in 0usize..60, put in "[a-z\"=\\]\\[ \n]{0,8}") {
        let mut changed = text();
        let (start, end) = (at.min(changed.len()), (at + length).min(changed.len()));
        if changed.is_char_boundary(start) && changed.is_char_boundary(end) {
            changed.replace_range(start..end, &put);
        }
        match Policy::parse(&changed) {
            Ok(policy) => prop_assert!(!policy.change.is_empty()),
            Err(error) => prop_assert!(error.line >= 1 && error.line <= changed.lines().count() + 1),
        }
    }
}

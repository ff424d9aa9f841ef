use super::*;
use crate::rules::policy::parse_requirement;
use proptest::prelude::*;

/// A key for tests; nobody has its private half.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID/zY9X2o9lJynol/IxF2P9GT7im9i7o0giSJWYD2vQH";

/// Six people: `a` to `c` are editors, `c` to `e` are in legal, `f` is nothing.
fn policy() -> Policy {
    let people: String = "abcdef"
        .chars()
        .enumerate()
        .map(|(index, name)| {
            let keys = if name == 'a' { format!("keys = [{{ key = \"{KEY}\" }}]\n") } else { String::new() };
            format!("[people.{name}]\nid = \"{}\"\n{keys}", format!("{index:02x}").repeat(16))
        })
        .collect();
    let roles = "[roles]\neditor = [\"a\", \"b\", \"c\"]\nlegal = [\"c\", \"d\", \"e\"]\n";
    Policy::parse(&format!("version = 1\n{people}{roles}[policy]\nchange = [\"1 of a\"]\n"))
        .expect("a policy")
}

fn handle(name: char) -> Handle {
    Handle::new(&name.to_string()).expect("a name")
}

/// The most places that can be filled, found by trying everybody at every place.
fn most(policy: &Policy, places: &[&Requirement], people: &[Handle]) -> usize {
    let Some((first, rest)) = places.split_first() else { return 0 };
    let mut best = most(policy, rest, people);
    for (index, person) in people.iter().enumerate() {
        if policy.is_one_of(person, &first.of) {
            let mut others = people.to_vec();
            others.remove(index);
            best = best.max(1 + most(policy, rest, &others));
        }
    }
    best
}

#[test]
fn requirements_are_said_as_people_say_them() {
    let policy = policy();
    let said = |text| asked(&parse_requirement(&policy, text).expect("a requirement"));
    assert_eq!(said("2 editor"), "2 editors");
    assert_eq!(said("1 editor"), "1 editor");
    assert_eq!(said("1 of a"), "a");
    assert_eq!(said("2 of a, legal"), "2 of a, legal");
    assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
}

#[test]
fn names_in_a_refusal_cannot_drive_a_terminal() {
    let refusal = Refusal { name: "ma\u{1b}[2Jin".into(), landing: false, missing: vec![Missing::Removal] };
    assert!(!refusal.to_string().chars().any(char::is_control));
}

proptest! {
    #[test]
    fn people_are_seated_as_well_as_can_be(
        texts in proptest::collection::vec(prop::sample::select(vec!["1 editor", "2 editor", "1 legal", "2 legal", "1 of a, d", "2 of c, f"]), 1..3),
        present in proptest::sample::subsequence("abcdef".chars().collect::<Vec<_>>(), 0..6),
    ) {
        let policy = policy();
        let requirements: Vec<Requirement> =
            texts.iter().map(|text| parse_requirement(&policy, text).expect("a requirement")).collect();
        let people: BTreeSet<Handle> = present.iter().copied().map(handle).collect();
        let places: Vec<&Requirement> = requirements
            .iter()
            .flat_map(|requirement| std::iter::repeat_n(requirement, requirement.count as usize))
            .collect();
        let lacking: u32 = unmet(&policy, &requirements, &people, false).iter().map(|(_, lacking)| lacking).sum();
        let people: Vec<Handle> = people.into_iter().collect();
        prop_assert_eq!(places.len() - lacking as usize, most(&policy, &places, &people));
    }
}

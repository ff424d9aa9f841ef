use super::*;
use crate::base::id::{AssetId, CommitId, FileId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::action::{Action, Audience, Body, ListRef};
use crate::object::approval::{MetadataRule, TransitionIds};
use crate::object::signature::wire::put_string;
use crate::object::signature::{Namespace, Signature, signed_bytes};
use crate::object::transition::{Held, Placed, Transition, TransitionList};
use crate::repo::review_log::ActionRecord;
use proptest::prelude::*;
use std::collections::HashMap;

const REPOSITORY: RepositoryId = RepositoryId::from_bytes([1; 16]);

fn person(number: u8) -> PersonId {
    PersonId::from_bytes([number; 16])
}

/// The key of a person.
struct Pen {
    secret: ed25519_dalek::SigningKey,
    public: PublicKey,
}

fn pen(number: u8) -> Pen {
    let secret = ed25519_dalek::SigningKey::from_bytes(&[number; 32]);
    let mut blob = Vec::new();
    put_string(&mut blob, b"ssh-ed25519");
    put_string(&mut blob, secret.verifying_key().as_bytes());
    Pen { secret, public: PublicKey::from_blob(&blob).expect("a key") }
}

fn key(number: u8) -> PublicKey {
    pen(number).public
}

/// Signs an action with the key of person `number`.
fn sign(number: u8, action: &Action) -> Entry {
    use ed25519_dalek::Signer as _;
    let (pen, statement) = (pen(number), action.encode().expect("an action within its limits"));
    let proof = pen.secret.sign(&signed_bytes(Namespace::Action, &statement));
    let mut raw = Vec::new();
    put_string(&mut raw, b"ssh-ed25519");
    put_string(&mut raw, &proof.to_bytes());
    let signature = Signature::from_raw(&pen.public, Namespace::Action, &raw).expect("a signature");
    Entry::verify(&ActionRecord { statement, signature: signature.as_bytes().to_vec() }).expect("a good one")
}

/// The change of asset `asset` to its content number `content`.
fn edit(asset: u8, content: u8) -> Transition {
    let placed = |content: u8| Placed {
        path: AssetPath::from_bytes(format!("asset-{asset}")).expect("a path"),
        asset: Some(AssetId::from_bytes([asset; 16])),
        metadata: None,
        content: Held::File { id: FileId::from_bytes([content; 32]), size: 1, executable: false },
    };
    Transition { before: Some(placed(0)), after: Some(placed(content)) }
}

fn list(edits: &[(u8, u8)]) -> TransitionList {
    TransitionList::new(edits.iter().map(|(asset, content)| edit(*asset, *content)))
}

/// A log that grows on several machines.
#[derive(Default, Clone)]
struct Machine {
    entries: Vec<Entry>,
}

struct Studio {
    lists: HashMap<ListRef, TransitionList>,
    clock: Box<dyn FnMut() -> i64>,
    acts: u64,
}

impl Studio {
    fn new(clock: impl FnMut() -> i64 + 'static) -> Self {
        Self { lists: HashMap::new(), clock: Box::new(clock), acts: 0 }
    }

    fn put(&mut self, list: TransitionList) -> ListRef {
        let reference = ListRef::of(&list);
        self.lists.insert(reference, list);
        reference
    }

    fn act(&mut self, machine: &mut Machine, actor: u8, deed: Deed) -> ActionId {
        self.acts += 1;
        let causal = Causal::new(machine.entries.clone());
        let action = Action {
            repository: REPOSITORY,
            audience: Audience::Team,
            actor: person(actor),
            key: key(actor).fingerprint(),
            previous: causal.newest_of(person(actor)),
            heads: causal.heads(&|_| true),
            time: Timestamp::utc((self.clock)()),
            // Words that differ each time, so that no two actions are the same.
            body: Body::new(person(actor), [0; 16], format!("{} {deed:?}", self.acts)).id(),
            deed,
        };
        let entry = sign(actor, &action);
        let id = entry.id();
        machine.entries.push(entry);
        id
    }

    fn proposal(&mut self, edits: &[(u8, u8)]) -> Proposal {
        Proposal {
            branch: "main".into(),
            draft: "draft/x".into(),
            base: CommitId::from_bytes([1; 32]),
            head: CommitId::from_bytes([2; 32]),
            list: self.put(list(edits)),
            reviewers: vec![],
        }
    }

    fn verdict(&mut self, submission: ActionId, edits: &[(u8, u8)]) -> Verdict {
        let list = self.put(list(edits));
        Verdict { submission, branch: "main".into(), policy: None, list, paths: vec![] }
    }

    /// Who approves and who objects to a transition, objections first.
    fn standing(&self, submission: &Submission, transition: &Transition) -> BTreeMap<PersonId, bool> {
        let mut standing: BTreeMap<PersonId, bool> = BTreeMap::new();
        let (approvals, ids) = (submission.approvals(&self.lists), TransitionIds::of(transition));
        for approval in submission.standing(&approvals, &ids, false) {
            if approval.coverage.covers(&ids, MetadataRule::Voids) {
                *standing.entry(approval.person).or_insert(true) &= !approval.judgement.objects();
            }
        }
        standing
    }
}

fn state(entries: &[Entry]) -> ReviewState {
    fold(REPOSITORY, &Causal::new(entries.iter().cloned()), &AnyKey)
}

fn steady() -> impl FnMut() -> i64 {
    let mut now = 0;
    move || {
        now += 1000;
        now
    }
}

#[test]
fn new_bytes_void_the_approvals_that_they_touch_and_only_those() {
    let (mut studio, mut machine) = (Studio::new(steady()), Machine::default());
    let first = studio.proposal(&[(1, 1), (2, 1)]);
    let id = studio.act(&mut machine, 1, Deed::Submit(first));
    let verdict = studio.verdict(id, &[(1, 1), (2, 1)]);
    studio.act(&mut machine, 2, Deed::Approve(verdict));
    let proposal = studio.proposal(&[(1, 2), (2, 1)]);
    studio.act(&mut machine, 1, Deed::Update { submission: id, proposal });
    let state = state(&machine.entries);
    let submission = &state.submissions[&id];
    assert_eq!(submission.rounds.len(), 2);
    assert!(studio.standing(submission, &edit(1, 2)).is_empty());
    assert_eq!(studio.standing(submission, &edit(2, 1)), BTreeMap::from([(person(2), true)]));
    let seen = submission.judged_before(person(2), &edit(1, 2), &studio.lists);
    assert_eq!(seen.map(|(_, transition)| transition.clone()), Some(edit(1, 1)));
}

#[test]
fn an_asset_that_returns_to_what_was_approved_is_approved_again() {
    let (mut studio, mut machine) = (Studio::new(steady()), Machine::default());
    let first = studio.proposal(&[(1, 1)]);
    let id = studio.act(&mut machine, 1, Deed::Submit(first));
    let verdict = studio.verdict(id, &[(1, 1)]);
    studio.act(&mut machine, 2, Deed::Approve(verdict));
    for content in [2, 1] {
        let proposal = studio.proposal(&[(1, content)]);
        studio.act(&mut machine, 1, Deed::Update { submission: id, proposal });
    }
    let state = state(&machine.entries);
    assert_eq!(studio.standing(&state.submissions[&id], &edit(1, 1)), BTreeMap::from([(person(2), true)]));
}

#[test]
fn a_later_verdict_of_the_same_person_takes_the_place_of_the_earlier_for_what_both_speak_of() {
    let (mut studio, mut machine) = (Studio::new(steady()), Machine::default());
    let first = studio.proposal(&[(1, 1), (2, 1)]);
    let id = studio.act(&mut machine, 1, Deed::Submit(first));
    let whole = studio.verdict(id, &[(1, 1), (2, 1)]);
    studio.act(&mut machine, 2, Deed::RequestChanges(whole));
    let one = studio.verdict(id, &[(1, 1)]);
    let approval = studio.act(&mut machine, 2, Deed::Approve(one));
    let now = state(&machine.entries);
    let submission = &now.submissions[&id];
    assert_eq!(studio.standing(submission, &edit(1, 1)), BTreeMap::from([(person(2), true)]));
    assert_eq!(studio.standing(submission, &edit(2, 1)), BTreeMap::from([(person(2), false)]));
    // Taken back, it leaves the earlier one standing.
    studio.act(&mut machine, 2, Deed::WithdrawVerdict { submission: id, verdict: approval });
    let then = state(&machine.entries);
    assert_eq!(studio.standing(&then.submissions[&id], &edit(1, 1)), BTreeMap::from([(person(2), false)]));
}

#[test]
fn of_two_verdicts_that_did_not_see_each_other_the_one_that_objects_stands() {
    let (mut studio, mut office) = (Studio::new(steady()), Machine::default());
    let first = studio.proposal(&[(1, 1)]);
    let id = studio.act(&mut office, 1, Deed::Submit(first));
    let mut train = office.clone();
    let verdict = studio.verdict(id, &[(1, 1)]);
    studio.act(&mut office, 2, Deed::Reject(verdict.clone()));
    studio.act(&mut train, 2, Deed::Approve(verdict));
    office.entries.extend(train.entries);
    let state = state(&office.entries);
    assert_eq!(studio.standing(&state.submissions[&id], &edit(1, 1)), BTreeMap::from([(person(2), false)]));
}

#[test]
fn an_action_that_may_not_be_done_is_named_and_spoils_nothing() {
    let (mut studio, mut machine) = (Studio::new(steady()), Machine::default());
    let first = studio.proposal(&[(1, 1)]);
    let id = studio.act(&mut machine, 1, Deed::Submit(first));
    let verdict = studio.verdict(id, &[(1, 1)]);
    let approval = studio.act(&mut machine, 2, Deed::Approve(verdict.clone()));
    let stranger = ActionId::from_bytes([0xee; 32]);
    let proposal = studio.proposal(&[(1, 2)]);
    let mut elsewhere = studio.proposal(&[(1, 2)]);
    elsewhere.branch = "release".into();
    let wrong = [
        (3, Deed::Update { submission: id, proposal: proposal.clone() }, Refused::NotTheSubmitter),
        (1, Deed::Update { submission: id, proposal: elsewhere }, Refused::OtherBranch),
        (3, Deed::Withdraw { submission: id }, Refused::NotTheSubmitter),
        (3, Deed::WithdrawVerdict { submission: id, verdict: approval }, Refused::NotTheirVerdict),
        (2, Deed::WithdrawVerdict { submission: id, verdict: stranger }, Refused::UnknownVerdict),
        (1, Deed::Update { submission: stranger, proposal }, Refused::UnknownSubmission),
        (2, Deed::Approve(Verdict { branch: "release".into(), ..verdict.clone() }), Refused::OtherBranch),
        (2, Deed::Approve(Verdict { submission: stranger, ..verdict }), Refused::UnknownSubmission),
    ];
    for (actor, deed, reason) in wrong {
        let action = studio.act(&mut machine, actor, deed);
        let state = state(&machine.entries);
        assert_eq!(state.refused.get(&action), Some(&reason));
        let submission = &state.submissions[&id];
        assert_eq!((submission.rounds.len(), submission.withdrawn), (1, None));
        assert_eq!(studio.standing(submission, &edit(1, 1)), BTreeMap::from([(person(2), true)]));
    }
}

#[test]
fn an_action_of_another_repository_or_by_a_strangers_key_does_nothing() {
    struct Owners;
    impl Keys for Owners {
        fn belongs(&self, other: &PublicKey, person: PersonId) -> bool {
            *other == key(person.as_bytes()[0])
        }
    }
    let (mut studio, mut machine) = (Studio::new(steady()), Machine::default());
    let first = studio.proposal(&[(1, 1)]);
    let id = studio.act(&mut machine, 1, Deed::Submit(first));
    let verdict = studio.verdict(id, &[(1, 1)]);
    studio.act(&mut machine, 2, Deed::Approve(verdict));
    let honest = machine.entries.last().expect("an entry").action().clone();
    let foreign = Action {
        repository: RepositoryId::from_bytes([2; 16]),
        actor: person(3),
        key: key(3).fingerprint(),
        ..honest.clone()
    };
    let foreign = sign(3, &foreign);
    let borrowed = Action { actor: person(3), key: key(2).fingerprint(), ..honest };
    let borrowed = sign(2, &borrowed);
    let wrong = [(foreign.id(), Refused::OtherRepository), (borrowed.id(), Refused::NotTheirKey)];
    machine.entries.extend([foreign, borrowed]);
    let state = fold(REPOSITORY, &Causal::new(machine.entries.clone()), &Owners);
    assert_eq!(state.refused, BTreeMap::from(wrong));
    assert_eq!(studio.standing(&state.submissions[&id], &edit(1, 1)), BTreeMap::from([(person(2), true)]));
}

#[test]
fn an_action_that_was_dropped_from_the_middle_is_a_gap_of_the_submission() {
    let (mut studio, mut machine) = (Studio::new(steady()), Machine::default());
    let first = studio.proposal(&[(1, 1)]);
    let id = studio.act(&mut machine, 1, Deed::Submit(first));
    let verdict = studio.verdict(id, &[(1, 1)]);
    let objection = studio.act(&mut machine, 2, Deed::Reject(verdict.clone()));
    studio.act(&mut machine, 3, Deed::Approve(verdict));
    assert!(state(&machine.entries).submissions[&id].gaps.is_empty());
    machine.entries.retain(|entry| entry.id() != objection);
    let state = state(&machine.entries);
    assert_eq!(state.submissions[&id].gaps, BTreeSet::from([objection]));
    assert_eq!(state.missing, BTreeSet::from([objection]));
}

/// One thing that happens: on which machine, by whom, what, and a number to choose with.
type Step = (usize, u8, u8, u8);

/// Plays steps on three machines that see each other now and then.
fn play(steps: &[Step], clock: impl FnMut() -> i64 + 'static) -> (Studio, [Machine; 3]) {
    let mut studio = Studio::new(clock);
    let mut machines = [Machine::default(), Machine::default(), Machine::default()];
    let mut submissions: Vec<(ActionId, u8)> = Vec::new();
    let mut verdicts: Vec<ActionId> = Vec::new();
    for (at, actor, what, pick) in steps.iter().copied() {
        if what == 0 {
            let other = machines[(at + 1 + usize::from(pick % 2)) % 3].entries.clone();
            let known: BTreeSet<ActionId> = machines[at].entries.iter().map(Entry::id).collect();
            machines[at].entries.extend(other.into_iter().filter(|entry| !known.contains(&entry.id())));
            continue;
        }
        let edits = [(pick % 3, pick / 3 % 3), (pick % 3 + 3, 1)];
        let Some((submission, by)) = submissions.get(usize::from(pick) % submissions.len().max(1)).copied()
        else {
            let proposal = studio.proposal(&edits);
            submissions.push((studio.act(&mut machines[at], actor, Deed::Submit(proposal)), actor));
            continue;
        };
        let verdict = studio.verdict(submission, &edits);
        let (actor, deed) = match what {
            1 => (actor, Deed::Approve(verdict)),
            2 => (actor, Deed::RequestChanges(verdict)),
            3 => (actor, Deed::Reject(verdict)),
            4 => (by, Deed::Update { submission, proposal: studio.proposal(&edits) }),
            5 => match verdicts.get(usize::from(pick) % verdicts.len().max(1)) {
                Some(verdict) => (actor, Deed::WithdrawVerdict { submission, verdict: *verdict }),
                None => continue,
            },
            6 => (actor, Deed::Withdraw { submission }),
            _ => (
                actor,
                Deed::Comment(Comment {
                    submission: Some(submission),
                    reply: None,
                    paths: vec![],
                    about: vec![],
                }),
            ),
        };
        let id = studio.act(&mut machines[at], actor, deed);
        if (1..=3).contains(&what) {
            verdicts.push(id);
        }
    }
    (studio, machines)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0usize..3, 1u8..4, 0u8..8, any::<u8>()), 1..40)
}

proptest! {
    // Every action is signed and verified for real, which takes its time.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_union_of_logs_in_any_order_gives_the_same_state(
        steps in steps(),
        clocks in prop::collection::vec(any::<i32>(), 1..8),
        order in any::<u64>(),
    ) {
        let mut at = 0;
        let (_, machines) = play(&steps, move || { at += 1; i64::from(clocks[at % clocks.len()]) });
        let [a, b, c] = machines.map(|machine| machine.entries);
        let expected = state(&[a.clone(), b.clone(), c.clone()].concat());
        prop_assert_eq!(&state(&[c.clone(), a.clone(), b.clone(), a.clone()].concat()), &expected);
        let mut shuffled = [b, c, a].concat();
        // Sorted by ids mixed with a number: any order, the same for the same number.
        shuffled.sort_by_key(|entry| blake3::keyed_hash(&[order as u8; 32], entry.id().as_bytes()).to_hex());
        prop_assert_eq!(&state(&shuffled), &expected);
    }

    #[test]
    fn clocks_decide_nothing(steps in steps(), wrong in prop::collection::vec(any::<i32>(), 1..8)) {
        let (studio, machines) = play(&steps, steady());
        let mut at = 0;
        let clock = move || { at += 1; i64::from(wrong[at % wrong.len()]) };
        let (other, others) = play(&steps, clock);
        let every: Vec<Transition> = (0..6).flat_map(|asset| (0..3).map(move |content| edit(asset, content))).collect();
        // Ids differ, since times are part of them: states are compared by what they say.
        let said = |studio: &Studio, machines: &[Machine; 3]| {
            let all: Vec<Entry> = machines.iter().flat_map(|machine| machine.entries.clone()).collect();
            let state = state(&all);
            let mut said: Vec<String> = state.submissions.values().map(|submission| {
                let standing: Vec<_> = every.iter().map(|transition| studio.standing(submission, transition)).collect();
                format!("{:?} {} {} {standing:?}", submission.by, submission.rounds.len(), submission.withdrawn.is_some())
            }).collect();
            said.sort();
            (said, state.refused.len(), state.heads.len())
        };
        prop_assert_eq!(said(&studio, &machines), said(&other, &others));
    }
}

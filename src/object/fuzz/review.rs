//! Fuzz targets of what is signed in a review: transitions, actions, their bodies.

use crate::base::fuzz::{Numbers, Target, Verdict, canonical};
use crate::base::id::{ActionId, AssetId, CommitId, PersonId, RepositoryId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::action::{Action, Audience, Body, Comment, Deed, ListRef, Proposal};
use crate::object::signature::Fingerprint;
use crate::object::transition::{Placed, Transition, TransitionList};
use crate::object::tree_edit::EntryValue;

/// All of them. JSON takes a tree of small objects.
pub const TARGETS: &[Target] = &[
    Target::new("object: transitions", &["object/transition.rs"], list_seeds, |bytes| {
        canonical(TransitionList::decode(bytes), |list| {
            let _ = (list.check_list(), list.within(&[AssetPath::root()]), list.id());
            list.encode()
        })
    }),
    Target::new(
        "object: action",
        &["object/action.rs", "object/action/statement.rs"],
        action_seeds,
        |bytes| {
            match Action::decode(bytes) {
                Err(_) => Verdict::Refused,
                // What is not known is kept as it came.
                Ok(Action { deed: Deed::Unknown { .. }, .. }) => Verdict::Understood,
                Ok(action) => canonical(action.encode(), Clone::clone),
            }
        },
    ),
    Target::new("object: body of an action", &["object/action.rs"], body_seeds, |bytes| {
        canonical(Body::decode(bytes), Body::encode)
    }),
];

fn placed(numbers: &mut Numbers) -> Option<Placed> {
    let path = AssetPath::root().join(&numbers.name()).ok()?;
    let asset = Some(AssetId::from_bytes(numbers.array()));
    let value = EntryValue { asset, metadata: None, content: super::content(numbers) };
    Some(Placed::new(&path, &value))
}

fn list(numbers: &mut Numbers) -> TransitionList {
    let one = |numbers: &mut Numbers| {
        let before = if numbers.once_in(3) { None } else { placed(numbers) };
        Transition::of(before, placed(numbers))
    };
    TransitionList::new((0..numbers.below(6)).filter_map(|_| one(numbers)))
}

fn list_seeds() -> Vec<Vec<u8>> {
    super::samples(|numbers| list(numbers).encode())
}

fn action_seeds() -> Vec<Vec<u8>> {
    super::samples(|numbers| {
        let submission = ActionId::from_bytes(numbers.array());
        let proposal = Proposal {
            branch: "main".to_owned(),
            draft: "draft/poster".to_owned(),
            base: CommitId::from_bytes(numbers.array()),
            head: CommitId::from_bytes(numbers.array()),
            list: ListRef::of(&list(numbers)),
            reviewers: vec!["ben".to_owned()],
        };
        let deed = match numbers.below(4) {
            0 => Deed::Submit(proposal),
            1 => Deed::Update { submission, proposal },
            2 => Deed::Withdraw { submission },
            _ => Deed::Comment(Comment {
                submission: Some(submission),
                reply: None,
                paths: AssetPath::root().join(&numbers.name()).into_iter().collect(),
                about: Vec::new(),
            }),
        };
        let action = Action {
            repository: RepositoryId::from_bytes(numbers.array()),
            audience: Audience::Team,
            actor: PersonId::from_bytes(numbers.array()),
            key: Fingerprint::from_bytes(numbers.array()),
            previous: Some(submission),
            heads: vec![submission],
            time: Timestamp::utc(numbers.any_size() as i64),
            body: Body::new(PersonId::from_bytes(numbers.array()), numbers.array(), "Looks good").id(),
            deed,
        };
        action.encode().unwrap_or_default()
    })
}

fn body_seeds() -> Vec<Vec<u8>> {
    super::samples(|numbers| {
        let text = String::from_utf8_lossy(&numbers.name()).into_owned();
        Body::new(PersonId::from_bytes(numbers.array()), numbers.array(), text).encode()
    })
}

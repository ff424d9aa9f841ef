//! Compares what would land with what was submitted.

use crate::base::id::AssetId;
use crate::base::path::AssetPath;
use crate::object::transition::{Transition, TransitionList};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Something in which a landing is not what was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Mismatch {
    /// It would change something that nobody submitted.
    Extra {
        /// What it would change.
        landing: Transition,
    },
    /// What was submitted began from another state of the asset, or ends in one.
    Other {
        /// As it was submitted.
        submitted: Box<Transition>,
        /// As it would land.
        landing: Box<Transition>,
    },
    /// It would leave out something that was submitted.
    LeftOut {
        /// What it would leave out.
        submitted: Transition,
    },
}

impl Mismatch {
    /// The transition that it is told by.
    pub fn transition(&self) -> &Transition {
        match self {
            Self::Extra { landing } => landing,
            Self::Other { landing, .. } => landing,
            Self::LeftOut { submitted } => submitted,
        }
    }

    /// Whether nothing but metadata is another: whether that matters is for the policy to say.
    pub fn is_metadata_alone(&self) -> bool {
        match self {
            Self::Other { submitted, landing } => submitted.without_metadata() == landing.without_metadata(),
            Self::Extra { .. } | Self::LeftOut { .. } => false,
        }
    }
}

/// Says in what a landing is not exactly what was submitted.
///
/// `holds` says whether the state that would land fulfils a transition: one that the branch has
/// already, because the same was done there, is no longer in the difference and nothing is missing.
pub fn compare(
    submitted: &TransitionList,
    landing: &TransitionList,
    holds: &mut dyn FnMut(&Transition) -> bool,
) -> Vec<Mismatch> {
    let asked: HashSet<&Transition> = submitted.as_slice().iter().collect();
    let lands: HashSet<&Transition> = landing.as_slice().iter().collect();
    let mut left: HashMap<Subject<'_>, &Transition> = submitted
        .as_slice()
        .iter()
        .filter(|transition| !lands.contains(transition))
        .map(|transition| (Subject::of(transition), transition))
        .collect();
    let mut found = Vec::new();
    for transition in landing.as_slice().iter().filter(|transition| !asked.contains(transition)) {
        let landing = transition.clone();
        found.push(match left.remove(&Subject::of(transition)) {
            Some(submitted) => {
                Mismatch::Other { submitted: Box::new(submitted.clone()), landing: Box::new(landing) }
            }
            None => Mismatch::Extra { landing },
        });
    }
    let missing = left.into_values().filter(|transition| !holds(transition));
    found.extend(missing.map(|transition| Mismatch::LeftOut { submitted: transition.clone() }));
    found.sort_by(|left, right| left.transition().path().cmp(right.transition().path()));
    found
}

/// What makes two transitions ones of the same thing.
#[derive(PartialEq, Eq, Hash)]
enum Subject<'a> {
    Asset(AssetId),
    Path(&'a AssetPath),
}

impl<'a> Subject<'a> {
    fn of(transition: &'a Transition) -> Self {
        transition.asset().map_or_else(|| Self::Path(transition.path()), Self::Asset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::FileId;
    use crate::object::transition::{Held, Placed};

    fn placed(path: &str, asset: u8, content: u8) -> Placed {
        Placed {
            path: AssetPath::from_bytes(path).expect("a path"),
            asset: Some(AssetId::from_bytes([asset; 16])),
            metadata: None,
            content: Held::File { id: FileId::from_bytes([content; 32]), size: 3, executable: false },
        }
    }

    fn edit(path: &str, asset: u8, before: u8, after: u8) -> Transition {
        Transition { before: Some(placed(path, asset, before)), after: Some(placed(path, asset, after)) }
    }

    #[test]
    fn extras_leftovers_and_other_befores_are_told_apart() {
        let removal = Transition { before: Some(placed("gone", 9, 1)), after: None };
        let submitted = TransitionList::new([edit("a", 1, 1, 2), edit("b", 2, 1, 2), edit("c", 3, 1, 2)]);
        let landing = TransitionList::new([edit("a", 1, 1, 2), edit("b", 2, 7, 2), removal.clone()]);
        let found = compare(&submitted, &landing, &mut |_| false);
        assert_eq!(
            found,
            [
                Mismatch::Other {
                    submitted: Box::new(edit("b", 2, 1, 2)),
                    landing: Box::new(edit("b", 2, 7, 2)),
                },
                Mismatch::LeftOut { submitted: edit("c", 3, 1, 2) },
                Mismatch::Extra { landing: removal },
            ]
        );
        let done = compare(&submitted, &landing, &mut |transition| *transition == edit("c", 3, 1, 2));
        assert!(!done.iter().any(|mismatch| matches!(mismatch, Mismatch::LeftOut { .. })), "done already");
        assert_eq!(compare(&submitted, &submitted, &mut |_| false), []);
    }
}

//! What a verdict means to whoever judges a landing: a fact, without the log that it came from.

use crate::base::id::{ActionId, PersonId, PolicyId, TransitionId};
use crate::object::transition::{Transition, TransitionList};
use std::collections::HashSet;
use std::sync::Arc;

/// Whether a change of metadata alone keeps an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetadataRule {
    /// It voids the approval, as any change does.
    #[default]
    Voids,
    /// It keeps the approval.
    Keeps,
}

/// Which way a verdict goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// The transitions may land.
    Approve,
    /// They shall be changed first.
    RequestChanges,
    /// They shall not land.
    Reject,
}

impl Judgement {
    /// Whether it stands against a landing.
    pub const fn objects(self) -> bool {
        matches!(self, Self::RequestChanges | Self::Reject)
    }
}

/// How lists of transitions know one: worked out once, asked of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransitionIds {
    exact: TransitionId,
    without_metadata: TransitionId,
}

impl TransitionIds {
    /// The ids of a transition.
    pub fn of(transition: &Transition) -> Self {
        Self { exact: transition.id(), without_metadata: transition.without_metadata().id() }
    }
}

/// A set of transitions that can be asked whether one is among them.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    exact: HashSet<TransitionId>,
    without_metadata: HashSet<TransitionId>,
}

impl Coverage {
    /// Takes the transitions of a list.
    pub fn of(list: &TransitionList) -> Self {
        let all = list.as_slice();
        Self {
            exact: all.iter().map(Transition::id).collect(),
            without_metadata: all.iter().map(|transition| transition.without_metadata().id()).collect(),
        }
    }

    /// Whether it has no transition.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty()
    }

    /// Whether a transition is among them: to the last bit, or but for metadata where the rule
    /// says so.
    pub fn covers(&self, transition: &TransitionIds, rule: MetadataRule) -> bool {
        match rule {
            MetadataRule::Voids => self.exact.contains(&transition.exact),
            MetadataRule::Keeps => self.without_metadata.contains(&transition.without_metadata),
        }
    }
}

/// One verdict. That the signature verifies is certain; that the key is the person's, and whether it
/// counts, is for the policy to say.
#[derive(Debug, Clone)]
pub struct Approval {
    /// The signed action.
    pub action: ActionId,
    /// The submission that it is about.
    pub submission: ActionId,
    /// The branch that it is about.
    pub branch: String,
    /// Who acted, as the action says.
    pub person: PersonId,
    /// The policy under which it was given.
    pub policy: Option<PolicyId>,
    /// When, by the signer's clock, in milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: i64,
    /// Which way it goes.
    pub judgement: Judgement,
    /// The transitions that it is about. Verdicts on one list share it.
    pub coverage: Arc<Coverage>,
    /// Places, among the verdicts of a submission, of this person's verdicts that this one came right
    /// after, having seen them. Each is before its own.
    pub before: Vec<usize>,
}

/// Which verdicts of a submission, in causal order, stand on a transition; gives their places.
///
/// Of two verdicts of one person on the same content the later holds, when that person had seen the
/// earlier; else both stand. Only a verdict that `speaks` stands or takes another's place: one that was
/// taken back does neither, and no more does one whose key does not count.
pub fn standing<'a>(
    verdicts: impl ExactSizeIterator<Item = &'a Approval> + DoubleEndedIterator,
    transition: &TransitionIds,
    speaks: &dyn Fn(usize) -> bool,
) -> Vec<usize> {
    let mut replaced = vec![false; verdicts.len()];
    let mut found = Vec::new();
    for (place, verdict) in verdicts.enumerate().rev() {
        let about = speaks(place) && verdict.coverage.covers(transition, MetadataRule::Keeps);
        if about && !replaced[place] {
            found.push(place);
        }
        // What an earlier one was replaced by had seen all that it came after.
        if about || replaced[place] {
            for earlier in verdict.before.iter().copied().filter(|earlier| *earlier < place) {
                replaced[earlier] = true;
            }
        }
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{FileId, MetadataId};
    use crate::base::path::AssetPath;
    use crate::object::transition::{Held, Placed};

    fn placed(content: u8, metadata: u8) -> Placed {
        Placed {
            path: AssetPath::from_bytes("a.psd").expect("a path"),
            asset: None,
            metadata: Some(MetadataId::from_bytes([metadata; 32])),
            content: Held::File { id: FileId::from_bytes([content; 32]), size: 3, executable: false },
        }
    }

    #[test]
    fn a_change_of_metadata_keeps_or_voids_as_the_rule_says() {
        let approved = Transition { before: Some(placed(1, 1)), after: Some(placed(2, 1)) };
        let relabelled = Transition { before: Some(placed(1, 1)), after: Some(placed(2, 2)) };
        let redrawn = Transition { before: Some(placed(1, 1)), after: Some(placed(3, 1)) };
        let coverage = Coverage::of(&TransitionList::new([approved.clone()]));
        for (transition, voids, keeps) in
            [(&approved, true, true), (&relabelled, false, true), (&redrawn, false, false)]
        {
            let ids = TransitionIds::of(transition);
            assert_eq!(coverage.covers(&ids, MetadataRule::Voids), voids);
            assert_eq!(coverage.covers(&ids, MetadataRule::Keeps), keeps);
        }
    }
}

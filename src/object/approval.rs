//! What a verdict means to whoever judges a landing: a fact, without the log that it came from.

use crate::base::id::{ActionId, PersonId, PolicyId, TransitionId};
use crate::object::transition::{Transition, TransitionList};
use std::collections::HashSet;

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

    /// Whether a transition is among them: to the last bit, or but for metadata where the rule
    /// says so.
    pub fn covers(&self, transition: &Transition, rule: MetadataRule) -> bool {
        match rule {
            MetadataRule::Voids => self.exact.contains(&transition.id()),
            MetadataRule::Keeps => self.without_metadata.contains(&transition.without_metadata().id()),
        }
    }
}

/// One verdict that stands: not taken back, not followed by another of the same person on the same
/// transitions. That the signature verifies is certain; that the key is the person's is for the
/// policy to say.
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
    /// The fingerprint of the key that signed.
    pub key: String,
    /// The policy under which it was given.
    pub policy: Option<PolicyId>,
    /// When, by the signer's clock, in milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: i64,
    /// Which way it goes.
    pub judgement: Judgement,
    /// The transitions that it still speaks of.
    pub coverage: Coverage,
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
            assert_eq!(coverage.covers(transition, MetadataRule::Voids), voids);
            assert_eq!(coverage.covers(transition, MetadataRule::Keeps), keeps);
        }
    }
}

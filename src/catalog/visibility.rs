//! What somebody may see: a part of every question they ask, so that counts and proposals say nothing
//! about the rest.

use crate::catalog::query::{Node, Place};
use crate::rules::pattern::Pattern;
use crate::rules::policy::{Handle, Policy};

/// What is kept from somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visibility {
    /// Paths that they may not read.
    pub hidden: Vec<Pattern>,
    /// Whether they may not read comments.
    pub without_comments: bool,
}

impl Visibility {
    /// Everything may be seen: by whoever has the repository's files anyway.
    pub fn everything() -> Self {
        Self::default()
    }

    /// What a policy keeps from a person; with `None`, from whoever it does not name.
    pub fn of(policy: &Policy, handle: Option<&Handle>) -> Self {
        Self { hidden: policy.hidden_from(handle), without_comments: false }
    }

    /// Whether nothing is kept back.
    pub fn is_everything(&self) -> bool {
        self.hidden.is_empty() && !self.without_comments
    }

    /// The question as it is asked by somebody who may not see everything.
    pub fn restrict(&self, node: Node) -> Node {
        if self.is_everything() {
            return node;
        }
        let node = if self.without_comments { silence(node) } else { node };
        let hidden = self.hidden.iter().map(|pattern| Node::Not(Box::new(Node::Path(pattern.clone()))));
        Node::All(std::iter::once(node).chain(hidden).collect())
    }
}

/// The question without comments: they answer nothing, and words are looked for in all other places.
fn silence(node: Node) -> Node {
    match node {
        Node::All(nodes) => Node::All(nodes.into_iter().map(silence).collect()),
        Node::Any(nodes) => Node::Any(nodes.into_iter().map(silence).collect()),
        Node::Not(node) => Node::Not(Box::new(silence(*node))),
        Node::Words { place: Place::Comment, .. } => Node::Any(Vec::new()),
        Node::Words { place: Place::Anywhere, phrase } => Node::Words { place: Place::Uncommented, phrase },
        Node::Tag { key, value } if key == "has" && value.fits("comment") => Node::Any(Vec::new()),
        other => other,
    }
}

//! Which branches there are, and where each left the main line.

use crate::app::error::AppError;
use crate::app::search::authorship::differences;
use crate::base::id::{CommitId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::catalog::index::{FacetCounts, Group, State};
use crate::catalog::query::{Node, TagValue};
use crate::catalog::record::Facet;
use crate::catalog::words::fold;
use crate::diff::tree::PathSet;
use crate::object::source::ObjectSource as _;
use crate::object::tree_edit::EntryValue;
use crate::repo::View;
use crate::repo::history::common_ancestors;
use crate::repo::refs::{DEFAULT_BRANCH, RefKind, RefName};
use std::collections::{BTreeMap, HashMap};

/// The key of the branches on which something stands.
const ON: &str = "on";

/// The branches as they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heads {
    /// The main line: `main`, or without one the branch that the worktree is on, or the first.
    pub base: Option<Group>,
    /// Other branches, those with the same newest commit together.
    pub groups: Vec<Group>,
    /// Names of other branches that stand exactly where the main line stands: what is on it is on them. No
    /// record has them, so that a new branch costs none.
    pub beside: Vec<String>,
}

impl Heads {
    /// Looks at all branches, those of remotes as far as they were fetched included. `known` groups
    /// that have not moved are taken over.
    pub fn read(view: &View, known: Option<&Heads>) -> Result<Self, AppError> {
        let mut branches: Vec<(RefName, CommitId)> = Vec::new();
        for (name, target) in view.references()? {
            if matches!(name.kind(), RefKind::Branch | RefKind::Remote) {
                branches.push((name, target.commit));
            }
        }
        let current = view.branch()?.clone();
        let called = |wanted: &RefName| branches.iter().find(|(name, _)| name == wanted);
        let main = RefName::branch(DEFAULT_BRANCH)?;
        let Some((base, tip)) = called(&main).or_else(|| called(&current)).or(branches.first()).cloned()
        else {
            return Ok(Self::default());
        };
        let beside = branches.iter().filter(|(name, commit)| *commit == tip && *name != base);
        let beside = beside.map(|(name, _)| name.name().to_owned()).collect();
        let mut by_commit: BTreeMap<CommitId, Vec<String>> = BTreeMap::new();
        for (name, commit) in branches.iter().filter(|(_, commit)| *commit != tip) {
            by_commit.entry(*commit).or_default().push(name.name().to_owned());
        }
        let unmoved = known.filter(|known| known.base.as_ref().is_some_and(|base| base.commit == tip));
        let mut groups = Vec::new();
        for (commit, names) in by_commit {
            let before = unmoved.and_then(|known| known.groups.iter().find(|group| group.commit == commit));
            let fork = match before {
                Some(group) => group.fork,
                None => common_ancestors(view, tip, commit)?.first().copied(),
            };
            groups.push(Group { scope: names[0].clone(), names, commit, fork });
        }
        groups.sort_by(|left, right| left.scope.cmp(&right.scope));
        let names = vec![base.name().to_owned()];
        let base = Some(Group { scope: String::new(), names, commit: tip, fork: None });
        Ok(Self { base, groups, beside })
    }

    /// The heads that an index is about, as far as it knows them.
    pub fn of_state(state: &State) -> Self {
        Self { base: state.base.clone(), groups: state.groups.clone(), beside: Vec::new() }
    }

    /// The names of all branches on which the records of a group stand.
    pub fn names_of(&self, group: &Group) -> Vec<String> {
        let beside = if group.scope.is_empty() { self.beside.as_slice() } else { &[] };
        group.names.iter().chain(beside).cloned().collect()
    }

    /// A question about records: who asks for a branch that stands where the main line stands asks for that.
    pub fn widened(&self, node: Node) -> Node {
        let all = |nodes: Vec<Node>| nodes.into_iter().map(|node| self.widened(node)).collect();
        match node {
            Node::All(nodes) => Node::All(all(nodes)),
            Node::Any(nodes) => Node::Any(all(nodes)),
            Node::Not(inner) => Node::Not(Box::new(self.widened(*inner))),
            Node::Tag { key, value }
                if key == ON && self.beside.iter().any(|name| value.fits(&fold(name))) =>
            {
                let base = self.base.iter().flat_map(|group| &group.names);
                let main = base.map(|name| Node::Tag { key: ON.to_owned(), value: TagValue::Is(fold(name)) });
                Node::Any(main.chain([Node::Tag { key, value }]).collect())
            }
            other => other,
        }
    }

    /// Counts what is on the main line for the branches that stand there too.
    pub fn widen(&self, facets: &mut FacetCounts) {
        let Some(counts) = facets.get_mut(&Facet::On) else { return };
        let main = self.base.iter().flat_map(|group| &group.names);
        let Some(count) = main.filter_map(|name| counts.get(name)).max().copied() else { return };
        counts.extend(self.beside.iter().map(|name| (name.clone(), count)));
    }

    /// The group that records call so.
    pub fn group(&self, scope: &str) -> Option<&Group> {
        self.base.iter().chain(&self.groups).find(|group| group.scope == scope)
    }
}

/// The tree of a commit.
pub fn tree_of(view: &View, commit: CommitId) -> Result<TreeId, AppError> {
    Ok(view.commit(commit)?.tree)
}

/// What a group of branches has by itself: what differs from where it left the main line.
pub fn own_of(
    view: &View,
    group: &Group,
    monitor: &dyn Monitor,
) -> Result<HashMap<AssetPath, EntryValue>, AppError> {
    let mut own = HashMap::new();
    if group.fork == Some(group.commit) {
        return Ok(own);
    }
    let before = group.fork.map(|fork| tree_of(view, fork)).transpose()?;
    let after = tree_of(view, group.commit)?;
    differences(view, before, after, &PathSet::everything(), monitor, &mut |difference| {
        own.extend(difference.after.map(|value| (difference.path, value)));
        Ok(())
    })?;
    Ok(own)
}

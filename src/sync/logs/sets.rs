//! Compares a set with a remote's, from the top down.

use crate::base::id::PersonId;
use crate::object::action::Action;
use crate::object::set_node::{DEPTH_MAX, Member, SetNode, SetRoot};
use crate::repo::View;
use crate::repo::review_log::ActionRecord;
use crate::repo::sets::LogSet;
use crate::sync::bundle::identify;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::logs::{Inbox, Objects, log_object_bytes};
use crate::sync::push::candidates::person_bytes;
use crate::sync::remote::{Kind, ObjectKey};
use std::collections::{BTreeSet, HashMap};

/// What a remote's set has that is not here.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Members that are not here.
    pub lacking: Vec<Member>,
    /// Nodes that differ from what stands at their places here.
    pub nodes: HashMap<[u8; 32], SetNode>,
    /// Nodes that were not to be had.
    pub missing: Vec<ObjectKey>,
}

const fn node_key(id: [u8; 32]) -> ObjectKey {
    ObjectKey::new(Kind::SetNode, id)
}

/// Finds what a remote's set has beyond ours: one question for each level of the tree, at most.
pub(super) fn compare(
    view: &View,
    set: LogSet,
    root: SetRoot,
    source: &dyn Objects,
    inbox: &mut Inbox,
) -> SyncResult<Difference> {
    let mut found = Difference::default();
    let mut level: Vec<(Vec<u8>, SetRoot)> = vec![(Vec::new(), root)];
    for _ in 0..=DEPTH_MAX {
        let mut open = Vec::new();
        for (place, root) in level {
            if !is_here(view, set, &place, root)? {
                open.push((place, root));
            }
        }
        if open.is_empty() {
            return Ok(found);
        }
        let keys: Vec<ObjectKey> = open.iter().map(|(_, root)| node_key(root.node)).collect();
        source.ask(&keys, inbox)?;
        level = Vec::new();
        for (place, root) in open {
            match inbox.take(&node_key(root.node))? {
                None => found.missing.push(node_key(root.node)),
                Some(bytes) => level.extend(found.open(view, &place, root, &bytes)?),
            }
        }
    }
    Err(invalid("it is deeper than any can be"))
}

fn is_here(view: &View, set: LogSet, place: &[u8], root: SetRoot) -> SyncResult<bool> {
    if place.is_empty() {
        return Ok(view.set_root(set)? == Some(root));
    }
    Ok(view.set_node(set, place)?.is_some_and(|node| node.root() == root))
}

impl Difference {
    /// Takes a node; gives those below it.
    fn open(
        &mut self,
        view: &View,
        place: &[u8],
        root: SetRoot,
        bytes: &[u8],
    ) -> SyncResult<Vec<(Vec<u8>, SetRoot)>> {
        let node = SetNode::decode(bytes).map_err(|error| invalid(&error.to_string()))?;
        if node.count() != root.count {
            return Err(invalid("a node has another number of members than is said above it"));
        }
        let mut below = Vec::new();
        match &node {
            SetNode::Leaf(members) => {
                for member in members {
                    if !member.is_below(place) {
                        return Err(invalid("a member stands where it does not belong"));
                    }
                    if !view.has_member(member)? {
                        self.lacking.push(*member);
                    }
                }
            }
            SetNode::Inner(children) => {
                let at = |digit: u8| [place, &[digit]].concat();
                below.extend(children.iter().map(|(digit, child)| (at(*digit), *child)));
            }
        }
        self.nodes.insert(root.node, node);
        Ok(below)
    }
}

fn invalid(detail: &str) -> SyncError {
    SyncError::Invalid { what: "a set", detail: detail.to_owned() }
}

/// Where the remote's tree stands at a place of ours.
#[derive(Clone)]
enum There<'a> {
    Nothing,
    Node(&'a SetNode),
    /// What was not looked into, because it was the same when it was compared.
    Unknown,
}

/// Collects what of our set the remote lacks: nodes, members, and what belongs to these.
pub(super) fn outgoing(
    view: &View,
    set: LogSet,
    theirs: Option<SetRoot>,
    nodes: &HashMap<[u8; 32], SetNode>,
    keys: &mut Vec<ObjectKey>,
) -> SyncResult<()> {
    let there = match theirs {
        None => There::Nothing,
        Some(root) => nodes.get(&root.node).map_or(There::Unknown, There::Node),
    };
    let mut members = BTreeSet::new();
    walk(view, set, &mut Vec::new(), &there, nodes, &mut Found { keys, members: &mut members })?;
    for member in members {
        add_member(view, member, keys)?;
    }
    // Several actions name one list, and one person acts often.
    keys.sort_unstable();
    keys.dedup();
    Ok(())
}

struct Found<'k> {
    keys: &'k mut Vec<ObjectKey>,
    members: &'k mut BTreeSet<Member>,
}

fn walk(
    view: &View,
    set: LogSet,
    place: &mut Vec<u8>,
    there: &There<'_>,
    nodes: &HashMap<[u8; 32], SetNode>,
    found: &mut Found<'_>,
) -> SyncResult<()> {
    let Some(ours) = view.set_node(set, place)? else { return Ok(()) };
    found.keys.push(node_key(ours.root().node));
    match ours {
        SetNode::Leaf(members) => {
            let mut known = BTreeSet::new();
            if let There::Node(node) = there {
                members_of(node, nodes, &mut known);
            }
            found.members.extend(members.into_iter().filter(|member| !known.contains(member)));
        }
        SetNode::Inner(children) => {
            for (digit, child) in children {
                let below = match there {
                    There::Node(SetNode::Inner(theirs)) => match theirs.get(&digit) {
                        Some(other) if *other == child => continue,
                        Some(other) => nodes.get(&other.node).map_or(There::Unknown, There::Node),
                        None => There::Nothing,
                    },
                    other => other.clone(),
                };
                place.push(digit);
                walk(view, set, place, &below, nodes, found)?;
                place.pop();
            }
        }
    }
    Ok(())
}

fn members_of(node: &SetNode, nodes: &HashMap<[u8; 32], SetNode>, members: &mut BTreeSet<Member>) {
    match node {
        SetNode::Leaf(found) => members.extend(found),
        SetNode::Inner(children) => {
            for child in children.values() {
                if let Some(node) = nodes.get(&child.node) {
                    members_of(node, nodes, members);
                }
            }
        }
    }
}

/// A member, and what it names, as far as it is here.
fn add_member(view: &View, member: Member, keys: &mut Vec<ObjectKey>) -> SyncResult<()> {
    let Some(kind) = Kind::from_number(member.kind) else { return Ok(()) };
    let key = ObjectKey::new(kind, member.id);
    let Some(bytes) = log_object_bytes(view, key)? else {
        return Err(SyncError::Missing { kind: kind.name(), id: key.id_text() });
    };
    keys.push(key);
    if kind != Kind::Action {
        return Ok(());
    }
    let Ok(record) = ActionRecord::decode(&bytes) else { return Ok(()) };
    let Ok(action) = Action::decode(&record.statement) else { return Ok(()) };
    keys.extend(person_key(view, action.actor)?);
    for named in named_by(&action) {
        if log_object_bytes(view, named)?.is_some() {
            keys.push(named);
        }
    }
    Ok(())
}

/// The record of whoever acted, if it is here: what others call them.
pub(in crate::sync) fn person_key(view: &View, person: PersonId) -> SyncResult<Option<ObjectKey>> {
    person_bytes(view, person)?.map(|bytes| identify(Kind::Person, &bytes)).transpose()
}

/// What an action names beside its header: its words, and its list of transitions.
pub(super) fn named_by(action: &Action) -> Vec<ObjectKey> {
    let body = ObjectKey::new(Kind::ActionBody, *action.body.as_bytes());
    let list = action.deed.list();
    let list = list.map(|list| ObjectKey::new(Kind::TransitionList, *list.transitions.as_bytes()));
    [body].into_iter().chain(list).collect()
}

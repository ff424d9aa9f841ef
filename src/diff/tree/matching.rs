//! Makes one change of what left one path and came to another.

use crate::base::candidates::{Candidates, Likeness};
use crate::diff::tree::{Change, Difference, Located, MoveMatching, TreeDiffOptions};
use crate::object::tree::Content;
use crate::object::tree_walk::tree_order;
use std::collections::HashMap;
use std::hash::Hash;

/// Gathers differences and pairs them.
pub(super) struct Matcher<'a> {
    options: TreeDiffOptions<'a>,
    changes: Vec<Change>,
    /// What left a path or lost it to another asset.
    gone: Vec<Located>,
    /// What came to a path.
    come: Vec<Located>,
    /// The same outside the paths of interest.
    gone_outside: Vec<Located>,
    come_outside: Vec<Located>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(options: TreeDiffOptions<'a>) -> Self {
        Self {
            options,
            changes: Vec::new(),
            gone: Vec::new(),
            come: Vec::new(),
            gone_outside: Vec::new(),
            come_outside: Vec::new(),
        }
    }

    /// Takes what differs at one path.
    pub(super) fn add(&mut self, difference: Difference) {
        let (before, after) = locate(difference);
        if self.is_same_asset(before.as_ref(), after.as_ref()) {
            self.changes.extend(Change::of(before, after).filter(|change| !change.kinds.is_empty()));
        } else {
            self.gone.extend(before);
            self.come.extend(after);
        }
    }

    /// Whether something came or left that may have its other side elsewhere.
    pub(super) fn has_loose_ends(&self) -> bool {
        !self.gone.is_empty() || !self.come.is_empty()
    }

    /// Takes what differs at a path that may lie outside the paths of interest.
    pub(super) fn add_from_outside(&mut self, difference: Difference) {
        if self.options.paths.includes(&difference.path) {
            return;
        }
        let (before, after) = locate(difference);
        if !self.is_same_asset(before.as_ref(), after.as_ref()) {
            self.gone_outside.extend(before);
            self.come_outside.extend(after);
        }
    }

    /// Pairs what is loose and gives out all changes in tree order.
    pub(super) fn finish(mut self) -> Vec<Change> {
        let aliases = self.options.aliases;
        let asset = |located: &Located| located.value.asset.map(|asset| aliases.resolve(asset));
        self.pair(asset);
        if self.options.moves == MoveMatching::AssetOrContent {
            self.pair(content_key);
        }
        // What is left at one path on both sides is one asset in another's place.
        let mut come: HashMap<_, _> =
            self.come.into_iter().map(|located| (located.path.clone(), located)).collect();
        for gone in self.gone {
            let in_its_place = come.remove(&gone.path);
            self.changes.extend(Change::of(Some(gone), in_its_place));
        }
        self.changes.extend(come.into_values().filter_map(|located| Change::of(None, Some(located))));
        self.changes.sort_by(|left, right| {
            tree_order(left.path(), right.path()).then(left.kinds.added.cmp(&right.kinds.added))
        });
        self.changes
    }

    /// Makes moves of all that left and came with the same key, of which one side may be outside.
    fn pair<K: Hash + Eq>(&mut self, key: impl Fn(&Located) -> Option<K>) {
        let pairs = [
            take_pairs(&mut self.gone, &mut self.come, &key),
            take_pairs(&mut self.gone, &mut self.come_outside, &key),
            take_pairs(&mut self.gone_outside, &mut self.come, &key),
        ];
        for (gone, come) in pairs.into_iter().flatten() {
            self.changes.extend(Change::of(Some(gone), Some(come)));
        }
    }

    fn is_same_asset(&self, before: Option<&Located>, after: Option<&Located>) -> bool {
        let (Some(before), Some(after)) = (before, after) else { return false };
        match (before.value.asset, after.value.asset) {
            (Some(before), Some(after)) => {
                self.options.aliases.resolve(before) == self.options.aliases.resolve(after)
            }
            (None, None) => true,
            // Files of a tree that knows no asset ids yet are told apart by their path; a folder
            // becomes an asset and stays the same folder.
            _ => before.value.content.is_directory() == after.value.content.is_directory(),
        }
    }
}

fn locate(difference: Difference) -> (Option<Located>, Option<Located>) {
    let Difference { path, before, after } = difference;
    let after = after.map(|value| Located { path: path.clone(), value });
    (before.map(|value| Located { path, value }), after)
}

/// By what equal content is recognised. Empty files are all alike and say nothing.
fn content_key(located: &Located) -> Option<Content> {
    match &located.value.content {
        Content::File { id, size, .. } if *size > 0 => {
            Some(Content::File { id: *id, size: *size, executable: false })
        }
        Content::Symlink { .. } | Content::Foreign { .. } => Some(located.value.content.clone()),
        _ => None,
    }
}

/// Takes out of two lists all pairs with one key. Among several the one of the same name is
/// preferred, else the first.
fn take_pairs<K: Hash + Eq>(
    gone: &mut Vec<Located>,
    come: &mut Vec<Located>,
    key: impl Fn(&Located) -> Option<K>,
) -> Vec<(Located, Located)> {
    let mut waiting: Candidates<K> = Candidates::default();
    for (number, located) in gone.iter().enumerate() {
        key(located).into_iter().for_each(|key| waiting.add(key, number));
    }
    let partners = partners(&mut waiting, gone, come, &key);
    let mut gone_slots: Vec<Option<Located>> = gone.drain(..).map(Some).collect();
    let mut pairs = Vec::new();
    for (located, partner) in std::mem::take(come).into_iter().zip(partners) {
        match partner.and_then(|number| gone_slots.get_mut(number)?.take()) {
            Some(partner) => pairs.push((partner, located)),
            None => come.push(located),
        }
    }
    gone.extend(gone_slots.into_iter().flatten());
    gone.sort_by(|left, right| tree_order(&left.path, &right.path));
    pairs
}

/// The number of the partner of each that came, if it has one.
fn partners<K: Hash + Eq>(
    waiting: &mut Candidates<K>,
    gone: &[Located],
    come: &[Located],
    key: impl Fn(&Located) -> Option<K>,
) -> Vec<Option<usize>> {
    let mut partners = vec![None; come.len()];
    let path_of = |number: usize| gone.get(number).map(|located| &located.path);
    for likeness in [Likeness::Name, Likeness::Any] {
        for (located, partner) in come.iter().zip(&mut partners) {
            if let (None, Some(key)) = (&partner, key(located)) {
                *partner = waiting.take(&key, &located.path, likeness, &path_of);
            }
        }
    }
    partners
}

//! How the layers of two versions of a document differ.
//!
//! Programs rewrite much on every save: numbers of layers, the borders of their pixels, the colours
//! of what is transparent. So layers are told by several things, the surest first, and their pixels by
//! fingerprints that leave out what cannot be seen ([`Print`]).

use super::Region;
use crate::media::facts::{Layer, LayerKind, Print};
use serde::Serialize;
use std::collections::HashMap;

/// What happened to one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerChange {
    /// Its name now; its last name when it is gone.
    pub name: String,
    /// What it is: `pixels`, `group`, `text`, `shape`, `placed` or `adjustment`.
    pub kind: LayerKind,
    /// The groups that it is in, the outermost first.
    pub groups: Vec<String>,
    /// Its place in the list of layers before, from the top; `None` when it is new.
    pub before: Option<usize>,
    /// Its place in the list of layers after; `None` when it is gone.
    pub after: Option<usize>,
    /// What happened to it.
    pub edits: Vec<LayerEdit>,
}

/// One thing that happened to a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "edit", rename_all = "kebab-case")]
pub enum LayerEdit {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another name.
    Renamed {
        /// The name it had.
        before: String,
    },
    /// The same pixels stand elsewhere.
    Moved {
        /// By how many pixels to the right.
        x: i64,
        /// By how many pixels down.
        y: i64,
    },
    /// It lies higher or lower among the others.
    Reordered,
    /// It is in another group.
    Regrouped {
        /// The groups that it was in.
        before: Vec<String>,
    },
    /// It is more or less transparent, from 0 to 1.
    Opacity {
        /// Before.
        before: f64,
        /// After.
        after: f64,
    },
    /// It is blended in another way.
    Blend {
        /// Before.
        before: String,
        /// After.
        after: String,
    },
    /// It was shown or hidden.
    Visibility {
        /// Whether it is shown now.
        visible: bool,
    },
    /// It says something else.
    Text {
        /// Before.
        before: String,
        /// After.
        after: String,
    },
    /// It was drawn anew, in part or as a whole.
    Pixels {
        /// Where, in pixels of the picture that was compared; empty when that was not looked at.
        regions: Vec<Region>,
    },
    /// Its mask came, went or is another one.
    Mask,
    /// Its effects came, went or are others.
    Effects,
    /// It is clipped to the layer below now, or no more.
    Clipping {
        /// Whether it is clipped now.
        clipped: bool,
    },
}

/// Finds what happened to layers, as the newer document has them from the top; what is gone comes
/// last. Both lists have the topmost first, groups before what they hold.
pub fn compare_layers(before: &[Layer], after: &[Layer]) -> Vec<LayerChange> {
    let (old, new) = (Stack::new(before), Stack::new(after));
    let pairs = old.matched(&new);
    let stays: Vec<bool> = (0..after.len())
        .map(|at| {
            let parent = new.parents[at].map(|parent| pairs[parent]);
            pairs[at].is_some_and(|was| parent == old.parents[was].map(Some))
        })
        .collect();
    let keeps_order = in_order(&pairs, &new, &stays);
    let mut changes = Vec::new();
    for (at, layer) in after.iter().enumerate() {
        let groups = new.groups(at);
        let mut change = LayerChange {
            name: layer.name.clone(),
            kind: layer.kind,
            groups,
            before: pairs[at],
            after: Some(at),
            edits: Vec::new(),
        };
        match pairs[at] {
            None => change.edits.push(LayerEdit::Added),
            Some(was) => {
                change.edits = edits(&before[was], layer);
                if !stays[at] {
                    change.edits.push(LayerEdit::Regrouped { before: old.groups(was) });
                } else if !keeps_order[at] {
                    change.edits.push(LayerEdit::Reordered);
                }
            }
        }
        if !change.edits.is_empty() {
            changes.push(change);
        }
    }
    let kept: Vec<usize> = pairs.iter().flatten().copied().collect();
    for (was, layer) in before.iter().enumerate().filter(|(was, _)| !kept.contains(was)) {
        changes.push(LayerChange {
            name: layer.name.clone(),
            kind: layer.kind,
            groups: old.groups(was),
            before: Some(was),
            after: None,
            edits: vec![LayerEdit::Removed],
        });
    }
    changes
}

/// What happened between two states of one layer, apart from its place among the others.
fn edits(before: &Layer, after: &Layer) -> Vec<LayerEdit> {
    let mut edits = Vec::new();
    if before.name != after.name {
        edits.push(LayerEdit::Renamed { before: before.name.clone() });
    }
    if before.visible != after.visible {
        edits.push(LayerEdit::Visibility { visible: after.visible });
    }
    // Formats write opacity in one byte, and programs round in their own ways.
    if (before.opacity - after.opacity).abs() > 0.003 {
        let part = |value: f64| (value * 1000.0).round() / 1000.0;
        edits.push(LayerEdit::Opacity { before: part(before.opacity), after: part(after.opacity) });
    }
    if before.blend != after.blend {
        edits.push(LayerEdit::Blend { before: before.blend.clone(), after: after.blend.clone() });
    }
    if let (Some(one), Some(other)) = (&before.text, &after.text)
        && one.trim_end() != other.trim_end()
    {
        edits.push(LayerEdit::Text { before: one.clone(), after: other.clone() });
    }
    if let (Some(one), Some(other)) = (&before.print, &after.print) {
        edits.extend(pixel_edits(one, other));
    }
    if before.effects != after.effects {
        edits.push(LayerEdit::Effects);
    }
    if before.clipped != after.clipped {
        edits.push(LayerEdit::Clipping { clipped: after.clipped });
    }
    edits
}

fn pixel_edits(before: &Print, after: &Print) -> Vec<LayerEdit> {
    let mut edits = Vec::new();
    if before.hash != after.hash {
        edits.push(LayerEdit::Pixels { regions: Vec::new() });
    } else if !after.hash.is_empty() {
        let (x, y) = (after.bounds.0 - before.bounds.0, after.bounds.1 - before.bounds.1);
        if (x, y) != (0, 0) {
            edits.push(LayerEdit::Moved { x, y });
        }
    }
    if before.mask != after.mask {
        edits.push(LayerEdit::Mask);
    }
    edits
}

/// Layers with the groups that they are in.
struct Stack<'l> {
    layers: &'l [Layer],
    parents: Vec<Option<usize>>,
}

/// What two layers must share to be one, the surest first.
type Key<'l> = Box<dyn Fn(&Stack<'l>, usize) -> Option<String> + 'l>;

impl<'l> Stack<'l> {
    fn new(layers: &'l [Layer]) -> Self {
        let mut open: Vec<(u32, usize)> = Vec::new();
        let mut parents = Vec::with_capacity(layers.len());
        for (at, layer) in layers.iter().enumerate() {
            while open.last().is_some_and(|(depth, _)| *depth >= layer.depth) {
                open.pop();
            }
            parents.push(open.last().map(|(_, group)| *group));
            if layer.kind == LayerKind::Group {
                open.push((layer.depth, at));
            }
        }
        Self { layers, parents }
    }

    /// Names of the groups that a layer is in, the outermost first.
    fn groups(&self, mut at: usize) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(parent) = self.parents[at] {
            names.push(self.layers[parent].name.clone());
            at = parent;
        }
        names.reverse();
        names
    }

    /// Names of what a group holds.
    fn children(&self, at: usize) -> Vec<&'l str> {
        let inside = |layer: &usize| self.parents[*layer] == Some(at);
        (at + 1..self.layers.len()).filter(inside).map(|layer| self.layers[layer].name.as_str()).collect()
    }

    /// For each layer of `after` the one of this stack that it was.
    fn matched(&self, after: &Stack<'l>) -> Vec<Option<usize>> {
        let kind = |layer: &Layer| if layer.kind == LayerKind::Group { "g" } else { "l" };
        let seen = |layer: &Layer| {
            layer.print.as_ref().map(|print| print.hash.clone()).filter(|hash| !hash.is_empty())
        };
        let keys: [Key<'l>; 7] = [
            Box::new(move |stack, at| {
                let layer = &stack.layers[at];
                Some(format!("{}\n{}\n{}", kind(layer), layer.id.as_ref()?, layer.name))
            }),
            Box::new(move |stack, at| {
                let layer = &stack.layers[at];
                let hash = seen(layer)?;
                Some(format!("{}\n{}\n{hash}", stack.groups(at).join("\n"), layer.name))
            }),
            Box::new(move |stack, at| {
                let layer = &stack.layers[at];
                Some(format!("{}\n{}\n{}", kind(layer), stack.groups(at).join("\n"), layer.name))
            }),
            Box::new(move |stack, at| {
                let layer = &stack.layers[at];
                Some(format!("{}\n{}", kind(layer), layer.name))
            }),
            Box::new(move |stack, at| seen(&stack.layers[at])),
            Box::new(move |stack, at| {
                let layer = &stack.layers[at];
                Some(format!("{}\n{}", kind(layer), layer.id.as_ref()?))
            }),
            // A group with another name that holds what it held.
            Box::new(|stack, at| Some(stack.children(at).join("\n")).filter(|names| !names.is_empty())),
        ];
        let mut pairs: Vec<Option<usize>> = vec![None; after.layers.len()];
        let mut taken = vec![false; self.layers.len()];
        for key in &keys {
            // Of several with one key, the first on one side is the first on the other.
            let mut waiting: HashMap<String, Vec<usize>> = HashMap::new();
            for at in (0..self.layers.len()).rev().filter(|at| !taken[*at]) {
                if let Some(key) = key(self, at) {
                    waiting.entry(key).or_default().push(at);
                }
            }
            for (at, pair) in pairs.iter_mut().enumerate().filter(|(_, pair)| pair.is_none()) {
                let found = key(after, at).and_then(|key| waiting.get_mut(&key)).and_then(Vec::pop);
                if let Some(was) = found {
                    taken[was] = true;
                    *pair = Some(was);
                }
            }
        }
        pairs
    }
}

/// Which layers lie among their neighbours as before. Of those that stayed in their group, the
/// longest run in the old order counts as unmoved: the fewest others were moved among them.
fn in_order(pairs: &[Option<usize>], stack: &Stack<'_>, stays: &[bool]) -> Vec<bool> {
    let mut groups: HashMap<Option<usize>, Vec<(usize, usize)>> = HashMap::new();
    for (at, was) in pairs.iter().enumerate().filter(|(at, _)| stays[*at]) {
        groups.entry(stack.parents[at]).or_default().extend(was.map(|was| (at, was)));
    }
    let mut keeps = vec![false; pairs.len()];
    for members in groups.into_values() {
        for at in longest_run(&members) {
            keeps[at] = true;
        }
    }
    keeps
}

/// Of places each with a former place, those of the longest run of rising former places (patience
/// sorting).
fn longest_run(members: &[(usize, usize)]) -> Vec<usize> {
    // `ends[n]` is the member at which a run of n + 1 ends lowest.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous = vec![None; members.len()];
    for (number, (_, was)) in members.iter().enumerate() {
        let longer = ends.partition_point(|end| members[*end].1 < *was);
        previous[number] = longer.checked_sub(1).map(|before| ends[before]);
        if longer == ends.len() {
            ends.push(number);
        } else {
            ends[longer] = number;
        }
    }
    let mut run = Vec::new();
    let mut next = ends.last().copied();
    while let Some(number) = next {
        run.push(members[number].0);
        next = previous[number];
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, seed: u8) -> Layer {
        let print = Print { hash: format!("hash {seed}"), bounds: (10, 20, 30, 40), mask: None };
        Layer {
            name: name.into(),
            visible: true,
            opacity: 1.0,
            blend: "normal".into(),
            print: Some(print),
            ..Layer::default()
        }
    }

    fn group(name: &str) -> Layer {
        Layer { kind: LayerKind::Group, print: None, ..layer(name, 0) }
    }

    fn inside(layer: Layer) -> Layer {
        Layer { depth: 1, ..layer }
    }

    fn told(before: &[Layer], after: &[Layer]) -> Vec<(String, Vec<LayerEdit>)> {
        compare_layers(before, after).into_iter().map(|change| (change.name, change.edits)).collect()
    }

    #[test]
    fn each_edit_is_told_once_and_nothing_else() {
        let before = [layer("title", 1), layer("lamp", 2), layer("sea", 3), layer("old", 4)];
        assert_eq!(told(&before, &before), []);
        let mut after = before.to_vec();
        after[0].print.as_mut().expect("a print").bounds = (10, 0, 30, 40);
        after[1].opacity = 0.5;
        after[1].blend = "multiply".into();
        after[2].visible = false;
        after[3] = layer("new", 9);
        let changes = told(&before, &after);
        assert_eq!(
            changes,
            [
                ("title".into(), vec![LayerEdit::Moved { x: 0, y: -20 }]),
                (
                    "lamp".into(),
                    vec![
                        LayerEdit::Opacity { before: 1.0, after: 0.5 },
                        LayerEdit::Blend { before: "normal".into(), after: "multiply".into() },
                    ]
                ),
                ("sea".into(), vec![LayerEdit::Visibility { visible: false }]),
                ("new".into(), vec![LayerEdit::Added]),
                ("old".into(), vec![LayerEdit::Removed]),
            ]
        );
    }

    #[test]
    fn a_new_name_and_new_pixels_do_not_make_another_layer() {
        let numbered = |name: &str, seed, id: &str| Layer { id: Some(id.into()), ..layer(name, seed) };
        let before = [numbered("a", 1, "7"), numbered("b", 2, "8"), layer("c", 3)];
        let after = [numbered("a", 5, "7"), numbered("b copy", 2, "8"), layer("c two", 3)];
        let renamed = |name: &str| vec![LayerEdit::Renamed { before: name.into() }];
        assert_eq!(
            told(&before, &after),
            [
                ("a".into(), vec![LayerEdit::Pixels { regions: Vec::new() }]),
                ("b copy".into(), renamed("b")),
                ("c two".into(), renamed("c")),
            ]
        );
    }

    #[test]
    fn numbers_given_anew_and_shifted_do_not_matter() {
        let numbered = |name: &str, seed, id: &str| Layer { id: Some(id.into()), ..layer(name, seed) };
        let before = [numbered("a", 1, "1"), numbered("b", 2, "2"), numbered("c", 3, "3")];
        let after = [numbered("a", 1, "2"), numbered("b", 2, "3"), numbered("c", 3, "4")];
        assert_eq!(told(&before, &after), []);
    }

    #[test]
    fn order_and_groups_are_followed() {
        let before = [layer("a", 1), layer("b", 2), group("g"), inside(layer("c", 3)), layer("d", 4)];
        let after = [layer("b", 2), group("g"), inside(layer("c", 3)), layer("d", 4), layer("a", 1)];
        assert_eq!(told(&before, &after), [("a".into(), vec![LayerEdit::Reordered])]);
        let after = [layer("a", 1), group("g"), inside(layer("b", 2)), inside(layer("c", 3)), layer("d", 4)];
        assert_eq!(told(&before, &after), [("b".into(), vec![LayerEdit::Regrouped { before: Vec::new() }])]);
        let mut after = before.to_vec();
        after[2].name = "group".into();
        let renamed = vec![LayerEdit::Renamed { before: "g".into() }];
        assert_eq!(told(&before, &after), [("group".into(), renamed)]);
    }
}

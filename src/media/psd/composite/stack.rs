//! The tree of groups that the flat list of records stands for.

use crate::media::psd::layer::{LayerRecord, Section};

/// A layer or a group, by the number of its record.
#[derive(Debug, PartialEq, Eq)]
pub enum Node {
    /// A layer.
    Layer(usize),
    /// A group and what it holds, lowest first.
    Group { record: usize, children: Vec<Node> },
}

impl Node {
    /// The number of its record.
    pub fn record(&self) -> usize {
        match self {
            Self::Layer(record) | Self::Group { record, .. } => *record,
        }
    }
}

/// Builds the tree. Ends without a group, and groups without an end, are taken for what they can
/// be: a group's children then stand beside it.
pub fn stack(records: &[LayerRecord]) -> Vec<Node> {
    let mut open: Vec<Vec<Node>> = vec![Vec::new()];
    for (number, record) in records.iter().enumerate() {
        match record.section {
            Section::End => open.push(Vec::new()),
            Section::Group { .. } => {
                let children = if open.len() > 1 { open.pop().unwrap_or_default() } else { Vec::new() };
                if let Some(parent) = open.last_mut() {
                    parent.push(Node::Group { record: number, children });
                }
            }
            Section::Layer => {
                if let Some(parent) = open.last_mut() {
                    parent.push(Node::Layer(number));
                }
            }
        }
    }
    open.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(sections: &[Section]) -> Vec<LayerRecord> {
        sections.iter().map(|section| LayerRecord { section: *section, ..LayerRecord::default() }).collect()
    }

    #[test]
    fn groups_hold_what_stands_between_their_end_and_their_record() {
        let group = Section::Group { open: true };
        let tree = stack(&records(&[Section::Layer, Section::End, Section::Layer, group, Section::Layer]));
        let expected =
            vec![Node::Layer(0), Node::Group { record: 3, children: vec![Node::Layer(2)] }, Node::Layer(4)];
        assert_eq!(tree, expected);
    }

    #[test]
    fn what_does_not_pair_loses_no_layer() {
        let group = Section::Group { open: false };
        let tree = stack(&records(&[group, Section::End, Section::Layer]));
        assert_eq!(tree, [Node::Group { record: 0, children: Vec::new() }, Node::Layer(2)]);
    }
}

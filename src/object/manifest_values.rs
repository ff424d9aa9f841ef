//! Walks the chaining values of a manifest, from any MiB on, and believes only what merges to the
//! id of the file.

use crate::base::id::{FileId, ManifestNodeId};
use crate::object::file_hash::{ChainingValue, ValueMerger, value_count};
use crate::object::manifest::{
    Manifest, ManifestNode, NODE_ENTRIES_MAX, ValueChild, ValueList, value_root_level,
};
use crate::object::manifest_read::{ManifestError, ManifestSource};

/// Walks chaining values from any MiB on.
///
/// A value comes out only after it was merged, along its path, to the id of the file: a range of
/// values can be believed without reading the others. After an error it has ended.
#[derive(Debug)]
pub struct ValueCursor<'a, S> {
    source: &'a S,
    file: FileId,
    total: u64,
    next: u64,
    list: ValueList,
    checked: bool,
    /// Nodes from the root down: level, first MiB, children.
    path: Vec<(u8, u64, Vec<ValueChild>)>,
    /// First MiB and values of the group reached last.
    group: (u64, Vec<ChainingValue>),
}

impl<'a, S: ManifestSource> ValueCursor<'a, S> {
    /// Starts at the value of the MiB with index `first`.
    pub fn new(manifest: &Manifest, source: &'a S, first: u64) -> Self {
        Self {
            source,
            file: manifest.file,
            total: value_count(manifest.size),
            next: first,
            list: manifest.values.clone(),
            checked: false,
            path: Vec::new(),
            group: (0, Vec::new()),
        }
    }

    /// The value of the next MiB, loading the nodes that lead to it.
    fn load(&mut self) -> Result<ChainingValue, ManifestError<S::Error>> {
        if !self.checked {
            self.load_root()?;
            self.checked = true;
        }
        loop {
            let (start, values) = &self.group;
            let place = self.next.checked_sub(*start).and_then(|place| values.get(place as usize));
            if let Some(value) = place {
                return Ok(*value);
            }
            self.descend()?;
        }
    }

    fn load_root(&mut self) -> Result<(), ManifestError<S::Error>> {
        let (level, node) = match std::mem::replace(&mut self.list, ValueList::Here(Vec::new())) {
            ValueList::Here(values) => (0, ManifestNode::Values(values)),
            ValueList::InNodes { root } => {
                let level = value_root_level(self.total);
                (level, self.load_node(root, level, 0)?)
            }
        };
        let mut merger = ValueMerger::default();
        values_in(&node).for_each(|value| merger.push(value));
        if merger.finish_file() != Some(self.file) {
            return Err(ManifestError::Values { file: self.file });
        }
        self.put(level, 0, node);
        Ok(())
    }

    /// Loads the next node on the way to the MiB wanted.
    fn descend(&mut self) -> Result<(), ManifestError<S::Error>> {
        while let Some((level, start, children)) = self.path.last() {
            let child_pieces = pieces_below(level - 1);
            let place = self.next.checked_sub(*start).map(|pieces| pieces / child_pieces);
            let Some((place, child)) =
                place.and_then(|place| Some((place, *children.get(usize::try_from(place).ok()?)?)))
            else {
                self.path.pop();
                continue;
            };
            let (level, start) = (level - 1, start + place * child_pieces);
            let node = self.load_node(child.id, level, start)?;
            let mut merger = ValueMerger::default();
            values_in(&node).for_each(|value| merger.push(value));
            if merger.finish_subtree() != Some(child.value) {
                return Err(ManifestError::Misfit { file: self.file, node: child.id });
            }
            self.put(level, start, node);
            return Ok(());
        }
        // The root covers all MiB below `total`, and nobody asks for others.
        Err(ManifestError::Values { file: self.file })
    }

    /// Loads a node and insists on its kind, level and number of entries.
    fn load_node(
        &self,
        id: ManifestNodeId,
        level: u8,
        start: u64,
    ) -> Result<ManifestNode, ManifestError<S::Error>> {
        let node = self.source.manifest_node(id);
        let node = node.map_err(|source| ManifestError::Source { file: self.file, source })?;
        let entry_pieces = if level == 0 { 1 } else { pieces_below(level - 1) };
        let expected = (self.total - start).min(pieces_below(level)).div_ceil(entry_pieces);
        let fits = match &node {
            ManifestNode::Values(values) => level == 0 && values.len() as u64 == expected,
            ManifestNode::ValueNodes { level: found, children } => {
                *found == level && children.len() as u64 == expected
            }
            _ => false,
        };
        if fits { Ok(node) } else { Err(ManifestError::Misfit { file: self.file, node: id }) }
    }

    fn put(&mut self, level: u8, start: u64, node: ManifestNode) {
        match node {
            ManifestNode::Values(values) => self.group = (start, values),
            ManifestNode::ValueNodes { children, .. } => self.path.push((level, start, children)),
            ManifestNode::Chunks(_) | ManifestNode::ChunkNodes { .. } => {}
        }
    }
}

/// How many MiB a complete value node of this level covers.
fn pieces_below(level: u8) -> u64 {
    (NODE_ENTRIES_MAX as u64).saturating_pow(u32::from(level) + 1)
}

fn values_in(node: &ManifestNode) -> Box<dyn Iterator<Item = ChainingValue> + '_> {
    match node {
        ManifestNode::Values(values) => Box::new(values.iter().copied()),
        ManifestNode::ValueNodes { children, .. } => Box::new(children.iter().map(|child| child.value)),
        ManifestNode::Chunks(_) | ManifestNode::ChunkNodes { .. } => Box::new(std::iter::empty()),
    }
}

impl<S: ManifestSource> Iterator for ValueCursor<'_, S> {
    type Item = Result<ChainingValue, ManifestError<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.total {
            return None;
        }
        let value = self.load();
        self.next = if value.is_ok() { self.next + 1 } else { self.total };
        Some(value)
    }
}

use super::*;
use crate::base::path::AssetPath;
use crate::diff::model::{ContentDiff, DiffLimits, Differs, Sniffed};
use crate::diff::text::{Text, TextDiff, TextLimits, diff_text};
use crate::object::manifest::ManifestNode;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::HashMap;

/// Content cut into pieces of a few bytes after each `|`, listed in nodes of two.
struct Cut {
    bytes: Vec<u8>,
    top: Vec<Part>,
    nodes: HashMap<ManifestNodeId, Vec<Part>>,
    nodes_read: Cell<usize>,
}

impl Cut {
    fn new(bytes: &[u8]) -> Self {
        let chunks: Vec<Part> = bytes
            .split_inclusive(|byte| *byte == b'|')
            .map(|chunk| Part { id: PartId::Chunk(ChunkId::of(chunk)), bytes: chunk.len() as u64 })
            .collect();
        let mut nodes = HashMap::new();
        let mut level = chunks;
        while level.len() > 3 {
            level = level
                .chunks(3)
                .map(|group| {
                    let bytes: Vec<u8> = format!("{group:?}").into_bytes();
                    let id = ManifestNodeId::from_bytes(*ChunkId::of(&bytes).as_bytes());
                    nodes.insert(id, group.to_vec());
                    Part { id: PartId::Node(id), bytes: group.iter().map(|part| part.bytes).sum() }
                })
                .collect();
        }
        Self { bytes: bytes.to_vec(), top: level, nodes, nodes_read: Cell::new(0) }
    }
}

impl ContentAccess for Cut {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), DiffError> {
        into.copy_from_slice(&self.bytes[offset as usize..][..into.len()]);
        Ok(())
    }

    fn parts(&self) -> Result<Vec<Part>, DiffError> {
        Ok(self.top.clone())
    }

    fn parts_of(&self, node: ManifestNodeId) -> Result<Vec<Part>, DiffError> {
        self.nodes_read.set(self.nodes_read.get() + 1);
        Ok(self.nodes[&node].clone())
    }
}

fn range(start: u64, bytes: u64) -> ByteRange {
    ByteRange { start, bytes }
}

#[test]
fn a_changed_byte_is_found_exactly_and_the_rest_is_shared() {
    let diff = diff_bytes(&Cut::new(b"aaaa|bbbb|cccc|"), &Cut::new(b"aaaa|bbXb|cccc|")).expect("readable");
    let ranges = vec![ChangedRange { before: range(7, 1), after: range(7, 1) }];
    assert_eq!(diff, ByteDiff { bytes_before: 15, bytes_after: 15, bytes_shared: 10, ranges });
}

#[test]
fn an_insertion_has_nothing_before() {
    let diff = diff_bytes(&Cut::new(b"aaaa|cccc|"), &Cut::new(b"aaaa|new|cccc|")).expect("readable");
    assert_eq!(diff.ranges, [ChangedRange { before: range(5, 0), after: range(5, 4) }]);
    assert_eq!(diff.bytes_shared, 10);
}

#[test]
fn a_piece_that_moved_is_shared() {
    let diff = diff_bytes(&Cut::new(b"aaaa|bbbb|"), &Cut::new(b"bbbb|aaaa|")).expect("readable");
    assert_eq!(diff.bytes_shared, 10);
    assert!(!diff.ranges.is_empty());
}

#[test]
fn only_nodes_that_differ_are_read() {
    let old: String = (0..2_187).map(|n| format!("{n:04}|")).collect();
    let new = old.replace("1000|", "xxxx|");
    let (old, new) = (Cut::new(old.as_bytes()), Cut::new(new.as_bytes()));
    let diff = diff_bytes(&old, &new).expect("readable");
    assert_eq!(diff.ranges, [ChangedRange { before: range(5_000, 4), after: range(5_000, 4) }]);
    assert!(old.nodes_read.get() + new.nodes_read.get() <= 14, "{} nodes read", old.nodes_read.get());
}

#[test]
fn nodes_whose_lengths_do_not_add_up_are_an_error() {
    let mut forged = Cut::new(b"a|b|c|d|e|");
    for parts in forged.nodes.values_mut() {
        parts[0].bytes += 1;
    }
    let refused = diff_bytes(&forged, &Cut::new(b"x|"));
    assert!(matches!(refused, Err(DiffError::MalformedManifest { .. })));
}

#[test]
fn pieces_come_from_real_manifest_nodes() {
    let id = ChunkId::of(b"x");
    let child = ChunkChild { id: ManifestNodeId::from_bytes([3; 32]), bytes: 70, chunks: 2 };
    let node = ManifestNode::ChunkNodes { level: 1, children: vec![child] };
    assert_eq!(parts_of_node(&node), [Part { id: PartId::Node(child.id), bytes: 70 }]);
    let node = ManifestNode::Chunks(vec![ChunkEntry { id, length: 1 }]);
    assert_eq!(parts_of_node(&node), [Part { id: PartId::Chunk(id), bytes: 1 }]);
}

fn compare(before: &[u8], after: &[u8]) -> ContentDiff {
    let path = AssetPath::root();
    let (before, after) = (Cut::new(before), Cut::new(after));
    let sniff = |cut: &Cut| cut.bytes[..cut.bytes.len().min(64)].to_vec();
    let heads = (sniff(&before), sniff(&after));
    Differs::default()
        .diff(
            (&before, Sniffed { path: &path, size: before.size(), head: &heads.0 }),
            (&after, Sniffed { path: &path, size: after.size(), head: &heads.1 }),
            DiffLimits::default(),
        )
        .expect("readable")
}

#[test]
fn the_first_differ_that_understands_both_sides_speaks() {
    let text = |text: &str| Text::decode(text.as_bytes()).expect("text");
    let expected: TextDiff = diff_text(&text("a\n"), &text("b\n"), TextLimits::default());
    assert_eq!(compare(b"a\n", b"b\n"), ContentDiff::Text(expected));
    assert!(matches!(compare(b"a\n", b"b\0"), ContentDiff::Bytes(_)));
    // The head looks like text and the rest is none.
    let late = [&b"a".repeat(100)[..], b"\0"].concat();
    assert!(matches!(compare(b"a\n", &late), ContentDiff::Bytes(_)));
    let json = serde_json::to_value(compare(b"a|", b"\0|")).expect("serialisable");
    assert_eq!(json["medium"], "bytes");
}

proptest! {
    #[test]
    fn ranges_turn_one_file_into_the_other(before in "[ab|]{0,60}", after in "[ab|]{0,60}") {
        let (before, after) = (before.as_bytes(), after.as_bytes());
        let diff = diff_bytes(&Cut::new(before), &Cut::new(after)).expect("readable");
        let mut made = Vec::new();
        let mut at = 0;
        for changed in &diff.ranges {
            made.extend_from_slice(&before[at..changed.before.start as usize]);
            made.extend_from_slice(&after[changed.after.start as usize..changed.after.end() as usize]);
            at = changed.before.end() as usize;
        }
        made.extend_from_slice(&before[at..]);
        prop_assert_eq!(made, after);
        prop_assert!(diff.bytes_shared <= diff.bytes_after);
    }
}

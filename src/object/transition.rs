//! Transitions: what a submission asks for and an approval means, asset by asset.
//!
//! A transition says what stood before and what stands after, completely: path, asset, metadata,
//! content, mode. A list of them is a text of its own, one JSON object a line, named by the plain
//! BLAKE3 of its bytes, so that `b3sum` can check it. Beside it stands the [check
//! list](check_list): the files that stand after it, in the form that `b3sum --check` reads.
//! Exact bytes: `docs/format/review-log.md`.

use crate::base::escape;
use crate::base::id::{AssetId, FileId, MetadataId, TransitionId};
use crate::base::path::AssetPath;
use crate::object::tree::{Content, ForeignAlgorithm};
use crate::object::tree_edit::EntryValue;
use crate::object::{ObjectKind, hash_object};
use serde::{Deserialize, Serialize};

/// Most transitions of one list.
pub const TRANSITIONS_MAX: usize = 1 << 20;
/// Longest list, in bytes: as much as one object that travels has, some 130,000 assets.
pub const LIST_BYTES_MAX: usize = 1 << 26;

/// Why bytes are no list of transitions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// It is longer than [`LIST_BYTES_MAX`] or has more than [`TRANSITIONS_MAX`] lines.
    #[error("the list of transitions is too long")]
    TooLong,
    /// A line says something else than a writer would have written.
    #[error("line {line} of the list of transitions is not in its one form")]
    Line { line: usize },
    /// A line does not come after the one before it.
    #[error("line {line} of the list of transitions is out of order")]
    Order { line: usize },
    /// Before and after are the same, or neither is there.
    #[error("line {line} of the list of transitions changes nothing")]
    Nothing { line: usize },
}

/// What an entry holds, as far as a transition speaks of it. A folder that is an asset is spoken of
/// without what it holds: that has transitions of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Held {
    /// A file.
    File { id: FileId, size: u64, executable: bool },
    /// A symbolic link.
    Symlink { id: FileId, size: u64 },
    /// Content known only by another system's hash, in hexadecimal.
    Foreign { algorithm: ForeignAlgorithm, digest: String, size: u64, executable: bool },
    /// A folder that is an asset or has metadata.
    Folder,
}

impl Held {
    /// The file id of content that the repository itself can hold.
    pub const fn file(&self) -> Option<FileId> {
        match self {
            Self::File { id, .. } | Self::Symlink { id, .. } => Some(*id),
            Self::Foreign { .. } | Self::Folder => None,
        }
    }

    /// Its size in bytes; `None` for a folder.
    pub const fn size(&self) -> Option<u64> {
        match self {
            Self::File { size, .. } | Self::Symlink { size, .. } | Self::Foreign { size, .. } => Some(*size),
            Self::Folder => None,
        }
    }
}

impl From<&Content> for Held {
    fn from(content: &Content) -> Self {
        match content {
            Content::File { id, size, executable } => {
                Self::File { id: *id, size: *size, executable: *executable }
            }
            Content::Symlink { id, size } => Self::Symlink { id: *id, size: *size },
            Content::Foreign { algorithm, digest, size, executable } => Self::Foreign {
                algorithm: *algorithm,
                digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
                size: *size,
                executable: *executable,
            },
            Content::Directory { .. } => Self::Folder,
        }
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Placed {
    /// Where.
    pub path: AssetPath,
    /// Which asset.
    pub asset: Option<AssetId>,
    /// Its metadata.
    pub metadata: Option<MetadataId>,
    /// Its content.
    pub content: Held,
}

impl Placed {
    /// What a tree has at `path`.
    pub fn new(path: &AssetPath, value: &EntryValue) -> Self {
        Self {
            path: path.clone(),
            asset: value.asset,
            metadata: value.metadata,
            content: Held::from(&value.content),
        }
    }
}

/// What happens to one asset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Transition {
    /// What stood before; `None` for an addition.
    pub before: Option<Placed>,
    /// What stands after; `None` for a deletion.
    pub after: Option<Placed>,
}

impl Transition {
    /// A transition, unless it changes nothing: a folder whose own entry stays as it is.
    pub fn of(before: Option<Placed>, after: Option<Placed>) -> Option<Self> {
        (before != after).then_some(Self { before, after })
    }

    /// Which asset: as it is called after, or before when it is deleted.
    pub fn asset(&self) -> Option<AssetId> {
        self.after.as_ref().or(self.before.as_ref()).and_then(|placed| placed.asset)
    }

    /// Where it is listed: where it stands, or stood when it is deleted.
    pub fn path(&self) -> &AssetPath {
        static ROOT: AssetPath = AssetPath::root();
        self.after.as_ref().or(self.before.as_ref()).map_or(&ROOT, |placed| &placed.path)
    }

    /// The paths that it touches: one, or two for a move.
    pub fn paths(&self) -> impl Iterator<Item = &AssetPath> {
        let before = self.before.as_ref().map(|placed| &placed.path);
        let after = self.after.as_ref().map(|placed| &placed.path);
        before.into_iter().chain(after.filter(|after| Some(*after) != before))
    }

    /// Whether it touches a path at or below `folder`.
    pub fn touches(&self, folder: &AssetPath) -> bool {
        self.paths().any(|path| path.is_within(folder))
    }

    /// What happens, in the words of `--json`: `added`, `removed`, `moved`, `replaced` (another asset
    /// takes the path), `content`, `metadata`, `mode`, `kind`.
    pub fn kinds(&self) -> Vec<&'static str> {
        let (before, after) = match (&self.before, &self.after) {
            (Some(before), Some(after)) => (before, after),
            (None, Some(_)) => return vec!["added"],
            (Some(_), None) => return vec!["removed"],
            (None, None) => return Vec::new(),
        };
        let mode = |placed: &Placed| {
            matches!(
                placed.content,
                Held::File { executable: true, .. } | Held::Foreign { executable: true, .. }
            )
        };
        let is_other_kind = std::mem::discriminant(&before.content) != std::mem::discriminant(&after.content);
        let moved = before.path != after.path;
        [
            (moved, "moved"),
            (!moved && before.asset != after.asset, "replaced"),
            (is_other_kind, "kind"),
            (before.content.file() != after.content.file(), "content"),
            (before.metadata != after.metadata, "metadata"),
            (mode(before) != mode(after), "mode"),
        ]
        .into_iter()
        .filter_map(|(holds, name)| holds.then_some(name))
        .collect()
    }

    /// Whether nothing but metadata changes.
    pub fn is_metadata_only(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                before.path == after.path && before.asset == after.asset && before.content == after.content
            }
            _ => false,
        }
    }

    /// The same transition without what it says of metadata, for policies under which a change of
    /// metadata keeps approvals.
    pub fn without_metadata(&self) -> Self {
        let strip =
            |side: &Option<Placed>| side.as_ref().map(|placed| Placed { metadata: None, ..placed.clone() });
        Self { before: strip(&self.before), after: strip(&self.after) }
    }

    /// The line of a list, without its line end.
    pub fn encode(&self) -> Vec<u8> {
        // Everything in it has a form in JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The id that follows from the line.
    pub fn id(&self) -> TransitionId {
        TransitionId::from_bytes(hash_object(ObjectKind::Transition, &self.encode()))
    }
}

/// Transitions in their order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransitionList {
    transitions: Vec<Transition>,
}

impl TransitionList {
    /// Puts transitions in order.
    pub fn new(transitions: impl IntoIterator<Item = Transition>) -> Self {
        let mut transitions: Vec<Transition> = transitions.into_iter().collect();
        transitions.sort_by(order);
        transitions.dedup();
        Self { transitions }
    }

    /// The transitions, in order.
    pub fn as_slice(&self) -> &[Transition] {
        &self.transitions
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty()
    }

    /// The exact bytes: one line for each transition.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for transition in &self.transitions {
            bytes.extend_from_slice(&transition.encode());
            bytes.push(b'\n');
        }
        bytes
    }

    /// Reads exact bytes; refuses whatever [`encode`](Self::encode) would not have written.
    pub fn decode(bytes: &[u8]) -> Result<Self, TransitionError> {
        if bytes.len() > LIST_BYTES_MAX {
            return Err(TransitionError::TooLong);
        }
        let mut transitions: Vec<Transition> = Vec::new();
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let at = number + 1;
            if at > TRANSITIONS_MAX {
                return Err(TransitionError::TooLong);
            }
            let refuse = TransitionError::Line { line: at };
            let line = line.strip_suffix(b"\n").ok_or_else(|| refuse.clone())?;
            let transition: Transition = serde_json::from_slice(line).map_err(|_| refuse.clone())?;
            if transition.encode() != line {
                return Err(refuse);
            }
            if transition.before == transition.after {
                return Err(TransitionError::Nothing { line: at });
            }
            if transitions.last().is_some_and(|last| order(last, &transition).is_ge()) {
                return Err(TransitionError::Order { line: at });
            }
            transitions.push(transition);
        }
        Ok(Self { transitions })
    }

    /// The plain BLAKE3 of the exact bytes: what `b3sum` prints for them.
    pub fn id(&self) -> FileId {
        FileId::of(&self.encode())
    }

    /// The files that stand after these transitions, as `b3sum --check` reads them.
    pub fn check_list(&self) -> Vec<u8> {
        check_list(self.transitions.iter().filter_map(|transition| transition.after.as_ref()))
    }

    /// Those that touch a path at or below one of `folders`; all when there are none.
    pub fn within(&self, folders: &[AssetPath]) -> Self {
        let wanted = |transition: &&Transition| {
            folders.is_empty() || folders.iter().any(|folder| transition.touches(folder))
        };
        Self { transitions: self.transitions.iter().filter(wanted).cloned().collect() }
    }
}

fn order(left: &Transition, right: &Transition) -> std::cmp::Ordering {
    (left.path().as_bytes(), left).cmp(&(right.path().as_bytes(), right))
}

/// What a check list calls a file: its path, or the percent-encoded form where that is no text or
/// cannot be shown safely.
pub fn check_name(path: &AssetPath) -> String {
    match std::str::from_utf8(path.as_bytes()) {
        Ok(name) if !name.chars().any(|c| escape::is_unsafe_to_show(c) || c == '\u{fffd}') => name.to_owned(),
        _ => path.to_percent(),
    }
}

/// Writes `<64 hexadecimal digits>  <name>` for each file, in the form of `b3sum`: a name with a
/// backslash is escaped as `b3sum` does it; one that is no text or that cannot be shown safely is
/// percent-encoded. Links and folders have no line, since `b3sum` would follow them.
pub fn check_list<'a>(placed: impl Iterator<Item = &'a Placed>) -> Vec<u8> {
    let mut text = String::new();
    for Placed { path, content, .. } in placed {
        let Held::File { id, .. } = content else { continue };
        let name = check_name(path);
        if name.contains('\\') {
            text.push_str(&format!("\\{id}  {}\n", name.replace('\\', "\\\\")));
        } else {
            text.push_str(&format!("{id}  {name}\n"));
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn placed(path: &str, content: u8) -> Placed {
        Placed {
            path: AssetPath::from_bytes(path).expect("a path"),
            asset: Some(AssetId::from_bytes([7; 16])),
            metadata: None,
            content: Held::File { id: FileId::from_bytes([content; 32]), size: 3, executable: false },
        }
    }

    fn edited() -> Transition {
        Transition { before: Some(placed("brand/logo.svg", 1)), after: Some(placed("brand/logo.svg", 2)) }
    }

    #[test]
    fn the_bytes_of_a_transition_and_its_id_are_pinned() {
        let line = String::from_utf8(edited().encode()).expect("text");
        let side = |id: &str| {
            format!(
                "{{\"path\":\"brand/logo.svg\",\"asset\":\"{}\",\"metadata\":null,\"content\":{{\"kind\":\"file\",\"id\":\"{}\",\"size\":3,\"executable\":false}}}}",
                "07".repeat(16),
                id.repeat(32)
            )
        };
        assert_eq!(line, format!("{{\"before\":{},\"after\":{}}}", side("01"), side("02")));
        assert_eq!(
            edited().id().to_string(),
            "8bdf14d6690631212968d63f4ebb406b61e7daa0165d2d89c5b86c6adbec449d"
        );
    }

    #[test]
    fn a_list_that_no_writer_would_write_is_refused() {
        let added = Transition { before: None, after: Some(placed("a.txt", 3)) };
        let list = TransitionList::new([edited(), added]);
        let bytes = list.encode();
        assert_eq!(TransitionList::decode(&bytes), Ok(list));
        let text = String::from_utf8(bytes).expect("text");
        let refused = |text: &str| TransitionList::decode(text.as_bytes()).expect_err("a refusal");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            refused(&format!("{}\n{}\n", lines[1], lines[0])),
            TransitionError::Order { line: 2 },
            "reordered"
        );
        assert_eq!(refused(&format!("{}\n{0}\n", lines[0])), TransitionError::Order { line: 2 }, "twice");
        for spoilt in [
            text.replace("{\"before\"", "{ \"before\""),
            text.replace("\"size\":3", "\"size\":3,\"extra\":1"),
            text.replace("brand/logo.svg", "brand/../logo.svg"),
            text.trim_end().to_owned(),
        ] {
            assert!(matches!(refused(&spoilt), TransitionError::Line { .. }), "{spoilt}");
        }
        let same = "{\"before\":null,\"after\":null}\n";
        assert_eq!(refused(same), TransitionError::Nothing { line: 1 });
    }

    #[test]
    fn names_cannot_add_lines_to_the_check_list() {
        let zeros = "0".repeat(64);
        let list = check_list(
            [
                placed(&format!("a\n{zeros}  b"), 1),
                placed("back\\slash", 2),
                placed("größe.psd", 3),
                placed("gpj.\u{202e}exe", 4),
            ]
            .iter(),
        );
        let text = String::from_utf8(list).expect("text");
        let names: Vec<&str> = text.lines().map(|line| line.split_once("  ").expect("two parts").1).collect();
        assert_eq!(
            names,
            [format!("a%0A{zeros}  b").as_str(), "back\\\\slash", "größe.psd", "gpj.%E2%80%AEexe"]
        );
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with('\\')));
    }

    #[test]
    fn a_move_touches_both_folders_and_a_label_only_metadata() {
        let moved = Transition { before: Some(placed("in/a", 1)), after: Some(placed("out/a", 1)) };
        let folder = |name: &str| AssetPath::from_bytes(name).expect("a path");
        assert!(
            moved.touches(&folder("in")) && moved.touches(&folder("out")) && !moved.touches(&folder("o"))
        );
        let mut labelled = placed("in/a", 1);
        labelled.metadata = Some(MetadataId::from_bytes([9; 32]));
        let labelled = Transition { before: Some(placed("in/a", 1)), after: Some(labelled) };
        assert!(labelled.is_metadata_only() && !moved.is_metadata_only());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = TransitionList::decode(&bytes);
        }

        #[test]
        fn a_changed_byte_is_refused_or_means_something_else(at in 0usize..200, byte in any::<u8>()) {
            let list = TransitionList::new([edited()]);
            let mut bytes = list.encode();
            let at = at % bytes.len();
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            if let Ok(other) = TransitionList::decode(&bytes) {
                prop_assert_ne!(other.encode(), list.encode());
            }
        }
    }
}

//! What the model knows of files: a map from paths to things, read from a disk or made up.

use crate::app_flow::noise;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

/// What stands at a path.
#[derive(Clone, PartialEq, Eq)]
pub enum Thing {
    File { bytes: Arc<Vec<u8>>, executable: bool },
    Link(Vec<u8>),
}

/// The model of a worktree or a tree.
pub type Files = BTreeMap<String, Thing>;

impl Thing {
    pub fn file(bytes: Vec<u8>) -> Self {
        Self::File { bytes: Arc::new(bytes), executable: false }
    }

    /// The bytes of a file, or where a link points to.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::File { bytes, .. } => bytes,
            Self::Link(target) => target,
        }
    }

    /// The id of its content, link or file.
    pub fn id(&self) -> [u8; 32] {
        *blake3::hash(self.bytes()).as_bytes()
    }
}

impl fmt::Debug for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(target) => write!(f, "link to {:?}", String::from_utf8_lossy(target)),
            Self::File { bytes, executable } => {
                let mark = if *executable { "*" } else { "" };
                let [a, b, ..] = self.id();
                write!(f, "{} bytes {a:02x}{b:02x}{mark}", bytes.len())
            }
        }
    }
}

/// Content number `number` of a small stock, so that equal content turns up in several places.
pub fn stock(number: u8) -> Vec<u8> {
    match number % 12 {
        0 => Vec::new(),
        1 => b"one\ntwo\nthree\nfour\nfive\nsix\nseven\n".to_vec(),
        2 => b"a note\n".to_vec(),
        3 => b"<svg><path d=\"M0 0\"/></svg>\n".to_vec(),
        4 => noise(4, 300_000),
        5 => noise(5, 600_000),
        6 => noise(6, 20_000),
        7 => [noise(7, 200_000), vec![0; 100_000]].concat(),
        8 => (0..400).flat_map(|line| format!("line {line}\n").into_bytes()).collect(),
        9 => noise(9, 100),
        10 => noise(10, 100),
        _ => vec![b'x'; 50_000],
    }
}

/// Changes some bytes: text in one of its lines, anything else somewhere in the middle.
pub fn edited(bytes: &[u8], seed: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let is_text = bytes.len() < 10_000 && bytes.iter().all(|byte| *byte < 128 && *byte != 0);
    if is_text {
        let text = String::from_utf8(bytes).expect("text");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = usize::from(seed) % (lines.len() + 1);
        match lines.get_mut(at) {
            Some(line) => line.push_str(&format!(" {seed}")),
            None => lines.push(format!("more {seed}")),
        }
        return (lines.join("\n") + "\n").into_bytes();
    }
    let at = bytes.len() * usize::from(seed) / 256;
    bytes.splice(at..at, noise(u64::from(seed) + 1000, 1 + usize::from(seed)));
    bytes
}

/// Changes bytes and keeps their number; `None` of an empty file.
pub fn edited_in_place(bytes: &[u8], seed: u8) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let at = bytes.len().checked_sub(1)? * usize::from(seed) / 255;
    bytes[at] ^= 1 + seed % 100;
    Some(bytes)
}

/// Everything in a folder except the repository itself.
pub fn read_folder(folder: &Path) -> Files {
    let mut files = Files::new();
    read_into(folder, "", &mut files);
    files
}

fn read_into(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name in text");
        if prefix.is_empty() && name == ".pent" {
            continue;
        }
        let kind = entry.file_type().expect("a kind");
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            read_into(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, read_thing(&entry.path()));
        }
    }
}

/// One file or link.
pub fn read_thing(path: &Path) -> Thing {
    let metadata = path.symlink_metadata().expect("a file");
    if metadata.is_symlink() {
        return Thing::Link(fs::read_link(path).expect("a link").as_os_str().as_bytes().to_vec());
    }
    let executable = metadata.permissions().mode() & 0o100 != 0;
    Thing::File { bytes: Arc::new(fs::read(path).expect("a readable file")), executable }
}

/// Whether one path leads through the other.
pub fn collide(left: &str, right: &str) -> bool {
    is_below(left, right) || is_below(right, left)
}

/// Whether `path` lies below `folder`.
pub fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether `path` is `folder` or lies below it; everything lies below the empty one.
pub fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || path == folder || is_below(path, folder)
}

/// Removes and puts; what stands in the way of something put goes.
pub fn overlay(files: &Files, gone: impl IntoIterator<Item = String>, put: &Files) -> Files {
    let mut result = files.clone();
    for path in gone {
        result.remove(&path);
    }
    for path in put.keys() {
        result.retain(|other, _| !collide(other, path));
    }
    result.extend(put.iter().map(|(path, thing)| (path.clone(), thing.clone())));
    result
}

/// Applies the difference of two states to a third.
pub fn carry_over(files: &Files, before: &Files, after: &Files) -> Files {
    let changed = differing(before, after);
    let put = after.iter().filter(|(path, _)| changed.contains(*path));
    let put: Files = put.map(|(path, thing)| (path.clone(), thing.clone())).collect();
    overlay(files, changed, &put)
}

/// Paths at which two states differ.
pub fn differing(left: &Files, right: &Files) -> BTreeSet<String> {
    let all = left.keys().chain(right.keys());
    all.filter(|path| left.get(*path) != right.get(*path)).cloned().collect()
}

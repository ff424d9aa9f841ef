//! Takes commits, tags and trees of Git apart, as leniently as Git itself does: the original bytes are
//! kept in any case, so what cannot be understood is lost to nobody.

use crate::base::id::GitId;
use crate::base::time::Timestamp;
use crate::object::commit::MESSAGE_BYTES_MAX;

/// How signatures below the text of a tag begin.
const ARMOURS: [&str; 4] = [
    "-----BEGIN PGP SIGNATURE-----",
    "-----BEGIN PGP MESSAGE-----",
    "-----BEGIN SSH SIGNATURE-----",
    "-----BEGIN SIGNED MESSAGE-----",
];

/// What a commit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitCommit {
    /// The tree; `None` in a commit that names none.
    pub tree: Option<GitId>,
    /// The parents in order.
    pub parents: Vec<GitId>,
    /// Who made the change.
    pub author: Actor,
    /// Who put it on record.
    pub committer: Actor,
    /// The message as text.
    pub message: String,
}

/// A person and a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The moment, with the zone of the person.
    pub time: Timestamp,
}

/// What an annotated tag says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitTag {
    /// What it names.
    pub target: GitId,
    /// The kind of that: `commit`, `tag`, `tree` or `blob`.
    pub kind: Vec<u8>,
    /// Who set it; old tags do not say.
    pub tagger: Option<Actor>,
    /// Its text, without the signature below it.
    pub message: String,
}

/// What an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file.
    File,
    /// A file that can be run.
    Executable,
    /// A symbolic link.
    Symlink,
    /// A folder.
    Directory,
    /// A commit of another repository.
    Submodule,
}

impl EntryKind {
    /// The mode as Git writes it nowadays.
    pub const fn mode(self) -> &'static [u8] {
        match self {
            Self::File => b"100644",
            Self::Executable => b"100755",
            Self::Symlink => b"120000",
            Self::Directory => b"40000",
            Self::Submodule => b"160000",
        }
    }

    /// What a mode means to Git; `None` when it means nothing.
    pub fn of_mode(mode: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(mode).ok().filter(|text| !text.is_empty() && text.len() <= 8)?;
        let mode = u32::from_str_radix(text, 8).ok()?;
        Some(match mode & 0o170_000 {
            0o100_000 if mode & 0o100 != 0 => Self::Executable,
            0o100_000 => Self::File,
            0o120_000 => Self::Symlink,
            0o040_000 => Self::Directory,
            0o160_000 => Self::Submodule,
            _ => return None,
        })
    }
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitEntry {
    /// The name as it stands there.
    pub name: Vec<u8>,
    /// What it is; `None` when its mode means nothing.
    pub kind: Option<EntryKind>,
    /// Whether the mode is written as Git writes it nowadays.
    pub usual: bool,
    /// What it names.
    pub id: GitId,
}

/// Reads a commit.
pub fn commit(bytes: &[u8]) -> GitCommit {
    let (headers, body) = headers(bytes);
    let find = |key: &[u8]| headers.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let encoding = find(b"encoding");
    let actor = |key: &[u8]| actor(find(key).unwrap_or_default(), encoding);
    GitCommit {
        tree: find(b"tree").and_then(id_of),
        parents: headers
            .iter()
            .filter(|(name, _)| *name == b"parent")
            .filter_map(|(_, value)| id_of(value))
            .collect(),
        author: actor(b"author"),
        committer: actor(b"committer"),
        message: message(body, encoding),
    }
}

/// The parents and the tree of a commit, without the rest.
pub fn commit_links(bytes: &[u8]) -> (Option<GitId>, Vec<GitId>) {
    let (mut tree, mut parents) = (None, Vec::new());
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(id) = line.strip_prefix(b"parent ").and_then(id_of) {
            parents.push(id);
        } else if let (None, Some(id)) = (tree, line.strip_prefix(b"tree ").and_then(id_of)) {
            tree = Some(id);
        } else {
            break;
        }
    }
    (tree, parents)
}

/// Reads an annotated tag; `None` when it names nothing.
pub fn tag(bytes: &[u8]) -> Option<GitTag> {
    let (headers, body) = headers(bytes);
    let find = |key: &[u8]| headers.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    Some(GitTag {
        target: find(b"object").and_then(id_of)?,
        kind: find(b"type")?.to_vec(),
        tagger: find(b"tagger").map(|line| actor(line, find(b"encoding"))),
        message: unsigned(&message(body, find(b"encoding"))).to_owned(),
    })
}

/// The text of a tag without the signature that stands below it, as gitformat-signature(5) has it.
fn unsigned(text: &str) -> &str {
    let mut at = 0;
    let mut end = text.len();
    for line in text.split_inclusive('\n') {
        if ARMOURS.iter().any(|armour| line.starts_with(armour)) {
            end = at;
        }
        at += line.len();
    }
    text[..end].trim_end()
}

/// One entry of a tree, as its bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEntry<'a> {
    /// The mode as it is written.
    pub mode: &'a [u8],
    /// The name as it stands there.
    pub name: &'a [u8],
    /// What it names.
    pub id: GitId,
}

/// Reads a tree as it is; `None` when its bytes are no tree.
pub fn raw_tree(bytes: &[u8]) -> Option<Vec<RawEntry<'_>>> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let blank = rest.iter().take(16).position(|byte| *byte == b' ')?;
        let end = blank + 1 + rest[blank + 1..].iter().position(|byte| *byte == 0)?;
        let (mode, name) = (&rest[..blank], &rest[blank + 1..end]);
        let id = GitId::from_slice(rest.get(end + 1..end + 1 + GitId::SIZE)?)?;
        entries.push(RawEntry { mode, name, id });
        rest = &rest[end + 1 + GitId::SIZE..];
    }
    Some(entries)
}

/// Reads a tree; `None` when its bytes are no tree.
pub fn tree(bytes: &[u8]) -> Option<Vec<GitEntry>> {
    let entry = |RawEntry { mode, name, id }| {
        let kind = EntryKind::of_mode(mode);
        let usual = kind.is_some_and(|kind| kind.mode() == mode);
        GitEntry { name: name.to_vec(), kind, usual, id }
    };
    Some(raw_tree(bytes)?.into_iter().map(entry).collect())
}

/// The order in which Git sorts entries: folders as if their names ended in a slash.
pub fn git_order(left: (&[u8], bool), right: (&[u8], bool)) -> std::cmp::Ordering {
    let end = |directory: bool| if directory { Some(b'/') } else { None };
    left.0.iter().copied().chain(end(left.1)).cmp(right.0.iter().copied().chain(end(right.1)))
}

/// A key and the first line of its value.
type Header<'a> = (&'a [u8], &'a [u8]);

/// Splits the headers, each with the lines that continue it, from what follows the empty line.
fn headers(bytes: &[u8]) -> (Vec<Header<'_>>, &[u8]) {
    let mut headers: Vec<Header<'_>> = Vec::new();
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            return (headers, rest);
        }
        if line[0] != b' ' {
            let blank = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
            headers.push((&line[..blank], line.get(blank + 1..).unwrap_or_default()));
        }
        if rest.is_empty() {
            return (headers, rest);
        }
    }
}

fn id_of(text: &[u8]) -> Option<GitId> {
    std::str::from_utf8(text.get(..GitId::SIZE * 2)?).ok()?.parse().ok()
}

/// Reads `Name <address> seconds zone`. What is broken becomes empty, or the year 1970.
fn actor(line: &[u8], encoding: Option<&[u8]>) -> Actor {
    let open = line.iter().position(|byte| *byte == b'<');
    let close = line.iter().rposition(|byte| *byte == b'>');
    let (name, email, rest) = match (open, close) {
        (Some(open), Some(close)) if open < close => {
            (&line[..open], &line[open + 1..close], &line[close + 1..])
        }
        _ => (line, &b""[..], &b""[..]),
    };
    let text = |bytes: &[u8]| decode(bytes, encoding).trim().to_owned();
    Actor { name: text(name), email: text(email), time: time(rest) }
}

fn time(text: &[u8]) -> Timestamp {
    let text = String::from_utf8_lossy(text);
    let mut words = text.split_ascii_whitespace();
    let seconds: i64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let zone: i32 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let offset = zone / 100 * 60 + zone % 100;
    // A zone beyond a day is a slip: the moment holds all the same.
    let offset_minutes = if (-1439..=1439).contains(&offset) { offset as i16 } else { 0 };
    Timestamp { unix_ms: seconds.saturating_mul(1000), offset_minutes }
}

fn message(bytes: &[u8], encoding: Option<&[u8]>) -> String {
    let mut text = decode(bytes, encoding).trim_end().to_owned();
    let mut end = MESSAGE_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Text in the encoding that the object names; bytes that fit none become replacement characters.
fn decode(bytes: &[u8], encoding: Option<&[u8]>) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    match encoding.and_then(encoding_rs::Encoding::for_label) {
        Some(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_commit_with_signature_and_encoding_is_understood() {
        let text = format!(
            "tree {ID}\nparent {ID}\nauthor Ana <a@b.example> 1700000000 +0230\ncommitter Bÿ <> -5 -7000\n\
             encoding ISO-8859-1\ngpgsig -----BEGIN\n \n line\n -----END\n\nHéllo\n\nbody\n",
        );
        let bytes: Vec<u8> = text.chars().map(|c| c as u32 as u8).collect();
        let commit = commit(&bytes);
        assert_eq!(commit.tree.map(|id| id.to_string()).as_deref(), Some(ID));
        assert_eq!(commit.parents.len(), 1);
        assert_eq!(commit.author.time, Timestamp { unix_ms: 1_700_000_000_000, offset_minutes: 150 });
        assert_eq!(commit.committer.name, "Bÿ");
        assert_eq!(commit.committer.time, Timestamp { unix_ms: -5000, offset_minutes: 0 });
        assert_eq!(commit.message, "Héllo\n\nbody");
    }

    #[test]
    fn the_text_of_a_tag_ends_where_its_signature_begins() {
        let text = |message: &str| {
            let bytes = format!("object {ID}\ntype commit\ntag v1\n\n{message}");
            tag(bytes.as_bytes()).expect("a tag").message
        };
        for armour in ARMOURS {
            assert_eq!(text(&format!("one\n\ntwo\n{armour}\nabc\n")), "one\n\ntwo");
        }
        assert_eq!(text("-----BEGIN SSH SIGNATURE-----\nabc\n"), "");
        assert_eq!(
            text("in text: -----BEGIN SSH SIGNATURE-----\n"),
            "in text: -----BEGIN SSH SIGNATURE-----"
        );
    }

    #[test]
    fn what_is_no_commit_says_nothing() {
        for bytes in [&b""[..], b"\n", b"tree", b"tree \nauthor", b"author <>\n> 5", &[0xff; 50]] {
            let commit = commit(bytes);
            assert_eq!((commit.tree, commit.parents.len()), (None, 0));
        }
    }

    #[test]
    fn trees_are_read_with_all_their_modes_and_refused_when_cut() {
        let mut bytes = Vec::new();
        for (mode, name) in [("100664", "a"), ("40000", "b"), ("160000", "c"), ("040000", "d"), ("7", "e")] {
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            bytes.extend_from_slice(&[7; 20]);
        }
        let entries = tree(&bytes).expect("a tree");
        let kinds: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.usual)).collect();
        assert_eq!(
            kinds,
            [
                (Some(EntryKind::File), false),
                (Some(EntryKind::Directory), true),
                (Some(EntryKind::Submodule), true),
                (Some(EntryKind::Directory), false),
                (None, false),
            ]
        );
        assert_eq!(tree(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn folders_sort_as_if_they_ended_in_a_slash() {
        assert!(git_order((b"a", true), (b"a.b", false)).is_gt());
        assert!(git_order((b"a", false), (b"a.b", false)).is_lt());
    }
}

//! A small studio on disk, with trees, content and index kept the simple way, for tests of the worktree.

use pentimento::base::id::{AssetId, FileId, TreeId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::base::time::Timestamp;
use pentimento::object::memory::MemoryObjects;
use pentimento::object::tree::{Content, TreeEntry};
use pentimento::object::tree_walk::tree_order;
use pentimento::rules::ignore::IgnoreStack;
use pentimento::worktree::checkout::{
    CheckoutPlan, CheckoutReport, ContentSource, KnownContent, LinkPolicy, PlanInput, Wanted, execute, plan,
};
use pentimento::worktree::clock::FsClock;
use pentimento::worktree::displaced::{self, Displacer};
use pentimento::worktree::index::{Fresh, Index, IndexBuild, build_index, empty_path_set};
use pentimento::worktree::probe::HashProbe;
use pentimento::worktree::root::Worktree;
use pentimento::worktree::seen::Seen;
use pentimento::worktree::stat::{FileStat, Node, NodeKind};
use pentimento::worktree::status::{Measure, Status, StatusInput, What, status};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub fn path(text: impl AsRef<[u8]>) -> AssetPath {
    AssetPath::from_bytes(text.as_ref()).expect("a valid path")
}

pub fn file_id(bytes: &[u8]) -> FileId {
    FileId::from_bytes(*blake3::hash(bytes).as_bytes())
}

/// A folder of work.
pub struct Studio {
    pub place: tempfile::TempDir,
    pub objects: MemoryObjects,
    pub contents: HashMap<FileId, Vec<u8>>,
    pub index: Option<Index>,
    pub moves: Vec<(AssetPath, AssetPath)>,
    /// Files known to be in the repository although the index does not say so.
    pub stored: HashMap<AssetPath, (FileStat, FileId)>,
}

impl Studio {
    pub fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(place.path().join(".pent/worktree")).expect("made");
        Self {
            place,
            objects: MemoryObjects::default(),
            contents: HashMap::new(),
            index: None,
            moves: Vec::new(),
            stored: HashMap::new(),
        }
    }

    pub fn root(&self) -> &Path {
        self.place.path()
    }

    pub fn pent(&self) -> PathBuf {
        self.root().join(".pent")
    }

    pub fn state(&self) -> PathBuf {
        self.root().join(".pent/worktree")
    }

    pub fn at(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.root().join(OsStr::from_bytes(name.as_ref()))
    }

    pub fn worktree(&self) -> Worktree {
        Worktree::open(self.root()).expect("opened")
    }

    pub fn write(&self, name: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) {
        let full = self.at(name);
        fs::create_dir_all(full.parent().expect("a parent")).expect("made");
        fs::write(full, bytes).expect("written");
    }

    pub fn read(&self, name: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        fs::read(self.at(name)).ok()
    }

    /// Takes everything on disk for committed: makes its tree and an index that knows all files.
    pub fn commit(&mut self) -> TreeId {
        let mut seen = Vec::new();
        let root = self.root().to_owned();
        let tree = self.store_folder(&root, &AssetPath::root(), &mut seen);
        seen.sort_by(|left, right| tree_order(&left.path, &right.path));
        self.index = Some(self.build_index(tree, None, &seen));
        tree
    }

    pub fn build_index(&self, tree: TreeId, previous: Option<&Index>, fresh: &[Fresh]) -> Index {
        let build = IndexBuild {
            source: &self.objects,
            tree,
            previous,
            fresh,
            path_set: empty_path_set(),
            is_expected: &|_| true,
        };
        build_index(&build, &self.state().join("index"), &SilentMonitor).expect("built")
    }

    fn store_folder(&mut self, full: &Path, folder: &AssetPath, seen: &mut Vec<Fresh>) -> TreeId {
        let clock = FsClock::new(&self.state());
        let mut entries = BTreeMap::new();
        for entry in fs::read_dir(full).expect("readable") {
            let entry = entry.expect("readable");
            let name = entry.file_name().as_bytes().to_vec();
            if folder.is_root() && name == b".pent" {
                continue;
            }
            let at = folder.join(&name).expect("a valid path");
            let system = rustix::fs::lstat(entry.path()).expect("there");
            let node = Node::from_system(&system);
            let bytes = match node.kind {
                NodeKind::Directory => {
                    let id = self.store_folder(&entry.path(), &at, seen);
                    let content = Content::Directory { id };
                    entries.insert(name.clone(), TreeEntry { name, asset: None, metadata: None, content });
                    continue;
                }
                NodeKind::File { .. } => fs::read(entry.path()).expect("readable"),
                NodeKind::Symlink => {
                    fs::read_link(entry.path()).expect("readable").as_os_str().as_bytes().to_vec()
                }
                NodeKind::Special(_) => continue,
            };
            let settled = clock.settle(&node.stat);
            let content = self.store(node.kind, bytes);
            let (Content::File { id, .. } | Content::Symlink { id, .. }) = &content else { continue };
            seen.push(Fresh { path: at.clone(), id: *id, stat: node.stat, settled });
            let mut asset = [0; 16];
            asset.copy_from_slice(&blake3::hash(at.as_bytes()).as_bytes()[..16]);
            let asset = Some(AssetId::from_bytes(asset));
            entries.insert(name.clone(), TreeEntry { name, asset, metadata: None, content });
        }
        self.objects.put_directory(entries.into_values())
    }

    /// Keeps bytes and says what content they are.
    pub fn store(&mut self, kind: NodeKind, bytes: Vec<u8>) -> Content {
        let (id, size) = (file_id(&bytes), bytes.len() as u64);
        self.contents.insert(id, bytes);
        match kind {
            NodeKind::Symlink => Content::Symlink { id, size },
            NodeKind::File { executable } => Content::File { id, size, executable },
            _ => Content::File { id, size, executable: false },
        }
    }

    pub fn file(&mut self, bytes: impl Into<Vec<u8>>) -> Content {
        self.store(NodeKind::File { executable: false }, bytes.into())
    }

    pub fn status(&self) -> Status {
        self.status_measured(Measure::Needed)
    }

    pub fn status_measured(&self, measure: Measure) -> Status {
        let input = StatusInput {
            worktree: &self.worktree(),
            index: self.index.as_ref(),
            state_dir: &self.state(),
            ignore: &IgnoreStack::new(b""),
            within: &[],
            moves: &self.moves,
            claims: &BTreeMap::new(),
            is_unwritten: &|_, _| false,
            probe: &HashProbe,
            measure,
        };
        status(&input, &SilentMonitor).expect("a status")
    }

    /// The changes as text, for comparing.
    pub fn changes(&self) -> Vec<String> {
        let told = |what: &What| match what {
            What::Moved { from, edited } => format!("moved from {from} edited {edited}"),
            other => format!("{other:?}").split([' ', '{']).next().unwrap_or("").to_lowercase(),
        };
        self.status().changes.iter().map(|change| format!("{} {}", change.path, told(&change.what))).collect()
    }
}

/// Gives out what the studio has stored.
impl ContentSource for Studio {
    type Error = std::io::Error;

    fn write_to(&self, id: FileId, _: u64, out: &mut File) -> Result<(), Self::Error> {
        out.write_all(&self.read_content(id)?)
    }

    fn read(&self, id: FileId, _: u64) -> Result<Vec<u8>, Self::Error> {
        self.read_content(id)
    }
}

impl Studio {
    fn read_content(&self, id: FileId) -> std::io::Result<Vec<u8>> {
        let missing = || std::io::Error::other("the content is missing");
        self.contents.get(&id).cloned().ok_or_else(missing)
    }

    pub fn plan(&self, wanted: &[Wanted]) -> CheckoutPlan {
        let worktree = self.worktree();
        let seen = Seen::open(&self.state().join("seen"));
        let input = PlanInput {
            worktree: &worktree,
            index: self.index.as_ref(),
            seen: seen.as_ref(),
            stored: &|path, node| {
                self.stored
                    .get(path)
                    .filter(|(stat, _)| *stat == node.stat)
                    .map(|(_, id)| KnownContent { id: *id, is_held: true })
            },
            is_held: &|_, _| true,
            wanted,
        };
        plan(&input, &SilentMonitor).expect("a plan")
    }

    pub fn execute(&self, plan: &CheckoutPlan) -> CheckoutReport {
        self.execute_with(plan, LinkPolicy::Any)
    }

    pub fn execute_with(&self, plan: &CheckoutPlan, links: LinkPolicy) -> CheckoutReport {
        let displacer = Displacer::new(&self.pent(), "restore", Timestamp::utc(1_772_381_999_000));
        let clock = FsClock::new(&self.state());
        execute(plan, &self.worktree(), self, &displacer, links, Some(&clock), &SilentMonitor)
            .expect("carried out")
    }

    /// Plans and carries out at once; nothing may fail.
    pub fn checkout(&self, wanted: &[Wanted]) -> CheckoutReport {
        let report = self.execute(&self.plan(wanted));
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        report
    }

    /// Everything that was put aside, as path and bytes.
    pub fn displaced(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        for set in displaced::list(&self.pent()).expect("a list") {
            for item in set.items {
                let full = self.pent().join("displaced").join(&set.id).join(item.number.to_string());
                let bytes =
                    if item.is_folder { b"folder".to_vec() } else { fs::read(full).unwrap_or_default() };
                found.push((item.path.map(|path| path.to_string()).unwrap_or_default(), bytes));
            }
        }
        found.sort();
        found
    }
}

pub fn want(name: impl AsRef<[u8]>, content: Content) -> Wanted {
    Wanted { path: path(name), content: Some(content) }
}

pub fn want_gone(name: impl AsRef<[u8]>) -> Wanted {
    Wanted { path: path(name), content: None }
}

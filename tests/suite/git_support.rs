//! Repositories made by stock Git and Git LFS, and comparisons of them with what became of them here.

use pentimento::app::import_git;
use pentimento::app::init;
use pentimento::base::id::{CommitId, GitId, RepositoryId};
use pentimento::base::monitor::{Monitor, SilentMonitor};
use pentimento::base::path::AssetPath;
use pentimento::base::time::{FixedClock, Timestamp};
use pentimento::import::ImportError;
use pentimento::import::git::export::{ExportWish, export};
use pentimento::import::git::run::Wish;
use pentimento::object::source::ObjectSource;
use pentimento::object::tree::Content;
use pentimento::object::tree_walk::TreeWalk;
use pentimento::repo::at_hand::AtHand;
use pentimento::repo::extract::Extractor;
use pentimento::repo::imports::git_commit_of;
use pentimento::repo::{Repository, View};
use pentimento::store::Access;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder in which Git works, sealed off from the settings of whoever runs the tests.
pub struct Git {
    pub dir: PathBuf,
}

impl Git {
    /// A new repository.
    pub fn init(dir: &Path) -> Self {
        let git = Self::at(dir);
        std::fs::create_dir_all(dir).expect("a folder");
        git.run(&["init", "-q", "-b", "main"]);
        git
    }

    /// A repository that is there.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Git with arguments, ready to run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.dir).args(arguments);
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "Ana Lind"),
            ("GIT_AUTHOR_EMAIL", "ana@example.org"),
            ("GIT_COMMITTER_NAME", "Bo Ek"),
            ("GIT_COMMITTER_EMAIL", "bo@example.org"),
            ("GIT_AUTHOR_DATE", "1700000000 +0530"),
            ("GIT_COMMITTER_DATE", "1700000100 -0230"),
            ("GIT_LFS_SKIP_SMUDGE", "0"),
            ("GIT_ALLOW_PROTOCOL", "file"),
            ("GIT_TERMINAL_PROMPT", "0"),
        ] {
            command.env(name, value);
        }
        command
    }

    /// Runs Git, which must succeed, and gives what it says.
    pub fn bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.command(arguments).output().expect("git is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?} in {}: {said}", self.dir.display());
        output.stdout
    }

    /// Runs Git and gives the text it says, without the line's end.
    pub fn run(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.bytes(arguments)).trim_end().to_owned()
    }

    /// Runs Git with something to read.
    pub fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("git is installed");
        child.stdin.take().expect("an input").write_all(input).expect("git reads");
        let output = child.wait_with_output().expect("git ends");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Writes a file of the worktree.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    /// Commits everything and gives the id.
    pub fn commit(&self, message: &str) -> String {
        self.run(&["add", "-A"]);
        self.run(&["commit", "-q", "--allow-empty", "-m", message]);
        self.run(&["rev-parse", "HEAD"])
    }

    /// Makes an object byte for byte, whatever Git thinks of it.
    pub fn object(&self, kind: &str, bytes: &[u8]) -> String {
        self.feed(&["hash-object", "-t", kind, "-w", "--stdin", "--literally"], bytes)
    }

    /// All commits that any name reaches.
    pub fn commits(&self) -> Vec<String> {
        self.run(&["rev-list", "--all"]).lines().map(str::to_owned).collect()
    }

    /// All names with what they name.
    pub fn refs(&self) -> String {
        self.run(&["--no-replace-objects", "for-each-ref", "--format=%(refname) %(objectname)"])
    }
}

/// The bytes of an entry of a tree.
pub fn tree_entry(mode: &str, name: &[u8], id: &str) -> Vec<u8> {
    let mut bytes = format!("{mode} ").into_bytes();
    bytes.extend_from_slice(name);
    bytes.push(0);
    bytes.extend_from_slice(id.parse::<GitId>().expect("an id").as_bytes());
    bytes
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    File { bytes: Vec<u8>, executable: bool },
    Link(Vec<u8>),
    Foreign(String),
}

pub type State = BTreeMap<Vec<u8>, Stands>;

/// A repository here.
pub struct Here {
    pub folder: tempfile::TempDir,
    pub repository: Repository,
}

pub fn clock() -> FixedClock {
    FixedClock(Timestamp::utc(1_772_000_000_000))
}

impl Here {
    /// A new repository.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options =
            init::Options { folder: folder.path().to_owned(), id: RepositoryId::from_bytes([7; 16]) };
        init::run(&options).expect("a new repository");
        let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
        Self { folder, repository }
    }

    /// Imports everything into a new repository.
    pub fn of(source: &Path) -> (Self, import_git::Report) {
        let here = Self::new();
        let report = here.import(source).unwrap_or_else(|error| panic!("{}", chain(&error)));
        (here, report)
    }

    pub fn import(&self, source: &Path) -> Result<import_git::Report, pentimento::app::error::AppError> {
        self.import_with(source, Wish::default(), &SilentMonitor)
    }

    pub fn import_with(
        &self,
        source: &Path,
        wish: Wish,
        monitor: &dyn Monitor,
    ) -> Result<import_git::Report, pentimento::app::error::AppError> {
        let options = import_git::Options { source: source.to_owned(), wish, lfs_storage: Vec::new() };
        import_git::run(&self.repository, &options, &clock(), monitor)
    }

    /// Exports everything.
    pub fn export(&self, target: &Path) -> pentimento::import::git::export::Exported {
        self.export_with(target, &ExportWish::default())
    }

    pub fn export_with(&self, target: &Path, wish: &ExportWish) -> pentimento::import::git::export::Exported {
        export(&self.repository, target, wish, &SilentMonitor)
            .unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    /// Exports everything by the repository's own settings.
    pub fn export_git(&self, target: &Path) -> pentimento::import::git::export::Exported {
        let options =
            pentimento::app::export_git::Options { target: target.to_owned(), wish: ExportWish::default() };
        let report = pentimento::app::export_git::run(&self.repository, &options, &SilentMonitor);
        report.unwrap_or_else(|error| panic!("{}", chain(&error))).exported
    }

    pub fn view(&self) -> View {
        self.repository.view().expect("a view")
    }

    /// The commits that came from Git, by their Git ids.
    pub fn by_git_id(&self) -> BTreeMap<String, CommitId> {
        by_git_id(&self.view())
    }

    /// Everything in a commit.
    pub fn state(&self, commit: CommitId) -> State {
        let view = self.view();
        let reader = self.repository.store().chunk_reader().expect("a reader");
        let extractor = Extractor::new(&reader, &view, &SilentMonitor);
        let read = |id, size| {
            let mut bytes = Vec::new();
            extractor.write_file(id, size, &mut bytes).expect("content");
            bytes
        };
        let tree = view.commit(commit).expect("a commit").tree;
        let mut state = State::new();
        for item in TreeWalk::new(&AtHand(&view), tree, AssetPath::root()) {
            let (path, entry) = item.expect("an entry");
            let stands = match entry.content {
                Content::File { id, size, executable } => Stands::File { bytes: read(id, size), executable },
                Content::Symlink { id, size } => Stands::Link(read(id, size)),
                Content::Directory { .. } => continue,
                Content::Foreign { algorithm, digest, .. } => {
                    Stands::Foreign(format!("{algorithm:?} {}", hex(&digest)))
                }
            };
            state.insert(path.as_bytes().to_vec(), stands);
        }
        state
    }
}

/// The commits that came from Git and that any name reaches, by their Git ids.
pub fn by_git_id(view: &View) -> BTreeMap<String, CommitId> {
    let mut found = BTreeMap::new();
    let mut waiting: Vec<CommitId> =
        view.references().expect("names").into_iter().map(|(_, target)| target.commit).collect();
    let kept = view.kept_git_references().expect("kept names");
    waiting.extend(kept.into_iter().filter_map(|(_, record)| record.commit));
    let mut met = std::collections::HashSet::new();
    while let Some(id) = waiting.pop() {
        if met.insert(id) {
            let commit = view.commit(id).expect("a commit");
            found.extend(git_commit_of(&commit).map(|git| (git.to_string(), id)));
            waiting.extend(commit.parents);
        }
    }
    found
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// What `git archive` makes of a commit; submodules, of which it makes folders, are not in it.
pub fn archived(git: &Git, commit: &str) -> State {
    let bytes = git.bytes(&["--no-replace-objects", "archive", "--format=tar", commit]);
    let mut state = State::new();
    let mut archive = tar::Archive::new(bytes.as_slice());
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let name = entry.path_bytes().into_owned();
        let stands = match entry.header().entry_type() {
            tar::EntryType::Symlink => Stands::Link(entry.link_name_bytes().expect("a target").into_owned()),
            tar::EntryType::Regular => {
                let executable = entry.header().mode().expect("a mode") & 0o100 != 0;
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).expect("content");
                Stands::File { bytes, executable }
            }
            _ => continue,
        };
        state.insert(name, stands);
    }
    state
}

/// What a checkout left in a folder.
pub fn on_disk(folder: &Path) -> State {
    let mut state = State::new();
    read_folder(folder, &mut Vec::new(), &mut state);
    state
}

fn read_folder(folder: &Path, prefix: &mut Vec<u8>, into: &mut State) {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::PermissionsExt as _;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        if prefix.is_empty() && (name == ".git" || name == ".pent") {
            continue;
        }
        let length = prefix.len();
        if length > 0 {
            prefix.push(b'/');
        }
        prefix.extend_from_slice(name.as_bytes());
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            read_folder(&entry.path(), prefix, into);
        } else if kind.is_symlink() {
            let target = std::fs::read_link(entry.path()).expect("a target");
            into.insert(prefix.clone(), Stands::Link(target.as_os_str().as_bytes().to_vec()));
        } else {
            let bytes = std::fs::read(entry.path()).expect("content");
            let executable = entry.metadata().expect("a mode").permissions().mode() & 0o100 != 0;
            into.insert(prefix.clone(), Stands::File { bytes, executable });
        }
        prefix.truncate(length);
    }
}

/// Insists that every commit of a repository is here and holds what `git archive` makes of it.
pub fn assert_same_states(git: &Git, here: &Here) -> usize {
    let by_id = here.by_git_id();
    let commits = git.commits();
    for id in &commits {
        let commit = by_id.get(id).unwrap_or_else(|| panic!("commit {id} was not imported"));
        let mut state = here.state(*commit);
        state.retain(
            |_, stands| !matches!(stands, Stands::Foreign(what) if what.starts_with("GitCommitSha1")),
        );
        let expected = archived(git, id);
        assert_eq!(names(&state), names(&expected), "paths of {id}");
        assert!(state == expected, "content of {id} differs");
    }
    commits.len()
}

fn names(state: &State) -> Vec<String> {
    state.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// Insists that an export has the same names and commits and is whole in the eyes of Git.
pub fn assert_round_trip(git: &Git, here: &Here) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("back.git");
    let exported = here.export(&target);
    let back = Git::at(&target);
    assert_eq!(back.refs(), git.refs());
    let (mut ours, mut theirs) = (back.commits(), git.commits());
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
    assert_eq!(exported.commits_changed, 0);
    if exported.missing_blobs == 0 {
        back.run(&["fsck", "--full", "--connectivity-only"]);
    }
}

/// The error of an import that must fail.
pub fn import_error(result: Result<import_git::Report, pentimento::app::error::AppError>) -> ImportError {
    match result {
        Err(pentimento::app::error::AppError::Import(error)) => error,
        Err(other) => panic!("another error: {}", chain(&other)),
        Ok(_) => panic!("the import should have failed"),
    }
}

//! The exit code of each error of the library, and what to try next. Every match is exhaustive, so
//! that a new error does not compile until someone has decided what to tell the user.

mod catalog;
mod policy;
mod review;
mod sync;
mod trust;

use crate::app::error::AppError;
use crate::app::review::ReviewError;
use crate::base::id::CommitId;
use crate::care::CareError;
use crate::catalog::collections::CollectionsError;
use crate::cli::failure::ExitStatus;
use crate::cli::known_names::{FileFrom, NameKind, Unknown};
use crate::diff::DiffError;
use crate::import::ImportError;
use crate::repo::RepoError;
use crate::repo::config::ConfigError;
use crate::repo::content::ContentError;
use crate::store::StoreError;
use crate::worktree::error::WorktreeError;

/// What to try when the disk is full.
const GC_HINT: &str = "`pent gc --dry-run` says what could go";

/// How to end and what to try.
pub(super) struct Advice {
    pub status: ExitStatus,
    pub hints: Vec<String>,
}

impl Advice {
    fn none(status: ExitStatus) -> Self {
        Self { status, hints: Vec::new() }
    }

    fn of(status: ExitStatus, hints: &[&str]) -> Self {
        Self { status, hints: hints.iter().map(|hint| (*hint).to_owned()).collect() }
    }

    /// The same advice with one more hint.
    pub(super) fn and(mut self, hint: String) -> Self {
        self.hints.push(hint);
        self
    }

    fn usage(hint: &str) -> Self {
        Self::of(ExitStatus::Usage, &[hint])
    }

    fn not_found(hint: &str) -> Self {
        Self::of(ExitStatus::NotFound, &[hint])
    }

    fn refused(hints: &[&str]) -> Self {
        Self::of(ExitStatus::Refused, hints)
    }

    fn unavailable(hint: &str) -> Self {
        Self::of(ExitStatus::Unavailable, &[hint])
    }

    fn damaged() -> Self {
        Self::of(
            ExitStatus::Damaged,
            &["`pent fsck` finds out what else is damaged; `pent repair` mends what can be mended"],
        )
    }
}

/// Advice on errors of use cases.
pub(super) fn app(error: &AppError) -> Advice {
    match error {
        AppError::Repo(error) => repo(error),
        AppError::Cancelled => Advice::none(ExitStatus::Interrupted),
        AppError::NoIdentity => Advice::refused(&["pent config user.name \"Your Name\", once and for all"]),
        AppError::Author { .. } => Advice::usage("--author \"Anna Lind <anna@example.org>\""),
        AppError::NotInRevision { .. }
        | AppError::NamesNothing { .. }
        | AppError::IsFolder { .. }
        | AppError::NoFile { .. } => other_path(error),
        AppError::Decoder { .. }
        | AppError::NoPicture { .. }
        | AppError::SeveralPictures { .. }
        | AppError::SidecarsInArchive
        | AppError::NotDrawn { .. } => drawing(error),
        AppError::Foreign { .. } | AppError::Submodule { .. } | AppError::NoOriginal { .. } => in_git(error),
        AppError::TargetTaken { .. }
        | AppError::IntoRepository { .. }
        | AppError::IntoOwnFolder { .. }
        | AppError::StillThere { .. }
        | AppError::NoDraft { .. } => wrong_place(error),
        AppError::Content(error) => content(error),
        AppError::Worktree(error) => worktree(error),
        AppError::Diff(error) => diff(error),
        AppError::Care(error) => care(error),
        AppError::Refused(refusal) => policy::refused(refusal),
        AppError::Policy(failure) => policy::policy(failure),
        AppError::Chain(error) => policy::chain(error),
        AppError::Write(error) => policy::write(error),
        AppError::Lock(failure) => policy::lock(failure),
        AppError::Review(error) => review::advice(error),
        AppError::Import(error) => import(error),
        AppError::Sync(error) => sync::advice(error),
        AppError::RemoteTaken { .. } => sync::taken(),
        AppError::MirrorOfItself { .. } => sync::mirror_of_itself(),
        AppError::Insecure { server, .. } => sync::insecure(server),
        AppError::CaresForItself { .. } => sync::cares_for_itself(),
        AppError::RemoteKind { .. } => sync::kind(),
        AppError::NotHere { is_withheld, .. } => sync::not_here(*is_withheld),
        AppError::Partial { .. } | AppError::OnlyHolder { .. } => sync::elsewhere(error),
        AppError::RemoteLeftOut { feature, .. } => sync::left_out(feature),
        AppError::OutsideWorktree { .. } => outside(),
        AppError::Setting { .. } | AppError::Path { .. } => Advice::none(ExitStatus::Usage),
        AppError::NameTaken { .. }
        | AppError::NameUnknown { .. }
        | AppError::NameNotThere { .. }
        | AppError::CurrentBranch { .. }
        | AppError::AlreadyThere { .. } => names(error),
        AppError::NotMerged { .. }
        | AppError::ShelvedWork { .. }
        | AppError::Unresolved { .. }
        | AppError::NoConflict { .. }
        | AppError::Uncommitted { .. }
        | AppError::NoMerge
        | AppError::MergeUnderWay { .. } => merging(error),
        AppError::Unfinished { .. } | AppError::NoRoomToFinish { .. } => unfinished(),
        AppError::NothingTo { .. } => Advice::refused(&["`pent journal` lists what was done"]),
        AppError::PathTaken { .. } => Advice::refused(&["choose another name, or move that file away first"]),
        AppError::FieldValue { .. } => Advice::usage("`pent meta set --help` lists the kinds of values"),
        AppError::Catalog(_)
        | AppError::Query(_)
        | AppError::Collections(_)
        | AppError::NoLikeness { .. }
        | AppError::Schema(_)
        | AppError::NoSchema => catalog::advice(error),
        AppError::Trust(error) => trust::trust(error),
        AppError::Identity(error) => trust::identity(error),
        AppError::Io { source, .. } => io(source),
    }
}

/// Advice on a path where nothing stands, or something else than was asked for.
fn other_path(error: &AppError) -> Advice {
    match error {
        AppError::NamesNothing { .. } => Advice::not_found(
            "`pent log --all` lists commits; put -- before paths that are in older revisions only",
        ),
        AppError::IsFolder { .. } => Advice::usage("name a file in it"),
        AppError::NoFile { .. } => Advice::usage("name the file that it points to"),
        _ => Advice::not_found("`pent log` with the path tells when it was there and where it moved"),
    }
}

fn outside() -> Advice {
    Advice::usage("name paths inside the repository's folder, or go there with `-C`")
}

/// Where names of a kind are listed.
fn unknown_name(kind: &str) -> Advice {
    Advice::not_found(match kind {
        "tag" => "`pent tag` lists the tags",
        "branch, draft or tag" => "`pent draft list` lists drafts and branches, `pent tag` the tags",
        "remote" => "`pent remote` lists the remotes; `pent remote add` adds one",
        "action" => "`pent review DRAFT --json` has the ids of all that was said",
        _ => "`pent draft list` lists drafts and branches",
    })
}

/// Advice on pictures that are not to be had.
fn drawing(error: &AppError) -> Advice {
    match error {
        AppError::Decoder { .. } => {
            Advice::unavailable("the program could not start itself; is it still installed where it was?")
        }
        AppError::NoPicture { .. } => Advice::refused(&["`pent info` tells what is known of it"]),
        AppError::SeveralPictures { .. } => Advice::usage("name one file after the revisions"),
        AppError::SidecarsInArchive => Advice::usage("export into a folder"),
        AppError::NotDrawn { .. } => Advice::refused(&["a smaller --edge may do"]),
        _ => Advice::none(ExitStatus::Refused),
    }
}

/// Advice on something that was meant for another place or name.
fn wrong_place(error: &AppError) -> Advice {
    Advice::refused(&[match error {
        AppError::IntoRepository { .. } => "name a folder outside of .pent",
        AppError::IntoOwnFolder { .. } => "name a folder beside this one, on another disk or on a share",
        AppError::StillThere { .. } => "remove it first; a copy that goes its own way needs nothing",
        AppError::NoDraft { .. } => "`pent draft` lists the drafts",
        _ => "name a folder that is new or empty",
    }])
}

fn unfinished() -> Advice {
    Advice::of(ExitStatus::Disk, &["make room on the disk and try again: it goes on where it stopped"])
}

/// Advice on names that are taken or not there, and on being on the branch already that is meant.
fn names(error: &AppError) -> Advice {
    match error {
        AppError::NameTaken { .. } => Advice::refused(&["choose another name, or remove the old one first"]),
        AppError::NameUnknown { kind, .. } => unknown_name(kind),
        AppError::NameNotThere { .. } => {
            Advice::not_found("`pent remote check --json` names all that it has")
        }
        AppError::CurrentBranch { .. } => Advice::refused(&["go to another with `pent switch` first"]),
        _ => Advice::refused(&["`pent draft list` lists where else to go"]),
    }
}

/// Advice on what stands in the way of joining drafts, or of removing one.
fn merging(error: &AppError) -> Advice {
    match error {
        AppError::NotMerged { name, .. } => still_needed(&format!("pent merge {name}, to keep them")),
        AppError::ShelvedWork { name, .. } => {
            still_needed(&format!("pent switch {name}, to look at that work"))
        }
        AppError::Unresolved { .. } => Advice::refused(&[
            "`pent status` lists them",
            "pent resolve --ours, --theirs or --both, with the path",
        ]),
        AppError::NoConflict { .. } => Advice::not_found("`pent status` lists what waits for a decision"),
        AppError::Uncommitted { .. } => Advice::refused(&[
            "pent commit, to keep that work first; the merge then takes it into account",
            "pent restore, to put the committed state back; what it replaces is kept",
        ]),
        AppError::NoMerge => Advice::refused(&["`pent merge` with the name of a draft begins one"]),
        AppError::MergeUnderWay { .. } => merge_under_way(),
        _ => Advice::none(ExitStatus::Refused),
    }
}

/// A branch that was to be removed has something that would be missed.
fn still_needed(first: &str) -> Advice {
    Advice::refused(&[first, "add --force to remove it all the same; `pent undo` brings it back"])
}

fn merge_under_way() -> Advice {
    Advice::refused(&[
        "`pent status` shows what waits for a decision; `pent commit` finishes the merge",
        "`pent undo` takes the merge back",
    ])
}

fn import(error: &ImportError) -> Advice {
    match error {
        ImportError::NoGit { .. } => Advice::not_found(
            "name the folder of a Git repository, or a file made by `git bundle create history.bundle --all`",
        ),
        ImportError::ObjectFormat { .. } => Advice::unavailable(
            "`git fast-export --all | git fast-import` into a new repository made with --object-format=sha1",
        ),
        ImportError::Open { .. } | ImportError::Archive { .. } => {
            Advice::unavailable("`git fsck` in that repository tells what is wrong with it")
        }
        ImportError::NotOrdinary { .. } => Advice::unavailable(
            "a sound repository has no such file: a fresh `git clone` of where it came from can be imported",
        ),
        ImportError::Thin { .. } => Advice::unavailable(
            "import all of what came before it first, or a bundle that holds everything: `git bundle create history.bundle --all`",
        ),
        ImportError::Bundle { .. } => Advice::unavailable("`git bundle verify` tells what is wrong with it"),
        ImportError::Object { .. } | ImportError::Missing { .. } => Advice::of(
            ExitStatus::Unavailable,
            &[
                "`git fsck` in that repository tells what is damaged, and a fresh `git clone` may have it",
                "what was imported so far is kept: run the import again and it goes on from there",
            ],
        ),
        ImportError::TooManyFiles { .. }
        | ImportError::TooLarge { .. }
        | ImportError::TooManyParents { .. } => Advice::refused(&[
            "leave that branch out by naming others with --branches, or narrow with --paths",
        ]),
        ImportError::NothingToImport { .. } => {
            Advice::not_found("`git branch --all` in that repository lists names")
        }
        ImportError::NothingAtPaths { .. } => Advice::not_found(
            "nothing was imported; `git ls-tree -r --name-only HEAD` in that repository lists paths",
        ),
        ImportError::PlanPlace { .. } => {
            Advice::usage("nothing was imported: mend the plan, or name the folder that it was made for")
        }
        ImportError::Argument { .. } | ImportError::Plan { .. } => Advice::none(ExitStatus::Usage),
        ImportError::Differs { .. } | ImportError::LfsDigest { .. } => Advice::damaged(),
        ImportError::TargetTaken { .. } | ImportError::TargetChanged { .. } => {
            Advice::refused(&["name a folder that is new or empty"])
        }
        ImportError::Cancelled => Advice::none(ExitStatus::Interrupted),
        ImportError::Content(error) => content(error),
        ImportError::Repo(error) => repo(error),
        ImportError::Io { source, .. } => io(source),
    }
}

fn repo(error: &RepoError) -> Advice {
    match error {
        RepoError::NotFound { .. } => Advice::of(
            ExitStatus::NotFound,
            &[
                "pent init, to begin one in this folder",
                "go to a folder inside a repository, or name it with `-C`",
            ],
        ),
        RepoError::Exists { .. } => Advice::refused(&["`pent status` shows how things stand"]),
        RepoError::Store(error) => store(error),
        RepoError::Damaged { .. }
        | RepoError::Altered { .. }
        | RepoError::Structure { .. }
        | RepoError::Missing { .. }
        | RepoError::Record { .. } => Advice::damaged(),
        RepoError::RefMoved { .. } | RepoError::StateMoved => Advice::of(
            ExitStatus::Unavailable,
            &["another command got there first; look with `pent log` and try again"],
        ),
        RepoError::Protected { .. } => Advice::refused(&[
            "`pent draft new`, then `pent submit`: people approve it and `pent land` moves the branch",
            "`pent policy show` says what it takes",
        ]),
        RepoError::LogMoved => {
            Advice::of(ExitStatus::Unavailable, &["another command got there first; try again"])
        }
        RepoError::NotAuthorised { .. } => Advice::none(ExitStatus::Refused),
        RepoError::OtherRoot => {
            Advice::refused(&["compare the fingerprint with a colleague's: `pent policy show`"])
        }
        RepoError::LogEntry { .. } => Advice::damaged(),
        RepoError::PolicyText { .. } => {
            Advice::usage("`pent policy check` says what is wrong with it, and where")
        }
        RepoError::TooManyProposals => {
            Advice::refused(&["`pent policy log` lists them; withdraw some first"])
        }
        RepoError::RefName(_) => Advice::usage("letters, digits, '-', '_' and '/' always work"),
        RepoError::RevisionSyntax(_) => Advice::usage(
            "a revision is @ (the newest), a name, the start of an id, @~3, main@{yesterday} or logo.psd@40",
        ),
        RepoError::UnknownRevision { .. } => {
            Advice::not_found("`pent log --all` lists commits, `pent draft list` and `pent tag` list names")
        }
        RepoError::AmbiguousRevision { candidates, .. } => {
            let hint = candidates.iter().take(5).map(CommitId::short).collect::<Vec<_>>().join(", ");
            Advice::not_found(&format!("write more of it: {hint}"))
        }
        RepoError::BeyondHistory { .. } | RepoError::UnknownVersion { .. } => {
            Advice::not_found("`pent log` shows how far it goes back")
        }
        RepoError::Date { .. } => Advice::usage("2026-03-01, yesterday, or \"2 weeks ago\""),
        RepoError::NoCommits => Advice::not_found("pent commit -m \"First state\""),
        RepoError::CommitSignature { .. } => Advice::refused(&["`pent verify` says what is wrong with it"]),
        RepoError::Config(error) => config(error),
        RepoError::Io { source, .. } => io(source),
    }
}

/// Advice on what Git has, or had, and this repository has not.
fn in_git(error: &AppError) -> Advice {
    match error {
        AppError::Submodule { .. } => {
            Advice::not_found("`pent cat .gitmodules` says where that repository is")
        }
        AppError::NoOriginal { .. } => Advice::not_found("`pent log --json` names the Git id of each commit"),
        _ => foreign(),
    }
}

fn foreign() -> Advice {
    Advice::not_found("bring the file in from where it came from, and commit it")
}

fn content(error: &ContentError) -> Advice {
    match error {
        ContentError::Read { source } | ContentError::Write { source } => io(source),
        ContentError::Cancelled => Advice::none(ExitStatus::Interrupted),
        ContentError::Store { source } => store(source),
        ContentError::Repository { source } => repo(source),
        ContentError::Chunk { source, .. } => store(source),
        ContentError::Erased { .. } => {
            Advice::not_found("nobody can bring it back; its history and other versions are as they were")
        }
        ContentError::Excused { .. } => Advice::not_found(
            "whoever still has it gives it to everybody by committing it anew, or with another history that has it",
        ),
        ContentError::Missing { .. }
        | ContentError::Manifest { .. }
        | ContentError::Size { .. }
        | ContentError::Content { .. } => Advice::damaged(),
    }
}

fn worktree(error: &WorktreeError) -> Advice {
    match error {
        WorktreeError::Io { source, .. } => io(source),
        WorktreeError::Refused { .. } => {
            Advice::refused(&["give it another name with `pent mv`, or bring it back elsewhere with `--to`"])
        }
        WorktreeError::Obstructed { obstacle, .. } => {
            Advice::refused(&[&format!("move {obstacle} out of the way, then try again")])
        }
        WorktreeError::Source { source } => beneath(source.as_ref()),
        WorktreeError::IndexDamaged => Advice::damaged(),
        WorktreeError::IndexTooLarge { .. } => Advice::refused(&["spread its files over several folders"]),
        WorktreeError::Occupied { path } => {
            Advice::refused(&[&format!("move {path} out of the way, then try again")])
        }
        WorktreeError::Foreign { .. } => foreign(),
        WorktreeError::DiskFull { .. } => {
            Advice::of(ExitStatus::Disk, &["make room on the disk and try again", GC_HINT])
        }
        WorktreeError::DisplacedUnknown { .. } => {
            Advice::not_found("they are kept for 30 days, then they go")
        }
        WorktreeError::Cancelled => Advice::none(ExitStatus::Interrupted),
    }
}

fn diff(error: &DiffError) -> Advice {
    match error {
        DiffError::Object(_)
        | DiffError::Content(_)
        | DiffError::MalformedTree { .. }
        | DiffError::MalformedManifest { .. }
        | DiffError::Path(_) => Advice::damaged(),
        DiffError::Elsewhere { .. } => sync::not_here(false),
        DiffError::Cancelled => Advice::none(ExitStatus::Interrupted),
    }
}

fn care(error: &CareError) -> Advice {
    match error {
        CareError::Repo(error) => repo(error),
        CareError::Cancelled => Advice::none(ExitStatus::Interrupted),
        CareError::Incomplete { .. } => Advice::of(
            ExitStatus::Damaged,
            &[
                "`pent repair` brings back what can be brought back",
                "add --accept-losses once you know that they are gone for good",
            ],
        ),
        CareError::RepairUnderWay => Advice::of(ExitStatus::Damaged, &["pent repair, to finish it"]),
        CareError::BeyondRepair { .. } => Advice::of(
            ExitStatus::Damaged,
            &["take the .pent folder from a backup; your own files are as they were"],
        ),
        CareError::NothingToErase { .. } => Advice::not_found("`pent log` with the path lists its versions"),
        CareError::Reason { .. } => Advice::usage("--reason \"Court order 12/26\""),
        CareError::Io { source, .. } => io(source),
    }
}

fn config(error: &ConfigError) -> Advice {
    match error {
        ConfigError::UnknownKey { .. } => Advice::usage("`pent config --keys` lists what can be set"),
        ConfigError::Value { .. } => Advice::usage("`pent config --keys` says what each setting takes"),
        ConfigError::Stored { key, .. } => {
            Advice::usage(&format!("set it anew with `pent config {key} VALUE`, or remove it with --unset"))
        }
        ConfigError::PersonOnly { .. } => Advice::usage("leave out --here"),
        ConfigError::RepositoryOnly { .. } => Advice::usage("leave out --everywhere, in that repository"),
        ConfigError::NoPlace { .. } => {
            Advice::not_found("--everywhere needs a home folder, --here a repository around you")
        }
        ConfigError::Syntax { path, .. } => {
            Advice::usage(&format!("mend {} with any text editor", crate::cli::output::place(path)))
        }
        ConfigError::NotATable { .. } => Advice::usage("mend the file with any text editor"),
        ConfigError::Random => Advice::none(ExitStatus::Disk),
        ConfigError::Io { source, .. } => io(source),
    }
}

fn store(error: &StoreError) -> Advice {
    match error {
        StoreError::NotARepository { .. } => Advice::not_found("pent init, to begin one"),
        StoreError::AlreadyExists { .. } => Advice::refused(&["`pent status` shows how things stand"]),
        StoreError::ForeignOwner { .. } => {
            Advice::unavailable("work as the user who owns it, or copy the folder so that it is yours")
        }
        StoreError::UnknownFeature { .. }
        | StoreError::UnknownFormat { .. }
        | StoreError::PackFeature { .. } => Advice::unavailable("use a newer Pentimento"),
        StoreError::ReadOnly => Advice::unavailable("you need the right to write in its folder"),
        StoreError::DiskFull { .. } => Advice::of(
            ExitStatus::Disk,
            &["make room and try again: what was stored already is not stored again", GC_HINT],
        ),
        StoreError::Cancelled => Advice::none(ExitStatus::Interrupted),
        StoreError::FormatFile { .. }
        | StoreError::Settings { .. }
        | StoreError::MissingChunk { .. }
        | StoreError::MissingPack { .. }
        | StoreError::PackTruncated { .. }
        | StoreError::PackDamaged { .. }
        | StoreError::LogDamaged { .. }
        | StoreError::DatabaseDamaged { .. } => Advice::damaged(),
        StoreError::DatabaseBehind { .. } => Advice::of(
            ExitStatus::Damaged,
            &["pent repair, to take what the log has more: db.redb is an old copy, perhaps from a backup"],
        ),
        StoreError::ChunkTooLarge { .. }
        | StoreError::RecordTooLarge { .. }
        | StoreError::WriterFailed
        | StoreError::Database { .. } => Advice::none(ExitStatus::Disk),
        StoreError::Io { source, .. } => io(source),
    }
}

/// Advice on what lies beneath an error that was passed on from another floor: damage, unless it is
/// known to be something else.
fn beneath(error: &(dyn std::error::Error + 'static)) -> Advice {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<StoreError>() {
            return store(error);
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return io(error);
        }
        next = error.source();
    }
    Advice::damaged()
}

fn io(error: &std::io::Error) -> Advice {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Advice::of(ExitStatus::Disk, &["make room on the disk and try again"])
        }
        std::io::ErrorKind::PermissionDenied => {
            Advice::of(ExitStatus::Disk, &["you need the right to read and write there"])
        }
        _ => Advice::none(ExitStatus::Disk),
    }
}

/// The name that is not there, when an error says so: for whoever knows names that are.
pub(super) fn unknown(error: &AppError) -> Option<Unknown> {
    let named = |text: &str, kind| Some(Unknown { text: text.to_owned(), kind: Some(kind), file: None });
    match error {
        AppError::NameUnknown { kind: "tag", name } => named(name, NameKind::Tag),
        AppError::NameUnknown { kind: "remote", name } => named(name, NameKind::Remote),
        AppError::NameUnknown { kind: "action", .. } => None,
        AppError::NameUnknown { name, .. } | AppError::Review(ReviewError::NoSubmission { name }) => {
            named(name, NameKind::Branch)
        }
        AppError::Repo(RepoError::UnknownRevision { text }) => named(text, NameKind::Revision),
        AppError::Repo(RepoError::Config(ConfigError::UnknownKey { name })) => named(name, NameKind::Setting),
        AppError::Collections(CollectionsError::Unknown { name }) => named(name, NameKind::Collection),
        AppError::NamesNothing { text } => {
            Some(Unknown { text: text.clone(), kind: Some(NameKind::Revision), file: Some(FileFrom::Folder) })
        }
        AppError::NotInRevision { path } => {
            Some(Unknown { text: path.to_string(), kind: None, file: Some(FileFrom::Top) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_deep_below_keep_their_exit_code() {
        let full = AppError::from(StoreError::DiskFull { path: "p".into(), needed: 2, available: 1 });
        assert_eq!(app(&full).status, ExitStatus::Disk);
        assert_eq!(app(&AppError::from(StoreError::ReadOnly)).status, ExitStatus::Unavailable);
        assert_eq!(app(&AppError::from(StoreError::Cancelled)).status, ExitStatus::Interrupted);
    }
}

//! The steps of a story: what a person does to files, and what they ask of the program.

use pentimento::app::resolve::Decision;
use proptest::prelude::*;

/// Paths that stories use. Some are a file in one moment and a folder in another; those that end in
/// `.tmp` are ignored.
pub const PATHS: [&str; 16] = [
    "a",
    "a/x.psd",
    "a/y.txt",
    "b.txt",
    "c.bin",
    "d",
    "d/e",
    "d/e/f.png",
    "d/e/g.txt",
    "brief.md",
    "k/ä.svg",
    "k/run.sh",
    "two.tmp",
    "a/one.tmp",
    "d/e/three.tmp",
    "Z z/n\nl",
];

pub const DRAFTS: [&str; 3] = ["bold", "calm", "wild/one"];
pub const TAGS: [&str; 2] = ["sent", "print/final"];
pub const WORDS: [&str; 3] = ["approved", "spring", "web"];

/// One step. Numbers pick among what there is at the moment, or among the constants above.
#[derive(Debug, Clone)]
pub enum Step {
    Write {
        at: u8,
        content: u8,
    },
    Edit {
        nth: u8,
        seed: u8,
    },
    EditQuietly {
        nth: u8,
        seed: u8,
    },
    Touch {
        nth: u8,
    },
    Remove {
        nth: u8,
    },
    RemoveFolder {
        nth: u8,
    },
    Rename {
        nth: u8,
        at: u8,
    },
    RenameFolder {
        nth: u8,
        at: u8,
    },
    Copy {
        nth: u8,
        at: u8,
    },
    Mode {
        nth: u8,
    },
    Link {
        at: u8,
        target: u8,
    },
    Commit,
    CommitPath {
        at: u8,
    },
    Label {
        nth: u8,
        word: u8,
        remove: bool,
    },
    /// Gives the title of a file another value, or removes it.
    Title {
        nth: u8,
        value: Option<u8>,
    },
    TagSet {
        name: u8,
        commit: u8,
    },
    TagDelete {
        name: u8,
    },
    Collect {
        now: bool,
    },
    /// Hides a folder, looks around, and takes it back.
    Hide {
        nth: u8,
    },
    Mv {
        nth: u8,
        at: u8,
    },
    MvFolder {
        nth: u8,
        at: u8,
    },
    DraftCreate {
        name: u8,
    },
    DraftBegin {
        name: u8,
    },
    DraftDelete {
        nth: u8,
        force: bool,
    },
    DraftRename {
        nth: u8,
        name: u8,
    },
    Switch {
        nth: u8,
    },
    /// Another branch goes to where this one stands, as if somebody had landed on it.
    Advance {
        nth: u8,
    },
    Merge {
        nth: u8,
    },
    Resolve {
        nth: Option<u8>,
        decision: Decision,
    },
    Restore {
        commit: u8,
        at: Option<u8>,
        exact: bool,
    },
    Undo,
    Redo,
    Reopen,
}

fn pick() -> impl Strategy<Value = u8> {
    any::<u8>()
}

fn edits() -> BoxedStrategy<Step> {
    prop_oneof![
        6 => (pick(), pick()).prop_map(|(at, content)| Step::Write { at, content }),
        6 => (pick(), pick()).prop_map(|(nth, seed)| Step::Edit { nth, seed }),
        2 => (pick(), pick()).prop_map(|(nth, seed)| Step::EditQuietly { nth, seed }),
        1 => pick().prop_map(|nth| Step::Touch { nth }),
        3 => pick().prop_map(|nth| Step::Remove { nth }),
        1 => pick().prop_map(|nth| Step::RemoveFolder { nth }),
        3 => (pick(), pick()).prop_map(|(nth, at)| Step::Rename { nth, at }),
        1 => (pick(), pick()).prop_map(|(nth, at)| Step::RenameFolder { nth, at }),
        2 => (pick(), pick()).prop_map(|(nth, at)| Step::Copy { nth, at }),
        2 => pick().prop_map(|nth| Step::Mode { nth }),
        2 => (pick(), pick()).prop_map(|(at, target)| Step::Link { at, target }),
    ]
    .boxed()
}

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![Just(Decision::Ours), Just(Decision::Theirs), Just(Decision::Both), Just(Decision::AsIs)]
}

fn commands() -> BoxedStrategy<Step> {
    prop_oneof![
        6 => Just(Step::Commit),
        2 => pick().prop_map(|at| Step::CommitPath { at }),
        2 => (pick(), pick(), any::<bool>())
            .prop_map(|(nth, word, remove)| Step::Label { nth, word, remove }),
        1 => (pick(), proptest::option::of(0..4u8)).prop_map(|(nth, value)| Step::Title { nth, value }),
        1 => (pick(), pick()).prop_map(|(name, commit)| Step::TagSet { name, commit }),
        1 => pick().prop_map(|name| Step::TagDelete { name }),
        1 => any::<bool>().prop_map(|now| Step::Collect { now }),
        1 => pick().prop_map(|nth| Step::Hide { nth }),
        3 => (pick(), pick()).prop_map(|(nth, at)| Step::Mv { nth, at }),
        1 => (pick(), pick()).prop_map(|(nth, at)| Step::MvFolder { nth, at }),
        1 => pick().prop_map(|name| Step::DraftCreate { name }),
        1 => pick().prop_map(|name| Step::DraftBegin { name }),
        1 => (pick(), any::<bool>()).prop_map(|(nth, force)| Step::DraftDelete { nth, force }),
        1 => (pick(), pick()).prop_map(|(nth, name)| Step::DraftRename { nth, name }),
        5 => pick().prop_map(|nth| Step::Switch { nth }),
        2 => pick().prop_map(|nth| Step::Advance { nth }),
        3 => pick().prop_map(|nth| Step::Merge { nth }),
        3 => (proptest::option::of(pick()), decision())
            .prop_map(|(nth, decision)| Step::Resolve { nth, decision }),
        4 => (pick(), proptest::option::of(pick()), any::<bool>())
            .prop_map(|(commit, at, exact)| Step::Restore { commit, at, exact }),
        5 => Just(Step::Undo),
        3 => Just(Step::Redo),
        1 => Just(Step::Reopen),
    ]
    .boxed()
}

/// One step of any kind.
pub fn step() -> BoxedStrategy<Step> {
    prop_oneof![1 => edits(), 1 => commands()].boxed()
}

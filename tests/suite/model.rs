//! Random stories of files, edits and commands, held against a naive model in memory.
//!
//! After every step the worktree holds exactly what the model says, `status` tells exactly the
//! difference to the last commit, and everything that ever stood in the worktree is still to be had:
//! in the files, in a commit, with a branch, or set aside.
//!
//! A few stories of several seeds are told every time. `PENT_CI=long` tells thousands of longer ones;
//! `PENT_MODEL_CASES` and `PENT_MODEL_STEPS` choose how many and how long, `PENT_MODEL_SEED` tells
//! others, and `PENT_MODEL_SHRINK` says after how many tellings a failing one is short enough;
//! with `PENT_MODEL_SHOW=1` it is told step by step.

mod commands;
mod joining;
mod notes;
mod shortest;
mod steps;
mod story;
pub mod things;
mod user;
pub mod world;

use pentimento::app::resolve::Decision;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use shortest::{failure, shortest};
use steps::{Step, step};
use story::Story;

fn setting(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Tells a story to its end, then reads every commit back.
fn tell(steps: &[Step]) {
    let mut story = Story::begin();
    for step in steps {
        story = story.tell(step);
    }
    story.world = story.world.reopen();
    for (id, files) in &story.world.commits {
        assert_eq!(*files, story.world.read_commit(*id), "{id} is not what was committed");
    }
}

/// Tells stories of one seed; a failure names the shortest one that still fails.
fn tell_stories(seed: u32) {
    let is_long = std::env::var("PENT_CI").is_ok_and(|mode| mode == "long");
    let (cases, steps) = if is_long { (500, 300) } else { (2, 120) };
    let (cases, steps) = (setting("PENT_MODEL_CASES", cases), setting("PENT_MODEL_STEPS", steps));
    // Stories are cut down by leaving steps out, which does better here than making their numbers smaller.
    let config = Config { cases, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let seed = setting("PENT_MODEL_SEED", 0).wrapping_add(seed);
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    // Short stories fail in fewer words; long ones go further.
    let stories = proptest::collection::vec(step(), steps as usize / 4..=steps as usize);
    let outcome = runner
        .run(&stories, |steps| failure(&steps).map_or(Ok(()), |reason| Err(TestCaseError::fail(reason))));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => {
            let steps = shortest(steps, reason.message(), setting("PENT_MODEL_SHRINK", 300));
            shortest::show(setting("PENT_MODEL_SHOW", 0) > 0);
            let reason = failure(&steps).unwrap_or_default();
            let lines: Vec<String> = steps.iter().map(|step| format!("Step::{step:?},")).collect();
            panic!("seed {seed}: {reason}\nin the story\n{}", lines.join("\n"));
        }
        Err(error) => panic!("{error}"),
    }
}

macro_rules! stories {
    ($($name:ident $seed:literal)*) => { $(
        #[test]
        fn $name() {
            tell_stories($seed);
        }
    )* };
}

// Side by side, each with a share of the stories.
stories! {
    stories_of_seed_one_go_as_a_naive_model_says 1
    stories_of_seed_two_go_as_a_naive_model_says 2
    stories_of_seed_three_go_as_a_naive_model_says 3
    stories_of_seed_four_go_as_a_naive_model_says 4
    stories_of_seed_five_go_as_a_naive_model_says 5
    stories_of_seed_six_go_as_a_naive_model_says 6
}

/// The shortest forms of stories that went wrong once.
#[test]
fn stories_that_went_wrong_once_go_well() {
    // A file is moved by command to a name that rules leave out, and committed by the folder of that name.
    tell(&[
        Step::Write { at: 15, content: 0 },
        Step::Commit,
        Step::Mv { nth: 0, at: 14 },
        Step::Write { at: 113, content: 67 },
        Step::CommitPath { at: 22 },
        Step::Commit,
    ]);
    // Something else takes the old place of a labelled file that was moved by command.
    tell(&[
        Step::Link { at: 9, target: 18 },
        Step::Label { nth: 74, word: 139, remove: false },
        Step::Commit,
        Step::Mv { nth: 67, at: 5 },
        Step::Write { at: 7, content: 15 },
        Step::Link { at: 13, target: 61 },
        Step::Mv { nth: 189, at: 9 },
        Step::Commit,
    ]);
    // A file and something that rules leave out lie in a folder whose place a file of another draft takes,
    // and that is taken back.
    tell(&[
        Step::Write { at: 140, content: 176 },
        Step::DraftCreate { name: 199 },
        Step::Write { at: 149, content: 154 },
        Step::Switch { nth: 226 },
        Step::Write { at: 183, content: 82 },
        Step::Mv { nth: 131, at: 69 },
        Step::Switch { nth: 197 },
        Step::Undo,
        Step::Redo,
        Step::Undo,
    ]);
    // A labelled file is moved by command, the commit of that is taken back, and what is committed comes
    // back to where it was.
    for whole in [true, false] {
        let at = (!whole).then_some(0);
        tell(&[
            Step::Write { at: 1, content: 0 },
            Step::Label { nth: 0, word: 1, remove: false },
            Step::Commit,
            Step::Mv { nth: 0, at: 10 },
            Step::Commit,
            Step::Undo,
            Step::Restore { commit: 1, at, exact: whole },
            Step::Commit,
            Step::Undo,
            Step::Undo,
            Step::Redo,
        ]);
    }
    // A switch is taken back while its draft has a file with another mode, and done again.
    tell(&[
        Step::Link { at: 95, target: 0 },
        Step::Commit,
        Step::Undo,
        Step::DraftBegin { name: 104 },
        Step::Mv { nth: 0, at: 144 },
        Step::TagSet { name: 125, commit: 20 },
        Step::DraftRename { nth: 74, name: 68 },
        Step::Write { at: 86, content: 112 },
        Step::Rename { nth: 7, at: 95 },
        Step::Switch { nth: 69 },
        Step::Switch { nth: 14 },
        Step::Switch { nth: 93 },
        Step::Undo,
        Step::Commit,
        Step::Undo,
        Step::Mode { nth: 198 },
        Step::Undo,
        Step::Redo,
    ]);
    // A file is moved by command, removed by hand, and the place where it went is committed.
    tell(&[
        Step::Write { at: 193, content: 148 },
        Step::Commit,
        Step::Mv { nth: 37, at: 142 },
        Step::Write { at: 245, content: 144 },
        Step::CommitPath { at: 206 },
    ]);
    // What was moved by command is written once more at its old place, with the same bytes.
    tell(&[
        Step::Write { at: 98, content: 24 },
        Step::Title { nth: 185, value: Some(3) },
        Step::Commit,
        Step::Mode { nth: 145 },
        Step::Commit,
        Step::Write { at: 210, content: 186 },
        Step::Commit,
        Step::Copy { nth: 52, at: 42 },
        Step::Link { at: 171, target: 114 },
        Step::Rename { nth: 41, at: 182 },
        Step::Write { at: 236, content: 200 },
        Step::Write { at: 122, content: 133 },
        Step::Restore { commit: 185, at: None, exact: true },
        Step::Commit,
        Step::Mv { nth: 85, at: 245 },
        Step::Write { at: 194, content: 96 },
    ]);
    // Two conflicts of a merge have one path, and both are decided at once.
    tell(&[
        Step::DraftBegin { name: 86 },
        Step::Write { at: 70, content: 74 },
        Step::Write { at: 83, content: 97 },
        Step::Rename { nth: 131, at: 75 },
        Step::Write { at: 49, content: 183 },
        Step::Write { at: 111, content: 175 },
        Step::Write { at: 205, content: 226 },
        Step::Commit,
        Step::RenameFolder { nth: 150, at: 25 },
        Step::Switch { nth: 19 },
        Step::Copy { nth: 222, at: 46 },
        Step::Write { at: 84, content: 90 },
        Step::Commit,
        Step::Undo,
        Step::Merge { nth: 196 },
        Step::Restore { commit: 39, at: None, exact: true },
        Step::Write { at: 9, content: 235 },
        Step::Write { at: 92, content: 59 },
        Step::Remove { nth: 207 },
        Step::Copy { nth: 129, at: 114 },
        Step::Switch { nth: 108 },
        Step::Link { at: 41, target: 97 },
        Step::Write { at: 210, content: 217 },
        Step::Commit,
        Step::Switch { nth: 103 },
        Step::Commit,
        Step::Merge { nth: 222 },
        Step::Resolve { nth: Some(24), decision: Decision::Theirs },
    ]);
    // What was moved by command while a merge waits has something else in its old place.
    tell(&[
        Step::DraftCreate { name: 200 },
        Step::Link { at: 254, target: 15 },
        Step::Write { at: 67, content: 111 },
        Step::Switch { nth: 244 },
        Step::Copy { nth: 13, at: 116 },
        Step::Link { at: 129, target: 132 },
        Step::Switch { nth: 25 },
        Step::Copy { nth: 100, at: 250 },
        Step::Write { at: 48, content: 71 },
        Step::Write { at: 184, content: 80 },
        Step::Commit,
        Step::Switch { nth: 162 },
        Step::Commit,
        Step::Merge { nth: 45 },
        Step::Mv { nth: 220, at: 231 },
        Step::Rename { nth: 32, at: 148 },
    ]);
    // A merge brings a title, and the version without it is restored before anything is decided.
    tell(&[
        Step::DraftCreate { name: 2 },
        Step::Write { at: 232, content: 0 },
        Step::Write { at: 225, content: 241 },
        Step::Title { nth: 149, value: Some(1) },
        Step::CommitPath { at: 145 },
        Step::Commit,
        Step::Switch { nth: 18 },
        Step::Write { at: 215, content: 198 },
        Step::Commit,
        Step::Write { at: 216, content: 218 },
        Step::CommitPath { at: 149 },
        Step::Write { at: 41, content: 62 },
        Step::Commit,
        Step::Write { at: 42, content: 120 },
        Step::Commit,
        Step::Merge { nth: 61 },
        Step::Restore { commit: 110, at: None, exact: false },
    ]);
    // Work that waited with a draft collides with what came there, and everything is decided.
    tell(&[
        Step::DraftBegin { name: 88 },
        Step::Write { at: 52, content: 204 },
        Step::DraftBegin { name: 111 },
        Step::Commit,
        Step::Write { at: 159, content: 36 },
        Step::Undo,
        Step::Rename { nth: 252, at: 10 },
        Step::Edit { nth: 210, seed: 158 },
        Step::Switch { nth: 232 },
        Step::Restore { commit: 1, at: None, exact: false },
        Step::Commit,
        Step::Advance { nth: 207 },
        Step::Switch { nth: 255 },
        Step::Resolve { nth: None, decision: Decision::Theirs },
    ]);
    // Both sides want a path, and something new is put there before ours gets it.
    tell(&[
        Step::Write { at: 13, content: 94 },
        Step::DraftBegin { name: 83 },
        Step::Write { at: 6, content: 204 },
        Step::Commit,
        Step::Switch { nth: 129 },
        Step::Copy { nth: 18, at: 167 },
        Step::Commit,
        Step::Merge { nth: 34 },
        Step::Write { at: 198, content: 211 },
        Step::Resolve { nth: None, decision: Decision::Ours },
    ]);
    // A decision is taken back that changed nothing in the files.
    tell(&[
        Step::Write { at: 87, content: 5 },
        Step::Commit,
        Step::DraftCreate { name: 12 },
        Step::Rename { nth: 216, at: 2 },
        Step::DraftBegin { name: 107 },
        Step::Commit,
        Step::Switch { nth: 131 },
        Step::RemoveFolder { nth: 182 },
        Step::Commit,
        Step::Merge { nth: 247 },
        Step::Resolve { nth: None, decision: Decision::Theirs },
        Step::Undo,
    ]);
    // What was moved by command and removed is committed by its old place.
    tell(&[
        Step::Link { at: 183, target: 83 },
        Step::Label { nth: 91, word: 100, remove: false },
        Step::Commit,
        Step::Mv { nth: 5, at: 75 },
        Step::RemoveFolder { nth: 161 },
        Step::CommitPath { at: 69 },
    ]);
    // A version without labels comes back of an asset that has some elsewhere.
    tell(&[
        Step::Write { at: 228, content: 104 },
        Step::Commit,
        Step::Rename { nth: 72, at: 203 },
        Step::Title { nth: 31, value: Some(1) },
        Step::Commit,
        Step::Restore { commit: 37, at: None, exact: true },
        Step::Commit,
    ]);
    // Something new lies in a folder that took the old place of a file, of which the new place is committed.
    tell(&[
        Step::Write { at: 53, content: 93 },
        Step::Commit,
        Step::Mv { nth: 35, at: 153 },
        Step::Mv { nth: 55, at: 162 },
        Step::Undo,
        Step::Write { at: 104, content: 132 },
        Step::CommitPath { at: 249 },
    ]);
    // A file comes back to where somebody had made a folder and emptied it.
    tell(&[
        Step::Write { at: 38, content: 166 },
        Step::Commit,
        Step::Mode { nth: 180 },
        Step::Restore { commit: 216, at: None, exact: true },
        Step::Link { at: 56, target: 249 },
        Step::Copy { nth: 196, at: 64 },
        Step::Remove { nth: 131 },
        Step::Undo,
    ]);
    // A label is put on what a merge has brought with a label of its own.
    tell(&[
        Step::Write { at: 3, content: 100 },
        Step::Write { at: 173, content: 166 },
        Step::Commit,
        Step::Write { at: 191, content: 186 },
        Step::Label { nth: 49, word: 85, remove: false },
        Step::Write { at: 235, content: 243 },
        Step::DraftCreate { name: 24 },
        Step::Remove { nth: 124 },
        Step::Commit,
        Step::Switch { nth: 92 },
        Step::Remove { nth: 141 },
        Step::Write { at: 151, content: 235 },
        Step::Commit,
        Step::Merge { nth: 123 },
        Step::Copy { nth: 0, at: 160 },
        Step::Link { at: 196, target: 6 },
        Step::Label { nth: 186, word: 30, remove: false },
    ]);
    // What was moved by command is put back by hand.
    tell(&[
        Step::Write { at: 41, content: 199 },
        Step::Label { nth: 233, word: 111, remove: false },
        Step::Link { at: 101, target: 123 },
        Step::Commit,
        Step::Link { at: 0, target: 226 },
        Step::Mv { nth: 52, at: 148 },
        Step::Rename { nth: 247, at: 201 },
    ]);
    // A folder takes the place of a labelled file, and something else of it is committed.
    tell(&[
        Step::Write { at: 116, content: 118 },
        Step::Write { at: 243, content: 190 },
        Step::Rename { nth: 95, at: 110 },
        Step::Title { nth: 155, value: Some(1) },
        Step::Copy { nth: 107, at: 81 },
        Step::Copy { nth: 4, at: 8 },
        Step::Remove { nth: 22 },
        Step::Commit,
        Step::RenameFolder { nth: 150, at: 115 },
        Step::CommitPath { at: 177 },
    ]);
}

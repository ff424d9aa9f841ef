//! Random stories of files, edits and commands, held against a naive model in memory.
//!
//! After every step the worktree holds exactly what the model says, `status` tells exactly the
//! difference to the last commit, and everything that ever stood in the worktree is still to be had:
//! in the files, in a commit, with a branch, or set aside.
//!
//! `PENT_MODEL_CASES` and `PENT_MODEL_STEPS` make it long; `PENT_MODEL_SEED` another story.

mod commands;
mod joining;
mod steps;
mod story;
pub mod things;
mod user;
pub mod world;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
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

#[test]
fn random_stories_go_as_a_naive_model_says() {
    let (cases, steps) = (setting("PENT_MODEL_CASES", 8), setting("PENT_MODEL_STEPS", 120));
    let config = Config {
        cases,
        max_shrink_iters: setting("PENT_MODEL_SHRINK", 300),
        failure_persistence: None,
        ..Config::default()
    };
    let seed = setting("PENT_MODEL_SEED", 1);
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let stories = proptest::collection::vec(step(), 1..=steps as usize);
    let outcome = runner.run(&stories, |steps| {
        tell(&steps);
        Ok::<(), TestCaseError>(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => {
            let lines: Vec<String> = steps.iter().map(|step| format!("{step:?},")).collect();
            panic!("{reason}\nin the story\n{}", lines.join("\n"));
        }
        Err(error) => panic!("{error}"),
    }
}

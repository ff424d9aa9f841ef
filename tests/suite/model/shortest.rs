//! Cuts a story that fails down to its shortest form, by leaving out parts of it that are halved again and
//! again (Zeller, Hildebrandt 2002, "Simplifying and isolating failure-inducing input").

use super::steps::Step;
use super::tell;
use super::world::World;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread tries stories of which nobody wants to hear.
    static IS_TRYING: Cell<bool> = const { Cell::new(false) };
    /// Whether what comes of each step is shown.
    static IS_SHOWN: Cell<bool> = const { Cell::new(false) };
}

/// Lets what comes of each step be shown from now on.
pub fn show(on: bool) {
    IS_SHOWN.set(on);
}

/// Shows what a step has made of the world.
pub fn show_step(step: &Step, world: &World) {
    if IS_SHOWN.get() {
        let state = world.view().state().expect("a state");
        let files = world.observe().files;
        eprintln!("{step:?}\n  files {files:?}\n  waits {:?}", state.pending);
        if let Some(merge) = state.merge {
            eprintln!("  undecided {:#?}", merge.conflicts);
        }
    }
}

/// Why a story fails, or `None` when it goes well.
pub fn failure(steps: &[Step]) -> Option<String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let tell_all = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_TRYING.get() {
                tell_all(info);
            }
        }));
    });
    IS_TRYING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| tell(steps)));
    IS_TRYING.set(false);
    let reason = outcome.err()?;
    let text = reason.downcast_ref::<String>().cloned();
    Some(text.or_else(|| reason.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}

/// How a failure begins, without names and numbers: by that two of one kind are known.
fn kind(reason: &str) -> String {
    reason.split(['{', '(', '[', '"', '/', '.']).next().unwrap_or_default().to_owned()
}

/// A story without any step that it does not fail without in the same way, after at most `most` more tellings.
pub fn shortest(mut steps: Vec<Step>, reason: &str, most: u32) -> Vec<Step> {
    let (mut told, wanted) = (0, kind(reason));
    let mut length = steps.len().div_ceil(2);
    while length > 0 {
        let (mut end, mut is_shorter) = (steps.len(), false);
        // From the end: what comes after the failure goes first.
        while end > 0 {
            let start = end.saturating_sub(length);
            if told == most {
                return steps;
            }
            told += 1;
            let without = [&steps[..start], &steps[end..]].concat();
            if failure(&without).is_some_and(|reason| kind(&reason) == wanted) {
                steps = without;
                is_shorter = true;
            }
            end = start;
        }
        if length > 1 || !is_shorter {
            length /= 2;
        }
    }
    steps
}

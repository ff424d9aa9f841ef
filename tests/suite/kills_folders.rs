//! Commands are killed that put whole folders aside and bring them back.

use crate::kills::{Dice, assert_same, assert_sound, kill, kills, measured, studio, write};
use crate::model::things::read_folder;

/// Files that the repository keeps of a folder come back in two ways: with the folder, which was set aside for what
/// rules leave out of it, and out of the store, where it lacks them.
#[test]
fn an_undo_that_brings_a_folder_back_is_brought_to_its_end() {
    let world = studio();
    let mut dice = Dice(77);
    write(&world, ".pentignore", "*.tmp\n");
    world.ok(&["commit", "-m", "Rules"]);
    world.ok(&["draft", "new", "flat"]);
    write(&world, "set", "a file in the place of a folder");
    world.ok(&["commit", "-m", "Flat"]);
    world.ok(&["switch", "main"]);
    for number in 0..40 {
        write(&world, &format!("set/{number}/page.txt"), format!("page {number}"));
    }
    world.ok(&["commit", "-m", "Pages"]);
    let scratch = |round: u64| {
        for number in 0..5 {
            write(&world, &format!("set/{number}/scratch.tmp"), format!("never kept, {round}"));
        }
    };
    scratch(0);
    world.ok(&["switch", "flat"]);
    let usual = measured(|| drop(world.ok(&["undo"])));
    let (mut taken_back, mut waited) = (0, 0);
    for round in 1..=kills() {
        scratch(round);
        let before = read_folder(&world.studio());
        world.ok(&["switch", "flat"]);
        let flat = read_folder(&world.studio());
        assert!(!flat.contains_key("set/1/page.txt") && flat.contains_key("set"));
        let was_done = kill(&world, &["undo"], usual, &mut dice);
        // Any command ends what was begun.
        let branch = world.json(&["status"])["branch"].as_str().expect("a branch").to_owned();
        world.pent(&["switch", &branch]);
        let after = read_folder(&world.studio());
        if branch == "main" {
            assert_same(&before, &after, &format!("round {round}, taken back"));
            taken_back += 1;
        } else {
            assert!(!was_done, "what was reported is not so");
            assert_same(&flat, &after, &format!("round {round}, not begun"));
            world.ok(&["undo"]);
            assert_same(&before, &read_folder(&world.studio()), &format!("round {round}, undone at last"));
            waited += 1;
        }
    }
    assert_eq!(taken_back + waited, kills());
    assert_sound(&world);
}

//! An import is killed again and again. What was made stays made, the repository is sound at every moment,
//! names move at the end, and the result is that of one undisturbed run.

use crate::git_support::{Git, Here, by_git_id, on_disk};
use crate::kills::{Dice, assert_sound, kill, kills, measured, open, studio};
use std::fmt::Write as _;
use std::path::Path;

/// Several hundred commits with a merge now and then, and files in Git LFS.
fn source(dir: &Path) -> Git {
    let git = Git::init(dir);
    let mut stream = String::new();
    for number in 1..=600u32 {
        let _ = write!(
            stream,
            "commit refs/heads/main\nmark :{number}\ncommitter A <a@b> {} +0000\n",
            1_700_000_000 + number
        );
        stream.push_str("data 1\nx\n");
        if number % 50 == 0 {
            let _ = writeln!(stream, "merge :{}", number - 30);
        }
        for file in [number % 40, number % 7] {
            let text = format!("{number} in {file}\n").repeat(20);
            let _ = write!(stream, "M 644 inline f{}/{file}.txt\ndata {}\n{text}\n", file % 5, text.len());
        }
    }
    git.feed(&["fast-import", "--quiet"], stream.as_bytes());
    git.run(&["reset", "-q", "--hard", "main"]);
    git.run(&["lfs", "install", "--local"]);
    git.write(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text\n");
    for number in 0..6u8 {
        let mut bytes = vec![0; 400_000];
        blake3::Hasher::new().update(&[number]).finalize_xof().fill(&mut bytes);
        git.write("large.bin", &bytes);
        git.commit("large");
    }
    git
}

#[test]
fn an_import_that_is_killed_again_and_again_goes_on_and_gives_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = source(&folder.path().join("source"));
    let (whole, report) = Here::of(&git.dir);
    assert!(report.missing.is_empty());
    let from = git.dir.to_str().expect("a path");
    let import = ["import", "git", from];
    let usual = measured(|| drop(studio().ok(&import)));
    let mut dice = Dice(66);
    let mut killed = 0;
    while killed < kills() {
        let world = studio();
        let mut done = false;
        while !done && killed < kills() {
            killed += 1;
            done = kill(&world, &import, usual, &mut dice);
            if killed % 3 == 0 {
                assert_sound(&world);
            }
        }
        world.ok(&import);
        assert_sound(&world);
        let repository = open(&world);
        let view = repository.view().expect("a view");
        assert_eq!(by_git_id(&view), whole.by_git_id(), "after {killed} kills");
        assert!(view.unfinished_imports().expect("a record").is_empty());
        assert_eq!(on_disk(&world.studio()), on_disk(&git.dir), "the files of the worktree");
    }
}

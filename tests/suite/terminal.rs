//! The program as it behaves in a real terminal: progress, Ctrl-C, colours, width, completions, and the
//! manual as its reader formats it.

use crate::support::World;
use crate::support::terminal::{CTRL_C, Terminal};
use pentimento::base::monitor::SilentMonitor;
use pentimento::repo::Repository;
use pentimento::store::Access;
use std::fs::{self, File};
use std::process::{Command, Stdio};

/// A repository with one commit, a draft and something new.
fn studio() -> World {
    let world = World::new();
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["init"]);
    write(&world, "brief.md", "one\n");
    write(&world, "brand/harbour lights poster final.txt", "Harbour\n");
    world.ok(&["commit", "-m", "First state"]);
    world.ok(&["draft", "new", "night", "--stay"]);
    write(&world, "brief.md", "two\n");
    world
}

fn write(world: &World, name: &str, text: &str) {
    let path = world.studio().join(name);
    fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
    fs::write(path, text).expect("a file");
}

#[test]
fn long_work_says_how_far_it_is_and_ctrl_c_ends_it_without_a_trace() {
    let world = studio();
    // Holes: long to read, nothing to store.
    let file = File::create(world.studio().join("render.exr")).expect("a file");
    file.set_len(6 << 30).expect("a long file");
    let mut terminal = Terminal::pent(&world, 120, &["commit", "-m", "Never"]);
    terminal.wait_until("a whole progress line", |shown| {
        let last = shown.rsplit('\r').next().unwrap_or_default();
        ["file", " of 6.4 GB", "/s", " left", "already here"].iter().all(|part| last.contains(part))
    });
    terminal.press(CTRL_C);
    let (code, shown) = terminal.end();
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("Stopping at the next safe place"), "{shown}");
    assert!(shown.contains("no commit was made, and your files are as they were"), "{shown}");
    let lines: Vec<&str> = shown.split(['\r', '\n']).collect();
    assert!(lines.iter().all(|line| line.trim_end_matches("\x1b[K").chars().count() < 120), "{lines:?}");
    assert_eq!(world.json(&["log"])["commits"].as_array().map(Vec::len), Some(1));
    fs::remove_file(world.studio().join("render.exr")).expect("removed");
    world.ok(&["commit", "-m", "Second state"]);
    assert_eq!(world.pent(&["fsck"]).code, 0);
}

#[test]
fn ctrl_c_ends_every_command_with_its_code_and_says_what_holds() {
    let world = studio();
    let repository = Repository::open(&world.studio(), Access::ReadWrite).expect("a repository");
    let held = repository.store().lock_worktree(&SilentMonitor).expect("a lock");
    let usual = "what was reported as saved is saved";
    for (arguments, says) in [
        (&["commit", "-m", "Never"][..], "no commit was made"),
        (&["restore", "brief.md", "--yes"], usual),
        (&["switch", "night"], usual),
        (&["merge", "night"], usual),
        (&["gc", "--yes"], "nothing that anybody needs was removed"),
    ] {
        let mut terminal = Terminal::pent(&world, 80, arguments);
        terminal.wait_for("Waiting for ");
        terminal.press(CTRL_C);
        let (code, shown) = terminal.end();
        assert_eq!(code, 130, "{arguments:?}: {shown}");
        let told = shown.split("Stopped").last().expect("a part");
        assert!(told.contains(says), "{arguments:?}: {shown}");
    }
    drop(held);
    assert_eq!(fs::read_to_string(world.studio().join("brief.md")).expect("a file"), "two\n");
    assert_eq!(world.json(&["status"])["branch"], "main");
}

#[test]
fn a_terminal_gets_colours_unless_somebody_wants_none() {
    let shown = |world: &World| Terminal::pent(world, 80, &["status"]).end().1;
    let world = studio();
    assert!(shown(&world).contains("\x1b[1mmain\x1b[0m"), "{:?}", shown(&world));
    let world = world.with("NO_COLOR", "1");
    assert!(!shown(&world).contains('\x1b'), "{:?}", shown(&world));
    let dumb = studio().with("TERM", "dumb");
    assert!(!shown(&dumb).contains('\x1b'), "{:?}", shown(&dumb));
}

#[test]
fn a_narrow_terminal_is_not_overrun_and_a_wide_one_lines_up() {
    let world = studio().with("NO_COLOR", "1");
    write(&world, "brand/harbour lights poster final.txt", "Harbour lights\n");
    let lines = |columns: u16, arguments: &[&str]| -> Vec<String> {
        let shown = Terminal::pent(&world, columns, arguments).end().1;
        shown.lines().map(str::to_owned).collect()
    };
    let narrow = lines(40, &["status"]);
    let lines_up = |line: &String| line.starts_with("  brief.md  ") && line.trim_end().ends_with(" 4 B");
    assert!(narrow.iter().any(lines_up), "{narrow:#?}");
    let alone = |line: &String| line.trim_end() == "  brand/harbour lights poster final.txt";
    assert!(narrow.iter().any(alone), "{narrow:#?}");
    let wide = lines(120, &["status"]);
    let sizes: Vec<Option<usize>> =
        wide.iter().filter(|line| line.contains(" B")).map(|line| line.find(" B")).collect();
    assert!(sizes.len() >= 2 && sizes[0] == sizes[1], "{wide:#?}");
    for arguments in [&["--help"][..], &["commit", "--help"], &["policy", "propose", "--help"]] {
        for line in lines(40, arguments) {
            // A command line to copy stays whole.
            let begins = |word| line.trim_start().starts_with(word);
            let is_example = begins("pent ") || begins("Usage: pent ") || begins("[");
            assert!(line.chars().count() <= 40 || is_example, "{arguments:?}: {line:?}");
        }
    }
}

/// Types into a shell that has the completions.
fn complete(world: &World, shell: &str, begin: &str, keys: &str, shows: &str) -> String {
    let mut terminal = Terminal::run(world, 100, shell);
    terminal.press(begin);
    terminal.wait_for("READY");
    terminal.press(keys);
    terminal.wait_for(shows);
    terminal.press("\rexit\r");
    terminal.end().1
}

#[test]
fn bash_completes_commands_drafts_and_paths_with_blanks() {
    let world = studio().with("NO_COLOR", "1");
    let script = world.studio().join("../completions.bash");
    fs::write(&script, world.ok(&["completions", "bash"])).expect("a file");
    let begin = "source ../completions.bash; PS1='> '; echo REA''DY\r";
    let bash = "bash --noprofile --norc -i";
    complete(&world, bash, begin, "pent swi\t ni\t\r", "On draft/night now");
    complete(&world, bash, begin, "pent switch draft/n\t\r", "the worktree is on draft/night already");
    complete(&world, bash, begin, "pent cat bra\thar\t\r", "Harbour\r\n");
    complete(&world, bash, begin, "pent config user.na\t\r", "Anna Lind");
}

#[test]
fn zsh_and_fish_take_their_completions() {
    let world = studio().with("NO_COLOR", "1");
    for (shell, check) in [("zsh", "-n"), ("fish", "--no-execute")] {
        let script = world.studio().join(format!("../completions.{shell}"));
        fs::write(&script, world.ok(&["completions", shell])).expect("a file");
        let output = Command::new(shell).arg(check).arg(&script).output().expect("the shell is installed");
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
    let begin = "autoload -U compinit; compinit -u; source ../completions.zsh; PS1='> '; echo REA''DY\r";
    complete(&world, "zsh -f -i", begin, "pent switch draft/n\t\r", "On draft/night now");
    let begin = "source ../completions.fish; echo REA''DY\r";
    complete(&world, "fish --no-config -i", begin, "pent switch mai\t\r", "On main now");
}

#[test]
fn every_manual_page_is_formatted_without_a_warning() {
    let world = World::new();
    world.ok(&["man", "../pages"]);
    let folder = world.studio().join("../pages");
    let mut pages: Vec<_> =
        fs::read_dir(&folder).expect("pages").map(|page| page.expect("a page").path()).collect();
    pages.sort();
    for page in pages {
        let mut groff = Command::new("groff");
        groff.args(["-ww", "-man", "-Tutf8", "-rLL=80n"]).arg(&page).stdout(Stdio::piped());
        let output = groff.output().expect("groff is installed");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{}: {said}", page.display());
    }
}

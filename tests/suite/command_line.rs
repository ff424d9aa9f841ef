//! What the program says and how it ends, whatever the verb.

use crate::support::{World, assert_snapshot};
use std::io::Read as _;
use std::process::Stdio;

#[test]
fn help_lists_the_commands_under_their_headings() {
    let world = World::new();
    assert_snapshot("help", &world.session(&[&["--help"]]));
}

/// A list whose lines wrap cannot be read down its column.
#[test]
fn help_fits_a_terminal_of_eighty_columns() {
    let help = World::new().ok(&["--help"]);
    let wide: Vec<&str> = help.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    // What a wrapped description leaves stands at the left, where only names of commands and options do.
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let stray = help.lines().filter(|line| indent(line) == 2 && !line.trim_start().contains("  "));
    let stray: Vec<&str> = stray.filter(|line| line.split_whitespace().count() > 3).collect();
    assert!(stray.is_empty(), "{stray:#?}");
}

#[test]
fn without_a_command_the_help_is_shown_as_a_refusal() {
    let run = World::new().pent(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert_eq!(run.stderr, World::new().ok(&["--help"]));
}

#[test]
fn help_of_a_command_ends_with_examples() {
    let world = World::new();
    assert_snapshot("help_of_a_command", &world.session(&[&["config", "--help"]]));
}

#[test]
fn settings_are_set_shown_listed_and_removed() {
    let world = World::new();
    assert_snapshot(
        "config",
        &world.session(&[
            &["config", "user.name", "Anna Lind"],
            &["config", "user.name"],
            &["config", "ui.dates", "exact"],
            &["config"],
            &["config", "--json", "user.name"],
            &["config", "ui.dates", "--unset"],
            &["config", "--keys"],
        ]),
    );
    let file = std::fs::read_to_string(world.home().join(".config/pent/config.toml"));
    assert_eq!(file.expect("a settings file"), "[user]\nname = \"Anna Lind\"\n\n[ui]\n");
}

#[test]
fn failures_say_what_is_safe_and_what_to_try_and_have_their_exit_code() {
    let world = World::new();
    assert_snapshot(
        "failures",
        &world.session(&[
            &["config", "user.nam", "Anna"],
            &["config", "ui.color", "green"],
            &["config", "user.name", "Anna", "--here"],
            &["--json", "config", "user.nam"],
            &["-C", "nowhere", "config"],
            &["conifg"],
        ]),
    );
}

#[test]
fn a_new_repository_says_what_comes_next_and_keeps_what_is_said_about_assets() {
    let world = World::new();
    std::fs::write(world.studio().join("a.psd"), "pixels").expect("a file");
    assert_snapshot(
        "a_new_repository",
        &world.session(&[
            &["log"],
            &["init"],
            &["init"],
            &["log"],
            &["draft"],
            &["draft", "new", "night"],
            &["tag"],
            &["label", "a.psd", "--add", "spring,cover"],
            &["meta", "set", "rights.until", "2027-03-01", "a.psd", "--type", "date"],
            &["meta", "set", "rights.until", "soon", "a.psd"],
            &["meta", "get", "a.psd", "../elsewhere"],
            &["meta", "get", "a.psd"],
            &["journal"],
            &["cat", "a.psd"],
        ]),
    );
}

#[test]
fn a_day_of_work_is_kept_and_found_again() {
    let world = World::new();
    let studio = world.studio();
    let write = |name: &str, bytes: &str| std::fs::write(studio.join(name), bytes).expect("a file");
    std::fs::create_dir(studio.join("brand")).expect("a folder");
    write("brand/logo.svg", "<svg>circle</svg>");
    write("notes.txt", "first idea\n");
    write("old.txt", "to be thrown away\n");
    let morning = world.session(&[
        &["init"],
        &["config", "user.name", "Anna Lind"],
        &["status"],
        &["commit"],
        &["commit", "-m", "First state\n\nEverything that the client sent."],
        &["status"],
    ]);
    write("brand/logo.svg", "<svg>circle and square</svg>");
    std::fs::rename(studio.join("notes.txt"), studio.join("ideas.txt")).expect("a move");
    std::fs::remove_file(studio.join("old.txt")).expect("a removal");
    write("new.txt", "a new thing\n");
    let afternoon = world.session(&[
        &["status"],
        &["commit", "-m", "Only the brand", "brand"],
        &["commit", "-m", "The rest"],
        &["commit", "-m", "Nothing"],
        &["tag", "sent", "-m", "Sent to the client"],
        &["tag"],
        &["log", "-v", "--first-parent"],
        &["log", "brand/logo.svg"],
        &["log", "ideas.txt"],
        &["cat", "brand/logo.svg@1"],
        &["export", "@~2", "../first"],
        &["export", "@~2", "../first"],
        &["draft", "new", "night"],
        &["draft"],
        &["journal"],
    ]);
    assert_snapshot("a_day_of_work", &without_ids(&format!("{morning}{afternoon}")));
    assert_eq!(std::fs::read(studio.join("../first/notes.txt")).expect("a file"), b"first idea\n");
}

#[test]
fn drafts_come_home_and_what_was_done_is_taken_back() {
    let world = World::new();
    let studio = world.studio();
    let write = |name: &str, bytes: &[u8]| std::fs::write(studio.join(name), bytes).expect("a file");
    write("cover.psd", &[1, 0, 1]);
    write("notes.txt", b"one\ntwo\nthree\n");
    world.session(&[&["init"], &["config", "user.name", "Anna Lind"], &["commit", "-m", "First state"]]);
    let mut text = world.session(&[&["switch", "-c", "night"]]);
    write("cover.psd", &[2, 0, 2]);
    write("notes.txt", b"one\ntwo\nthree at night\n");
    text += &world.session(&[&["commit", "-m", "Night version"]]);
    write("notes.txt", b"not committed\n");
    text += &world.session(&[&["switch", "main"], &["draft"]]);
    write("cover.psd", &[3, 0, 3]);
    write("notes.txt", b"one by day\ntwo\nthree\n");
    text += &world.session(&[
        &["commit", "-m", "Day version"],
        &["merge", "night"],
        &["status"],
        &["commit"],
        &["resolve", "cover.psd", "--both"],
        &["commit"],
        &["cat", "notes.txt"],
        &["mv", "notes.txt", "ideas.txt"],
        &["undo"],
        &["redo"],
        &["undo"],
        &["undo"],
        &["status"],
        &["draft", "delete", "night"],
        &["switch", "nowhere"],
    ]);
    write("cover.psd", &[9, 9, 9]);
    text += &world.session(&[
        &["restore", "cover.psd", "-r", "@~1", "--dry-run"],
        &["restore", "cover.psd", "-r", "@~1"],
        &["undo"],
        &["restore", "nothing.psd"],
        &["journal", "-n", "3"],
    ]);
    assert_snapshot("drafts_and_undo", &without_ids(&text));
    assert_eq!(std::fs::read(studio.join("cover.psd")).expect("a file"), [9, 9, 9]);
}

/// Short ids follow from the person's random id, so they differ every time.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 10 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut result = String::new();
    for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_id(word) {
            result.push_str(&piece.replace(word, "(commit)"));
        } else {
            result.push_str(piece);
        }
    }
    result
}

#[test]
fn a_settings_file_that_cannot_be_read_is_named_and_can_be_mended() {
    let world = World::new();
    let place = world.home().join(".config/pent");
    std::fs::create_dir_all(&place).expect("a folder");
    std::fs::write(place.join("config.toml"), "[ui\n").expect("a file");
    assert_snapshot("settings_that_cannot_be_read", &world.session(&[&["config"]]));
}

#[test]
fn a_date_that_is_none_is_refused() {
    let world = World::new().with("PENT_DATE", "soon");
    assert_eq!(world.pent(&["config"]).code, 2);
}

#[test]
fn colour_is_only_for_terminals_and_those_who_ask() {
    let world = World::new();
    assert!(!world.ok(&["config"]).contains('\x1b'));
    assert!(world.ok(&["--color", "always", "config"]).contains('\x1b'));
    let forced = World::new().with("CLICOLOR_FORCE", "1");
    assert!(forced.ok(&["config"]).contains('\x1b'));
    assert!(!forced.with("NO_COLOR", "1").ok(&["config"]).contains('\x1b'));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let world = World::new();
    let mut child = world
        .command(&["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program that starts");
    drop(child.stdout.take());
    let status = child.wait().expect("an end");
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(world.ok(&["completions", shell]).contains("PENT_COMPLETE"), "{shell}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let world = World::new();
    let report = world.json(&["man", "pages"]);
    assert_eq!(report["schema"], "pent.man/1");
    let pages = report["pages"].as_array().expect("a list");
    for entry in pentimento::cli::commands::VERBS {
        let name = format!("pent-{}.1", entry.name);
        assert!(pages.iter().any(|page| page == name.as_str()), "{name}");
        let text = std::fs::read_to_string(world.studio().join("pages").join(&name)).expect("a page");
        assert!(text.contains(".SH SYNOPSIS"), "{name}");
    }
    assert!(world.ok(&["man"]).contains(".TH PENT"));
}

#[test]
fn a_name_that_was_mistyped_is_told_with_the_one_that_was_meant() {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    std::fs::create_dir(world.studio().join("brand")).expect("a folder");
    std::fs::write(world.studio().join("brand/logo.svg"), "<svg/>").expect("a file");
    world.ok(&["commit", "-m", "First state"]);
    world.ok(&["draft", "new", "night"]);
    world.ok(&["tag", "sent"]);
    for (arguments, code, near) in [
        (&["switch", "nigth"][..], 3, "did you mean draft/night?"),
        (&["switch", "mian"], 3, "did you mean main?"),
        (&["merge", "mian"], 3, "did you mean main?"),
        (&["show", "snet"], 3, "did you mean sent?"),
        (&["tag", "--delete", "snet"], 3, "did you mean sent?"),
        (&["cat", "brand/lgoo.svg"], 3, "did you mean brand/logo.svg?"),
        (&["commit", "-m", "x", "brand/lgoo.svg"], 3, "did you mean brand/logo.svg?"),
        (&["config", "user.nam", "Anna"], 2, "did you mean user.name?"),
    ] {
        let run = world.pent(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(near), "{arguments:?}: {}", run.stderr);
    }
    let run = world.pent(&["switch", "something else entirely"]);
    assert!(!run.stderr.contains("did you mean"), "{}", run.stderr);
}

//! The verbs of a review as a person types them: one person, one key, no policy.

use crate::support::World;

#[test]
fn a_draft_goes_from_submit_to_certificate_on_the_command_line() {
    let world = World::new();
    let write = |name: &str, bytes: &str| std::fs::write(world.studio().join(name), bytes).expect("a file");
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    write("logo.svg", "<svg>old</svg>");
    world.ok(&["commit", "-m", "First state"]);
    world.ok(&["draft", "new", "poster"]);
    write("logo.svg", "<svg>new</svg>");
    world.ok(&["commit", "-m", "Greener"]);
    let run = world.pent(&["submit"]);
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("pent identity"), "{}", run.stderr);
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);

    assert_eq!(world.ok(&["review"]), "Nothing waits for a review. `pent submit` asks for one.\n");
    let said = world.ok(&["submit", "--reviewers", "ben,cleo", "-m", "Is it green enough?"]);
    assert!(said.starts_with("Submitted draft/poster to main: 1 asset.\n  - logo.svg  content\n"), "{said}");
    let run = world.pent(&["request-changes", "draft/poster"]);
    assert!(run.code != 0 && run.stderr.contains("say why"), "{}", run.stderr);
    let said = world.ok(&["request-changes", "draft/poster", "logo.svg", "-m", "Greener still"]);
    assert!(said.starts_with("You asked for changes of 1 asset of draft/poster."), "{said}");
    write("logo.svg", "<svg>greenest</svg>");
    world.ok(&["commit", "-m", "Greenest"]);
    let said = world.ok(&["submit"]);
    assert!(
        said.contains("again: round 2") && said.contains("changed since Anna Lind sent it back"),
        "{said}"
    );
    world.ok(&["comment", "draft/poster", "-m", "Thank you"]);
    world.ok(&["approve", "draft/poster", "-m", "Yes"]);
    let review = world.ok(&["review", "draft/poster"]);
    for part in [
        "round 2",
        "Asked: ben and cleo",
        "approved by Anna Lind",
        "Greener still",
        "It can land: pent land draft/poster",
    ] {
        assert!(review.contains(part), "{part}: {review}");
    }
    assert!(
        world
            .ok(&["land", "draft/poster", "--dry-run"])
            .starts_with("draft/poster can land on main: 1 asset.")
    );
    let said = world.ok(&["land", "draft/poster"]);
    assert!(
        said.starts_with("draft/poster landed on main: 1 asset.") && said.contains("you decided"),
        "{said}"
    );
    assert!(world.ok(&["review", "--all"]).contains("landed"));

    world.ok(&["switch", "main"]);
    let said = world.ok(&["certificate", "logo.svg", "../proof", "--files"]);
    assert!(said.starts_with("Anna Lind approved 1 asset; the proof is in "), "{said}");
    let proof = world.studio().parent().expect("a parent").join("proof");
    for name in [
        "certificate.html",
        "certificate.json",
        "CHECK.txt",
        "allowed_signers",
        "approval-1.json",
        "files/logo.svg",
    ] {
        assert!(proof.join(name).is_file(), "{name}");
    }
    let json = world.json(&["review", "draft/poster"]);
    assert_eq!(json["submission"]["state"], "landed");
    assert_eq!(json["rounds"].as_array().map(Vec::len), Some(2));
}

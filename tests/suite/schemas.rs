//! The metadata schema: fields, vocabularies, what must be filled in and how files are named, from the first
//! text to a branch that takes only what fits.

use crate::kills::{studio, write};
use crate::support::World;
use serde_json::Value;

const SCHEMA: &str = r#"version = 1
open = false
[fields.title]
type = "text"
[fields.price]
type = "decimal"
[fields.subject]
type = "terms"
vocabulary = "subjects"
[vocabularies.subjects]
terms = [
    { key = "places", name = "Places" },
    { key = "harbour", name = "Harbour", under = "places", also = ["port"] },
]
[[required]]
paths = "brand/**"
types = ["vector"]
fields = ["title"]
[[defaults]]
paths = "brand"
set = { title = "Untitled", labels = "unsorted" }
[[names]]
paths = "web/**"
style = "kebab"
message = "names on the web are lower-case words joined by -"
"#;

fn with_schema() -> World {
    let world = studio();
    write(&world, ".pentschema.toml", SCHEMA);
    world.ok(&["commit", "-m", "Schema"]);
    world
}

fn breaches(report: &Value) -> Vec<String> {
    let all = report["breaches"].as_array().cloned().unwrap_or_default();
    let shown = |breach: &Value| {
        let proposal = breach["proposal"].as_str().unwrap_or("nothing");
        format!(
            "{}: {} -> {proposal}",
            breach["path"].as_str().expect("a path"),
            breach["message"].as_str().expect("words")
        )
    };
    all.iter().map(shown).collect()
}

#[test]
fn a_commit_tells_what_does_not_fit_and_commits_all_the_same() {
    let world = with_schema();
    write(&world, "brand/logo.svg", "<svg/>");
    write(&world, "web/Harbour Dawn.PNG", "x");
    write(&world, "notes.txt", "fine");
    let report = world.json(&["commit", "-m", "Work"]);
    let expected = [
        "brand/logo.svg: title is not filled in -> pent meta set title ... brand/logo.svg",
        "web/Harbour Dawn.PNG: names on the web are lower-case words joined by - -> harbour-dawn.PNG",
    ];
    assert_eq!(breaches(&report), expected);
    assert!(report["commit"].is_object());
    let check = world.pent(&["--json", "schema", "check"]);
    assert_eq!(check.code, 1);
    assert_eq!(breaches(&serde_json::from_str(&check.stdout).expect("JSON")), expected);
    world.ok(&["meta", "set", "title", "Harbour", "brand/logo.svg"]);
    world.ok(&["mv", "web/Harbour Dawn.PNG", "web/harbour-dawn.png"]);
    let fitting = world.json(&["commit", "-m", "Better"]);
    assert_eq!(breaches(&fitting), [""; 0]);
    assert_eq!(world.pent(&["schema", "check"]).code, 0);
    // An earlier revision is held against its own schema.
    assert_eq!(world.pent(&["schema", "check", "-r", "@~1"]).code, 1);
    // What a commit does not touch is not told again.
    write(&world, "web/Old Name.png", "x");
    world.ok(&["commit", "-m", "Old"]);
    write(&world, "notes.txt", "finer");
    assert_eq!(breaches(&world.json(&["commit", "-m", "Notes"])), [""; 0]);
}

#[test]
fn values_are_read_by_the_schema_and_terms_by_their_names() {
    let world = with_schema();
    write(&world, "brand/logo.svg", "<svg/>");
    world.ok(&["commit", "-m", "Logo"]);
    world.ok(&["meta", "set", "price", "19.90", "brand/logo.svg"]);
    world.ok(&["meta", "set", "subject", "PORT", "brand/logo.svg"]);
    let fields =
        |world: &World| world.json(&["meta", "get", "brand/logo.svg"])["assets"][0]["fields"].clone();
    assert_eq!(fields(&world)["price"]["type"], "decimal");
    assert_eq!(
        (&fields(&world)["subject"]["type"], &fields(&world)["subject"]["text"]),
        (&"terms".into(), &"Harbour".into())
    );
    let wrong = world.pent(&["meta", "set", "subject", "moon", "brand/logo.svg"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("vocabulary"), "{}", wrong.stderr);
    assert_eq!(world.pent(&["meta", "set", "price", "cheap", "brand/logo.svg"]).code, 2);
    world.ok(&["commit", "-m", "Described"]);
    let found = |query: &str| world.json(&["search", query])["total"].clone();
    assert_eq!(
        (found("subject:harbour"), found("subject:places"), found("places in:brand")),
        (1.into(), 1.into(), 1.into())
    );
    let found_at = |query: &str, at: &str| world.json(&["search", query, "--at", at])["total"].clone();
    for query in ["subject:harbour", "subject:places", "places in:brand", "price:>19"] {
        assert_eq!(found_at(query, "main"), 1, "{query}");
    }
    // A term gets another name, and the asset is found by it without having changed.
    write(&world, ".pentschema.toml", SCHEMA.replace("\"Harbour\"", "\"Haven\""));
    world.ok(&["commit", "-m", "Renamed"]);
    assert_eq!(fields(&world)["subject"]["text"], "Haven");
    assert_eq!((found("subject:haven"), found("subject:harbour")), (1.into(), 0.into()));
    // An earlier commit has the names of its own schema.
    assert_eq!((found_at("subject:haven", "@"), found_at("subject:harbour", "@")), (1.into(), 0.into()));
    assert_eq!((found_at("subject:haven", "@~1"), found_at("subject:harbour", "@~1")), (0.into(), 1.into()));
}

#[test]
fn defaults_are_filled_in_when_asked_and_undone_like_every_edit() {
    let world = with_schema();
    write(&world, "brand/logo.svg", "<svg/>");
    write(&world, "brand/named.svg", "<svg>2</svg>");
    world.ok(&["meta", "set", "title", "Mine", "brand/named.svg"]);
    world.ok(&["commit", "-m", "Logos"]);
    let report = world.json(&["schema", "apply"]);
    let set = |index: usize| {
        report["assets"][index]["set"].as_object().expect("fields").keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!((set(0), set(1)), (vec!["labels".to_owned(), "title".to_owned()], vec!["labels".to_owned()]));
    assert_eq!(world.json(&["schema", "apply"])["assets"].as_array().expect("assets").len(), 0);
    world.ok(&["commit", "-m", "Filled in"]);
    assert_eq!(world.json(&["search", "label:unsorted title:untitled"])["total"], 1);
}

#[test]
fn a_schema_that_cannot_be_read_is_told_and_stops_no_commit() {
    let world = with_schema();
    write(&world, ".pentschema.toml", "version = 1\n[fields.title]\ntype = \"txt\"\n");
    let report = world.json(&["commit", "-m", "Broken"]);
    assert!(report["schema_fault"].as_str().is_some_and(|fault| fault.contains("line 3")), "{report}");
    let check = world.pent(&["schema", "check"]);
    assert!(check.code == 2 && check.stderr.contains("line 3"), "{}", check.stderr);
    assert_eq!(world.pent(&["schema", "init"]).code, 4, "there is one already");
    let empty = studio();
    assert_eq!(empty.pent(&["schema", "show"]).code, 3);
    empty.ok(&["schema", "init"]);
    assert!(empty.ok(&["schema", "show"]).contains("rights.until"));
    write(&empty, "a.txt", "x");
    assert_eq!(breaches(&empty.json(&["commit", "-m", "First"])), [""; 0]);
}

/// A studio whose main branch takes only what fits its schema.
fn with_strict_policy() -> World {
    let world = with_schema();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["policy", "init"]);
    let text = world.ok(&["policy", "show", "--text"]);
    let strict = text.replacen("[[protect]]", "[[protect]]\nschema = true", 1);
    assert_ne!(text, strict, "the first policy protects main");
    write(&world, "../policy.toml", strict);
    world.ok(&["policy", "propose", "../policy.toml"]);
    world
}

#[test]
fn no_name_gets_around_the_rules_of_a_branch_and_a_landing_asks_them_again() {
    let world = with_strict_policy();
    world.ok(&["draft", "new", "logo"]);
    // A drawing is a drawing, whatever it is called.
    for name in ["brand/poster", "brand/poster.dat", "brand/.cover.svg"] {
        write(&world, name, format!("<svg><!-- {name} --></svg>"));
    }
    let report = world.json(&["commit", "-m", "Drawings"]);
    let missing = "title is not filled in -> pent meta set title ... ";
    assert_eq!(
        breaches(&report),
        [format!("brand/.cover.svg: {missing}brand/.cover.svg")],
        "a commit goes by names"
    );
    let refused = world.pent(&["submit", "--to", "main", "-m", "Please"]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    for name in ["brand/poster", "brand/poster.dat", "brand/.cover.svg"] {
        let command = format!("pent meta set title ... {name}");
        assert!(refused.stderr.contains(&command), "{name}: {}", refused.stderr);
        world.ok(&["meta", "set", "title", "Cover", name, "--type", "text"]);
    }
    world.ok(&["commit", "-m", "Named"]);
    world.ok(&["submit", "--to", "main", "-m", "Please"]);
    // Meanwhile the branch gets another schema.
    world.ok(&["switch", "main"]);
    world.ok(&["draft", "new", "rules"]);
    write(
        &world,
        ".pentschema.toml",
        SCHEMA.replace("fields = [\"title\"]", "fields = [\"title\", \"labels\"]"),
    );
    world.ok(&["commit", "-m", "Labels too"]);
    world.ok(&["submit", "--to", "main", "-m", "Labels"]);
    world.ok(&["approve", "draft/rules"]);
    world.ok(&["land", "draft/rules"]);
    world.ok(&["approve", "draft/logo"]);
    let refused = world.pent(&["land", "draft/logo"]);
    assert!(refused.code == 4 && refused.stderr.contains("labels is not filled in"), "{}", refused.stderr);
}

#[test]
fn a_protected_branch_takes_only_what_fits_where_its_policy_says_so() {
    let world = with_strict_policy();
    world.ok(&["draft", "new", "logo"]);
    write(&world, "brand/logo.svg", "<svg/>");
    // The draft loosens its own rules; the branch's hold.
    write(&world, ".pentschema.toml", "version = 1\n");
    world.ok(&["commit", "-m", "Logo"]);
    let refused = world.pent(&["submit", "--to", "main", "-m", "Please"]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("title is not filled in") && refused.stderr.contains("pent meta set title"),
        "{}",
        refused.stderr
    );
    world.ok(&["meta", "set", "title", "Logo", "brand/logo.svg", "--type", "text"]);
    world.ok(&["commit", "-m", "Named"]);
    world.ok(&["submit", "--to", "main", "-m", "Please"]);
}

#[test]
fn a_schema_that_cannot_be_read_gets_to_no_branch_that_asks_for_one_and_is_mended_where_it_is() {
    let world = with_schema();
    // It got there before the policy asked for schemas.
    write(&world, ".pentschema.toml", "version = 1\n[fields.x]\ntype = \"nonsense\"\n");
    world.ok(&["commit", "-m", "Broken"]);
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["policy", "init"]);
    let text = world.ok(&["policy", "show", "--text"]);
    write(&world, "../policy.toml", text.replacen("[[protect]]", "[[protect]]\nschema = true", 1));
    world.ok(&["policy", "propose", "../policy.toml"]);
    world.ok(&["draft", "new", "work"]);
    write(&world, "notes.txt", "notes");
    world.ok(&["commit", "-m", "Notes"]);
    let refused = world.pent(&["submit", "--to", "main", "-m", "Please"]);
    assert!(refused.code != 0 && refused.stderr.contains("nonsense"), "{}", refused.stderr);
    // Whoever mends it is let through, held against what they bring.
    write(
        &world,
        ".pentschema.toml",
        "version = 1\n[fields.title]\ntype = \"text\"\n[[required]]\nfields = [\"title\"]\n",
    );
    world.ok(&["commit", "-m", "Mended"]);
    let refused = world.pent(&["submit", "--to", "main", "-m", "Please"]);
    assert!(refused.stderr.contains("title is not filled in"), "{}", refused.stderr);
    write(&world, ".pentschema.toml", "version = 1\n");
    world.ok(&["commit", "-m", "Mended again"]);
    world.ok(&["submit", "--to", "main", "-m", "Please"]);
}

#[test]
fn nobody_submits_a_schema_that_cannot_be_read() {
    let world = with_schema();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    world.ok(&["policy", "init"]);
    let text = world.ok(&["policy", "show", "--text"]);
    write(&world, "../policy.toml", text.replacen("[[protect]]", "[[protect]]\nschema = true", 1));
    world.ok(&["policy", "propose", "../policy.toml"]);
    world.ok(&["draft", "new", "work"]);
    write(&world, ".pentschema.toml", "version = 1\n[fields.x]\ntype = \"nonsense\"\n");
    world.ok(&["commit", "-m", "Broken"]);
    let refused = world.pent(&["submit", "--to", "main", "-m", "Please"]);
    assert!(refused.code != 0 && refused.stderr.contains("nonsense"), "{}", refused.stderr);
}

use super::*;
use crate::base::path::AssetPath;
use crate::object::metadata::Metadata;

const TEXT: &str = r#"
version = 1
open = false
[fields.title]
type = "text"
longest = 10
[fields.use]
type = "set"
choices = ["print", "web"]
[fields.subject]
type = "terms"
vocabulary = "subjects"
[fields.price]
type = "decimal"
[vocabularies.subjects]
terms = [
    { key = "places", name = "Places" },
    { key = "harbour", name = "Harbour", under = "places", also = ["port"] },
]
[[required]]
paths = "brand/**"
types = ["image", "psd"]
fields = ["title", "labels"]
[[defaults]]
paths = "brand"
set = { title = "Untitled" }
[[names]]
paths = "web/**"
style = "kebab"
begins = ["hs-"]
ends = ["png", "jpg"]
longest = 24
message = "names on the web are lower-case words"
[[names]]
paths = "print/**"
style = "snake"
version = true
"#;

fn schema() -> Schema {
    Schema::parse(TEXT).expect("a schema")
}

fn breaches(path: &str, fields: &[(&str, FieldValue)], types: &[&str]) -> Vec<String> {
    let path = AssetPath::from_bytes(path).expect("a path");
    let mut metadata = Metadata::default();
    for (name, value) in fields {
        metadata.fields.insert(FieldName::new(name).expect("a name"), value.clone());
    }
    let types: Vec<String> = types.iter().map(|word| (*word).to_owned()).collect();
    let found = schema().check(Subject { path: &path, metadata: &metadata, types: &types });
    let shown = |breach: Breach| match breach.proposal {
        Some(proposal) => format!("{} -> {proposal}", breach.message),
        None => breach.message,
    };
    found.into_iter().map(shown).collect()
}

#[test]
fn the_template_is_a_schema() {
    assert!(Schema::parse(TEMPLATE).is_ok(), "{:?}", Schema::parse(TEMPLATE));
}

#[test]
fn fields_are_held_against_type_choices_length_and_vocabulary() {
    let text = |text: &str| FieldValue::Text(text.to_owned());
    let set = |members: &[&str]| FieldValue::Set(members.iter().map(|word| (*word).to_owned()).collect());
    let term = |key: &str| FieldValue::Terms([term_id("subjects", key)].into());
    assert_eq!(breaches("a.psd", &[("title", text("Harbour"))], &[]), [""; 0]);
    assert_eq!(breaches("a.psd", &[("title", FieldValue::Integer(3))], &[]), ["title is to be of type text"]);
    assert_eq!(
        breaches("a.psd", &[("title", text("Harbour at dawn"))], &[]),
        ["title has more than 10 characters"]
    );
    assert_eq!(
        breaches("a.psd", &[("use", set(&["Web"]))], &[]),
        ["use cannot be \"Web\"; it is one of print, web -> use = \"web\""]
    );
    assert_eq!(
        breaches("a.psd", &[("price", FieldValue::Integer(3))], &[]),
        [""; 0],
        "a whole number is a decimal"
    );
    assert_eq!(breaches("a.psd", &[("subject", term("harbour"))], &[]), [""; 0]);
    assert!(breaches("a.psd", &[("subject", term("moon"))], &[])[0].contains("does not know"));
    assert_eq!(breaches("a.psd", &[("mood", text("x"))], &[]), ["the schema has no field mood"]);
}

#[test]
fn what_is_required_depends_on_path_and_type() {
    let missing = breaches("brand/logo.psd", &[], &["psd", "layered"]);
    assert_eq!(
        missing,
        [
            "title is not filled in -> pent meta set title ... brand/logo.psd",
            "labels is not filled in -> pent label brand/logo.psd --add ..."
        ]
    );
    assert_eq!(breaches("brand/notes.txt", &[], &["text"]), [""; 0]);
    assert_eq!(breaches("logo.psd", &[], &["psd"]), [""; 0]);
}

#[test]
fn names_that_do_not_fit_are_told_what_they_should_be() {
    let told = |path: &str| breaches(path, &[], &[]).into_iter().next();
    let web = |name: &str| Some(format!("names on the web are lower-case words -> {name}"));
    assert_eq!(told("web/hs-harbour-dawn.png"), None);
    assert_eq!(told("web/Harbour Dawn.PNG"), web("hs-harbour-dawn.png"));
    assert_eq!(told("web/hs-HafenÜbersicht.jpg"), web("hs-hafen-ubersicht.jpg"));
    assert_eq!(told("web/a very long name that nobody reads.png"), web("hs-a-very-long-name.png"));
    assert_eq!(
        told("web/logo.psd"),
        Some("names on the web are lower-case words".to_owned()),
        "nothing to propose"
    );
    assert_eq!(told("print/Harbour.pdf"), Some("the name does not fit -> harbour_v1.pdf".to_owned()));
    assert_eq!(told("print/harbour_v12.pdf"), None);
}

#[test]
fn terms_are_found_by_every_name_and_keep_their_id_when_renamed() {
    let schema = schema();
    let subjects = &schema.vocabularies["subjects"];
    let harbour = subjects.find("Harbour").expect("a term");
    for name in ["harbour", "PORT", "places/harbour"] {
        assert_eq!(subjects.find(name), Some(harbour), "{name}");
    }
    assert_eq!(subjects.path_of(harbour), "Places/Harbour");
    let renamed = Schema::parse(&TEXT.replace("\"Harbour\"", "\"Port\"")).expect("a schema");
    assert_eq!(renamed.vocabularies["subjects"].find("Port"), Some(harbour));
    assert_eq!(schema.term(harbour).map(|(_, term)| term.name.as_str()), Some("Harbour"));
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    let told = |text: &str| Schema::parse(text).expect_err(text).to_string();
    assert!(told("version = 2\n").contains("version 1 is known"));
    assert!(told("version = 1\n[fields.title]\ntype = \"txt\"\n").contains("line 3"));
    assert!(told("version = 1\nrequire = 3\n").contains("unknown field"));
    let bad = [
        "",
        "version = 1\n[fields.Title]\ntype = \"text\"\n",
        "version = 1\n[fields.a]\ntype = \"terms\"\n",
        "version = 1\n[fields.a]\ntype = \"terms\"\nvocabulary = \"b\"\n",
        "version = 1\n[fields.a]\ntype = \"date\"\nchoices = [\"b\"]\n",
        "version = 1\n[[required]]\nfields = [\"a\"]\n",
        "version = 1\n[[names]]\npaths = \"a\"\n",
        "version = 1\n[[names]]\npaths = \"[a]\"\nversion = true\n",
        "version = 1\n[vocabularies.v]\nterms = [{ key = \"a\", under = \"b\" }]\n",
        "version = 1\n[vocabularies.v]\nterms = [{ key = \"a\", under = \"a\" }]\n",
        "version = 1\n[vocabularies.v]\nterms = [{ key = \"a\" }, { key = \"a\" }]\n",
    ];
    for text in bad {
        assert!(Schema::parse(text).is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_proposed_fits(name in "\\PC{1,40}", longest in 8usize..40, version: bool, style in 0..3usize) {
        let style = [None, Some(NameStyle::Kebab), Some(NameStyle::Snake)][style];
        let scope = Scope { paths: Pattern::everything(), types: Vec::new() };
        let rule = NameRule { scope, style, begins: vec![], ends: vec![], version, longest: Some(longest), message: None };
        if let Some(proposed) = rule.propose(&name) {
            proptest::prop_assert!(rule.fits(&proposed) && proposed != name);
        }
    }
}

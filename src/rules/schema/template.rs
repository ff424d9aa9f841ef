//! A schema to go on from.

/// What `pent schema init` writes: everything shown, little asked.
pub const TEMPLATE: &str = r#"# What is said about assets in this repository, and how files are named.
# `pent schema check` tells what does not fit. docs/schema.md has every key.
version = 1
# Fields that are not listed here may be used as well; false refuses them.
open = true

[fields.title]
type = "text"
about = "What it is called"
longest = 120

[fields.description]
type = "text"
about = "What it shows, for whoever cannot see it"

[fields.creator]
type = "text"
about = "Who made it"

[fields."rights.until"]
type = "date"
about = "The last day on which it may be used"

[fields.subject]
type = "terms"
vocabulary = "subjects"
about = "What it is about"

[vocabularies.subjects]
about = "What assets are about. A key never changes; names may."
terms = [
    { key = "places", name = "Places" },
    { key = "harbour", name = "Harbour", under = "places", also = ["port"] },
    { key = "people", name = "People" },
]

# What must be filled in, by path and by type.
# [[required]]
# paths = "brand/**"
# types = ["image", "psd"]
# fields = ["title", "rights.until"]

# What holds unless somebody says otherwise; `pent schema apply` fills it in.
# [[defaults]]
# paths = "brand/**"
# set = { creator = "Studio Harbour" }

# How files are named.
# [[names]]
# paths = "web/**"
# style = "kebab"
# longest = 60
# message = "names on the web are lower-case words joined by -"
"#;

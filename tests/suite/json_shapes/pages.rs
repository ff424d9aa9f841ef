//! Writes the shapes down as pages, one for each command, and one for what several share.

use super::model::{Definition, Field, Held, Key, Kind, Shape, Sources, Variant};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A result: its schema, the command that prints it, and the type that it is made of.
pub struct Result {
    pub schema: &'static str,
    pub command: &'static str,
    pub of: Key,
}

/// All pages, by name.
pub fn pages(sources: &Sources, results: &[Result]) -> BTreeMap<String, String> {
    let mut users: BTreeMap<Key, BTreeSet<&str>> = BTreeMap::new();
    for result in results {
        for key in below(sources, &result.of) {
            users.entry(key).or_default().insert(result.command);
        }
    }
    let roots: BTreeSet<&Key> = results.iter().map(|result| &result.of).collect();
    let shared: BTreeSet<Key> = users
        .iter()
        .filter(|(key, commands)| commands.len() > 1 && !roots.contains(key))
        .map(|(key, _)| key.clone())
        .collect();
    let names = titles(users.keys());
    let mut pages = BTreeMap::new();
    for command in results.iter().map(|result| result.command).collect::<BTreeSet<_>>() {
        let page = Page { sources, names: &names, shared: &shared };
        let own: Vec<&Result> = results.iter().filter(|result| result.command == command).collect();
        pages.insert(format!("{command}.md"), page.of_command(command, &own));
    }
    let page = Page { sources, names: &names, shared: &BTreeSet::new() };
    pages.insert("shared.md".to_owned(), page.of_shared(&shared));
    pages
}

/// A type and all that it is made of.
fn below(sources: &Sources, key: &Key) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![key.clone()];
    while let Some(key) = waiting.pop() {
        if !found.insert(key.clone()) {
            continue;
        }
        let definition = definition(sources, &key);
        let mut shapes: Vec<&Shape> = Vec::new();
        match &definition.kind {
            Kind::Object(fields) => shapes.extend(fields.iter().map(|field| &field.shape)),
            Kind::Forms { variants, .. } => {
                for variant in variants {
                    match &variant.holds {
                        Held::Nothing => {}
                        Held::Fields(fields) => shapes.extend(fields.iter().map(|field| &field.shape)),
                        Held::Value(shape) => shapes.push(shape),
                    }
                }
            }
        }
        waiting.extend(shapes.into_iter().filter_map(type_in).cloned());
    }
    found
}

fn type_in(shape: &Shape) -> Option<&Key> {
    match shape {
        Shape::Type(key) => Some(key),
        Shape::Nullable(inner) | Shape::List(inner) | Shape::Map(inner) => type_in(inner),
        Shape::Tuple(parts) => parts.iter().find_map(type_in),
        _ => None,
    }
}

pub fn definition(sources: &Sources, key: &Key) -> Definition {
    sources.definition(key).unwrap_or_else(|| panic!("src/{} has no {}", key.module, key.name))
}

/// A name for each type; where two are called alike, with the module's before it.
fn titles<'k>(keys: impl Iterator<Item = &'k Key> + Clone) -> BTreeMap<Key, String> {
    let short = |key: &Key| {
        let name = key.name.strip_suffix("Line").filter(|name| !name.is_empty());
        name.unwrap_or(&key.name).to_owned()
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    keys.clone().for_each(|key| *counts.entry(short(key)).or_default() += 1);
    let title = |key: &Key| {
        let name = short(key);
        if counts[&name] == 1 {
            return name;
        }
        // A module that describes says nothing by its own name, the folder that it is in does.
        let mut parts = key.module.rsplit('/');
        let module = parts.find(|part| *part != "describe").unwrap_or_default();
        let mut letters = module.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        format!("{first}{}{name}", letters.as_str())
    };
    keys.map(|key| (key.clone(), title(key))).collect()
}

struct Page<'a> {
    sources: &'a Sources,
    names: &'a BTreeMap<Key, String>,
    /// Types that have their place on the page of shared ones.
    shared: &'a BTreeSet<Key>,
}

impl Page<'_> {
    fn of_command(&self, command: &str, results: &[&Result]) -> String {
        let mut text = format!("# `pent {command} --json`\n");
        let mut own: BTreeSet<Key> = BTreeSet::new();
        for result in results {
            let definition = definition(self.sources, &result.of);
            write!(text, "\n## `pent.{}/1`\n\n{}\n", result.schema, definition.says).expect("text");
            self.kind(&mut text, &definition.kind);
            own.extend(below(self.sources, &result.of));
        }
        let roots: BTreeSet<&Key> = results.iter().map(|result| &result.of).collect();
        for key in own.iter().filter(|key| !self.shared.contains(key) && !roots.contains(key)) {
            self.type_section(&mut text, key);
        }
        text
    }

    fn of_shared(&self, keys: &BTreeSet<Key>) -> String {
        let mut text = "# What several results have in common\n".to_owned();
        let mut keys: Vec<&Key> = keys.iter().collect();
        keys.sort_by_key(|key| &self.names[key]);
        keys.into_iter().for_each(|key| self.type_section(&mut text, key));
        text
    }

    fn type_section(&self, text: &mut String, key: &Key) {
        let definition = definition(self.sources, key);
        write!(text, "\n## {}\n\n{}\n", self.names[key], definition.says).expect("text");
        self.kind(text, &definition.kind);
    }

    fn kind(&self, text: &mut String, kind: &Kind) {
        match kind {
            Kind::Object(fields) => self.fields(text, fields),
            Kind::Forms { tag: None, variants, .. } => {
                text.push_str("\nOne of these texts:\n\n");
                for Variant { name, says, .. } in variants {
                    writeln!(text, "- `{name}`: {says}").expect("text");
                }
            }
            Kind::Forms { tag: Some(tag), content, variants } => {
                for Variant { name, says, holds } in variants {
                    write!(text, "\nWhere `{tag}` is `{name}`: {says}\n").expect("text");
                    match (holds, content) {
                        (Held::Nothing, _) => {}
                        (Held::Fields(fields), None) => self.fields(text, fields),
                        (Held::Value(shape), None) => {
                            write!(text, "\nThe keys of {}.\n", self.shape(shape)).expect("text");
                        }
                        (Held::Value(shape), Some(content)) => {
                            write!(text, "\n`{content}`: {}.\n", self.shape(shape)).expect("text");
                        }
                        (Held::Fields(_), Some(content)) => panic!("fields under {content} are not written"),
                    }
                }
            }
        }
    }

    fn fields(&self, text: &mut String, fields: &[Field]) {
        text.push_str("\n| key | value | what |\n|---|---|---|\n");
        for Field { name, shape, optional, flat, says } in fields {
            let shape = self.shape(shape);
            let (name, shape) = match (flat, optional) {
                (true, _) => (format!("(keys of {shape})"), shape),
                (false, true) => (format!("`{name}`"), format!("{shape}, *may be left out*")),
                (false, false) => (format!("`{name}`"), shape),
            };
            writeln!(text, "| {name} | {shape} | {says} |").expect("text");
        }
    }

    fn shape(&self, shape: &Shape) -> String {
        match shape {
            Shape::Text => "text".to_owned(),
            Shape::Number => "number".to_owned(),
            Shape::Truth => "true or false".to_owned(),
            Shape::Named(name) => format!("[{name}](README.md#values)"),
            Shape::Nullable(inner) => format!("{} or `null`", self.shape(inner)),
            Shape::List(inner) => format!("list of {}", self.shape(inner)),
            Shape::Map(inner) => format!("object of {} by name", self.shape(inner)),
            Shape::Tuple(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.shape(part)).collect();
                format!("list ({})", parts.join(", "))
            }
            Shape::Type(key) => {
                let name = &self.names[key];
                let page = if self.shared.contains(key) { "shared.md" } else { "" };
                format!("[{name}]({page}#{})", name.to_lowercase())
            }
        }
    }
}

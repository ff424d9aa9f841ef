//! From text to a schema. What is not understood is refused: a rule that is misspelt must not be a rule
//! that is not there.

use crate::object::metadata::FieldName;
use crate::rules::pattern::Pattern;
use crate::rules::schema::names::{NameRule, NameStyle};
use crate::rules::schema::{
    Defaults, ENTRIES_MAX, Field, FieldType, Required, SCHEMA_BYTES_MAX, Schema, SchemaError, Scope,
    TERM_DEPTH_MAX, TERMS_MAX, Term, Vocabulary, term_id,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Version of the format.
const VERSION: i64 = 1;

#[derive(Deserialize)]
struct VersionText {
    version: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaText {
    #[serde(rename = "version")]
    _version: i64,
    #[serde(default = "yes")]
    open: bool,
    #[serde(default)]
    fields: BTreeMap<String, FieldText>,
    #[serde(default)]
    vocabularies: BTreeMap<String, VocabularyText>,
    #[serde(default)]
    required: Vec<RequiredText>,
    #[serde(default)]
    defaults: Vec<DefaultsText>,
    #[serde(default)]
    names: Vec<NameText>,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldText {
    #[serde(rename = "type")]
    kind: FieldType,
    about: Option<String>,
    #[serde(default)]
    choices: Vec<String>,
    vocabulary: Option<String>,
    longest: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VocabularyText {
    about: Option<String>,
    #[serde(default)]
    terms: Vec<TermText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TermText {
    key: String,
    name: Option<String>,
    under: Option<String>,
    #[serde(default)]
    also: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequiredText {
    fields: Vec<String>,
    paths: Option<String>,
    #[serde(default)]
    types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultsText {
    set: BTreeMap<String, String>,
    paths: Option<String>,
    #[serde(default)]
    types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameText {
    paths: Option<String>,
    #[serde(default)]
    types: Vec<String>,
    style: Option<NameStyle>,
    #[serde(default)]
    begins: Vec<String>,
    #[serde(default)]
    ends: Vec<String>,
    #[serde(default)]
    version: bool,
    longest: Option<usize>,
    message: Option<String>,
}

fn refuse(problem: impl Into<String>) -> SchemaError {
    SchemaError { line: None, problem: problem.into() }
}

pub(super) fn parse(text: &str) -> Result<Schema, SchemaError> {
    if text.len() > SCHEMA_BYTES_MAX {
        return Err(refuse(format!("it has more than {} KiB", SCHEMA_BYTES_MAX / 1024)));
    }
    let fault = |error: toml_edit::de::Error| SchemaError {
        line: error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1),
        problem: error.message().trim().replace('\n', "; "),
    };
    // The version goes first, so that a newer format is not taken for a faulty old one.
    let version: VersionText = toml_edit::de::from_str(text).map_err(fault)?;
    if version.version != VERSION {
        return Err(refuse(format!(
            "this is version {} of the format; version 1 is known here",
            version.version
        )));
    }
    let read: SchemaText = toml_edit::de::from_str(text).map_err(fault)?;
    let lists = [
        read.fields.len(),
        read.vocabularies.len(),
        read.required.len(),
        read.defaults.len(),
        read.names.len(),
    ];
    if lists.iter().any(|length| *length > ENTRIES_MAX) {
        return Err(refuse(format!("there are more than {ENTRIES_MAX} entries of one kind")));
    }
    let mut schema = Schema { open: read.open, ..Schema::default() };
    for (name, vocabulary) in read.vocabularies {
        let read = read_vocabulary(&name, vocabulary)?;
        schema.vocabularies.insert(name, read);
    }
    for (name, field) in read.fields {
        let read = read_field(&name, field, &schema)?;
        schema.fields.insert(field_name(&name)?, read);
    }
    for rule in read.required {
        let fields = rule.fields.iter().map(|name| known(name, &schema)).collect::<Result<_, _>>()?;
        schema.required.push(Required { scope: scope(rule.paths, rule.types)?, fields });
    }
    for rule in read.defaults {
        let values = rule.set.into_iter().map(|(name, value)| Ok((known(&name, &schema)?, value)));
        let values = values.collect::<Result<_, SchemaError>>()?;
        schema.defaults.push(Defaults { scope: scope(rule.paths, rule.types)?, values });
    }
    for rule in read.names {
        schema.names.push(read_name(rule)?);
    }
    Ok(schema)
}

fn field_name(name: &str) -> Result<FieldName, SchemaError> {
    FieldName::new(name).map_err(|error| refuse(error.to_string()))
}

/// A field that a rule names: one of the schema, or the labels.
fn known(name: &str, schema: &Schema) -> Result<FieldName, SchemaError> {
    let name = field_name(name)?;
    if schema.fields.contains_key(&name) || name == FieldName::labels() {
        return Ok(name);
    }
    Err(refuse(format!("a rule names the field {name}, which [fields] does not have")))
}

fn scope(paths: Option<String>, types: Vec<String>) -> Result<Scope, SchemaError> {
    let paths = match paths {
        None => Pattern::everything(),
        Some(text) => {
            Pattern::new(&text).map_err(|reason| refuse(format!("{text:?} cannot be a pattern: {reason}")))?
        }
    };
    Ok(Scope { paths, types: types.iter().map(|name| name.to_lowercase()).collect() })
}

fn read_field(name: &str, field: FieldText, schema: &Schema) -> Result<Field, SchemaError> {
    let FieldText { kind, about, choices, vocabulary, longest } = field;
    let refuse = |problem: &str| Err(refuse(format!("the field {name}: {problem}")));
    match (&vocabulary, kind) {
        (None, FieldType::Terms) => return refuse("terms need vocabulary = \"...\""),
        (Some(_), FieldType::Terms) | (None, _) => {}
        (Some(_), _) => return refuse("only a field of type \"terms\" has a vocabulary"),
    }
    if let Some(vocabulary) = vocabulary.as_ref().filter(|name| !schema.vocabularies.contains_key(*name)) {
        return refuse(&format!("there is no vocabulary called {vocabulary:?}"));
    }
    if !choices.is_empty() && !matches!(kind, FieldType::Text | FieldType::Set) {
        return refuse("choices are for texts and sets; terms have a vocabulary");
    }
    if longest.is_some() && kind != FieldType::Text {
        return refuse("longest is for texts");
    }
    Ok(Field { kind, about, choices, vocabulary, longest })
}

fn read_vocabulary(name: &str, text: VocabularyText) -> Result<Vocabulary, SchemaError> {
    let refuse = |problem: String| refuse(format!("the vocabulary {name}: {problem}"));
    if text.terms.len() > TERMS_MAX {
        return Err(refuse(format!("it has more than {TERMS_MAX} terms")));
    }
    let mut vocabulary = Vocabulary { about: text.about, name: name.to_owned(), terms: BTreeMap::new() };
    let mut called: BTreeSet<String> = BTreeSet::new();
    for TermText { key, name: shown, under, also } in text.terms {
        // A key is a name of the same kind as that of a field.
        let key = FieldName::new(&key).map_err(|error| refuse(error.to_string()))?.as_str().to_owned();
        let term = Term { name: shown.unwrap_or_else(|| key.clone()), key: key.clone(), also, under };
        if !called.insert(key.clone()) {
            return Err(refuse(format!("the key {key} is there twice")));
        }
        vocabulary.terms.insert(term_id(name, &key), term);
    }
    for term in vocabulary.terms.values() {
        let (mut above, mut depth) = (term.under.as_ref(), 0);
        while let Some(key) = above {
            let Some(next) = vocabulary.terms.get(&term_id(name, key)) else {
                return Err(refuse(format!("{} is under {key:?}, which is no key of it", term.key)));
            };
            depth += 1;
            if depth > TERM_DEPTH_MAX {
                return Err(refuse(format!(
                    "{} is nested deeper than {TERM_DEPTH_MAX}, or under itself",
                    term.key
                )));
            }
            above = next.under.as_ref();
        }
    }
    Ok(vocabulary)
}

fn read_name(rule: NameText) -> Result<NameRule, SchemaError> {
    let NameText { paths, types, style, begins, ends, version, longest, message } = rule;
    if style.is_none() && begins.is_empty() && ends.is_empty() && !version && longest.is_none() {
        return Err(refuse("a rule of [[names]] asks for nothing"));
    }
    if longest.is_some_and(|longest| longest < 8) {
        return Err(refuse("a name needs 8 characters at least"));
    }
    Ok(NameRule { scope: scope(paths, types)?, style, begins, ends, version, longest, message })
}

//! What does not fit a schema, as a person needs to hear it.

use crate::base::path::AssetPath;
use crate::object::metadata::{FieldName, FieldValue, LABELS_FIELD, Metadata};
use crate::rules::schema::{Field, Schema, Scope};
use serde::Serialize;

/// An asset that is held against a schema.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Where it stands.
    pub path: &'a AssetPath,
    /// What is said about it.
    pub metadata: &'a Metadata,
    /// What it is: format, ends of names, family.
    pub types: &'a [String],
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// Where.
    pub path: AssetPath,
    /// The field; `None` when it is about the name.
    pub field: Option<FieldName>,
    /// What is wrong, as a sentence without its full stop.
    pub message: String,
    /// What to do, as a command or a name.
    pub proposal: Option<String>,
}

impl Scope {
    /// Whether a rule is about an asset.
    pub fn covers(&self, path: &AssetPath, types: &[String]) -> bool {
        self.paths.matches_path(path)
            && (self.types.is_empty() || self.types.iter().any(|wanted| types.contains(wanted)))
    }
}

impl Schema {
    /// Everything about an asset that does not fit.
    pub fn check(&self, subject: Subject<'_>) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let breach = |field: Option<&FieldName>, message: String, proposal: Option<String>| Breach {
            path: subject.path.clone(),
            field: field.cloned(),
            message,
            proposal,
        };
        for (name, value) in &subject.metadata.fields {
            match self.fields.get(name) {
                Some(field) => {
                    if let Some((message, proposal)) = self.misfit(name, field, value) {
                        breaches.push(breach(Some(name), message, proposal));
                    }
                }
                None if self.open || name.as_str() == LABELS_FIELD => {}
                None => breaches.push(breach(Some(name), format!("the schema has no field {name}"), None)),
            }
        }
        for rule in self.required.iter().filter(|rule| rule.scope.covers(subject.path, subject.types)) {
            for name in rule.fields.iter().filter(|name| !subject.metadata.fields.contains_key(*name)) {
                let command = match name.as_str() {
                    LABELS_FIELD => format!("pent label {} --add ...", subject.path),
                    name => format!("pent meta set {name} ... {}", subject.path),
                };
                let missing = breach(Some(name), format!("{name} is not filled in"), Some(command));
                if !breaches.contains(&missing) {
                    breaches.push(missing);
                }
            }
        }
        let name = String::from_utf8_lossy(subject.path.name());
        for rule in self.names.iter().filter(|rule| rule.scope.covers(subject.path, subject.types)) {
            if !rule.fits(&name) {
                let message = rule.message.clone().unwrap_or_else(|| "the name does not fit".to_owned());
                breaches.push(breach(None, message, rule.propose(&name)));
            }
        }
        breaches
    }

    /// Why a value does not fit its field, and what to write.
    fn misfit(
        &self,
        name: &FieldName,
        field: &Field,
        value: &FieldValue,
    ) -> Option<(String, Option<String>)> {
        if !field.kind.fits(value) {
            return Some((format!("{name} is to be of type {}", field.kind.name()), None));
        }
        let texts: Vec<&str> = match value {
            FieldValue::Text(text) => vec![text],
            FieldValue::Set(members) => members.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        if let Some(stray) =
            texts.iter().find(|text| !field.choices.is_empty() && !is_among(text, &field.choices))
        {
            let lower = stray.to_lowercase();
            let near = field.choices.iter().find(|choice| choice.to_lowercase() == lower);
            return Some((
                format!("{name} cannot be {stray:?}; it is one of {}", field.choices.join(", ")),
                near.map(|choice| format!("{name} = {choice:?}")),
            ));
        }
        if let (Some(longest), FieldValue::Text(text)) = (field.longest, value)
            && text.chars().count() > longest
        {
            return Some((format!("{name} has more than {longest} characters"), None));
        }
        if let FieldValue::Terms(terms) = value {
            let vocabulary = self.vocabulary_of(name)?;
            if let Some(stray) = terms.iter().find(|term| !vocabulary.terms.contains_key(term)) {
                return Some((
                    format!("{name} has a term that its vocabulary does not know ({stray})"),
                    None,
                ));
            }
        }
        None
    }
}

fn is_among(text: &str, choices: &[String]) -> bool {
    choices.iter().any(|choice| choice == text)
}

//! Compares a printed result with the shape that is written down for it.

use super::model::{Field, Held, Key, Kind, Shape, Sources, Variant};
use super::pages::definition;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What is wrong with a value, each with the place in it. Keys that were seen go to `seen`.
pub struct Check<'a> {
    pub sources: &'a Sources,
    pub wrong: Vec<String>,
    pub seen: BTreeSet<(Key, String)>,
}

impl Check<'_> {
    /// Checks an object against a type, given keys that stand there beside its own.
    pub fn object(&mut self, value: &Map<String, Value>, key: &Key, place: &str) {
        let mut known = BTreeSet::from(["schema".to_owned()]);
        self.members(value, key, place, &mut known);
        for name in value.keys().filter(|name| !known.contains(*name)) {
            self.wrong.push(format!("{place}.{name} is not written down in {}", key.name));
        }
    }

    /// Checks the keys of a type among those of an object; `known` gets them.
    fn members(&mut self, value: &Map<String, Value>, key: &Key, place: &str, known: &mut BTreeSet<String>) {
        match definition(self.sources, key).kind {
            Kind::Object(fields) => self.fields(value, &fields, key, place, known),
            Kind::Forms { tag: Some(tag), content, variants } => {
                known.insert(tag.clone());
                let name = value.get(&tag).and_then(Value::as_str).unwrap_or_default();
                let Some(variant) = variants.iter().find(|variant| variant.name == name) else {
                    self.wrong.push(format!("{place}.{tag} is {name:?}, which is none of its forms"));
                    return;
                };
                self.seen.insert((key.clone(), name.to_owned()));
                self.form(value, variant, (key, content.as_deref()), place, known);
            }
            Kind::Forms { tag: None, .. } => self.wrong.push(format!("{place} is an object, not a text")),
        }
    }

    fn form(
        &mut self,
        value: &Map<String, Value>,
        variant: &Variant,
        (key, content): (&Key, Option<&str>),
        place: &str,
        known: &mut BTreeSet<String>,
    ) {
        match (&variant.holds, content) {
            (Held::Nothing, _) => {}
            (Held::Fields(fields), _) => self.fields(value, fields, key, place, known),
            (Held::Value(shape), Some(content)) => {
                known.insert(content.to_owned());
                let inner = value.get(content).unwrap_or(&Value::Null);
                self.value(inner, shape, &format!("{place}.{content}"));
            }
            (Held::Value(Shape::Type(inner)), None) => self.members(value, inner, place, known),
            (Held::Value(_), None) => self.wrong.push(format!("{place} has a form without keys")),
        }
    }

    fn fields(
        &mut self,
        value: &Map<String, Value>,
        fields: &[Field],
        key: &Key,
        place: &str,
        known: &mut BTreeSet<String>,
    ) {
        for field in fields {
            if field.flat {
                match &field.shape {
                    Shape::Type(inner) => self.members(value, inner, place, known),
                    // Type and value of a field of metadata.
                    _ => known.extend(["type".to_owned(), "value".to_owned()]),
                }
                continue;
            }
            known.insert(field.name.clone());
            let place = format!("{place}.{}", field.name);
            match value.get(&field.name) {
                Some(inner) => {
                    if !inner.is_null() {
                        self.seen.insert((key.clone(), field.name.clone()));
                    }
                    self.value(inner, &field.shape, &place);
                }
                None if field.optional => {}
                None => self.wrong.push(format!("{place} is missing")),
            }
        }
    }

    fn value(&mut self, value: &Value, shape: &Shape, place: &str) {
        let fits = match (shape, value) {
            (Shape::Nullable(_), Value::Null) => true,
            (Shape::Nullable(inner), value) => return self.value(value, inner, place),
            (Shape::Named("kinds"), Value::Array(_))
            | (Shape::Named("value" | "range"), Value::Object(_)) => true,
            (Shape::Text | Shape::Named(_), Value::String(_))
            | (Shape::Number, Value::Number(_))
            | (Shape::Truth, Value::Bool(_)) => true,
            (Shape::List(inner), Value::Array(items)) => {
                items.iter().for_each(|item| self.value(item, inner, &format!("{place}[]")));
                true
            }
            (Shape::Tuple(parts), Value::Array(items)) if parts.len() == items.len() => {
                parts
                    .iter()
                    .zip(items)
                    .for_each(|(part, item)| self.value(item, part, &format!("{place}[]")));
                true
            }
            (Shape::Map(inner), Value::Object(items)) => {
                items.values().for_each(|item| self.value(item, inner, &format!("{place}.*")));
                true
            }
            (Shape::Type(key), Value::Object(object)) => {
                self.object(object, key, place);
                true
            }
            (Shape::Type(key), Value::String(text)) => {
                let kind = definition(self.sources, key).kind;
                self.seen.insert((key.clone(), text.clone()));
                matches!(&kind, Kind::Forms { tag: None, variants, .. } if variants.iter().any(|it| it.name == *text))
            }
            _ => false,
        };
        if !fits {
            self.wrong.push(format!("{place} is {value}, not {shape:?}"));
        }
    }
}

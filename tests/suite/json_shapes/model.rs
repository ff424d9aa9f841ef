//! Reads the shapes of results from the source: what `Serialize` is derived for, with its comments.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::{Attribute, Fields, GenericArgument, Item, PathArguments, Type, UseTree};

/// Where a type is written and what it is called: `app/status` and `ChangeLine`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub module: String,
    pub name: String,
}

/// What a value is in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    Text,
    Number,
    Truth,
    /// A text with a meaning of its own, such as an id.
    Named(&'static str),
    Nullable(Box<Self>),
    List(Box<Self>),
    Map(Box<Self>),
    /// A list of so many values, each of its own shape.
    Tuple(Vec<Self>),
    Type(Key),
}

/// A key of an object.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub shape: Shape,
    /// It may be left out.
    pub optional: bool,
    /// Its own keys stand in its place.
    pub flat: bool,
    pub says: String,
}

/// One of several forms that a value may have.
#[derive(Debug, Clone)]
pub struct Variant {
    pub name: String,
    pub says: String,
    pub holds: Held,
}

#[derive(Debug, Clone)]
pub enum Held {
    Nothing,
    Fields(Vec<Field>),
    Value(Shape),
}

/// What is written of a type.
#[derive(Debug, Clone)]
pub struct Definition {
    pub says: String,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Object(Vec<Field>),
    /// One text of several, or an object with a tag; `content` is the key of what the form holds.
    Forms {
        tag: Option<String>,
        content: Option<String>,
        variants: Vec<Variant>,
    },
}

/// Types whose JSON is written by hand: what it is.
const BY_HAND: &[(&str, Shape)] = &[
    ("String", Shape::Text),
    ("str", Shape::Text),
    ("bool", Shape::Truth),
    ("u8", Shape::Number),
    ("u32", Shape::Number),
    ("u64", Shape::Number),
    ("usize", Shape::Number),
    ("i16", Shape::Number),
    ("i32", Shape::Number),
    ("i64", Shape::Number),
    ("f64", Shape::Number),
    ("AssetPath", Shape::Named("path")),
    ("LocalPath", Shape::Named("place")),
    ("CommitId", Shape::Named("id")),
    ("GitId", Shape::Named("id")),
    ("TreeId", Shape::Named("id")),
    ("FileId", Shape::Named("id")),
    ("ChunkId", Shape::Named("id")),
    ("PackId", Shape::Named("id")),
    ("AssetId", Shape::Named("id")),
    ("MetadataId", Shape::Named("id")),
    ("PersonId", Shape::Named("id")),
    ("ActionId", Shape::Named("id")),
    ("PolicyId", Shape::Named("id")),
    ("RepositoryId", Shape::Named("id")),
    ("Address", Shape::Text),
    ("Fingerprint", Shape::Text),
    ("Handle", Shape::Text),
    ("Role", Shape::Text),
    ("PublicKey", Shape::Text),
    ("Handle", Shape::Text),
    ("TermId", Shape::Named("id")),
    ("RefName", Shape::Named("name")),
    ("FieldName", Shape::Text),
    ("ChangeKinds", Shape::Named("kinds")),
    ("FieldValue", Shape::Named("value")),
];

/// All sources, read once.
pub struct Sources {
    files: BTreeMap<String, syn::File>,
}

impl Sources {
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = BTreeMap::new();
        read_folder(&root, &root, &mut files);
        Self { files }
    }

    /// The texts of the files below a folder, by module.
    pub fn definition(&self, key: &Key) -> Option<Definition> {
        let file = self.files.get(&key.module)?;
        file.items.iter().find_map(|item| match item {
            Item::Struct(item) if item.ident == key.name => Some(Definition {
                says: comment(&item.attrs),
                kind: Kind::Object(self.fields(&key.module, &item.fields)),
            }),
            Item::Enum(item) if item.ident == key.name => {
                let how = Serde::of(&item.attrs);
                let variants = item.variants.iter().map(|variant| Variant {
                    name: how.renamed(&variant.ident.to_string()),
                    says: comment(&variant.attrs),
                    holds: match &variant.fields {
                        Fields::Unit => Held::Nothing,
                        Fields::Named(_) => Held::Fields(self.fields(&key.module, &variant.fields)),
                        Fields::Unnamed(fields) => {
                            let first = fields.unnamed.first().expect("a variant that holds something");
                            Held::Value(self.shape(&key.module, &first.ty))
                        }
                    },
                });
                let variants = variants.collect();
                Some(Definition {
                    says: comment(&item.attrs),
                    kind: Kind::Forms { tag: how.tag, content: how.content, variants },
                })
            }
            _ => None,
        })
    }

    fn fields(&self, module: &str, fields: &Fields) -> Vec<Field> {
        let field = |field: &syn::Field| {
            let how = Serde::of(&field.attrs);
            let name = field.ident.as_ref().expect("a named field").to_string();
            // What is written by a function of its own is a text.
            let mut shape = if how.by_hand { Shape::Text } else { self.shape(module, &field.ty) };
            if let (true, Shape::Nullable(inner)) = (how.optional, &shape) {
                shape = *inner.clone();
            }
            Field { name, shape, optional: how.optional, flat: how.flat, says: comment(&field.attrs) }
        };
        fields.iter().filter(|field| !Serde::of(&field.attrs).skipped).map(field).collect()
    }

    fn shape(&self, module: &str, of: &Type) -> Shape {
        match of {
            Type::Reference(inner) => self.shape(module, &inner.elem),
            Type::Slice(inner) => Shape::List(Box::new(self.shape(module, &inner.elem))),
            Type::Tuple(parts) => {
                Shape::Tuple(parts.elems.iter().map(|part| self.shape(module, part)).collect())
            }
            Type::Array(array) => Shape::Tuple(vec![self.shape(module, &array.elem); length_of(array)]),
            Type::Path(path) => {
                let last = path.path.segments.last().expect("a path has a name");
                let mut inner = Vec::new();
                if let PathArguments::AngleBracketed(arguments) = &last.arguments {
                    for argument in &arguments.args {
                        if let GenericArgument::Type(of) = argument {
                            inner.push(self.shape(module, of));
                        }
                    }
                }
                let names: Vec<String> =
                    path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                self.named(module, &names, inner)
            }
            other => panic!("no JSON is known for a type of {module}: {}", std::any::type_name_of_val(other)),
        }
    }

    fn named(&self, module: &str, names: &[String], mut inner: Vec<Shape>) -> Shape {
        let last = names.last().expect("a path has a name").as_str();
        match (last, inner.len()) {
            ("Range", 1) => return Shape::Named("range"),
            ("Option", 1) => return Shape::Nullable(Box::new(inner.remove(0))),
            ("Vec" | "BTreeSet", 1) => return Shape::List(Box::new(inner.remove(0))),
            ("BTreeMap", 2) => return Shape::Map(Box::new(inner.remove(1))),
            ("Box", 1) => return inner.remove(0),
            _ => {}
        }
        if let Some((_, shape)) = BY_HAND.iter().find(|(name, _)| *name == last) {
            return shape.clone();
        }
        let key = self.resolve(module, names);
        Shape::Type(key.unwrap_or_else(|| panic!("{} of src/{module} is not found", names.join("::"))))
    }

    /// Finds where a name that a module uses is written.
    fn resolve(&self, module: &str, names: &[String]) -> Option<Key> {
        let (first, rest) = names.split_first()?;
        let file = self.files.get(module)?;
        if rest.is_empty() && file.items.iter().any(|item| is_type(item, first)) {
            return Some(Key { module: module.to_owned(), name: first.clone() });
        }
        if first == "crate" {
            return self.find(rest);
        }
        for item in &file.items {
            let Item::Use(item) = item else { continue };
            let mut found = Vec::new();
            used(&item.tree, &mut Vec::new(), &mut found);
            for (name, path) in found {
                if name == *first {
                    let full: Vec<String> = absolute(module, path).into_iter().chain(rest.to_vec()).collect();
                    return self.find(&full);
                }
            }
        }
        let child = format!("{module}/{first}");
        self.files.contains_key(&child).then(|| self.resolve(&child, rest)).flatten()
    }

    /// Finds a type by its full path, following what modules pass on.
    fn find(&self, path: &[String]) -> Option<Key> {
        let (name, module) = path.split_last()?;
        self.resolve(&module.join("/"), std::slice::from_ref(name))
    }
}

fn read_folder(root: &Path, folder: &Path, files: &mut BTreeMap<String, syn::File>) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_folder(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("below src").with_extension("");
            let name = name.to_string_lossy().trim_end_matches("/mod").to_owned();
            let text = fs::read_to_string(&path).expect("readable source");
            files.insert(name, syn::parse_file(&text).expect("source that parses"));
        }
    }
}

/// How many values an array holds.
fn length_of(array: &syn::TypeArray) -> usize {
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) = &array.len else {
        panic!("the length of an array is a number");
    };
    number.base10_parse().expect("a number")
}

fn is_type(item: &Item, name: &str) -> bool {
    match item {
        Item::Struct(item) => item.ident == name,
        Item::Enum(item) => item.ident == name,
        _ => false,
    }
}

/// The names that a `use` brings in, each with the path that it stands for.
fn used(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            used(&part.tree, path, found);
            path.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            found.push((path.last().cloned().unwrap_or_default(), path.clone()));
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push((name.clone(), path.iter().cloned().chain([name]).collect()));
        }
        UseTree::Rename(renamed) => {
            let full = path.iter().cloned().chain([renamed.ident.to_string()]).collect();
            found.push((renamed.rename.to_string(), full));
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| used(tree, path, found)),
        UseTree::Glob(_) => {}
    }
}

/// A path as seen from the top: `super` and `self` are resolved.
fn absolute(module: &str, path: Vec<String>) -> Vec<String> {
    let here: Vec<String> = module.split('/').map(str::to_owned).collect();
    match path.first().map(String::as_str) {
        Some("crate") => path[1..].to_vec(),
        Some("self") => here.into_iter().chain(path[1..].to_vec()).collect(),
        Some("super") => here[..here.len() - 1].iter().cloned().chain(path[1..].to_vec()).collect(),
        _ => here.into_iter().chain(path).collect(),
    }
}

/// What serde was told about a type, a form or a field.
#[derive(Default)]
struct Serde {
    tag: Option<String>,
    content: Option<String>,
    kebab: bool,
    optional: bool,
    flat: bool,
    by_hand: bool,
    skipped: bool,
}

impl Serde {
    fn of(attributes: &[Attribute]) -> Self {
        let mut how = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            attribute
                .parse_nested_meta(|meta| {
                    let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                    let text = match meta.value() {
                        Ok(value) => value.parse::<syn::LitStr>()?.value(),
                        Err(_) => String::new(),
                    };
                    match name.as_str() {
                        "tag" => how.tag = Some(text),
                        "content" => how.content = Some(text),
                        "rename_all" => how.kebab = matches!(text.as_str(), "kebab-case" | "lowercase"),
                        "skip_serializing_if" => how.optional = true,
                        "flatten" => how.flat = true,
                        "with" => how.by_hand = true,
                        "skip" => how.skipped = true,
                        "default" | "transparent" => {}
                        other => panic!("serde({other}) is not known to the documentation of shapes"),
                    }
                    Ok(())
                })
                .expect("serde attributes");
        }
        how
    }

    fn renamed(&self, name: &str) -> String {
        if !self.kebab {
            return name.to_owned();
        }
        let mut text = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !text.is_empty() {
                text.push('-');
            }
            text.extend(letter.to_lowercase());
        }
        text
    }
}

/// The comment above something, on one line.
fn comment(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let syn::Meta::NameValue(value) = &attribute.meta
            && let syn::Expr::Lit(literal) = &value.value
            && let syn::Lit::Str(text) = &literal.lit
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.join(" ").replace("`None`", "`null`").replace('|', "\\|").trim().to_owned()
}

/// Schemas that the sources of a folder print: the words in `print("...", `.
pub fn printed_schemas(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let mut found = BTreeSet::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a source folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("readable source");
            let parts = text.split("print(\"").skip(1).filter_map(|part| part.split('"').next());
            found.extend(parts.map(str::to_owned));
        }
    }
    found
}

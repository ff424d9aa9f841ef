//! Text documents, tables, presentations, books and drawings of offices and studios: titles, pages, words.

use roxmltree::Node;

use super::{Package, parse, sized};
use crate::media::decoder::DecodeError;
use crate::media::facts::{Facts, Field, WORDS_BYTES_MAX};
use crate::media::format::Format;

/// Most members whose text is read: slides, sheets, chapters.
const PARTS_MAX: usize = 2000;
/// Elements whose text is a paragraph of its own.
const PARAGRAPHS: &[&str] =
    &["p", "h", "h1", "h2", "h3", "h4", "h5", "h6", "si", "is", "li", "title", "tr", "div", "blockquote"];
/// Elements whose text nobody reads.
const UNREAD: &[&str] = &["script", "style", "instrText", "delText", "rPh"];

/// Elements of the members that say what a document is, and what they are called here.
const PROPERTIES: &[(&str, &str)] = &[
    ("title", "Title"),
    ("subject", "Subject"),
    ("creator", "Author"),
    ("initial-creator", "Author"),
    ("description", "Description"),
    ("keywords", "Keywords"),
    ("keyword", "Keywords"),
    ("language", "Language"),
    ("publisher", "Publisher"),
    ("rights", "Rights"),
    ("lastModifiedBy", "LastModifiedBy"),
    ("created", "Created"),
    ("creation-date", "Created"),
    ("modified", "Modified"),
    ("Application", "Application"),
    ("generator", "Application"),
    ("Company", "Company"),
];

pub(super) fn facts(
    package: &mut Package<'_>,
    format: &'static Format,
    facts: &mut Facts,
) -> Result<(), DecodeError> {
    match format.id {
        "docx" => {
            properties(package, &["docProps/core.xml", "docProps/app.xml"], facts)?;
            words(package, vec!["word/document.xml".to_owned()], facts)?;
        }
        "xlsx" => {
            properties(package, &["docProps/core.xml", "docProps/app.xml"], facts)?;
            facts.pages = Some(package.names(|name| is_part(name, "xl/worksheets/sheet")).len() as u64);
            let mut parts = vec!["xl/sharedStrings.xml".to_owned()];
            parts.extend(package.names(|name| is_part(name, "xl/comments")));
            words(package, parts, facts)?;
            for sheet in
                package.names(|name| is_part(name, "xl/worksheets/sheet")).into_iter().take(PARTS_MAX)
            {
                cells(package, &sheet, facts)?;
            }
        }
        "pptx" => {
            properties(package, &["docProps/core.xml", "docProps/app.xml"], facts)?;
            let slides = package.names(|name| is_part(name, "ppt/slides/slide"));
            facts.pages = Some(slides.len() as u64);
            words(package, slides, facts)?;
        }
        "odf" => {
            properties(package, &["meta.xml"], facts)?;
            words(package, vec!["content.xml".to_owned()], facts)?;
        }
        "epub" => book(package, facts)?,
        _ => studio(package, facts)?,
    }
    facts.contains = package.contents();
    Ok(())
}

/// Whether a member is one of several of a kind, as `ppt/slides/slide12.xml`.
fn is_part(name: &str, start: &str) -> bool {
    let number = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(".xml"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn properties(package: &mut Package<'_>, members: &[&str], facts: &mut Facts) -> Result<(), DecodeError> {
    for member in members {
        let Some(text) = package.markup(member)? else { continue };
        let document = parse(&text)?;
        for node in document.descendants().filter(Node::is_element) {
            let name = node.tag_name().name();
            let value = node.text().map(str::trim).unwrap_or_default();
            if name == "Pages" && facts.pages.is_none() {
                facts.pages = value.parse().ok().filter(|pages| *pages > 0);
            }
            if name == "document-statistic" {
                let count = node.attributes().find(|it| it.name() == "page-count");
                facts.pages = facts.pages.or(count.and_then(|it| it.value().parse().ok()));
            }
            if let Some((_, told)) = PROPERTIES.iter().find(|(element, _)| *element == name)
                && !value.is_empty()
            {
                add(facts, told, value);
            }
        }
    }
    Ok(())
}

/// Adds a field; several of one name are a list.
fn add(facts: &mut Facts, name: &str, value: &str) {
    match facts.embedded.iter_mut().find(|field| field.group == "office" && field.name == name) {
        Some(field) if field.members().all(|member| member != value) => field.push(value),
        Some(_) => {}
        None => facts.add_fields([Field::text("office", name, value)]),
    }
}

/// The words of members, paragraph by paragraph.
fn words(package: &mut Package<'_>, members: Vec<String>, facts: &mut Facts) -> Result<(), DecodeError> {
    for member in members.into_iter().take(PARTS_MAX) {
        if facts.text.as_ref().is_some_and(|text| text.len() >= WORDS_BYTES_MAX) {
            break;
        }
        let Some(text) = package.markup(&member)? else { continue };
        let Ok(document) = parse(&text) else {
            facts.note(format!("{member} in it is damaged"));
            continue;
        };
        read(document.root_element(), facts);
    }
    Ok(())
}

/// The words of a sheet whose cells hold them themselves.
fn cells(package: &mut Package<'_>, sheet: &str, facts: &mut Facts) -> Result<(), DecodeError> {
    let Some(text) = package.markup(sheet)? else { return Ok(()) };
    let document = parse(&text)?;
    let texts = document.descendants().filter(|node| node.tag_name().name() == "is");
    texts.for_each(|node| read(node, facts));
    Ok(())
}

/// Gathers text in the order in which it stands, a line for each paragraph.
fn read(root: Node<'_, '_>, facts: &mut Facts) {
    let mut line = String::new();
    let mut open = Vec::new();
    let end = |line: &mut String, facts: &mut Facts| {
        facts.add_text(&line.split_whitespace().collect::<Vec<_>>().join(" "));
        line.clear();
    };
    for node in root.descendants() {
        while open.last().is_some_and(|range: &std::ops::Range<usize>| node.range().start >= range.end) {
            open.pop();
            end(&mut line, facts);
        }
        let name = node.tag_name().name();
        if node.is_element() && PARAGRAPHS.contains(&name) {
            end(&mut line, facts);
            open.push(node.range());
        }
        match name {
            "tab" | "s" | "br" | "line-break" | "cr" => line.push(' '),
            _ => {}
        }
        let unread = || node.parent().is_some_and(|parent| UNREAD.contains(&parent.tag_name().name()));
        if node.is_text() && !unread() && line.len() < WORDS_BYTES_MAX {
            line.push_str(node.text().unwrap_or_default());
        }
    }
    end(&mut line, facts);
}

/// The member in which a book's contents are listed, and its text.
fn contents(package: &mut Package<'_>) -> Result<Option<(String, String)>, DecodeError> {
    let Some(text) = package.markup("META-INF/container.xml")? else { return Ok(None) };
    let document = parse(&text)?;
    let root = document.descendants().find(|node| node.tag_name().name() == "rootfile");
    let Some(path) = root.and_then(|node| node.attribute("full-path")) else { return Ok(None) };
    Ok(package.markup(path)?.map(|text| (path.to_owned(), text)))
}

/// A name beside another one within the file.
fn beside(path: &str, name: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    }
}

fn book(package: &mut Package<'_>, facts: &mut Facts) -> Result<(), DecodeError> {
    let Some((path, text)) = contents(package)? else {
        return Err(DecodeError::Damaged("its list of contents is missing".to_owned()));
    };
    let document = parse(&text)?;
    let metadata = document.descendants().find(|node| node.tag_name().name() == "metadata");
    for node in metadata.iter().flat_map(Node::children).filter(Node::is_element) {
        let name = PROPERTIES.iter().find(|(element, _)| *element == node.tag_name().name());
        if let (Some((_, told)), Some(value)) = (name, node.text().map(str::trim).filter(|it| !it.is_empty()))
        {
            add(facts, told, value);
        }
    }
    // Chapters in reading order: references to the list of members.
    let items: Vec<Node<'_, '_>> =
        document.descendants().filter(|node| node.tag_name().name() == "item").collect();
    let chapters = document.descendants().filter(|node| node.tag_name().name() == "itemref");
    let chapters = chapters.filter_map(|chapter| {
        let id = chapter.attribute("idref")?;
        let item = items.iter().find(|item| item.attribute("id") == Some(id))?;
        Some(beside(&path, item.attribute("href")?))
    });
    words(package, chapters.take(PARTS_MAX).collect(), facts)
}

/// The member that has a book's cover.
pub(super) fn cover(package: &mut Package<'_>) -> Option<String> {
    let (path, text) = contents(package).ok()??;
    let document = parse(&text).ok()?;
    let items = || document.descendants().filter(|node| node.tag_name().name() == "item");
    let marked = items().find(|item| {
        item.attribute("properties").is_some_and(|it| it.split_whitespace().any(|it| it == "cover-image"))
    });
    // Books of the second version name it by a line of their metadata.
    let named = || {
        let meta = document
            .descendants()
            .find(|node| node.tag_name().name() == "meta" && node.attribute("name") == Some("cover"))?;
        items().find(|item| item.attribute("id") == meta.attribute("content"))
    };
    Some(beside(&path, marked.or_else(named)?.attribute("href")?))
}

/// Sketch and Figma: pages and what lies on them, from JSON.
fn studio(package: &mut Package<'_>, facts: &mut Facts) -> Result<(), DecodeError> {
    let json = |bytes: Option<Vec<u8>>| -> Option<serde_json::Value> { serde_json::from_slice(&bytes?).ok() };
    if let Some(meta) = json(package.member("meta.json", super::MARKUP_MAX)?) {
        for (key, name) in
            [("app", "Application"), ("file_name", "Title"), ("appVersion", "ApplicationVersion")]
        {
            if let Some(value) = meta[key].as_str() {
                add(facts, name, value);
            }
        }
        if let Some(pages) = meta["pagesAndArtboards"].as_object() {
            facts.pages = Some(pages.len() as u64);
            for page in pages.values().take(PARTS_MAX) {
                facts.add_text(page["name"].as_str().unwrap_or_default());
                let boards = page["artboards"].as_object();
                for board in boards.iter().flat_map(|boards| boards.values()).take(PARTS_MAX) {
                    facts.add_text(board["name"].as_str().unwrap_or_default());
                }
            }
        }
    }
    let preview = ["previews/preview.png", "thumbnail.png"];
    for name in preview {
        if let Some(bytes) = package.member(name, super::MEMBER_MAX)? {
            let size = super::picture(&bytes).ok().map(|it| (u64::from(it.width), u64::from(it.height)));
            facts.picture = size.map(|(width, height)| sized(width, height));
        }
    }
    Ok(())
}

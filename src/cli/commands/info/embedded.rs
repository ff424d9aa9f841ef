//! Fields that stand in a file or beside it, as a person asks for them: what was made how, what it is
//! about, and who may do what with it.

use crate::base::size::human_count;
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{DIM, Page, safe, safe_lines};
use crate::media::facts::Field;
use std::io;

/// Longest value that is shown whole, in characters; `--json` has all of it.
const SHOWN_MAX: usize = 300;

/// A line of the list: what it is called, and the fields that say it, the most telling first.
type Line = (&'static str, &'static [(&'static str, &'static str)]);

const MADE: &[Line] = &[
    (
        "taken",
        &[
            ("exif", "DateTimeOriginal"),
            ("xmp", "exif:DateTimeOriginal"),
            ("xmp", "photoshop:DateCreated"),
            ("iptc", "DateCreated"),
            ("exif", "DateTimeDigitized"),
            ("xmp", "xmp:CreateDate"),
            ("png", "Creation Time"),
        ],
    ),
    ("camera", &[("made", "camera"), ("xmp", "tiff:Model")]),
    ("lens", &[("exif", "LensModel"), ("xmp", "exifEX:LensModel"), ("xmp", "aux:Lens")]),
    ("exposure", &[("made", "exposure")]),
    ("place", &[("made", "place")]),
    (
        "program",
        &[
            ("exif", "Software"),
            ("xmp", "xmp:CreatorTool"),
            ("pdf", "Creator"),
            ("pdf", "Producer"),
            ("png", "Software"),
            ("sound", "EncodedBy"),
            ("office", "Application"),
        ],
    ),
];

const ABOUT: &[Line] = &[
    (
        "title",
        &[
            ("xmp", "dc:title"),
            ("iptc", "ObjectName"),
            ("pdf", "Title"),
            ("sound", "TrackTitle"),
            ("office", "Title"),
            ("svg", "title"),
            ("png", "Title"),
        ],
    ),
    ("headline", &[("xmp", "photoshop:Headline"), ("iptc", "Headline")]),
    (
        "description",
        &[
            ("xmp", "dc:description"),
            ("iptc", "Caption-Abstract"),
            ("exif", "ImageDescription"),
            ("exif", "UserComment"),
            ("pdf", "Subject"),
            ("office", "Subject"),
            ("svg", "desc"),
            ("png", "Description"),
            ("jpeg", "Comment"),
            ("sound", "Comment"),
        ],
    ),
    ("keywords", &[("xmp", "dc:subject"), ("iptc", "Keywords"), ("pdf", "Keywords"), ("office", "Keywords")]),
    (
        "creator",
        &[
            ("xmp", "dc:creator"),
            ("iptc", "By-line"),
            ("exif", "Artist"),
            ("pdf", "Author"),
            ("sound", "Artist"),
            ("office", "Author"),
            ("png", "Author"),
        ],
    ),
    ("album", &[("sound", "Album")]),
    ("credit", &[("xmp", "photoshop:Credit"), ("iptc", "Credit")]),
    ("source", &[("xmp", "photoshop:Source"), ("iptc", "Source")]),
    ("rating", &[("xmp", "xmp:Rating")]),
    ("label", &[("xmp", "xmp:Label")]),
    ("instructions", &[("xmp", "photoshop:Instructions"), ("iptc", "SpecialInstructions")]),
];

const RIGHTS: &[Line] = &[
    (
        "copyright",
        &[
            ("xmp", "dc:rights"),
            ("iptc", "CopyrightNotice"),
            ("exif", "Copyright"),
            ("sound", "Copyright"),
            ("font", "Copyright"),
            ("png", "Copyright"),
        ],
    ),
    ("owner", &[("made", "owner"), ("xmp", "xmpRights:Owner")]),
    ("usage terms", &[("xmp", "xmpRights:UsageTerms")]),
    ("licence", &[("xmp", "cc:license"), ("xmp", "xmpRights:WebStatement"), ("font", "License")]),
    ("licensor", &[("made", "licensor")]),
    ("licence until", &[("xmp", "plus:LicenseEndDate"), ("iptc", "ExpirationDate")]),
    ("model release", &[("xmp", "plus:ModelReleaseStatus")]),
    ("property release", &[("xmp", "plus:PropertyReleaseStatus")]),
    ("data mining", &[("xmp", "plus:DataMining")]),
];

/// Writes what a sidecar says.
pub(super) fn write(page: &mut Page<'_>, fields: &[Field], heading: String) -> io::Result<()> {
    page.gap()?;
    page.heading(heading)?;
    let mut columns = Columns::indented(2);
    rows(fields, &mut columns);
    columns.write(page)
}

/// Adds what fields say, and how many there are in all.
pub(super) fn rows(fields: &[Field], columns: &mut Columns) {
    if fields.is_empty() {
        return;
    }
    let made = made(fields);
    for (label, names) in MADE.iter().chain(ABOUT).chain(RIGHTS) {
        let found = names.iter().find_map(|(group, name)| {
            let all = if *group == "made" { &made } else { fields };
            all.iter().find(|field| field.group == *group && field.name == *name)
        });
        if let Some(field) = found {
            columns.row([Cell::new(*label).styled(DIM), Cell::new(shown(field))]);
        }
    }
    let mut groups: Vec<(&str, u64)> = Vec::new();
    for field in fields {
        match groups.iter_mut().find(|(name, _)| *name == field.group) {
            Some((_, count)) => *count += 1,
            None => groups.push((&field.group, 1)),
        }
    }
    let groups: Vec<String> =
        groups.into_iter().map(|(name, count)| format!("{} {}", human_count(count), title(name))).collect();
    columns.row([
        Cell::new("fields").styled(DIM),
        Cell::new(format!("{}; --json has them all", groups.join(", "))).styled(DIM),
    ]);
}

fn title(group: &str) -> String {
    match group {
        "exif" | "iptc" | "xmp" | "pdf" | "png" | "jpeg" | "svg" => group.to_uppercase(),
        "office" => "of the document".to_owned(),
        "sound" => "of the sound".to_owned(),
        "font" => "of the typeface".to_owned(),
        other => safe(other),
    }
}

fn shown(field: &Field) -> String {
    let value = match field.list.as_slice() {
        [] => safe_lines(&field.value).replace('\n', " "),
        list => list.iter().map(|member| safe(member)).collect::<Vec<_>>().join(", "),
    };
    // PLUS says what it means by the end of an address.
    let value = match value.strip_prefix("http://ns.useplus.org/ldf/vocab/") {
        Some(term) => format!("{term} (PLUS)"),
        None => value,
    };
    match value.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value,
    }
}

/// What several fields say together.
fn made(fields: &[Field]) -> Vec<Field> {
    let get =
        |group: &str, name: &str| fields.iter().find(|field| field.group == group && field.name == name);
    let text = |name: &str| get("exif", name).map(|field| field.value.trim());
    let number = |name: &str| get("exif", name).and_then(|field| field.number);
    let mut made = Vec::new();
    let mut add = |name: &str, parts: Vec<String>, between: &str| {
        if !parts.is_empty() {
            made.push(Field::text("made", name, &parts.join(between)));
        }
    };
    let model = text("Model").unwrap_or_default();
    let make = text("Make").filter(|make| !model.to_lowercase().starts_with(&make.to_lowercase()));
    add("camera", make.into_iter().chain(text("Model")).map(str::to_owned).collect(), " ");
    let mut exposure = Vec::new();
    exposure.extend(text("ExposureTime").map(|time| format!("{time} s")));
    exposure.extend(number("FNumber").map(|number| format!("f/{}", near(number))));
    exposure.extend(number("PhotographicSensitivity").map(|number| format!("ISO {}", near(number))));
    exposure.extend(number("FocalLength").map(|number| format!("{} mm", near(number))));
    add("exposure", exposure, ", ");
    let name =
        |xmp: &str, iptc: &str| get("xmp", xmp).or_else(|| get("iptc", iptc)).map(|it| it.value.clone());
    let mut place: Vec<String> = Vec::new();
    place.extend(name("Iptc4xmpCore:Location", "Sub-location"));
    place.extend(name("photoshop:City", "City"));
    place.extend(name("photoshop:State", "Province-State"));
    place.extend(name("photoshop:Country", "Country-PrimaryLocationName"));
    let position = number("GPSLatitude").zip(number("GPSLongitude"));
    place.extend(position.map(|(latitude, longitude)| format!("{latitude:.5}, {longitude:.5}")));
    add("place", place, ", ");
    let of = |list: &str, parts: &[&str]| -> Vec<String> {
        let path = |part: &&str| get("xmp", &format!("plus:{list}[1]/plus:{part}"));
        parts.iter().filter_map(path).map(|field| field.value.clone()).collect()
    };
    add("owner", of("CopyrightOwner", &["CopyrightOwnerName"]), ", ");
    add("licensor", of("Licensor", &["LicensorName", "LicensorURL", "LicensorEmail"]), ", ");
    made
}

/// A number with as many places as it needs, at most two.
fn near(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_fields_make_one_line() {
        let number = |name: &str, value| Field::number("exif", name, value);
        let fields = [
            Field::text("exif", "Make", "Canon"),
            Field::text("exif", "Model", "Canon EOS R5"),
            Field { number: Some(0.004), ..Field::text("exif", "ExposureTime", "1/250") },
            number("FNumber", 2.8),
            number("FocalLength", 50.0),
            number("GPSLatitude", 59.329_32),
            number("GPSLongitude", -18.068_58),
            Field::text("iptc", "City", "Stockholm"),
            Field::text("xmp", "plus:Licensor[1]/plus:LicensorName", "Harbour Pictures"),
        ];
        let told: Vec<_> = made(&fields).into_iter().map(|field| (field.name, field.value)).collect();
        let expected = [
            ("camera", "Canon EOS R5"),
            ("exposure", "1/250 s, f/2.8, 50 mm"),
            ("place", "Stockholm, 59.32932, -18.06858"),
            ("licensor", "Harbour Pictures"),
        ];
        assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn values_are_shown_within_bounds_and_without_control_characters() {
        let field = Field::text("xmp", "dc:title", &format!("a\u{1b}[31m{}", "x".repeat(1000)));
        let shown = shown(&field);
        assert!(!shown.contains('\u{1b}') && shown.chars().count() <= SHOWN_MAX + 1, "{shown}");
        let mining = Field::text("xmp", "plus:DataMining", "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED");
        assert_eq!(super::shown(&mining), "DMI-PROHIBITED (PLUS)");
    }
}

//! Fuzz targets of what comes from other systems, and of the records of imports.

use crate::base::fuzz::{Target, Verdict, canonical, settled};
use crate::base::id::{CommitId, FileId, GitId};
use crate::import::folder::archive::{Archive, checked};
use crate::import::folder::habits::usual;
use crate::import::folder::pattern::Pattern;
use crate::import::folder::plan::Plan;
use crate::import::git::{delta, large, lfs, objects, parse, settings};
use crate::object::tree::ForeignAlgorithm;
use crate::repo::imports::{BlobRecord, MissingRecord, ReferenceRecord, TreeForm};
use std::io::Read as _;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("import: Git commit", &["import/git/parse.rs"], commit_seeds, |bytes| {
        let commit = parse::commit(bytes);
        let (tree, parents) = parse::commit_links(bytes);
        // Both read the same headers; the shorter way stops at the first that is another.
        let fits = tree.is_none() || (commit.tree == tree && commit.parents.starts_with(&parents));
        if fits {
            Verdict::Understood
        } else {
            Verdict::Wrong(format!("{commit:?}, but {tree:?} {parents:?}"))
        }
    }),
    Target::new("import: Git tag", &["import/git/parse.rs"], tag_seeds, |bytes| {
        parse::tag(bytes).map_or(Verdict::Refused, |_| Verdict::Understood)
    }),
    Target::new("import: Git tree", &["import/git/parse.rs"], tree_seeds, |bytes| {
        parse::tree(bytes).map_or(Verdict::Refused, |_| Verdict::Understood)
    }),
    Target::new("import: Git LFS pointer", &["import/git/lfs.rs"], pointer_seeds, |bytes| {
        match lfs::parse_pointer(bytes) {
            Some(pointer) if pointer.plain => {
                Verdict::Canonical(lfs::pointer_text(&pointer.sha256, pointer.size))
            }
            Some(_) => Verdict::Understood,
            None => Verdict::Refused,
        }
    }),
    Target::new("import: plan", &["import/folder/plan.rs"], plan_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        settled(
            Plan::parse(text),
            |plan| plan.to_text().into_bytes(),
            |bytes| Plan::parse(std::str::from_utf8(bytes).ok()?).ok(),
        )
    })
    .with_memory(1 << 20),
    Target::new("import: name of a version", &["import/folder/pattern.rs"], name_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let fixed = Pattern::parse("{name}_v{n}*.{word}").map(|pattern| pattern.fit(text));
        if usual(text).name.is_empty() && !text.is_empty() {
            return Verdict::Wrong(format!("{text:?} lost its name: {fixed:?}"));
        }
        Verdict::Understood
    })
    .with_memory(1 << 20),
    Target::new("import: blob in a file", &["import/git/large.rs"], loose_seeds, |bytes| {
        content_of(large::loose(std::io::Cursor::new(bytes.to_vec()), content_id()))
    })
    .with_memory(1 << 20),
    Target::new("import: blob in a pack", &["import/git/large.rs"], packed_seeds, |bytes| {
        content_of(large::packed(std::io::Cursor::new(bytes.to_vec()), 12, content_id()))
    })
    .with_memory(1 << 20),
    Target::new("import: difference in a pack", &["import/git/delta.rs"], delta_seeds, |bytes| {
        let mut out = Vec::new();
        let allow = |length| if length > 1 << 16 { Err(std::io::Error::other("too long")) } else { Ok(()) };
        match delta::apply_to(&Letters, &mut &*bytes, &mut out, &allow) {
            Ok(length) if length == out.len() as u64 => Verdict::Understood,
            Ok(length) => Verdict::Wrong(format!("{length} bytes were to be {}", out.len())),
            Err(_) => Verdict::Refused,
        }
    })
    .with_memory(1 << 20),
    Target::new("import: name in an archive", &["import/folder/archive.rs"], archive_name_seeds, |bytes| {
        let Some(path) = checked(bytes.to_vec()) else { return Verdict::Refused };
        let leads_out = path.names().any(|name| name == b".." || name.eq_ignore_ascii_case(b".pent"));
        if leads_out || path.as_bytes().starts_with(b"/") {
            return Verdict::Wrong(format!("{path} leads out"));
        }
        Verdict::Understood
    }),
    Target::new("import: archive", &["import/folder/archive.rs"], archive_seeds, |bytes| {
        let Ok(mut archive) = Archive::read_from(std::io::Cursor::new(bytes), bytes.len() as u64) else {
            return Verdict::Refused;
        };
        let (entries, _) = archive.entries();
        for entry in entries {
            let _ = archive
                .read(entry.index, |input| std::io::copy(&mut input.take(1 << 20), &mut std::io::sink()));
        }
        Verdict::Understood
    })
    .with_memory(8 << 20),
    Target::new("import: attributes", &["import/git/settings.rs"], attribute_seeds, |bytes| {
        let mut translated = settings::Translated::default();
        translated.add_ignore(&crate::base::path::AssetPath::root(), bytes);
        translated.add_attributes(&crate::base::path::AssetPath::root(), bytes);
        Verdict::Understood
    }),
    Target::new("import: blob record", &["repo/imports.rs"], blob_seeds, |bytes| {
        canonical(BlobRecord::decode(bytes), BlobRecord::encode)
    }),
    Target::new("import: tree form", &["repo/imports.rs"], form_seeds, |bytes| {
        canonical(TreeForm::decode(bytes), TreeForm::encode)
    }),
    Target::new("import: reference record", &["repo/imports.rs"], reference_seeds, |bytes| {
        canonical(ReferenceRecord::decode(bytes), ReferenceRecord::encode)
    }),
    Target::new("import: missing content", &["repo/imports.rs"], missing_seeds, |bytes| {
        canonical(MissingRecord::decode(bytes), MissingRecord::encode)
    }),
];

/// What differences are ones to.
struct Letters;

impl delta::Base for Letters {
    fn length(&self) -> std::io::Result<u64> {
        Ok(CONTENT.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let piece = start.checked_add(buffer.len()).and_then(|end| CONTENT.get(start..end));
        let piece = piece.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(piece);
        Ok(())
    }
}

fn delta_seeds() -> Vec<Vec<u8>> {
    vec![[&[17u8, 9, 0x91, 2, 3, 2][..], b"xy", &[0x90, 4]].concat()]
}

const CONTENT: &[u8] = b"content of a blob";

fn content_id() -> GitId {
    objects::hash(objects::Kind::Blob, CONTENT).unwrap_or(git_id())
}

/// Whoever reads a blob to its end has what its id says, or an error.
fn content_of(stream: Option<large::BlobStream>) -> Verdict {
    let Some(mut stream) = stream else { return Verdict::Refused };
    let mut content = Vec::new();
    match stream.read_to_end(&mut content) {
        Ok(_) if content == CONTENT => Verdict::Understood,
        Ok(_) => Verdict::Wrong(format!("{content:?}")),
        Err(_) => Verdict::Refused,
    }
}

fn deflated(before: &[u8], bytes: &[u8]) -> Vec<Vec<u8>> {
    use std::io::Write as _;
    let mut out = flate2::write::ZlibEncoder::new(before.to_vec(), flate2::Compression::fast());
    out.write_all(bytes).and_then(|()| out.finish()).into_iter().collect()
}

fn loose_seeds() -> Vec<Vec<u8>> {
    deflated(b"", &[format!("blob {}\0", CONTENT.len()).as_bytes(), CONTENT].concat())
}

fn packed_seeds() -> Vec<Vec<u8>> {
    // A blob of 17 bytes: 3 is the kind, the length begins in the low four bits.
    deflated(&[0xb1, 0x01], CONTENT)
}

fn git_id() -> GitId {
    GitId::from_bytes([4; 20])
}

fn commit_seeds() -> Vec<Vec<u8>> {
    let id = git_id();
    let text = format!(
        "tree {id}\nparent {id}\nauthor A <a@b> 1700000000 +0100\ncommitter B <c@d> 1700000000 -0230\n\
         encoding ISO-8859-1\ngpgsig -----BEGIN\n more\n -----END\n\nsubject\n\nbody\n"
    );
    vec![text.into_bytes()]
}

fn tag_seeds() -> Vec<Vec<u8>> {
    let id = git_id();
    vec![format!("object {id}\ntype commit\ntag v1\ntagger A <a@b> 1 +0000\n\nwords\n").into_bytes()]
}

fn tree_seeds() -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    for name in ["100644 a", "40000 b", "120000 c", "160000 d"] {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(git_id().as_bytes());
    }
    vec![bytes]
}

fn pointer_seeds() -> Vec<Vec<u8>> {
    let text = lfs::pointer_text(&[7; 32], 123);
    let other = String::from_utf8_lossy(&text).replace('\n', "\r\n").into_bytes();
    vec![text, other]
}

fn plan_seeds() -> Vec<Vec<u8>> {
    let text =
        "# pent plan 1\ncommit 2024-03-01T10:00:00+01:00 logo\n  put a.psd from a_v1.psd\n  all from b.zip\n";
    vec![text.as_bytes().to_vec()]
}

fn name_seeds() -> Vec<Vec<u8>> {
    ["logo_v2_FINAL", "a (3)", "x 2024-03-01_1405", "big_v12.psd"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}

fn archive_name_seeds() -> Vec<Vec<u8>> {
    ["a/b.txt", "a\\b.txt", "x.pent/y.."].map(|text| text.as_bytes().to_vec()).to_vec()
}

fn archive_seeds() -> Vec<Vec<u8>> {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for name in ["a/b.txt", "../c"] {
        let written =
            archive.start_file(name, options).is_ok() && archive.write_all(b"content of a file").is_ok();
        assert!(written, "an archive in memory");
    }
    archive.finish().map(std::io::Cursor::into_inner).into_iter().collect()
}

fn attribute_seeds() -> Vec<Vec<u8>> {
    vec![b"*.psd filter=lfs lockable\n\"a b\" -filter\n!x\n/y/\n".to_vec()]
}

fn blob_seeds() -> Vec<Vec<u8>> {
    let file = FileId::from_bytes([1; 32]);
    let (algorithm, digest) = (ForeignAlgorithm::GitBlobSha1, vec![3; 20]);
    [
        BlobRecord::File { file, size: 300 },
        BlobRecord::Lfs { file, size: 5, sha256: [2; 32], plain: true },
        BlobRecord::Foreign { algorithm, digest, size: 0, plain: false },
    ]
    .map(|record| record.encode())
    .to_vec()
}

fn form_seeds() -> Vec<Vec<u8>> {
    let marked = TreeForm::Marked { pointers: vec![0, 1, 7], ids: vec![(2, git_id())] };
    vec![marked.encode(), TreeForm::Verbatim(b"100664 a".to_vec()).encode()]
}

fn reference_seeds() -> Vec<Vec<u8>> {
    let some = Some(CommitId::from_bytes([6; 32]));
    [some, None].map(|commit| ReferenceRecord { git: git_id(), commit }.encode()).to_vec()
}

fn missing_seeds() -> Vec<Vec<u8>> {
    vec![MissingRecord { size: 9, path: b"a/b".to_vec() }.encode()]
}

//! Fuzz targets of a repository's records, its settings, and what people write to name a commit.

use crate::base::fuzz::{Numbers, Target, Verdict, canonical, json_record, settled};
use crate::base::id::{
    ActionId, AssetId, ChunkId, CommitId, FileId, LogEntryId, MetadataId, PersonId, TreeId,
};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::commit::Signature;
use crate::object::metadata::FieldName;
use crate::object::tree::{Content, ForeignAlgorithm};
use crate::repo::config::{self, KEYS, Scope, SettingsFile};
use crate::repo::date::parse_date;
use crate::repo::journal::{
    FilesChange, JournalEntry, JournalHead, RefMove, Reversal, ShelfMove, StateChange, TagWords, UndoCursor,
};
use crate::repo::outlines::Outline;
use crate::repo::partial::{KeepRecord, KeptRecord};
use crate::repo::people::Person;
use crate::repo::protected::ProtectedNames;
use crate::repo::refs::{Annotation, RefName, RefTarget};
use crate::repo::review_log::ActionRecord;
use crate::repo::revision::{self, Revision};
use crate::repo::shared_log::LogHead;
use crate::repo::state::{
    ConflictSide, LeftBehind, MergeState, PendingConflict, PendingEdits, Renaming, Shelf, Underway, Unsynced,
    WorktreeState,
};
use crate::repo::state_rows::{self, RowChanges, STATE_KEY};
use crate::repo::tombstone::Tombstone;
use crate::repo::withheld::WithheldRecord;
use std::path::Path;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("repo: what a clone relies on", &["repo/partial.rs"], keep_seeds, json_record::<KeepRecord>),
    Target::new(
        "repo: what a clone elsewhere relies on",
        &["repo/partial.rs"],
        kept_seeds,
        json_record::<KeptRecord>,
    ),
    Target::new(
        "repo: what a remote withholds",
        &["repo/withheld.rs"],
        withheld_seeds,
        json_record::<WithheldRecord>,
    ),
    Target::new("repo: ref target", &["repo/refs.rs"], target_seeds, |bytes| {
        canonical(RefTarget::decode(bytes), |target| {
            let _ = target.annotation.as_ref().map(|annotation| annotation.signature.time.rfc3339());
            target.encode()
        })
    }),
    Target::new("repo: ref name", &["repo/refs.rs"], name_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        canonical(RefName::parse(text), |name| name.as_str().as_bytes().to_vec())
    }),
    Target::new("repo: tombstone", &["repo/tombstone.rs"], tombstone_seeds, |bytes| {
        canonical(Tombstone::decode(bytes), Tombstone::encode)
    }),
    Target::new("repo: page of a tombstone", &["repo/tombstone.rs"], page_seeds, |bytes| {
        canonical(Tombstone::decode_page(bytes), |chunks| Tombstone::encode_page(chunks))
    }),
    Target::new(
        "repo: journal entry",
        &["repo/journal.rs", "repo/edit.rs", "repo/view.rs"],
        journal_seeds,
        |bytes| {
            let head = JournalHead::read(bytes);
            let entry = JournalEntry::decode(bytes);
            if let Ok(entry) = &entry {
                let Ok(head) = head.as_ref().map(Clone::clone) else {
                    return Verdict::Wrong("an entry without a head".to_owned());
                };
                if head.can_be_undone() != entry.can_be_undone() {
                    return Verdict::Wrong("the head is of another entry".to_owned());
                }
                let newest_first = [head.clone(), head].map(Ok::<_, ()>);
                let _ = (entry.time.rfc3339(), UndoCursor::from_newest(newest_first));
            }
            settled(
                entry,
                |entry| entry.encode().unwrap_or_default(),
                |bytes| JournalEntry::decode(bytes).ok(),
            )
        },
    ),
    Target::new("repo: worktree state", &["repo/state.rs"], state_seeds, json_record::<WorktreeState>),
    Target::new("repo: rows of the worktree state", &["repo/state_rows.rs"], row_seeds, run_row),
    Target::new("repo: shelf", &["repo/state.rs"], shelf_seeds, json_record::<Shelf>),
    Target::new("repo: action of the review log", &["repo/review_log.rs"], action_seeds, |bytes| {
        canonical(ActionRecord::decode(bytes), |record| {
            let _ = record.id();
            record.encode()
        })
    }),
    Target::new("repo: outline of an action", &["repo/outlines.rs"], outline_seeds, |bytes| {
        canonical(Outline::decode(bytes), Outline::encode)
    }),
    Target::new("repo: head of the shared log", &["repo/shared_log.rs"], head_seeds, |bytes| {
        canonical(LogHead::decode(bytes), |head| head.encode())
    }),
    Target::new(
        "repo: protected names",
        &["repo/protected.rs"],
        protected_seeds,
        json_record::<ProtectedNames>,
    ),
    Target::new("repo: action of the review log", &["repo/review_log.rs"], action_seeds, |bytes| {
        canonical(ActionRecord::decode(bytes), |record| {
            let _ = record.id();
            record.encode()
        })
    }),
    Target::new("repo: person", &["repo/people.rs"], person_seeds, run_person),
    Target::new("repo: revision", &["repo/revision.rs"], revision_seeds, run_revision),
    // Words about dates are read by a library that allocates as it likes, a little.
    Target::new("repo: date", &["repo/date.rs"], date_seeds, run_date).with_memory(1 << 20),
    // TOML with its comments takes a tree of small objects.
    Target::new("repo: settings", &["repo/config.rs"], settings_seeds, run_settings).with_memory(1 << 20),
];

const SAMPLES: u64 = 10;

fn samples(one: impl Fn(&mut Numbers) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..SAMPLES).map(|seed| one(&mut Numbers::new(seed))).collect()
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn text(numbers: &mut Numbers) -> String {
    String::from_utf8_lossy(&numbers.name()).into_owned()
}

fn path(numbers: &mut Numbers) -> AssetPath {
    AssetPath::from_bytes([numbers.name(), numbers.name()].join(&b'/')).unwrap_or_default()
}

fn branch(numbers: &mut Numbers) -> RefName {
    let name = RefName::draft(&format!("poster-{}", numbers.below(99)));
    name.unwrap_or_else(|error| unreachable!("{error}"))
}

fn time(numbers: &mut Numbers) -> Timestamp {
    Timestamp { unix_ms: numbers.any_size() as i64, offset_minutes: numbers.below(1439) as i16 }
}

fn withheld_seeds() -> Vec<Vec<u8>> {
    let record = WithheldRecord { paths: vec!["contracts/**".to_owned(), "**/*.key".to_owned()] };
    vec![serde_json::to_vec(&record).unwrap_or_default()]
}

fn kept_seeds() -> Vec<Vec<u8>> {
    let commits = [CommitId::from_bytes([3; 32]), CommitId::from_bytes([4; 32])].into();
    let record = KeptRecord { commits, told_ms: 1_772_381_999_000 };
    vec![serde_json::to_vec(&record).unwrap_or_default()]
}

fn keep_seeds() -> Vec<Vec<u8>> {
    let commits = [crate::base::id::CommitId::from_bytes([7; 32])].into();
    let record = KeepRecord { clone: "0a".repeat(16), place: "b1".repeat(16), commits };
    vec![serde_json::to_vec(&record).unwrap_or_default(), b"{\"clone\":\"\",\"commits\":[]}".to_vec()]
}

fn target_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let commit = CommitId::from_bytes(numbers.array());
        let signature = Signature { person: PersonId::from_bytes(numbers.array()), time: time(numbers) };
        let annotation = numbers.once_in(2).then(|| Annotation { signature, message: text(numbers) });
        RefTarget { commit, annotation }.encode()
    })
}

fn name_seeds() -> Vec<Vec<u8>> {
    ["branch/main", "branch/draft/poster", "tag/v1", "tag/été"].map(|name| name.as_bytes().to_vec()).to_vec()
}

fn tombstone_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let tombstone = Tombstone {
            file: FileId::from_bytes(numbers.array()),
            size: numbers.any_size(),
            person: PersonId::from_bytes(numbers.array()),
            time: time(numbers),
            reason: text(numbers),
            statement: numbers.name(),
        };
        tombstone.encode()
    })
}

fn action_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let (statement, signature) = (numbers.bytes(80), numbers.bytes(40));
        ActionRecord { statement, signature }.encode()
    })
}

fn page_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let chunks: Vec<ChunkId> =
            (0..numbers.below(5)).map(|_| ChunkId::from_bytes(numbers.array())).collect();
        Tombstone::encode_page(&chunks)
    })
}

fn pending(numbers: &mut Numbers) -> PendingEdits {
    let mut edits = PendingEdits::default();
    for _ in 0..numbers.below(3) {
        let metadata = numbers.once_in(2).then(|| MetadataId::from_bytes(numbers.array()));
        edits.metadata.insert(path(numbers), metadata);
        edits.assets.insert(path(numbers), AssetId::from_bytes(numbers.array()));
        edits.moves.insert(path(numbers), path(numbers));
    }
    edits
}

fn side(numbers: &mut Numbers) -> ConflictSide {
    let content = if numbers.once_in(2) {
        let digest = numbers.bytes(20);
        Content::Foreign { algorithm: ForeignAlgorithm::GitBlobSha1, digest, size: 9, executable: false }
    } else {
        Content::File { id: FileId::from_bytes(numbers.array()), size: numbers.any_size(), executable: true }
    };
    let (asset, metadata) = (Some(AssetId::from_bytes(numbers.array())), None);
    ConflictSide { path: path(numbers), asset, metadata, content }
}

fn merge(numbers: &mut Numbers) -> MergeState {
    let conflict = PendingConflict {
        path: path(numbers),
        kind: "content".to_owned(),
        base: numbers.once_in(2).then(|| side(numbers)),
        ours: Some(side(numbers)),
        theirs: Some(side(numbers)),
        placed: numbers.once_in(2).then(|| path(numbers)),
        fields: vec![FieldName::labels()],
    };
    MergeState {
        theirs: numbers.once_in(2).then(|| CommitId::from_bytes(numbers.array())),
        merged: numbers.once_in(2).then(|| TreeId::from_bytes(numbers.array())),
        name: text(numbers),
        message: text(numbers),
        conflicts: vec![conflict],
        aliases: vec![(AssetId::from_bytes(numbers.array()), AssetId::from_bytes(numbers.array()))],
    }
}

pub(super) fn state(numbers: &mut Numbers) -> WorktreeState {
    WorktreeState {
        branch: branch(numbers),
        pending: pending(numbers),
        merge: numbers.once_in(2).then(|| merge(numbers)),
        underway: numbers.once_in(2).then(|| underway(numbers)),
        unsynced: numbers.once_in(2).then(|| unsynced(numbers)),
        unwritten: (0..numbers.below(3)).map(|_| (path(numbers), left_behind(numbers))).collect(),
        sparse: numbers.once_in(2).then(|| (0..numbers.below(4)).map(|_| path(numbers)).collect()),
    }
}

fn unsynced(numbers: &mut Numbers) -> Unsynced {
    Unsynced { files: files(numbers), boot: text(numbers), until_ns: 7 }
}

fn left_behind(numbers: &mut Numbers) -> LeftBehind {
    match numbers.below(3) {
        0 => LeftBehind::Nothing,
        1 => LeftBehind::Folder,
        _ => LeftBehind::File { size: numbers.any_size(), mtime_ns: -5, inode: numbers.any_size() },
    }
}

fn words(numbers: &mut Numbers) -> TagWords {
    TagWords { person: PersonId::from_bytes(numbers.array()), time: time(numbers), message: text(numbers) }
}

fn shelf(numbers: &mut Numbers) -> Shelf {
    Shelf {
        base: Some(CommitId::from_bytes(numbers.array())),
        tree: TreeId::from_bytes(numbers.array()),
        pending: pending(numbers),
        merge: numbers.once_in(3).then(|| merge(numbers)),
        changed_paths: numbers.any_size(),
    }
}

fn files(numbers: &mut Numbers) -> FilesChange {
    FilesChange {
        before: TreeId::from_bytes(numbers.array()),
        after: TreeId::from_bytes(numbers.array()),
        beyond_shown: numbers.once_in(2),
    }
}

fn underway(numbers: &mut Numbers) -> Underway {
    Underway {
        files: files(numbers),
        sequence: numbers.any_size(),
        set_aside: numbers.once_in(2).then(|| text(numbers)),
        brings_back: numbers.once_in(2).then(|| text(numbers)),
        is_cleared: numbers.once_in(2),
        renaming: numbers.once_in(2).then(|| Renaming {
            from: path(numbers),
            to: path(numbers),
            before: pending(numbers),
        }),
    }
}

fn journal_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let commit = |numbers: &mut Numbers| Some(CommitId::from_bytes(numbers.array()));
        let name = branch(numbers);
        let entry = JournalEntry {
            sequence: numbers.any_size(),
            time: time(numbers),
            verb: "commit".to_owned(),
            summary: text(numbers),
            refs: vec![RefMove {
                name: name.clone(),
                before: None,
                after: commit(numbers),
                words_before: None,
                words_after: numbers.once_in(2).then(|| words(numbers)),
            }],
            shelves: vec![ShelfMove { branch: name, before: Some(shelf(numbers)), after: None }],
            state: Some(StateChange { before: state(numbers), after: state(numbers) }),
            displaced: numbers.once_in(2).then(|| text(numbers)),
            files: numbers.once_in(2).then(|| files(numbers)),
            renamed: numbers.once_in(2).then(|| (path(numbers), path(numbers))),
            reverses: numbers.once_in(2).then(|| Reversal::Undo(numbers.any_size())),
        };
        if numbers.once_in(2) {
            return json(&entry);
        }
        // As they were written once, and as they are now.
        JournalEntry::decode(&json(&entry)).and_then(|entry| entry.encode()).unwrap_or_default()
    })
}

/// A key with its length in front, and the value.
fn row_seeds() -> Vec<Vec<u8>> {
    let rows = samples(|numbers| json(&state(numbers))).into_iter().flat_map(|bytes| {
        let state = state_rows::read_head(&bytes).and_then(|state| RowChanges::between(None, &state));
        state.map(|rows| rows.put).unwrap_or_default()
    });
    rows.map(|(key, value)| [&[key.len() as u8][..], &key, &value].concat()).collect()
}

fn run_row(bytes: &[u8]) -> Verdict {
    let row = bytes.split_first().and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)));
    let Some((key, value)) = row else { return Verdict::Refused };
    if key == STATE_KEY {
        let encode = |state: &WorktreeState| {
            let rows = RowChanges::between(None, state).map(|rows| rows.put).unwrap_or_default();
            rows.get(STATE_KEY).cloned().unwrap_or_default()
        };
        if !state_rows::is_whole(value) {
            return settled(state_rows::read_head(value), encode, |bytes| state_rows::read_head(bytes).ok());
        }
    }
    match state_rows::faults([Ok::<_, ()>((key.to_vec(), value.to_vec()))].into_iter()) {
        Ok(faults) if faults.is_empty() => Verdict::Understood,
        _ => Verdict::Refused,
    }
}

fn state_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| json(&state(numbers)))
}

fn shelf_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| json(&shelf(numbers)))
}

fn outline_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let submission = (numbers.any_size() % 2 == 0).then(|| ActionId::from_bytes(numbers.array()));
        let mut parents: Vec<ActionId> =
            (0..numbers.any_size() % 9).map(|_| ActionId::from_bytes(numbers.array())).collect();
        parents.sort_unstable();
        Outline { submission, parents }.encode()
    })
}

fn head_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let id = LogEntryId::from_bytes(numbers.array());
        LogHead { sequence: numbers.any_size() | 1, id }.encode()
    })
}

fn protected_seeds() -> Vec<Vec<u8>> {
    vec![br#"{"branches":["main","release/*"],"tags":["v*"]}"#.to_vec()]
}

fn person_seeds() -> Vec<Vec<u8>> {
    let texts = ["Anna Lind <anna@example.org>", "Anna", "<a@b>", "{\"name\":\"Anna\",\"email\":\"a@b\"}"];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn run_person(bytes: &[u8]) -> Verdict {
    let parsed = std::str::from_utf8(bytes).ok().and_then(Person::parse);
    match json_record::<Person>(bytes) {
        Verdict::Refused if parsed.is_some() => Verdict::Understood,
        verdict => verdict,
    }
}

fn revision_seeds() -> Vec<Vec<u8>> {
    let texts = ["@", "main~3", "@^2~", "main@{2 weeks ago}~1", "brand/logo.psd@40", "3f9a01c2", "@{today}"];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn run_revision(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    let _ = (revision::is_id_prefix(text), revision::candidate_names(text));
    if Revision::parse(text).is_ok() { Verdict::Understood } else { Verdict::Refused }
}

fn date_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "2026-03-01",
        "2026-03-01 14:30",
        "yesterday",
        "2 weeks ago",
        "1772381999 +0100",
        "Thu, 1 Jan 2026 00:00:00 +0000",
        "2026-03-01T14:30:00+01:00",
        "3 months ago",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn run_date(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    let now = Timestamp { unix_ms: 1_772_381_999_000, offset_minutes: 60 };
    match parse_date(text, now) {
        Ok(moment) if !moment.rfc3339().is_empty() => Verdict::Understood,
        _ => Verdict::Refused,
    }
}

fn settings_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "# me\n[user]\nname = \"Anna\" # mine\nemail = \"a@example.org\"\n\n[ui]\ncolor = \"never\"\nprogress = true\n",
        "user.name = 'Anna'\nui = { dates = \"exact\" }\n[later]\nx = [1, 2.5, 1979-05-27T07:32:00Z]\n[[later.y]]\n",
        "",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn run_settings(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    let Ok(mut file) = SettingsFile::of_text(Path::new("config.toml"), Scope::Person, text) else {
        return Verdict::Refused;
    };
    let before = file.entries();
    for key in KEYS {
        let _ = file.get(key);
    }
    let Some(name) = config::find_key("user.name") else { return Verdict::Refused };
    if file.set(name, "Berta").is_err() {
        return Verdict::Understood;
    }
    // Whatever else stood there still does, and the file can be read again.
    let written = file.text();
    let Ok(again) = SettingsFile::of_text(Path::new("config.toml"), Scope::Person, &written) else {
        return Verdict::Wrong(format!("what was written cannot be read: {written:?}"));
    };
    let others = |entries: Vec<(String, String)>| -> Vec<_> {
        entries.into_iter().filter(|(key, _)| key != "user.name").collect()
    };
    let kept = others(before) == others(again.entries());
    match again.get(name) {
        Ok(Some(value)) if value == "Berta" && kept => Verdict::Understood,
        other => {
            Verdict::Wrong(format!("{other:?} after setting a name in {text:?}, written as {written:?}"))
        }
    }
}

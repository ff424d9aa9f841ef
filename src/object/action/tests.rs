use super::*;
use crate::object::transition::{Held, Placed, Transition};
use proptest::prelude::*;

fn list() -> TransitionList {
    let after = Placed {
        path: AssetPath::from_bytes("brand/logo.svg").expect("a path"),
        asset: Some(AssetId::from_bytes([7; 16])),
        metadata: None,
        content: Held::File { id: FileId::from_bytes([2; 32]), size: 3, executable: false },
    };
    TransitionList::new([Transition { before: None, after: Some(after) }])
}

fn with(deed: Deed) -> Action {
    Action {
        repository: RepositoryId::from_bytes([1; 16]),
        audience: Audience::Team,
        actor: PersonId::from_bytes([2; 16]),
        key: Fingerprint::from_bytes([4; 32]),
        previous: Some(ActionId::from_bytes([3; 32])),
        heads: vec![ActionId::from_bytes([3; 32]), ActionId::from_bytes([4; 32])],
        time: Timestamp { unix_ms: 1_772_381_999_123, offset_minutes: 60 },
        body: Body::new(PersonId::from_bytes([2; 16]), [5; 16], "Looks good").id(),
        deed,
    }
}

fn verdict() -> Verdict {
    Verdict {
        submission: ActionId::from_bytes([6; 32]),
        branch: "main".into(),
        policy: None,
        list: ListRef::of(&list()),
        paths: vec![AssetPath::from_bytes("brand").expect("a path")],
    }
}

fn proposal() -> Proposal {
    Proposal {
        branch: "main".into(),
        draft: "draft/poster".into(),
        base: CommitId::from_bytes([8; 32]),
        head: CommitId::from_bytes([9; 32]),
        list: ListRef::of(&list()),
        reviewers: vec!["ben".into()],
    }
}

fn every_kind() -> Vec<Action> {
    let submission = ActionId::from_bytes([6; 32]);
    let comment = Comment {
        submission: Some(submission),
        reply: None,
        paths: vec![],
        about: vec![About { asset: AssetId::from_bytes([7; 16]), file: None }],
    };
    [
        Deed::Submit(proposal()),
        Deed::Update { submission, proposal: proposal() },
        Deed::Approve(verdict()),
        Deed::RequestChanges(verdict()),
        Deed::Reject(verdict()),
        Deed::Withdraw { submission },
        Deed::WithdrawVerdict { submission, verdict: ActionId::from_bytes([10; 32]) },
        Deed::Land { submission, branch: "main".into(), commit: CommitId::from_bytes([9; 32]) },
        Deed::Comment(comment),
    ]
    .map(with)
    .to_vec()
}

#[test]
fn every_kind_reads_back_as_itself() {
    for action in every_kind() {
        let bytes = action.encode().expect("bytes");
        assert_eq!(Action::decode(&bytes), Ok(action));
    }
}

#[test]
fn the_bytes_of_an_approval_and_its_id_are_pinned() {
    let bytes = with(Deed::Approve(verdict())).encode().expect("bytes");
    let text = String::from_utf8(bytes.clone()).expect("text");
    let (transitions, files) = (list().id(), FileId::of(&list().check_list()));
    let expected = format!(
        concat!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":["#,
            r#"{{"name":"files.b3","digest":{{"blake3":"{files}"}}}},"#,
            r#"{{"name":"transitions.jsonl","digest":{{"blake3":"{transitions}"}}}},"#,
            r#"{{"name":"body.json","digest":{{"blake3:pentimento action body v1":"{body}"}}}}],"#,
            r#""predicateType":"urn:pentimento:action:v1","predicate":{{"#,
            r#""repository":"{ones}","audience":"team","actor":"{twos}","key":"SHA256:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ","#,
            r#""previous":"{threes}","heads":["{threes}","{fours}"],"#,
            r#""time":{{"unix_ms":1772381999123,"offset_minutes":60}},"body":"{body}","#,
            r#""kind":"approve","submission":"{sixes}","branch":"main","policy":null,"#,
            r#""list":{{"transitions":"{transitions}","files":"{files}","count":1}},"paths":["brand"]}}}}"#,
        ),
        files = files,
        transitions = transitions,
        body = Body::new(PersonId::from_bytes([2; 16]), [5; 16], "Looks good").id(),
        ones = "01".repeat(16),
        twos = "02".repeat(16),
        threes = "03".repeat(32),
        fours = "04".repeat(32),
        sixes = "06".repeat(32),
    );
    assert_eq!(text, expected);
    assert_eq!(
        Action::id_of(&bytes).to_string(),
        "8364f598e7b9105ae87efbb8981044b536b72c74e80af8dba388cc8cea7c85ab"
    );
}

#[test]
fn other_forms_of_the_same_words_are_refused() {
    let text = String::from_utf8(with(Deed::Approve(verdict())).encode().expect("bytes")).expect("text");
    let refused = |text: String| Action::decode(text.as_bytes()).expect_err("a refusal");
    assert_eq!(refused(text.replacen('{', "{ ", 1)), ActionError::Form, "a blank");
    assert_eq!(refused(text.replace("\"count\":1", "\"count\":1,\"more\":2")), ActionError::Form, "a field");
    assert_eq!(
        refused(text.replace(&list().id().to_string(), &FileId::empty().to_string()).replacen(
            &FileId::empty().to_string(),
            &list().id().to_string(),
            1
        )),
        ActionError::Form,
        "a subject that is not the predicate's"
    );
    let twice = text.replace("\"branch\":\"main\"", "\"branch\":\"main\",\"branch\":\"other\"");
    assert!(matches!(refused(twice), ActionError::NotAnAction { .. }), "a field twice");
    let other = text.replace("urn:pentimento:action:v1", "urn:pentimento:policy:v1");
    assert!(matches!(refused(other), ActionError::NotAnAction { .. }), "another purpose");
    let (first, second) = ("03".repeat(32), "04".repeat(32));
    let reordered =
        text.replace(&format!("[\"{first}\",\"{second}\"]"), &format!("[\"{second}\",\"{first}\"]"));
    assert_eq!(refused(reordered), ActionError::Form, "heads out of order");
}

#[test]
fn kinds_of_later_programs_are_read_as_far_as_they_are_known() {
    let text = String::from_utf8(
        with(Deed::Withdraw { submission: ActionId::from_bytes([6; 32]) }).encode().expect("bytes"),
    )
    .expect("text")
    .replace("\"kind\":\"withdraw\"", "\"kind\":\"assign\",\"to\":\"cleo\"");
    let action = Action::decode(text.as_bytes()).expect("an action");
    assert_eq!(action.deed, Deed::Unknown { kind: "assign".into() });
    assert_eq!(action.parents().len(), 2);
}

#[test]
fn sizes_are_bounded() {
    let mut action = with(Deed::Approve(verdict()));
    action.heads = (0..=HEADS_MAX).map(|n| ActionId::from_bytes([n as u8; 32])).collect();
    assert_eq!(action.encode(), Err(ActionError::TooMany { what: "heads" }));
    let huge = vec![b' '; STATEMENT_BYTES_MAX + 1];
    assert_eq!(Action::decode(&huge), Err(ActionError::TooLong { limit: STATEMENT_BYTES_MAX }));
}

#[test]
fn a_body_has_its_speaker_its_salt_and_one_form() {
    let body = Body::new(PersonId::from_bytes([2; 16]), [5; 16], "Looks good");
    assert_eq!(Body::decode(&body.encode()), Ok(body.clone()));
    assert_ne!(body.id(), Body::new(PersonId::from_bytes([2; 16]), [6; 16], "Looks good").id());
    assert_eq!(
        Body::decode(
            format!("{{\"actor\":\"{}\",\"salt\":\"05\",\"text\":\"\"}}", "02".repeat(16)).as_bytes()
        ),
        Err(ActionError::Form)
    );
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Action::decode(&bytes);
        let _ = Body::decode(&bytes);
    }

    #[test]
    fn a_changed_byte_of_a_header_is_refused_or_changes_its_id(at in any::<usize>(), byte in any::<u8>()) {
        let bytes = with(Deed::Approve(verdict())).encode().expect("bytes");
        let mut changed = bytes.clone();
        let at = at % bytes.len();
        changed[at] = byte;
        if let Ok(action) = Action::decode(&changed) {
            prop_assert!(changed == bytes || Action::id_of(&changed) != Action::id_of(&bytes));
            prop_assert_eq!(action == with(Deed::Approve(verdict())), changed == bytes);
        }
    }
}

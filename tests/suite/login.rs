//! Answers to a server's question who is there: good once, there, now.

use pentimento::base::id::PersonId;
use pentimento::base::time::Timestamp;
use pentimento::object::login::{
    LOGIN_SKEW_MS_MAX, LoginChallenge, LoginError, LoginStatement, Nonce, check_login,
};
use pentimento::object::signature::{Namespace, SignatureError};
use pentimento::trust::{LocalKey, Signer};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::utc(1_772_381_999_123);

fn challenge(server: &str, nonce: u8) -> LoginChallenge {
    LoginChallenge { server: server.to_owned(), nonce: Nonce::from_bytes([nonce; 32]) }
}

#[test]
fn an_answer_counts_for_its_server_its_question_and_its_moment_only() {
    let key = LocalKey::from_seed(&[1; 32]).unwrap();
    let asked = challenge("studio.example", 1);
    let statement = LoginStatement::answer(&asked, PersonId::from_bytes([4; 16]), NOW).encode();
    let signature = key.sign(Namespace::Login, &statement).unwrap();
    let check = |asked: &LoginChallenge, now_ms: i64| {
        check_login(asked, &statement, &signature, Timestamp::utc(now_ms)).map(|seal| seal.key().clone())
    };
    assert_eq!(check(&asked, NOW.unix_ms).as_ref(), Ok(key.public_key()));
    assert!(matches!(check(&challenge("evil.example", 1), NOW.unix_ms), Err(LoginError::Server { .. })));
    assert_eq!(check(&challenge("studio.example", 2), NOW.unix_ms), Err(LoginError::Nonce));
    for (off, counts) in
        [(LOGIN_SKEW_MS_MAX, true), (LOGIN_SKEW_MS_MAX + 1, false), (i64::MAX - NOW.unix_ms, false)]
    {
        assert_eq!(check(&asked, NOW.unix_ms + off).is_ok(), counts, "{off}");
        assert_eq!(check(&asked, NOW.unix_ms - off).is_ok(), counts, "{off}");
    }
    let elsewhere = key.sign(Namespace::Action, &statement).unwrap();
    assert!(matches!(
        check_login(&asked, &statement, &elsewhere, NOW),
        Err(LoginError::Signature(SignatureError::Namespace { .. }))
    ));
}

#[test]
fn an_answer_has_its_frozen_bytes_and_no_others() {
    let answer =
        LoginStatement::answer(&challenge("studio.example", 0xcd), PersonId::from_bytes([4; 16]), NOW);
    let text = String::from_utf8(answer.encode()).unwrap();
    let expected = format!(
        r#"{{"schema":"pentimento login v1","server":"studio.example","nonce":"{}","person":"{}","time":{{"unix_ms":1772381999123,"offset_minutes":0}}}}"#,
        "cd".repeat(32),
        "04".repeat(16)
    );
    assert_eq!(text, expected);
    assert_eq!(LoginStatement::decode(text.as_bytes()), Ok(answer));
    for other in [format!(" {text}"), text.replace("v1", "v2"), text.replace("\"time\"", "\"x\":1,\"time\"")]
    {
        assert_eq!(LoginStatement::decode(other.as_bytes()), Err(LoginError::Statement), "{other}");
    }
}

proptest! {
    #[test]
    fn no_answer_brings_a_server_down(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = LoginStatement::decode(&bytes);
    }
}

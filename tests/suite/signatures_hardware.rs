//! Security keys and passkeys: accepted exactly when stock OpenSSH accepts them, and then only when
//! touched, and on the page that was meant.

use crate::authenticator::{Authenticator, Page, TOUCHED};
use crate::openssh::Workshop;
use pentimento::object::signature::{KeyClass, Namespace, Signature, SignatureError, verify};

const STATEMENT: &[u8] = b"{\"verdict\":\"approved\"}";

/// What we and what `ssh-keygen` say of a signature.
fn both(key: &Authenticator, signature: &Signature) -> (Result<(), SignatureError>, bool) {
    let workshop = Workshop::new();
    workshop.allow("anna", &key.public_key().to_openssh());
    let ours = verify(STATEMENT, signature, Namespace::Action).map(|_| ());
    // Read again from text, as others get it.
    assert_eq!(Signature::parse_armored(&signature.armored()).as_ref(), Ok(signature));
    (ours, workshop.verifies("anna", Namespace::Action.as_str(), STATEMENT, &signature.armored()))
}

#[test]
fn security_keys_of_both_kinds_verify_here_and_with_ssh_keygen() {
    for key in [Authenticator::ed25519("ssh:"), Authenticator::p256("ssh:studio")] {
        assert_eq!(key.public_key().class(), KeyClass::Hardware);
        let signature = key.sign(Namespace::Action, STATEMENT).unwrap();
        assert_eq!(both(&key, &signature), (Ok(()), true));
        assert_eq!(verify(b"other", &signature, Namespace::Action), Err(SignatureError::Mismatch));
    }
}

#[test]
fn a_security_key_that_was_not_touched_does_not_count() {
    for flags in [0, 4] {
        let key = Authenticator { flags, ..Authenticator::ed25519("ssh:") };
        let signature = key.sign(Namespace::Action, STATEMENT).unwrap();
        assert_eq!(both(&key, &signature).0, Err(SignatureError::NoTouch));
    }
}

#[test]
fn flags_and_counter_are_part_of_what_is_signed() {
    let key = Authenticator::p256("ssh:");
    let signature = key.sign(Namespace::Action, STATEMENT).unwrap();
    let mut bytes = signature.as_bytes().to_vec();
    for from_end in [1, 5] {
        let at = bytes.len() - from_end;
        bytes[at] ^= 4;
        let altered = Signature::from_bytes(&bytes).unwrap();
        assert_eq!(both(&key, &altered), (Err(SignatureError::Mismatch), false), "{from_end}");
        bytes[at] ^= 4;
    }
}

#[test]
fn passkeys_verify_here_and_with_ssh_keygen() {
    let key = Authenticator::p256("review.studio.example");
    assert_eq!(key.public_key().class(), KeyClass::Browser);
    let page = Page::of("https://review.studio.example");
    let signature = key.sign_on_page(Namespace::Action, STATEMENT, &page).unwrap();
    assert_eq!(both(&key, &signature), (Ok(()), true));
    assert_eq!(signature.origin(), Some("https://review.studio.example"));
    let extended = Authenticator { flags: TOUCHED | 0x84, ..key };
    let page = Page { extensions: vec![0xa1, 0x61, 0x78, 0xf5], ..page };
    let signature = extended.sign_on_page(Namespace::Action, STATEMENT, &page).unwrap();
    assert_eq!(both(&extended, &signature), (Ok(()), true));
}

#[test]
fn passkeys_on_other_pages_for_other_words_or_in_frames_do_not_count() {
    let key = Authenticator::p256("review.studio.example");
    let page = || Page::of("https://review.studio.example");
    let browser = |page: Page| {
        let signature = key.sign_on_page(Namespace::Action, STATEMENT, &page).unwrap();
        both(&key, &signature)
    };
    // What OpenSSH refuses, we refuse.
    let other = Page { challenge: Some(b"something else".to_vec()), ..page() };
    assert!(matches!(browser(other), (Err(SignatureError::Browser { .. }), false)));
    let hidden = Page { origin: r#"https://a.example","origin":"https://b.example"#.into(), ..page() };
    assert!(matches!(browser(hidden), (Err(SignatureError::Encoding), false)));
    let unflagged = Page { extensions: vec![0xa0], ..page() };
    assert!(matches!(browser(unflagged), (Err(SignatureError::Encoding), false)));
    // What it lets pass and we do not: frames of other sites, and text that is no JSON.
    let framed = Page { rest: r#","crossOrigin":true}"#.into(), ..page() };
    assert!(matches!(browser(framed), (Err(SignatureError::Browser { .. }), true)));
    let twice = Page { rest: r#","crossOrigin":false,"crossOrigin":true}"#.into(), ..page() };
    assert!(matches!(browser(twice).0, Err(SignatureError::Browser { .. })));
    let torn = Page { rest: String::new(), ..page() };
    assert!(matches!(browser(torn).0, Err(SignatureError::Browser { .. })));
    let untouched = Authenticator { flags: 0, ..Authenticator::p256("review.studio.example") };
    let signature = untouched.sign_on_page(Namespace::Action, STATEMENT, &page()).unwrap();
    assert_eq!(both(&untouched, &signature).0, Err(SignatureError::NoTouch));
}

#[test]
fn a_key_for_pages_does_not_sign_without_one_nor_a_key_for_ssh_on_one() {
    let browser = Authenticator::p256("review.studio.example");
    let bare = browser.sign(Namespace::Action, STATEMENT).unwrap();
    assert!(matches!(both(&browser, &bare).0, Err(SignatureError::Browser { .. })));
    let hardware = Authenticator::p256("ssh:");
    let page = Page::of("https://review.studio.example");
    let signature = hardware.sign_on_page(Namespace::Action, STATEMENT, &page).unwrap();
    assert!(matches!(both(&hardware, &signature).0, Err(SignatureError::Browser { .. })));
}

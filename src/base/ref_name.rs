//! What can be the name of a branch or tag: the rules of Git (checked by `gix`), and text that people can see
//! and type. Signed texts name branches and tags too, and are refused where a name is none.

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// What is wrong with the name of a branch or tag, without `branch/` or `tag/` in front.
pub fn fault(name: &str) -> Option<String> {
    if name.len() > NAME_BYTES_MAX {
        return Some(format!("it is longer than {NAME_BYTES_MAX} bytes"));
    }
    if name == "@" || name.starts_with('-') {
        return Some("it would be taken for something else on the command line".to_owned());
    }
    if name.chars().any(crate::base::escape::is_unsafe_to_show) {
        return Some("it has characters that cannot be seen".to_owned());
    }
    gix::validate::reference::name_partial(name.into()).err().map(|error| error.to_string())
}

/// Whether text is the stored form of a branch or tag: `branch/main`, `tag/v1`.
pub fn is_branch_or_tag(full: &str) -> bool {
    let name = full.strip_prefix("branch/").or_else(|| full.strip_prefix("tag/"));
    name.is_some_and(|name| fault(name).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_git_knows_and_people_can_see_are_names() {
        for good in ["branch/main", "branch/release/2027", "tag/v1", "branch/\u{e4}ther"] {
            assert!(is_branch_or_tag(good), "{good}");
        }
        for bad in [
            "main",
            "remote/origin/main",
            "branch/",
            "branch/a..b",
            "branch/x.lock",
            "branch/-x",
            "branch/@",
            "branch/a b",
            "branch/a\u{7}",
            "branch/a\u{202e}b",
        ] {
            assert!(!is_branch_or_tag(bad), "{bad}");
        }
        assert!(!is_branch_or_tag(&format!("tag/{}", "x".repeat(NAME_BYTES_MAX + 1))));
    }
}

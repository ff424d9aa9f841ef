//! The first policy of a repository, as text to go on from.

use crate::base::id::PersonId;
use crate::object::signature::PublicKey;
use crate::rules::policy::names::Handle;

/// Whoever gives a repository its first policy.
#[derive(Debug, Clone)]
pub struct Founder<'a> {
    /// What the policy calls the person.
    pub handle: &'a Handle,
    /// The opaque id.
    pub id: PersonId,
    /// The name, for readers.
    pub name: &'a str,
    /// The key that signs.
    pub key: &'a PublicKey,
}

/// A first policy: one administrator, `main` protected by one editor, and hints for what comes next.
pub fn first_policy(founder: &Founder<'_>) -> String {
    let Founder { handle, id, name, key } = founder;
    let name = toml_edit::Value::from(shown(name)).to_string();
    let key = toml_edit::Value::from(key.to_openssh()).to_string();
    format!(
        r#"# Who is who in this repository, what is protected, and what a change needs.
# `pent policy check` says what this text would have meant for the past; see docs/format/policy.md.
version = 1

[people.{handle}]
id = "{id}"
name = {name}
keys = [
    {{ key = {key} }},
]

[roles]
administrator = ["{handle}"]
editor = ["{handle}"]

# A rule protects what matches; all rules that match must be met.
[[protect]]
branch = "main"
approvals = ["1 editor"]
# Whoever made a change may not approve it. With one editor alone, nobody else can.
own = true

[policy]
# What a change of this text needs. Name a second administrator as soon as there is one.
change = ["1 administrator"]
"#
    )
}

/// The name without what cannot be seen, and no longer than a policy takes.
fn shown(name: &str) -> String {
    let seen: String = name.chars().filter(|c| !crate::base::escape::is_unsafe_to_show(*c)).collect();
    let mut end = seen.len().min(200);
    while !seen.is_char_boundary(end) {
        end -= 1;
    }
    seen[..end].to_owned()
}

//! From text to a policy.

use crate::base::id::PersonId;
use crate::object::signature::PublicKey;
use crate::rules::pattern::Pattern;
use crate::rules::policy::check::{Names, check};
use crate::rules::policy::error::{PolicyError, Problem};
use crate::rules::policy::names::{Handle, Role};
use crate::rules::policy::table::{At, Lines, Reader};
use crate::rules::policy::words;
use crate::rules::policy::{
    Access, Member, MemberKey, MetadataRule, PEOPLE_MAX, POLICY_BYTES_MAX, PathAccess, Policy, Protected,
    Protection, Recovery, Requirement, Who,
};
use std::collections::{BTreeMap, BTreeSet};
use toml_edit::Document;

/// Version of the format.
const VERSION: i64 = 1;

pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() > POLICY_BYTES_MAX {
        return Err(PolicyError { line: 1, problem: Problem::TooLong });
    }
    let lines = Lines::of(text);
    let document = Document::parse(text).map_err(|error| PolicyError {
        line: error.span().map_or(1, |span| lines.at(span.start)),
        problem: Problem::Syntax(error.message().trim().replace('\n', "; ")),
    })?;
    let top = Reader::top(document.as_table(), lines);
    check_version(&top)?;
    top.only(&["version", "people", "roles", "protect", "access", "policy"])?;
    let people = read_people(&top)?;
    let roles = read_roles(&top, &people)?;
    let names = Names::new(&people, &roles);
    let mut policy = Policy {
        protect: top
            .tables("protect", "rules")?
            .iter()
            .map(|rule| read_rule(rule, &names))
            .collect::<Result<_, _>>()?,
        access: read_access(&top, &names)?,
        change: Vec::new(),
        erase: Vec::new(),
        keepers: None,
        recovery: None,
        people,
        roles,
        people_by_id: BTreeMap::new(),
        people_by_key: BTreeMap::new(),
        fingerprints: BTreeSet::new(),
    };
    let section = top.table("policy")?.ok_or_else(|| top.missing("change"))?;
    read_change(&section, &mut policy)?;
    policy.index();
    check(&policy, &top, &section)?;
    Ok(policy)
}

/// The version goes first, so that a newer format is not taken for a faulty old one.
fn check_version(top: &Reader<'_>) -> Result<(), PolicyError> {
    let found = top.number("version")?;
    found.then(|number| match number {
        Ok(VERSION) => Ok(()),
        Ok(other) => Err(Problem::Version { found: other.to_string() }),
        Err(other) => Err(Problem::Version { found: other }),
    })
}

fn read_people(top: &Reader<'_>) -> Result<BTreeMap<Handle, Member>, PolicyError> {
    let Some(section) = top.table("people")? else { return Ok(BTreeMap::new()) };
    let mut people = BTreeMap::new();
    let mut ids: BTreeMap<PersonId, Handle> = BTreeMap::new();
    let mut keys: BTreeMap<PublicKey, Handle> = BTreeMap::new();
    for name in section.keys() {
        let Some(reader) = section.table(&name.value)? else { continue };
        let handle = name
            .then(|name| Handle::new(&name).map_err(|reason| Problem::Name { text: name.clone(), reason }))?;
        let member = read_member(&reader)?;
        if let Some(other) = ids.insert(member.id, handle.clone()) {
            return Err(reader.refuse(Problem::IdTwice { other: other.to_string() }));
        }
        for key in &member.keys {
            if let Some(other) = keys.insert(key.key.clone(), handle.clone()) {
                return Err(reader.refuse(Problem::KeyTwice { other: other.to_string() }));
            }
        }
        people.insert(handle, member);
    }
    if people.len() > PEOPLE_MAX {
        return Err(section.refuse(Problem::TooMany { what: "people", max: PEOPLE_MAX }));
    }
    Ok(people)
}

fn read_member(reader: &Reader<'_>) -> Result<Member, PolicyError> {
    reader.only(&["id", "name", "keys"])?;
    let id = reader.needed("id")?.then(|text| text.parse().map_err(|_| Problem::Id { text }))?;
    let keys = reader.tables("keys", "keys")?;
    let keys = keys.iter().map(read_key).collect::<Result<Vec<_>, _>>()?;
    Ok(Member { id, name: reader.remark("name")?, keys })
}

fn read_key(reader: &Reader<'_>) -> Result<MemberKey, PolicyError> {
    reader.only(&["key", "from", "until", "note"])?;
    let key = reader.needed("key")?.then(|text| {
        PublicKey::parse_openssh(&text).map_err(|reason| Problem::Key { text, reason: reason.to_string() })
    })?;
    let (from, until) = (reader.moment("from")?, reader.moment("until")?);
    if from.zip(until).is_some_and(|(from, until)| until <= from) {
        return Err(reader.refuse(Problem::EndsFirst));
    }
    Ok(MemberKey { key, from, until, note: reader.remark("note")? })
}

fn read_roles(
    top: &Reader<'_>,
    people: &BTreeMap<Handle, Member>,
) -> Result<BTreeMap<Role, BTreeSet<Handle>>, PolicyError> {
    let Some(section) = top.table("roles")? else { return Ok(BTreeMap::new()) };
    let none = BTreeMap::new();
    let names = Names::new(people, &none);
    let mut roles = BTreeMap::new();
    for name in section.keys() {
        let list = section.texts(&name.value, "people")?.unwrap_or_default();
        let role = name.then(|name| {
            if people.keys().any(|handle| handle.as_str() == name) {
                return Err(Problem::NameTwice { name });
            }
            Role::new(&name).map_err(|reason| Problem::Name { text: name.clone(), reason })
        })?;
        let mut members = BTreeSet::new();
        for entry in list {
            let handle = entry.clone().then(|name| match names.find(&name)? {
                Who::Person(handle) => Ok(handle),
                Who::Role(_) => Err(Problem::UnknownWho { name, near: None }),
            })?;
            if !members.insert(handle) {
                return entry.then(|name| Err(Problem::Twice { name }));
            }
        }
        roles.insert(role, members);
    }
    Ok(roles)
}

fn read_rule(rule: &Reader<'_>, names: &Names<'_>) -> Result<Protection, PolicyError> {
    rule.only(&[
        "branch",
        "paths",
        "approvals",
        "share",
        "own",
        "valid",
        "metadata",
        "direct",
        "browser-keys",
        "signed",
        "schema",
        "tag",
        "set",
    ])?;
    let protected = read_protected(rule, names)?;
    let metadata = rule.text("metadata")?.map_or(Ok(MetadataRule::default()), |text| {
        text.then(|text| match text.as_str() {
            "keeps" => Ok(MetadataRule::Keeps),
            "voids" => Ok(MetadataRule::Voids),
            _ => Err(Problem::Kind { key: "metadata".into(), expected: "\"keeps\" or \"voids\"" }),
        })
    })?;
    let valid = rule.text("valid")?.map(|text| text.then(|text| words::duration(&text)));
    let protection = Protection {
        line: rule.line,
        approvals: read_requirements(rule, "approvals", names)?.unwrap_or_default(),
        share: rule.truth("share", false)?,
        own: rule.truth("own", false)?,
        valid_ms: valid.transpose()?,
        metadata,
        direct: read_direct(rule, names)?,
        browser_keys: rule.truth("browser-keys", true)?,
        signed: rule.truth("signed", false)?,
        schema: rule.truth("schema", false)?,
        protected,
    };
    let is_branch = matches!(protection.protected, Protected::Branch { .. });
    if is_branch && protection.approvals.is_empty() && !protection.signed {
        return Err(rule.refuse(Problem::AsksNothing));
    }
    Ok(protection)
}

fn read_protected(rule: &Reader<'_>, names: &Names<'_>) -> Result<Protected, PolicyError> {
    let pattern = |text: At<String>| {
        text.then(|text| Pattern::new(&text).map_err(|reason| Problem::Pattern { text, reason }))
    };
    match (rule.text("branch")?, rule.text("tag")?) {
        (Some(branch), None) => {
            if rule.has("set") {
                return Err(rule.refuse(Problem::BranchOrTag));
            }
            let paths = rule.text("paths")?.map_or_else(|| Ok(Pattern::everything()), pattern)?;
            Ok(Protected::Branch { branch: pattern(branch)?, paths })
        }
        (None, Some(tag)) => {
            let others = [
                "paths",
                "approvals",
                "share",
                "own",
                "valid",
                "metadata",
                "direct",
                "browser-keys",
                "signed",
            ];
            if let Some(key) = others.into_iter().find(|key| rule.has(key)) {
                return Err(rule.refuse(Problem::NotForTags { key }));
            }
            let set = read_people_list(rule, "set", names)?.ok_or_else(|| rule.missing("set"))?;
            Ok(Protected::Tag { tag: pattern(tag)?, set })
        }
        _ => Err(rule.refuse(Problem::BranchOrTag)),
    }
}

fn read_direct(rule: &Reader<'_>, names: &Names<'_>) -> Result<BTreeMap<String, Vec<Who>>, PolicyError> {
    let Some(table) = rule.table("direct")? else { return Ok(BTreeMap::new()) };
    let mut direct = BTreeMap::new();
    for class in table.keys() {
        let who = read_people_list(&table, &class.value, names)?.unwrap_or_default();
        let class = class.then(|text| {
            let plain = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
            if plain && !text.is_empty() { Ok(text) } else { Err(Problem::FieldClass { text }) }
        })?;
        direct.insert(class, who);
    }
    Ok(direct)
}

fn read_people_list(
    reader: &Reader<'_>,
    key: &str,
    names: &Names<'_>,
) -> Result<Option<Vec<Who>>, PolicyError> {
    let Some(list) = reader.texts(key, "people")? else { return Ok(None) };
    let mut found = Vec::new();
    for entry in list {
        let who = entry.clone().then(|name| names.find(&name))?;
        if found.contains(&who) {
            return entry.then(|name| Err(Problem::Twice { name }));
        }
        found.push(who);
    }
    Ok(Some(found))
}

fn read_requirements(
    reader: &Reader<'_>,
    key: &str,
    names: &Names<'_>,
) -> Result<Option<Vec<Requirement>>, PolicyError> {
    let Some(list) = reader.texts(key, "requirements")? else { return Ok(None) };
    let mut found = Vec::new();
    for text in list {
        found.push(text.then(|text| {
            let requirement = words::requirement(&text, &|name| names.find(name))?;
            let people = names.people_of(&requirement.of).len();
            if people < requirement.count as usize {
                return Err(Problem::Unmeetable { text, people, keys: false });
            }
            Ok(requirement)
        })?);
    }
    Ok(Some(found))
}

fn read_access(top: &Reader<'_>, names: &Names<'_>) -> Result<Access, PolicyError> {
    let Some(section) = top.table("access")? else { return Ok(Access::default()) };
    section.only(&["read", "push", "lock", "lockable", "administer", "paths"])?;
    let pattern = |text: At<String>| {
        text.then(|text| Pattern::new(&text).map_err(|reason| Problem::Pattern { text, reason }))
    };
    let lockable = section.texts("lockable", "rules")?.unwrap_or_default();
    let mut paths = Vec::new();
    for entry in section.tables("paths", "rules")? {
        entry.only(&["paths", "read"])?;
        paths.push(PathAccess {
            paths: pattern(entry.needed("paths")?)?,
            read: read_people_list(&entry, "read", names)?.ok_or_else(|| entry.missing("read"))?,
        });
    }
    Ok(Access {
        read: read_people_list(&section, "read", names)?,
        push: read_people_list(&section, "push", names)?,
        lock: read_people_list(&section, "lock", names)?,
        lockable: lockable.into_iter().map(pattern).collect::<Result<_, _>>()?,
        administer: read_people_list(&section, "administer", names)?,
        paths,
    })
}

fn read_change(section: &Reader<'_>, policy: &mut Policy) -> Result<(), PolicyError> {
    section.only(&["change", "recovery", "erase", "keepers"])?;
    let names = Names::new(&policy.people, &policy.roles);
    let change = read_requirements(section, "change", &names)?.unwrap_or_default();
    if change.is_empty() {
        return Err(section.missing("change"));
    }
    let recovery = match section.table("recovery")? {
        None => None,
        Some(table) => {
            table.only(&["by", "after"])?;
            let by = read_requirements(&table, "by", &names)?.unwrap_or_default();
            if by.is_empty() {
                return Err(table.missing("by"));
            }
            Some(Recovery { by, after_ms: table.needed("after")?.then(|text| words::duration(&text))? })
        }
    };
    let erase = read_requirements(section, "erase", &names)?.filter(|list| !list.is_empty());
    let keepers = read_people_list(section, "keepers", &names)?;
    policy.erase = erase.unwrap_or_else(|| change.clone());
    (policy.change, policy.recovery, policy.keepers) = (change, recovery, keepers);
    Ok(())
}

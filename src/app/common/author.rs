//! Finds out who somebody is that the user names by hand.

use crate::app::error::AppError;
use crate::base::id::PersonId;
use crate::repo::Repository;
use crate::repo::people::{Identity, Person};

/// The identity of `Name <address>`: of the person of that name and address whom the repository knows,
/// else a new one.
///
/// `new` is the id that a new person gets; ids are random, so that they tell nothing about the person.
pub fn find(repository: &Repository, text: &str, new: PersonId) -> Result<Identity, AppError> {
    let person = Person::parse(text).ok_or_else(|| AppError::Author { text: text.to_owned() })?;
    let known = repository.view()?.people()?;
    let id = known.into_iter().find(|(_, other)| *other == person).map_or(new, |(id, _)| id);
    Ok(Identity { id, person })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RepositoryId;
    use crate::store::StoreSettings;

    #[test]
    fn somebody_known_keeps_the_id_and_somebody_new_gets_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
        let repository = Repository::create(folder.path(), &settings).expect("a new repository");
        let (known, new) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let anna = Person { name: "Anna".into(), email: "a@b.example".into() };
        let mut edit = repository.edit().expect("an edit");
        edit.put_person(known, &anna).expect("a record");
        edit.commit().expect("a commit");
        let find = |text| find(&repository, text, new).map(|identity| identity.id);
        assert_eq!(find("Anna <a@b.example>").ok(), Some(known));
        assert_eq!(find("Anna").ok(), Some(new));
        assert!(matches!(find(" "), Err(AppError::Author { .. })));
    }
}

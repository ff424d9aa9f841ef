//! Finds a partner for a path among those that are alike in content: one of the same name, one of the
//! same folder, or any. A hundred thousand equal frames that were renamed are paired without each
//! being held against each.

use crate::base::path::AssetPath;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

/// Groups up to this size are looked through; larger ones get a table.
const FEW: usize = 16;

/// What a partner has in common with a path, content apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// Its last name.
    Name,
    /// Its folder.
    Folder,
    /// Nothing more.
    Any,
}

/// Numbered candidates in groups of equal keys, in the order in which they were added.
///
/// The paths stay with the caller: `path_of` gives that of a number, or `None` once the number went
/// by another way, which it must then say for ever.
#[derive(Debug)]
pub struct Candidates<K> {
    groups: HashMap<K, Group>,
    taken: HashSet<usize>,
}

impl<K> Default for Candidates<K> {
    fn default() -> Self {
        Self { groups: HashMap::new(), taken: HashSet::new() }
    }
}

#[derive(Debug, Default)]
struct Group {
    numbers: VecDeque<usize>,
    table: Option<Box<Table>>,
}

/// The numbers of a large group by what they can be alike in, as hashes.
#[derive(Debug, Default)]
struct Table {
    hasher: RandomState,
    by_name: HashMap<u64, VecDeque<usize>>,
    by_folder: HashMap<u64, VecDeque<usize>>,
}

impl<K: Hash + Eq> Candidates<K> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds a number.
    pub fn add(&mut self, key: K, number: usize) {
        let group = self.groups.entry(key).or_default();
        group.numbers.push_back(number);
        group.table = None;
    }

    /// Takes the first number of a group that is alike; it is given once.
    pub fn take<'p>(
        &mut self,
        key: &K,
        path: &AssetPath,
        likeness: Likeness,
        path_of: &dyn Fn(usize) -> Option<&'p AssetPath>,
    ) -> Option<usize> {
        let group = self.groups.get_mut(key)?;
        let taken = &mut self.taken;
        let free = |number: &usize| path_of(*number).filter(|_| !taken.contains(number));
        if group.table.is_none() && group.numbers.len() > FEW {
            group.table = Some(Box::new(Table::of(&group.numbers, path_of)));
        }
        let queue = match (&mut group.table, likeness) {
            (None, _) | (_, Likeness::Any) => Some(&mut group.numbers),
            (Some(table), Likeness::Name) => table.by_name.get_mut(&table.hasher.hash_one(path.name())),
            (Some(table), Likeness::Folder) => table.by_folder.get_mut(&table.hasher.hash_one(folder(path))),
        }?;
        // Those that went by another way are at the front of a long queue, or in a short one.
        while queue.front().is_some_and(|number| free(number).is_none()) {
            queue.pop_front();
        }
        let alike = |number: &usize| free(number).is_some_and(|other| is_alike(other, path, likeness));
        let at = queue.iter().position(alike)?;
        let number = queue.remove(at)?;
        taken.insert(number);
        Some(number)
    }
}

impl Table {
    fn of<'p>(numbers: &VecDeque<usize>, path_of: &dyn Fn(usize) -> Option<&'p AssetPath>) -> Self {
        let mut table = Self::default();
        for number in numbers {
            let Some(path) = path_of(*number) else { continue };
            let name = table.hasher.hash_one(path.name());
            table.by_name.entry(name).or_default().push_back(*number);
            let folder = table.hasher.hash_one(folder(path));
            table.by_folder.entry(folder).or_default().push_back(*number);
        }
        table
    }
}

/// The bytes of the folder that a path lies in.
fn folder(path: &AssetPath) -> &[u8] {
    let bytes = path.as_bytes();
    let end = bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    &bytes[..end]
}

fn is_alike(left: &AssetPath, right: &AssetPath, likeness: Likeness) -> bool {
    match likeness {
        Likeness::Name => left.name() == right.name(),
        Likeness::Folder => folder(left) == folder(right),
        Likeness::Any => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text).expect("a path")
    }

    /// Takes for every path what is alike, and tells how often a path was asked for.
    fn pair(from: &[AssetPath], to: &[AssetPath], likeness: Likeness) -> (Vec<Option<usize>>, usize) {
        let mut candidates = Candidates::default();
        (0..from.len()).for_each(|number| candidates.add((), number));
        let asked = Cell::new(0);
        let path_of = |number: usize| {
            asked.set(asked.get() + 1);
            Some(&from[number])
        };
        let pairs = to.iter().map(|path| candidates.take(&(), path, likeness, &path_of)).collect();
        (pairs, asked.get())
    }

    #[test]
    fn few_and_many_are_paired_alike() {
        for count in [3, FEW, FEW + 1, 200] {
            let from: Vec<_> = (0..count).map(|n| path(&format!("a{}/f{n}.png", n % 3))).collect();
            let to: Vec<_> = (0..count).rev().map(|n| path(&format!("b{}/f{n}.png", n % 3))).collect();
            let (pairs, _) = pair(&from, &to, Likeness::Name);
            assert_eq!(pairs, (0..count).rev().map(Some).collect::<Vec<_>>());
            let (none, _) = pair(&from, &to, Likeness::Folder);
            assert!(none.iter().all(Option::is_none));
            let (any, _) = pair(&from, &to, Likeness::Any);
            assert_eq!(any, (0..count).map(Some).collect::<Vec<_>>());
            let renamed: Vec<_> = (0..count).map(|n| path(&format!("a{}/g{n}.png", n % 3))).collect();
            let (beside, _) = pair(&from, &renamed, Likeness::Folder);
            assert_eq!(beside, (0..count).map(Some).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_went_by_another_way_is_not_given() {
        let from = [path("a/x"), path("b/x"), path("c/x")];
        let mut candidates = Candidates::default();
        (0..3).for_each(|number| candidates.add((), number));
        let free = |number: usize| (number != 0).then_some(&from[number]);
        let mut take = |likeness| candidates.take(&(), &path("d/x"), likeness, &free);
        assert_eq!(
            [take(Likeness::Name), take(Likeness::Any), take(Likeness::Any)],
            [Some(1), Some(2), None]
        );
    }

    #[test]
    fn the_work_grows_with_the_number_and_not_with_its_square() {
        let from: Vec<_> = (0..3_000).map(|n| path(&format!("shot/a_{n}.exr"))).collect();
        let to: Vec<_> = (0..3_000).map(|n| path(&format!("shot/b_{n}.exr"))).collect();
        for likeness in [Likeness::Name, Likeness::Folder, Likeness::Any] {
            let (_, asked) = pair(&from, &to, likeness);
            assert!(asked < 20 * from.len(), "{likeness:?} asked {asked} times");
        }
    }
}

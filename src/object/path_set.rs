//! The paths that somebody asked about.

use crate::base::path::AssetPath;
use crate::object::tree_walk::{tree_order, tree_order_bytes};

/// A set of paths, each standing for itself and everything below it. Without any: everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathSet {
    /// In tree order; none lies below another.
    paths: Vec<AssetPath>,
}

impl PathSet {
    /// Every path there is.
    pub const fn everything() -> Self {
        Self { paths: Vec::new() }
    }

    /// These paths and what lies below them; none means everything.
    pub fn new(paths: impl IntoIterator<Item = AssetPath>) -> Self {
        let mut paths: Vec<_> = paths.into_iter().collect();
        paths.sort_by(tree_order);
        // In tree order what lies below a path follows it directly.
        paths.dedup_by(|later, earlier| later.is_within(earlier));
        if paths.first().is_some_and(AssetPath::is_root) {
            paths.clear();
        }
        Self { paths }
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether `path` is one of them or lies below one.
    pub fn includes(&self, path: &AssetPath) -> bool {
        self.includes_bytes(path.as_bytes())
    }

    /// The same for the bytes of a path.
    pub fn includes_bytes(&self, path: &[u8]) -> bool {
        let after = self.paths.partition_point(|known| tree_order_bytes(known.as_bytes(), path).is_le());
        self.is_everything()
            || after
                .checked_sub(1)
                .and_then(|at| self.paths.get(at))
                .is_some_and(|known| is_within(path, known.as_bytes()))
    }

    /// Whether `path` is included or something below it is.
    pub fn leads_to(&self, path: &AssetPath) -> bool {
        self.leads_to_bytes(path.as_bytes())
    }

    /// The same for the bytes of a path.
    pub fn leads_to_bytes(&self, path: &[u8]) -> bool {
        let from = self.paths.partition_point(|known| tree_order_bytes(known.as_bytes(), path).is_lt());
        self.includes_bytes(path)
            || self.paths.get(from).is_some_and(|known| is_within(known.as_bytes(), path))
    }
}

/// Whether `path` is `folder` or lies below it.
fn is_within(path: &[u8], folder: &[u8]) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text).expect("a valid path")
    }

    #[test]
    fn a_path_includes_what_lies_below_it_and_nothing_that_merely_starts_alike() {
        let set = PathSet::new(["a/b", "a", "c/d"].map(path));
        for (text, included, leads) in [
            ("a", true, true),
            ("a/b/x", true, true),
            ("a-b", false, false),
            ("c", false, true),
            ("c/d", true, true),
            ("c/e", false, false),
        ] {
            assert_eq!((set.includes(&path(text)), set.leads_to(&path(text))), (included, leads), "{text}");
        }
    }

    #[test]
    fn no_path_and_the_top_both_mean_everything() {
        for set in [PathSet::everything(), PathSet::new([]), PathSet::new([path("a"), AssetPath::root()])] {
            assert!(set.is_everything() && set.includes(&path("x/y")) && set.leads_to(&path("x")));
        }
    }
}

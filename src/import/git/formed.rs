//! Which Git trees have a form of their own, and in which nothing stands here.

use crate::base::id::GitId;
use crate::import::error::ImportError;
use crate::import::git::changes::{EMPTY_TREE, is_hollow};
use crate::repo::View;
use crate::repo::imports::{TreeForm, key};
use crate::store::Space;
use std::collections::{HashMap, HashSet};

/// The Git trees that do not follow from the trees here, as far as they are known.
#[derive(Debug)]
pub struct Formed {
    /// With whether they are kept byte for byte.
    forms: HashMap<GitId, bool>,
    /// Trees in which nothing stands here: no folder is made for them.
    hollow: HashSet<GitId>,
}

impl Formed {
    /// Those that a view knows.
    pub fn read(view: &View) -> Result<Self, ImportError> {
        let hollow = HashSet::from([GitId::from_bytes(EMPTY_TREE)]);
        let mut formed = Self { forms: HashMap::new(), hollow };
        let mut waiting = Vec::new();
        for row in view.snapshot().scan_prefix(Space::Imports, key::TREES)? {
            let (key, bytes) = row?;
            let Some(id) = key.get(1..).and_then(GitId::from_slice) else { continue };
            // A record that cannot be read is made again.
            let Ok(form) = TreeForm::decode(&bytes) else { continue };
            formed.forms.insert(id, matches!(form, TreeForm::Verbatim(_)));
            if let TreeForm::Verbatim(bytes) = form
                && is_hollow(&bytes, &|_| true)
            {
                waiting.push((id, bytes));
            }
        }
        formed.find_hollow(waiting);
        Ok(formed)
    }

    /// Takes note of trees in which nothing stands but folders in which nothing stands.
    fn find_hollow(&mut self, mut waiting: Vec<(GitId, Vec<u8>)>) {
        loop {
            let before = waiting.len();
            waiting.retain(|(id, bytes)| {
                let is_hollow = is_hollow(bytes, &|inner| self.hollow.contains(&inner));
                if is_hollow {
                    self.hollow.insert(*id);
                }
                !is_hollow
            });
            if waiting.len() == before {
                return;
            }
        }
    }

    /// Whether a tree has a form of its own.
    pub fn has(&self, id: GitId) -> bool {
        self.forms.contains_key(&id)
    }

    /// Whether a tree is kept byte for byte: that says all there is to say.
    pub fn is_verbatim(&self, id: GitId) -> bool {
        self.forms.get(&id) == Some(&true)
    }

    /// Whether nothing stands in a tree here.
    pub fn is_hollow(&self, id: GitId) -> bool {
        self.hollow.contains(&id)
    }

    /// Takes note of a form.
    pub fn note(&mut self, id: GitId, form: &TreeForm) {
        self.forms.insert(id, matches!(form, TreeForm::Verbatim(_)));
    }

    /// Takes note that nothing stands in a tree.
    pub fn note_hollow(&mut self, id: GitId) {
        self.hollow.insert(id);
    }
}

//! What several use cases share: a look at repository and worktree together, taking content in,
//! bringing files to another state, and the words that users and reports use for things.

pub mod anew;
pub mod author;
pub mod changes;
pub mod claims;
pub mod content;
pub mod describe;
pub mod drawn;
pub mod evidence;
pub mod field_value;
pub mod forward;
pub mod guard;
pub mod joining;
pub mod known_files;
pub mod lineage;
pub mod locate;
pub mod locks;
pub mod logs_out;
pub mod origins;
pub mod probe;
pub mod problem;
pub mod proof;
pub mod remotes;
pub mod rules;
pub mod seekable;
pub mod session;
pub mod shelved;
pub mod signatures;
pub mod signing;
pub mod snapshot;
pub mod transition;
pub mod underway;
pub mod unwritten;
pub mod upstream;

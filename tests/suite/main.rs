//! All integration tests in one binary, so that they link once.

mod floors;
mod worktree_checkout;
mod worktree_hostile;
mod worktree_status;
mod worktree_support;

//! What to try after a failure between two repositories.

use super::{Advice, content, io, repo};
use crate::app::error::AppError;
use crate::cli::failure::ExitStatus;
use crate::store::bucket::BucketError;
use crate::sync::SyncError;

/// Advice on errors of synchronisation.
pub(super) fn advice(error: &SyncError) -> Advice {
    match error {
        SyncError::Address(_) => Advice::usage(
            "a folder such as /mnt/nas/brand, https://host/path, ssh://user@host/path, s3://bucket/path or az://container/path; passwords never stand in an address",
        ),
        SyncError::RemoteName { .. } => Advice::usage("letters, digits, '-' and '_' make one, 64 at most"),
        SyncError::Nothing { .. } => {
            Advice::not_found("`pent remote add` begins a remote at a place where nothing is yet")
        }
        SyncError::NotOurs { .. } => not_ours(),
        SyncError::OtherRepository { .. } => Advice::refused(&[
            "`pent remote` lists the addresses; `pent remote set` changes one",
            "to join two repositories, export from one and commit in the other",
        ]),
        SyncError::UnknownFeature { .. } => Advice::unavailable("a newer Pentimento knows it"),
        SyncError::Moved { .. } | SyncError::NotForward { .. } => {
            Advice::refused(&["pent pull, to bring the others' work together with yours; then push again"])
        }
        SyncError::LogMoved { .. } => Advice::refused(&["pent fetch, then try again"]),
        SyncError::LogRefused(_) => Advice::of(
            ExitStatus::Refused,
            &[
                "nothing was taken over, and what was here stays as it was",
                "compare with a colleague: `pent policy show` and `pent audit`",
            ],
        ),
        SyncError::Refused { .. } => Advice::refused(&["`pent push --dry-run` shows what would move"]),
        SyncError::Outdated | SyncError::Busy { .. } | SyncError::Unreachable { .. } => {
            Advice::unavailable("the same command again: what arrived already is not sent again")
        }
        SyncError::Missing { .. } | SyncError::Damaged { .. } => Advice::of(
            ExitStatus::Damaged,
            &["`pent remote repair`, in a clone that has it, gives back what a remote lost"],
        ),
        SyncError::Invalid { .. } => Advice::of(
            ExitStatus::Damaged,
            &["nothing of it was taken over; ask whoever runs the remote, or use another copy"],
        ),
        SyncError::NotHere { .. } => {
            Advice::refused(&["fetch the content first, or push from a clone that has it"])
        }
        SyncError::Limit(_) => limit(),
        SyncError::InsideRemote { .. } => Advice::refused(&["name a folder beside it"]),
        SyncError::NotMounted { address } => Advice::of(
            ExitStatus::Unavailable,
            &["if it is on a disk or a share, see that it is mounted; everything that is here works without it"],
        )
        .and(format!("if it is gone for good: `pent remote add again {address}` begins it anew")),
        SyncError::NotAllowed { .. }
        | SyncError::SignIn { .. }
        | SyncError::TurnedDown { .. }
        | SyncError::NoRoom { .. }
        | SyncError::NoRoomHere { .. } => not_taken(error),
        SyncError::Failed { .. }
        | SyncError::NoWay { .. }
        | SyncError::NotPent { .. }
        | SyncError::OtherVersion { .. } => other_end(error),
        SyncError::Bucket(error) => bucket(error),
        SyncError::Repo(error) => repo(error),
        SyncError::Content(error) => content(error),
        SyncError::Io { source, .. } => io(source),
        SyncError::Cancelled => Advice::none(ExitStatus::Interrupted),
    }
}

/// Advice on what one end may not do, or has no room for.
fn not_taken(error: &SyncError) -> Advice {
    match error {
        SyncError::NotAllowed { .. } => Advice::refused(&[
            "ask an administrator: `pent policy show` says who may do what",
            "on the server, `.pent-server/people` lists whose keys count where there is no policy, and `pent serve token list` what tokens may",
        ]),
        SyncError::SignIn { .. } => Advice::refused(&[
            "pent identity use HANDLE, to say which key to sign in with",
            "a machine signs in with a token: PENT_TOKEN=<token>@<host>",
        ]),
        SyncError::TurnedDown { .. } => Advice::of(
            ExitStatus::Refused,
            &["nothing of it was taken over there; `pent fsck` finds out whether this repository is sound"],
        ),
        SyncError::NoRoom { .. } => Advice::of(
            ExitStatus::Disk,
            &["whoever runs it can make room there; what was never published goes by itself after six days"],
        ),
        SyncError::NoRoomHere { .. } => Advice::of(
            ExitStatus::Disk,
            &[
                "make room on the disk, and the same command goes on: what has come stays",
                "where the remote sends far more than it should have, `pent gc` gives back what nothing needs",
            ],
        ),
        _ => Advice::none(ExitStatus::Refused),
    }
}

/// Advice on what is wrong at the other end, or on the way to it.
fn other_end(error: &SyncError) -> Advice {
    match error {
        SyncError::Failed { .. } => {
            Advice::unavailable("ask whoever runs it; what arrived is not sent again")
        }
        SyncError::NoWay { address, .. } if address.starts_with("http") => Advice::unavailable(
            "look at the address; SSL_CERT_FILE names authorities of your own, HTTPS_PROXY a proxy",
        ),
        SyncError::NotPent { .. } => Advice::unavailable(
            "pent has to be in the PATH there, and nothing may be written before it starts: look into what its shell runs at login",
        ),
        SyncError::OtherVersion { .. } => Advice::unavailable("bring the older of the two up to date"),
        _ => Advice::unavailable("reach it with ssh alone: the same names, keys and settings are used"),
    }
}

fn not_ours() -> Advice {
    Advice::refused(&[
        "name a folder or prefix that is new or empty",
        "if it was a remote until now: `pent remote repair`, in a clone that has everything, puts it right",
    ])
}

fn limit() -> Advice {
    Advice::refused(&[
        "nothing was changed there; remove names that nobody needs (`pent push --delete`), or push fewer",
    ])
}

fn bucket(error: &BucketError) -> Advice {
    match error {
        BucketError::Transient { .. } => {
            Advice::unavailable("the same command again: what arrived already is not sent again")
        }
        BucketError::Unreachable { .. } => {
            Advice::unavailable("see whether you are online; everything that is here works without it")
        }
        BucketError::LedElsewhere { .. } => Advice::unavailable(
            "look at the region and the endpoint (AWS_REGION, AWS_ENDPOINT_URL, the profile): credentials go to the host that you named, and to no other",
        ),
        BucketError::Credentials { .. } => Advice::refused(&[
            "sign in as for the cloud's own tools (`aws configure`, `az login`), or set its variables; nothing of that is ever stored here",
        ]),
        BucketError::Failed { .. } | BucketError::CutShort { .. } => Advice::none(ExitStatus::Disk),
        BucketError::Denied { .. } => {
            Advice::of(ExitStatus::Disk, &["you need the right to read and write there"])
        }
        BucketError::Full { .. } => Advice::of(ExitStatus::Disk, &["make room there and try again"]),
        BucketError::Key { .. } => Advice::none(ExitStatus::Damaged),
        BucketError::Unconditional { .. } => Advice::refused(&[
            "without such conditions two people who push at once would lose work; use a service that keeps them, a folder, or a server",
        ]),
    }
}

/// Advice on a name of a remote that is in use.
pub(super) fn taken() -> Advice {
    Advice::refused(&["`pent remote set` gives it another address", "or choose another name"])
}

/// Advice on a mirror at the very place that it is to mirror.
pub(super) fn mirror_of_itself() -> Advice {
    Advice::usage("name another place; `pent remote` lists where the remotes are")
}

/// Advice on content that is elsewhere, or that one may not read.
pub(super) fn not_here(is_withheld: bool) -> Advice {
    if is_withheld {
        return Advice::refused(&[
            "some of it is withheld from you; whoever sets the policy there says who may read it",
        ]);
    }
    Advice::unavailable("`pent fetch --content <path>` brings it, when the remote can be reached")
}

/// Advice on what cannot be done because content is elsewhere.
pub(super) fn elsewhere(error: &AppError) -> Advice {
    if matches!(error, AppError::OnlyHolder { .. }) {
        return Advice::refused(&[
            "`pent fetch --content`, without a path, brings it here first",
            "add --force if that content is gone for good, or comes from elsewhere",
        ]);
    }
    Advice::refused(&[
        "`pent fetch --content`, without a path, brings everything",
        "or do it in another clone",
    ])
}

/// Advice on an address of a kind that was left out of this build.
pub(super) fn left_out(feature: &str) -> Advice {
    let advice = Advice::none(ExitStatus::Unavailable);
    advice.and(format!(
        "use a build with the feature `{feature}`, which ordinary builds have: cargo build --release"
    ))
}

/// Advice on a server that would be spoken to in the clear.
pub(super) fn insecure(server: &str) -> Advice {
    let setting = format!("pent config remote.insecure {server}, if you trust everybody on the way");
    Advice::refused(&["use https://, or ssh://"]).and(setting)
}

/// Advice on a remote that is cared for where it is.
pub(super) fn cares_for_itself() -> Advice {
    Advice::refused(&["run `pent gc`, `pent fsck` or `pent repair` there, in the repository itself"])
}

/// Advice on an address of a kind that cannot be reached.
pub(super) fn kind() -> Advice {
    Advice::usage(
        "a folder such as /mnt/nas/brand; `pent remote add --help` lists what this program can reach",
    )
}

//! The walls around a program that is not ours. What it calls differs between its versions, so the ways
//! out are refused and the rest is allowed, the other way round than for our own decoders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Where systems keep libraries and what loads them.
const LIBRARIES: &[&str] = &[
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/gnu/store",
];
/// Files that say where libraries are, and devices that hold nothing.
const PLAIN: &[&str] = &["/etc/ld.so.cache", "/dev/null", "/dev/urandom"];

/// Only libraries, the program and its standard input can be read; nothing can be written.
pub(super) fn close_files(program: &Path) -> bool {
    let abi = ABI::V6;
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(abi)))
        .and_then(landlock::Ruleset::create)
        .and_then(|ruleset| with_rules(ruleset, program))
        .and_then(RulesetCreated::restrict_self);
    ruleset.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

fn with_rules(ruleset: RulesetCreated, program: &Path) -> Result<RulesetCreated, RulesetError> {
    let (read, run) = (BitFlags::from(AccessFs::ReadFile), AccessFs::ReadFile | AccessFs::Execute);
    let mut folders: Vec<PathBuf> = LIBRARIES.iter().map(PathBuf::from).collect();
    // A program that was installed elsewhere brings its libraries along.
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    folders.extend(real.parent().and_then(Path::parent).map(|above| above.join("lib")));
    // A pipe is no file that could be opened anew, and takes no rule.
    let mut ruleset = ruleset;
    if !is_pipe() {
        ruleset = ruleset.add_rule(PathBeneath::new(std::io::stdin(), read))?;
    }
    for folder in folders.iter().filter_map(|folder| PathFd::new(folder).ok()) {
        ruleset = ruleset.add_rule(PathBeneath::new(folder, run | AccessFs::ReadDir))?;
    }
    for file in PLAIN.iter().filter_map(|file| PathFd::new(file).ok()) {
        ruleset = ruleset.add_rule(PathBeneath::new(file, read))?;
    }
    match PathFd::new(&real) {
        Ok(file) => ruleset.add_rule(PathBeneath::new(file, run)),
        Err(_) => Ok(ruleset),
    }
}

fn is_pipe() -> bool {
    use rustix::fs::{FileType, fstat};
    fstat(std::io::stdin()).is_ok_and(|told| FileType::from_raw_mode(told.st_mode) == FileType::Fifo)
}

/// Ways out of the process and into others, and ways to change files that Landlock does not know.
const REFUSED: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_setpriority,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_memfd_create,
    libc::SYS_execveat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_fsetxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_fremovexattr,
    libc::SYS_lremovexattr,
];

/// The same of calls that only older architectures have.
#[cfg(target_arch = "x86_64")]
const REFUSED_OLD: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: &[i64] = &[];

/// Refuses the calls above, and to start a process; threads may be started.
pub(super) fn refuse_calls() -> bool {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().chain(REFUSED_OLD).map(|call| (*call, Vec::new())).collect();
    let thread = libc::CLONE_THREAD as u64;
    let no_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), 0)
        .and_then(|condition| SeccompRule::new(vec![condition]));
    let Ok(no_thread) = no_thread else { return false };
    rules.insert(libc::SYS_clone, vec![no_thread]);
    let Some(others) = super::linux::to_itself(SeccompCmpOp::Ne) else { return false };
    rules.insert(libc::SYS_tgkill, vec![others]);
    // What this one is asked for cannot be seen, so that it is as if there were none: programs then take the
    // one above.
    let newer = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    apply(newer, libc::ENOSYS as u32) && apply(rules, libc::EPERM as u32)
}

fn apply(rules: BTreeMap<i64, Vec<SeccompRule>>, error: u32) -> bool {
    let Ok(arch) = std::env::consts::ARCH.try_into() else { return false };
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(error), arch);
    let program: Option<BpfProgram> = filter.ok().and_then(|filter| filter.try_into().ok());
    program.is_some_and(|program| seccompiler::apply_filter(&program).is_ok())
}

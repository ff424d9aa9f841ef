//! Gives up every way out of the process, before it reads what may be hostile.

use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
mod program;

/// Which walls stand. A system may lack some; that is told and not hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walls {
    /// The file system is closed (Landlock).
    pub files: bool,
    /// System calls other than a few are refused (seccomp).
    pub calls: bool,
}

impl Walls {
    /// What to say of walls that do not stand.
    pub fn missing(self) -> Option<&'static str> {
        match (self.files, self.calls) {
            (true, true) => None,
            (false, true) => Some("this system does not close the file system to decoders (Landlock)"),
            (true, false) => Some("this system does not filter the system calls of decoders (seccomp)"),
            (false, false) => {
                Some("this system neither closes the file system to decoders nor filters their calls")
            }
        }
    }
}

/// Bounds memory to `memory` bytes and the processor's time to `seconds`, and closes what can be
/// closed.
#[cfg(target_os = "linux")]
pub(super) fn lock_up(memory: u64, seconds: u64) -> io::Result<Walls> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let bound = |value: u64| Rlimit { current: Some(value), maximum: Some(value) };
    for (resource, value) in [
        (Resource::As, memory),
        (Resource::Cpu, seconds.max(1)),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 8),
    ] {
        setrlimit(resource, bound(value))?;
    }
    Ok(Walls { files: linux::close_files(), calls: linux::filter_calls() })
}

/// The same for a process that becomes `program`, which loads libraries and runs threads: memory and
/// time are bounded, it writes no file, reads none but its standard input and what lies where libraries
/// do, reaches nobody, and starts nothing else.
#[cfg(target_os = "linux")]
pub(super) fn lock_up_program(memory: u64, seconds: u64, program: &Path) -> io::Result<Walls> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let bound = |value: u64| Rlimit { current: Some(value), maximum: Some(value) };
    for (resource, value) in [
        (Resource::As, memory),
        // Of all its threads together.
        (Resource::Cpu, seconds.saturating_mul(4).max(1)),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 64),
    ] {
        setrlimit(resource, bound(value))?;
    }
    Ok(Walls { files: program::close_files(program), calls: program::refuse_calls() })
}

/// Elsewhere only the parent's bounds on time and answer hold.
#[cfg(not(target_os = "linux"))]
pub(super) fn lock_up_program(_memory: u64, _seconds: u64, _program: &Path) -> io::Result<Walls> {
    Ok(Walls { files: false, calls: false })
}

/// Elsewhere only the parent's bounds on time and answer hold.
#[cfg(not(target_os = "linux"))]
pub(super) fn lock_up(_memory: u64, _seconds: u64) -> io::Result<Walls> {
    Ok(Walls { files: false, calls: false })
}

#[cfg(target_os = "linux")]
mod linux {
    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };
    use std::collections::BTreeMap;

    /// What a decoder does: reads its file, writes its answer, takes memory, and little else.
    const CALLS: &[i64] = &[
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    /// A rule about whether a call's first number is that of this process.
    pub(super) fn to_itself(compared: SeccompCmpOp) -> Option<SeccompRule> {
        let own = u64::from(std::process::id());
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, compared, own).ok()?;
        SeccompRule::new(vec![condition]).ok()
    }

    /// No rule is added, so that nothing that a rule could allow is.
    pub(super) fn close_files() -> bool {
        let abi = ABI::V6;
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
            .and_then(|ruleset| ruleset.scope(Scope::from_all(abi)))
            .and_then(landlock::Ruleset::create)
            .and_then(landlock::RulesetCreated::restrict_self);
        ruleset.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
    }

    /// Everything else is refused with an error, which decoders answer as they answer a missing file.
    pub(super) fn filter_calls() -> bool {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            CALLS.iter().map(|call| (*call, Vec::new())).collect();
        // A thread may end its own process, and no other.
        let Some(own) = to_itself(SeccompCmpOp::Eq) else { return false };
        rules.insert(libc::SYS_tgkill, vec![own]);
        let Ok(arch) = std::env::consts::ARCH.try_into() else { return false };
        let refused = SeccompAction::Errno(libc::EPERM as u32);
        let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch);
        let program: Option<BpfProgram> = filter.ok().and_then(|filter| filter.try_into().ok());
        program.is_some_and(|program| seccompiler::apply_filter(&program).is_ok())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    /// The variable that makes the test below play the part of the prisoner.
    const PART: &str = "PENT_TEST_PRISONER";

    #[test]
    fn a_prisoner_reads_its_file_and_reaches_nothing_else() {
        if std::env::var_os(PART).is_some() {
            let walls = lock_up(1 << 30, 20).expect("locked up");
            let mut own = Vec::new();
            let read = std::io::stdin().read_to_end(&mut own).is_ok() && own == b"its file";
            let escapes = [
                File::open("/etc/passwd").is_ok(),
                std::fs::write("/tmp/pent-escape", b"x").is_ok(),
                std::net::TcpStream::connect("127.0.0.1:9")
                    .err()
                    .is_none_or(|error| error.kind() == std::io::ErrorKind::ConnectionRefused),
                Command::new("/bin/true").spawn().is_ok(),
                std::fs::read_dir("/").is_ok(),
            ];
            let verdict = format!("read {read}, escapes {escapes:?}, walls {walls:?}\n");
            let _ = std::io::stderr().write_all(verdict.as_bytes());
            std::process::exit(if read && escapes == [false; 5] { 42 } else { 1 });
        }
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--exact",
                "media::worker::jail::tests::a_prisoner_reads_its_file_and_reaches_nothing_else",
            ])
            .args(["--nocapture", "--test-threads", "1"])
            .env(PART, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        child.stdin.take().expect("a pipe").write_all(b"its file").expect("written");
        let output = child.wait_with_output().expect("ended");
        assert_eq!(output.status.code(), Some(42), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

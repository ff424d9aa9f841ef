//! Gives up every way out of the process, before it reads what may be hostile.

use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
mod program;

#[cfg(target_os = "linux")]
use landlock::RulesetStatus;

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
    let readable = linux::own_input();
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
    let files = linux::close_files();
    let calls = linux::filter_calls(readable.as_deref());
    // What an older system does not know of the rules about files - networks, signals - the filter refuses.
    let files = files == RulesetStatus::FullyEnforced || (files == RulesetStatus::PartiallyEnforced && calls);
    Ok(Walls { files, calls })
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
    use std::os::unix::fs::MetadataExt as _;

    /// Ways to read, which are for the file alone.
    const READING: &[i64] = &[libc::SYS_read, libc::SYS_readv, libc::SYS_pread64, libc::SYS_lseek];
    /// Ways to write, which are for the answer, and for the last words of a program that breaks.
    const WRITING: &[i64] = &[libc::SYS_write, libc::SYS_writev];
    /// What a decoder does besides: takes memory, and little else.
    const CALLS: &[i64] = &[
        libc::SYS_fstat,
        libc::SYS_close,
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
        argument(0, compared, u64::from(std::process::id()))
    }

    /// A rule about one number of a call, by its place.
    fn argument(place: u8, compared: SeccompCmpOp, number: u64) -> Option<SeccompRule> {
        let condition = SeccompCondition::new(place, SeccompCmpArgLen::Dword, compared, number).ok()?;
        SeccompRule::new(vec![condition]).ok()
    }

    /// The descriptors of the file that this process is to read: its standard input, and copies of that. What
    /// else whoever started the program left open is none of them. `None` where the system does not tell.
    pub(super) fn own_input() -> Option<Vec<u64>> {
        let identity = |number: &str| {
            let found = std::fs::metadata(format!("/proc/self/fd/{number}")).ok()?;
            Some((found.dev(), found.ino()))
        };
        let input = identity("0")?;
        let mut own = Vec::new();
        for entry in std::fs::read_dir("/proc/self/fd").ok()?.flatten() {
            let name = entry.file_name();
            let Some(number) = name.to_str().filter(|number| identity(number) == Some(input)) else {
                continue;
            };
            own.extend(number.parse::<u64>());
        }
        Some(own)
    }

    /// No rule is added, so that nothing that a rule could allow is.
    pub(super) fn close_files() -> RulesetStatus {
        let abi = ABI::V6;
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
            .and_then(|ruleset| ruleset.scope(Scope::from_all(abi)))
            .and_then(landlock::Ruleset::create)
            .and_then(landlock::RulesetCreated::restrict_self);
        ruleset.map_or(RulesetStatus::NotEnforced, |status| status.ruleset)
    }

    /// Everything else is refused with an error, which decoders answer as they answer a missing file. Only the
    /// descriptors in `readable` are read, where these are known.
    pub(super) fn filter_calls(readable: Option<&[u64]>) -> bool {
        rules(readable).is_some_and(|rules| {
            let Ok(arch) = std::env::consts::ARCH.try_into() else { return false };
            let refused = SeccompAction::Errno(libc::EPERM as u32);
            let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch);
            let program: Option<BpfProgram> = filter.ok().and_then(|filter| filter.try_into().ok());
            program.is_some_and(|program| seccompiler::apply_filter(&program).is_ok())
        })
    }

    fn rules(readable: Option<&[u64]>) -> Option<BTreeMap<i64, Vec<SeccompRule>>> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            CALLS.iter().map(|call| (*call, Vec::new())).collect();
        // A thread may end its own process, and no other.
        rules.insert(libc::SYS_tgkill, vec![to_itself(SeccompCmpOp::Eq)?]);
        // Memory and no file: what is mapped is read without a call.
        let anonymous = libc::MAP_ANONYMOUS as u64;
        rules.insert(libc::SYS_mmap, vec![argument(3, SeccompCmpOp::MaskedEq(anonymous), anonymous)?]);
        let one_of = |descriptors: &[u64]| -> Option<Vec<SeccompRule>> {
            descriptors.iter().map(|number| argument(0, SeccompCmpOp::Eq, *number)).collect()
        };
        for call in READING {
            // No rule means that every descriptor is.
            rules.insert(*call, one_of(readable.unwrap_or_default())?);
        }
        for call in WRITING {
            rules.insert(*call, one_of(&[1, 2])?);
        }
        Some(rules)
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

    /// Whether a signal could be sent to a thread.
    fn signal(process: u32, thread: u32, number: i32) -> bool {
        // SAFETY: three numbers go in, one comes out, and no memory is touched.
        let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, number) };
        sent == 0
    }

    #[test]
    fn a_prisoner_reads_its_file_and_reaches_nothing_else() {
        if std::env::var_os(PART).is_some() {
            // What whoever started the program left open, and somebody else's process.
            let mut left_open = File::open("/etc/passwd").expect("opened");
            let parent = std::os::unix::process::parent_id();
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
                left_open.read(&mut [0; 8]).is_ok(),
                // Signal 0 does nothing and asks whether one could be sent.
                signal(parent, parent, 0),
                !signal(std::process::id(), std::process::id(), 0),
            ];
            let verdict = format!("read {read}, escapes {escapes:?}, walls {walls:?}\n");
            let _ = std::io::stderr().write_all(verdict.as_bytes());
            std::process::exit(if read && escapes == [false; 8] { 42 } else { 1 });
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

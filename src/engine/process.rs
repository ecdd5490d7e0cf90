//! This process and its neighbours, as the kernel shows them. Where a platform shows less, less is known.

use crate::plan::holder::Seen;
use crate::plan::record::Who;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// This process, on this machine, of this user; with a nonce of its own at every call.
pub fn here() -> Who {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = named("USER")
        .or_else(|| named("LOGNAME"))
        .unwrap_or_else(|| rustix::process::getuid().as_raw().to_string());
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    Who {
        user,
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        pid: std::process::id(),
        program: env!("CARGO_PKG_VERSION").into(),
        boot: read("/proc/sys/kernel/random/boot_id").trim().into(),
        pid_namespace: pid_namespace(),
        started: started(&read("/proc/self/stat")).unwrap_or_default().into(),
        nonce: format!("{:016x}", RandomState::new().build_hasher().finish()),
    }
}

/// The number in `pid:[4026531836]`.
fn pid_namespace() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits = link.to_string_lossy();
    digits.chars().filter(char::is_ascii_digit).collect()
}

/// When a process began, by its `/proc/PID/stat` (proc_pid_stat(5): field 22; the name before it may hold anything).
fn started(stat: &str) -> Option<&str> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)
}

/// Has it ended, and only waits for its parent to ask how?
fn is_over(stat: &str) -> bool {
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().next());
    matches!(state, Some("Z" | "X"))
}

/// The process of this number, in this PID namespace.
pub fn seen(pid: u32) -> Seen {
    let number = i32::try_from(pid).ok();
    let Some(number) = number.and_then(rustix::process::Pid::from_raw) else {
        return Seen::Runs(None);
    };
    if rustix::process::test_kill_process(number) == Err(rustix::io::Errno::SRCH) {
        return Seen::Gone;
    }
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) if is_over(&stat) => Seen::Gone,
        Ok(stat) => Seen::Runs(started(&stat).map(str::to_owned)),
        Err(_) => Seen::Runs(None),
    }
}

/// By how much the machine's sleep has set a clock that counts it before one that does not.
///
/// clock_gettime(2): on Linux CLOCK_MONOTONIC, which all timers here follow, stands still while the machine is
/// suspended, and CLOCK_BOOTTIME does not. Elsewhere the wall clock stands in: one that is set forward is taken for
/// a sleep, which costs a look.
pub fn sleep_ahead() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = |of: rustix::time::Timespec| {
        Duration::new(
            of.tv_sec.try_into().unwrap_or_default(),
            of.tv_nsec.try_into().unwrap_or_default(),
        )
    };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let counting = time(clock_gettime(ClockId::Boottime));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let counting = time(clock_gettime(ClockId::Realtime));
    counting.saturating_sub(time(clock_gettime(ClockId::Monotonic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_moves_no_field() {
        let fields: Vec<String> = (4..=30).map(|field| field.to_string()).collect();
        let stat = format!("7 (a) Z (b) S {}", fields.join(" "));
        assert_eq!(started(&stat), Some("22"));
        assert!(!is_over(&stat));
        assert!(is_over("7 (sh) Z 1 7"));
        assert_eq!(started(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_runs_and_a_number_of_nobody_is_gone() {
        let me = here();
        assert!(
            !me.boot.is_empty() && !me.pid_namespace.is_empty(),
            "{me:?}"
        );
        assert_eq!(seen(me.pid), Seen::Runs(Some(me.started.clone())));
        // The kernel's largest number is below.
        assert_eq!(seen(i32::MAX as u32), Seen::Gone);
        assert_ne!(here().nonce, me.nonce);
    }

    #[test]
    fn while_nothing_sleeps_neither_clock_runs_ahead() {
        let before = sleep_ahead();
        assert!(sleep_ahead().abs_diff(before) < Duration::from_millis(100));
    }
}

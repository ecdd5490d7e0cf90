//! Who holds a lock: one process, told apart from every other one by what only it can be.

use super::record::Who;

/// What is known of a process of this machine by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// None has this number, or it has ended and only its parent does not know yet.
    Gone,
    /// One runs, and began then; `None`: when cannot be read.
    Runs(Option<String>),
}

impl Who {
    /// The holder of a lock as it stands in a Lease: for people first, then what tells the process apart.
    pub fn holder(&self) -> String {
        let mut text = format!("{self}/{}", self.pid);
        for (key, value) in [
            ("boot", &self.boot),
            ("pidns", &self.pid_namespace),
            ("start", &self.started),
            ("nonce", &self.nonce),
        ] {
            if !value.is_empty() {
                text.push_str(&format!(" {key}={value}"));
            }
        }
        text
    }
}

/// The part of a holder that people read: `user@host/PID`.
pub fn shown(holder: &str) -> &str {
    let rest = ["boot", "pidns", "start", "nonce"]
        .iter()
        .filter_map(|key| holder.find(&format!(" {key}=")))
        .min();
    &holder[..rest.unwrap_or(holder.len())]
}

fn part<'a>(holder: &'a str, key: &str) -> &'a str {
    let mut parts = holder[shown(holder).len()..].split_whitespace();
    let found = parts.find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
    found.unwrap_or_default()
}

/// Is it certain that this holder no longer runs?
///
/// Only of a process of the same boot and PID namespace can that be told from its number: `boot_id` is random for each
/// boot of a kernel and the same in all its containers (Linux, drivers/char/random.c), and the number of a namespace
/// is given again only when no process of it is left (pid_namespaces(7), namespaces(7)). A number that was given
/// again belongs to a process that began at another time (proc_pid_stat(5), field 22).
pub fn is_dead(holder: &str, me: &Who, look: &dyn Fn(u32) -> Seen) -> bool {
    let of = |key| part(holder, key);
    if of("boot").is_empty() || of("boot") != me.boot {
        return false;
    }
    if of("pidns").is_empty() || of("pidns") != me.pid_namespace {
        return false;
    }
    let pid = shown(holder).rsplit_once('/');
    let Some(pid) = pid.and_then(|(_, pid)| pid.parse().ok()) else {
        return false;
    };
    match look(pid) {
        Seen::Gone => true,
        Seen::Runs(Some(started)) => !of("start").is_empty() && of("start") != started,
        Seen::Runs(None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Who {
        Who {
            user: "ada".into(),
            host: "laptop".into(),
            pid: 41,
            boot: "b0".into(),
            pid_namespace: "4026531836".into(),
            started: "100".into(),
            nonce: "n1".into(),
            ..Who::default()
        }
    }

    #[test]
    fn people_see_who_and_where() {
        let holder = me().holder();
        assert_eq!(
            holder,
            "ada@laptop/41 boot=b0 pidns=4026531836 start=100 nonce=n1"
        );
        assert_eq!(shown(&holder), "ada@laptop/41");
        assert_eq!(shown("ada@laptop/41"), "ada@laptop/41");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn only_a_process_of_this_boot_and_pid_namespace_is_called_dead() {
        let other = |change: fn(&mut Who)| {
            let mut who = me();
            who.pid = 7;
            who.nonce = "n2".into();
            change(&mut who);
            who.holder()
        };
        let gone = |_: u32| Seen::Gone;
        let runs = |_: u32| Seen::Runs(Some("100".into()));
        let hidden = |_: u32| Seen::Runs(None);
        // Holder, what is seen of its process, is it dead?
        type Look<'a> = &'a dyn Fn(u32) -> Seen;
        let table: [(String, Look<'_>, bool); 12] = [
            (other(|_| ()), &gone, true),
            (other(|_| ()), &runs, false),
            (other(|_| ()), &hidden, false),
            // Its number was given again.
            (other(|who| who.started = "99".into()), &runs, true),
            (other(|who| who.started = "99".into()), &hidden, false),
            // Two containers of one image, both PID 1, on one kernel.
            (
                other(|who| who.pid_namespace = "4026532000".into()),
                &gone,
                false,
            ),
            // Another machine that is called the same, or this one before it was booted.
            (other(|who| who.boot = "b1".into()), &gone, false),
            // Of a platform that tells neither.
            (other(|who| who.boot.clear()), &gone, false),
            (other(|who| who.pid_namespace.clear()), &gone, false),
            // Of an older version, which said no more.
            ("ada@laptop/7".into(), &gone, false),
            ("ada@laptop/x boot=b0 pidns=4026531836".into(), &gone, false),
            (String::new(), &gone, false),
        ];
        for (holder, look, dead) in table {
            assert_eq!(is_dead(&holder, &me(), look), dead, "{holder}");
        }
        // What is unknown of oneself is equal to nothing.
        let nobody = Who::default();
        assert!(!is_dead("a@b/1 boot= pidns=", &nobody, &gone));
    }
}

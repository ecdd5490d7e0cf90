//! Prometheus reloaded by its own reloader when its certificates come or change.
//!
//! Prometheus makes no pool for a job whose certificate files are not there when it loads its configuration, and
//! tries again only when its discovery reports a change, or at a reload (prometheus, `scrape/manager.go`). So a
//! Prometheus that starts while istiod is away would stay without targets. prometheus-config-reloader looks at every
//! folder of a `--watched-dir` and reloads when a file in it changes. The agent writes the files for everybody to read
//! (istio, `security/pkg/nodeagent/util`), so that the reloader, which gives up its round over a file that it cannot
//! read, can read them as any user.

use crate::mesh::Prometheus;

/// What the reloader's container gets.
pub(super) struct CertWatch {
    pub container: String,
    /// Its arguments, of which the API server knows only the whole list.
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// The certificates' volume is not mounted there.
    pub mount: bool,
}

/// `None`: no container of it can, one does already, or the folder is taken there.
pub(super) fn of(of: &Prometheus, folder: &str, volume: &str) -> Option<CertWatch> {
    let reloader = of.folder_watcher()?;
    let same = |path: &str| path.trim_end_matches('/') == folder.trim_end_matches('/');
    let mounted = reloader
        .volume_mounts
        .iter()
        .find(|mount| same(&mount.mount_path));
    if mounted.is_some_and(|mount| mount.name != volume || mount.sub_path.is_some()) {
        return None;
    }
    let flag = format!("--watched-dir={folder}");
    let mut after = reloader.args.clone();
    let told = after
        .iter()
        .any(|arg| same(arg.strip_prefix("--watched-dir=").unwrap_or(arg)));
    if told {
        return None;
    }
    after.push(flag);
    Some(CertWatch {
        container: reloader.name.clone(),
        before: reloader.args.clone(),
        after,
        mount: mounted.is_none(),
    })
}

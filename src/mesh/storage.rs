//! Where a Prometheus keeps its data, and whether that outlives its pod.

use super::Storage;
use super::config_source::{mount_of, option, volume};
use super::images::{absolute, image};
use super::objects::{self as lean, Container};

/// Kinds of volumes whose contents lie outside the node and stay when the pod goes.
const STAYING: [&str; 13] = [
    "nfs",
    "cephfs",
    "glusterfs",
    "iscsi",
    "fc",
    "rbd",
    "azureFile",
    "azureDisk",
    "awsElasticBlockStore",
    "gcePersistentDisk",
    "vsphereVolume",
    "cinder",
    "portworxVolume",
];

/// The folder of the data: `--storage.tsdb.path`, by default `data/` (cmd/prometheus/main.go), under the working
/// directory. Arguments of the pod stand in the place of all of the image's. `None`: it cannot be told from here.
fn folder(container: &Container) -> Option<String> {
    let bare = container.args.is_empty() && container.command.is_empty();
    let path = match option(container, "storage.tsdb.path") {
        Some(path) => path,
        None if bare => image(&container.image)?.data,
        None => "data/",
    };
    // Filled in by the kubelet from variables that are not kept.
    if path.contains("$(") {
        return None;
    }
    absolute(container, path)
}

pub(super) fn storage(item: &lean::Workload, container: &Container) -> Storage {
    let Some(path) = folder(container) else {
        return Storage::Unknown;
    };
    let Some((mount, _)) = mount_of(container, &path) else {
        // The container's own file system goes with the pod as well.
        return Storage::EmptyDir;
    };
    let claimed = item
        .spec
        .volume_claim_templates
        .iter()
        .any(|claim| claim["metadata"]["name"].as_str() == Some(mount.name.as_str()));
    if claimed {
        return Storage::Lasting(format!("PersistentVolumeClaim {}", mount.name));
    }
    let Some(volume) = volume(&item.spec.template, &mount.name) else {
        return Storage::Unknown;
    };
    // A generic ephemeral volume's claim is owned by the pod, and deleted with it.
    if !volume["emptyDir"].is_null() || !volume["ephemeral"].is_null() {
        Storage::EmptyDir
    } else if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
        Storage::Lasting(format!("PersistentVolumeClaim {claim}"))
    } else if let Some(path) = volume["hostPath"]["path"].as_str() {
        Storage::Lasting(format!("host path {path}"))
    } else if let Some(kind) = STAYING.iter().find(|kind| !volume[**kind].is_null()) {
        Storage::Lasting(format!("{kind} volume {}", mount.name))
    } else {
        Storage::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Image, command, args, working directory and the mount of the volume `v` → where the data lies.
    fn of(image: &str, command: &[&str], args: &[&str], directory: &str, mount: &str) -> Storage {
        of_volume(
            image,
            command,
            args,
            directory,
            mount,
            &json!({"persistentVolumeClaim": {"claimName": "c"}}),
        )
    }

    fn of_volume(
        image: &str,
        command: &[&str],
        args: &[&str],
        directory: &str,
        mount: &str,
        source: &serde_json::Value,
    ) -> Storage {
        let mut volume = source.clone();
        volume["name"] = json!("v");
        let item: lean::Workload = serde_json::from_value(json!({"spec": {"template": {"spec": {
            "containers": [{
                "name": "p", "image": image, "command": command, "args": args, "workingDir": directory,
                "volumeMounts": [{"name": "v", "mountPath": mount}],
            }],
            "volumes": [volume],
        }}}}))
        .expect("a workload");
        storage(&item, &item.spec.template.spec.containers[0])
    }

    fn lasting() -> Storage {
        Storage::Lasting("PersistentVolumeClaim c".into())
    }

    const OWN: &str = "docker.io/prom/prometheus:v3.10.0";
    const CONFIG: &str = "--config.file=/etc/c/prometheus.yml";

    #[test]
    fn the_folder_follows_from_flags_defaults_and_working_directory() {
        let flag = "--storage.tsdb.path=/tsdb";
        let gone = Storage::EmptyDir;
        let unknown = Storage::Unknown;
        for (image, command, args, directory, mount, wanted) in [
            // Arguments without the flag: data/ under the image's directory.
            (
                OWN,
                &[][..],
                &[CONFIG][..],
                "",
                "/prometheus/data",
                lasting(),
            ),
            (OWN, &[], &[CONFIG], "", "/prometheus", lasting()),
            (OWN, &[], &[CONFIG], "", "/prometheus/wal", gone.clone()),
            // No arguments: the image's own.
            (OWN, &[], &[], "", "/prometheus", lasting()),
            (OWN, &[], &[], "", "/prometheus/data", gone.clone()),
            (OWN, &[], &[CONFIG, flag], "", "/tsdb/", lasting()),
            (
                OWN,
                &[],
                &[CONFIG, "--storage.tsdb.path", "/tsdb"],
                "",
                "/tsdb",
                lasting(),
            ),
            (
                OWN,
                &[],
                &[CONFIG, "--storage.tsdb.path=."],
                "",
                "/prometheus",
                lasting(),
            ),
            (
                OWN,
                &[],
                &[CONFIG, "--storage.tsdb.path=../tsdb"],
                "",
                "/tsdb",
                lasting(),
            ),
            (OWN, &[], &[CONFIG], "/var/lib/p", "/var/lib/p", lasting()),
            (
                OWN,
                &[],
                &[CONFIG],
                "/var/lib/p",
                "/prometheus",
                gone.clone(),
            ),
            (
                "quay.io/prometheus/prometheus@sha256:0",
                &["/bin/prometheus"],
                &[CONFIG],
                "",
                "/prometheus/data",
                lasting(),
            ),
            (
                "rancher/mirrored-prometheus-prometheus:v3",
                &[],
                &[CONFIG],
                "",
                "/prometheus",
                lasting(),
            ),
            (
                "bitnami/prometheus:3",
                &[],
                &[],
                "",
                "/opt/bitnami/prometheus/data",
                lasting(),
            ),
            (
                "bitnami/prometheus:3",
                &[],
                &[CONFIG],
                "",
                "/prometheus",
                gone.clone(),
            ),
            // What an unknown image brings along is not known; an absolute path needs nothing of it.
            (
                "example.org/metrics/prometheus:1",
                &[],
                &[CONFIG],
                "",
                "/prometheus/data",
                unknown.clone(),
            ),
            (
                "example.org/metrics/prometheus:1",
                &[],
                &[],
                "",
                "/prometheus",
                unknown.clone(),
            ),
            (
                "example.org/metrics/prometheus:1",
                &[],
                &[CONFIG, flag],
                "",
                "/tsdb",
                lasting(),
            ),
            (
                "example.org/metrics/prometheus:1",
                &[],
                &[CONFIG],
                "/d",
                "/d",
                lasting(),
            ),
            (
                OWN,
                &["/start.sh"],
                &[CONFIG],
                "",
                "/prometheus",
                unknown.clone(),
            ),
            (
                OWN,
                &[],
                &[CONFIG, "--storage.tsdb.path=/data/$(POD_NAME)"],
                "",
                "/data",
                unknown.clone(),
            ),
        ] {
            assert_eq!(
                of(image, command, args, directory, mount),
                wanted,
                "{image} {command:?} {args:?} {directory} {mount}"
            );
        }
    }

    #[test]
    fn what_a_volume_outlives() {
        let on = |source| of_volume(OWN, &[], &[CONFIG], "", "/prometheus", &source);
        assert_eq!(
            on(json!({"emptyDir": {"medium": "Memory"}})),
            Storage::EmptyDir
        );
        assert_eq!(
            on(json!({"ephemeral": {"volumeClaimTemplate": {}}})),
            Storage::EmptyDir
        );
        assert_eq!(
            on(json!({"nfs": {"server": "s", "path": "/"}})),
            Storage::Lasting("nfs volume v".into())
        );
        assert_eq!(
            on(json!({"hostPath": {"path": "/srv"}})),
            Storage::Lasting("host path /srv".into())
        );
        assert_eq!(on(json!({"csi": {"driver": "d"}})), Storage::Unknown);
    }
}

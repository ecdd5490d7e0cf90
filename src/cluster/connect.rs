//! From a kubeconfig to the one client. Nothing here sends a request.

use super::api::Cluster;
use super::kubeconfig::{first_line, load};
use super::stack::{Fault, stack};
use super::transport;
use crate::error::{Error, nearest};
use crate::words::say::cluster as say;
use http::{Request, Response};
use kube::Config;
use kube::client::Body;
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig};
use std::path::{Path, PathBuf};
use tower::{BoxError, Service};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// `--kubeconfig`; else `$KUBECONFIG`, else `~/.kube/config`, else the pod that the program runs in.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`; else the current one.
    pub context: Option<String>,
    /// Nothing but reads, access reviews and dry runs leaves the program.
    pub read_only: bool,
}

/// The contexts of a kubeconfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contexts {
    pub names: Vec<String>,
    pub current: Option<String>,
}

/// Name of the context where the program runs inside the cluster, without a kubeconfig.
pub const IN_CLUSTER: &str = "in-cluster";

/// Reads the names of all contexts.
///
/// # Errors
/// No kubeconfig is there, or one cannot be read: the error names the file and the place in it.
pub fn contexts(kubeconfig: Option<&Path>) -> Result<Contexts, Error> {
    match load(kubeconfig)? {
        Some(loaded) => Ok(Contexts {
            names: loaded
                .contexts
                .iter()
                .map(|context| context.name.clone())
                .collect(),
            current: loaded.current_context.filter(|name| !name.is_empty()),
        }),
        None if in_cluster() => Ok(Contexts {
            names: vec![IN_CLUSTER.to_owned()],
            current: Some(IN_CLUSTER.to_owned()),
        }),
        None => Err(no_kubeconfig()),
    }
}

/// Makes the client for a context. Runs a credential plugin where the kubeconfig names one.
///
/// # Errors
/// An unknown context (with the nearest name), a broken kubeconfig, credentials that cannot be had.
pub async fn connect(options: &ConnectOptions) -> Result<Cluster, Error> {
    let (mut config, context, plugin) = match load(options.kubeconfig.as_deref())? {
        Some(kubeconfig) => from_kubeconfig(kubeconfig, options.context.clone()).await?,
        None if in_cluster() => {
            let config = Config::incluster()
                .map_err(|error| Error::new(say::NO_CREDENTIALS_OF_POD).cause(error))?;
            (config, IN_CLUSTER.to_owned(), None)
        }
        None => return Err(no_kubeconfig()),
    };
    config.default_retry = false;
    let read_only = options.read_only;
    // A credential plugin is waited for inside: not on a thread that others need.
    let client = tokio::task::spawn_blocking(move || transport::client(&config))
        .await
        .map_err(|error| Error::new(say::CLIENT_NOT_CREATED).cause(error))?
        .map_err(|error| credentials_error(&context, plugin.as_deref(), error.as_ref()))?;
    // It can be cloned, which the layers need; they make a client of their own around it.
    let service = tower::service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move { client.send(request).await }
    });
    Ok(Cluster::over(service, context, read_only))
}

impl Cluster {
    /// A cluster behind any service, with the same layers as a real one. Needs a tokio runtime.
    pub fn over<S, B>(service: S, context: impl Into<String>, read_only: bool) -> Cluster
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body_util::BodyExt<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Cluster::over_with(service, context, read_only, None)
    }

    /// [`Cluster::over`], with a hook that breaks requests; for tests.
    pub fn over_with<S, B>(
        service: S,
        context: impl Into<String>,
        read_only: bool,
        fault: Option<Fault>,
    ) -> Cluster
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body_util::BodyExt<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let client = kube::Client::new(stack(service, read_only, fault), "default");
        let mut cluster = Cluster::new(client, context);
        cluster.read_only = read_only;
        cluster
    }
}

fn in_cluster() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

fn no_kubeconfig() -> Error {
    Error::new(say::NO_KUBECONFIG)
        .cause(say::NO_KUBECONFIG_NAMED)
        .hint(say::NAME_A_KUBECONFIG)
}

async fn from_kubeconfig(
    mut kubeconfig: Kubeconfig,
    wanted: Option<String>,
) -> Result<(Config, String, Option<String>), Error> {
    let names: Vec<&str> = kubeconfig
        .contexts
        .iter()
        .map(|context| context.name.as_str())
        .collect();
    let current = kubeconfig
        .current_context
        .clone()
        .filter(|name| !name.is_empty());
    let Some(context) = wanted.or(current) else {
        return Err(Error::new(say::NO_CURRENT_CONTEXT).hint(choose(&names)));
    };
    if !names.contains(&context.as_str()) {
        let error = Error::new(say::no_such_context(&context));
        return Err(match nearest(&context, names.iter().copied()) {
            Some(near) => error.hint(say::did_you_mean(near)),
            None => error.hint(choose(&names)),
        });
    }
    let user = kubeconfig
        .contexts
        .iter()
        .find(|named| named.name == context)
        .and_then(|named| named.context.as_ref()?.user.clone());
    let mut plugin = None;
    for named in &mut kubeconfig.auth_infos {
        let Some(exec) = named.auth_info.as_mut().and_then(|auth| auth.exec.as_mut()) else {
            continue;
        };
        // A plugin that asks would write over the screen and read its keys.
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
        if Some(&named.name) == user.as_ref() {
            plugin.clone_from(&exec.command);
        }
    }
    let options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| {
            Error::new(say::context_unusable(&context))
                .cause(first_line(&error.to_string()))
                .hint(say::SEE_THE_CONTEXT)
        })?;
    Ok((config, context, plugin))
}

fn choose(names: &[&str]) -> String {
    match names {
        [] => say::KUBECONFIG_WITHOUT_CONTEXTS.to_owned(),
        names => say::choose_a_context(&names.join(", ")),
    }
}

fn credentials_error(context: &str, plugin: Option<&str>, error: &dyn std::error::Error) -> Error {
    let failed = Error::new(say::no_credentials(context)).cause(first_line(&error.to_string()));
    match plugin {
        Some(command) => failed.hint(say::plugin_must_not_ask(command, context)),
        None => failed.hint(say::CHECK_CREDENTIALS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
apiVersion: v1
kind: Config
current-context: staging
clusters:
- {name: c, cluster: {server: 'http://127.0.0.1:1'}}
users:
- {name: u, user: {token: t}}
- {name: p, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /nowhere/get-token, interactiveMode: Always}}}
contexts:
- {name: staging, context: {cluster: c, user: u}}
- {name: prod-eu, context: {cluster: c, user: u}}
- {name: plugin, context: {cluster: c, user: p}}
- {name: dangling, context: {cluster: gone, user: u}}
";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("written");
        file
    }

    async fn refused(text: &str, context: Option<&str>) -> Error {
        let file = file(text);
        let options = ConnectOptions {
            kubeconfig: Some(file.path().to_owned()),
            context: context.map(str::to_owned),
            read_only: false,
        };
        match connect(&options).await {
            Ok(_) => panic!("connected"),
            Err(error) => error,
        }
    }

    #[test]
    fn contexts_and_the_current_one() {
        let file = file(GOOD);
        let found = contexts(Some(file.path())).expect("a good kubeconfig");
        assert_eq!(found.names, ["staging", "prod-eu", "plugin", "dangling"]);
        assert_eq!(found.current.as_deref(), Some("staging"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = contexts(Some(Path::new("/nowhere/kubeconfig"))).expect_err("no such file");
        assert!(error.what.contains("/nowhere/kubeconfig"), "{error}");
    }

    #[test]
    fn a_broken_file_is_named_with_the_place() {
        let file = file("apiVersion: v1\nkind: Config\ncontexts: [\n  {name: a\n");
        let error = contexts(Some(file.path())).expect_err("broken");
        assert!(
            error.what.contains(&file.path().display().to_string()),
            "{error}"
        );
        assert!(error.causes.join(" ").contains("line"), "{error}");
    }

    #[tokio::test]
    async fn the_current_context_is_taken_and_no_request_is_made() {
        let file = file(GOOD);
        let options = ConnectOptions {
            kubeconfig: Some(file.path().to_owned()),
            ..ConnectOptions::default()
        };
        let cluster = connect(&options)
            .await
            .expect("nothing listens there, and nothing is asked");
        assert_eq!(cluster.context, "staging");
    }

    #[tokio::test]
    async fn an_unknown_context_names_the_nearest() {
        let error = refused(GOOD, Some("prod-ue")).await;
        assert!(error.what.contains("prod-ue"), "{error}");
        assert!(error.hints == [say::did_you_mean("prod-eu")], "{error}");
        let error = refused(GOOD, Some("zzz")).await;
        assert!(
            error.hints.join(" ").contains("staging, prod-eu"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn no_current_context_lists_what_there_is() {
        let error = refused(&GOOD.replace("current-context: staging", ""), None).await;
        let names = "staging, prod-eu, plugin, dangling";
        assert_eq!(error.hints, [say::choose_a_context(names)]);
    }

    #[tokio::test]
    async fn a_context_without_its_cluster_says_so() {
        let error = refused(GOOD, Some("dangling")).await;
        assert!(error.what.contains("dangling"), "{error}");
        assert!(error.causes.join(" ").contains("gone"), "{error}");
    }

    #[tokio::test]
    async fn a_plugin_that_fails_is_named() {
        let error = refused(GOOD, Some("plugin")).await;
        assert!(
            error.hints.join(" ").contains("/nowhere/get-token"),
            "{error}"
        );
    }
}

//! What each code is called, and what it means: `meshscrape check --explain CODE`.

use crate::problems::Code;

/// Title and explanation.
pub(super) fn row(code: Code) -> (&'static str, &'static str) {
    use Code as C;
    match code {
        C::NoIstio => (
            "no Istio in this cluster",
            "Neither a control plane (istiod) nor an injection webhook was found. Without them no pod has a sidecar, \
             and there is no mTLS to scrape over.",
        ),
        C::ListNotRead => (
            "a list could not be read",
            "The API server did not give this list, in whole or in part. Its content is unknown, which is not the \
             same as empty: findings that depend on the list are missing.",
        ),
        C::SettingsNotRead => (
            "the mesh's settings are not known",
            "The trust domain and the root namespace are in the ConfigMap istio of istiod's namespace. Without the \
             trust domain Prometheus's identity cannot be named in a policy.",
        ),
        C::GovernedByUnread => (
            "objects that apply to the workload are unknown",
            "Sidecars, PeerAuthentications, AuthorizationPolicies or Services of its namespace could not be read. One \
             of them may govern the pods, so the workload is not available until they can be read.",
        ),
        C::PrometheusAgent => (
            "Prometheus in agent mode",
            "An agent forwards samples and has no targets page, so a target cannot be shown to be UP.",
        ),
        C::VmAgent => (
            "vmagent",
            "VictoriaMetrics' vmagent reads a configuration that is like Prometheus's, but not the same.",
        ),
        C::PrometheusDaemonSet => (
            "Prometheus as a DaemonSet",
            "Each node runs its own Prometheus. Only Deployments and StatefulSets are supported.",
        ),
        C::ConfigInSecret => (
            "configuration in a Secret",
            "The configuration file is mounted from a Secret. Secrets are never read, so scrape jobs are not known \
             and cannot be changed.",
        ),
        C::ConfigNotFound => (
            "configuration not found",
            "The file that Prometheus reads does not come from a ConfigMap: it is part of the image, or its volume is \
             filled by something else. There is no object whose text could be changed.",
        ),
        C::ConfigWritten => (
            "configuration written by a container",
            "Another container of Prometheus's pod writes the configuration file, and what it does to the text it reads \
             is not known. Add the scrape job where that container takes its text from: export gives it.",
        ),
        C::ConfigUnnamed => (
            "configuration file not named",
            "Prometheus is started by a script or by an image of somebody's own, and the container has no --config.file. \
             So it is not known which file is read. Export gives the scrape job to add.",
        ),
        C::ConfigVariable => (
            "configuration file named by a variable",
            "The name of the configuration file holds an environment variable of the container. Each replica may read \
             another file, and every one of them would need the scrape job. Export gives it.",
        ),
        C::OwnProxyWithoutCertificates => (
            "own istio-proxy without certificates",
            "The pod template of Prometheus has an istio-proxy container of its own. The injector would merge its sidecar \
             into that one, so nothing is injected. It has to write the certificates itself: OUTPUT_CERTS in its \
             environment, and one emptyDir in memory that both containers mount.",
        ),
        C::ConfigNotRead => (
            "configuration not read",
            "The ConfigMap with Prometheus's configuration could not be read, or lacks the key. The scrape jobs of \
             this Prometheus are not known.",
        ),
        C::OperatorPaused => (
            "the Prometheus operator is paused",
            "With spec.paused the operator leaves the StatefulSet and the configuration as they are: a change of the \
             Prometheus resource would reach nobody.",
        ),
        C::Sharded => (
            "a sharded Prometheus",
            "With several shards the operator runs several StatefulSets, and each scrapes some of the targets. Whether \
             all targets are UP would have to be asked of all of them together.",
        ),
        C::SharedIdentity => (
            "Prometheus's identity is shared",
            "Policies allow Prometheus by its ServiceAccount. Every other pod with that ServiceAccount has the same \
             identity in the mesh and can also read the secure ports.",
        ),
        C::JobTakesAnyAnnotation => (
            "a job takes any annotation for a port",
            "The job keeps every pod that has the annotation, whatever its value. A value that is no port makes a \
             target that can never be scraped.",
        ),
        C::JobFollowsPath => (
            "a secure job follows prometheus.io/path",
            "That annotation is the path of the plaintext port. The secure port serves only /stats/prometheus.",
        ),
        C::JobInPlaintext => (
            "a secure job scrapes in plaintext",
            "The job keeps pods by the annotation of the secure port, but its scheme is http. The port refuses plaintext.",
        ),
        C::JobWithoutCa => (
            "a secure job without ca_file",
            "Prometheus reloads a client certificate only together with a CA file. Without one, scrapes fail once the \
             first certificate has expired (24 hours after it was issued).",
        ),
        C::JobWithoutCertificate => (
            "a secure job without a client certificate",
            "The secure port demands a certificate of the mesh. Without cert_file and key_file every scrape is refused.",
        ),
        C::SecretNeverCreated => (
            "a volume needs a Secret that nothing creates",
            "Istio stopped creating Secrets named istio.default. A pod that mounts one waits for it forever.",
        ),
        C::CertificatesReadOnly => (
            "certificates go to a read-only mount",
            "istio-proxy writes its certificates to the folder that OUTPUT_CERTS names. Where that mount is read-only \
             it fails, and the pod never becomes ready.",
        ),
        C::CertificatesNotMounted => (
            "certificates are not mounted into Prometheus",
            "istio-proxy writes certificates to a volume that the Prometheus container does not mount, so the scrape \
             job cannot read them.",
        ),
        C::CapturePortsUnread => (
            "a setting that Istio does not read",
            "The published task sets INBOUND_CAPTURE_PORTS, which no Istio version reads. The annotation \
             traffic.sidecar.istio.io/includeInboundPorts has the intended effect.",
        ),
        C::InjectAnnotationUnread => (
            "injection asked for by an annotation",
            "Webhooks select pods by labels. An annotation sidecar.istio.io/inject counts only where a webhook is \
             called for the pod anyway.",
        ),
        C::CapturesOwnScrapes => (
            "Prometheus's scrapes go through its own sidecar",
            "Scrapes by pod IP that the sidecar captures can come back to Prometheus itself, or get TLS twice. The \
             secure port has to be left out of outbound capture.",
        ),
        C::PodsNotListed => (
            "Prometheus may not list pods",
            "Prometheus discovers pods by listing and watching them as its ServiceAccount. A job without namespaces \
             needs the right in all namespaces, by a ClusterRoleBinding; one with namespaces needs it in each of them. \
             Without it the job has no targets.",
        ),
        C::TargetLost => (
            "a plan ends a scrape without a secure one",
            "After the plan, a current job no longer scrapes these pods, and no secure job replaces it. \
             Their metrics would be lost.",
        ),
        C::SecureTargetMissing => (
            "no secure target after the plan",
            "The planned jobs were evaluated on the planned pods. None of them creates a \
             target of the pod over https on its secure port.",
        ),
        C::SecureTargetDoubled => (
            "several secure targets after the plan",
            "More than one target of the pod over mutual TLS: its series would be counted twice.",
        ),
        C::LabelsChange => (
            "labels of series change",
            "The new job gives the series of these pods other labels than today's job, in addition to job and \
             instance. Recording rules, alerts and dashboards that name such a label no longer match.",
        ),
        C::TargetsNotComputed => (
            "targets of a job not computed",
            "What the job scrapes depends on something that cannot be read from here: another cluster, a file, an HTTP \
             endpoint, or a regular expression that this program does not read.",
        ),
        C::TargetsDiffer => (
            "Prometheus's targets differ from its jobs",
            "Prometheus reports other plaintext targets of these pods than its configuration gives when it is computed. \
             It may not have loaded its configuration yet, or a job discovers in a way that is not computed. What \
             Prometheus reports counts.",
        ),
        C::ScrapedByOtherDiscovery => (
            "scraped by a job without pod labels",
            "A job with static addresses, a file or an HTTP endpoint scrapes these pods in plaintext. Its targets carry \
             no labels of the pod, so no relabel rule can leave them out by name.",
        ),
        C::AppMetricsLost => (
            "metrics of the app end with a plaintext scrape",
            "A job scrapes the app on a port of its own today, and no longer after the plan. The agent asks the app where \
             the annotations prometheus.io/port or scrape-targets say (port 80 without them), so that the secure port \
             does not carry these metrics.",
        ),
        C::JobLabelRead => (
            "rules name the job label that ends",
            "A recording rule, an alert or a federation job selects series by the name of a plaintext job. Once its \
             pods are scraped over mutual TLS their series carry another job label, and the selector finds them no more.",
        ),
        C::FiltersNotRead => (
            "EnvoyFilters could not be listed",
            "A Sidecar renames the inbound clusters and routes of its workload. An EnvoyFilter that selects one by \
             its old name stops matching, without an error. Which ones do is unknown while they cannot be listed.",
        ),
        C::ReadersNotRead => (
            "who shares Prometheus's identity is unknown",
            "Policies admit Prometheus by its ServiceAccount. Any pod with the same ServiceAccount is admitted too, \
             and pods could not be listed.",
        ),
        C::OthersAdmitted => (
            "other identities can read the secure ports",
            "An earlier run admitted them, and one of their Prometheus servers may still use the ports. A plan leaves \
             them in the policy.",
        ),
        C::ServerNameNotVerified => (
            "the server's name is not verified",
            "Istio's certificates carry a SPIFFE identity and no host name, and Prometheus can verify host names \
             only. So the job sets insecure_skip_verify, as Istio's own documentation does.",
        ),
        C::StartNeedsIstiod => (
            "Prometheus's pod is injected",
            "The injection webhook is called for each new pod of Prometheus. While istiod does not answer, a pod that \
             is evicted or updated cannot be replaced.",
        ),
        C::TodaysJobsUnknown => (
            "today's scrape jobs are unknown",
            "Neither the configuration of this Prometheus nor what it runs could be read. The secure job is Istio's usual \
             one, without the labels and limits of today's jobs, and no plaintext scrape is ended. Where Prometheus \
             answers, its running configuration is taken.",
        ),
        C::SharedMonitorStays => (
            "a monitor that others may use",
            "A plaintext scrape ends by a rule in its PodMonitor or ServiceMonitor, for every Prometheus that selects it. \
             Another one may, so the monitor stays as it is, and these pods are scraped twice.",
        ),
        C::SecretJobStays => (
            "a job in a Secret stays",
            "This secure job is in a Secret of somebody's own. Changing it would put its text, which may hold \
             credentials, into the record of the run. So only jobs that meshscrape wrote are changed there.",
        ),
        C::JobNotFixed => (
            "a secure job is used as it is",
            "A job already follows the annotation, but differs from the one that meshscrape would write. With --no- \
             fix it stays, and the plan relies on it.",
        ),
        C::SecureJobStays => (
            "an own secure job is used",
            "A job of yours already discovers annotated pods and scrapes them over mutual TLS. Where it does, \
             meshscrape's job leaves the pods to it.",
        ),
        C::EnvoyPortJobStays => (
            "a job for secure-envoy-port",
            "Istio's older sample scrapes Envoy's own metrics by a second annotation. The job stays; a pod with both \
             annotations has two targets.",
        ),
        C::OtherClusterNotScraped => (
            "a job discovers another cluster",
            "The job asks another API server for its pods. Certificates of this mesh and policies of this cluster do \
             not hold there, so the secure job has no such discovery.",
        ),
        C::JobsFoldIntoOne => (
            "two jobs select the same pods",
            "Each plaintext job gets a secure twin. Twins that select the same pods would scrape them twice, so one \
             stands for both.",
        ),
        C::NotCopied => (
            "a part of a plaintext job is not copied",
            "The secure job copies today's settings and rules, except credentials, settings that meshscrape does not \
             know, and rules that tell containers apart: the secure port is one target for the whole pod.",
        ),
        C::PlaintextJobsStay => (
            "the plaintext jobs stay",
            "With --plaintext-jobs keep nothing ends. Every secured pod has a plaintext target besides, and sums over \
             both jobs count it twice.",
        ),
        C::JobLabelChanges => (
            "series get another job label",
            "Series of secured pods come from the secure job. What selects them by the old job label no longer finds \
             them.",
        ),
        C::JobReplaced => (
            "a secure job is replaced",
            "The job's place is taken by one that meshscrape writes, under its own name.",
        ),
        C::ConfigReadAtStart => (
            "the configuration is read at the next start",
            "This Prometheus has no reloader, no --web.enable-lifecycle, or mounts its file by subPath. The last edit \
             of the plaintext jobs does not restart it.",
        ),
        C::UndoLosesHistory => (
            "an undo loses history again",
            "Prometheus keeps its data in an emptyDir, which goes with the pod. An undo takes the sidecar away, and \
             so restarts it a second time.",
        ),
        C::StorageNotKnown => (
            "Prometheus's storage is unknown",
            "Where its data lies could not be told from the pod template. In an emptyDir it is lost in the restart.",
        ),
        C::VolumeMayBlock => (
            "a volume may block the rollout",
            "A RollingUpdate starts the new pod before the old one ends. A ReadWriteOnce volume attaches to one node, \
             and Prometheus locks its data folder.",
        ),
        C::OutboundStaysCaptured => (
            "outbound traffic stays in the mesh",
            "Prometheus already has a sidecar that captures outbound traffic, and alerts or remote writes may need \
             it. Only the secure port is excluded.",
        ),
        C::MeshExclusionsReplaced => (
            "excluded ports of the mesh are replaced",
            "The annotation on the pod takes the place of global.proxy.excludeOutboundPorts, and does not add to it. \
             The mesh's value could not be read.",
        ),
        C::NoSidecarYet => (
            "no sidecar yet",
            "The workload is not in the mesh. Securing it adds a sidecar: its pods restart, and their traffic goes \
             through istio-proxy. Without --inject such workloads are skipped.",
        ),
        C::NothingInNamespace => (
            "a namespace without workloads",
            "The named namespace has no Deployment, StatefulSet or DaemonSet that is no gateway.",
        ),
        C::OthersInPlaintext => (
            "pods of other owners stay in plaintext",
            "Pods of Jobs, of other controllers or of nobody are scraped in plaintext. Nothing can be written that \
             would secure them, so their plaintext scrape goes on.",
        ),
        C::PortsAsOfToday => (
            "a Sidecar lists today's ports",
            "A Sidecar with an ingress list serves only the ports that it lists. A port that a Service gets later is \
             not among them until you plan again.",
        ),
        C::NoPodToAnnotate => (
            "no running pods to annotate",
            "Running pods were to be annotated, and the workload has none.",
        ),
        C::PlaintextScrapeStays => (
            "a plaintext scrape stays",
            "The secure port does not serve everything that a plaintext job scrapes of this workload. Its scrape \
             stays, so that nothing is lost, and what both serve is counted twice.",
        ),
        C::PlaintextScrapeLost => (
            "metrics end with a plaintext scrape",
            "The secure port does not serve everything that a plaintext job scrapes of this workload. When the \
             plaintext scrape ends, these metrics end too.",
        ),
        C::PlaintextUntilPodsRun => (
            "no pods to see UP",
            "A plaintext scrape ends only after the secure target was seen UP. The workload runs no pods, so its name \
             is not added to the plaintext jobs.",
        ),
        C::AnnotatedByOthers => (
            "annotated, but not by meshscrape",
            "The pods have the annotation, and meshscrape opened no port for them. What their secure port serves is \
             unknown, so their plaintext scrape stays.",
        ),
        C::PlaintextAgain => (
            "scraped in plaintext again",
            "The plaintext jobs left the workload out, and nothing scrapes the same metrics of it over mutual TLS. \
             The plan takes its name off them.",
        ),
        C::OneProtocolKept => (
            "several protocols, one listener",
            "Services or ServiceEntries declare different protocols for one port. Istio follows one of them, and the \
             Sidecar can list only that one.",
        ),
        C::StrayPods => (
            "pods without an owner carry its labels",
            "Sidecars and policies select pods by labels, so they also govern these pods. They have no template that \
             could be annotated.",
        ),
        C::AppNotMerged => (
            "the app's metrics are not merged",
            "The agent would not ask the app for everything that today's job scrapes. Merging is switched off for it, \
             so that the app keeps its own plaintext scrape, and the secure port serves Envoy's and the agent's \
             metrics.",
        ),
        C::AnnotationEndsWithPod => (
            "an annotation on a running pod",
            "An annotation on a pod is not part of its template: the next pod does not have it, and is not scraped \
             over mutual TLS.",
        ),
        C::PortCloses => (
            "the secure port closes",
            "The published task's Sidecar has no selector, so it opened 15091 for the whole namespace. It is removed, \
             and workloads that were not chosen get no Sidecar in its place.",
        ),
        C::ReadersRemoved => (
            "identities lose access",
            "With --only-this-prometheus the policy admits the chosen Prometheus alone. Others that an earlier run \
             admitted get 403.",
        ),
        C::NetworkPolicyWouldStop => (
            "a NetworkPolicy would stop Prometheus",
            "By its rules the policy does not let Prometheus reach the secure port. Whether the network plugin \
             enforces policies cannot be read from the cluster.",
        ),
        C::NetworkPolicyByAddress => (
            "a NetworkPolicy lets addresses in",
            "The policy allows ranges of IP addresses. Prometheus gets a new address when it restarts, so it is \
             unknown whether it is in one.",
        ),
        C::NodeNetwork => (
            "NetworkPolicies and the node's network",
            "Pods with hostNetwork: true have the node's address. Network plugins differ in whether policies select \
             or match them.",
        ),
        C::OtherNetworkPolicies => (
            "network policies of another kind",
            "The network plugin has kinds of policies of its own, which are not computed.",
        ),
        C::FilterOnSecurePort => (
            "an EnvoyFilter covers the secure port",
            "Its match also selects the listener of the secure port, so what it does to the app's requests it does to \
             scrapes.",
        ),
        C::ProviderDecides => (
            "an external provider decides",
            "A CUSTOM policy asks an external service about each request to the secure port. Its answer to Prometheus \
             is unknown.",
        ),
        C::PolicyRestsOn => (
            "a policy depends on the request",
            "A rule of the policy depends on something that is not known before Prometheus sends a request.",
        ),
        C::AnnotationEndsScrape => (
            "the annotation ends a plaintext scrape",
            "A rule of the plaintext jobs drops annotated pods, so the plaintext scrape ends at once, and with it \
             what the secure port does not serve.",
        ),
        C::StatusPortOff => (
            "the agent's status port is 0",
            "The agent serves merged metrics on its status port. With status port 0 there are none, and only Envoy's \
             own port 15090 can be used.",
        ),
        C::RestartRemovesAnnotation => (
            "a restart removes the annotation",
            "Running pods were to be annotated. These pods restart to get their sidecar, and the new ones do not have \
             the annotation.",
        ),
        C::MetricsInsidePodOnly => (
            "plaintext metrics inside the pod only",
            "METRICS_LOCALHOST_ACCESS_ONLY binds the agent's metrics to localhost. A pod without the annotation is \
             then scraped by no job.",
        ),
        C::SystemNamespace => (
            "a system namespace",
            "System namespaces such as kube-system are never injected, whatever their labels.",
        ),
        C::HostNetwork => (
            "pods on the host's network",
            "With hostNetwork: true a sidecar would capture the node's traffic, so Istio never injects one.",
        ),
        C::NeverInjected => (
            "excluded by neverInjectSelector",
            "The injector's own configuration excludes these pods. A label on the pod template would overrule it.",
        ),
        C::InjectionPolicyInvalid => (
            "the injector's policy is invalid",
            "The injector knows the policies enabled and disabled. With any other value it silently injects nothing.",
        ),
        C::InjectionDisabled => (
            "injection is disabled for the namespace",
            "The namespace's label keeps the webhook from being called for any of its pods.",
        ),
        C::RevisionWithoutWebhook => (
            "a revision without a webhook",
            "The namespace asks for a revision or tag that no injection webhook serves: new pods get no sidecar.",
        ),
        C::NotInjected => (
            "no webhook is called",
            "No injection webhook selects this namespace's pods, with or without a label. Pods without a sidecar have \
             no certificate and no listener on 15091.",
        ),
        C::InjectorRefuses => (
            "the injector refuses new pods",
            "Running pods keep running, but a pod that is deleted or evicted cannot be replaced until the annotation is \
             corrected. Since 1.31 prometheus.io/port may not name a port that Istio reserves.",
        ),
        C::Ambient => (
            "in ambient mode",
            "Ambient pods have no sidecar: ztunnel on the node handles their mTLS, and has no port for their metrics.",
        ),
        C::InRootNamespace => (
            "in Istio's root namespace",
            "A PeerAuthentication with a selector is ignored there, so the port cannot be guarded for one workload.",
        ),
        C::Owned => (
            "managed by a tool or a controller",
            "Helm, Argo CD, Flux or a controller made the object and may revert a direct change. --force-owner allows the \
             change; meshscrape export writes it as files for the tool.",
        ),
        C::OwnSidecar => (
            "another Sidecar applies",
            "Only one Sidecar governs a pod. A second one with a selector would replace the first completely, or be \
             ignored.",
        ),
        C::OwnPeerAuthentication => (
            "another PeerAuthentication applies",
            "Of several PeerAuthentications that select a pod only the oldest counts.",
        ),
        C::AllowPolicy => (
            "an ALLOW policy that would refuse Prometheus",
            "Once an ALLOW policy selects a pod, requests that match no ALLOW rule are refused.",
        ),
        C::PolicyDenies => (
            "a DENY policy that refuses Prometheus",
            "A DENY policy takes precedence over every ALLOW. It matches Prometheus's request.",
        ),
        C::ProviderNotDefined => (
            "a CUSTOM policy without its provider",
            "Where extensionProviders do not define the provider that a CUSTOM policy names, istiod denies every request that the \
             policy matches.",
        ),
        C::NoMatchLabels => (
            "pods selected by matchExpressions",
            "Sidecar, PeerAuthentication and AuthorizationPolicy select by labels alone.",
        ),
        C::SharedLabels => (
            "labels shared with another workload",
            "Objects that select the pods of one would select those of the other too.",
        ),
        C::MachineCarriesLabels => (
            "a WorkloadEntry has the same labels",
            "Istio's selectors select WorkloadEntries as they select pods: the machine would get the listener and the \
             policies too.",
        ),
        C::MachineHasAddress => (
            "a WorkloadEntry has a pod's address",
            "Istio then takes the pod's inbound ports from the entry and not from Services.",
        ),
        C::NameInUse => (
            "the names of its objects are in use",
            "Two workloads of a namespace would have objects of the same name. Newer versions choose names that \
             cannot meet.",
        ),
        C::PortsDiffer => (
            "one port, two protocols",
            "Services declare different protocols for one port of these pods. A Sidecar can declare only one.",
        ),
        C::PortUnknown => (
            "a Service's port leads nowhere",
            "The Service's targetPort is a name that no container declares. A Sidecar has to list every port, and this \
             one has no number.",
        ),
        C::ServesSecurePort => (
            "15091 is in use",
            "A Service already uses 15091. The metrics listener would take the port from the application.",
        ),
        C::PortNotCaptured => (
            "15091 is excluded from inbound capture",
            "A Sidecar's listener needs inbound capture. An annotation excludes the port from capture.",
        ),
        C::NativePort => (
            "a native secure metrics port is on",
            "ENVOY_SECURE_METRICS_PORT or a similar setting opens a listener in the proxy. On 15091 it displaces the \
             Sidecar's listener.",
        ),
        C::OtherOwner => (
            "pods without a template to annotate",
            "Pods of Jobs, of bare ReplicaSets, of other controllers, of nodes or without an owner have no template that could \
             get the annotation and keep it.",
        ),
        C::NamespaceSidecar => (
            "a Sidecar without a selector, with 15091 alone",
            "The published task's Sidecar governs every workload of its namespace and has no listener for their own \
             ports. meshscrape replaces it with one Sidecar per workload.",
        ),
        C::PathWithoutPort => (
            "prometheus.io/path without a port",
            "With merging on, the agent asks the application for that path on port 80, and the merged metrics lack the \
             application's or hold an error.",
        ),
        C::AnnotationOnPodsOnly => (
            "secure-port on running pods only",
            "The annotation is on pods and not on their template: the next restart removes the annotation and the \
             target.",
        ),
        C::ManagedByGatewayApi => (
            "a gateway of the Gateway API",
            "Its listeners come from a Gateway of gateway.networking.k8s.io; an Istio Gateway does not select its pods.",
        ),
        C::Waypoint => (
            "a waypoint",
            "A waypoint proxy serves ambient namespaces. Sidecars and Istio Gateways do not apply to it.",
        ),
        C::OwnServer => (
            "a Gateway already has 15091",
            "Of two servers with one port, istiod keeps the older one and skips the other silently.",
        ),
        C::NoProxyImage => (
            "image: auto without injection",
            "The gateway's image is a placeholder that injection fills in. Where no webhook is called, a new pod asks \
             for an image named auto and never starts.",
        ),
        C::GatewayServesPlaintext => (
            "metrics on a public plaintext server",
            "The Gateway of Istio's sample has a plaintext server beside 15091, and the metrics route answers on both.",
        ),
        C::GatewayOpenToMesh => (
            "metrics open to the whole mesh",
            "The server demands mTLS but lists no subjectAltNames, so every identity of the mesh may read the metrics.",
        ),
        C::EntryHostOverruled => (
            "a ServiceEntry on a .local host",
            "A DestinationRule for *.local, as Istio's guides have it, demands mTLS of the gateway's own metrics port, \
             which speaks plaintext inside the pod.",
        ),
        C::EntryExported => (
            "a ServiceEntry exported everywhere",
            "Without exportTo every sidecar of the mesh gets an entry that makes sense inside the gateway's pod alone.",
        ),
        C::RouteOnEveryServer => (
            "a metrics route on every server",
            "The VirtualService has no match on the port, so the public servers of its Gateway answer the path too.",
        ),
        C::RolloutPaused => (
            "the Deployment is paused",
            "A paused Deployment accepts a new template but replaces no pods.",
        ),
        C::RolloutOnDelete => (
            "update strategy OnDelete",
            "The controller replaces a pod only after you delete it.",
        ),
        C::RolloutPartition => (
            "a StatefulSet with a partition",
            "Pods with a number below the partition keep the old template.",
        ),
        C::QuotaTooSmall => (
            "a quota without room",
            "A rollout needs room for new pods, which a sidecar makes larger. The ResourceQuota would refuse them.",
        ),
        C::BudgetNotAsked => (
            "the rollout ignores a PodDisruptionBudget",
            "PodDisruptionBudgets limit evictions. A rollout removes pods by its own strategy.",
        ),
        C::QuotaUsedUp => (
            "new pods exceed a quota",
            "The API server refused new pods because of a ResourceQuota.",
        ),
        C::PodSecurityForbids => (
            "Pod Security forbids the new pods",
            "istio-init needs rights that the namespace's Pod Security level does not allow.",
        ),
        C::PodsRefused => (
            "new pods are refused",
            "The API server or an admission webhook refused the new pods.",
        ),
        C::NoNode => (
            "no node can run the pod",
            "The scheduler found no node with enough room, or none that the pod may run on.",
        ),
        C::ImageNotPulled => (
            "an image cannot be pulled",
            "The node could not get the image of a container.",
        ),
        C::ContainerCrashes => (
            "a container crashes",
            "A container of the new pod exits soon after each start.",
        ),
        C::ContainerNotStarted => (
            "a container cannot be started",
            "The node could not make the container: a missing ConfigMap, Secret or command mostly.",
        ),
        C::ContainerNotReady => (
            "a container is not ready",
            "The container runs and its readiness probe fails.",
        ),
        C::NoSidecarAdded => (
            "new pods get no sidecar",
            "The API server was asked for a Pod of the new template, as a dry run. Admission answered with a Pod \
             without istio-proxy: the webhook is not called for it, or the injector's policy skips it.",
        ),
        C::PortLeadsNowhere => (
            "the secure port would lead nowhere",
            "In a Pod of the new template the agent serves its metrics on another port than the listener leads to, or \
             on none.",
        ),
        C::PortNeverReached => (
            "the secure port would not be captured",
            "In a Pod of the new template inbound traffic to the secure port bypasses the sidecar.",
        ),
        C::PodsNotChecked => (
            "new pods were not checked",
            "A dry run of a Pod tells whether quotas, Pod Security and webhooks admit the new template, and whether it \
             gets a sidecar. It needs permission to create pods in the namespace. apply asks for --unchecked-pods.",
        ),
        C::QuotaRefusesOneMore => (
            "a quota without room for one more pod",
            "A pod more than today exceeds the ResourceQuota. The rollout removes an old pod first, so there is room.",
        ),
        C::PodsRefusedAnyway => (
            "pods are refused with or without the undo",
            "The cluster refuses pods of the current template too, so that an undo makes nothing worse.",
        ),
        C::SidecarNotChecked => (
            "the sidecar cannot be checked yet",
            "The plan labels the namespace for injection. Until the label is written, a dry run shows pods without a \
             sidecar.",
        ),
        C::CertificateWithoutIp => (
            "DOWN: no IP address in the certificate",
            "Prometheus checks the server's certificate against the pod's IP. Certificates of the mesh name a SPIFFE \
             identity and no address.",
        ),
        C::PlaintextPort => (
            "DOWN: the port speaks plaintext",
            "The annotation's port answered HTTP to Prometheus's TLS: it is not the secure port.",
        ),
        C::NoClientCertificate => (
            "DOWN: no client certificate",
            "The port demanded a certificate of the mesh and Prometheus sent none.",
        ),
        C::OtherRoot => (
            "DOWN: different roots",
            "One side's certificate is signed by a root that the other does not trust, as after a change of the mesh's CA.",
        ),
        C::CertificateExpired => (
            "DOWN: a certificate has expired",
            "Certificates of the mesh live for a day. One of the two agents no longer renews its own.",
        ),
        C::AddressWithoutBrackets => (
            "DOWN: an IPv6 address without brackets",
            "A relabel rule joins address and port with a colon, which needs brackets around an IPv6 address.",
        ),
        C::GatewayNotListening => (
            "DOWN: the gateway does not listen",
            "The gateway's pods refused the connection: no server of a Gateway reached them for this port.",
        ),
        C::NotListening => (
            "DOWN: nothing listens",
            "The pod refused the connection: its sidecar has no listener on the secure port.",
        ),
        C::MergeBroken => (
            "DOWN: merged metrics are broken",
            "The agent of Istio 1.30 can put an application's protobuf answer into its text, which Prometheus cannot parse.",
        ),
        C::LimitExceeded => (
            "DOWN: a limit of the job",
            "The answer has more samples, labels or bytes than the scrape job allows; all of it is dropped.",
        ),
        C::NotMetrics => (
            "DOWN: the answer is not metrics",
            "Prometheus needs a content type that it knows. An HTML page or none at all is refused.",
        ),
        C::NoAnswer => (
            "DOWN: no answer in time",
            "Packets are dropped on the way, or the answer takes longer than scrape_timeout.",
        ),
        C::PodUnreachable => (
            "DOWN: no route to the pod",
            "The address is unreachable: the pod no longer exists, or a network rule rejects the connection.",
        ),
        C::NothingBehind => (
            "DOWN: nothing behind the listener",
            "Envoy took the request over mTLS and got no answer from the metrics port behind it.",
        ),
        C::PrometheusForbidden => (
            "DOWN: Prometheus is refused",
            "The request arrived and was denied: a policy names other identities, or an EnvoyFilter answers.",
        ),
        C::PathNotFound => (
            "DOWN: the path is not served",
            "The secure port serves /stats/prometheus. Another path, or a gateway without the route, answers 404.",
        ),
        C::ConnectionStale => (
            "DOWN: an old connection",
            "Prometheus keeps connections. One from before a change of policy fails once and is replaced.",
        ),
        C::GatewayHandshake => (
            "DOWN: the handshake fails at the gateway",
            "The gateway's server refused Prometheus's certificate, or did not speak mTLS at all.",
        ),
        C::HandshakeUnderStrict => (
            "DOWN: the handshake fails under STRICT",
            "The policy is right, so something else has the port: a native listener, or another policy that is older.",
        ),
        C::HandshakeReset => (
            "DOWN: the TLS handshake fails",
            "Envoy took the connection for plaintext, or TLS for TLS twice.",
        ),
        C::CertificatesLate => (
            "the job waits for a reload",
            "Prometheus could not read the certificates when it loaded the job. It retries only at the next \
             change of its targets or a reload.",
        ),
        C::CertificatesMissing => (
            "the job's certificates are missing",
            "Prometheus's istio-proxy has not written the certificates: istiod has not answered yet.",
        ),
        C::JobNotStarted => (
            "the job did not start",
            "The job is in Prometheus's configuration, but its certificate files cannot be read.",
        ),
        C::TargetElsewhere => (
            "the target has another address",
            "The secure job's relabel rules make an address or scheme that is not the pod's secure port over TLS.",
        ),
        C::AnnotationChanged => (
            "a pod's annotation was changed",
            "The running pod's annotation differs from its template. A restart restores the annotation.",
        ),
        C::DownUnexplained => (
            "DOWN: unknown cause",
            "Prometheus's error matches no known cause.",
        ),
        C::ObjectGone => (
            "an object that scrapes need is gone",
            "The listener, its policy or its route is missing, so scrapes fail.",
        ),
        C::ObjectAltered => (
            "an object that scrapes need was altered",
            "The object exists but its fields are wrong, so scrapes fail.",
        ),
        C::ObjectOverruled => (
            "an object has no effect",
            "Istio prefers another object for the same pods, usually an older one.",
        ),
        C::GuardGone => (
            "the port is not guarded",
            "The policy that allows only Prometheus is missing. Scrapes work, and other clients can read the port too.",
        ),
        C::GuardAltered => (
            "the port's guard was altered",
            "The policy allows more than Prometheus. Scrapes work, and other clients can read the port too.",
        ),
        C::GuardNotRead => (
            "whether the port is guarded is not known",
            "The objects that open or guard the port could not be read.",
        ),
        C::ServesPlaintext => (
            "the secure port serves plaintext",
            "A request without TLS got metrics from the secure port: anyone who reaches the pod can read them.",
        ),
        C::AlsoInPlaintext => (
            "also scraped in plaintext",
            "A plaintext job still scrapes the pod: its series are counted twice.",
        ),
        C::OnlyInPlaintext => (
            "scraped in plaintext only",
            "The pod has the annotation of the secure port, and no secure job scrapes it.",
        ),
        C::PrometheusNotAsked => (
            "Prometheus cannot be queried",
            "Without Prometheus's list of targets, their state is unknown.",
        ),
        C::NetworkPolicyStops => (
            "DOWN: a NetworkPolicy",
            "Once a NetworkPolicy selects a pod in a direction, only listed traffic passes. Other traffic \
             is dropped, so scrapes time out.",
        ),
        C::PolicyRefuses => (
            "DOWN: an AuthorizationPolicy refuses Prometheus",
            "The policies that apply to the pod refuse Prometheus's request.",
        ),
        C::PolicyMayRefuse => (
            "DOWN: an AuthorizationPolicy may refuse Prometheus",
            "Prometheus is refused, and a policy's rule depends on a value that meshscrape cannot know.",
        ),
        C::PolicyAsksProvider => (
            "DOWN: an external authorizer is asked",
            "A CUSTOM policy sends Prometheus's requests to a provider, which refuses them or answers with a login page.",
        ),
        C::RateLimited => (
            "DOWN: a rate limit",
            "A rate limit on every inbound listener counts scrapes on the secure port too, and answers 429.",
        ),
        C::ProxyProtocolExpected => (
            "DOWN: the port waits for a PROXY protocol header",
            "A listener with PROXY protocol reads a header before TLS. Prometheus sends none.",
        ),
        C::FilterMayRefuse => (
            "DOWN: an EnvoyFilter may refuse Prometheus",
            "Prometheus is refused, and an EnvoyFilter adds a filter to the secure port.",
        ),
    }
}

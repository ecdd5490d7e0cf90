//! The one table of problems. A row: what it is, its code, how grave it is, its evidence, and the code by which
//! users know it from `istioctl analyze`, where there is one.
//!
//! Codes are never given anew: a problem that goes leaves a gap.

use super::{Severity, Subject};
use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use crate::mesh::{OwnerTool, Unread};
use crate::reach::merging;
use serde::Serialize;

/// Makes the enum, its codes, and what belongs to each code, of the rows.
macro_rules! problems {
    ($(
        $(#[$doc:meta])*
        $code:literal $severity:ident $name:ident { $($field:ident: $type:ty),* $(,)? } $(as $ist:literal)?
    )*) => {
        /// One finding. `of`: the object that it is about.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(rename_all_fields = "camelCase")]
        pub enum Problem {
            $($(#[$doc])* $name { of: Subject, $($field: $type),* },)*
        }

        /// What kind of problem it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Problem {
            pub fn code(&self) -> Code {
                match self {
                    $(Problem::$name { .. } => Code::$name,)*
                }
            }

            pub fn of(&self) -> &Subject {
                match self {
                    $(Problem::$name { of, .. } => of,)*
                }
            }
        }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// `MS312`.
            pub fn text(self) -> &'static str {
                match self {
                    $(Code::$name => $code,)*
                }
            }

            /// Its name in the code, which JSON shows too.
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$name => stringify!($name),)*
                }
            }

            pub fn severity(self) -> Severity {
                match self {
                    $(Code::$name => Severity::$severity,)*
                }
            }

            /// What `istioctl analyze` calls it.
            pub fn ist(self) -> Option<&'static str> {
                match self {
                    $(Code::$name => [$($ist,)?].first().copied(),)*
                }
            }

            /// The names of its evidence.
            pub fn fields(self) -> &'static [&'static str] {
                match self {
                    $(Code::$name => &[$(stringify!($field)),*],)*
                }
            }
        }
    };
}

problems! {
    // 1xx: the cluster.

    /// No control plane and no injection webhook.
    "MS101" Blocks NoIstio {}
    /// A list could not be read.
    "MS102" Risk ListNotRead { list: String, why: String } as "IST0141"
    /// Trust domain or root namespace are not known.
    "MS103" Risk SettingsNotRead { why: String } as "IST0141"
    /// What governs the object may be in a list that could not be read.
    "MS104" Note GovernedByUnread { list: String, why: String } as "IST0141"

    /// `why`: `None` where the API server knows no such kind.
    "MS105" Risk FiltersNotRead { why: Option<String> } as "IST0141"

    // 2xx: Prometheus and its jobs.

    "MS201" Note PrometheusAgent {}
    "MS202" Note VmAgent {}
    "MS204" Note PrometheusDaemonSet {}
    "MS205" Note ConfigInSecret { file: String, secret: String }
    "MS206" Note ConfigNotFound { file: String, volume: Option<String>, declared: bool }
    "MS207" Risk ConfigNotRead { config_map: ObjectRef, key: String, why: Unread }
    /// Another container of its pod makes the file.
    "MS208" Note ConfigWritten { file: String, by: String, init: bool, from: Vec<ObjectRef> }
    /// A program that is not Prometheus itself starts it, and no file is named.
    "MS209" Note ConfigUnnamed { starts: Option<String>, from: Vec<ObjectRef> }
    "MS210" Note ConfigVariable { file: String }
    /// Others run as Prometheus's ServiceAccount.
    "MS211" Risk SharedIdentity { account: String, with: Vec<String> }
    /// `namespaces`: empty where its jobs list all pods at once.
    "MS212" Blocks PodsNotListed { account: String, jobs: Vec<String>, namespaces: Vec<String> }
    /// Whether others run as Prometheus's ServiceAccount.
    "MS213" Risk ReadersNotRead { account: String, why: String } as "IST0141"
    /// Let in by an earlier run, and still so.
    "MS214" Risk OthersAdmitted { principals: Vec<String> }
    "MS215" Note OperatorPaused { resource: ObjectRef }
    "MS216" Note Sharded { resource: ObjectRef, shards: u32 }
    /// Its name ends with the hash of its content, which comes from a file.
    "MS217" Note ConfigGenerated { config_map: ObjectRef }
    "MS221" Risk JobTakesAnyAnnotation { job: String }
    "MS222" Risk JobFollowsPath { job: String }
    "MS223" Risk JobInPlaintext { job: String }
    "MS224" Loses JobWithoutCa { job: String }
    "MS225" Blocks JobWithoutCertificate { job: String }
    "MS231" Blocks SecretNeverCreated { volume: String, secret: String }
    "MS232" Blocks CertificatesReadOnly { volume: String }
    "MS233" Blocks CertificatesNotMounted { volume: String, container: String }
    "MS234" Note CapturePortsUnread { setting: String }
    "MS235" Risk InjectAnnotationUnread { key: String } as "IST0107"
    "MS236" Risk CapturesOwnScrapes { setting: String, port: Option<u16> }
    /// Its template brings its own istio-proxy, over which nothing is injected.
    "MS237" Blocks OwnProxyWithoutCertificates {}

    /// What a plan would do to the targets.
    "MS241" Loses TargetLost { job: String, url: String }
    "MS242" Blocks SecureTargetMissing { prometheus: WorkloadRef }
    "MS243" Risk SecureTargetDoubled { jobs: Vec<String> }
    "MS244" Risk LabelsChange { job: String, by: String, labels: Vec<String> }
    "MS245" Note TargetsNotComputed { job: String, why: String }
    /// Its own targets are taken for true.
    "MS246" Note TargetsDiffer {
        prometheus: WorkloadRef, seen: Vec<String>, computed: Vec<String>,
    }
    /// By a discovery whose targets no rule of ours can tell apart.
    "MS247" Risk ScrapedByOtherDiscovery { job: String, ports: Vec<u16> }
    /// What reads series by the job label that ends: rules of Prometheus, and federation jobs.
    "MS248" Risk JobLabelRead { job: String, by: Vec<String> }
    /// The agent does not ask the app where the ended scrape did.
    "MS249" Loses AppMetricsLost { job: String, ports: Vec<u16> }

    /// What a plan means for Prometheus and its jobs.
    "MS251" Note ServerNameNotVerified {}
    "MS252" Risk StartNeedsIstiod {}
    "MS253" Note JobNotFixed { job: String }
    "MS254" Note SecureJobStays { job: String }
    "MS255" Note EnvoyPortJobStays { job: String }
    "MS256" Note OtherClusterNotScraped { job: String, server: String }
    "MS257" Note JobsFoldIntoOne { job: String, by: String }
    /// A setting, a request parameter or a rule of today's job that `by` goes without.
    "MS258" Note NotCopied { job: String, by: String, what: JobPart }
    "MS259" Note PlaintextJobsStay {}
    "MS261" Risk JobLabelChanges { jobs: Vec<String>, by: String }
    "MS262" Risk JobReplaced { job: String }
    "MS263" Risk ConfigReadAtStart {}
    "MS264" Risk UndoLosesHistory {}
    "MS265" Risk StorageNotKnown {}
    "MS266" Risk VolumeMayBlock {}
    /// `peers`: `None` where its configuration does not tell.
    "MS267" Note OutboundStaysCaptured { peers: Option<Vec<String>> }
    "MS268" Risk MeshExclusionsReplaced { annotation: String }
    /// Neither its configuration nor what runs of it could be read.
    "MS269" Note TodaysJobsUnknown { why: String }
    /// A record of the change would hold the text of a Secret.
    "MS270" Note SecretJobStays { job: String }
    /// What ends in a monitor ends for every Prometheus that selects it.
    "MS271" Note SharedMonitorStays { job: String, other: String }
    /// The port that Prometheus is read at goes through its own sidecar, with what guards it there.
    "MS272" Note InboundStaysCaptured { port: u16 }

    // 3xx: workloads.

    "MS301" Note SystemNamespace {}
    "MS302" Note HostNetwork {}
    "MS303" Note NeverInjected { selector: String, config_map: String }
    "MS304" Risk InjectionPolicyInvalid { policy: String, config_map: String }
    "MS305" Note InjectionDisabled { label: String } as "IST0102"
    "MS306" Note RevisionWithoutWebhook { revision: String }
    "MS307" Note NotInjected {} as "IST0103"
    "MS308" Blocks InjectorRefuses { annotation: String, value: String, refusal: Refusal } as "IST0125"
    "MS309" Note Ambient { labelled: ObjectRef }
    "MS310" Note InRootNamespace {}
    /// A tool would revert a direct change.
    "MS311" Note Owned { tool: OwnerTool, owner: String }
    /// A Sidecar of others that the listener can neither be added to nor stand beside.
    "MS312" Note OwnSidecar { sidecar: ObjectRef, why: Unmerged } as "IST0110"
    /// What others govern the workload with, and a tool would revert.
    "MS313" Note OwnPeerAuthentication { policy: ObjectRef, tool: OwnerTool, owner: String }
    "MS314" Note AllowPolicy { policy: ObjectRef, tool: OwnerTool, owner: String }
    "MS315" Note NoMatchLabels {}
    "MS316" Note SharedLabels { other: String }
    "MS317" Note MachineCarriesLabels { entry: ObjectRef }
    "MS318" Note MachineHasAddress { entry: ObjectRef, pod: String }
    "MS319" Note NameInUse { name: String, other: WorkloadRef }
    "MS320" Note PortsDiffer {
        port: u16, pod: String, protocol: String, object: ObjectRef,
        other_pod: String, other_protocol: String, other_object: ObjectRef,
    }
    "MS321" Note PortUnknown { port: u16, service: ObjectRef }
    "MS322" Note ServesSecurePort {}
    "MS323" Note PortNotCaptured { by: NotCaptured }
    "MS324" Note NativePort { setting: String, in_mesh_config: bool }
    /// Pods of a Job, of another controller, of nobody.
    "MS325" Note OtherOwner { pods: usize, plaintext: usize }
    /// A DENY policy of others that refuses every Prometheus on the secure port.
    "MS326" Note PolicyDenies { policy: ObjectRef, rule: usize }
    /// A CUSTOM policy whose provider the mesh does not define: istiod denies then.
    "MS327" Note ProviderNotDefined { policy: ObjectRef, provider: String }
    /// Our Sidecar stands for another one, which says otherwise by now.
    "MS328" Risk SidecarCopyStale { sidecar: Option<ObjectRef>, fields: Vec<String> }
    /// A Sidecar without a selector whose only listener is the secure one.
    "MS331" Risk NamespaceSidecar {}
    "MS332" Risk PathWithoutPort { path: String }
    "MS333" Loses AnnotationOnPodsOnly { pods: usize }

    /// What a plan means for what was chosen, and for what it skips.
    "MS341" Note NoSidecarYet {}
    /// `gateways`: what can be chosen there by itself.
    "MS342" Note NothingInNamespace { gateways: Vec<String> }
    "MS343" Note OthersInPlaintext { pods: usize, owners: Vec<String> }
    "MS344" Note PortsAsOfToday {}
    "MS345" Note NoPodToAnnotate {}
    "MS346" Note PlaintextScrapeStays { lost: Lost }
    "MS347" Loses PlaintextScrapeLost { lost: Lost }
    "MS348" Note PlaintextUntilPodsRun {}
    "MS349" Note AnnotatedByOthers {}
    "MS351" Note PlaintextAgain {}
    "MS352" Risk OneProtocolKept {
        port: u16, kept: Declared, passed_over: Vec<Declared>, of_one_age: bool,
    }
    /// Pods without an owner that carry its labels.
    "MS353" Risk StrayPods { pods: Vec<String> }
    "MS354" Risk AppNotMerged { annotation: String, strict: bool }
    "MS355" Loses AnnotationEndsWithPod {}
    /// The published task's Sidecar opened it for workloads that were not chosen.
    "MS356" Loses PortCloses { sidecar: ObjectRef }
    "MS357" Risk ReadersRemoved { principals: Vec<String> }
    /// Our Sidecar takes the place of one of the namespace or of the mesh for these pods.
    "MS358" Note SidecarCopied { sidecar: ObjectRef, fields: Vec<String> }
    /// What may keep Prometheus off the secure port.
    "MS361" Risk NetworkPolicyWouldStop { policies: Vec<ObjectRef>, egress: bool }
    "MS362" Risk NetworkPolicyByAddress { policy: ObjectRef }
    "MS363" Risk NodeNetwork {}
    "MS364" Risk OtherNetworkPolicies { kinds: Vec<String> }
    "MS365" Risk FilterOnSecurePort { filter: ObjectRef, does: FilterDoes }
    "MS366" Risk ProviderDecides { policy: ObjectRef, provider: String }
    "MS367" Risk PolicyRestsOn { policy: ObjectRef, rule: usize, on: RestsOn }

    /// What forbids a choice.
    "MS371" Loses AnnotationEndsScrape { lost: Lost }
    "MS372" Blocks StatusPortOff {}
    "MS373" Loses RestartRemovesAnnotation {}
    "MS374" Loses MetricsInsidePodOnly {}

    // 4xx: gateways.

    "MS401" Note ManagedByGatewayApi {}
    "MS402" Note Waypoint {}
    "MS403" Note OwnServer { gateway: ObjectRef } as "IST0145"
    "MS404" Blocks NoProxyImage {} as "IST0146"
    "MS411" Risk GatewayServesPlaintext { port: u64 }
    "MS412" Risk GatewayOpenToMesh {}
    "MS413" Risk EntryHostOverruled { host: String }
    "MS414" Risk EntryExported {}
    "MS415" Risk RouteOnEveryServer {}

    // 5xx: the rollout.

    /// A Deployment that replaces no pod until it is resumed.
    "MS501" Blocks RolloutPaused {}
    /// Pods change only when somebody deletes them.
    "MS502" Blocks RolloutOnDelete { selector: String }
    /// The first pods of a StatefulSet keep the old template.
    "MS503" Blocks RolloutPartition { partition: u64, stay: u64 }
    /// A ResourceQuota leaves no room for the new pods.
    "MS504" Blocks QuotaTooSmall {
        quota: String, resource: String, used: String, hard: String, needs: String, old_stay: bool,
    }
    /// A PodDisruptionBudget that a rollout does not ask.
    "MS505" Risk BudgetNotAsked { budget: String, away: u64, pods: u64 }
    "MS511" Blocks QuotaUsedUp { said: String }
    "MS512" Blocks PodSecurityForbids { said: String }
    "MS513" Blocks PodsRefused { said: String }
    "MS514" Blocks NoNode { said: String }
    "MS515" Blocks ImageNotPulled { image: String, container: String, reason: String, said: String }
    "MS516" Blocks ContainerCrashes { container: String, restarts: u64, said: String }
    "MS517" Blocks ContainerNotStarted { container: String, reason: String, said: String }
    "MS518" Blocks ContainerNotReady { container: String }

    /// What a dry run tells of new pods.
    "MS521" Blocks NoSidecarAdded {}
    /// `serves`: the agent's port; 0: it serves no metrics.
    "MS522" Blocks PortLeadsNowhere { serves: u16 }
    "MS523" Blocks PortNeverReached { setting: String }
    /// `denied`: for lack of permission.
    "MS524" Risk PodsNotChecked { why: String, denied: bool }
    /// A rollout that begins with fewer pods has room.
    "MS525" Note QuotaRefusesOneMore { said: String }
    /// Pods of the template that stands are refused too.
    "MS526" Risk PodsRefusedAnyway { said: String }
    "MS527" Note SidecarNotChecked { namespace: String }

    // 6xx: targets.

    "MS601" Blocks CertificateWithoutIp {}
    "MS602" Blocks PlaintextPort {}
    "MS603" Blocks NoClientCertificate {}
    "MS604" Blocks OtherRoot {}
    "MS605" Blocks CertificateExpired {}
    "MS606" Blocks AddressWithoutBrackets {}
    "MS607" Blocks GatewayNotListening {}
    "MS608" Blocks NotListening {}
    "MS609" Blocks MergeBroken {}
    "MS610" Blocks LimitExceeded {}
    "MS611" Blocks NotMetrics {}
    "MS612" Blocks NoAnswer {}
    "MS613" Blocks PodUnreachable {}
    "MS614" Blocks NothingBehind { port: u16 }
    "MS615" Blocks PrometheusForbidden {}
    "MS616" Blocks PathNotFound {}
    "MS617" Blocks ConnectionStale {}
    "MS618" Blocks GatewayHandshake {}
    "MS619" Blocks HandshakeUnderStrict {}
    "MS620" Blocks HandshakeReset {}
    "MS621" Blocks CertificatesLate { reloads: bool }
    "MS622" Blocks CertificatesMissing {}
    "MS623" Blocks JobNotStarted { why: Option<String> }
    "MS624" Blocks TargetElsewhere { wanted: String }
    /// Somebody changed the annotation of a running pod.
    "MS625" Blocks AnnotationChanged { has: Option<String>, wanted: String, item: Item }
    /// Prometheus's own words, which no rule knows.
    "MS629" Blocks DownUnexplained { error: String }
    /// An object that a scrape needs is gone.
    "MS631" Blocks ObjectGone { object: ObjectRef, effect: Effect, port: String, item: Item }
    "MS632" Blocks ObjectAltered {
        object: ObjectRef, field: &'static str, effect: Effect, port: String, item: Item,
    }
    "MS633" Blocks ObjectOverruled {
        object: ObjectRef, by: ObjectRef, effect: Effect, port: String,
    }
    /// An object that guards the port is gone; scrapes go on.
    "MS634" Risk GuardGone { object: ObjectRef, effect: Effect, port: String, item: Item }
    "MS635" Risk GuardAltered {
        object: ObjectRef, field: &'static str, effect: Effect, port: String, item: Item,
    }
    "MS636" Risk GuardNotRead { why: String }
    "MS637" Risk ServesPlaintext { port: String }
    "MS641" Note AlsoInPlaintext { job: String }
    "MS642" Risk OnlyInPlaintext { job: String }
    "MS643" Risk PrometheusNotAsked { replica: String, why: String }
    "MS651" Blocks NetworkPolicyStops { policies: Vec<ObjectRef>, egress: bool, port: String }
    "MS652" Blocks PolicyRefuses {
        policy: ObjectRef, rule: Option<usize>, provider: Option<String>, port: String,
    }
    /// It rests on what is not known of the request.
    "MS653" Blocks PolicyMayRefuse { policy: ObjectRef, rule: usize, port: String }
    "MS654" Blocks PolicyAsksProvider { policy: ObjectRef, provider: String, port: String }
    /// `filter`: `None` where only the answer tells of it.
    "MS655" Blocks RateLimited { filter: Option<ObjectRef> }
    /// `filter`: `None` where the mesh's own settings say so.
    "MS656" Blocks ProxyProtocolExpected { filter: Option<ObjectRef>, port: String }
    "MS657" Blocks FilterMayRefuse { filter: ObjectRef, port: String }
}

/// Why the injector refuses an annotation's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
    NoPort,
    AgentPort(u16),
    Reserved { port: u16, of: &'static str },
    NoValue,
}

/// What `meshscrape apply` has to name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    pub id: WorkloadRef,
    pub gateway: bool,
    /// 15020, or 15090.
    pub behind: u16,
}

/// What follows where an object of a secure port is gone or altered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Nothing serves metrics on the port.
    NotServed,
    /// The port does not lead to the proxy's metrics.
    NotMetrics,
    /// The proxy takes plaintext there, and resets Prometheus's TLS.
    Plaintext,
    /// Any workload of the mesh can read the port; `quit`: and stop the proxy through it.
    OpenToMesh {
        quit: bool,
    },
    /// The port serves more than the metrics' path; `quit`: whoever is let in can stop the proxy.
    ServesMore {
        quit: bool,
    },
    /// Prometheus's identity.
    Refuses(String),
    OtherServer,
    AsksNoCertificate,
    LeadsNowhere,
    PathNotServed,
    RouteWithoutAddress,
    RouteOutOfPod,
}

/// What of a job today a secure one goes without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum JobPart {
    /// `known`: the program knows what it means, and that it cannot be carried.
    Setting {
        name: String,
        known: bool,
    },
    Parameter(String),
    /// A rule that tells containers apart, as JSON.
    Rule(String),
}

/// What ending a plaintext scrape would lose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Lost {
    /// By the first sidecar: the agent asks otherwise than today's job.
    ByAgent(merging::Lost),
    /// The app's metrics on this port: merging is off.
    NotMerged { port: u16 },
    /// The metrics of the app and of the agent are not on 15090.
    AppAndAgent,
    /// What this port serves besides Envoy's own.
    NotEnvoys { port: u16 },
    /// What a job scrapes of the app where the agent does not ask.
    NotAsked { job: String, ports: Vec<u16> },
}

/// The protocol that an object declares for a port; `None`: Istio detects it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Declared {
    pub object: ObjectRef,
    pub protocol: Option<String>,
}

/// What an EnvoyFilter does on the secure port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FilterDoes {
    LocalRateLimit,
    RateLimit,
    /// The filter's name: what it does to a scrape is not known.
    Other(String),
}

/// What a policy's rule asks for that is not known before a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RestsOn {
    Identity,
    Source,
    Destination,
    Host,
    ServerName,
    Header(String),
    Metadata(String),
    Providers,
}

/// Why the secure listener can neither be added to a Sidecar of others nor stand beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Unmerged {
    /// Several Sidecars select the pods.
    Several,
    /// It selects other pods too, which would get the listener without its policies.
    SelectsMore,
    /// It has a listener on the secure port already.
    OpensPort,
    /// A tool would revert the change.
    Owned { tool: OwnerTool, owner: String },
}

/// The annotation that leaves the secure port out of inbound capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NotCaptured {
    NotIncluded,
    Excluded,
    InterceptionNone,
}

impl NotCaptured {
    pub fn annotation(self) -> &'static str {
        match self {
            NotCaptured::NotIncluded => "traffic.sidecar.istio.io/includeInboundPorts",
            NotCaptured::Excluded => "traffic.sidecar.istio.io/excludeInboundPorts",
            NotCaptured::InterceptionNone => "sidecar.istio.io/interceptionMode",
        }
    }
}

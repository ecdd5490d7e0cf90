//! `/api/v1/targets` and its small neighbours: only the fields that are used, strings borrowed from the answer
//! (6,000 targets are 26 MB of text).

use super::answer::{self, Fault};
use crate::mesh::{Observed, Rule, Scheme};
use crate::targets::{Health, Target};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Pods whose targets are wanted, by namespace. Nothing else of an answer is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pods: HashMap<String, HashSet<String>>,
}

impl Wanted {
    pub fn new<'a>(pods: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut wanted = Wanted::default();
        for (namespace, pod) in pods {
            match wanted.pods.get_mut(namespace) {
                Some(names) => _ = names.insert(pod.to_owned()),
                None => {
                    let names = HashSet::from([pod.to_owned()]);
                    wanted.pods.insert(namespace.to_owned(), names);
                }
            }
        }
        wanted
    }

    fn has(&self, namespace: &str, pod: &str) -> bool {
        self.pods
            .get(namespace)
            .is_some_and(|names| names.contains(pod))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow)]
    active_targets: Option<Vec<Active<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Active<'a> {
    #[serde(borrow)]
    discovered_labels: Discovered<'a>,
    #[serde(borrow)]
    labels: Final<'a>,
    #[serde(borrow)]
    scrape_pool: Cow<'a, str>,
    #[serde(borrow)]
    scrape_url: Cow<'a, str>,
    #[serde(borrow)]
    last_error: Cow<'a, str>,
    #[serde(borrow)]
    last_scrape: Cow<'a, str>,
    last_scrape_duration: f64,
    #[serde(borrow)]
    health: Cow<'a, str>,
    #[serde(borrow)]
    scrape_interval: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Discovered<'a> {
    #[serde(borrow, rename = "__meta_kubernetes_namespace")]
    namespace: Cow<'a, str>,
    #[serde(borrow, rename = "__meta_kubernetes_pod_name")]
    pod: Cow<'a, str>,
    #[serde(borrow)]
    job: Cow<'a, str>,
}

/// Labels after relabelling: for products that leave the discovered ones out.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Final<'a> {
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    pod: Cow<'a, str>,
    #[serde(borrow)]
    job: Cow<'a, str>,
}

pub(super) fn parse(body: &[u8], wanted: &Wanted, job: Option<&str>) -> Result<Vec<Target>, Fault> {
    let data: Data = answer::data(body)?;
    let active = data.active_targets.unwrap_or_default();
    Ok(active
        .into_iter()
        .map(|active| active.named())
        .filter(|(namespace, pod, of, _)| {
            wanted.has(namespace, pod) && job.is_none_or(|job| job == of)
        })
        .map(target)
        .collect())
}

pub(super) fn observed(body: &[u8]) -> Result<Vec<Observed>, Fault> {
    let data: Data = answer::data(body)?;
    let active = data.active_targets.unwrap_or_default();
    let mut names: HashSet<Arc<str>> = HashSet::new();
    let all = active.into_iter().filter_map(|active| {
        let url = active.scrape_url.clone().into_owned();
        let (_, _, job, _) = active.named();
        let at = crate::targets::place(&url)?;
        let scheme = match at.scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let job = match names.get(&*job) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = job.into();
                names.insert(Arc::clone(&new));
                new
            }
        };
        Some(Observed {
            job,
            scheme,
            host: at.host.to_owned(),
            port: at.port,
        })
    });
    let mut all: Vec<Observed> = all.collect();
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

pub(super) fn rules(body: &[u8]) -> Result<Vec<Rule>, Fault> {
    #[derive(Deserialize)]
    struct Groups {
        groups: Option<Vec<Group>>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Group {
        name: String,
        rules: Option<Vec<One>>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct One {
        name: String,
        query: String,
    }
    let groups: Groups = answer::data(body)?;
    let groups = groups.groups.unwrap_or_default().into_iter();
    let rules = groups.flat_map(|group| {
        let all = group.rules.unwrap_or_default().into_iter();
        let rules = all.map(move |one| Rule {
            group: group.name.clone(),
            name: one.name,
            query: one.query,
        });
        rules.collect::<Vec<_>>()
    });
    Ok(rules.collect())
}

type Named<'a> = (Cow<'a, str>, Cow<'a, str>, Cow<'a, str>, Active<'a>);

impl<'a> Active<'a> {
    /// Namespace, pod and job, from wherever this Prometheus tells them.
    fn named(mut self) -> Named<'a> {
        let take = std::mem::take::<Cow<'a, str>>;
        let found = &mut self.discovered_labels;
        let namespace = first([take(&mut found.namespace), take(&mut self.labels.namespace)]);
        let pod = first([take(&mut found.pod), take(&mut self.labels.pod)]);
        let jobs = [
            take(&mut self.scrape_pool),
            take(&mut found.job),
            take(&mut self.labels.job),
        ];
        (namespace, pod, first(jobs), self)
    }
}

fn first<'a, const N: usize>(texts: [Cow<'a, str>; N]) -> Cow<'a, str> {
    let mut texts = texts.into_iter();
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}

fn target((namespace, pod, job, active): Named) -> Target {
    Target {
        job: job.into_owned(),
        url: match active.scrape_url.contains('?') {
            true => crate::plan::mask::urls(&active.scrape_url),
            false => active.scrape_url.into_owned(),
        },
        namespace: namespace.into_owned(),
        pod: pod.into_owned(),
        health: match &*active.health {
            "up" => Health::Up,
            "down" => Health::Down,
            _ => Health::Unknown,
        },
        // It quotes the URL, request parameters included.
        last_error: match active.last_error.contains("://") {
            true => crate::plan::mask::urls(&active.last_error),
            false => active.last_error.into_owned(),
        },
        last_scrape: moment(&active.last_scrape),
        took: Duration::try_from_secs_f64(active.last_scrape_duration).unwrap_or_default(),
        interval: interval(&active.scrape_interval).unwrap_or_default(),
    }
}

/// Go's zero time stands for "never".
fn moment(text: &str) -> Option<Timestamp> {
    let at: Timestamp = text.parse().ok()?;
    (at > Timestamp::UNIX_EPOCH).then_some(at)
}

/// A duration as Prometheus writes it: `15s`, `1m30s`, `500ms`.
fn interval(text: &str) -> Option<Duration> {
    let mut total = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let unit = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(millis)?)?;
        rest = after;
    }
    Some(Duration::from_millis(total))
}

pub(super) fn pools(body: &[u8]) -> Result<Vec<String>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pools {
        scrape_pools: Option<Vec<String>>,
    }
    let pools: Pools = answer::data(body)?;
    Ok(pools.scrape_pools.unwrap_or_default())
}

/// `lastConfigTime` of `/api/v1/status/runtimeinfo`.
pub(super) fn loaded_at(body: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Info {
        last_config_time: String,
    }
    let info: Info = answer::data(body).ok()?;
    moment(&info.last_config_time)
}

/// The result of the query `time()`: seconds with a fraction.
pub(super) fn time(body: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Scalar {
        result: (serde::de::IgnoredAny, String),
    }
    let scalar: Scalar = answer::data(body).ok()?;
    let seconds: f64 = scalar.result.1.parse().ok()?;
    let since = SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(since).ok()
}

//! A running configuration as somebody would have written it: Prometheus gives it with every default filled in.

use serde_yaml::{Mapping, Value};

/// Of a job (prometheus, `config.DefaultScrapeConfig`, and what a job takes from `DefaultGlobalConfig`).
const OF_JOB: &[(&str, &str)] = &[
    ("honor_labels", "false"),
    ("honor_timestamps", "true"),
    ("track_timestamps_staleness", "false"),
    ("metrics_path", "/metrics"),
    ("scheme", "http"),
    ("enable_compression", "true"),
    ("follow_redirects", "true"),
    ("enable_http2", "true"),
    ("scrape_classic_histograms", "false"),
    ("always_scrape_classic_histograms", "false"),
    ("convert_classic_histograms_to_nhcb", "false"),
    ("scrape_native_histograms", "false"),
    ("extra_scrape_metrics", "false"),
    ("metric_name_validation_scheme", "utf8"),
    ("metric_name_escaping_scheme", "allow-utf-8"),
];
/// What a job takes from `global` where it says nothing.
const OF_GLOBAL: [&str; 12] = [
    "scrape_interval",
    "scrape_timeout",
    "scrape_protocols",
    "always_scrape_classic_histograms",
    "convert_classic_histograms_to_nhcb",
    "scrape_native_histograms",
    "extra_scrape_metrics",
    "metric_name_validation_scheme",
    "metric_name_escaping_scheme",
    "sample_limit",
    "label_limit",
    "target_limit",
];
/// Of a relabel rule (`relabel.DefaultRelabelConfig`).
const OF_RULE: &[(&str, &str)] = &[
    ("separator", ";"),
    ("regex", "(.*)"),
    ("replacement", "$1"),
    ("action", "replace"),
];
const OF_DISCOVERY: &[(&str, &str)] = &[
    ("kubeconfig_file", ""),
    ("follow_redirects", "true"),
    ("enable_http2", "true"),
];
const OF_TLS: &[(&str, &str)] = &[("insecure_skip_verify", "false")];
/// Prometheus's own default, in its two orders.
const PROTOCOLS: [&[&str]; 2] = [
    &[
        "OpenMetricsText1.0.0",
        "OpenMetricsText0.0.1",
        "PrometheusText1.0.0",
        "PrometheusText0.0.4",
    ],
    &[
        "OpenMetricsText1.0.0",
        "OpenMetricsText0.0.1",
        "PrometheusText0.0.4",
    ],
];

/// The same configuration without the defaults of its scrape jobs; the very text where it cannot be read.
pub fn as_written(text: &str) -> String {
    let Ok(Value::Mapping(mut root)) = serde_yaml::from_str::<Value>(text) else {
        return text.to_owned();
    };
    let global = root.get("global").cloned().unwrap_or_default();
    let jobs = root.get_mut("scrape_configs");
    let jobs = jobs.and_then(Value::as_sequence_mut).into_iter().flatten();
    for job in jobs.filter_map(Value::as_mapping_mut) {
        without(job, OF_JOB);
        let inherited = |name: &&str| {
            let own = job.get(*name);
            own.is_some() && own == global.get(*name)
        };
        let inherited: Vec<&str> = OF_GLOBAL.into_iter().filter(inherited).collect();
        for name in inherited {
            job.remove(name);
        }
        let usual = |value: &Value| {
            let own: Vec<&str> = value
                .as_sequence()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            PROTOCOLS.iter().any(|usual| own == *usual)
        };
        if job.get("scrape_protocols").is_some_and(usual) {
            job.remove("scrape_protocols");
        }
        for (list, defaults) in [
            ("relabel_configs", OF_RULE),
            ("metric_relabel_configs", OF_RULE),
            ("kubernetes_sd_configs", OF_DISCOVERY),
        ] {
            let list = job.get_mut(list).and_then(Value::as_sequence_mut);
            for entry in list.into_iter().flatten() {
                if let Some(entry) = entry.as_mapping_mut() {
                    without(entry, defaults);
                }
            }
        }
        if let Some(tls) = job.get_mut("tls_config").and_then(Value::as_mapping_mut) {
            without(tls, OF_TLS);
        }
    }
    serde_yaml::to_string(&Value::Mapping(root)).unwrap_or_else(|_| text.to_owned())
}

fn without(map: &mut Mapping, defaults: &[(&str, &str)]) {
    for (name, default) in defaults {
        let same = |value: &Value| match value {
            Value::String(text) => text == default,
            Value::Bool(value) => value.to_string() == *default,
            _ => false,
        };
        if map.get(*name).is_some_and(same) {
            map.remove(*name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_go_and_all_else_stays() {
        let written = "\
global:
  scrape_interval: 30s
  scrape_timeout: 10s
scrape_configs:
- job_name: pods
  sample_limit: 5000
  enable_http2: false
  scrape_interval: 1m
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_ip]
    regex: (\\d+)
    target_label: ip
    replacement: ip-$1
  kubernetes_sd_configs:
  - role: pod
";
        let running = "\
global:
  scrape_interval: 30s
  scrape_timeout: 10s
scrape_configs:
- job_name: pods
  honor_timestamps: true
  track_timestamps_staleness: false
  scrape_interval: 1m
  scrape_timeout: 10s
  scrape_protocols: [OpenMetricsText1.0.0, OpenMetricsText0.0.1, PrometheusText1.0.0, PrometheusText0.0.4]
  metrics_path: /metrics
  scheme: http
  enable_compression: true
  sample_limit: 5000
  follow_redirects: true
  enable_http2: false
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_ip]
    separator: ;
    regex: (\\d+)
    target_label: ip
    replacement: ip-$1
    action: replace
  kubernetes_sd_configs:
  - role: pod
    kubeconfig_file: \"\"
    follow_redirects: true
    enable_http2: true
";
        let read = |text: &str| serde_yaml::from_str::<Value>(text).expect("YAML");
        assert_eq!(read(&as_written(running)), read(written));
        assert_eq!(as_written("- no: file"), "- no: file");
    }
}

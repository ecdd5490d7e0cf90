//! The forecast: targets before and after a plan, by pods that fare alike.

use super::problem;
use crate::plan::mask;
use crate::problems::of_forecast;
use crate::reach::forecast::{Forecast, Outlook, Scrape};
use serde_json::{Value, json};

pub fn forecast(of: &Forecast) -> Value {
    json!({
        "prometheus": of.prometheus,
        "workloads": of.outlooks.iter().map(|one| outlook(one, of.port)).collect::<Vec<_>>(),
        "jobsNotComputed": of.unknown.keys().collect::<Vec<_>>(),
        "configurationNotKnown": of.unread,
        "problems": of_forecast(of).iter().map(problem).collect::<Vec<_>>(),
    })
}

fn outlook(of: &Outlook, port: u16) -> Value {
    let scrapes = |all: &std::collections::BTreeSet<Scrape>| -> Vec<Value> {
        all.iter().map(scrape).collect()
    };
    let labels = of.relabelled(port).map_or(Vec::new(), |(_, all)| all);
    json!({
        "workload": of.item,
        "chosen": of.chosen,
        "pods": of.pods,
        "pod": of.pod,
        "before": scrapes(&of.before),
        "after": scrapes(&of.after),
        "labels": labels,
    })
}

fn scrape(of: &Scrape) -> Value {
    let target = &of.target;
    json!({
        "job": &*of.job,
        "scheme": target.scheme,
        "port": target.place().1,
        "path": target.path,
        "url": mask::urls(&target.url()),
        "labels": target.labels,
    })
}

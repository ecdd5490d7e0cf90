//! Texts of which one holds for one thing and one for more of them.

use crate::words::texts::pseudo;
use crate::words::{LANGUAGE, Language};

/// `of` chooses the text; `number` is shown, written as the screens write figures.
macro_rules! counted {
    ($($name:ident: $one:literal, $more:literal;)*) => {
        $(pub fn $name(of: usize, number: &str) -> String {
            match (LANGUAGE, of) {
                (Language::English, 1) => format!($one, number = number),
                (Language::English, _) => format!($more, number = number),
                (Language::Pseudo, _) => pseudo(stringify!($name), &[&number]),
            }
        })*
    };
}

counted! {
    changes: "{number} change", "{number} changes";
    fields_forced: "{number} field forced", "{number} fields forced";
    more_lines: "{number} more line", "{number} more lines";
    more_lines_on_i: "{number} more line; i shows all", "{number} more lines; i shows all";
    pods: "{number} pod", "{number} pods";
    pods_restart: "{number} pod restarts", "{number} pods restart";
    prometheus_restarts:
        "{number} pod restarts once; scraping and alerting pause during the restart.",
        "{number} pods restart once; scraping and alerting pause during the restart.";
    replicas: "{number} Prometheus replica", "{number} Prometheus replicas";
    rows: "{number} row", "{number} rows";
    targets: "{number} target", "{number} targets";
    warnings: "{number} warning", "{number} warnings";
    workloads: "{number} workload", "{number} workloads";
    workloads_chosen: "{number} workload chosen", "{number} workloads chosen";
}

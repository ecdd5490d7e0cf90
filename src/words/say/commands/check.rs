//! Texts of `check`.

use crate::words::texts::texts;

texts! {
    takes_not(flag: &str) = "check does not take {flag}";
    WHOLE_NAMESPACES = "look into whole namespaces: -n NAMESPACE";
    file_not_written(file: &str) = "{file} could not be written";
    no_such_code(code: &str) = "there is no code `{code}`";
    ALL_CODES = "all codes: meshscrape check --explain";
    targets_not_checked(why: &str) = "the targets were not checked: {why}";
    known(count: usize) = "known, not shown: {count}";
    WHAT_A_CODE_MEANS = "What a code means: meshscrape check --explain CODE";

    baseline_not_read(file: &str) = "the baseline {file} cannot be read";
    NO_PROBLEMS_LIST = "it has no list `problems`";
    WRITE_A_BASELINE = "write one with: meshscrape check --write-baseline FILE";

    IN_PLAINTEXT_TODAY = "Scraped in plaintext today";
    by_job(job: &str) = "by job {job}";
    BY_ANNOTATION = "by the annotation prometheus.io/scrape";
    scraped(by: &str, count: usize, names: &str) = "{by}, workloads: {count} ({names})";

    severity(name: &str) = "Severity: {name}";
    evidence(fields: &str) = "Evidence: {fields}";
    not_listed_in(what: &str, namespaces: &str) = "{what} may not be listed in {namespaces}";
}

//! Principals of other trust domains that are this mesh's own.

/// The principals that istiod writes for one of a policy, where the mesh has `trustDomainAliases` or another trust
/// domain than `cluster.local`.
///
/// Source: istio `pilot/pkg/security/trustdomain/bundle.go` (`ReplaceTrustDomainAliases`).
pub fn principals(of: &str, domain: &str, aliases: &[String]) -> Vec<String> {
    let parts: Vec<&str> = of.split('/').collect();
    let [own, rest @ ..] = parts.as_slice() else {
        return vec![of.to_owned()];
    };
    let domains = || std::iter::once(domain).chain(aliases.iter().map(String::as_str));
    let ours = *own == "cluster.local" || domains().any(|one| meets(own, one));
    if parts.len() != 5 || *own == "*" || !ours {
        return vec![of.to_owned()];
    }
    let mut found: Vec<String> = Vec::new();
    for one in domains() {
        let new = match is_suffix(one, own) {
            true => of.to_owned(),
            false => format!("{one}/{}", rest.join("/")),
        };
        if !found.contains(&new) {
            found.push(new);
        }
    }
    found
}

/// The trust domains that stand for one that a policy names.
pub fn domains<'a>(of: &'a str, domain: &'a str, aliases: &'a [String]) -> Vec<&'a str> {
    let all = || std::iter::once(domain).chain(aliases.iter().map(String::as_str));
    match all().any(|one| one == of) {
        true => all().collect(),
        false => vec![of],
    }
}

fn meets(a: &str, b: &str) -> bool {
    a == b || b == "*" || is_prefix(a, b) || is_prefix(b, a) || is_suffix(a, b) || is_suffix(b, a)
}

fn is_prefix(text: &str, pattern: &str) -> bool {
    pattern
        .strip_suffix('*')
        .is_some_and(|prefix| text.starts_with(prefix))
}

fn is_suffix(text: &str, pattern: &str) -> bool {
    pattern
        .strip_prefix('*')
        .is_some_and(|suffix| text.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_under_all_of_the_meshes_names() {
        let aliases = ["old".to_owned()];
        for (of, expected) in [
            (
                "cluster.local/ns/a/sa/b",
                vec!["td/ns/a/sa/b", "old/ns/a/sa/b"],
            ),
            ("old/ns/a/sa/b", vec!["td/ns/a/sa/b", "old/ns/a/sa/b"]),
            ("other/ns/a/sa/b", vec!["other/ns/a/sa/b"]),
            ("*/ns/a/sa/b", vec!["*/ns/a/sa/b"]),
            ("*d/ns/a/sa/b", vec!["*d/ns/a/sa/b"]),
            ("cluster.local/*", vec!["cluster.local/*"]),
            ("sa/b", vec!["sa/b"]),
        ] {
            assert_eq!(principals(of, "td", &aliases), expected, "{of}");
        }
        assert_eq!(domains("td", "td", &aliases), ["td", "old"]);
        assert_eq!(domains("t*", "td", &aliases), ["t*"]);
    }
}

//! The ways in which istiod's matchers compare text.

/// `*` alone, `*suffix`, `prefix*`, or the text itself (`pilot/pkg/security/authz/matcher/string.go`): a star that
/// stands anywhere else is a letter. `*` alone wants at least one letter.
pub fn pattern(pattern: &str, text: &str) -> bool {
    if pattern == "*" {
        return !text.is_empty();
    }
    if let Some(suffix) = pattern.strip_prefix('*') {
        return text.ends_with(suffix);
    }
    match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => text == pattern,
    }
}

/// The whole text, where each `*` of the pattern stands for anything.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A path against a template: `{*}` stands for one segment, `{**}` for the rest of the path, empty too (Envoy,
/// `source/extensions/path/uri_template_lib`).
pub fn template(template: &str, path: &str) -> bool {
    let mut wanted = template.split('/');
    let mut given = path.split('/');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("{**}" | "**"), Some(_)) => {
                // It is the last operator, but segments may follow.
                let after: Vec<&str> = wanted.collect();
                if after.is_empty() {
                    return true;
                }
                let rest: Vec<&str> = given.collect();
                return (0..=rest.len())
                    .any(|from| rest.len() - from == after.len() && rest[from..] == after[..]);
            }
            (Some("{*}" | "*"), Some(segment)) if !segment.is_empty() => {}
            (Some(one), Some(segment)) if one == segment => {}
            _ => return false,
        }
    }
}

pub fn is_template(value: &str) -> bool {
    value.contains("{*}") || value.contains("{**}")
}

/// What stands between the brackets of `PREFIX[NAME]`.
pub fn in_brackets(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_where_they_count() {
        for (of, text, expected) in [
            ("*", "a", true),
            ("*", "", false),
            ("*b", "ab", true),
            ("a*", "ab", true),
            ("a*c", "abc", false),
            ("*b*", "ab*", true),
            ("ab", "ab", true),
            ("ab", "abc", false),
        ] {
            assert_eq!(pattern(of, text), expected, "{of} {text}");
        }
        for (of, text, expected) in [
            ("*/ns/a*z/*", "spiffe://td/ns/abcz/sa/x", true),
            ("*/ns/a/*", "spiffe://td/ns/ab/sa/x", false),
            ("a", "a", true),
            ("*a", "ba", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(of, text), expected, "{of} {text}");
        }
    }

    #[test]
    fn templates_by_segments() {
        for (of, path, expected) in [
            ("/stats/{*}", "/stats/prometheus", true),
            ("/{*}", "/stats/prometheus", false),
            ("/{**}", "/stats/prometheus", true),
            ("/stats/{**}", "/stats/", true),
            ("/stats/{**}", "/stats", false),
            ("/{*}/prometheus", "/stats/prometheus", true),
            ("/{*}/prometheus", "//prometheus", false),
            ("/{**}/prometheus", "/a/b/prometheus", true),
            ("/stats/{*}", "/stats/", false),
        ] {
            assert_eq!(template(of, path), expected, "{of} {path}");
        }
    }
}

//! A text's edit as places and new lines: enough to make it again on the same text, and nothing of the text itself.

use crate::plan::scrape_config::{self, GateRefusal, TextEdit};

/// One edit: so many bytes from an offset on are replaced by new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Bytes of the text that stay before it.
    pub at: usize,
    /// Bytes that go.
    pub cut: usize,
    /// What stands in their place; whole lines.
    pub new: String,
}

/// The edits one after another, each on the result of the one before; and the text that comes of all.
///
/// # Errors
/// An edit that the gate refuses.
pub fn splices(text: &str, edits: &[TextEdit]) -> Result<(Vec<Splice>, String), GateRefusal> {
    let mut text = text.to_owned();
    let mut out = Vec::new();
    for edit in edits {
        let after = scrape_config::apply(&text, std::slice::from_ref(edit))?;
        if after != text {
            out.push(difference(&text, &after));
        }
        text = after;
    }
    Ok((out, text))
}

/// The one stretch in which two texts differ, in whole lines.
fn difference(before: &str, after: &str) -> Splice {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let most = old.len().min(new.len());
    let front = (0..most).take_while(|i| old[*i] == new[*i]).count();
    let back = (0..most - front)
        .take_while(|i| old[old.len() - 1 - i] == new[new.len() - 1 - i])
        .count();
    let bytes = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>();
    Splice {
        at: bytes(&old[..front]),
        cut: bytes(&old[front..old.len() - back]),
        new: new[front..new.len() - back].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str, splices: &[Splice]) -> String {
        let mut text = text.to_owned();
        for splice in splices {
            text.replace_range(splice.at..splice.at + splice.cut, &splice.new);
        }
        text
    }

    #[test]
    fn the_places_make_the_same_text_again() {
        let job = serde_json::json!({"job_name": "new"});
        let insert = TextEdit::InsertJob {
            name: "new".into(),
            job: job.clone(),
        };
        let rule = TextEdit::AddRule {
            job: "old".into(),
            rule: serde_json::json!({"action": "drop"}),
        };
        for text in [
            "scrape_configs:\n- job_name: old\n  relabel_configs:\n  - action: keep\n",
            "# c\r\nscrape_configs:\r\n  - job_name: old\r\n    relabel_configs:\r\n    - action: keep\r\n",
            "scrape_configs:\n- job_name: old\n  relabel_configs:\n  - action: keep",
            "scrape_configs:\n- job_name: new\n  scheme: http\n- job_name: old\n  relabel_configs:\n  - action: keep\n",
        ] {
            let first = match text.contains("new") {
                true => TextEdit::ReplaceJob {
                    name: "new".into(),
                    job: job.clone(),
                },
                false => insert.clone(),
            };
            let edits = [first, rule.clone()];
            let (places, after) = splices(text, &edits).unwrap();
            assert_eq!(after, scrape_config::apply(text, &edits).unwrap());
            assert_eq!(made(text, &places), after, "{text:?}");
            assert_eq!(places.len(), 2);
        }
    }

    #[test]
    fn nothing_of_the_old_text_stands_in_a_place() {
        let text = "remote_write:\n- url: http://u:pw@x\nscrape_configs:\n- job_name: old\n  basic_auth: {password: s3cret}\n";
        let edits = [TextEdit::InsertJob {
            name: "new".into(),
            job: serde_json::json!({"job_name": "new"}),
        }];
        let (places, _) = splices(text, &edits).unwrap();
        let shown = format!("{places:?}");
        assert!(
            !shown.contains("s3cret") && !shown.contains("pw"),
            "{shown}"
        );
    }
}

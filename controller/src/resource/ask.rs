//! What a person asks for, in the annotation `tidegate.io/ask`: a verb and its arguments, such as `promote`,
//! `promote waive=true`, `abort why="looks wrong"`, `rollback frontier=2026-03-01T12:00:00Z`, `retry`, `replace from=s3://…`,
//! `forget member=blue-1`. `who` and `why` go into the history; `id` tells one request from an equal one before it.

use tidegate_protocol::rollout::{Asked, Verb};
use tidegate_protocol::time::{EventTime, When};

use super::problem::Problem;

/// The annotation.
pub(crate) const ANNOTATION: &str = "tidegate.io/ask";

const VERBS: &str = "promote, abort, rollback, retry, replace, forget";

/// Reads a request. `editor` is who is named when the text names nobody.
pub(crate) fn read(text: &str, editor: &str) -> Result<Asked, Problem> {
    let field = format!("metadata.annotations[{ANNOTATION}]");
    let problem = |what: String, way_out: &str| Problem::new(field.clone(), what, way_out);
    let mut words = words(text).ok_or_else(|| problem(quoted(text), "close the quotation mark"))?.into_iter();
    let name =
        words.next().ok_or_else(|| problem("it is empty".to_owned(), "write one of promote, abort, …"))?;
    let mut arguments = Arguments::default();
    for word in words {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| problem(format!("{} is no argument", quoted(&word)), "write key=value"))?;
        let slot = arguments.slot(key).ok_or_else(|| {
            problem(
                format!("{} is not known", quoted(key)),
                "arguments are waive, frontier, from, member, who, why, id",
            )
        })?;
        *slot = Some(value.to_owned());
    }
    let Arguments { waive, frontier, from, member, who, why, id } = arguments;
    let waive = match waive.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(problem(format!("waive is {}", quoted(other)), "write waive=true")),
    };
    let (mut frontier, mut from, mut member) = (frontier, from, member);
    let verb = match name.as_str() {
        "promote" => Verb::Promote { waive },
        "abort" => Verb::Abort,
        "retry" => Verb::Retry,
        "rollback" => {
            Verb::Rollback { frontier: frontier.take().map(|text| event_time(&text, &field)).transpose()? }
        }
        "replace" => Verb::Replace { from: from.take() },
        "forget" => {
            let text = member.take().unwrap_or_default();
            let parsed = text.parse().map_err(|_| {
                problem(
                    format!("member is {}", quoted(&text)),
                    "write forget member=blue-1, as the status names it",
                )
            })?;
            Verb::Forget { member: parsed }
        }
        other => return Err(problem(format!("{} is no verb", quoted(other)), VERBS)),
    };
    let surplus = [("frontier", frontier), ("from", from), ("member", member)];
    if let Some((key, _)) = surplus.iter().find(|(_, value)| value.is_some()) {
        return Err(problem(format!("{name} takes no {key}"), "leave it out"));
    }
    if waive && name != "promote" {
        return Err(problem(format!("{name} takes no waive"), "leave it out"));
    }
    Ok(Asked {
        id: id.unwrap_or_else(|| text.trim().to_owned()),
        who: who.unwrap_or_else(|| editor.to_owned()),
        why: why.unwrap_or_default(),
        verb,
    })
}

/// Writes a request as [`read`] reads it. What cannot stand between quotation marks is left out of the words of people.
pub(crate) fn write(verb: &Verb, id: &str, who: Option<&str>, why: Option<&str>) -> String {
    let mut text = verb.name().to_owned();
    let mut add = |key: &str, value: &str| {
        let plain: String = value.chars().filter(|character| *character != '"').collect();
        text.push_str(&format!(" {key}=\"{plain}\""));
    };
    match verb {
        Verb::Promote { waive: true } => add("waive", "true"),
        Verb::Rollback { frontier: Some(frontier) } => add("frontier", &frontier.as_millis().to_string()),
        Verb::Replace { from: Some(from) } => add("from", from),
        Verb::Forget { member } => add("member", &member.to_string()),
        Verb::Promote { waive: false }
        | Verb::Abort
        | Verb::Rollback { frontier: None }
        | Verb::Retry
        | Verb::Replace { from: None } => {}
    }
    add("id", id);
    for (key, value) in [("who", who), ("why", why)] {
        if let Some(value) = value {
            add(key, value);
        }
    }
    text
}

#[derive(Default)]
struct Arguments {
    waive: Option<String>,
    frontier: Option<String>,
    from: Option<String>,
    member: Option<String>,
    who: Option<String>,
    why: Option<String>,
    id: Option<String>,
}

impl Arguments {
    fn slot(&mut self, key: &str) -> Option<&mut Option<String>> {
        Some(match key {
            "waive" => &mut self.waive,
            "frontier" => &mut self.frontier,
            "from" => &mut self.from,
            "member" => &mut self.member,
            "who" => &mut self.who,
            "why" => &mut self.why,
            "id" => &mut self.id,
            _ => return None,
        })
    }
}

fn event_time(text: &str, field: &str) -> Result<EventTime, Problem> {
    match text.parse() {
        Ok(When::At(at)) => Ok(at),
        Ok(When::Now | When::In(_)) | Err(_) => Err(Problem::new(
            field,
            format!("frontier is {}", quoted(text)),
            "write an RFC 3339 time such as 2026-03-01T12:00:00Z, or epoch milliseconds",
        )),
    }
}

/// Words are parted by blanks; quotation marks keep blanks in a word. `None` when one is not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut is_quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for character in text.chars() {
        match character {
            '"' => {
                is_quoted = !is_quoted;
                begun = true;
            }
            blank if blank.is_whitespace() && !is_quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            other => {
                word.push(other);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    (!is_quoted).then_some(words)
}

fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_read_with_their_arguments() {
        let asked = read("promote waive=true why=\"it is fine\" id=7", "kubectl").unwrap();
        assert_eq!(asked.verb, Verb::Promote { waive: true });
        assert_eq!(
            (asked.id.as_str(), asked.who.as_str(), asked.why.as_str()),
            ("7", "kubectl", "it is fine")
        );
        assert_eq!(read("abort", "a").unwrap().verb, Verb::Abort);
        assert_eq!(
            read("forget member=blue-1", "a").unwrap().verb,
            Verb::Forget { member: "blue-1".parse().unwrap() }
        );
        let frontier = Some(EventTime::from_millis(1_767_225_600_000));
        assert_eq!(
            read("rollback frontier=2026-01-01T00:00:00Z", "a").unwrap().verb,
            Verb::Rollback { frontier }
        );
        assert_eq!(read("replace from=s3://x/y who=ann", "a").unwrap().who, "ann");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let verbs = [
            Verb::Promote { waive: true },
            Verb::Promote { waive: false },
            Verb::Abort,
            Verb::Rollback { frontier: Some(EventTime::from_millis(1_767_225_600_000)) },
            Verb::Rollback { frontier: None },
            Verb::Retry,
            Verb::Replace { from: Some("s3://a b/c".to_owned()) },
            Verb::Replace { from: None },
            Verb::Forget { member: "blue-1".parse().unwrap() },
        ];
        for verb in verbs {
            let asked = read(&write(&verb, "a-1", Some("ann"), Some("it \"is\" fine")), "cli").unwrap();
            assert_eq!((asked.verb, asked.id.as_str()), (verb, "a-1"));
            assert_eq!((asked.who.as_str(), asked.why.as_str()), ("ann", "it is fine"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_way_out() {
        for (text, told) in [
            ("", "empty"),
            ("advance", "promote"),
            ("promote soon", "key=value"),
            ("promote colour=blue", "arguments are"),
            ("promote waive=yes", "waive=true"),
            ("abort waive=true", "takes no waive"),
            ("abort from=x", "takes no from"),
            ("rollback frontier=soon", "RFC 3339"),
            ("forget", "member=blue-1"),
            ("abort why=\"open", "quotation mark"),
        ] {
            let problem = read(text, "a").unwrap_err().to_string();
            assert!(problem.contains(told) && problem.contains(ANNOTATION), "{text}: {problem}");
        }
    }
}

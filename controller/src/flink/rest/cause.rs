//! What is worth telling of a Java stack trace.

/// Enough for any message that a person reads; a program may put anything into one.
const REASON_MAX: usize = 400;

/// The root cause in one line: the last exception of the chain that has a message, by its simple name.
pub(super) fn root(trace: &str) -> String {
    let mut chain: Vec<String> = Vec::new();
    let mut in_frames = false;
    for line in trace.lines() {
        let text = line.trim_end();
        if text.is_empty()
            || text.starts_with("End of exception on server side")
            || text == "Internal server error."
        {
            continue;
        }
        if text.starts_with(char::is_whitespace) {
            in_frames = true;
            continue;
        }
        let text = text.trim_start_matches("<Exception on server side:");
        match (text.strip_prefix("Caused by: "), chain.last_mut()) {
            (Some(cause), _) => chain.push(cause.to_owned()),
            // A message of several lines.
            (None, Some(last)) if !in_frames => last.push_str(&format!(" {text}")),
            (None, _) => chain.push(text.to_owned()),
        }
        in_frames = false;
    }
    let mut links = chain.iter().map(|link| simple(link.trim()));
    let with_message = links.clone().rfind(|(_, message)| !message.is_empty());
    let (class, message) = with_message.or_else(|| links.next()).unwrap_or_default();
    let reason = match (class, message) {
        ("", message) => message.to_owned(),
        (class, "") => class.to_owned(),
        (class, message) => format!("{class}: {message}"),
    };
    if reason.is_empty() { "no reason is told".to_owned() } else { cut(&reason, REASON_MAX) }
}

/// At most `max` characters, with a mark when there were more.
pub(in crate::flink) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// Simple class name and message of `package.Class: message`, or of a chain of such; no class where there is none.
fn simple(link: &str) -> (&str, &str) {
    let (mut class, mut message) = ("", link);
    while let Some((name, rest)) = class_of(message) {
        class = name.rsplit(['.', '$']).next().unwrap_or(name);
        message = rest;
    }
    (class, message)
}

fn class_of(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once(": ").unwrap_or((text.trim_end_matches(':'), ""));
    let part =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    (name.contains('.') && name.split('.').all(part)).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_cause_is_the_last_one_with_a_message() {
        let trace = "org.apache.flink.util.FlinkException: Failed to execute job 'x'.\n\tat a.B.c(B.java:1)\n\t... 4 more\n\
                     Caused by: java.util.concurrent.CompletionException: java.lang.RuntimeException: \
                     java.io.FileNotFoundException: Cannot find '/no/such'.\n\tat a.B.c(B.java:1)\n\
                     Caused by: java.lang.NullPointerException\n\tat a.B.c(B.java:1)";
        assert_eq!(root(trace), "FileNotFoundException: Cannot find '/no/such'.");
        assert_eq!(root("java.lang.NullPointerException\n\tat a.B.c(B.java:1)"), "NullPointerException");
    }

    #[test]
    fn what_flink_wraps_around_a_trace_is_left_out() {
        let trace = "Internal server error.\n<Exception on server side:\norg.a.ProgramInvocationException: The class \
                     'Nope' was not found.\n\tat a.B.c(B.java:1)\nCaused by: java.lang.ClassNotFoundException: Nope\n\t\
                     ... 5 more\n\nEnd of exception on server side>";
        assert_eq!(root(trace), "ClassNotFoundException: Nope");
        assert_eq!(root("Not found: /jars"), "Not found: /jars");
        assert_eq!(root(" \n"), "no reason is told");
    }

    #[test]
    fn a_message_of_several_lines_is_one_line_and_is_cut() {
        assert_eq!(root("a.B: one\ntwo\n\tat a.B.c(B.java:1)\nthree"), "three");
        assert_eq!(root("a.B: one\ntwo\n\tat a.B.c(B.java:1)"), "B: one two");
        assert_eq!(root(&"ä".repeat(500)).chars().count(), REASON_MAX + 2);
    }
}

//! What is generated from the command line: completions, man pages, and the reference in the docs.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command};

use crate::exit::{Exit, Failure, TABLE};

/// The file in the docs.
#[cfg(test)]
const COMMITTED: &str = "../docs/cli.md";

/// The completions of a shell, on standard output.
pub(super) fn completions(shell: clap_complete::Shell, mut command: Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "tidegate", &mut script);
    crate::output::say(String::from_utf8_lossy(&script).trim_end());
    Exit::Done
}

/// One page for the command and one for each verb, in a folder.
pub(super) fn man(folder: &Path, command: Command) -> Result<Exit, Failure> {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|error| {
        let message = format!("--dir {}: {error}; name a folder that can be written", folder.display());
        Failure::new(Exit::Failed, "Unwritable", message)
    })?;
    Ok(Exit::Done)
}

/// The table of exit codes.
fn exit_codes() -> String {
    let lines: Vec<String> = TABLE.iter().map(|(code, _, what)| format!("  {code}  {what}")).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// What is told when an attempt is repeated, below the exit codes.
const REPEATED: [(&str, &str); 6] = [
    (
        "deploy, update, rollback --to, pause, resume of a resource",
        "it is not edited again, and the end of the first edit is waited for and told; fenced when another one has taken its \
         place. The last ten are known",
    ),
    (
        "promote, abort, rollback, retry, replace",
        "it is not asked for again, and the answer to the first, and its end, are waited for and told. The last one is known",
    ),
    (
        "deploy, update, savepoint with --url",
        "Flink does not do it again, and what came of the first is told, as long as Flink knows of it, and for update its file; \
         so also savepoint of a resource",
    ),
    ("pause, resume by a store", "it is paused, or goes on, after that, whatever was done in between"),
    (
        "terminate",
        "what has ended is not missed, and its last savepoint told again with --url; what was deployed again under that name since \
         is ended, so give that another name, or do not repeat this verb after it",
    ),
    ("all others", "they change nothing, and look again"),
];

/// What stands below the help of the command.
pub(super) fn after_help() -> String {
    let lines: Vec<String> = REPEATED.iter().map(|(verbs, what)| format!("  {verbs}:\n    {what}")).collect();
    format!("{}\n\nThe same --id again:\n{}", exit_codes(), lines.join("\n"))
}

/// The reference as Markdown.
#[cfg_attr(not(test), allow(dead_code, reason = "the docs are written by a test"))]
pub(super) fn markdown(command: &Command) -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("| exit code | | |\n|---|---|---|\n");
    for (code, name, what) in TABLE {
        let _ = writeln!(text, "| {code} | {name} | {what} |");
    }
    text.push_str("\n| verb | the same `--id` again |\n|---|---|\n");
    for (verbs, what) in REPEATED {
        let _ = writeln!(text, "| {verbs} | {what} |");
    }
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        describe(&mut text, verb);
    }
    text
}

const INTRODUCTION: &str = "# The command line

Written by a test from the command line itself (`UPDATE_GOLDEN=1 cargo test -p tidegate --bins`); do not edit it.

A verb is about one of three things:

- a **resource** of the kind `FlinkBlueGreenDeployment`: `NAME`, with `-n` and `--context` as kubectl has them. The account is that of
  the kubeconfig that `KUBECONFIG` names, of `~/.kube/config`, or of the pod;
- a rollout in a **store**, without a controller: `--store` and `--rollout`, or `TIDEGATE_STORE` and `TIDEGATE_ROLLOUT`;
- a job of a **Flink cluster**, without a controller: `NAME` and `--url`.

Linked or copied as `kubectl-tidegate` into a folder of `PATH`, the binary is also `kubectl tidegate`.

Results go to standard output, everything else to standard error. Every verb takes `--output`: `text`, `json`, `yaml`, or `name`, and
`--id`, which names the attempt: 1 to 63 of a-z, 0-9 and, inside, `-`, made up when not given. A pipeline that does not know how a
command has ended types it again with the same id.
Progress is shown on a terminal only. A command that is ended, or comes to its `--timeout`, changes nothing of what it has begun:
ask again, with the same `--id`, and it goes on waiting. Only `update` with `--url` does its work itself: nobody goes on with it until the
same command is typed again, with its `--id`.

At `--url https://…` TLS 1.3 is spoken, and TLS 1.2 with ECDHE. What Flink 1.20 offers when nothing is set is neither: set
`security.ssl.algorithms`, for instance to `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`. Tokens and keys are read from files; they are in no
message, no process list, and no file that is remembered.

";

fn describe(text: &mut String, verb: &Command) {
    let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n## {}\n{about}.\n\n", verb.get_name());
    let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
    if let Some(example) = help.strip_prefix("Example:\n") {
        let lines: Vec<&str> = example.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        let _ =
            write!(text, "```console\n$ {}\n```\n\n", lines.join("\n").replace("\ntidegate", "\n$ tidegate"));
    }
    let arguments: Vec<&Arg> = verb
        .get_arguments()
        .filter(|argument| {
            !argument.is_hide_set() && !["help", "output", "id"].contains(&argument.get_id().as_str())
        })
        .collect();
    if arguments.is_empty() {
        return;
    }
    text.push_str("| argument | |\n|---|---|\n");
    for argument in arguments {
        let _ = writeln!(text, "| {} | {} |", name(argument), meaning(argument));
    }
}

fn name(argument: &Arg) -> String {
    let takes_value = argument.get_action().takes_values();
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let value = value.unwrap_or_else(|| argument.get_id().to_string().to_uppercase());
    let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    match argument.get_long() {
        None => format!("`{value}`"),
        Some(long) if takes_value => format!("`{short}--{long} {value}`"),
        Some(long) => format!("`{short}--{long}`"),
    }
}

fn meaning(argument: &Arg) -> String {
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| argument.get_action().takes_values())
        .map(|value| {
            let help = value.get_help().map(|help| format!(" ({})", lower(&help.to_string())));
            format!("`{}`{}", value.get_name(), help.unwrap_or_default())
        })
        .collect();
    if !values.is_empty() {
        let _ = write!(text, ": {}", values.join(", "));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        let _ = write!(text, "; {} by default", defaults.join(", "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(text, "; `{}`", variable.to_string_lossy());
    }
    if argument.is_required_set() {
        text.push_str("; required");
    }
    text.replace('|', "\\|").replace('\n', " ")
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_committed_reference_is_that_of_the_command_line() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
        let mut command = Cli::command();
        command.build();
        let generated = markdown(&command);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "{COMMITTED} is not that of the command line; run it again with UPDATE_GOLDEN=1"
        );
    }

    #[test]
    fn the_first_page_has_the_exit_codes_as_they_are() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
        let text = std::fs::read_to_string(path).unwrap();
        for (code, _, what) in TABLE {
            assert!(text.contains(&format!("\n| {code} | {what} |\n")), "{code} {what}");
        }
    }

    #[test]
    fn every_shell_has_completions_and_every_verb_a_page() {
        let folder = tempfile::tempdir().unwrap();
        man(folder.path(), Cli::command()).unwrap();
        for verb in Cli::command().get_subcommands() {
            let page = folder.path().join(format!("tidegate-{}.1", verb.get_name()));
            assert!(page.is_file(), "{}", page.display());
        }
        for shell in <clap_complete::Shell as clap::ValueEnum>::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "tidegate", &mut script);
            assert!(String::from_utf8(script).unwrap().contains("savepoint"), "{shell}");
        }
    }
}

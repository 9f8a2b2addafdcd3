use clap::CommandFactory as _;

use super::*;

/// The lines that stand below `Example:`.
fn examples(verb: &mut clap::Command) -> Vec<String> {
    let help = verb.render_long_help().to_string();
    let (_, examples) = help.split_once("Example:\n").unwrap_or_else(|| panic!("no example: {help}"));
    let examples = examples.replace("\\\n", " ");
    examples.lines().take_while(|line| line.starts_with("  ")).map(str::to_owned).collect()
}

/// As a shell parts them.
fn words(line: &str) -> Vec<String> {
    let quoted = line.split('"').enumerate();
    let words = quoted.flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
    as_plugin(Cli::command()).debug_assert();
}

#[test]
fn every_example_can_be_typed() {
    for verb in Cli::command().get_subcommands_mut() {
        let examples = examples(verb);
        assert!(!examples.is_empty());
        for example in examples {
            let words = words(&example);
            assert_eq!(words[..2], ["tidegate", verb.get_name()], "{example}");
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{example}: {error}"));
        }
    }
}

#[test]
fn every_verb_takes_an_attempt() {
    let mut command = Cli::command();
    command.build();
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
    for verb in verbs {
        assert!(
            verb.get_arguments().any(|argument| argument.get_long() == Some("id")),
            "{}",
            verb.get_name()
        );
    }
    let help = command.render_long_help().to_string();
    assert!(help.contains("The same --id again:\n  deploy, update"), "{help}");
}

#[test]
fn as_a_plugin_of_kubectl_it_is_told_how_that_is_typed() {
    let mut command = as_plugin(Cli::command());
    assert!(command.render_usage().to_string().contains("kubectl tidegate"));
    for verb in command.get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
        let examples = examples(verb);
        assert!(examples[0].starts_with("  kubectl tidegate "), "{examples:?}");
    }
}

#[test]
fn a_boundary_that_cannot_be_read_is_a_usage_error_with_the_way_out() {
    let line = ["tidegate", "promote", "--store", "directory:///x", "--rollout", "r", "--at", "soon"];
    let error = Cli::try_parse_from(line).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("+30s"), "{error}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    for (line, told) in [
        ("deploy --jar a.jar", "--file"),
        ("deploy --url http://flink:8081 --jar a.jar", "--name"),
        ("deploy --file a.yaml --name orders", "--name"),
        ("savepoint orders --keep 3", "--every"),
        ("savepoint orders --every 0s", "1s or more"),
        ("query orders --token-file t", "--url"),
        ("list -A -n shop", "--namespace"),
        ("update orders --config a", "KEY=VALUE"),
        ("terminate orders --id Build", "build-1234"),
        ("man", "--dir"),
        ("pause orders --id Build", "build-1234"),
    ] {
        let words = ["tidegate"].into_iter().chain(line.split(' '));
        let error = Cli::try_parse_from(words).err().unwrap_or_else(|| panic!("{line} was taken"));
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(told), "{line}: {error}");
    }
}

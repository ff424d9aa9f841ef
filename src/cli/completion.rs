//! What a shell offers when somebody presses Tab: the words of the parser, paths, and the names of the
//! repository around.
//!
//! The script that `pent completions` prints calls the program back with [`VARIABLE`] set and the
//! line so far behind `--`. Nothing is ever changed by that, and nothing is said when there is nothing
//! to offer.

use crate::cli::arguments;
use crate::cli::known_names::{NameKind, Surroundings};
use crate::repo::refs::DRAFT_PREFIX;
use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::Shells;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

/// Set by the scripts to the shell's name when it is the shell that asks.
pub const VARIABLE: &str = "PENT_COMPLETE";

/// Names that are offered for one argument; a terminal shows no more in a useful way.
const OFFERS_MAX: usize = 500;

/// bash splits what it gets at a character that no name has, wants blanks in paths masked, and gives
/// the word with what masks them already.
const BASH: &str = r#"_pent() {
    local IFS=$'\013' offer
    local words=("${COMP_WORDS[@]}")
    words[COMP_CWORD]="${2//\\/}"
    COMPREPLY=( $( \
        _CLAP_IFS="$IFS" \
        _CLAP_COMPLETE_INDEX="$COMP_CWORD" \
        PENT_COMPLETE=bash \
        pent -- "${words[@]}" 2>/dev/null \
    ) )
    for offer in "${COMPREPLY[@]}"; do
        if [[ -e $offer || $offer == */ ]]; then
            compopt -o filenames 2>/dev/null
        fi
        if [[ ${#COMPREPLY[@]} -eq 1 && $offer == *[=/] ]]; then
            compopt -o nospace 2>/dev/null
        fi
    done
}
complete -o bashdefault -o nosort -F _pent pent 2>/dev/null || complete -o bashdefault -F _pent pent
"#;

/// zsh runs the file itself the first time that it is needed.
const ZSH_AUTOLOADED: &str = r"
if [[ $funcstack[1] == _pent ]]; then
    _clap_dynamic_completer_pent
fi
";

/// The script that makes a shell ask this program; `None` for a shell that is not known.
pub fn script(shell: &str) -> io::Result<Option<Vec<u8>>> {
    if shell == "bash" {
        return Ok(Some(BASH.as_bytes().to_vec()));
    }
    let shells = Shells::builtins();
    let Some(completer) = shells.completer(shell) else { return Ok(None) };
    let mut text = Vec::new();
    completer.write_registration(VARIABLE, "pent", "pent", "pent", &mut text)?;
    if shell == "zsh" {
        text.extend_from_slice(ZSH_AUTOLOADED.as_bytes());
    }
    Ok(Some(text))
}

/// Answers a shell: how the line may go on whose words stand behind `--`.
pub fn answer(shell: &str, arguments: Vec<OsString>, folder: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let line: Vec<OsString> = arguments.into_iter().skip_while(|word| word != "--").skip(1).collect();
    let shells = Shells::builtins();
    if let Some(completer) = shells.completer(shell)
        && !line.is_empty()
    {
        completer.write_complete(&mut with_offers(arguments::command()), line, Some(folder), &mut text)?;
    }
    Ok(text)
}

/// What is offered for an argument: names of a kind, perhaps paths as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offer {
    names: NameKind,
    paths: bool,
}

impl Offer {
    /// By what the help calls the argument, and where that says too little by the command.
    fn of(verb: &str, inner: &str, value: &str) -> Option<Self> {
        let names = match (value, verb, inner) {
            ("DRAFT" | "BRANCH" | "SUBMISSION" | "SUBMISSION|PATH", ..)
            | ("NAME", "switch" | "push", _)
            | ("NAME" | "OLD", "draft", "switch" | "rename" | "delete") => NameKind::Branch,
            ("NAME", "tag", _) => NameKind::Tag,
            ("REVISION" | "REVISION|PATH" | "REVISION|RANGE|PATH" | "ASSET|REVISION", ..)
            | ("NAME", "audit", _) => NameKind::Revision,
            ("REMOTE", ..) | ("NAME", "remote", "set" | "remove" | "check" | "verify" | "repair" | "gc") => {
                NameKind::Remote
            }
            ("NAME", "config", _) => NameKind::Setting,
            ("COLLECTION", ..) => NameKind::Collection,
            ("HANDLE", "identity", "use" | "remove" | "revoke" | "export" | "add") => NameKind::Person,
            _ => return None,
        };
        Some(Self { names, paths: value.contains("PATH") || value.contains("ASSET") })
    }
}

impl ValueCompleter for Offer {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let names = Surroundings::read().map(|around| around.names(self.names)).unwrap_or_default();
        let begun = current.to_string_lossy();
        // A draft may be called with or without `draft/`.
        let fitting = names.into_iter().filter_map(|name| {
            let short = name.strip_prefix(DRAFT_PREFIX).filter(|short| short.starts_with(&*begun));
            if name.starts_with(&*begun) { Some(name) } else { short.map(str::to_owned) }
        });
        let mut offers: Vec<CompletionCandidate> =
            fitting.take(OFFERS_MAX).map(CompletionCandidate::new).collect();
        if self.paths {
            offers.extend(PathCompleter::any().complete(current));
        }
        offers
    }
}

/// Gives every argument that takes a name what can be offered for it.
fn with_offers(command: Command) -> Command {
    command.mut_subcommands(|verb| {
        let name = verb.get_name().to_owned();
        let verb = verb.mut_args(|argument| offering(argument, &name, ""));
        verb.mut_subcommands(|inner| {
            let inner_name = inner.get_name().to_owned();
            inner.mut_args(|argument| offering(argument, &name, &inner_name))
        })
    })
}

fn offering(argument: Arg, verb: &str, inner: &str) -> Arg {
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    match value.and_then(|value| Offer::of(verb, inner, &value)) {
        Some(offer) => argument.add(ArgValueCompleter::new(offer)),
        None => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &[&str]) -> String {
        let words = ["--", "pent"].iter().chain(line).map(OsString::from).collect();
        let text = answer("fish", words, Path::new("/")).expect("an answer");
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn commands_options_and_settings_are_offered() {
        assert!(offered(&["sta"]).starts_with("status\t"));
        assert!(offered(&["commit", "--mess"]).starts_with("--message\t"));
        assert_eq!(offered(&["config", "user.na"]).trim_end(), "user.name");
        assert_eq!(offered(&["draft", "ren"]).split('\t').next(), Some("rename"));
    }

    #[test]
    fn every_shell_has_a_script_that_calls_the_program_back() {
        for shell in ["bash", "zsh", "fish", "powershell"] {
            let text = script(shell).expect("a script").expect("a shell that is known");
            assert!(String::from_utf8_lossy(&text).contains(VARIABLE), "{shell}");
        }
        assert!(script("tcsh").expect("no error").is_none());
    }

    #[test]
    fn arguments_that_take_a_name_are_recognised() {
        let mut found = Vec::new();
        let command = with_offers(arguments::command());
        for verb in command.get_subcommands() {
            for argument in
                verb.get_arguments().filter(|argument| argument.get::<ArgValueCompleter>().is_some())
            {
                found.push(format!("{} {}", verb.get_name(), argument.get_id()));
            }
        }
        for expected in
            ["switch name", "tag name", "submit to", "restore revision", "diff words", "log revision"]
        {
            assert!(found.iter().any(|name| name == expected), "{expected} in {found:?}");
        }
    }
}

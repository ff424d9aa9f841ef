//! The documentation of the commands says what the program does.

use crate::support::assert_file;

#[test]
fn the_command_reference_is_what_the_parser_says() {
    assert_file("docs/commands.md", &pentimento::cli::reference::markdown().expect("a reference"));
}

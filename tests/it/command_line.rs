//! The program as a command among others in a shell.

use std::process::{Command, Stdio};

use crate::harness::program;

#[test]
fn a_command_whose_reader_has_left_ends_without_a_word() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let told = Command::new(program()).args(["check", "--defaults"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stderr), "");
    assert_eq!(told.status.code(), Some(141), "as a shell tells a broken pipe");
}

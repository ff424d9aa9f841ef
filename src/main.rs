//! The `pent` program: everything it does is in the library.

fn main() -> std::process::ExitCode {
    pentimento::cli::main()
}

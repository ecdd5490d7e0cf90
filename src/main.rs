//! The binary; see [`meshscrape::program`].

use std::process::ExitCode;

fn main() -> ExitCode {
    meshscrape::program::main()
}

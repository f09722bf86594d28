//! The program `lectern`.

use std::process::ExitCode;

use lectern_server::cli::{Cli, run};
use lectern_server::production::Production;
use lectern_server::trouble::Trouble;

fn main() -> ExitCode {
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|wrong| wrong.exit());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(&Trouble::new("cannot start").caused_by(&error)),
    };
    match runtime.block_on(run(cli, &Production, &mut std::io::stdout())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => told(&trouble),
    }
}

fn told(trouble: &Trouble) -> ExitCode {
    eprintln!("{trouble}");
    ExitCode::FAILURE
}

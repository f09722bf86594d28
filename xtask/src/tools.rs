//! Finding, installing, starting and stopping other programs.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

/// The root of the repository.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// `cargo`, the same one that runs us, in the root of the repository.
pub fn cargo_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs `cargo` with these arguments; it has to succeed.
pub fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    succeed(&mut cargo_command(arguments))
}

/// Runs a command, whose output goes where ours goes; it has to succeed.
pub fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let words = words(command);
    println!("$ {words}");
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{words}`"))?;
    ensure!(status.success(), "`{words}` ended with {status}");
    Ok(())
}

/// Builds something with `cargo build` and these arguments, and says where the executable of this name is.
///
/// # Errors
///
/// If it cannot be built.
pub fn built(what: &[&str], name: &str, release: bool) -> anyhow::Result<PathBuf> {
    let mut arguments = vec!["build", "--locked", "--message-format", "json-render-diagnostics"];
    arguments.extend(what);
    if release {
        arguments.push("--release");
    }
    println!("$ cargo {}", arguments.join(" "));
    let messages = cargo_command(&arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(messages.status.success(), "`cargo {}` failed", arguments.join(" "));
    let messages = String::from_utf8_lossy(&messages.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executables
        .rfind(|executable| executable.file_stem().is_some_and(|stem| stem == name))
        .with_context(|| format!("cargo built no {name}"))
}

/// What a command prints; it has to succeed.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let words = words(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{words}`"))?;
    ensure!(
        output.status.success(),
        "`{words}` ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).with_context(|| format!("`{words}` printed something that is not UTF-8"))
}

/// The command as a person would type it. Access tokens are no part of it.
pub fn words(command: &Command) -> String {
    let mut words = vec![command.get_program()];
    words.extend(command.get_args());
    let words: Vec<_> = words.into_iter().map(OsStr::to_string_lossy).collect();
    let mut secret = false;
    let shown = words.iter().map(|word| if std::mem::replace(&mut secret, word == "--token") { "…" } else { word });
    shown.collect::<Vec<_>>().join(" ")
}

/// Where a program is, if it can be found.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    // Debian keeps the programs of PostgreSQL's server to itself.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let servers = versions.map(|version| version.path().join("bin"));
    let mut folders = std::env::split_paths(&path).chain(sbin).chain(servers);
    folders.find_map(|folder| Some(folder.join(program)).filter(|path| path.is_file()))
}

/// Sees to it that all of these programs are there: each with the Debian package that has it, and what it is for. What
/// is missing is installed where that is possible.
pub fn need(programs: &[(&str, &str, &str)]) -> anyhow::Result<()> {
    let missing = || programs.iter().filter(|(program, ..)| which(program).is_none());
    let packages: Vec<&str> = missing().map(|(_, package, _)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let may_install = which("apt-get").is_some() && output(Command::new("id").arg("-u"))?.trim() == "0";
    if may_install {
        succeed(Command::new("apt-get").args(["update", "--quiet"]))?;
        let mut install = Command::new("apt-get");
        install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(&packages);
        succeed(install.env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    let still: Vec<_> = missing().copied().collect();
    if still.is_empty() { Ok(()) } else { bail!(complaint(&still)) }
}

/// The same for programs without which some tests are skipped: what is still missing is said, and is an error only in CI,
/// where nothing may be skipped.
pub fn want(programs: &[(&str, &str, &str)]) -> anyhow::Result<()> {
    match need(programs) {
        Err(error) if !in_ci() => println!("{error:#}\nwithout them, some tests are skipped"),
        result => result?,
    }
    Ok(())
}

/// Whether this is a run in which nothing may be skipped.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// What is missing, for what, and what to do.
fn complaint(missing: &[(&str, &str, &str)]) -> String {
    let mut text = "these programs are missing:\n".to_owned();
    for (program, package, reason) in missing {
        text += &format!("  {program} (Debian package {package}), for {reason}\n");
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package, _)| *package).collect();
    text + "hint: apt-get install " + &packages.join(" ")
}

/// A program in the background. Dropping it kills it.
pub struct Running {
    child: Child,
    name: String,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts it; its standard error goes where ours goes.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = words(command);
        println!("$ {name} &");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        let stdout = child.stdout.take().map(BufReader::new);
        Ok(Self { child, name, stdout })
    }

    /// Waits for the first line of its standard output of which `wanted` makes something. What follows is thrown away,
    /// so that the program never waits for us to read it.
    pub fn wait_for<T: Send + 'static>(
        &mut self,
        within: Duration,
        wanted: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let Some(mut stdout) = self.stdout.take() else { bail!("the output of `{}` was read already", self.name) };
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while stdout.read_line(&mut line).is_ok_and(|count| count > 0) {
                if let Some(found) = wanted(&line) {
                    // Nobody waits any more if it took too long.
                    let _ = tell.send(found);
                    break;
                }
                line.clear();
            }
            drop(tell);
            let _ = std::io::copy(&mut stdout.by_ref(), &mut std::io::sink());
        });
        told.recv_timeout(within)
            .with_context(|| format!("`{}` did not print what it should within {within:?}", self.name))
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Its end, if it has ended.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn ended(&mut self) -> anyhow::Result<Option<std::process::ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_command_hides_the_access_token() {
        let mut command = Command::new("run.py");
        command.args(["--wopisrc", "http://127.0.0.1/wopi/files/1", "--token", "secret", "--json", "x"]);
        assert_eq!(words(&command), "run.py --wopisrc http://127.0.0.1/wopi/files/1 --token … --json x");
    }

    #[test]
    fn a_program_that_is_missing_is_named_with_its_package_and_reason() {
        assert!(which("sh").is_some() && which("lectern-no-such-program").is_none());
        assert!(need(&[("sh", "dash", "this test")]).is_ok());
        let complaint = complaint(&[("cc", "gcc", "the C code"), ("mount", "mount", "a full disk")]);
        assert_eq!(
            complaint,
            "these programs are missing:\n  cc (Debian package gcc), for the C code\n  \
             mount (Debian package mount), for a full disk\nhint: apt-get install gcc mount"
        );
    }

    #[test]
    fn the_line_that_is_waited_for_is_found_among_others() {
        let mut running = Running::start(Command::new("printf").arg("one\\ntwo 2\\nthree\\n")).unwrap();
        let found = running.wait_for(Duration::from_secs(10), |line| line.strip_prefix("two ").map(str::to_owned));
        assert_eq!(found.unwrap().trim(), "2");
        let mut running = Running::start(Command::new("printf").arg("one\\n")).unwrap();
        assert!(running.wait_for(Duration::from_secs(10), |line| line.strip_prefix("two").map(drop)).is_err());
    }
}

//! Starts BIRD 2 and reads its control socket.

use std::path::Path;
use std::process::Command;

use crate::command::run;
use crate::needs::Needs;
use crate::process::Process;
use crate::router::{Program, write};
use crate::terminal::Dialect;

/// BIRD and its client birdc.
pub static BIRD: Program = Program {
    name: "bird",
    needs: Needs {
        programs: &["bird", "birdc"],
        root: false,
    },
    owner: None,
    start: |launch, directory| {
        let mut bird = launch.command("bird");
        bird.arg("-f").arg("-c");
        bird.arg(write(directory, "bird.conf", &launch.configuration));
        // The default socket and pid file exist once a machine; tests run several routers at once.
        bird.arg("-s").arg(directory.join(CONTROL.socket));
        bird.arg("-P").arg(directory.join("pid"));
        bird.args(launch.arguments);
        vec![Process::start(bird, directory.join("log"))]
    },
    probe: "show status",
    client,
    dialect: Some(&CONTROL),
};

/// The framing of BIRD's control socket. The last line of an answer begins with four digits and a space.
static CONTROL: Dialect = Dialect {
    socket: "control",
    terminator: b'\n',
    greets: true,
    text: |answer| {
        // Other lines begin with four digits and `-`, or with a space if they continue the code before.
        let lines = answer.strip_suffix(b"\n")?;
        let last = lines.rsplit(|octet| *octet == b'\n').next()?;
        let (code, rest) = last.split_at_checked(4)?;
        let is_last = code.iter().all(u8::is_ascii_digit) && rest.first() == Some(&b' ');
        is_last.then_some(answer)
    },
};

/// Runs a command in birdc. Returns its output, or `None` if BIRD does not answer.
fn client(directory: &Path, command: &str) -> Option<String> {
    let mut birdc = Command::new("birdc");
    birdc.arg("-s").arg(directory.join(CONTROL.socket));
    let output = run(birdc.args(command.split(' ')));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    // birdc also fails for a route that BIRD does not have, so its banner decides, not its status.
    answer.contains("ready.").then_some(answer)
}

//! Other programs whose input or output is secret: through pipes, never through arguments, files or memory that stays.

use std::io::{self, Read, Write as _};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

/// The most that is kept of what a program complains of.
const MOST_COMPLAINTS: usize = 64 << 10;

/// What a program left.
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) printed: Zeroizing<Vec<u8>>,
    /// Its standard error, where that is a pipe.
    pub(crate) complaints: Vec<u8>,
}

/// Runs it to its end. With an input, that is its standard input and its standard error is collected; otherwise both are
/// what the command says.
pub(crate) fn output(command: &mut Command, input: Option<&[u8]>, most: usize) -> io::Result<Output> {
    if input.is_some() {
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
    }
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (printed, complaints) = std::thread::scope(|scope| {
        // A program that needs no more of it ends without reading it: the error is its own.
        scope.spawn(move || stdin.zip(input).map(|(mut stdin, input)| stdin.write_all(input)));
        let complaints = scope.spawn(move || {
            let mut complaints = Vec::new();
            if let Some(stderr) = stderr {
                let _ = stderr.take(MOST_COMPLAINTS as u64).read_to_end(&mut complaints);
            }
            complaints
        });
        let printed = stdout.map_or_else(|| Ok(Zeroizing::default()), |stdout| read_wiped(stdout, most));
        (printed, complaints.join().unwrap_or_default())
    });
    if printed.is_err() {
        // It may still be printing.
        let _ = child.kill();
    }
    let success = child.wait()?.success();
    Ok(Output { success, printed: printed?, complaints })
}

/// Reads to the end; a buffer that is outgrown is wiped.
fn read_wiped(mut from: impl Read, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut read = Zeroizing::new(Vec::with_capacity(4096));
    let mut chunk = Zeroizing::new([0; 4096]);
    loop {
        let count = match from.read(&mut *chunk) {
            Ok(0) => return Ok(read),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read.len() + count > most {
            return Err(io::Error::other("it prints too much"));
        }
        if read.capacity() < read.len() + count {
            let mut larger = Zeroizing::new(Vec::with_capacity((read.len() + count) * 2));
            larger.extend_from_slice(&read);
            read = larger;
        }
        read.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, input: Option<&[u8]>) -> io::Result<Output> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        output(&mut command, input, 100_000)
    }

    #[test]
    fn both_pipes_are_served_at_once() {
        let much = vec![b'x'; 90_000];
        let output = shell("cat; cat /dev/zero | head -c 200000 >&2", Some(&much));
        // More complaints than are kept: the pipe closes, and the program with it.
        assert_eq!(output.unwrap().printed.as_slice(), much);
        assert!(!shell("exit 3", Some(&much)).unwrap().success);
        assert!(shell("echo why >&2; exit 3", Some(b"")).unwrap().complaints.starts_with(b"why"));
    }

    #[test]
    fn too_much_is_an_error_and_no_wait() {
        assert!(shell("cat /dev/zero", None).is_err());
    }
}

//! A stand-in of AWS that keeps real data (moto), and a proxy before it that counts calls and can answer by itself.

mod proxy;

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) use proxy::{Canned, Proxy};

/// The server that all tests of this program share, in one region each would do if they wrote the same names.
struct Moto {
    port: u16,
    /// Its standard input is ours: when this program ends, however it does, the shell reads the end of it.
    _shell: Child,
}

/// The port of the server, which is started by whoever asks first.
pub(crate) fn port() -> u16 {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(start).port
}

fn start() -> Moto {
    let program = std::env::var_os("SEALWAX_TEST_MOTO").map(PathBuf::from);
    let program = program.expect("SEALWAX_TEST_MOTO is the path of moto_server, of pip install 'moto[server]==5.2.*'");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = r#""$0" -H 127.0.0.1 -p "$1" >/dev/null 2>&1 & moto=$!; cat >/dev/null; kill "$moto""#;
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(&program).arg(port.to_string()).stdin(Stdio::piped());
    let shell = command.spawn().unwrap();
    let patience = Instant::now() + Duration::from_mins(1);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < patience, "{} does not answer", program.display());
        std::thread::sleep(Duration::from_millis(50));
    }
    Moto { port, _shell: shell }
}

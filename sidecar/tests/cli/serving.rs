//! A sidecar as a process, and what it needs around it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::{example, program};

/// Longer than anything takes, on the slowest machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A sidecar on free ports, ended when dropped.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) log: PathBuf,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_as(program(), folder, arguments)
    }

    pub(crate) fn start_as(mut program: Command, folder: &Path, arguments: &[&str]) -> Self {
        let log = folder.join("stderr");
        let child = program
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--inspect", "127.0.0.1:0"])
            .args(if arguments.contains(&"--policy") {
                vec![]
            } else {
                vec!["--policy".to_owned(), example("read-only.yaml")]
            })
            .args(if arguments.contains(&"--upstream") { &[][..] } else { &["--upstream", "http://127.0.0.1:9/mcp"] })
            .args(arguments)
            .stdout(std::fs::File::create(folder.join("stdout")).unwrap())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn eventually(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !condition(&self.log()) {
            assert!(Instant::now() < until, "never: {what}; the log is\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    pub(crate) fn code(mut self) -> Option<i32> {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "it does not end; the log is\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A server that takes a call, says so, and answers it when told.
pub(crate) fn slow_server() -> (String, Receiver<()>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let ((took, taken), (answer, told)) = (channel(), channel::<()>());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"}}") {
            let read = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..read]);
        }
        took.send(()).unwrap();
        let _ = told.recv();
        let body = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + body).as_bytes());
    });
    (url, taken, answer)
}

/// Where it listens for this purpose, as its log says.
pub(crate) fn address(serving: &Serving, purpose: &str) -> String {
    serving.eventually("it says where", |log| log.contains(" state: "));
    let log = serving.log();
    let line = log.lines().find(|line| line.contains(&format!(" {purpose}: "))).unwrap();
    let (_, address) = line.split_once("http://").unwrap();
    address.split('/').next().unwrap().to_owned()
}

/// Calls a tool; gives the connection on which the answer will come.
pub(crate) fn call(serving: &Serving) -> TcpStream {
    let address = address(serving, "agents");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_datastore","arguments":{}}}"#;
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

//! A server that keeps books: it notes each call that it executes, by its number, and fails in the way that a test says.
//!
//! Calls come from [`crate::load`], each with a number of its own as its id and its argument `n`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::process::free_port;

/// The largest event that a server in these tests sends.
pub const HUGE: usize = 50 << 20;

/// What the server does with a call that it has executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers at once.
    Answers,
    /// Answers at once, as an event of a stream.
    Streams,
    /// Answers after this long.
    AnswersAfter(Duration),
    /// Answers byte by byte.
    Trickles,
    /// Keeps silent.
    Hangs,
    /// Cuts the connection off with half of its answer sent.
    ResetsInTheBody,
    /// Cuts the connection off with half of its answer sent, which is an event.
    ResetsInAnEvent,
    /// Sends what is no HTTP.
    SendsGarbage,
    /// Sends what is HTTP around no message.
    SendsNoMessage,
    /// Sends the agent to this port.
    Redirects(u16),
    /// Sends one event of [`HUGE`] bytes.
    SendsAHugeEvent,
    /// Sends a body that never ends.
    SendsForEver,
    /// Sends events that never end, and no answer.
    StreamsForEver,
}

/// One execution of a call.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The call's number.
    pub number: u64,
    /// The tool that was called.
    pub tool: String,
    /// When.
    pub at: Instant,
}

#[derive(Debug)]
struct Books {
    behaviour: Mutex<Behaviour>,
    executed: Mutex<Executed>,
}

#[derive(Debug, Default)]
struct Executed {
    /// How often each tool was.
    tools: HashMap<String, usize>,
    /// The calls that have a number: those of [`crate::wrk`] have none, and are too many to be kept.
    numbered: Vec<Execution>,
}

impl Executed {
    fn enter(&mut self, number: u64, tool: &str) {
        match self.tools.get_mut(tool) {
            Some(times) => *times += 1,
            None => _ = self.tools.insert(tool.to_owned(), 1),
        }
        if number > 0 {
            self.numbered.push(Execution { number, tool: tool.to_owned(), at: Instant::now() });
        }
    }
}

/// The server. It may die, and come back at the same address.
#[derive(Debug)]
pub struct Ledger {
    /// Where it is.
    pub url: String,
    address: SocketAddr,
    books: Arc<Books>,
    runtime: Option<Runtime>,
}

impl Ledger {
    /// Starts a server that answers.
    ///
    /// # Panics
    /// If loopback has no port.
    pub fn start() -> Self {
        let books = Books { behaviour: Mutex::new(Behaviour::Answers), executed: Mutex::default() };
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let url = format!("http://{address}/mcp");
        let mut ledger = Self { url, address, books: Arc::new(books), runtime: None };
        ledger.come_back();
        ledger
    }

    /// Is gone at once, with all its connections, as a process that is killed.
    pub fn die(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Is there again.
    ///
    /// # Panics
    /// If another has taken its port.
    pub fn come_back(&mut self) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads can be made");
        let listener = runtime.block_on(async { listen(self.address) }).expect("the server's port is free");
        let books = Arc::clone(&self.books);
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let books = Arc::clone(&books);
                tokio::spawn(async move { serve(stream, &books).await });
            }
        });
        self.runtime = Some(runtime);
    }

    /// Does this with the calls that come from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        *held(&self.books.behaviour) = behaviour;
    }

    /// The calls with a number that it has executed.
    pub fn executions(&self) -> Vec<Execution> {
        held(&self.books.executed).numbered.clone()
    }

    /// How many calls it has executed, those without a number too.
    pub fn executed_in_all(&self) -> usize {
        held(&self.books.executed).tools.values().sum()
    }

    /// How often it has executed a tool.
    pub fn executed(&self, tool: &str) -> usize {
        held(&self.books.executed).tools.get(tool).copied().unwrap_or_default()
    }

    /// How it has executed each call that has a number.
    pub fn by_number(&self) -> HashMap<u64, Vec<String>> {
        let mut all: HashMap<u64, Vec<String>> = HashMap::new();
        for execution in &held(&self.books.executed).numbered {
            all.entry(execution.number).or_default().push(execution.tool.clone());
        }
        all
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.die();
    }
}

/// Listens as servers do that many may call at once: what waits is not to wait for the server's port.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4_096)
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection to its end.
async fn serve(mut stream: TcpStream, books: &Books) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    loop {
        let body = request(&mut stream, &mut buffer).await?;
        let Ok(message) = serde_json::from_slice::<Value>(&body) else { return None };
        if message["method"] == "tools/call" {
            let number = message["params"]["arguments"]["n"].as_u64().unwrap_or_default();
            held(&books.executed).enter(number, message["params"]["name"].as_str().unwrap_or_default());
        }
        let behaviour = *held(&books.behaviour);
        act(&mut stream, behaviour, &message).await?;
    }
}

/// The body of the next request.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..at + 2]).into_owned();
            let length = crate::http::header(&head, "content-length").and_then(|length| length.parse().ok());
            let end = at + 4 + length.unwrap_or(0);
            while buffer.len() < end {
                read(stream, buffer).await?;
            }
            let rest = buffer.split_off(end);
            let body = std::mem::replace(buffer, rest).split_off(at + 4);
            return Some(body);
        }
        read(stream, buffer).await?;
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    matches!(stream.read_buf(buffer).await, Ok(1..)).then_some(())
}

/// Answers a message. None: the connection is over.
async fn act(stream: &mut TcpStream, behaviour: Behaviour, message: &Value) -> Option<()> {
    let text = format!("done {}", message["params"]["arguments"]["n"]);
    let result = json!({"resultType": "complete", "content": [{"type": "text", "text": text}]});
    let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
    let json = head("200 OK", "application/json", answer.len()) + &answer;
    let event = format!("data: {answer}\n\n");
    match behaviour {
        Behaviour::Answers => write(stream, json.as_bytes()).await,
        Behaviour::Streams => write(stream, (head("200 OK", EVENTS, event.len()) + &event).as_bytes()).await,
        Behaviour::AnswersAfter(delay) => {
            tokio::time::sleep(delay).await;
            write(stream, json.as_bytes()).await
        }
        Behaviour::Trickles => {
            for byte in json.as_bytes().chunks(1) {
                write(stream, byte).await?;
                tokio::task::yield_now().await;
            }
            Some(())
        }
        Behaviour::Hangs => until_closed(stream).await,
        Behaviour::ResetsInTheBody => reset(stream, &json).await,
        Behaviour::ResetsInAnEvent => reset(stream, &(head("200 OK", EVENTS, event.len()) + &event)).await,
        Behaviour::SendsGarbage => {
            let garbage: Vec<u8> = (0..512_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            write(stream, &garbage).await?;
            None
        }
        Behaviour::SendsNoMessage => {
            let none = "{\"jsonrpc\":\"2.0\",\"result\":{},\"result\":{\"tools\":[]}}";
            write(stream, (head("200 OK", "application/json", none.len()) + none).as_bytes()).await
        }
        Behaviour::Redirects(port) => {
            let head = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{port}/mcp\r\nContent-Length: 0\r\n\r\n"
            );
            write(stream, head.as_bytes()).await
        }
        Behaviour::SendsAHugeEvent => {
            write(stream, open_ended(EVENTS).as_bytes()).await?;
            write(stream, b"data: \"").await?;
            repeat(stream, &[b'x'; 64 << 10], HUGE / (64 << 10)).await
        }
        Behaviour::SendsForEver => {
            write(stream, open_ended("application/json").as_bytes()).await?;
            repeat(stream, &[b' '; 64 << 10], usize::MAX).await
        }
        Behaviour::StreamsForEver => {
            write(stream, open_ended(EVENTS).as_bytes()).await?;
            repeat(stream, b": still there\n\n", usize::MAX).await
        }
    }
}

const EVENTS: &str = "text/event-stream";

fn head(status: &str, kind: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")
}

/// The head of a body that ends with the connection.
fn open_ended(kind: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n")
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).await.ok()
}

/// Writes this, as often as that, until the connection is over.
async fn repeat(stream: &mut TcpStream, bytes: &[u8], times: usize) -> Option<()> {
    for _ in 0..times {
        write(stream, bytes).await?;
    }
    None
}

async fn until_closed(stream: &mut TcpStream) -> Option<()> {
    while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {}
    None
}

/// Sends half of an answer and cuts the connection off.
async fn reset(stream: &mut TcpStream, answer: &str) -> Option<()> {
    write(stream, &answer.as_bytes()[..answer.len() - 20]).await?;
    let _ = stream.set_zero_linger();
    None
}

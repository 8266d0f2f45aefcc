//! Generated requests: what a server runs as one tool, the sidecar has seen as that tool, or refused to read.
//!
//! Each request goes directly to a real server, and to the sidecar before that server, whose policy permits no call. What
//! the server ran stands in its log; which tool the sidecar saw stands in its refusal.
//!
//! `REEVE_SEED` and `REEVE_REQUESTS` (to each server) change what is generated. The same seed gives the same requests.

mod dice;
mod document;
mod requests;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use reeve_tests::agent::LEGACY;
use reeve_tests::clients::Era;
use reeve_tests::http::{self, Answer, Exchange};
use reeve_tests::request::Request;
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::Sidecar;

use self::dice::Dice;
use crate::scene::{MOMENT, PATIENCE};

/// A policy under which every call is refused, by its tool's name.
const NOTHING: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: nothing}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: nobody, tools: [no_such_tool], action: Allow}
";

/// The servers that tell in their log what they run: those of every SDK.
const SERVERS: &[Kind] =
    &[Kind::TypeScript, Kind::Express, Kind::Python, Kind::Fast, Kind::Rust, Kind::Go13, Kind::Go14];

/// Requests to each server.
const REQUESTS: u64 = 1_500;

/// After how many requests others begin in a session of their own, should one have spoilt it.
const SESSION: u64 = 25;

/// What came of the requests to one server.
#[derive(Default)]
struct Tally {
    requests: u64,
    /// Of how many the server ran a tool.
    ran: u64,
    /// Of how many it ran another tool than the first that the body names.
    deceptive: u64,
    /// Those that got past the sidecar, in words.
    past: Vec<String>,
}

/// A server's log, from where it was last read.
struct Log {
    read: u64,
}

impl Log {
    /// The tools that ran since it was last asked.
    fn ran(&mut self, server: &Server) -> Vec<String> {
        let mut file = File::open(server.log_file()).unwrap();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let ran = text.lines().filter_map(|line| line.strip_prefix("ran ")?.split(' ').next());
        ran.map(str::to_owned).collect()
    }
}

/// Sends a request; nothing of an answer that does not come.
fn answered(address: &str, request: &Request) -> Answer {
    let exchange = Exchange::attempt(address, &request.bytes(address));
    exchange.whole_or_none(MOMENT, || {
        for _ in 0..3 {
            Exchange::attempt(address, &Request::permitted().bytes(address)).whole_within(PATIENCE);
        }
    })
}

/// Opens a session: nothing with servers that have none.
fn session(address: &str) -> Option<String> {
    let hello = format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{LEGACY}","capabilities":{{}},"clientInfo":{{"name":"agent","version":"1"}}}}}}"#
    );
    let answer = Request::post("/mcp", hello).send(address).whole_within(PATIENCE);
    let session = answer.header("mcp-session-id").map(str::to_owned);
    let mut begun = Request::post("/mcp", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    begun.set("MCP-Protocol-Version", LEGACY);
    session.iter().for_each(|session| begun.set("Mcp-Session-Id", session));
    begun.send(address).whole_within(PATIENCE);
    session
}

/// The tool that a refusal of the sidecar names.
fn refused(answer: &Answer) -> Option<&str> {
    let (_, after) = answer.body.split_once("The tool `")?;
    let (tool, rest) = after.split_once('`')?;
    rest.contains(" was not called.").then_some(tool)
}

fn tally(index: usize, kind: Kind, seed: u64, requests: u64) -> Tally {
    let mut server = Server::start(kind);
    let sidecar = Sidecar::start(NOTHING, &server.url);
    let [direct, through] = [&server.url, &sidecar.url].map(|url| http::split(url).0.to_owned());
    let mut log = Log { read: 0 };
    let mut sessions = [None, None];
    let mut tally = Tally { requests, ..Tally::default() };
    for number in 0..requests {
        if number % SESSION == 0 {
            let file = server.log_file().to_owned();
            server.revive();
            if file != server.log_file() {
                log = Log { read: 0 };
            }
            sessions = [&direct, &through].map(|address| session(address));
        }
        let mut dice = Dice::new(seed, index as u64, number);
        let era = if kind.speaks(Era::Modern) && dice.one_in(2) { Era::Modern } else { Era::Legacy };
        let request = requests::request(&mut dice, era);
        let [directly, via] = sessions.each_ref().map(|session| {
            let mut request = request.clone();
            if let (Era::Legacy, Some(session)) = (era, session) {
                request.set("Mcp-Session-Id", session);
            }
            request
        });
        answered(&direct, &directly);
        let ran = log.ran(&server);
        let answer = answered(&through, &via);
        let past = log.ran(&server);
        tally.count(&format!("{kind:?}, request {number}"), &request, &ran, &answer, &past);
    }
    tally
}

impl Tally {
    fn count(&mut self, which: &str, request: &Request, ran: &[String], answer: &Answer, past: &[String]) {
        let body = String::from_utf8_lossy(&request.body);
        let first = body.split_once("\"name\":\"").and_then(|(_, rest)| rest.split('"').next());
        self.ran += u64::from(!ran.is_empty());
        self.deceptive += u64::from(ran.iter().any(|tool| first.is_some_and(|first| first != tool)));
        let seen = refused(answer);
        let understood = ran.iter().all(|tool| answer.status >= 400 || seen == Some(tool));
        if !understood || !past.is_empty() {
            self.past.push(format!(
                "{which}: the server ran {ran:?}; the sidecar saw {seen:?} ({}); through it ran {past:?}\n  {:?}\n  {body:.2000}",
                answer.status, request.headers
            ));
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn what_a_server_runs_as_one_tool_the_sidecar_has_not_taken_for_another() {
    let (seed, requests) = (setting("REEVE_SEED", 1), setting("REEVE_REQUESTS", REQUESTS));
    let _alone = crate::BUSY.lock();
    println!("generated requests: REEVE_SEED={seed} REEVE_REQUESTS={requests}");
    let tallies: Vec<(Kind, Tally)> = std::thread::scope(|scope| {
        let present = SERVERS.iter().enumerate().filter(|(_, kind)| kind.is_installed());
        let runs: Vec<_> =
            present.map(|(index, kind)| (*kind, scope.spawn(move || tally(index, *kind, seed, requests)))).collect();
        runs.into_iter().map(|(kind, run)| (kind, run.join().unwrap())).collect()
    });
    for (kind, Tally { requests, ran, deceptive, past }) in &tallies {
        println!(
            "{kind:?}: {requests} requests, {ran} ran a tool, {deceptive} another than the first named; {} past",
            past.len()
        );
    }
    let past: Vec<_> = tallies.iter().flat_map(|(_, tally)| &tally.past).map(String::as_str).collect();
    assert!(past.is_empty(), "{} of seed {seed}:\n{}", past.len(), past.join("\n"));
    // Requests that no server understands would prove nothing, nor would those that nobody could misunderstand.
    for (kind, tally) in &tallies {
        assert!(tally.ran * 10 > tally.requests, "{kind:?} ran only {} of {}", tally.ran, tally.requests);
    }
    assert!(tallies.iter().any(|(_, tally)| tally.deceptive > 0), "no request was deceptive");
}

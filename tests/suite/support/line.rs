//! A line between a client and a server that does what lines do: delays, drops, stalls, cuts short,
//! repeats requests, and has somebody in between answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What happens to one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing.
    None,
    /// Everything takes so much longer, each way.
    Delay(Duration),
    /// The line breaks after so many bytes from the client.
    DropAsking(usize),
    /// The line breaks after so many bytes from the server.
    DropAnswering(usize),
    /// The answer ends well after so many bytes.
    EndAnswering(usize),
    /// After so many bytes from the server nothing comes any more, and the line stays.
    StallAnswering(usize),
    /// After so many bytes from the client nothing gets through any more, and the line stays.
    StallAsking(usize),
    /// The first request reaches the server twice; the client sees the second answer.
    Repeat,
    /// Somebody in between answers with this status.
    Answer(u16),
}

type Choose = Box<dyn Fn(u64) -> Mishap + Send + Sync>;

/// The line.
pub struct Line {
    pub address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    stop: Arc<AtomicBool>,
    /// Bytes from the client to the server.
    pub asked: Arc<AtomicU64>,
    /// Bytes from the server to the client.
    pub answered: Arc<AtomicU64>,
    /// After so many bytes from the client nobody gets through any more.
    pub cut_after: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    /// A line on which the connection of each number meets what `choose` says.
    pub fn new(choose: impl Fn(u64) -> Mishap + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a listener that does not wait");
        let (target, stop) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let (asked, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let cut_after = Arc::new(AtomicU64::new(u64::MAX));
        let choose: Choose = Box::new(choose);
        let thread = {
            let (target, stop) = (target.clone(), stop.clone());
            let (asked, answered) = (asked.clone(), answered.clone());
            let count = Count { asked, answered, cut_after: cut_after.clone() };
            std::thread::spawn(move || accept(&listener, &target, &stop, &choose, &count))
        };
        Self { address, target, stop, asked, answered, cut_after, thread: Some(thread) }
    }

    /// Says where the server is.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.target.lock().expect("a lock") = Some(server);
    }
}

/// Counts what clients and servers send.
#[derive(Clone)]
struct Count {
    asked: Arc<AtomicU64>,
    answered: Arc<AtomicU64>,
    cut_after: Arc<AtomicU64>,
}

impl Count {
    fn is_cut(&self) -> bool {
        self.asked.load(Ordering::Relaxed) >= self.cut_after.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.asked.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(
    listener: &TcpListener,
    target: &Mutex<Option<SocketAddr>>,
    stop: &Arc<AtomicBool>,
    choose: &Choose,
    count: &Count,
) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok((client, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        };
        if count.is_cut() {
            continue;
        }
        client.set_nonblocking(false).expect("a stream that waits");
        let mishap = choose(number);
        number += 1;
        let server = target.lock().expect("a lock").expect("a server");
        let (stop, count) = (stop.clone(), count.clone());
        std::thread::spawn(move || connect(client, server, mishap, &stop, &count));
    }
}

fn connect(mut client: TcpStream, server: SocketAddr, mishap: Mishap, stop: &Arc<AtomicBool>, count: &Count) {
    if let Mishap::Answer(status) = mishap {
        let _ = read_request(&mut client);
        let text = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: 2\r\ncontent-type: text/html\r\nconnection: close\r\n\r\nhm"
        );
        let _ = client.write_all(text.as_bytes());
        return;
    }
    let Ok(mut upstream) = TcpStream::connect(server) else { return };
    if mishap == Mishap::Repeat {
        let request = read_request(&mut client);
        if let Ok(mut other) = TcpStream::connect(server) {
            let _ = other.write_all(&request);
            let _ = other.set_read_timeout(Some(Duration::from_secs(10)));
            let mut first = [0; 1];
            // The server has answered once.
            let _ = other.read(&mut first);
        }
        count.add(request.len());
        if upstream.write_all(&request).is_err() {
            return;
        }
    }
    let (Ok(from_client), Ok(to_server)) = (client.try_clone(), upstream.try_clone()) else { return };
    let (stop_asking, counted) = (stop.clone(), count.clone());
    let asking = std::thread::spawn(move || {
        let limit = match mishap {
            Mishap::DropAsking(bytes) => Limit::Drop(bytes),
            Mishap::StallAsking(bytes) => Limit::Stall(bytes),
            _ => Limit::None,
        };
        carry((from_client, to_server), limit, delay(mishap), &stop_asking, &counted.asked, &|| {
            counted.is_cut()
        });
    });
    let limit = match mishap {
        Mishap::DropAnswering(bytes) => Limit::Drop(bytes),
        Mishap::EndAnswering(bytes) => Limit::End(bytes),
        Mishap::StallAnswering(bytes) => Limit::Stall(bytes),
        _ => Limit::None,
    };
    carry((upstream, client), limit, delay(mishap), stop, &count.answered, &|| false);
    let _ = asking.join();
}

fn delay(mishap: Mishap) -> Duration {
    if let Mishap::Delay(time) = mishap { time } else { Duration::ZERO }
}

#[derive(Clone, Copy)]
enum Limit {
    None,
    Drop(usize),
    End(usize),
    Stall(usize),
}

/// Carries bytes one way until that ends or the limit is met.
fn carry(
    (mut from, mut to): (TcpStream, TcpStream),
    limit: Limit,
    delay: Duration,
    stop: &AtomicBool,
    counted: &AtomicU64,
    is_cut: &dyn Fn() -> bool,
) {
    let _ = from.set_read_timeout(Some(Duration::from_millis(50)));
    let mut left = match limit {
        Limit::None => usize::MAX,
        Limit::Drop(bytes) | Limit::End(bytes) | Limit::Stall(bytes) => bytes,
    };
    let mut buffer = vec![0; 1 << 16];
    while !stop.load(Ordering::Relaxed) {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                continue;
            }
            Err(_) => break,
        };
        std::thread::sleep(delay);
        let passed = count.min(left);
        if to.write_all(&buffer[..passed]).is_err() {
            break;
        }
        counted.fetch_add(passed as u64, Ordering::Relaxed);
        if is_cut() {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
        left -= passed;
        if left == 0 {
            match limit {
                Limit::Stall(_) => {
                    // Open, and nothing comes, until the other side gives up.
                    while !stop.load(Ordering::Relaxed) && is_open(&mut to) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                Limit::Drop(_) => {
                    let _ = from.shutdown(Shutdown::Both);
                }
                _ => {}
            }
            break;
        }
    }
    let _ = to.shutdown(if matches!(limit, Limit::Drop(_)) { Shutdown::Both } else { Shutdown::Write });
}

fn is_open(stream: &mut TcpStream) -> bool {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(1)));
    let mut byte = [0];
    !matches!(stream.peek(&mut byte), Ok(0))
}

/// One request: its head, and as much as that says.
fn read_request(client: &mut TcpStream) -> Vec<u8> {
    let _ = client.set_read_timeout(Some(Duration::from_secs(5)));
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let head = bytes.windows(4).position(|part| part == b"\r\n\r\n").map(|at| at + 4);
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length =
                text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if bytes.len() >= head + length.unwrap_or(0usize) {
                return bytes;
            }
        }
        match client.read(&mut buffer) {
            Ok(0) | Err(_) => return bytes,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

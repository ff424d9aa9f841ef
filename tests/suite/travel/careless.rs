//! A server over HTTP that looks at nothing: what is sent is kept, whoever sends it, and whatever lies in
//! its folder is handed out.

use pentimento::base::id::{ChunkId, CommitId, PackId};
use pentimento::store::bucket::FolderBucket;
use pentimento::store::parcel::pack_blocks;
use pentimento::sync::bucket::BucketRemote;
use pentimento::sync::bundle::open_bundle;
use pentimento::sync::error::SyncResult;
use pentimento::sync::keep::CloneId;
use pentimento::sync::remote::{
    BlockSink, BundleSink, Description, HistoryWants, ObjectKey, Parcel, ParcelKind, ParcelRecord, Proposal,
    Published, Remote,
};
use pentimento::sync::wire::frame::{self, FrameKind};
use pentimento::sync::wire::{Answer, Fault, Request, Verb, serve};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The server.
pub struct Careless {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Careless {
    /// Serves what lies in a folder.
    pub fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a listener that does not wait");
        let stop = Arc::new(AtomicBool::new(false));
        let heap = Arc::new(Heap { folder: folder.to_owned(), records: Mutex::default() });
        let thread = {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let Ok((stream, _)) = listener.accept() else {
                        std::thread::sleep(Duration::from_millis(2));
                        continue;
                    };
                    let heap = heap.clone();
                    std::thread::spawn(move || converse(stream, &heap));
                }
            })
        };
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for Careless {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers the requests of one connection.
fn converse(stream: TcpStream, heap: &Heap) {
    stream.set_nonblocking(false).expect("a stream that waits");
    let mut input = BufReader::new(stream.try_clone().expect("a stream"));
    let mut output = stream;
    while let Some(body) = read_body(&mut input) {
        let mut answer = Vec::new();
        let last = match reply(&body, heap, &mut answer) {
            Ok(()) => (FrameKind::End, Vec::new()),
            Err(error) => (FrameKind::Fault, Fault::of(&error).encode()),
        };
        frame::write(&mut answer, last.0, &last.1).expect("memory");
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-pentimento\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        if output.write_all(head.as_bytes()).and_then(|()| output.write_all(&answer)).is_err() {
            return;
        }
    }
}

fn read_body(input: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some(body)
}

fn reply(body: &[u8], heap: &Heap, answer: &mut Vec<u8>) -> SyncResult<()> {
    let mut rest = body;
    let asked = frame::read(&mut rest).expect("a frame").expect("a request").payload;
    let request = Request::decode(&asked).expect("a request");
    if let (Verb::Begin, Request::Begin { repository, chunker }) = (request.verb(), &request) {
        FolderBucket::create(&heap.folder).expect("a folder");
        heap.remote().create(*repository, *chunker, "nonce")?;
        let value = Answer::Description(heap.describe()?).encode();
        frame::write(answer, FrameKind::Value, &value).expect("memory");
        return Ok(());
    }
    serve::answer(heap, request, &mut |kind, payload| {
        frame::write(answer, kind, payload).expect("memory");
        Ok(())
    })
}

/// Whatever was sent, without a look at it. What is in a parcel is not said on its way, so this looks
/// that far.
struct Heap {
    folder: PathBuf,
    records: Mutex<HashMap<PackId, ParcelRecord>>,
}

impl Heap {
    fn remote(&self) -> BucketRemote {
        BucketRemote::new(Arc::new(FolderBucket::open(&self.folder)), "the folder".into(), None)
    }
}

fn entries(parcel: &Parcel) -> SyncResult<Vec<(ObjectKey, u32, u32)>> {
    let mut entries = Vec::new();
    match parcel.record.kind {
        ParcelKind::Pack => {
            for block in pack_blocks(&parcel.bytes)?.1 {
                for record in &block.header.records {
                    let length = block.header.block_length();
                    entries.push((ObjectKey::chunk(record.id), block.offset as u32, length as u32));
                }
            }
        }
        ParcelKind::Bundle => open_bundle(&parcel.bytes, &mut |received, offset, length| {
            entries.push((received.key, offset as u32, length as u32));
            Ok(())
        })?,
    }
    Ok(entries)
}

impl Remote for Heap {
    fn describe(&self) -> SyncResult<Description> {
        self.remote().describe()
    }

    fn have(&self, keys: &[ObjectKey]) -> SyncResult<Vec<bool>> {
        self.remote().have(keys)
    }

    fn fetch_history(&self, wants: &HistoryWants, sink: &mut BundleSink<'_>) -> SyncResult<()> {
        self.remote().fetch_history(wants, sink)
    }

    fn fetch_objects(&self, keys: &[ObjectKey], sink: &mut BundleSink<'_>) -> SyncResult<()> {
        self.remote().fetch_objects(keys, sink)
    }

    fn fetch_chunks(&self, chunks: &[ChunkId], sink: &BlockSink<'_>) -> SyncResult<()> {
        self.remote().fetch_chunks(chunks, sink)
    }

    fn put(&self, parcel: &Parcel) -> SyncResult<()> {
        let record = ParcelRecord { entries: entries(parcel)?.into(), ..parcel.record.clone() };
        self.records.lock().expect("a lock").insert(record.id, record.clone());
        self.remote().put(&Parcel { record, bytes: parcel.bytes.clone() })
    }

    fn holds(&self, parcels: &[(PackId, ParcelKind)]) -> SyncResult<Vec<bool>> {
        self.remote().holds(parcels)
    }

    fn publish(&self, proposal: &Proposal) -> SyncResult<Published> {
        let records = self.records.lock().expect("a lock");
        let known = |parcel: &ParcelRecord| records.get(&parcel.id).cloned().expect("what was put");
        let parcels = proposal.parcels.iter().map(known).collect();
        self.remote().publish(&Proposal { parcels, ..proposal.clone() })
    }

    fn keep(&self, clone: &CloneId, commits: &[CommitId]) -> SyncResult<()> {
        self.remote().keep(clone, commits)
    }
}

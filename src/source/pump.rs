//! A stream of text that another thread makes: how binary containers become what the readers of JSON and CSV read.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Text is handed over in pieces of about this size.
const PIECE: usize = 1 << 18;
/// Pieces that wait to be read; more would be memory for nothing.
const WAITING: usize = 4;

enum Sent {
    Piece(Vec<u8>),
    End,
    Failed(io::Error),
}

/// What `make` writes, as a reader. A reader that is dropped early makes the next write of `make` fail.
pub(super) fn pumped(make: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Box<dyn Read + Send> {
    let (to, from) = sync_channel(WAITING);
    let spawned = std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
        let mut spout = Spout { to, piece: Vec::with_capacity(PIECE) };
        let last = match make(&mut spout).and_then(|()| spout.flush()) {
            Ok(()) => Sent::End,
            // What was made before goes first.
            Err(error) => spout.flush().map_or_else(Sent::Failed, |()| Sent::Failed(error)),
        };
        // Nobody listens any more: then nobody needs to know.
        let _ = spout.to.send(last);
    });
    let failed = spawned.err();
    Box::new(Pumped { from, piece: Vec::new(), given: 0, failed, ended: false })
}

struct Spout {
    to: SyncSender<Sent>,
    piece: Vec<u8>,
}

impl Write for Spout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.to.send(Sent::Piece(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

struct Pumped {
    from: Receiver<Sent>,
    piece: Vec<u8>,
    given: usize,
    failed: Option<io::Error>,
    ended: bool,
}

impl Read for Pumped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while self.given == self.piece.len() {
            if self.ended || into.is_empty() {
                return Ok(0);
            }
            self.given = 0;
            self.piece.clear();
            match self.from.recv() {
                Ok(Sent::Piece(piece)) => self.piece = piece,
                Ok(Sent::End) => self.ended = true,
                Ok(Sent::Failed(error)) => {
                    self.ended = true;
                    return Err(error);
                }
                // The maker ended without a word: it panicked.
                Err(_) => {
                    self.ended = true;
                    return Err(io::Error::other("the reader of this container failed"));
                }
            }
        }
        let n = into.len().min(self.piece.len() - self.given);
        into[..n].copy_from_slice(&self.piece[self.given..self.given + n]);
        self.given += n;
        Ok(n)
    }
}

/// A line that no reader takes for a record: it is rejected as `bad-json`, with this as its excerpt.
pub(super) fn broken_line(to: &mut dyn Write, why: &str) -> io::Result<()> {
    let line: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    writeln!(to, "!{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_arrives_and_an_early_end_is_no_fault() {
        let text: Vec<u8> = (0..1_000_000_u32).flat_map(|n| n.to_le_bytes()).collect();
        let sent = text.clone();
        let mut got = Vec::new();
        pumped(move |to| to.write_all(&sent)).read_to_end(&mut got).expect("reads");
        assert!(got == text);
        let mut few = [0; 10];
        pumped(move |to| to.write_all(&text)).read_exact(&mut few).expect("reads");
        let mut failing = pumped(|to| to.write_all(b"ab").and(Err(io::Error::other("no more"))));
        let mut got = Vec::new();
        assert_eq!(failing.read_to_end(&mut got).expect_err("it fails").to_string(), "no more");
        assert_eq!(got, b"ab");
    }
}
